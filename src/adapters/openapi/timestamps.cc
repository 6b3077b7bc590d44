#include "adapters/openapi/timestamps.h"

#include <algorithm>
#include <array>

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

// At least `width` characters, filled up with zeros.
void append_number(std::string& out, int number, int width) {
  if (number < 0) {  // a year before the first
    out.push_back('-');
    number = -number;
    --width;
  }
  std::array<char, 12> text;
  char* const end = text.data() + text.size();
  char* begin = end;
  for (; number > 0; number /= 10) *--begin = static_cast<char>('0' + number % 10);
  while (end - begin < width) *--begin = '0';
  out.append(begin, static_cast<size_t>(end - begin));
}

// "20240102", with what stands between: "2024-01-02".
void append_day(std::string& out, const Parts& parts, std::string_view between) {
  append_number(out, static_cast<int>(parts.day.year()), 4);
  out.append(between);
  append_number(out, static_cast<int>(static_cast<unsigned>(parts.day.month())), 2);
  out.append(between);
  append_number(out, static_cast<int>(static_cast<unsigned>(parts.day.day())), 2);
}

// "030405", likewise.
void append_seconds(std::string& out, const Parts& parts, std::string_view between) {
  append_number(out, static_cast<int>(parts.time.hours().count()), 2);
  out.append(between);
  append_number(out, static_cast<int>(parts.time.minutes().count()), 2);
  out.append(between);
  append_number(out, static_cast<int>(parts.time.seconds().count()), 2);
}

// "2024-01-02T03:04:05"
std::string extended_time(const Parts& parts) {
  std::string out;
  out.reserve(35);  // of vendor_time_ns, the longest
  append_day(out, parts, "-");
  out.push_back('T');
  append_seconds(out, parts, ":");
  return out;
}

int digits(std::string_view text) {
  int value = 0;
  for (char c : text) value = value * 10 + (c - '0');
  return value;
}

bool are_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// The number in `text`, which is `least` to `most`; nullopt: it is not.
std::optional<int> number_in(std::string_view text, int least, int most) {
  if (!are_digits(text)) return std::nullopt;
  const int value = digits(text);
  return value < least || value > most ? std::nullopt : std::optional(value);
}

// "Z", "+08:00": how far local time is ahead of UTC.
std::optional<std::chrono::minutes> parse_offset(std::string_view text) {
  if (text == "Z" || text == "z") return std::chrono::minutes(0);
  if (text.size() != 6 || text[3] != ':') return std::nullopt;
  if (text[0] != '+' && text[0] != '-' && text[0] != ' ') return std::nullopt;
  const auto hours = number_in(text.substr(1, 2), 0, 23);
  const auto minutes = number_in(text.substr(4, 2), 0, 59);
  if (!hours || !minutes) return std::nullopt;
  const std::chrono::minutes ahead(*hours * 60 + *minutes);
  return text[0] == '-' ? -ahead : ahead;
}

// Takes ".678" off the front; digits beyond the microsecond are let go.
std::optional<std::chrono::microseconds> take_fraction(std::string_view& text) {
  if (text.empty() || text.front() != '.') return std::chrono::microseconds(0);
  text.remove_prefix(1);
  std::string fraction;
  while (!text.empty() && are_digits(text.substr(0, 1))) {
    if (fraction.size() < 6) fraction.push_back(text.front());
    text.remove_prefix(1);
  }
  if (fraction.empty()) return std::nullopt;
  fraction.resize(6, '0');
  return std::chrono::microseconds(digits(fraction));
}

}  // namespace

std::optional<Wall> parse_rfc3339(std::string_view text) {
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':')
    return std::nullopt;
  if (text[10] != 'T' && text[10] != 't') return std::nullopt;
  const auto year = number_in(text.substr(0, 4), 0, 9999);
  const auto month = number_in(text.substr(5, 2), 1, 12);
  const auto day_of_month = number_in(text.substr(8, 2), 1, 31);
  const auto hour = number_in(text.substr(11, 2), 0, 23);
  const auto minute = number_in(text.substr(14, 2), 0, 59);
  const auto second = number_in(text.substr(17, 2), 0, 60);
  if (!year || !month || !day_of_month || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day day{std::chrono::year(*year),
                                        std::chrono::month(static_cast<unsigned>(*month)),
                                        std::chrono::day(static_cast<unsigned>(*day_of_month))};
  std::string_view rest = text.substr(19);
  const auto fraction = take_fraction(rest);
  const auto ahead = parse_offset(rest);
  if (!day.ok() || !fraction || !ahead) return std::nullopt;
  return Wall(std::chrono::sys_days(day).time_since_epoch() + std::chrono::hours(*hour) +
              std::chrono::minutes(*minute) + std::chrono::seconds(std::min(*second, 59)) +
              *fraction - *ahead);
}

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
  const Parts parts = split(time);
  std::string out;
  append_day(out, parts, "");
  out.push_back('T');
  append_seconds(out, parts, "");
  out.push_back('Z');
  return out;
}
void append_digits(std::string& out, Wall time) {
  const Parts parts = split(time);
  append_day(out, parts, "");
  append_seconds(out, parts, "");
}
std::string rfc3339_s(Wall time) {
  return extended_time(split(time)) + "Z";
}
std::string extended_time_ms(Wall time) {
  const Parts parts = split(time);
  std::string out = extended_time(parts);
  out.push_back('.');
  append_number(out, static_cast<int>(parts.time.subseconds().count()), 3);
  out.push_back('Z');
  return out;
}

std::string vendor_time_ns(Wall time) {
  std::string text = extended_time_ms(time);
  text.pop_back();
  return text + "000000+00:00";
}

}  // namespace atrium::openapi
