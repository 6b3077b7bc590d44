// Answers in HTTP: refused joins (DESIGN section 1), validation, CORS.  All bodies of refusals are
// {"code":…,"name":…,"message":…}; browsers may read them from any origin.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/signal/tokens.h"
#include "base/result.h"
#include "domain/effect.h"

namespace atrium::signal {

struct Refusal {
  int status = 403;
  domain::ClientCode code = domain::ClientCode::JoinRoom;
  std::string message;
  int retry_after_s = 0;  // > 0: Retry-After; SDKs try again
  std::optional<Wall> forbidden_until =
      std::nullopt;  // of a ban; in the body as forbiddenTime, unix ms
};

struct HttpAnswer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

// 401, 400 or 403 by the code, never 404.  Final for every SDK.
Refusal refuse(domain::ClientCode code, std::string message);
Refusal refuse(const TokenRefusal& refusal);
Refusal refuse(const domain::JoinRefused& refusal);  // retry_later: 503
Refusal refuse_busy(std::string message);            // 503: full or draining
Refusal refuse_too_many(std::string message);        // 429
// The HTTP server met a limit before the doors saw the request: 400, 408, 414, 431, 501 or 503.
Refusal refuse_unread(int status);
// 400: the join_request parameter is missing or unusable.
Refusal refuse_join_request(const Error& error);

HttpAnswer to_answer(const Refusal& refusal);
HttpAnswer validate_success();      // 200 `success`
HttpAnswer dual_form_not_served();  // 404 for /rtc and /rtc/validate
HttpAnswer upgrade_required();      // 426: a plain GET of /rtc/v1
// OPTIONS.  `requested_headers`: Access-Control-Request-Headers, echoed where it is well-formed.
HttpAnswer preflight(std::string_view requested_headers);

using Headers = std::vector<std::pair<std::string, std::string>>;
// To be added to whatever else a browser of any origin may read.
Headers cors_headers();

}  // namespace atrium::signal
