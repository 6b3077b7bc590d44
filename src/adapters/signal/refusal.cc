#include "adapters/signal/refusal.h"

#include <algorithm>
#include <boost/json.hpp>

#include "base/limits.h"
#include "domain/notices.h"

namespace atrium::signal {
namespace {

using domain::ClientCode;

constexpr std::string_view kAllowedHeaders = "authorization, content-type";

// DESIGN section 1, "Refused joins".  401 and 403 end every SDK's attempts, 400 tells that asking again is no use.
int status_of(ClientCode code) {
  switch (code) {
    case ClientCode::InvalidToken:
    case ClientCode::TokenExpired:
    case ClientCode::UpdateTokenWithInvalidToken:
      return 401;
    case ClientCode::RoomIdIllegal:
      return 400;
    default:
      return 403;
  }
}

// RFC 9110 §5.6.2 tokens in a list, and no more of them than a browser would send.
bool is_header_list(std::string_view text) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == ',' || c == ' ';
  };
  return !text.empty() && std::ssize(text) <= limits::kPreflightHeadersBytesMax &&
         std::ranges::all_of(text, is_allowed);
}

HttpAnswer text_answer(int status, std::string body) {
  HttpAnswer answer{.status = status, .headers = cors_headers(), .body = std::move(body)};
  answer.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  answer.headers.emplace_back("Cache-Control", "no-store");
  return answer;
}

}  // namespace

Refusal refuse(ClientCode code, std::string message) {
  if (message.empty()) message = domain::client_code_message(code);
  return {
      .status = status_of(code), .code = code, .message = std::move(message), .retry_after_s = 0};
}

Refusal refuse(const TokenRefusal& refusal) {
  return refuse(refusal.code, refusal.message);
}

Refusal refuse(const domain::JoinRefused& refusal) {
  Refusal out = refuse(refusal.code, refusal.message);
  out.forbidden_until = refusal.forbidden_until;
  if (!refusal.retry_later) return out;
  out.status = 503;
  out.retry_after_s = limits::kRetryAfterS;
  return out;
}

Refusal refuse_busy(std::string message) {
  return {.status = 503,
          .code = ClientCode::JoinRoom,
          .message = std::move(message),
          .retry_after_s = limits::kRetryAfterS};
}

Refusal refuse_too_many(std::string message) {
  return {.status = 429,
          .code = ClientCode::JoinRoom,
          .message = std::move(message),
          .retry_after_s = limits::kRetryAfterS};
}

Refusal refuse_unread(int status) {
  Refusal refusal{.status = status,
                  .code = ClientCode::JoinRoom,
                  .message = "the request could not be read",
                  .retry_after_s = 0};
  if (status == 408) refusal.message = "the request did not come in time";
  if (status == 414 || status == 431)
    refusal.message = "the request's line or headers are too long";
  return status == 503 ? refuse_busy("the server is busy; try again") : refusal;
}

Refusal refuse_join_request(const Error& error) {
  return {.status = 400,
          .code = ClientCode::JoinRoom,
          .message = std::string(error.message()),
          .retry_after_s = 0};
}

HttpAnswer to_answer(const Refusal& refusal) {
  boost::json::object body;
  body["code"] = static_cast<int64_t>(refusal.code);
  body["name"] = domain::client_code_name(refusal.code);
  body["message"] = refusal.message;
  if (refusal.forbidden_until) body["forbiddenTime"] = unix_ms(*refusal.forbidden_until);
  HttpAnswer answer{
      .status = refusal.status, .headers = cors_headers(), .body = boost::json::serialize(body)};
  answer.headers.emplace_back("Content-Type", "application/json");
  answer.headers.emplace_back("Cache-Control", "no-store");
  if (refusal.retry_after_s > 0)
    answer.headers.emplace_back("Retry-After", std::to_string(refusal.retry_after_s));
  return answer;
}

HttpAnswer validate_success() {
  return text_answer(200, "success");
}

// Newer SDKs fall back to this form only when /rtc/v1 answers 404, which it never does.  For older
// ones this is the end.
HttpAnswer dual_form_not_served() {
  return text_answer(
      404, "Only /rtc/v1 is served here: use a client SDK with single peer connection signalling.");
}

HttpAnswer upgrade_required() {
  HttpAnswer answer = text_answer(426, "This address is for WebSocket clients.");
  answer.headers.emplace_back("Upgrade", "websocket");
  return answer;
}

HttpAnswer preflight(std::string_view requested_headers) {
  HttpAnswer answer{.status = 204, .headers = cors_headers(), .body = {}};
  answer.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, HEAD, OPTIONS");
  answer.headers.emplace_back("Access-Control-Allow-Headers", is_header_list(requested_headers)
                                                                  ? requested_headers
                                                                  : kAllowedHeaders);
  answer.headers.emplace_back("Access-Control-Max-Age", "86400");
  return answer;
}

Headers cors_headers() {
  return {{"Access-Control-Allow-Origin", "*"}, {"Access-Control-Expose-Headers", "Retry-After"}};
}

}  // namespace atrium::signal
