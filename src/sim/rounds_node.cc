// The node's life: how it is put together over what the store holds, and how it dies without a word.
#include <cstdio>

#include "sim/rounds.h"

namespace atrium::sim {
namespace {

constexpr uint16_t kMediaPort = 7882;
constexpr size_t kRulesMax = 10'000;
constexpr node::DiskGuardOptions kGuard{
    .reserve = 256 * 1024, .history_free_min = 1024 * 1024, .join_free_min = 512 * 1024};
constexpr const char* kSecret = "callback secret";

domain::App make_app(const char* id) {
  domain::App app;
  app.id = AppId(id);
  app.account = "acc";
  app.primary_key = "devappkey00000000000000000000001";
  app.api_keys = {{"devkey", "secret"}};
  return app;
}

// Callbacks of all kinds that the vendor has.
domain::Webhook make_webhook(const char* app) {
  domain::Webhook webhook;
  webhook.id = WebhookId("WH_00000000000000001");
  webhook.app = AppId(app);
  webhook.url = "http://192.0.2.80/callbacks";
  webhook.secret = kSecret;
  return webhook;
}

node::Config make_config() {
  node::Config config;
  config.keys = {{"AKsim", "secret", "acc", openapi::KeyScopes::all()}};
  for (const char* action : {"DismissRoom", "DismissRooms", "ScheduleDismissal", "ExtendDismissal",
                             "CancelDismissal", "KickUser", "BanRoomUser"})
    if (openapi::is_quota(action)) config.quotas[action] = 10'000;
  config.media_addresses = {{*IpAddress::parse("192.0.2.1"), 0}};
  config.empty_room_grace = std::chrono::seconds(1);
  config.resume_grace = std::chrono::seconds(3);
  config.webhook_networks = {*IpPrefix::parse("192.0.2.80/32")};
  return config;
}

}  // namespace

store::StoreOptions Rounds::store_options() {
  store::StoreOptions options;
  options.sealing.nonces = &node_secrets_;
  options.vfs = disk_.vfs();
  return options;
}

void Rounds::boot() {
  ++boots_;
  is_control_woken_ = is_store_woken_ = is_web_woken_ = false;
  is_shard_woken_ = {};
  disk_.boot(static_cast<SimDisk::Loss>(below(4)));
  auto store = store::Store::open(disk_.path(), store_options(), now());
  if (!store) {  // the disk still fails; whoever watches over the process starts it again
    disk_.die();
    disk_.settle();
    return at(std::chrono::milliseconds(500), [this] { boot(); });
  }
  to_store_ = std::make_unique<Ring<node::StoreRequest>>(64, [this] { wake_store(); });
  from_store_ = std::make_unique<Ring<node::StoreReply>>(64, [this] { wake_control(); });
  to_web_ = std::make_unique<Ring<node::WebOrder>>(64, [this] { wake_web(); });
  from_web_ = std::make_unique<Ring<node::WebReply>>(4'096, [this] { wake_control(); });
  observe_store();
  std::vector<node::ShardEnds> ends;
  for (size_t i = 0; i < is_shard_woken_.size(); ++i) {
    shards_.push_back(std::make_unique<Shard>(*this, i));
    Shard& shard = *shards_.back();
    ends.push_back(
        {shard.commands, shard.urgent, shard.reports, static_cast<uint16_t>(kMediaPort + i)});
  }
  control_ = MUST(node::ControlPlane::create(
      make_config(),
      node::ControlParts{*this, std::move(ends), *to_store_, *from_store_, *to_web_, *from_web_,
                         *this, node_secrets_, "AA", [] { return node::ProcessFigures{}; }}));
  restore(*store);
  store_worker_ = std::make_unique<node::StoreWorker>(std::move(*store), *to_store_, *from_store_,
                                                      &disk_, kGuard);
}

// As atriumd does it, but for the app and its webhook, which are always there.
void Rounds::restore(store::Store& store) {
  book_.restarted(mono_);
  auto tombstones = store.load_tombstones(now().wall);
  auto bans = store.list_bans(AppId(), BanId(), kRulesMax, now().wall);
  auto schedules = store.load_schedules();
  auto calls = store.load_calls(now().wall);
  auto webhooks = store.load_webhooks();
  if (!tombstones || !bans || !schedules || !calls || !webhooks)
    return book_.fail("a store that was opened cannot be read");
  if (webhooks->empty()) {
    store::WriteRequest put(
        store::PutWebhook{OperationId("OP_00000000000000001"), make_webhook(kApp)});
    if (!store.apply_batch(std::span(&put, 1)).front())
      return book_.fail("the webhook cannot be written");
    webhooks->push_back(make_webhook(kApp));
  }
  control_->restore(std::vector<domain::App>{make_app(kApp)}, now());
  control_->restore(std::move(*tombstones), now());
  control_->restore(std::move(*bans), now());
  control_->restore(std::move(*schedules), now());
  control_->restore(std::move(*webhooks), now());
  control_->restore(std::move(*calls), now());
}

// What the registry wants to be remembered, and what is.
void Rounds::observe_store() {
  to_store_->observe([this](const node::StoreRequest& request) {
    const auto* write = std::get_if<store::WriteRequest>(&request);
    if (write == nullptr) return;
    if (const auto* put = std::get_if<store::PutDismissal>(&write->what))
      book_.saw_record(put->record);
    for (const domain::Event& event : write->events) book_.saw_event(event);
    for (const domain::Event& event : write->held_events) book_.saw_event(event);
  });
  from_store_->observe([this](const node::StoreReply& reply) {
    const auto* written = std::get_if<node::RecordWritten>(&reply);
    if (written != nullptr && written->ok) book_.saw_durable(written->operation);
  });
}

// As by kill -9 or a loss of power: nothing is flushed, nobody is told.
void Rounds::crash() {
  if (!is_up()) return;
  crash_now();
  at(between(std::chrono::milliseconds(20), std::chrono::milliseconds(800)), [this] { boot(); });
}

void Rounds::crash_now() {
  ++outcome_.figures.crashes;
  if (options_.is_verbose)
    std::printf("  %lld ms crash\n",
                static_cast<long long>(mono_.time_since_epoch().count() / 1'000));
  disk_.die();
  control_.reset();
  store_worker_.reset();
  shards_.clear();
  to_store_.reset();
  from_store_.reset();
  to_web_.reset();
  from_web_.reset();
  web_rule_ = {};
  disk_.settle();
  connections_.clear();
  calls_.clear();
  for (Name& name : names_)
    for (Place& place : name.places) place.connection.reset();
}

}  // namespace atrium::sim
