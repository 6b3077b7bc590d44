// What atriumd is told: a configuration file (TOML), environment variables, flags; later ones win.  Checked as a
// whole before
// anything starts, and every refusal names the key and what to do.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "accounts.h"
#include "base/result.h"
#include "base/socket_address.h"
#include "domain/types.h"
#include "node/config.h"
#include "node/disk_guard.h"

namespace atrium::atriumd {

struct Settings {
  bool dev = false;
  std::string config_file;
  std::vector<KeySetting> accounts;
  std::string store_key_file;          // empty: store.key in the data directory
  std::string audit_key_file;          // empty: audit.key there
  std::string audit_checkpoints_file;  // empty: audit.checkpoints there
  std::optional<domain::App> dev_app;  // put into the store where it is not there
  // What was given for each key, to see what a reload would change.
  std::map<std::string, std::string> given;
  std::string data_dir = "data";
  node::DiskGuardOptions disk;
  std::string web_dir;  // files served under /; empty: beside the binary's source tree in --dev
  std::vector<SocketAddress> http_listen, operator_listen;
  std::string tls_certificate, tls_key;  // files; both empty: http_listen is plain
  bool insecure_http = false;            // plain HTTP beyond loopback is meant
  bool proxy_protocol = false;
  std::string webhook_ca_file;  // authorities besides the system's; empty: none
  uint16_t media_port = 7882;
  uint32_t media_shards = 0;  // 0: cores - 1, at least 1
  std::optional<IpAddress> media_bind;
  std::vector<IpAddress> media_advertise;  // empty: the interfaces' own
  std::string log_level = "info";
  bool media_public = false;  // --dev only: leave loopback although the keys are public
  node::Config node;
};

// One scalar key: its name in the file ("http.listen"); as a flag ("--http-listen"); in the environment
// ("ATRIUM_HTTP_LISTEN").  `set` yields what is wrong with the text, or nothing.
struct SettingKey {
  const char* name;
  const char* value;  // how --help shows the value
  const char* help;
  std::optional<std::string> (*set)(Settings&, const std::string& text);
  bool reloads = false;  // a change takes effect without a restart
};
const std::vector<SettingKey>& setting_keys();
std::string flag_of(const SettingKey& key);         // "--http-listen"
std::string environment_of(const SettingKey& key);  // "ATRIUM_HTTP_LISTEN"

// What is wrong with a value for a key, or nothing; what was given is remembered.
std::optional<std::string> set(Settings& settings, const SettingKey& key, const std::string& text);

// All problems found, one English sentence each; empty: good to start.
std::vector<std::string> read_config_file(const std::string& path, Settings& settings);
// Reads the secrets of the accounts, too.
std::vector<std::string> check(Settings& settings);

// What the command line said, for which the file and the environment are read again at each reload.
struct CommandLine {
  bool dev = false;
  std::string config_file;
  std::map<std::string, std::string> flags;  // by key name
};
struct ReadSettings {
  Settings settings;
  std::vector<std::string> problems;
};
// File, then environment, then flags, then defaults, then checks.
ReadSettings read_settings(const CommandLine& line);
// Keys whose value differs and that only a restart takes over.
std::vector<std::string> need_restart(const Settings& running, const Settings& fresh);
// The development account and application of DESIGN section 5; loopback unless told otherwise.
void apply_dev_defaults(Settings& settings);

}  // namespace atrium::atriumd
