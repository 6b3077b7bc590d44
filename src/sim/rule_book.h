// RuleBook: which ban rules must be in force, and which may be, told from what callers were answered and from the
// clocks alone.  It knows nothing of the registry, so that the checkers that ask it judge the registry.
// Between a call and its answer a rule may be either way; after an answer "success" it is as the answer says; after any
// other end (an error of the server's, a restart) it may be either way, but always the same: what a door shows holds
// until the next restart, and what it shows after one holds for good.
// Owner: World.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/time.h"

namespace atrium::sim {

// Somebody at a door, or inside.
struct Who {
  std::string user, room, ip;
};

// What a management call names; empty: any.
struct RuleTarget {
  std::string room{}, user{}, ip{};
  bool means(const Who& who) const;
  friend auto operator<=>(const RuleTarget&, const RuleTarget&) = default;
};

enum class Order : uint8_t { Kick, Ban, Prolong, Lift };
enum class CallEnd : uint8_t {
  Done,
  Refused,  // nothing was done
  Unknown   // an error of the server's, or no answer: done or not
};

class RuleBook {
 public:
  using CallId = uint64_t;
  // An interval of zero: whoever is meant is put out, and there is no rule.
  CallId began(Order order, RuleTarget target, Duration interval, Now now);
  void ended(CallId id, CallEnd end, Now now);
  void wall_stepped(Now now);
  // The node that comes after knows the rules' ends by the wall clock.
  void restarted(Now now);

  // `let_in`: when it came through the door that it is in by; a rule that was only changed puts nobody out.
  bool must_be_out(const Who& who, Mono let_in, Now now) const;
  bool may_be_out(const Who& who, Now now) const;
  // A join was accepted: no rule that means who came is in force.
  void saw_let_in(const Who& who, Now now);
  // Whether -1006 may reach a session that began then.
  bool may_be_removed(const Who& who, Mono session_began) const;
  // Targets that were named so far, in order of their names.
  std::vector<RuleTarget> targets() const;

 private:
  struct Instant {
    Mono mono{};
    Wall wall{};
  };
  struct Call {
    CallId id = 0;
    Order order = Order::Ban;
    Duration interval{};
    Mono began{};
    Duration offset_least{},
        offset_most{};  // of the wall clock from the other, while it was under way
    bool is_over = false;
  };
  struct Rule {
    // In force until at least, at most.
    Instant must{}, may{};
    Instant must_before{}, may_before{};  // when `calls` began
    std::vector<Call> calls;              // which overlap one another
    size_t under_way = 0;
    Mono last_order{};           // Mono::max(): one is under way
    bool is_seen_out = false;    // somebody whom it means was let in, since the node started
    bool has_restarted = false;  // since the last call about it ended
    Mono closed_since{};         // who came in before may be in although the rule is in force
    bool is_certain() const;
    bool can_be_made() const;
  };
  static const Instant kOver;  // of a rule that is there no more, whatever the clocks do
  static Instant least(const Call& call);
  static Instant most(const Call& call, Now now);
  static void settle_bans(Rule& rule, const Call& call, CallEnd end, Now now);
  static void settle_alone(Rule& rule, const Call& call, CallEnd end, Now now);
  static void settle_mixed(Rule& rule, Now now);

  std::map<RuleTarget, Rule> rules_;
  std::map<CallId, RuleTarget> target_of_;  // of calls under way
  CallId next_id_ = 1;
};

}  // namespace atrium::sim
