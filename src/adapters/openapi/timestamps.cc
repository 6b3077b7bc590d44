#include "adapters/openapi/timestamps.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace atrium::openapi {
namespace {

struct Parts {
  std::chrono::year_month_day day;
  std::chrono::hh_mm_ss<std::chrono::milliseconds> time;
};

Parts split(Wall time) {
  const auto since_epoch = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
  const auto days = std::chrono::floor<std::chrono::days>(since_epoch);
  return {std::chrono::sys_days(days), std::chrono::hh_mm_ss(since_epoch - days)};
}

std::string format(const char* pattern, Wall time) {
  const Parts parts = split(time);
  std::array<char, 64> text{};
  const int length = std::snprintf(
      text.data(), text.size(), pattern, static_cast<int>(parts.day.year()),
      static_cast<unsigned>(parts.day.month()), static_cast<unsigned>(parts.day.day()),
      static_cast<int>(parts.time.hours().count()), static_cast<int>(parts.time.minutes().count()),
      static_cast<int>(parts.time.seconds().count()),
      static_cast<int>(parts.time.subseconds().count()));
  return {text.data(), static_cast<size_t>(std::max(0, length))};
}

int digits(std::string_view text) {
  int value = 0;
  for (char c : text) value = value * 10 + (c - '0');
  return value;
}

}  // namespace

std::optional<Wall> parse_basic_time(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  for (size_t i = 0; i < 15; ++i)
    if (i != 8 && (text[i] < '0' || text[i] > '9')) return std::nullopt;
  const std::chrono::year_month_day day{
      std::chrono::year(digits(text.substr(0, 4))),
      std::chrono::month(static_cast<unsigned>(digits(text.substr(4, 2)))),
      std::chrono::day(static_cast<unsigned>(digits(text.substr(6, 2))))};
  const int hour = digits(text.substr(9, 2)), minute = digits(text.substr(11, 2)),
            second = digits(text.substr(13, 2));
  if (!day.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return Wall(std::chrono::sys_days(day).time_since_epoch() + std::chrono::hours(hour) +
              std::chrono::minutes(minute) + std::chrono::seconds(second));
}

std::string basic_time(Wall time) {
  return format("%04d%02u%02uT%02d%02d%02dZ", time);
}
std::string extended_time_ms(Wall time) {
  return format("%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", time);
}

std::string vendor_time_ns(Wall time) {
  std::string text = extended_time_ms(time);
  text.pop_back();
  return text + "000000+00:00";
}

}  // namespace atrium::openapi
