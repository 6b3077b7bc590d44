// An HTTP request and answer as the management API sees them; node converts from and to its own.
// Values only.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/openapi/error_table.h"
#include "base/crypto.h"
#include "base/ids.h"
#include "base/socket_address.h"

namespace atrium::openapi {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method{};  // as sent: "POST"
  std::string target{};  // request-target as sent, with query
  Headers headers{};     // names as sent, in order
  std::string body{};
  SocketAddress peer{};

  // Case-insensitive; empty when absent, the first when repeated.
  std::string_view header(std::string_view name) const;
  // The same; nullopt when absent.
  std::optional<std::string_view> find_header(std::string_view name) const;
  // How often a header of this name was sent.
  size_t header_count(std::string_view name) const;
};

// What is known of a call, for the audit.
struct CallTrace {
  std::string account, access_key;  // empty: nobody whose signature was good
  Sha256 content_hash{};            // of the body, where the access key is known
  std::string action, version;      // as sent, made printable
  AppId app;
  RoomId room;
  bool changes = false;  // not a read
  bool is_dry_run = false;
  bool is_replay = false;  // answered by an earlier call with the same Idempotency-Key
  AppId made_app = {};     // that the answer tells the keys of
};

struct Response {
  int status = 200;
  Headers headers{};  // Content-Length is the server's
  std::string body{};
  bool close = false;  // the connection must not be used again
  // For counters and audit lines, not sent: what was refused (nullopt: success), and the id in the
  // envelope.
  std::optional<ErrorCode> error{};
  std::string request_id{};
  CallTrace trace{};  // of answers that handle() gave at once, and of Gateway::trace()
};

// ASCII letters only; HTTP names and the vendor's field names need no more.
bool same_but_for_case(std::string_view a, std::string_view b);  // of the same length
// Most names differ in their length already, and every header is asked for a dozen of them.
inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && same_but_for_case(a, b);
}
std::strong_ordering order_ignoring_case(std::string_view a, std::string_view b);
std::string ascii_lower(std::string_view text);
// At most `max_bytes` of what a peer sent, printable ASCII only, the rest as '?': safe in messages
// and logs.
std::string printable(std::string_view text, size_t max_bytes = 128);

}  // namespace atrium::openapi
