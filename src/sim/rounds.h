// Rounds: a few room names that are made, dismissed and made again, thousands of times, over the whole node without its
// media: real control plane, dispatcher and store, on a virtual clock, a disk that fails, machines that die; shards
// that do what they are ordered in their own time; users that join through every phase of a dismissal; orders that were
// meant for a former life and arrive late.  Beside it a consumer of callbacks (callback_consumer.h) that is out for an
// hour, and an oracle of who may be harmed (life_book.h).  Everything comes from the seed.
// Files: rounds.cc (time, parts), rounds_node.cc (the node's life and death), rounds_shard.cc (shards), rounds_web.cc
// (the way to the consumer), rounds_http.cc (users' connections), rounds_calls.cc (management calls), rounds_plot.cc
// (who does what when), rounds_end.cc (what is looked at).
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/seeded_secret_source.h"
#include "node/control.h"
#include "node/store_worker.h"
#include "sim/callback_consumer.h"
#include "sim/disk.h"
#include "sim/life_book.h"
#include "sim/ring.h"

namespace atrium::sim {

// A bug that is built in, for the canaries.
enum class RoundsPlant : uint8_t {
  None,
  LostEvent,        // the network answers for the consumer, now and then
  StrangeDismissal  // some dismissals are not noted as asked for
};

struct RoundsOptions {
  uint64_t seed = 1;
  uint64_t rounds = 500;  // dismissed lives that are followed by another, at least
  uint64_t events = 0;    // that the consumer has, at least
  size_t names = 6;
  Duration span =
      std::chrono::hours(3);  // the rounds are spread over it; longer where that is too short
  Duration outage = std::chrono::hours(1);
  uint64_t crashes = 10;  // about so many; disks' included
  RoundsPlant plant = RoundsPlant::None;
  bool is_verbose = false;
};

struct RoundsFigures {
  uint64_t rounds = 0, lives = 0, joins = 0, resumes = 0, calls = 0, late_orders = 0, repeats = 0,
           crashes = 0, requests = 0, failed_requests = 0, events = 0, duplicates = 0, words = 0,
           bursts_of_trouble = 0;
  Duration lasted{};
};
struct RoundsOutcome {
  RoundsFigures figures;
  std::vector<std::string> violations;
};

class Rounds final : public node::HttpPort, private node::FaultPort {
 public:
  explicit Rounds(RoundsOptions options);
  ~Rounds() override;
  RoundsOutcome run();

  // node::HttpPort
  void respond(ConnectionId connection, node::HttpResponse response) override;
  void accept_websocket(ConnectionId connection) override;
  void send(ConnectionId connection, std::shared_ptr<const std::string> message) override;
  void close_websocket(ConnectionId connection, std::shared_ptr<const std::string> last,
                       uint16_t code) override;
  void drop(ConnectionId connection) override;
  size_t connection_count() const override { return connections_.size(); }

 private:
  // A shard without media: which transport belongs to which life is all that it knows.
  struct Transport {
    LifeId life;
    ParticipantSid who;
    bool is_cut = false;
  };
  struct Shard {
    Shard(Rounds& rounds, size_t index);
    Ring<node::ShardCommand> commands, urgent;
    Ring<node::ShardReport> reports;
    std::map<TransportId, Transport> transports;
  };
  // A user's connection, or a management call's.
  struct Connection {
    bool is_call = false, is_resume = false, is_closing = false;
    size_t name = 0, user = 0;
    ParticipantSid who = {};  // empty: not let in yet
  };
  // What a user has of its latest join.
  struct Place {
    std::optional<ConnectionId> connection;
    ParticipantSid who;
    std::string token;
  };
  struct Call {
    std::string action, fields;
    size_t name = 0;
    std::string key = {};                 // Idempotency-Key; empty: none
    std::optional<RoomSid> meant = {};    // the life that was current when the server heard it
    std::optional<RoomSid> if_life = {};  // only this one
    std::string schedule = {};            // of an Extend or a Cancel
    RoomSid schedule_of = {};             // whose that schedule was
    uint64_t boot = 0;
  };
  struct Answer {
    int status = 0;
    std::string body;
    bool is_replay = false;
  };
  struct Name {
    std::array<Place, 5> places;
    std::optional<std::pair<std::string, RoomSid>> schedule;  // made last, and whose it was
    std::optional<Call> keyed;                                // the last call with a key
  };

  // --- rounds.cc
  Now now() const { return {mono_, Wall(mono_.time_since_epoch()) + kWallBegin}; }
  void at(Duration from_now, std::function<void()> what);
  // Only if the node is still the one that runs now.
  void at_this_boot(Duration from_now, std::function<void()> what);
  uint64_t below(uint64_t bound) { return chance_.next() % bound; }
  bool one_in(uint64_t n) { return below(n) == 0; }
  Duration between(Duration low, Duration high);
  Duration some_delay();
  void wake_control();
  void wake_store();
  void turn_control(bool is_deadline);
  void turn_store(bool is_deadline);
  Mono control_deadline() const;
  Mono store_deadline() const;
  bool run_next(Mono end);
  void run_for(Duration span);
  void at_point(std::string_view) override {}

  // --- rounds_node.cc
  void boot();
  store::StoreOptions store_options();
  void restore(store::Store& store);
  void observe_store();
  void crash();
  void crash_now();
  bool is_up() const { return control_ != nullptr; }

  // --- rounds_shard.cc
  void wake_shard(size_t index);
  void turn_shard(size_t index);
  void report(size_t index, media::Report report, Duration delay);
  void carry_out(size_t index, const media::OpenTransport& command);
  void carry_out(size_t index, const media::CutTransport& command);
  void carry_out(size_t index, const media::CloseTransport& command);
  void carry_out(size_t index, const media::CutLife& command);
  void carry_out(size_t index, const media::CloseLife& command);
  template <typename Other>
  void carry_out(size_t, const Other&) {}  // media, of which there is none
  void hear_notice(const Transport& transport, const Bytes& notice);

  // --- rounds_web.cc
  void wake_web();
  void turn_web();
  void carry(const node::WebRequest& request);
  void reach_consumer(const std::string& body);
  void answer(uint64_t boot, uint64_t id, int status, std::string why, Duration delay);
  bool is_consumer_out() const;

  // --- rounds_http.cc
  void dial(size_t name, size_t user, bool is_resume);
  void lose(ConnectionId id);
  void forget(ConnectionId id);
  void on_first_word(ConnectionId id, Connection& connection, std::string_view message);
  std::string make_token(size_t name, size_t user);

  // --- rounds_calls.cc
  void call(Call call, Duration delay);
  void hear(ConnectionId id, Call& call, const node::HttpRequest& request);
  void note_meaning(Call& call);
  void note_kick(const Call& call);
  void on_answer(const Call& call, const Answer& answer);
  void check_receipt(const Call& call, const Answer& answer);
  void check_innocents();

  // --- rounds_plot.cc
  void begin_round(size_t name);
  void join(size_t name, size_t user);
  void leave(size_t name, size_t user);
  void something_happens(size_t name);
  void end_life(size_t name);
  void dismiss(size_t name, bool is_of_this_life);
  void schedule(size_t name);
  void change_schedule(size_t name);
  void late_order(size_t name, const RoomSid& former);
  void fate();
  bool is_done() const;

  // --- rounds_end.cc
  void settle();
  CallbackConsumer::Table truth() const;
  void wait_for_the_table(std::string_view when);
  void check_order();
  void print_difference() const;

  static std::string room_of(size_t name) { return "room" + std::to_string(name); }
  static std::string user_of(size_t user) { return "user" + std::to_string(user); }
  static constexpr const char* kApp = "a7e100000000000000000001";

  // given
  const RoundsOptions options_;
  // owned
  SeededSecretSource chance_, node_secrets_;
  Mono mono_{std::chrono::seconds(1'000)}, began_ = mono_;
  static constexpr Duration kWallBegin = std::chrono::seconds(1'800'000'000);
  std::multimap<Mono, std::function<void()>> agenda_;
  std::string offer_;  // a join_request with a data section, encoded
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<Ring<node::StoreRequest>> to_store_;
  std::unique_ptr<Ring<node::StoreReply>> from_store_;
  std::unique_ptr<Ring<node::WebOrder>> to_web_;
  std::unique_ptr<Ring<node::WebReply>> from_web_;
  std::unique_ptr<node::ControlPlane> control_;
  std::unique_ptr<node::StoreWorker> store_worker_;
  SimDisk disk_;
  node::WebRule web_rule_;
  uint64_t boots_ = 0;  // what was meant for a former one is for nobody
  bool is_control_woken_ = false, is_store_woken_ = false, is_web_woken_ = false;
  std::array<bool, 2> is_shard_woken_{};
  Mono last_control_{}, last_store_{};
  std::map<ConnectionId, Connection> connections_;
  std::map<ConnectionId, Call> calls_;
  uint64_t next_connection_ = 1, next_key_ = 1, next_token_ = 1;
  std::vector<Name> names_;
  std::map<std::string, RoomSid> done_keys_;  // which life the answer named
  bool is_acting_ = true, has_faults_ = true;
  LifeBook book_;
  CallbackConsumer consumer_;
  RoundsOutcome outcome_;
};

}  // namespace atrium::sim
