// Which strings may name a room (vendor-contract 7; DESIGN section 4, the app option `ids`).
#pragma once

#include <string_view>

#include "adapters/openapi/action.h"

namespace atrium::openapi {

// 1…128 of [a-zA-Z0-9@_.-].  any_ids: 1…kIdBytesMax bytes of UTF-8 without control characters.
bool is_legal_id(std::string_view id, bool any_ids);
// 1…kAppNameCharsMax Chinese characters, ASCII letters, digits and underscores (vendor page 74487).
bool is_legal_app_name(std::string_view name);
// 24 lower-case hexadecimal digits: what an AppId looks like, whether or not it exists.
bool looks_like_app_id(std::string_view id);
// OP_ and 17 letters and digits.
bool looks_like_operation_id(std::string_view id);
// BN_ and 17 letters and digits.
bool looks_like_ban_id(std::string_view id);
// RM_ and 17 letters and digits.
bool looks_like_room_session_id(std::string_view id);
// WH_ and 17 letters and digits.
bool looks_like_webhook_id(std::string_view id);
// EV_ and 17 letters and digits.
bool looks_like_event_id(std::string_view id);

}  // namespace atrium::openapi
