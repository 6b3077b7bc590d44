// Which URLs a webhook may have.  Where its host leads is looked at when it is called (adapters/webhook).
#pragma once

#include <optional>
#include <string_view>

namespace atrium::openapi {

// What is wrong with it, as an English clause ("must …"); nullopt: nothing.  http or https, a domain name or an
// address, a port other than 0, no user info, no fragment; at most kWebhookUrlBytesMax.  RFC 3986.
std::optional<std::string_view> webhook_url_flaw(std::string_view url);

}  // namespace atrium::openapi
