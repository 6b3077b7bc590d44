// Worker: one thread of clients: their sockets, deadlines and lives, as the scenario has them.  Owner: main.
// Clients whose number modulo the count of workers is this worker's are its own.
// Does not: decide when a phase begins (main does), or judge what was counted.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <span>
#include <thread>
#include <unordered_map>
#include <vector>

#include "apps/atriumload/load_client.h"
#include "apps/atriumload/run_state.h"
#include "apps/atriumload/sctp_hub.h"
#include "apps/atriumload/settings.h"
#include "apps/atriumload/sockets.h"
#include "apps/atriumload/tally.h"
#include "base/secret_source.h"
#include "runtime/event_waker.h"

struct epoll_event;  // sys/epoll.h

namespace atrium::load {

// What the progress shows of a worker.
struct Glance {
  Flow flow;
  uint64_t started = 0, complete = 0, failed = 0, present = 0, lost = 0, corrupted = 0, drops = 0;
};

class Worker {
 public:
  // All but `index` are shared and outlive the worker.
  Worker(size_t index, const Settings& settings, RunState& run, SctpHub& hub,
         std::shared_ptr<const media::CertificateKey> certificate);
  ~Worker();

  void start(Mono joins_begin);
  void join() { thread_.join(); }
  void wake() { waker_.wake(); }
  Glance glance() const;
  // After join().
  const Tally& tally() const { return tally_; }

 private:
  struct Slot {
    uint32_t number = 0;
    std::unique_ptr<LoadClient> client;
    Descriptor tcp;
    std::array<Descriptor, kLinksMax> udp;
    std::array<uint32_t, kLinksMax> overflow{};
    std::string output;
    bool waits_for_room = false, watches_room = false;  // of the connection, to write
    bool is_settled = false;                            // its first join came to something
    bool is_in_flight = false;
    bool is_shut = false;  // nothing more is said on the connection
    Mono armed = kNever;
    Mono begins{}, leaves = kNever;
  };
  struct Due {
    Mono at;
    uint32_t slot = 0;
    bool operator>(const Due& other) const { return at > other.at; }
  };

  void run();
  size_t wait(std::span<epoll_event> events, Now now);
  void note_phase(Now now);
  void note_media(Now now);
  void begin_joins(Now now);
  void begin(uint32_t index, Now now);
  void end(uint32_t index);
  void close_tcp(Slot& slot);
  void leave_all(Now now);
  void end_rooms();
  void take_events(std::span<const epoll_event> events, Now now);
  void on_tcp(Slot& slot, uint32_t events, Now now);
  void on_udp(Slot& slot, uint8_t link, Now now);
  void take_deadlines();
  void send_media(Slot& slot);
  // After anything happened to its client: output, new sockets, its end, its next deadline.
  void service(uint32_t index, Now now);
  bool hang_up(Slot& slot);
  void flush_tcp(Slot& slot, uint32_t index, Now now);
  void open_links(Slot& slot, uint32_t index);
  void settle(Slot& slot, Now now);
  void arm(uint32_t index);
  void exchange_sctp(Now now);
  void publish(Now now);
  Person person_of(uint32_t number) const;
  void watch(int descriptor, uint32_t events, uint64_t key, bool is_new);

  // given
  const size_t index_;
  const Settings& settings_;
  RunState& run_;
  SctpHub& hub_;
  const std::shared_ptr<const media::CertificateKey> certificate_;
  // owned
  OpenSslSecretSource secrets_;
  runtime::EventWaker waker_;
  Descriptor epoll_;
  DatagramReader reader_;
  SendBatch batch_;
  std::vector<Slot> slots_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::unordered_map<uint64_t, uint32_t> slot_of_transport_;
  std::vector<media::SctpCommand> sctp_;
  Tally tally_;
  std::thread thread_;
  // derived
  Mono joins_begin_{};
  size_t next_join_ = 0;  // slots before it have begun
  uint64_t lives_ = 0, rooms_asked_ = 0;
  Phase seen_ = Phase::Joining;
  bool has_media_ = false;
  uint64_t cpu_begin_us_ = 0;
  Mono measured_from_{}, published_at_{};
  mutable std::mutex glance_mutex_;
  Glance glance_;
};

// CPU time of the calling thread, user and system.
uint64_t thread_cpu_us();

}  // namespace atrium::load
