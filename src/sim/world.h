// World: the whole node and its users in one thread on a virtual clock, over a network that loses,
// delays, repeats and reorders, and a disk that fails; every choice comes from the seed.  The
// counterpart of atriumd's world.  Files: world.cc (time, parts, datagrams), world_node.cc (the node's
// life and death, its store), world_http.cc (signalling connections), world_calls.cc (management
// calls), world_users.cc (what users and faults do), world_end.cc (what is looked at in the end).
// Does not: know TLS, real ports or threads; parts take turns in an order that the seed decides.
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
#include "client/dial_client.h"
#include "media/dtls.h"
#include "media/sctp.h"
#include "node/control.h"
#include "node/sctp_worker.h"
#include "node/shard.h"
#include "node/store_worker.h"
#include "sim/checkers.h"
#include "sim/disk.h"
#include "sim/ring.h"

namespace atrium::sim {

// A bug that is built in, for the canaries.
enum class Plant : uint8_t {
  None,
  LateSend,        // one packet leaves after each cut
  ForgottenRules,  // a node that starts does not read the ban rules
  LyingDisk        // syncs do nothing, and every crash is a loss of power
};

struct WorldOptions {
  uint64_t seed = 1;
  size_t users = 8, rooms = 3;
  Duration chaos = std::chrono::seconds(14);  // users and faults do what they like
  Duration quiet = std::chrono::seconds(10);  // no faults: everybody must receive everything
  Duration ending = std::chrono::seconds(8);  // everybody leaves; then all must be empty
  Plant plant = Plant::None;
  bool is_verbose = false;
};

struct Statistics {
  uint64_t events = 0, joins = 0, resumes = 0, refusals = 0, leaves = 0, dismissals = 0,
           successes = 0, kills = 0, blackouts = 0, disk_failures = 0, datagrams = 0, lost = 0,
           rtp = 0, data = 0, told = 0, streams_checked = 0, sanctions = 0, sanctions_done = 0,
           kept_out = 0, restarts = 0, records_read = 0;
};
struct Outcome {
  uint64_t trace = 0;  // a hash over everything that was delivered, and when
  std::vector<std::string> violations;
  Statistics statistics;
};

class World final : public node::HttpPort, private node::FaultPort {
 public:
  explicit World(WorldOptions options);
  ~World() override;
  Outcome run();

  // node::HttpPort
  void respond(ConnectionId connection, node::HttpResponse response) override;
  void accept_websocket(ConnectionId connection) override;
  void send(ConnectionId connection, std::shared_ptr<const std::string> message) override;
  void close_websocket(ConnectionId connection, std::shared_ptr<const std::string> last,
                       uint16_t code) override;
  void drop(ConnectionId connection) override;
  size_t connection_count() const override { return connections_.size(); }

 private:
  enum Part : size_t { kControl, kShard0, kShard1, kSctp, kStore, kParts };
  struct ShardParts {
    ShardParts(World& world, size_t index);
    Ring<node::ShardCommand> commands, urgent;
    Ring<node::ShardReport> reports;
    Ring<media::SctpCommand> to_sctp;
    Ring<media::SctpEvent> from_sctp;
    std::unique_ptr<node::Shard> shard;
  };
  // One participation of one user: dials, resumes, ends.  Kept to the end of the run for the checkers.
  struct Session {
    SessionFacts facts;
    size_t user = 0;
    uint16_t port = 0;  // of its UDP socket, its name on the network
    std::string token{};
    std::unique_ptr<client::DialClient> client;
    media::SctpWorld sctp;
    std::optional<ConnectionId> connection;
    bool is_over = false, is_deaf = false, is_dialling = false, wants_restart = false;
    Mono last_run{}, blackout_until{};
    Mono lost = kNever;  // when the server missed its connection
    uint64_t next_message = 0;
  };
  struct User {
    std::string name{}, token{};
    size_t room = 0;
    Session* session = nullptr;
  };
  // A connection as the network sees it; its server's end is gone when it is erased.
  struct Connection {
    Session* session = nullptr;  // none: a management call
    bool is_closing = false;
    bool is_cut = false;  // the network carries nothing any more
    Mono accepted{}, last_up{}, last_down{};
  };

  // A management call under way.
  struct Call {
    std::string action{};
    size_t room = 0;
    RuleTarget target{};
    std::optional<RuleBook::CallId> in_book{};
    std::vector<Session*> meant{};  // who was in when it was made
    std::string token{}, operation{};
    Mono made{};
  };

  // --- world.cc
  Now now() const { return {mono_, Wall(mono_.time_since_epoch()) + wall_offset_}; }
  void at(Duration from_now, std::function<void()> what);
  uint64_t below(uint64_t bound) { return chance_.next() % bound; }
  bool one_in(uint64_t n) { return below(n) == 0; }
  Duration between(Duration low, Duration high);
  void note(std::string_view kind, ByteView bytes);
  void wake(Part part);
  void run_part(Part part, bool is_deadline);
  Mono deadline_of(Part part) const;
  void run_until(Mono end);
  bool run_next(Mono end);
  void after_control();
  void drain_shard(size_t index);
  void send_to_client(uint16_t from_port, uint16_t to_port, ByteView bytes);
  void send_to_server(Session& session, const SocketAddress& to, ByteView bytes);
  void carry(Duration& delay_out, bool& is_lost);
  void at_point(std::string_view) override {}
  Session* session_at(uint16_t port);
  IpAddress address_of(const Session& session) const;

  // --- world_node.cc
  void boot();
  void make_shards(std::vector<node::ShardEnds>& control_ends,
                   std::vector<node::SctpShardEnds>& sctp_ends);
  void restore(store::Store& store);
  void observe_rings(ShardParts& shard);
  void observe(const node::StoreRequest& request);
  void on_cut_ordered(LifeId life);
  void crash();
  void lose_connections();
  bool is_up() const { return control_ != nullptr; }

  // --- world_http.cc
  void dial(Session& session);
  void request(ConnectionId id, const node::HttpRequest& request);
  void kill(ConnectionId connection);
  void end_at_server(ConnectionId id);
  void close_by_client(Session& session);
  void send_up(Session& session, std::string message);
  void deliver_down(ConnectionId id, std::function<void(Session&)> what);
  void lose(Session& session, ConnectionId id, uint16_t code);
  void check_word(const Connection& connection, std::string_view message);

  // --- world_calls.cc
  void act_of_backend();
  void dismiss(size_t room);
  void kick(const RuleTarget& target);
  void ban(const RuleTarget& target, Duration interval);
  void change_rule();
  void limit_token();
  void ask_for_record(const std::string& operation);
  void call(Call call, std::string_view version, const std::string& fields);
  void on_answer(const Call& call, int status, const std::string& body);
  void on_dismissed(const Call& call, const std::string& body);
  void on_rules(const std::string& body);
  void on_sanction(const Call& call, int status, const std::string& body);
  void end_unanswered(const Call& call, CallEnd end);
  std::vector<Session*> sessions_in(const RuleTarget& target);

  // --- world_users.cc
  void make_users();
  std::string make_token(const std::string& user, const std::string& room);
  void act();
  void act_of_user(User& user);
  void start(User& user);
  void pump(Session& session);
  void pump_sctp(Session& session);
  void on_event(Session& session, const client::Event& event);
  void on_end_of_connection(Session& session);
  void finish(Session& session);
  void act_of_fate();
  void restore_peace();
  void everybody_leaves();

  // --- world_end.cc
  void check_liveness();
  void check_reception(const User& subscriber, const User& publisher);
  void print_reception(const Session& session, const std::string& track) const;
  void check_end();

  // given
  const WorldOptions options_;
  // owned
  SeededSecretSource chance_, node_secrets_;
  Mono mono_{std::chrono::seconds(1'000)};
  static constexpr Duration kWallBegin = std::chrono::seconds(1'800'000'000);
  Duration wall_offset_ = kWallBegin;
  std::multimap<Mono, std::function<void()>> agenda_;
  std::shared_ptr<const media::CertificateKey> certificate_;
  std::vector<std::unique_ptr<ShardParts>> shards_;
  std::unique_ptr<Ring<node::StoreRequest>> to_store_;
  std::unique_ptr<Ring<node::StoreReply>> from_store_;
  std::unique_ptr<Ring<node::WebOrder>> to_web_;
  std::unique_ptr<Ring<node::WebReply>> from_web_;
  std::unique_ptr<node::SctpWorker> sctp_worker_;
  std::unique_ptr<node::ControlPlane> control_;
  std::unique_ptr<node::StoreWorker> store_worker_;
  SimDisk disk_;
  uint64_t boots_ = 0;  // what was meant for a former one is for nobody
  std::array<bool, kParts> is_woken_{};
  std::array<Mono, kParts> last_run_{};
  std::map<ConnectionId, Connection> connections_;
  std::map<ConnectionId, Call> calls_;
  std::vector<std::string> dismissed_;  // operations whose caller was told that they are done
  std::set<std::string> limited_, perhaps_limited_;  // tokens
  uint64_t next_connection_ = 1;
  uint16_t next_port_ = 20'000;
  std::vector<User> users_;
  std::map<uint16_t, std::unique_ptr<Session>> sessions_;
  std::map<ParticipantSid, domain::Tombstone> tombstones_;
  bool has_faults_ = true, is_acting_ = true;
  // Of this seed: which faults there are.
  bool has_restarts_ = false, has_sanctions_ = false, is_quiet_troubled_ = false;
  SimDisk::Trouble trouble_ = SimDisk::Trouble::None;
  uint64_t loss_per_mille_ = 0, repeat_per_mille_ = 0;
  Duration jitter_{};
  Checkers checkers_;
  Outcome outcome_;
};

}  // namespace atrium::sim
