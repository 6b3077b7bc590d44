// What atriumd is told: a configuration file (TOML), environment variables, flags; later ones win.  Checked as a
// whole before
// anything starts, and every refusal names the key and what to do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/socket_address.h"
#include "node/config.h"
#include "node/disk_guard.h"

namespace atrium::atriumd {

struct Settings {
  bool dev = false;
  std::string config_file;
  std::string data_dir = "data";
  node::DiskGuardOptions disk;
  std::string web_dir;  // files served under /; empty: beside the binary's source tree in --dev
  std::vector<SocketAddress> http_listen, operator_listen;
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
};
const std::vector<SettingKey>& setting_keys();
std::string flag_of(const SettingKey& key);         // "--http-listen"
std::string environment_of(const SettingKey& key);  // "ATRIUM_HTTP_LISTEN"

// All problems found, one English sentence each; empty: good to start.
std::vector<std::string> read_config_file(const std::string& path, Settings& settings);
std::vector<std::string> check(const Settings& settings);
// The development account and application of DESIGN section 5; loopback unless told otherwise.
void apply_dev_defaults(Settings& settings);

}  // namespace atrium::atriumd
