// Which strings may name a room or a user (vendor-contract 7; DESIGN section 4, the app option `ids`), at every door.
#pragma once

#include <string_view>

namespace atrium::domain {

// 1…128 of [a-zA-Z0-9@_.-].  any_ids: 1…kIdBytesMax bytes of UTF-8 without control characters.
bool is_legal_id(std::string_view id, bool any_ids);

}  // namespace atrium::domain
