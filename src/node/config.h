// What the operator decided, as plain values.  Read and checked by apps/atriumd; used by the control plane.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/openapi/action.h"
#include "base/ids.h"
#include "base/ip_prefix.h"
#include "base/socket_address.h"
#include "base/time.h"

namespace atrium::node {

struct StaticFile {
  std::string content_type;
  std::string bytes;
};

// Faults that end-to-end tests plant (atriumd --dev --fault NAME); none in production.
struct Faults {
  bool late_send = false;        // one media packet leaves after the cut
  bool no_record_write = false;  // the store forgets dismissals
  std::string
      stop_at;  // before_commit, after_commit, after_cut, mid_notices: the process stops itself there
  uint64_t kill_at_write =
      0;  // the process kills itself before this step of the store on its files; 0: never
  uint64_t fail_sync = 0;  // this sync of the store fails, once; 0: none
};

struct Config {
  // What may change while the server runs (ControlPlane::reconfigure):
  std::vector<openapi::AccessKey> keys;
  std::map<std::string, uint32_t, std::less<>> quotas;  // calls per second, by action
  std::string region = "cn-north-1";
  std::vector<std::string> accepted_regions;
  std::vector<std::string> public_hosts;  // Host values that a proxy may have hidden
  std::vector<IpPrefix> trusted_proxies;  // whose X-Forwarded-For is believed
  // Not public, and webhooks may be sent there all the same; at most kAllowNetworksMax.
  std::vector<IpPrefix> webhook_networks;
  bool byteplus_bans = false;  // the overseas limits of ban intervals
  bool business_errors_200 = false;

  // What may not:
  bool dev = false;

  std::vector<SocketAddress> media_addresses;  // advertised, port 0: each shard fills in its own
  std::vector<uint16_t> shard_ports;           // one per shard

  Duration empty_room_grace = std::chrono::milliseconds(10'000);
  Duration resume_grace = std::chrono::milliseconds(20'000);

  // After the first signal to stop calls go on at most this long; zero: no more.  Not given: kDrainDeadlineMs, and in
  // --dev zero.
  std::optional<Duration> drain_deadline;

  std::string server_version = "0.1.0";
  std::map<std::string, StaticFile> files;  // path → what is served there
  Faults faults;
};

}  // namespace atrium::node
