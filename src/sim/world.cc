#include "sim/world.h"

#include <algorithm>
#include <cstdio>

#include "sim/fakes.h"
#include "wire/rtp.h"

namespace atrium::sim {
namespace {

constexpr Duration kPause = std::chrono::microseconds(50);  // between two turns of one part
constexpr Duration kScheduling =
    std::chrono::microseconds(300);  // at most, from a wake to the turn
constexpr Duration kDiskLeast = std::chrono::microseconds(200),
                   kDiskMost = std::chrono::milliseconds(8);
constexpr int kTurnsPerInstantMax = 10'000;
constexpr uint16_t kMediaPort = 7882;
const SocketAddress kServer{*IpAddress::parse("192.0.2.1"), kMediaPort};

}  // namespace

World::ShardParts::ShardParts(World& world, size_t index)
    : commands(world.one_in(4) ? 4 : 512,
               [&world, index] { world.wake(static_cast<Part>(kShard0 + index)); }),
      urgent(64, [&world, index] { world.wake(static_cast<Part>(kShard0 + index)); }),
      reports(world.one_in(4) ? 4 : 512, [&world] { world.wake(kControl); }),
      to_sctp(512, [&world] { world.wake(kSctp); }),
      from_sctp(512, [&world, index] { world.wake(static_cast<Part>(kShard0 + index)); }) {}

World::World(WorldOptions options)
    : options_(options),
      chance_(options.seed),
      node_secrets_(options.seed * 7919 + 1),
      disk_(options.seed * 104'729 + 3) {
  seed_fake_dtls(options.seed + 17);
  loss_per_mille_ = below(3) * 25;
  repeat_per_mille_ = below(2) * 10;
  jitter_ = std::chrono::milliseconds(below(3) * 8);
  has_restarts_ = one_in(2);
  has_sanctions_ = !one_in(4);
  is_quiet_troubled_ = one_in(2);
  trouble_ = static_cast<SimDisk::Trouble>(below(3));
  if (options_.plant == Plant::ForgottenRules || options_.plant == Plant::LyingDisk)
    has_restarts_ = has_sanctions_ = true;
  if (options_.plant == Plant::LyingDisk) disk_.lie_about_syncs();
  boot();
  make_users();
}

World::~World() = default;

// --- time --------------------------------------------------------------------------------------

void World::at(Duration from_now, std::function<void()> what) {
  agenda_.emplace(mono_ + from_now, std::move(what));
}

Duration World::between(Duration low, Duration high) {
  return low +
         Duration(static_cast<int64_t>(below(static_cast<uint64_t>((high - low).count()) + 1)));
}

// FNV-1a over what happened, so that two runs can be compared.
void World::note(std::string_view kind, ByteView bytes) {
  ++outcome_.statistics.events;
  uint64_t hash = outcome_.trace ^ 0xcbf29ce484222325u;
  const auto add = [&](uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3u; };
  const auto time = static_cast<uint64_t>(mono_.time_since_epoch().count());
  for (int shift = 0; shift < 64; shift += 8) add(static_cast<uint8_t>(time >> shift));
  for (const char c : kind) add(static_cast<uint8_t>(c));
  for (const uint8_t byte : bytes) add(byte);
  outcome_.trace = hash;
}

void World::wake(Part part) {
  if (is_woken_[part]) return;
  is_woken_[part] = true;
  // Group commit: what comes while the disk is busy is written together.
  const Duration delay =
      part == kStore ? between(kDiskLeast, kDiskMost) : between(Duration(1), kScheduling);
  at(delay, [this, part, boot = boots_] {
    if (boot != boots_ || !is_up()) return;
    is_woken_[part] = false;
    run_part(part, false);
  });
}

void World::run_part(Part part, bool is_deadline) {
  last_run_[part] = mono_;
  const auto turn = [&](auto& handler) {
    is_deadline ? handler.on_deadline(now()) : handler.on_wake(now());
  };
  switch (part) {
    case kControl:
      turn(*control_);
      after_control();
      break;
    case kShard0:
    case kShard1:
      turn(*shards_[part - kShard0]->shard);
      drain_shard(part - kShard0);
      break;
    case kSctp:
      turn(*sctp_worker_);
      break;
    case kStore:
      turn(*store_worker_);
      if (disk_.has_crashed()) crash();
      break;
    case kParts:
      break;
  }
}

// A part whose deadline has passed already gets its next turn after a short pause, as a thread would.
Mono World::deadline_of(Part part) const {
  if (!is_up()) return kNever;
  Mono deadline = kNever;
  if (part == kStore) deadline = store_worker_->next_deadline();
  if (part == kControl) deadline = control_->next_deadline();
  if (part == kShard0 || part == kShard1)
    deadline = shards_[part - kShard0]->shard->next_deadline();
  if (part == kSctp) deadline = sctp_worker_->next_deadline();
  return deadline == kNever ? kNever : std::max(deadline, last_run_[part] + kPause);
}

void World::run_until(Mono end) {
  Mono instant = mono_;
  for (int turns = 0; run_next(end);) {
    turns = mono_ == instant ? turns + 1 : 0;
    instant = mono_;
    if (turns < kTurnsPerInstantMax) continue;
    checkers_.fail("time stands still");
    break;
  }
  mono_ = end;
}

bool World::run_next(Mono end) {
  Mono next = agenda_.empty() ? kNever : agenda_.begin()->first;
  std::optional<Part> part;
  Session* session = nullptr;
  for (size_t i = 0; i < kParts; ++i) {
    const Mono deadline = deadline_of(static_cast<Part>(i));
    if (deadline >= next) continue;
    next = deadline;
    part = static_cast<Part>(i);
  }
  for (User& user : users_) {
    if (user.session == nullptr) continue;
    const Mono own =
        std::min(user.session->client->next_deadline(), user.session->sctp.next_deadline());
    const Mono deadline = std::max(own, user.session->last_run + kPause);
    if (deadline >= next) continue;
    next = deadline;
    session = user.session;
  }
  if (next > end) return false;
  mono_ = std::max(mono_, next);
  if (session != nullptr) {
    session->last_run = mono_;
    if (session->sctp.next_deadline() <= mono_) session->sctp.on_deadline(now());
    session->client->on_deadline(now());
    pump(*session);
  } else if (part) {
    run_part(*part, true);
  } else {
    const auto what = std::move(agenda_.begin()->second);
    agenda_.erase(agenda_.begin());
    what();
  }
  return true;
}

void World::after_control() {
  control_->registry().check_invariants();
}

// --- datagrams ---------------------------------------------------------------------------------

World::Session* World::session_at(uint16_t port) {
  const auto found = sessions_.find(port);
  return found == sessions_.end() ? nullptr : found->second.get();
}

IpAddress World::address_of(const Session& session) const {
  return *IpAddress::parse(session.facts.who.ip);
}

void World::carry(Duration& delay_out, bool& is_lost) {
  ++outcome_.statistics.datagrams;
  is_lost = has_faults_ && below(1'000) < loss_per_mille_;
  if (is_lost) ++outcome_.statistics.lost;
  const Duration jitter = has_faults_ ? jitter_ : Duration(0);
  delay_out = between(std::chrono::milliseconds(5), std::chrono::milliseconds(6) + jitter);
}

void World::drain_shard(size_t index) {
  node::Shard& shard = *shards_[index]->shard;
  do {
    for (auto runs = shard.drain(now()); !runs.empty(); runs = shard.drain(now()))
      for (const node::ShardSendRun& run : runs)
        for (const ByteView datagram : run.datagrams)
          send_to_client(static_cast<uint16_t>(kMediaPort + index), run.path.remote.port, datagram);
  } while (shard.has_more_to_send());
}

void World::send_to_client(uint16_t from_port, uint16_t to_port, ByteView bytes) {
  Session* session = session_at(to_port);
  if (session == nullptr) return checkers_.fail("a datagram to nobody");
  const bool is_rtp = wire::classify_datagram(bytes) == wire::DatagramKind::Rtp;
  checkers_.check_departure(session->facts, bytes[0], is_rtp);
  if (is_rtp) checkers_.check_admitted(session->facts, "media", session->facts.joined, now());
  if (is_rtp) {
    ++outcome_.statistics.rtp;
    if (const auto header = wire::parse_rtp_header(bytes))
      checkers_.check_sequence(session->facts.name, to_port, header->ssrc, header->seq);
  }
  const int copies = has_faults_ && below(1'000) < repeat_per_mille_ ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    Duration delay{};
    bool is_lost = false;
    carry(delay, is_lost);
    if (is_lost) continue;
    at(delay, [this, session, from_port, copy = Bytes(bytes.begin(), bytes.end())]() mutable {
      if (session->is_over || mono_ < session->blackout_until) return;
      note("down", copy);
      media::Datagram datagram{{SocketAddress{}, {kServer.ip, from_port}}, copy};
      session->client->on_datagrams({&datagram, 1}, now());
      pump(*session);
    });
  }
}

void World::send_to_server(Session& session, const SocketAddress& to, ByteView bytes) {
  if (mono_ < session.blackout_until || to.port < kMediaPort || to.port > kMediaPort + 1) return;
  Duration delay{};
  bool is_lost = false;
  carry(delay, is_lost);
  if (is_lost) return;
  const size_t index = static_cast<size_t>(to.port - kMediaPort);
  at(delay, [this, index, to, from = SocketAddress{address_of(session), session.port},
             copy = Bytes(bytes.begin(), bytes.end())]() mutable {
    note("up", copy);
    if (!is_up()) return;
    node::ShardDatagram datagram{{to, from}, copy};
    shards_[index]->shard->on_datagrams({&datagram, 1}, now());
    drain_shard(index);
  });
}

// --- the whole ---------------------------------------------------------------------------------

Outcome World::run() {
  at(Duration(1), [this] { act(); });
  const Mono begin = mono_;
  run_until(begin + options_.chaos);
  restore_peace();
  run_until(begin + options_.chaos + options_.quiet);
  check_liveness();
  disk_.set_trouble(SimDisk::Trouble::None);
  everybody_leaves();
  if (is_up())
    for (const std::string& operation : dismissed_) ask_for_record(operation);
  run_until(begin + options_.chaos + options_.quiet + options_.ending);
  check_end();
  outcome_.violations = checkers_.violations();
  return outcome_;
}

}  // namespace atrium::sim
