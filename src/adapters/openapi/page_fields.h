// Fields that several reading actions share: how many rows, from which point in time, and behind which position.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/openapi/args.h"
#include "base/time.h"

namespace atrium::openapi {

// Limit: 1…`most`, else `usual`.
std::expected<size_t, Refusal> read_limit(const Args& args, int64_t usual, int64_t most);
// A time of RFC 3339; absent or empty: nullopt.
std::expected<std::optional<Wall>, Refusal> read_instant(const Args& args, std::string_view field);

// Where a reader of a growing list is.  Opaque to callers.
struct Position {
  int64_t after = 0;               // what comes behind this number
  std::optional<Wall> since = {};  // and not before this time; only until something has been read
};
std::string position_text(const Position& position);
// Cursor: absent or empty, the beginning.
std::expected<Position, Refusal> read_position(const Args& args);

}  // namespace atrium::openapi
