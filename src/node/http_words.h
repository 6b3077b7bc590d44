// The same HTTP request and answer in the words of the server (node/ports.h) and of the adapters.
#pragma once

#include <string>
#include <string_view>

#include "adapters/openapi/gateway.h"
#include "adapters/twirp/message.h"
#include "node/ports.h"

namespace atrium::node {

openapi::Request to_openapi(const HttpRequest& request);
HttpResponse to_http(openapi::Response response);
HttpResponse to_http(twirp::Response response);
openapi::FaultKind to_openapi(HttpFault fault);

// The error's code as callers and the audit see it; empty: none.
std::string_view code_of(const openapi::Response& response);

// "/rtc/v1?x=y" → "/rtc/v1"
std::string_view path_of(std::string_view target);
HttpResponse text_response(int status, std::string body);

}  // namespace atrium::node
