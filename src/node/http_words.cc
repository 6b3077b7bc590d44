#include "node/http_words.h"

namespace atrium::node {

std::string_view HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (openapi::equals_ignoring_case(key, name)) return value;
  return {};
}

openapi::Request to_openapi(const HttpRequest& request) {
  return {request.method, request.target, request.headers, request.body, request.peer};
}

HttpResponse to_http(openapi::Response response) {
  return {response.status, std::move(response.headers), std::move(response.body), response.close};
}

HttpResponse to_http(twirp::Response response) {
  return {response.status, std::move(response.headers), std::move(response.body), false};
}

openapi::FaultKind to_openapi(HttpFault fault) {
  switch (fault) {
    case HttpFault::Malformed:
      return openapi::FaultKind::Malformed;
    case HttpFault::RequestLineTooLong:
      return openapi::FaultKind::RequestLineTooLong;
    case HttpFault::HeadersTooLong:
      return openapi::FaultKind::HeadersTooLong;
    case HttpFault::HeadTimeout:
      return openapi::FaultKind::HeadTimeout;
    case HttpFault::BodyTimeout:
      return openapi::FaultKind::BodyTimeout;
    case HttpFault::BodyTooLong:
      return openapi::FaultKind::BodyTooLong;
    case HttpFault::UnsupportedTransferEncoding:
      return openapi::FaultKind::UnsupportedTransferEncoding;
    case HttpFault::Overloaded:
      return openapi::FaultKind::Overloaded;
  }
  return openapi::FaultKind::Malformed;
}

std::string_view code_of(const openapi::Response& response) {
  return response.error ? openapi::error_row(*response.error).code : std::string_view();
}

std::string_view path_of(std::string_view target) {
  return target.substr(0, target.find('?'));
}

HttpResponse text_response(int status, std::string body) {
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(body), false};
}

}  // namespace atrium::node
