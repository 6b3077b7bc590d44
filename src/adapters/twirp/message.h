// A Twirp request and answer as RoomService sees them; node converts from and to its own.  Values only.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"

namespace atrium::twirp {

struct Request {
  std::string_view method;        // as sent: "POST"
  std::string_view path;          // without query: "/twirp/livekit.RoomService/ListRooms"
  std::string_view content_type;  // as sent; empty when absent
  std::string_view body;
  std::string request_id;  // ours, for records and audit
};

// Whose token came with the request, and what it grants (livekit-protocol 2.1).  Verified by node.
struct Caller {
  AppId app;
  std::string api_key;
  bool is_management = false;  // the key may be used here at all
  bool room_create = false, room_list = false, room_admin = false;
  RoomId room;  // the one that room_admin is for
};
// Or why there is none: a sentence for people, without anything secret.
using CallerOutcome = std::expected<Caller, std::string>;

// The error codes of Twirp that are sent here.
enum class Code : uint8_t {
  BadRoute,
  Malformed,
  InvalidArgument,
  Unauthenticated,
  PermissionDenied,
  NotFound,
  FailedPrecondition,
  ResourceExhausted,
  Unimplemented,
  Internal,
  Unavailable,
};
std::string_view code_name(Code code);  // "bad_route"
int http_status(Code code);

struct Refusal {
  Code code = Code::Internal;
  std::string message;
  OperationId operation = {};  // to ask about, where something was begun
  int64_t retry_after_s = 0;   // 0: not said
};

struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string_view error =
      {};  // code_name() of what was refused; empty: success.  Not sent by itself
};
// {"code":…,"msg":…}: JSON whatever the request was, as Twirp has it.
Response refuse(const Refusal& refusal);
// To a request that the server could not read to its end, with HTTP's own status for why.
Response refuse_unread(int status);

}  // namespace atrium::twirp
