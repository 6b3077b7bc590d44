#include "world.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <optional>
#include <thread>

#include "adapters/store/sqlite.h"
#include "adapters/store/vfs_fault.h"
#include "base/limits.h"
#include "base/log.h"
#include "listeners.h"
#include "log_sink.h"
#include "media/dtls.h"
#include "node/control.h"
#include "node/sctp_worker.h"
#include "node/shard.h"
#include "node/store_worker.h"
#include "runtime/clock.h"
#include "runtime/directory_lock.h"
#include "runtime/disk_space.h"
#include "runtime/durable_file.h"
#include "runtime/event_waker.h"
#include "runtime/process.h"
#include "runtime/secret_file.h"
#include "runtime/spsc_ring.h"
#include "runtime/udp_shard.h"
#include "runtime/web_client.h"
#include "runtime/worker_thread.h"

namespace atrium::atriumd {
namespace {

// Stops the process at a named point, so that a test can kill it just there.
class StopAt final : public node::FaultPort {
 public:
  explicit StopAt(std::string point) : point_(std::move(point)) {}
  void at_point(std::string_view point) override {
    if (point_.empty() || point != point_) return;
    log_line(LogLevel::Warning, "stopped at a planted fault", {{"point", point_}});
    std::raise(SIGSTOP);
  }

 private:
  const std::string point_;
};

// One shard with its socket, its rings and its handler.
struct ShardParts {
  std::unique_ptr<runtime::UdpShard> udp;
  std::unique_ptr<runtime::YieldingWaker> cut_waker;
  std::unique_ptr<runtime::RingChannel<node::ShardCommand>> commands, urgent;
  std::unique_ptr<runtime::RingChannel<node::ShardReport>> reports;
  std::unique_ptr<runtime::RingChannel<media::SctpCommand>> to_sctp;
  std::unique_ptr<runtime::RingChannel<media::SctpEvent>> from_sctp;
  std::unique_ptr<node::Shard> handler;
};

}  // namespace

struct World::Parts {
  // Stateless: RAND_bytes and the clock may be asked from any thread.
  OpenSslSecretSource secrets{
      [] { return static_cast<uint64_t>(unix_ms(runtime::read_clock().wall)); }};
  std::optional<runtime::DirectoryLock> data_lock;  // before all that uses the data: goes last
  std::unique_ptr<StopAt> faults;
  std::unique_ptr<store::FaultVfs> store_faults;  // none unless asked for
  std::unique_ptr<runtime::DiskSpace> disk;
  std::unique_ptr<runtime::HttpServer> http;
  runtime::WorkerThread store_thread{"atrium-store"};
  runtime::WorkerThread sctp_thread{"atrium-sctp", runtime::WorkerThread::Wakes::InTurn};
  std::unique_ptr<runtime::RingChannel<node::StoreRequest>> to_store;
  std::unique_ptr<runtime::RingChannel<node::StoreReply>> from_store;
  std::unique_ptr<runtime::RingChannel<node::WebOrder>> to_web;
  std::unique_ptr<runtime::RingChannel<node::WebReply>> from_web;
  std::unique_ptr<runtime::WebClient> web;  // uses both: goes first
  std::vector<std::unique_ptr<ShardParts>> shards;
  std::unique_ptr<node::StoreWorker> store_worker;
  std::unique_ptr<node::SctpWorker> sctp_worker;
  std::unique_ptr<node::ControlPlane> control;
  Settings running;
  CommandLine line;
};

namespace {

constexpr size_t kBansPerPage = 10'000;  // read from the store at once

using Problem = std::unexpected<std::string>;

std::string with(const std::string& what, const Error& error) {
  return what + ": " + error.what;
}

std::expected<runtime::DirectoryLock, std::string> lock_data(const Settings& settings) {
  std::error_code failure;
  std::filesystem::create_directories(settings.data_dir, failure);
  if (failure)
    return Problem("cannot make the data directory " + settings.data_dir + ": " +
                   failure.message());
  auto lock = runtime::DirectoryLock::take(settings.data_dir);
  if (!lock)
    return Problem(with("cannot have the data directory " + settings.data_dir, lock.error()));
  return std::move(*lock);
}

// The process dies before the numbered step, as by a kill from outside; or one sync fails.
store::FaultVfs::Hook store_fault(const node::Faults& faults) {
  return [kill_at = faults.kill_at_write, fail_sync = faults.fail_sync,
          syncs = uint64_t{0}](const store::VfsStep& step) mutable {
    if (step.number == kill_at) std::raise(SIGKILL);
    if (step.op == store::VfsOp::Sync && ++syncs == fail_sync) return store::VfsVerdict::Fail;
    return store::VfsVerdict::Go;
  };
}

struct OpenStore {
  store::Store store;
  std::vector<domain::App> apps;
};

// The key that chains the audit, in a file of its own.  It is made with the first record; a store that has records and
// whose key file is gone is refused, or nobody could tell any more whether they were altered.
struct AuditKeyFile {
  std::string path;
  store::AuditKey key{};
  bool is_new = false;
};

std::expected<AuditKeyFile, std::string> audit_key(const Settings& settings,
                                                   SecretSource& secrets) {
  AuditKeyFile out;
  out.path =
      settings.audit_key_file.empty() ? settings.data_dir + "/audit.key" : settings.audit_key_file;
  const auto found = runtime::read_secret_key(out.path);
  if (!found) return Problem(with(out.path, found.error()));
  out.is_new = !*found;
  if (*found)
    out.key = **found;
  else
    secrets.fill(out.key);
  return out;
}

store::AuditOptions audit_options(const Settings& settings, const AuditKeyFile& file) {
  const std::string path = settings.audit_checkpoints_file.empty()
                               ? settings.data_dir + "/audit.checkpoints"
                               : settings.audit_checkpoints_file;
  return {.key = file.key,
          .write_checkpoint = [path](const store::AuditCheckpoint& checkpoint,
                                     std::string_view line) -> Result<void> {
            log_line(
                LogLevel::Info, "audit checkpoint",
                {{"sequence", std::to_string(checkpoint.sequence)}, {"line", std::string(line)}});
            return runtime::append_line(path, line);
          }};
}

std::expected<void, std::string> keep_audit_key(store::Store& store, const AuditKeyFile& file) {
  if (!file.is_new) return {};
  const auto has_records = store.has_audit();
  if (!has_records) return Problem(with("cannot read the audit", has_records.error()));
  if (*has_records)
    return Problem("the key that chains the audit of this store is missing: put it back at " +
                   file.path);
  if (auto written = runtime::write_secret_key(file.path, file.key); !written)
    return Problem(with(file.path, written.error()));
  return {};
}

// The store with its applications, whose keys a file of its own opens.  The file is made with the first store; a store
// that has applications and whose key file is gone is refused, or all their tokens would be lost without a word.
std::expected<OpenStore, std::string> open_store(const Settings& settings, World::Parts& parts,
                                                 Now now) {
  const std::string key_file =
      settings.store_key_file.empty() ? settings.data_dir + "/store.key" : settings.store_key_file;
  const auto found = runtime::read_secret_key(key_file);
  if (!found) return Problem(with(key_file, found.error()));
  store::StoreOptions options;
  const node::Faults& planted = settings.node.faults;
  if (planted.kill_at_write != 0 || planted.fail_sync != 0) {
    auto vfs = store::FaultVfs::create(store_fault(planted));
    if (!vfs) return Problem(with("cannot plant a fault", vfs.error()));
    parts.store_faults = std::move(*vfs);
    options.vfs = parts.store_faults->name();
  }
  options.drop_dismissal_writes = settings.node.faults.no_record_write;
  options.at_point = [&faults = *parts.faults](std::string_view point) { faults.at_point(point); };
  const auto audit = audit_key(settings, parts.secrets);
  if (!audit) return Problem(audit.error());
  options.audit = audit_options(settings, *audit);
  options.sealing.nonces = &parts.secrets;
  if (*found)
    options.sealing.key = **found;
  else
    parts.secrets.fill(options.sealing.key);
  const SealingKey key = options.sealing.key;
  const std::string path = settings.data_dir + "/atrium.db";
  auto store = store::Store::open(path, options, now);
  if (!store && store::is_disk_full(store.error())) {  // it was full when the process died
    log_line(LogLevel::Error, "no room to open the store: the reserve is given up");
    parts.disk->release_reserve();
    store = store::Store::open(path, std::move(options), now);
  }
  if (!store) return Problem(with("cannot open the store in " + settings.data_dir, store.error()));
  auto apps = store->load_apps();
  if (!apps && !*found)
    return Problem("the key that sealed the AppKeys of this store is missing: put it back at " +
                   key_file);
  if (!apps) return Problem(with("cannot read the applications with " + key_file, apps.error()));
  if (!*found)
    if (auto written = runtime::write_secret_key(key_file, key); !written)
      return Problem(with(key_file, written.error()));
  if (auto kept = keep_audit_key(*store, *audit); !kept) return Problem(kept.error());
  return OpenStore{std::move(*store), std::move(*apps)};
}

// The development application, where it is not there yet.
std::expected<void, std::string> add_dev_app(const Settings& settings, OpenStore& open, Now now) {
  if (!settings.dev_app) return {};
  const auto is_it = [&](const domain::App& app) { return app.id == settings.dev_app->id; };
  if (std::ranges::any_of(open.apps, is_it)) return {};
  domain::App app = *settings.dev_app;
  app.created_at = now.wall;
  const store::WriteRequest request = store::PutApp{OperationId(), app, true};
  if (auto written = open.store.apply_batch({&request, 1}).front(); !written)
    return Problem(with("cannot store the development application", written.error()));
  open.apps.push_back(std::move(app));
  return {};
}

node::SocketDrops socket_drops(const runtime::UdpShard& udp) {
  const runtime::UdpShardCounters counted = udp.counters();
  return {.kernel_queue = counted.dropped_kernel_queue,
          .oversize = counted.dropped_oversize,
          .no_address = counted.dropped_no_address,
          .send_full = counted.dropped_send_full,
          .send_refused = counted.dropped_send_refused};
}

std::unique_ptr<ShardParts> make_shard(std::unique_ptr<runtime::UdpShard> udp, node::Waker& control,
                                       node::Waker& sctp) {
  auto shard = std::make_unique<ShardParts>();
  shard->udp = std::move(udp);
  node::Waker& self = shard->udp->waker();
  shard->commands =
      std::make_unique<runtime::RingChannel<node::ShardCommand>>(limits::kRingCommands, self);
  shard->cut_waker = std::make_unique<runtime::YieldingWaker>(self);
  shard->urgent = std::make_unique<runtime::RingChannel<node::ShardCommand>>(limits::kRingCommands,
                                                                             *shard->cut_waker);
  shard->reports =
      std::make_unique<runtime::RingChannel<node::ShardReport>>(limits::kRingCommands, control);
  shard->to_sctp =
      std::make_unique<runtime::RingChannel<media::SctpCommand>>(limits::kRingSctp, sctp);
  shard->from_sctp =
      std::make_unique<runtime::RingChannel<media::SctpEvent>>(limits::kRingSctp, self);
  return shard;
}

std::expected<std::vector<SocketAddress>, std::string> media_addresses(const Settings& settings) {
  std::vector<IpAddress> addresses = settings.media_advertise;
  if (addresses.empty()) {
    const auto own = runtime::local_addresses(settings.dev ? runtime::Loopback::Include
                                                           : runtime::Loopback::Leave);
    if (!own) return Problem(with("cannot list the network interfaces", own.error()));
    addresses = *own;
  }
  if (addresses.empty())
    return Problem(
        "no address to tell clients for media: set media.advertise to this machine's address");
  std::vector<SocketAddress> out;
  for (const IpAddress& address : addresses) out.push_back({address, 0});
  return out;
}

node::ProcessFigures process_figures(const runtime::HttpServer& http) {
  const runtime::ProcessFigures figures = runtime::process_figures();
  const runtime::HttpServerCounters counted = http.counters();
  return {.open_descriptors = figures.open_descriptors,
          .resident_bytes = figures.resident_bytes,
          .cpu_us = figures.cpu_us,
          .listeners = {.refused_full = counted.refused_full,
                        .proxy_headers_refused = counted.proxy_headers_refused,
                        .tls_handshakes = counted.tls_handshakes,
                        .tls_failures = counted.tls_failures,
                        .tls_missing = counted.tls_missing,
                        .tls_expires_unix_s = http.tls_expires_unix_s()}};
}

std::expected<void, std::string> make_shards(World::Parts& parts, const Settings& settings) {
  for (uint32_t i = 0; i < settings.media_shards; ++i) {
    const auto port = static_cast<uint16_t>(settings.media_port == 0 ? 0 : settings.media_port + i);
    auto udp = runtime::UdpShard::create({.index = i, .port = port, .bind = settings.media_bind});
    if (!udp) return Problem(with("cannot bind UDP port " + std::to_string(port), udp.error()));
    parts.shards.push_back(
        make_shard(std::move(*udp), parts.http->waker(), parts.sctp_thread.waker()));
  }
  return {};
}

void make_handlers(World::Parts& parts, std::shared_ptr<const media::CertificateKey> certificate) {
  std::vector<node::SctpShardEnds> sctp_ends;
  for (uint32_t i = 0; i < parts.shards.size(); ++i) {
    ShardParts& shard = *parts.shards[i];
    sctp_ends.push_back({shard.to_sctp->receiver, shard.from_sctp->sender});
    shard.handler = std::make_unique<node::Shard>(
        parts.secrets, media::EngineOptions{.shard = i, .certificate = certificate},
        node::ShardLinks{shard.commands->receiver, shard.urgent->receiver, shard.reports->sender,
                         shard.to_sctp->sender, shard.from_sctp->receiver,
                         [&udp = *shard.udp] { return socket_drops(udp); }});
  }
  parts.sctp_worker = std::make_unique<node::SctpWorker>(std::move(sctp_ends));
}

std::expected<void, std::string> reload_tls(World::Parts& parts, const Settings& fresh) {
  auto tls = load_tls(fresh);
  if (!tls) return Problem(tls.error());
  if (!*tls && !parts.http->tls_expires_unix_s()) return {};  // plain, as before
  if (auto used = parts.http->use_tls(std::move(*tls)); !used)
    return Problem(with("tls", used.error()));
  return {};
}

node::Reloaded reload(World::Parts& parts) {
  auto [fresh, problems] = read_settings(parts.line);
  if (!problems.empty()) return {std::move(problems), {}};
  if (auto used = reload_tls(parts, fresh); !used) return {{used.error()}, {}};
  if (auto taken = parts.control->reconfigure(fresh.node); !taken)
    return {{taken.error().what}, {}};
  parts.http->trust_proxies(fresh.node.trusted_proxies);
  set_log_level(fresh.log_level);
  return {{}, need_restart(parts.running, fresh)};
}

std::expected<void, std::string> make_control(World::Parts& parts, const Settings& settings,
                                              node::Config config,
                                              const media::CertificateKey& certificate) {
  std::vector<node::ShardEnds> ends;
  for (auto& shard : parts.shards)
    ends.push_back({shard->commands->sender, shard->urgent->sender, shard->reports->receiver,
                    shard->udp->port()});
  auto addresses = media_addresses(settings);
  if (!addresses) return Problem(addresses.error());
  config.media_addresses = std::move(*addresses);
  auto control = node::ControlPlane::create(
      std::move(config),
      node::ControlParts{*parts.http, std::move(ends), parts.to_store->sender,
                         parts.from_store->receiver, parts.to_web->sender, parts.from_web->receiver,
                         *parts.faults, parts.secrets, media::fingerprint_text(certificate),
                         [&http = *parts.http] { return process_figures(http); },
                         [&parts] { return reload(parts); }});
  if (!control) return Problem(with("configuration", control.error()));
  parts.control = std::move(*control);
  return {};
}

std::expected<void, std::string> make_web(World::Parts& parts, const Settings& settings) {
  auto web = runtime::WebClient::create(
      {.rule = [](const IpAddress&) { return false; },  // until control sends the one that is meant
       .ca_file = settings.webhook_ca_file});
  if (!web) return Problem(with("cannot make the client of webhooks", web.error()));
  parts.to_web = std::make_unique<runtime::RingChannel<node::WebOrder>>(limits::kRingCommands,
                                                                        (*web)->waker());
  parts.from_web = std::make_unique<runtime::RingChannel<node::WebReply>>(limits::kRingCommands,
                                                                          parts.http->waker());
  parts.web = std::move(*web);
  return {};
}

// What the store remembers, in pages where there may be much of it.
struct Remembered {
  std::vector<domain::Tombstone> tombstones;
  std::vector<std::vector<domain::BanRule>> bans;
  std::vector<domain::Webhook> webhooks;
  std::vector<domain::Schedule> schedules;
  std::vector<domain::RoomPolicy> policies;
  std::vector<domain::KeyedCall> calls;
};

std::expected<Remembered, std::string> remember(store::Store& store, Now now) {
  const auto unreadable = [](const Error& error) {
    return Problem(with("cannot read the store", error));
  };
  Remembered out;
  auto tombstones = store.load_tombstones(now.wall);
  if (!tombstones) return unreadable(tombstones.error());
  out.tombstones = std::move(*tombstones);
  while (out.bans.empty() || out.bans.back().size() == kBansPerPage) {
    const BanId after = out.bans.empty() ? BanId() : out.bans.back().back().id;
    auto page = store.list_bans(AppId(), after, kBansPerPage, now.wall);
    if (!page) return unreadable(page.error());
    out.bans.push_back(std::move(*page));
  }
  auto webhooks = store.load_webhooks();
  if (!webhooks) return unreadable(webhooks.error());
  out.webhooks = std::move(*webhooks);
  auto schedules = store.load_schedules();
  if (!schedules) return unreadable(schedules.error());
  out.schedules = std::move(*schedules);
  auto policies = store.load_policies();
  if (!policies) return unreadable(policies.error());
  out.policies = std::move(*policies);
  auto calls = store.load_calls(now.wall);
  if (!calls) return unreadable(calls.error());
  out.calls = std::move(*calls);
  return out;
}

void restore(node::ControlPlane& control, std::vector<domain::App> apps, Remembered remembered,
             Now now) {
  control.restore(std::move(apps), now);
  control.restore(std::move(remembered.tombstones), now);
  for (std::vector<domain::BanRule>& page : remembered.bans) control.restore(std::move(page), now);
  control.restore(std::move(remembered.policies), now);
  control.restore(std::move(remembered.schedules), now);
  control.restore(std::move(remembered.webhooks), now);
  control.restore(std::move(remembered.calls), now);
}

std::expected<std::unique_ptr<runtime::HttpServer>, std::string> listen(const Settings& settings) {
  auto tls = load_tls(settings);
  if (!tls) return Problem(tls.error());
  runtime::HttpServerOptions options;
  options.public_addresses = settings.http_listen;
  options.operator_addresses = settings.operator_listen;
  options.tls = std::move(*tls);
  options.has_proxy_headers = settings.proxy_protocol;
  options.trusted_proxies = settings.node.trusted_proxies;
  auto http = runtime::HttpServer::create(std::move(options));
  if (!http) return Problem(with("cannot listen", http.error()));
  return std::move(*http);
}

}  // namespace

std::expected<std::unique_ptr<World>, std::string> World::create(const Settings& settings,
                                                                 const CommandLine& line) {
  auto parts = std::make_unique<Parts>();
  parts->running = settings;
  parts->line = line;
  const Now now = runtime::read_clock();
  parts->faults = std::make_unique<StopAt>(settings.node.faults.stop_at);
  auto lock = lock_data(settings);
  if (!lock) return Problem(lock.error());
  parts->data_lock.emplace(std::move(*lock));
  parts->disk = std::make_unique<runtime::DiskSpace>(settings.data_dir);
  auto opened = open_store(settings, *parts, now);
  if (!opened) return Problem(opened.error());
  if (auto added = add_dev_app(settings, *opened, now); !added) return Problem(added.error());
  store::Store* store = &opened->store;
  auto remembered = remember(*store, now);
  if (!remembered) return Problem(remembered.error());

  auto http = listen(settings);
  if (!http) return Problem(http.error());
  parts->http = std::move(*http);
  parts->to_store = std::make_unique<runtime::RingChannel<node::StoreRequest>>(
      limits::kRingCommands, parts->store_thread.waker());
  parts->from_store = std::make_unique<runtime::RingChannel<node::StoreReply>>(
      limits::kRingCommands, parts->http->waker());
  parts->store_worker = std::make_unique<node::StoreWorker>(
      std::move(*store), parts->to_store->receiver, parts->from_store->sender, parts->disk.get(),
      settings.disk);

  if (auto made = make_web(*parts, settings); !made) return Problem(made.error());
  if (auto made = make_shards(*parts, settings); !made) return Problem(made.error());
  const auto certificate = media::make_certificate();
  make_handlers(*parts, certificate);
  if (auto made = make_control(*parts, settings, settings.node, *certificate); !made)
    return Problem(made.error());
  restore(*parts->control, std::move(opened->apps), std::move(*remembered), now);
  return std::unique_ptr<World>(new World(std::move(parts)));
}

World::World(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

// Threads end before what they use: shards, then sctp, then the store (which takes what is left in its ring).
World::~World() {
  parts_->web->stop();
  for (auto& shard : parts_->shards) shard->udp->stop();
  parts_->sctp_thread.stop();
  parts_->store_thread.stop();
}

void World::run() {
  parts_->store_thread.start(*parts_->store_worker);
  parts_->sctp_thread.start(*parts_->sctp_worker);
  parts_->web->start(parts_->to_web->receiver, parts_->from_web->sender);
  for (auto& shard : parts_->shards) shard->udp->start(*shard->handler);
  parts_->http->set_signal_callback([this](int number) {
    if (number == SIGHUP)
      static_cast<void>(parts_->control->reload());
    else
      parts_->control->on_stop_signal(runtime::read_clock());
  });
  parts_->http->run(*parts_->control);
}

std::vector<SocketAddress> World::http_addresses() const {
  return parts_->http->addresses(node::Listener::Public);
}
std::vector<SocketAddress> World::operator_addresses() const {
  return parts_->http->addresses(node::Listener::Operator);
}
std::vector<uint16_t> World::media_ports() const {
  std::vector<uint16_t> ports;
  for (const auto& shard : parts_->shards) ports.push_back(shard->udp->port());
  return ports;
}

}  // namespace atrium::atriumd
