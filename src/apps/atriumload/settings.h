// Settings: what one run does, as the command line says it.  Values; read once by main, then shared read-only.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "base/socket_address.h"
#include "base/time.h"
#include "media/srtp.h"

namespace atrium::load {

enum class Scenario : uint8_t {
  JoinStorm,
  OneToMany,
  ManyToMany,
  AudioRooms,
  Data,
  Churn,
  Dismissal
};
enum class DriverKind : uint8_t { LiveKit, Janus };
enum class TokenKind : uint8_t { Jwt, Vendor };

// What the numbers of a run may be: a run has an end, and memory that a machine has.
inline constexpr int64_t kClientsMax = 20'000;  // of all rooms
inline constexpr int64_t kRoomsMax = 10'000;
inline constexpr int64_t kDurationSMax = 3'600;
inline constexpr int64_t kThreadsMax = 64;

struct Settings {
  Scenario scenario = Scenario::OneToMany;
  DriverKind driver = DriverKind::LiveKit;
  // where
  SocketAddress server;
  std::string path_prefix;  // of the URL, before /rtc or as Janus's path
  bool allow_remote = false;
  // who
  int64_t rooms = 1, clients = 10;  // clients of each room
  int64_t publishers = 0;           // of each room; 0: as the scenario has it
  bool audio = false, video = true;
  std::string room_prefix = "load", user_prefix = "u";
  bool hidden = false;  // who does not publish is invisible to the others
  // how fast and how long
  double join_rate = 0;  // joins a second of all together; 0: as fast as joins_in_flight lets them
  int64_t joins_in_flight = 50;
  Duration join_timeout = std::chrono::seconds(15);
  Duration warm_up = std::chrono::seconds(1), duration = std::chrono::seconds(10);
  Duration linger = std::chrono::seconds(3);  // dismissal: how long it is watched
  Duration stay = std::chrono::seconds(3);    // churn: mean time in the room
  // media
  int64_t video_bps = 1'200'000, frames_per_second = 30;
  double data_rate = 10;  // messages a second of one sender
  int64_t data_bytes = 200;
  int64_t verify_every = 1;  // every how manieth client decrypts and checks media
  bool gro = true;
  bool full_offer = true;    // livekit: as large as the SDKs' (client/browser_offer.h)
  bool quiet_joins = false;  // media begins once all have joined
  media::SrtpProfile srtp_profile = media::SrtpProfile::AeadAes128Gcm;
  int64_t threads = 1;
  // credentials; the secrets are never shown
  TokenKind token_kind = TokenKind::Jwt;
  std::string api_key, api_secret, app_id, app_key, access_key, secret_key;
  std::string management_url;  // http://ADDRESS:PORT; dismissal: where DismissRoom is asked for
  // what is told
  std::optional<int> server_pid;
  bool json = false, quiet = false;

  int64_t all_clients() const { return rooms * clients; }
};

// `code` is the process's exit code: 0 for --help, 2 for a mistake, of which `text` tells option and range.
struct NoRun {
  int code = 2;
  std::string text;
};
std::expected<Settings, NoRun> read_command_line(int argc, const char* const* argv);

const char* name_of(Scenario scenario);
const char* name_of(media::SrtpProfile profile);

}  // namespace atrium::load
