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
constexpr int kTurnsPerInstantMax = 10'000;
constexpr uint16_t kMediaPort = 7882;
const SocketAddress kServer{*IpAddress::parse("192.0.2.1"), kMediaPort};
const IpAddress kClients = *IpAddress::parse("198.51.100.7");

domain::App make_app() {
  domain::App app;
  app.id = AppId("a7e100000000000000000001");
  app.account = "acc";
  app.primary_key = "devappkey00000000000000000000001";
  app.api_keys = {{"devkey", "secret"}};
  return app;
}

node::Config make_config(bool plants_late_send) {
  node::Config config;
  config.keys = {{"AKsim", "secret", "acc", openapi::KeyScopes::all()}};
  config.media_addresses = {{kServer.ip, 0}};
  config.empty_room_grace = std::chrono::seconds(1);
  config.resume_grace = std::chrono::seconds(3);
  config.faults.late_send = plants_late_send;
  return config;
}

}  // namespace

World::ShardParts::ShardParts(World& world, size_t index)
    : commands(world.one_in(4) ? 4 : 512,
               [&world, index] { world.wake(static_cast<Part>(kShard0 + index)); }),
      urgent(64, [&world, index] { world.wake(static_cast<Part>(kShard0 + index)); }),
      reports(world.one_in(4) ? 4 : 512, [&world] { world.wake(kControl); }),
      to_sctp(512, [&world] { world.wake(kSctp); }),
      from_sctp(512, [&world, index] { world.wake(static_cast<Part>(kShard0 + index)); }) {}

World::World(WorldOptions options)
    : options_(options), chance_(options.seed), node_secrets_(options.seed * 7919 + 1) {
  seed_fake_dtls(options.seed + 17);
  loss_per_mille_ = below(3) * 25;
  repeat_per_mille_ = below(2) * 10;
  jitter_ = std::chrono::milliseconds(below(3) * 8);
  make_node();
  make_users();
}

World::~World() = default;

void World::make_node() {
  certificate_ = media::make_certificate();
  to_store_ = std::make_unique<Ring<node::StoreRequest>>(64, [this] { wake(kStore); });
  from_store_ = std::make_unique<Ring<node::StoreReply>>(64, [this] { wake(kControl); });
  std::vector<node::ShardEnds> control_ends;
  std::vector<node::SctpShardEnds> sctp_ends;
  for (uint32_t i = 0; i < 2; ++i) {
    shards_.push_back(std::make_unique<ShardParts>(*this, i));
    ShardParts& s = *shards_.back();
    observe_rings(s);
    s.shard = std::make_unique<node::Shard>(
        node_secrets_, media::EngineOptions{.shard = i, .certificate = certificate_},
        node::ShardLinks{s.commands, s.urgent, s.reports, s.to_sctp, s.from_sctp});
    control_ends.push_back(
        {s.commands, s.urgent, s.reports, static_cast<uint16_t>(kMediaPort + i)});
    sctp_ends.push_back({s.to_sctp, s.from_sctp});
  }
  sctp_worker_ = std::make_unique<node::SctpWorker>(std::move(sctp_ends));
  control_ = MUST(node::ControlPlane::create(
      make_config(options_.plants_late_send),
      node::ControlParts{*this, std::move(control_ends), *to_store_, *from_store_, *this,
                         node_secrets_, media::fingerprint_text(*certificate_),
                         [] { return node::ProcessFigures{}; }}));
  control_->restore(std::vector<domain::App>{make_app()}, now());
}

void World::observe_rings(ShardParts& s) {
  s.commands.observe([this](const node::ShardCommand& command) {
    const auto* media_command = std::get_if<media::Command>(&command);
    const auto* open =
        media_command == nullptr ? nullptr : std::get_if<media::OpenTransport>(media_command);
    if (open != nullptr)
      checkers_.saw_transport(open->transport, open->life, ParticipantSid(open->participant_sid));
  });
  s.urgent.observe([this](const node::ShardCommand& command) {
    const auto* media_command = std::get_if<media::Command>(&command);
    if (media_command == nullptr) return;
    if (const auto* cut = std::get_if<media::CutLife>(media_command)) on_cut_ordered(cut->life);
  });
  s.reports.observe([this](const node::ShardReport& report) {
    if (const auto* snapshot = std::get_if<node::ShardSnapshot>(&report)) {
      if (!is_acting_) checkers_.check_empty(snapshot->counters);
      return;
    }
    const auto& media_report = std::get<media::Report>(report);
    if (const auto* cut = std::get_if<media::LifeCut>(&media_report))
      checkers_.saw_life_cut(cut->life);
    if (const auto* closed = std::get_if<media::LifeClosed>(&media_report))
      checkers_.saw_life_closed(closed->life);
  });
  s.to_sctp.observe([this](const media::SctpCommand& command) {
    if (const auto* send = std::get_if<media::SctpSend>(&command))
      checkers_.check_data_departure(send->transport, send->is_notice);
  });
}

// Within control's turn: who was in the life when it was fenced.
void World::on_cut_ordered(LifeId life) {
  for (const auto& [port, session] : sessions_) {
    if (session->facts.participant.empty() || checkers_.life_of(session->facts.participant) != life)
      continue;
    std::vector<ParticipantSid> present;
    for (const auto& view : control_->registry().participants(session->facts.room_sid))
      present.push_back(view->sid);
    return checkers_.saw_fence(session->facts.room_sid, std::move(present));
  }
}

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
  at(between(Duration(1), kScheduling), [this, part] {
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
      take_store_requests();
      break;
    case kParts:
      break;
  }
}

// A part whose deadline has passed already gets its next turn after a short pause, as a thread would.
Mono World::deadline_of(Part part) const {
  Mono deadline = kNever;
  if (part == kControl) deadline = control_->next_deadline();
  if (part == kShard0 || part == kShard1)
    deadline = shards_[part - kShard0]->shard->next_deadline();
  if (part == kSctp) deadline = sctp_worker_->next_deadline();
  return std::max(deadline, last_run_[part] + kPause);
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
    for (const node::ShardSendRun& run : shard.drain(now()))
      for (const ByteView datagram : run.datagrams)
        send_to_client(static_cast<uint16_t>(kMediaPort + index), run.path.remote.port, datagram);
  } while (shard.has_more_to_send());
}

void World::send_to_client(uint16_t from_port, uint16_t to_port, ByteView bytes) {
  Session* session = session_at(to_port);
  if (session == nullptr) return checkers_.fail("a datagram to nobody");
  const bool is_rtp = wire::classify_datagram(bytes) == wire::DatagramKind::Rtp;
  checkers_.check_departure(session->facts, bytes[0], is_rtp);
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
  at(delay,
     [this, index, to, port = session.port, copy = Bytes(bytes.begin(), bytes.end())]() mutable {
       note("up", copy);
       node::ShardDatagram datagram{{to, {kClients, port}}, copy};
       shards_[index]->shard->on_datagrams({&datagram, 1}, now());
       drain_shard(index);
     });
}

// --- the disk ----------------------------------------------------------------------------------

// Group commit: what waits is written together, some time later; nothing of it when the disk fails.
void World::take_store_requests() {
  node::StoreRequest request;
  const bool fails = mono_ < disk_fails_until_;
  store_free_at_ = std::max(store_free_at_, mono_) +
                   between(std::chrono::microseconds(200), std::chrono::milliseconds(8));
  while (to_store_->try_receive(request)) {
    const auto* write = std::get_if<store::WriteRequest>(&request);
    if (write == nullptr) continue;
    if (fails) ++outcome_.statistics.disk_failures;
    agenda_.emplace(store_free_at_, [this, fails, copy = *write] {
      std::vector<domain::Tombstone> added;
      if (const auto* put = std::get_if<store::PutTombstones>(&copy)) added = put->tombstones;
      if (const auto* put = std::get_if<store::PutDismissal>(&copy)) {
        added = put->tombstones;
        checkers_.check_record(put->record);
        node::StoreReply reply = node::RecordWritten{put->record.operation, !fails};
        if (!from_store_->try_send(reply)) checkers_.fail("the store's ring is full");
        if (!fails)
          for (const ParticipantSid& told : put->told) tombstones_.erase(told);
      }
      if (const auto* put = std::get_if<store::PutBans>(&copy)) {
        added = put->tombstones;
        node::StoreReply reply = node::RecordWritten{put->operation, !fails};
        if (!from_store_->try_send(reply)) checkers_.fail("the store's ring is full");
      }
      if (const auto* put = std::get_if<store::PutHistory>(&copy)) {
        node::StoreReply reply = node::HistoryWritten{put->facts.size(), !fails};
        if (!from_store_->try_send(reply)) checkers_.fail("the store's ring is full");
      }
      if (fails) return;
      for (const domain::Tombstone& tombstone : added)
        tombstones_.insert_or_assign(tombstone.participant, tombstone);
    });
  }
}

// --- the whole ---------------------------------------------------------------------------------

Outcome World::run() {
  run_part(kControl, true);
  at(Duration(1), [this] { act(); });
  const Mono begin = mono_;
  run_until(begin + options_.chaos);
  restore_peace();
  run_until(begin + options_.chaos + options_.quiet);
  check_liveness();
  everybody_leaves();
  run_until(begin + options_.chaos + options_.quiet + options_.ending);
  check_end();
  outcome_.violations = checkers_.violations();
  return outcome_;
}

}  // namespace atrium::sim
