#include "adapters/twirp/message.h"

#include <array>
#include <boost/json.hpp>

namespace atrium::twirp {
namespace {

struct Row {
  std::string_view name;
  int status;
};
// By Code, in its order.
constexpr std::array<Row, 11> kRows{{
    {"bad_route", 404},
    {"malformed", 400},
    {"invalid_argument", 400},
    {"unauthenticated", 401},
    {"permission_denied", 403},
    {"not_found", 404},
    {"failed_precondition", 412},
    {"resource_exhausted", 429},
    {"unimplemented", 501},
    {"internal", 500},
    {"unavailable", 503},
}};
static_assert(static_cast<size_t>(Code::Unavailable) + 1 == kRows.size());

}  // namespace

std::string_view code_name(Code code) {
  return kRows[static_cast<size_t>(code)].name;
}

int http_status(Code code) {
  return kRows[static_cast<size_t>(code)].status;
}

Response refuse(const Refusal& refusal) {
  boost::json::object body{{"code", code_name(refusal.code)}, {"msg", refusal.message}};
  if (!refusal.operation.empty())
    body["meta"] = boost::json::object{{"operation", refusal.operation.value}};
  // Exactly this type, without a charset: LiveKit's SDK reads no error otherwise.
  Response response{.status = http_status(refusal.code),
                    .headers = {{"Content-Type", "application/json"}},
                    .body = boost::json::serialize(body),
                    .error = code_name(refusal.code)};
  if (refusal.retry_after_s > 0)
    response.headers.emplace_back("Retry-After", std::to_string(refusal.retry_after_s));
  return response;
}

Response refuse_unread(int status) {
  Response response =
      status == http_status(Code::Unavailable)
          ? refuse({Code::Unavailable, "the server is busy; try again shortly"})
          : refuse(
                {Code::Malformed, "the request could not be read: not HTTP, too long or too slow"});
  response.status = status;
  return response;
}

}  // namespace atrium::twirp
