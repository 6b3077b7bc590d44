#include "adapters/store/audit_body.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "adapters/store/rows.h"
#include "base/ascii.h"
#include "base/limits.h"

namespace atrium::store {
namespace {

using domain::AuditDoor;
using domain::AuditEntry;
using domain::AuditPhase;

// In the order of the enumerations, which only grow at their ends.
constexpr std::array<std::string_view, 5> kPhases{"accepted", "finished", "read", "refused",
                                                  "counted"};
constexpr std::array<std::string_view, 4> kDoors{"openapi", "twirp", "operator", "timer"};
constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD
constexpr std::string_view kHexDigits = "0123456789abcdef";

// --- texts ---------------------------------------------------------------------------------------

// Bytes of the well-formed character that `text` begins with (RFC 3629 §4); 0: it begins with none.
size_t character_size(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const bool is_overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool is_no_scalar = (first == 0xed && byte(1) > 0x9f) || (first == 0xf4 && byte(1) > 0x8f);
  return is_overlong || is_no_scalar ? 0 : size;
}

constexpr auto kTextBytesMax = static_cast<size_t>(limits::kAuditTextBytesMax);

// Short and ASCII, as nearly all of them are.
bool is_bounded(std::string_view text) {
  return text.size() <= kTextBytesMax && is_ascii(text);
}

void bound(std::string& text) {
  if (is_bounded(text)) return;
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t size = character_size(std::string_view(text).substr(i));
    const std::string_view character =
        size == 0 ? kReplacement : std::string_view(text).substr(i, size);
    if (out.size() + character.size() > kTextBytesMax) break;
    out += character;
    i += std::max<size_t>(size, 1);
  }
  text = std::move(out);
}

// --- writing -------------------------------------------------------------------------------------

// Version 1, of earlier servers, has all members.  In version 2 those that say nothing are left out: most records are
// of reads and have half of them.
enum class Version : uint8_t { All = 1, Brief = 2 };

void append_escaped(std::string& out, char c) {
  if (!is_escaped_in_json(c)) {
    out += c;
  } else if (c == '"' || c == '\\') {
    out += '\\';
    out += c;
  } else {
    out.append("\\u00");
    out += kHexDigits[static_cast<uint8_t>(c) >> 4];
    out += kHexDigits[c & 0xf];
  }
}

void append_text(std::string& out, std::string_view value) {
  out += '"';
  if (!is_any_escaped_in_json(value))
    out += value;
  else
    for (const char c : value) append_escaped(out, c);
  out += '"';
}

class Writer {
 public:
  // Appends to `out`, which outlives it.
  Writer(std::string& out, Version version) : is_brief_(version == Version::Brief), out_(out) {
    out_ += '{';
  }
  Writer& key(std::string_view name) {
    out_.append(out_.back() == '{' ? "\"" : ",\"").append(name).append("\":");
    return *this;
  }
  Writer& raw(std::string_view text) {
    out_ += text;
    return *this;
  }
  template <typename Number>
  Writer& number(Number value) {
    return raw(std::to_string(value));
  }
  Writer& boolean(bool value) { return raw(value ? "true" : "false"); }
  Writer& text(std::string_view value) {
    append_text(out_, value);
    return *this;
  }

  // Members, left out of a brief record where they say nothing.
  void text_member(std::string_view name, std::string_view value) {
    if (!is_brief_ || !value.empty()) key(name).text(value);
  }
  void true_member(std::string_view name, bool value) {
    if (!is_brief_ || value) key(name).boolean(value);
  }
  template <typename Number>
  void number_member(std::string_view name, Number value, Number usual) {
    if (!is_brief_ || value != usual) key(name).number(value);
  }
  void hash_member(std::string_view name, const std::optional<Sha256>& hash) {
    if (hash)
      key(name).text(hex(*hash));
    else if (!is_brief_)
      key(name).raw("null");
  }
  bool is_brief() const { return is_brief_; }

 private:
  const bool is_brief_;
  std::string& out_;
};

// --- reading -------------------------------------------------------------------------------------

// Takes what is expected off the front of the text.  After the first surprise everything fails.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool take(std::string_view literal) {
    if (!is_good_ || !rest_.starts_with(literal)) return is_good_ = false;
    rest_.remove_prefix(literal.size());
    return true;
  }
  bool take_if(std::string_view literal) {
    return is_good_ && rest_.starts_with(literal) && take(literal);
  }
  void key(std::string_view name) {
    if (!is_first_) take(",");
    is_first_ = false;
    take("\""), take(name), take("\":");
  }
  template <typename Number>
  void number(Number& out) {
    const auto [end, failure] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), out);
    if (failure != std::errc()) is_good_ = false;
    if (is_good_) rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
  }
  void boolean(bool& out) {
    out = take_if("true");
    if (!out) take("false");
  }
  void text(std::string& out) {
    take("\"");
    while (is_good_ && !rest_.empty() && rest_.front() != '"') character(out);
    take("\"");
  }
  template <typename Enumerator>
  void word(std::span<const std::string_view> words, Enumerator& out) {
    std::string found;
    text(found);
    const auto at = std::ranges::find(words, found);
    if (at == words.end())
      is_good_ = false;
    else
      out = static_cast<Enumerator>(at - words.begin());
  }
  // Whether the next member has this name; in a version 1 record it must have.
  bool has(std::string_view name) {
    const Reader before = *this;
    key(name);
    if (is_good_ || !is_brief_) return is_good_;
    *this = before;
    return false;
  }
  void version() {
    key("v");
    is_brief_ = take_if("2");
    if (!is_brief_) take("1");
  }
  Version spelling() const { return is_brief_ ? Version::Brief : Version::All; }
  void open() { take("{"), is_first_ = true; }
  void close() { take("}"), is_first_ = false; }
  void refuse() { is_good_ = false; }
  bool is_done() const { return is_good_ && rest_.empty(); }

 private:
  void character(std::string& out) {
    if (!take_if("\\")) {
      out += rest_.front();
      rest_.remove_prefix(1);
    } else if (take_if("u00")) {
      const size_t high = hex_digit(), low = hex_digit();
      out += static_cast<char>(high << 4 | low);
    } else {
      out += rest_.starts_with('"') ? '"' : '\\';
      take(out.ends_with('"') ? "\"" : "\\");
    }
  }
  size_t hex_digit() {
    const size_t digit = rest_.empty() ? kHexDigits.npos : kHexDigits.find(rest_.front());
    if (digit == kHexDigits.npos) {
      is_good_ = false;
      return 0;
    }
    rest_.remove_prefix(1);
    return digit;
  }

  std::string_view rest_;
  bool is_good_ = true;
  bool is_first_ = true;
  bool is_brief_ = false;
};

void write_reason(Writer& out, const domain::Reason& reason) {
  if (out.is_brief() && reason == domain::Reason()) return;
  out.key("reason").raw("{");
  out.key("why").number(static_cast<int>(reason.why));
  out.key("number").number(reason.number);
  out.text_member("name", reason.name);
  out.text_member("text", reason.text);
  out.text_member("operation", reason.operation.value);
  out.text_member("operator", reason.operator_id);
  out.raw("}");
}

void read_reason(Reader& in, domain::Reason& reason) {
  in.open();
  uint8_t why = 0;
  in.key("why"), in.number(why);
  reason.why = static_cast<domain::LeaveReason>(why);
  in.key("number"), in.number(reason.number);
  if (in.has("name")) in.text(reason.name);
  if (in.has("text")) in.text(reason.text);
  if (in.has("operation")) in.text(reason.operation.value);
  if (in.has("operator")) in.text(reason.operator_id);
  in.close();
}

void read_hash(Reader& in, std::optional<Sha256>& hash) {
  if (in.take_if("null")) return;
  std::string text;
  in.text(text);
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != Sha256().size()) return in.refuse();
  std::ranges::copy(*bytes, hash.emplace().begin());
}

auto texts_of(auto& entry) {
  return std::array{&entry.account,
                    &entry.access_key,
                    &entry.action,
                    &entry.version,
                    &entry.app.value,
                    &entry.room.value,
                    &entry.operation.value,
                    &entry.request_id,
                    &entry.source,
                    &entry.outcome,
                    &entry.reason.name,
                    &entry.reason.text,
                    &entry.reason.operation.value,
                    &entry.reason.operator_id};
}

}  // namespace

bool is_bounded(const AuditEntry& entry) {
  return std::ranges::all_of(texts_of(entry),
                             [](const std::string* text) { return is_bounded(*text); });
}

AuditEntry bounded(AuditEntry entry) {
  for (std::string* text : texts_of(entry)) bound(*text);
  return entry;
}

namespace {

void write_body(std::string& text, const AuditEntry& entry, Version version) {
  static const AuditEntry kUsual;
  Writer out(text, version);
  out.key("v").number(static_cast<int>(version));
  out.key("phase").text(kPhases[static_cast<size_t>(entry.phase)]);
  out.key("door").text(kDoors[static_cast<size_t>(entry.door)]);
  out.key("at").number(unix_us(entry.at));
  out.text_member("account", entry.account);
  out.text_member("access_key", entry.access_key);
  out.text_member("action", entry.action);
  out.text_member("version", entry.version);
  out.text_member("app", entry.app.value);
  out.text_member("room", entry.room.value);
  out.text_member("operation", entry.operation.value);
  out.text_member("request_id", entry.request_id);
  out.text_member("source", entry.source);
  out.hash_member("body_hash", entry.body_hash);
  out.true_member("dry_run", entry.is_dry_run);
  out.true_member("replay", entry.is_replay);
  out.number_member("status", entry.status, kUsual.status);
  out.text_member("outcome", entry.outcome);
  write_reason(out, entry.reason);
  out.number_member("count", entry.count, kUsual.count);
  out.raw("}");
}

}  // namespace

std::string audit_body(const AuditEntry& entry) {
  std::string out;
  append_audit_body(out, entry);
  return out;
}

void append_audit_body(std::string& out, const AuditEntry& entry) {
  write_body(out, entry, Version::Brief);
}

Result<AuditEntry> parse_audit_body(std::string_view body) {
  AuditEntry entry;
  Reader in(body);
  in.open();
  in.version();
  in.key("phase"), in.word(kPhases, entry.phase);
  in.key("door"), in.word(kDoors, entry.door);
  int64_t at_us = 0;
  in.key("at"), in.number(at_us);
  entry.at = wall_from_unix_us(at_us);
  if (in.has("account")) in.text(entry.account);
  if (in.has("access_key")) in.text(entry.access_key);
  if (in.has("action")) in.text(entry.action);
  if (in.has("version")) in.text(entry.version);
  if (in.has("app")) in.text(entry.app.value);
  if (in.has("room")) in.text(entry.room.value);
  if (in.has("operation")) in.text(entry.operation.value);
  if (in.has("request_id")) in.text(entry.request_id);
  if (in.has("source")) in.text(entry.source);
  if (in.has("body_hash")) read_hash(in, entry.body_hash);
  if (in.has("dry_run")) in.boolean(entry.is_dry_run);
  if (in.has("replay")) in.boolean(entry.is_replay);
  if (in.has("status")) in.number(entry.status);
  if (in.has("outcome")) in.text(entry.outcome);
  if (in.has("reason")) read_reason(in, entry.reason);
  if (in.has("count")) in.number(entry.count);
  in.close();
  // The one spelling: "01", "\u0041", an empty member of a brief record and the like are read above and are not ours.
  std::string ours;
  write_body(ours, entry, in.spelling());
  if (!in.is_done() || ours != body)
    return malformed("the text of an audit record is not one of ours");
  return entry;
}

int64_t audit_body_count(std::string_view row) {
  return std::ranges::count(row, kAuditBodiesEnd) + 1;
}

std::vector<std::string_view> audit_bodies(std::string_view row) {
  std::vector<std::string_view> out;
  for (size_t end = row.find(kAuditBodiesEnd); end != row.npos; end = row.find(kAuditBodiesEnd)) {
    out.push_back(row.substr(0, end));
    row.remove_prefix(end + 1);
  }
  out.push_back(row);
  return out;
}

std::optional<int64_t> audit_time(std::string_view body) {
  constexpr std::string_view kMember = ",\"at\":";  // before it there are words of ours alone
  const size_t at = body.find(kMember);
  if (at == body.npos) return std::nullopt;
  int64_t value = 0;
  const char* const begin = body.data() + at + kMember.size();
  const auto [end, failure] = std::from_chars(begin, body.data() + body.size(), value);
  return failure == std::errc() ? std::optional(value) : std::nullopt;
}

std::string audit_member(std::string_view name, std::string_view value) {
  std::string out =
      ",\"";  // none of them is a record's first, and no text has a quotation mark that is not escaped
  out.append(name).append("\":");
  append_text(out, value);
  return out;
}

}  // namespace atrium::store
