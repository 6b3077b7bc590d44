#include "adapters/openapi/page_fields.h"

#include <charconv>

#include "adapters/openapi/timestamps.h"
#include "base/crypto.h"

namespace atrium::openapi {
namespace {

constexpr char kSinceMark = '@';

std::unexpected<Refusal> invalid(std::string message) {
  return std::unexpected(Refusal{ErrorCode::InvalidParameter, std::move(message)});
}

// All of the text is one number that is not negative.
std::optional<int64_t> number_of(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

std::optional<Position> parse_position(std::string_view text) {
  const size_t mark = text.find(kSinceMark);
  const auto after = number_of(text.substr(0, mark));
  if (!after) return std::nullopt;
  Position position{.after = *after};
  if (mark == std::string_view::npos) return position;
  const auto since = number_of(text.substr(mark + 1));
  if (!since) return std::nullopt;
  position.since = Wall(Duration(*since));
  return position;
}

}  // namespace

std::expected<size_t, Refusal> read_limit(const Args& args, int64_t usual, int64_t most) {
  const int64_t limit = args.integer("Limit").value_or(usual);
  if (limit < 1 || limit > most) return invalid("Limit must be 1 to " + std::to_string(most) + ".");
  return static_cast<size_t>(limit);
}

std::expected<std::optional<Wall>, Refusal> read_instant(const Args& args, std::string_view field) {
  if (args.text(field).empty()) return std::nullopt;
  const auto time = parse_rfc3339(args.text(field));
  if (!time)
    return invalid(std::string(field) +
                   " must be a time of RFC 3339 with its offset, as 2006-01-02T15:04:05Z.");
  return time;
}

std::string position_text(const Position& position) {
  std::string text = std::to_string(position.after);
  if (position.since)
    text += kSinceMark + std::to_string(position.since->time_since_epoch().count());
  return base64url(as_bytes(text));
}

std::expected<Position, Refusal> read_position(const Args& args) {
  if (args.text("Cursor").empty()) return Position{};
  const auto bytes = from_base64url(args.text("Cursor"));
  const auto position = bytes ? parse_position(as_text(*bytes)) : std::nullopt;
  if (!position) return invalid("Cursor must be the NextCursor or Cursor of an earlier answer.");
  return *position;
}

}  // namespace atrium::openapi
