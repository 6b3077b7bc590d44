// What atriumctl does, apart from sockets, clocks and the command line: requests made, answers
// shown, exit codes.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>

#include "adapters/openapi/message.h"
#include "apps/atriumctl/http_client.h"
#include "base/result.h"
#include "base/time.h"

namespace atrium::atriumctl {

enum class ExitCode : int {
  Ok = 0,
  Refused = 1,  // by the server; or what was asked for does not exist
  Usage = 2,
  Unreachable = 3,
  Tampered = 4,  // the audit log is not what the server wrote
  TooLate = 5,   // the countdown that was to be changed had run out
};

enum class Output { Text, Json };

struct Settings {
  std::string url{};
  std::string access_key{}, secret{};
  std::string region = "cn-north-1";
  std::string app{};
  Output output = Output::Text;
};

enum class Verb {
  DismissRoom,
  ListRooms,
  ShowRoom,
  ShowDismissal,
  KickUser,
  AddBan,
  ListBans,
  LiftBan,
  ListLives,
  ListVisitors
};

struct Command {
  Verb verb = Verb::ListRooms;
  std::string subject{};             // room id, operation id, user id or ban id
  std::string room{}, user{}, ip{};  // of a kick or a ban; of history: which alone
  std::string from{}, to{};          // of history, RFC 3339; empty: the last day until now
  int64_t seconds = 0;               // of a ban
  std::string reason{};
  std::string if_session{};
  std::string idempotency_key{};  // of a dismissal
  bool dry_run = false;
  bool whole_receipt = false;
};

// The world outside, given by main or by a test.
struct World {
  std::function<Result<HttpReply>(const openapi::Request&)> exchange;
  std::function<Wall()> now;
  std::function<void(Duration)> wait;
  std::ostream& out;
  std::ostream& err;
  std::istream& in;  // for what is a secret, where a file is named -
  std::function<bool()> is_interrupted = [] { return false; };  // a command without end is to end
};

// `authority` is what goes into Host.
ExitCode run(const Settings& settings, const std::string& authority, const Command& command,
             World& world);

}  // namespace atrium::atriumctl
