#include "settings.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <thread>

#include "adapters/openapi/gateway.h"
#include "base/limits.h"
#include "listeners.h"
#include "runtime/tls_ca_file.h"
#include "setting_text.h"

namespace atrium::atriumd {
namespace {

using Problem = std::optional<std::string>;

template <typename T>
std::optional<T> number(const std::string& text, T low, T high) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high)
    return std::nullopt;
  return value;
}

std::optional<SocketAddress> socket_address(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  const auto ip = IpAddress::parse(host);
  const auto port = number<uint16_t>(std::string(text.substr(colon + 1)), 0, 65535);
  if (!ip || !port) return std::nullopt;
  return SocketAddress{*ip, *port};
}

Problem set_ranges(std::vector<IpPrefix>& out, const std::string& text) {
  std::vector<IpPrefix> ranges;
  for (const std::string& part : split(text)) {
    const auto range = IpPrefix::parse(part);
    if (!range) return "must be addresses or ranges like 10.0.0.0/8, with commas between them";
    ranges.push_back(*range);
  }
  out = std::move(ranges);
  return std::nullopt;
}

Problem set_addresses(std::vector<SocketAddress>& out, const std::string& text) {
  std::vector<SocketAddress> addresses;
  for (const std::string& part : split(text)) {
    const auto address = socket_address(part);
    if (!address)
      return "must be addresses like 127.0.0.1:7880 or [::1]:7880, with commas between them";
    addresses.push_back(*address);
  }
  if (addresses.empty()) return "must name at least one address";
  out = std::move(addresses);
  return std::nullopt;
}

Problem set_port(uint16_t& out, const std::string& text) {
  const auto port = number<uint16_t>(text, 0, 65535);
  if (!port) return "must be a port from 0 to 65535";
  out = *port;
  return std::nullopt;
}

Problem set_grace(Duration& out, const std::string& text) {
  const auto ms = number<int64_t>(text, 0, 3'600'000);
  if (!ms) return "must be milliseconds from 0 to 3600000";
  out = std::chrono::milliseconds(*ms);
  return std::nullopt;
}

// "DismissRoom=120,KickUser=30"
Problem set_quotas(Settings& s, const std::string& text) {
  std::map<std::string, uint32_t, std::less<>> quotas;
  for (const std::string& part : split(text)) {
    const size_t equals = std::min(part.find('='), part.size());
    const std::string name = part.substr(0, equals);
    if (!openapi::is_quota(name)) return "\"" + name + "\" is no action with a quota";
    const std::string rate = equals < part.size() ? part.substr(equals + 1) : "";
    const auto per_second = number<uint32_t>(rate, 1, limits::kQuotaPerSecondMax);
    if (!per_second)
      return name + " must be calls per second from 1 to " +
             std::to_string(limits::kQuotaPerSecondMax);
    quotas[name] = *per_second;
  }
  s.node.quotas = std::move(quotas);
  return std::nullopt;
}

Problem set_accounts(Settings& s, const std::string& text) {
  auto accounts = parse_accounts(text);
  if (!accounts) return accounts.error();
  s.accounts = std::move(*accounts);
  return std::nullopt;
}

Problem set_mib(uint64_t& out, const std::string& text) {
  const auto mib = number<uint64_t>(text, 0, 1'048'576);
  if (!mib) return "must be mebibytes from 0 to 1048576";
  out = *mib << 20;
  return std::nullopt;
}

// "name=7" → 7.
std::optional<uint64_t> number_after(std::string_view name, const std::string& text) {
  if (!text.starts_with(name)) return std::nullopt;
  return number<uint64_t>(text.substr(name.size()), 1, UINT64_MAX);
}

Problem set_fault(Settings& s, const std::string& text) {
  static const std::set<std::string> points{"before_commit", "after_commit", "after_cut",
                                            "mid_notices"};
  for (const std::string& part : split(text)) {
    if (part == "late_send")
      s.node.faults.late_send = true;
    else if (part == "no_record_write")
      s.node.faults.no_record_write = true;
    else if (part.starts_with("stop_at=") && points.contains(part.substr(8)))
      s.node.faults.stop_at = part.substr(8);
    else if (const auto step = number_after("kill_at_write=", part))
      s.node.faults.kill_at_write = *step;
    else if (const auto sync = number_after("fail_sync=", part))
      s.node.faults.fail_sync = *sync;
    else
      return "must be late_send, no_record_write, kill_at_write=N, fail_sync=N or "
             "stop_at=before_commit|after_commit|after_cut|mid_notices";
  }
  return std::nullopt;
}

Problem set_media_addresses(std::vector<IpAddress>& out, const std::string& text) {
  out.clear();
  for (const std::string& part : split(text)) {
    const auto ip = IpAddress::parse(part);
    if (!ip) return "must be IP addresses with commas between them";
    out.push_back(*ip);
  }
  return std::nullopt;
}

std::string with_separator(const char* name, char separator) {
  std::string out = name;
  for (char& c : out)
    if (c == '.' || c == '_') c = separator;
  return out;
}

std::vector<SettingKey> with_listener_keys(std::vector<SettingKey> keys) {
  std::ranges::copy(listener_keys(), std::back_inserter(keys));
  return keys;
}

std::vector<SettingKey> with_store_keys(std::vector<SettingKey> keys) {
  using S = Settings;
  using T = const std::string&;
  const std::vector<SettingKey> store{
      {"store.data_dir", "DIR", "where the store lies (default ./data)",
       [](S& s, T t) -> Problem {
         return s.data_dir = t, t.empty() ? Problem("must not be empty") : std::nullopt;
       }},
      {"store.key_file", "FILE",
       "64 hexadecimal digits that seal AppKeys in the store (default store.key in store.data_dir, "
       "made where it is missing)",
       [](S& s, T t) -> Problem { return s.store_key_file = t, std::nullopt; }},
      {"store.audit_key_file", "FILE",
       "64 hexadecimal digits that chain the audit (default audit.key in store.data_dir, made "
       "where "
       "it is missing)",
       [](S& s, T t) -> Problem { return s.audit_key_file = t, std::nullopt; }},
      {"store.audit_checkpoints_file", "FILE",
       "where checkpoints of the audit are appended (default audit.checkpoints in store.data_dir)",
       [](S& s, T t) -> Problem { return s.audit_checkpoints_file = t, std::nullopt; }},
      {"store.reserve_mib", "MIB",
       "given up when the disk is full, for dismissals, kicks and bans (default 64)",
       [](S& s, T t) { return set_mib(s.disk.reserve, t); }},
      {"store.history_min_free_mib", "MIB",
       "with less free on the disk history is not written (default 256)",
       [](S& s, T t) { return set_mib(s.disk.history_free_min, t); }},
      {"store.join_min_free_mib", "MIB",
       "with less free on the disk new joins are refused (default 128)",
       [](S& s, T t) { return set_mib(s.disk.join_free_min, t); }},
  };
  keys.insert(keys.end(), store.begin(), store.end());
  return keys;
}

std::vector<SettingKey> with_api_keys(std::vector<SettingKey> keys) {
  using S = Settings;
  using T = const std::string&;
  const std::vector<SettingKey> api{
      {"api.region", "NAME", "region echoed in answers (default cn-north-1)",
       [](S& s, T t) -> Problem {
         return s.node.region = t, t.empty() ? Problem("must not be empty") : std::nullopt;
       },
       true},
      {"api.accepted_regions", "NAME,…", "further regions accepted in credentials",
       [](S& s, T t) -> Problem { return s.node.accepted_regions = split(t), std::nullopt; }, true},
      {"api.ban_limits", "china|byteplus", "which of the vendor's limits clamp ban intervals",
       [](S& s, T t) -> Problem {
         if (t != "china" && t != "byteplus") return "must be china or byteplus";
         return s.node.byteplus_bans = t == "byteplus", std::nullopt;
       },
       true},
      {"http.trusted_proxies", "RANGE,…",
       "proxies whose X-Forwarded-For is believed, as 10.0.0.0/8,192.0.2.7",
       [](S& s, T t) -> Problem { return set_ranges(s.node.trusted_proxies, t); }, true},
      {"api.public_hosts", "HOST,…",
       "Host values that a proxy hides, tried when a signature covers the host",
       [](S& s, T t) -> Problem { return s.node.public_hosts = split(t), std::nullopt; }, true},
      {"api.business_errors_200", "true|false",
       "answer business errors of 2020-12-01 with HTTP 200 (default false)",
       [](S& s, T t) { return set_flag(s.node.business_errors_200, t); }, true},
  };
  keys.insert(keys.end(), api.begin(), api.end());
  return keys;
}

std::vector<SettingKey> with_webhook_keys(std::vector<SettingKey> keys) {
  using S = Settings;
  using T = const std::string&;
  const std::vector<SettingKey> webhook{
      {"webhook.allow_networks", "RANGE,…",
       "networks that are not public and get webhooks all the same, as 10.1.0.0/16,127.0.0.1",
       [](S& s, T t) -> Problem {
         if (split(t).size() > static_cast<size_t>(limits::kAllowNetworksMax))
           return "must be at most " + std::to_string(limits::kAllowNetworksMax) + " ranges";
         return set_ranges(s.node.webhook_networks, t);
       },
       true},
      {"webhook.ca_file", "FILE",
       "PEM authorities that https destinations of webhooks may have besides the system's",
       [](S& s, T t) -> Problem { return s.webhook_ca_file = t, std::nullopt; }},
  };
  keys.insert(keys.end(), webhook.begin(), webhook.end());
  return keys;
}

std::vector<SettingKey> with_all_parts(std::vector<SettingKey> keys) {
  return with_webhook_keys(with_listener_keys(with_store_keys(with_api_keys(std::move(keys)))));
}

}  // namespace

const std::vector<SettingKey>& setting_keys() {
  using S = Settings;
  using T = const std::string&;
  static const std::vector<SettingKey> keys = with_all_parts({
      {"http.listen", "ADDRESS:PORT,…",
       "API, signalling and web pages (default 0.0.0.0:7880; --dev 127.0.0.1:7880)",
       [](S& s, T t) { return set_addresses(s.http_listen, t); }},
      {"operator.listen", "ADDRESS:PORT,…",
       "/metrics, /livez, /readyz, drain (default 127.0.0.1:7889)",
       [](S& s, T t) { return set_addresses(s.operator_listen, t); }},
      {"media.port", "PORT",
       "UDP port of the first shard; the others follow (default 7882; 0: the kernel chooses each)",
       [](S& s, T t) { return set_port(s.media_port, t); }},
      {"media.shards", "N",
       "media threads, each with its own UDP port (default: cores - 1, at least 1)",
       [](S& s, T t) -> Problem {
         const auto shards = number<uint32_t>(t, 1, limits::kShardsMax);
         if (!shards) return "must be a number from 1 to " + std::to_string(limits::kShardsMax);
         s.media_shards = *shards;
         return std::nullopt;
       }},
      {"media.bind", "IP", "address of the UDP sockets (default: the wildcard; --dev 127.0.0.1)",
       [](S& s, T t) -> Problem {
         s.media_bind = IpAddress::parse(t);
         if (!s.media_bind) return "must be an IP address";
         return std::nullopt;
       }},
      {"media.advertise", "IP,…",
       "addresses told to clients (default: every address that is not loopback; --dev 127.0.0.1)",
       [](S& s, T t) { return set_media_addresses(s.media_advertise, t); }},
      {"account", "id=ID,access_key=KEY,secret_file=FILE,scopes=A+B;…",
       "accounts and their access keys (in the file: [[account]] with [[account.key]])",
       set_accounts, true},
      {"quota", "ACTION=N,…", "calls per second that replace the documented ones", set_quotas,
       true},
      {"web.dir", "DIR", "files served under / (default: none; --dev the demo page)",
       [](S& s, T t) -> Problem { return s.web_dir = t, std::nullopt; }},
      {"room.empty_grace_ms", "MS",
       "a room ends this long after its last user left (default 10000)",
       [](S& s, T t) { return set_grace(s.node.empty_room_grace, t); }},
      {"room.resume_grace_ms", "MS",
       "a user whose signalling is lost counts as present this long (default 20000)",
       [](S& s, T t) { return set_grace(s.node.resume_grace, t); }},
      {"server.drain_deadline_ms", "MS",
       "after SIGTERM calls go on at most this long; 0: stop at once (default 30000; --dev 0)",
       [](S& s, T t) { return set_grace(s.node.drain_deadline.emplace(), t); }},
      {"log.level", "LEVEL", "debug, info, warning or error (default info)",
       [](S& s, T t) -> Problem {
         s.log_level = t;
         if (t == "debug" || t == "info" || t == "warning" || t == "error") return std::nullopt;
         return "must be debug, info, warning or error";
       },
       true},
      {"dev.public", "true|false",
       "--dev may listen beyond loopback although its keys are public (default false)",
       [](S& s, T t) { return set_flag(s.media_public, t); }},
      {"fault", "NAME,…",
       "--dev only, for tests: late_send, no_record_write, stop_at=POINT, "
       "kill_at_write=N, fail_sync=N",
       set_fault},
  });
  return keys;
}

std::string flag_of(const SettingKey& key) {
  return "--" + with_separator(key.name, '-');
}

std::string environment_of(const SettingKey& key) {
  std::string name = "ATRIUM_" + with_separator(key.name, '_');
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  });
  return name;
}

void apply_dev_defaults(Settings& settings) {
  static constexpr char kAccount[] = "dev";
  settings.node.dev = true;
  settings.node.keys.push_back({"AKLTdevaccesskey000000000001", "ZGV2LXNlY3JldC1rZXk=", kAccount,
                                openapi::KeyScopes::all()});
  domain::App app;
  app.id = AppId("a7e100000000000000000001");
  app.account = kAccount;
  app.name = "dev";
  app.any_ids = true;
  app.primary_key = "devappkey00000000000000000000001";
  app.api_keys = {{.key = "devkey", .secret = "secret", .management = true}};
  settings.dev_app = std::move(app);
  const IpAddress loopback = IpAddress::parse("127.0.0.1").value();
  if (settings.http_listen.empty()) settings.http_listen = {{loopback, 7880}};
  if (settings.operator_listen.empty()) settings.operator_listen = {{loopback, 7889}};
  if (!settings.media_bind && !settings.media_public) settings.media_bind = loopback;
  if (settings.media_advertise.empty() && !settings.media_public)
    settings.media_advertise = {loopback};
}

namespace {

void check_accounts(Settings& settings, std::vector<std::string>& problems) {
  std::vector<openapi::AccessKey>& keys = settings.node.keys;
  const std::string folder = std::filesystem::path(settings.config_file).parent_path().string();
  for (const KeySetting& account : settings.accounts) {
    auto key = make_access_key(account, folder);
    if (key)
      keys.push_back(std::move(*key));
    else
      problems.push_back(key.error());
  }
  if (keys.empty() && settings.accounts.empty())
    problems.push_back(
        "no account: add one to the configuration file, for example\n"
        "    [[account]]\n    id = \"ops\"\n    [[account.key]]\n    access_key = \"AKLT…\"\n"
        "    secret_file = \"ops.secret\"\n    scopes = [\"read\", \"room\", \"ban\", \"app\"]\n"
        "  (or start with --dev to try Atrium with public keys on loopback)");
  if (keys.size() > static_cast<size_t>(limits::kAccessKeysMax))
    problems.push_back("account: more than " + std::to_string(limits::kAccessKeysMax) +
                       " access keys");
  std::set<std::string> ids;
  for (const openapi::AccessKey& key : keys)
    if (!ids.insert(key.id).second)
      problems.push_back("account: access_key " + key.id + " is given twice");
}

void check_dev(const Settings& settings, std::vector<std::string>& problems) {
  if (!settings.dev) {
    const node::Faults& faults = settings.node.faults;
    if (faults.late_send || faults.no_record_write || !faults.stop_at.empty() ||
        faults.kill_at_write != 0 || faults.fail_sync != 0)
      problems.push_back("fault: only with --dev");
    return;
  }
  if (settings.media_public) return;
  auto beyond = [](const SocketAddress& address) { return !address.ip.is_loopback(); };
  if (std::ranges::any_of(settings.http_listen, beyond) ||
      std::ranges::any_of(settings.operator_listen, beyond) ||
      (settings.media_bind && !settings.media_bind->is_loopback()))
    problems.push_back(
        "--dev listens on loopback only, since its keys are public; --dev-public true lifts that");
}

}  // namespace

std::vector<std::string> check(Settings& settings) {
  std::vector<std::string> problems;
  check_accounts(settings, problems);
  check_dev(settings, problems);
  check_listeners(settings, problems);
  if (!settings.webhook_ca_file.empty())
    if (const auto known = runtime::check_ca_file(settings.webhook_ca_file); !known)
      problems.push_back("webhook.ca_file: " + known.error());
  if (settings.disk.history_free_min < settings.disk.join_free_min)
    problems.push_back(
        "store.history_min_free_mib must not be less than store.join_min_free_mib: history stops "
        "first");
  if (settings.media_port + settings.media_shards > 65'536)
    problems.push_back("media.port: the ports of all shards must lie below 65536");
  return problems;
}

std::optional<std::string> set(Settings& settings, const SettingKey& key, const std::string& text) {
  settings.given[key.name] = text;
  return key.set(settings, text);
}

ReadSettings read_settings(const CommandLine& line) {
  ReadSettings out;
  Settings& settings = out.settings;
  settings.dev = line.dev;
  settings.config_file = line.config_file;
  if (!settings.config_file.empty())
    out.problems = read_config_file(settings.config_file, settings);
  const auto apply = [&](const SettingKey& key, const std::string& text, const std::string& where) {
    if (auto problem = set(settings, key, text)) out.problems.push_back(where + ": " + *problem);
  };
  for (const SettingKey& key : setting_keys()) {
    const std::string variable = environment_of(key);
    if (const char* text = std::getenv(variable.c_str())) apply(key, text, variable);
    const auto flag = line.flags.find(key.name);
    if (flag != line.flags.end() && !flag->second.empty()) apply(key, flag->second, flag_of(key));
  }
  if (settings.dev) apply_dev_defaults(settings);
  if (settings.http_listen.empty())
    settings.http_listen = {{IpAddress::parse("0.0.0.0").value(), 7880}};
  if (settings.operator_listen.empty())
    settings.operator_listen = {{IpAddress::parse("127.0.0.1").value(), 7889}};
  if (settings.media_shards == 0)
    settings.media_shards = std::max(1u, std::thread::hardware_concurrency() - 1);
  for (std::string& problem : check(settings)) out.problems.push_back(std::move(problem));
  return out;
}

std::vector<std::string> need_restart(const Settings& running, const Settings& fresh) {
  std::vector<std::string> out;
  for (const SettingKey& key : setting_keys()) {
    const auto before = running.given.find(key.name), after = fresh.given.find(key.name);
    const std::string old_text = before == running.given.end() ? "" : before->second;
    const std::string new_text = after == fresh.given.end() ? "" : after->second;
    if (!key.reloads && old_text != new_text) out.emplace_back(key.name);
  }
  return out;
}

}  // namespace atrium::atriumd
