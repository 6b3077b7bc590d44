// The node's life: how it is put together over what the store holds, and how it dies without a word.
#include "sim/fakes.h"
#include "sim/world.h"

namespace atrium::sim {
namespace {

constexpr uint16_t kMediaPort = 7882;
constexpr uint16_t kNoCloseFrame = 1006;  // RFC 6455 section 7.1.5
constexpr size_t kRulesMax = 10'000;
// Small, so that a disk that fills up goes through all states within a run.
constexpr node::DiskGuardOptions kGuard{
    .reserve = 256 * 1024, .history_free_min = 1024 * 1024, .join_free_min = 512 * 1024};

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
  config.media_addresses = {{*IpAddress::parse("192.0.2.1"), 0}};
  config.empty_room_grace = std::chrono::seconds(1);
  config.resume_grace = std::chrono::seconds(3);
  config.faults.late_send = plants_late_send;
  return config;
}

}  // namespace

void World::boot() {
  ++boots_;
  is_woken_ = {};
  disk_.boot(options_.plant == Plant::LyingDisk ? SimDisk::Loss::Unsynced
                                                : static_cast<SimDisk::Loss>(below(4)));
  store::StoreOptions store_options;
  store_options.vfs = disk_.vfs();
  auto store = store::Store::open(disk_.path(), std::move(store_options), now());
  if (!store) {  // the disk still fails; whoever watches over the process starts it again
    disk_.die();
    disk_.settle();
    return at(std::chrono::milliseconds(500), [this] { boot(); });
  }
  certificate_ = media::make_certificate();
  to_store_ = std::make_unique<Ring<node::StoreRequest>>(64, [this] { wake(kStore); });
  to_store_->observe([this](const node::StoreRequest& request) { observe(request); });
  from_store_ = std::make_unique<Ring<node::StoreReply>>(64, [this] { wake(kControl); });
  to_web_ = std::make_unique<Ring<node::WebOrder>>(64, [] {});
  from_web_ = std::make_unique<Ring<node::WebReply>>(64, [this] { wake(kControl); });
  std::vector<node::ShardEnds> control_ends;
  std::vector<node::SctpShardEnds> sctp_ends;
  make_shards(control_ends, sctp_ends);
  sctp_worker_ = std::make_unique<node::SctpWorker>(std::move(sctp_ends));
  control_ = MUST(node::ControlPlane::create(
      make_config(options_.plant == Plant::LateSend),
      node::ControlParts{*this, std::move(control_ends), *to_store_, *from_store_, *to_web_,
                         *from_web_, *this, node_secrets_, media::fingerprint_text(*certificate_),
                         [] { return node::ProcessFigures{}; }}));
  restore(*store);
  store_worker_ = std::make_unique<node::StoreWorker>(std::move(*store), *to_store_, *from_store_,
                                                      &disk_, kGuard);
  run_part(kControl, true);
}

void World::make_shards(std::vector<node::ShardEnds>& control_ends,
                        std::vector<node::SctpShardEnds>& sctp_ends) {
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
}

void World::restore(store::Store& store) {
  const auto tombstones = store.load_tombstones(now().wall);
  const auto rules = store.list_bans(AppId(), BanId(), kRulesMax, now().wall);
  if (!tombstones || !rules) checkers_.fail("a store that was opened cannot be read");
  control_->restore(std::vector<domain::App>{make_app()}, now());
  tombstones_.clear();
  for (const domain::Tombstone& tombstone : *tombstones)
    tombstones_.emplace(tombstone.participant, tombstone);
  control_->restore(*tombstones, now());
  if (options_.plant != Plant::ForgottenRules) control_->restore(*rules, now());
  checkers_.rules().restarted(now());
  for (const std::string& operation : dismissed_) ask_for_record(operation);
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
    const auto* send = std::get_if<media::SctpSend>(&command);
    if (send == nullptr) return;
    checkers_.check_data_departure(send->transport, send->is_notice);
    if (!send->is_user_data) return;
    const ParticipantSid to = checkers_.participant_of(send->transport);
    for (const auto& [port, session] : sessions_)
      if (!to.empty() && session->facts.participant == to)
        checkers_.check_admitted(session->facts, "user data", session->facts.joined, now());
  });
}

// What the registry wants to be remembered; whether it was written shows when a node starts from it.
void World::observe(const node::StoreRequest& request) {
  const auto* write = std::get_if<store::WriteRequest>(&request);
  if (write == nullptr) return;
  std::vector<domain::Tombstone> added;
  if (const auto* put = std::get_if<store::PutTombstones>(&write->what)) added = put->tombstones;
  if (const auto* put = std::get_if<store::PutBans>(&write->what)) added = put->tombstones;
  if (const auto* put = std::get_if<store::PutDismissal>(&write->what)) {
    checkers_.check_record(put->record);
    added = put->tombstones;
    for (const ParticipantSid& told : put->told) tombstones_.erase(told);
  }
  for (const domain::Tombstone& tombstone : added)
    tombstones_.insert_or_assign(tombstone.participant, tombstone);
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

// --- its death ---------------------------------------------------------------------------------

// As by kill -9 or a loss of power: nothing is flushed, nobody is told.
void World::crash() {
  if (!is_up()) return;
  ++outcome_.statistics.restarts;
  note("crash", {});
  disk_.die();
  control_.reset();
  store_worker_.reset();
  sctp_worker_.reset();
  shards_.clear();
  to_store_.reset();
  from_store_.reset();
  to_web_.reset();
  from_web_.reset();
  disk_.settle();
  lose_connections();
  checkers_.on_restart();
  at(between(std::chrono::milliseconds(20), std::chrono::milliseconds(800)), [this] { boot(); });
}

void World::lose_connections() {
  for (const auto& [port, session] : sessions_) session->facts.is_in = false;
  for (const auto& [id, call] : calls_) end_unanswered(call, CallEnd::Unknown);
  calls_.clear();
  for (const auto& [id, connection] : connections_) {
    if (connection.session == nullptr || connection.is_cut) continue;
    const Mono seen = std::max(connection.last_down + Duration(1),
                               mono_ + between(Duration(1), std::chrono::milliseconds(500)));
    agenda_.emplace(seen, [this, lost = id, session = connection.session] {
      lose(*session, lost, kNoCloseFrame);
    });
  }
  connections_.clear();
}

}  // namespace atrium::sim
