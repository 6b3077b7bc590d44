#include "adapters/store/audit_body.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "adapters/store/rows.h"
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

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

void bound(std::string& text) {
  constexpr auto kMax = static_cast<size_t>(limits::kAuditTextBytesMax);
  if (text.size() <= kMax && is_ascii(text)) return;  // nearly all of them
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t size = character_size(std::string_view(text).substr(i));
    const std::string_view character =
        size == 0 ? kReplacement : std::string_view(text).substr(i, size);
    if (out.size() + character.size() > kMax) break;
    out += character;
    i += std::max<size_t>(size, 1);
  }
  text = std::move(out);
}

// --- writing -------------------------------------------------------------------------------------

class Writer {
 public:
  Writer() {
    out_.reserve(1'024);  // longer than most records
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
    out_ += '"';
    if (std::ranges::none_of(value, is_escaped))
      out_ += value;
    else
      for (const char c : value) put(c);
    out_ += '"';
    return *this;
  }
  std::string take() { return std::move(out_); }

 private:
  static bool is_escaped(char c) { return c == '"' || c == '\\' || static_cast<uint8_t>(c) < 0x20; }
  void put(char c) {
    if (!is_escaped(c)) {
      out_ += c;
    } else if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += c;
    } else {
      out_.append("\\u00");
      out_ += kHexDigits[static_cast<uint8_t>(c) >> 4];
      out_ += kHexDigits[c & 0xf];
    }
  }

  std::string out_;
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
};

void read_reason(Reader& in, domain::Reason& reason) {
  in.open();
  uint8_t why = 0;
  in.key("why"), in.number(why);
  reason.why = static_cast<domain::LeaveReason>(why);
  in.key("number"), in.number(reason.number);
  in.key("name"), in.text(reason.name);
  in.key("text"), in.text(reason.text);
  in.key("operation"), in.text(reason.operation.value);
  in.key("operator"), in.text(reason.operator_id);
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

}  // namespace

AuditEntry bounded(AuditEntry entry) {
  for (std::string* text :
       {&entry.account, &entry.access_key, &entry.action, &entry.version, &entry.app.value,
        &entry.room.value, &entry.operation.value, &entry.request_id, &entry.source, &entry.outcome,
        &entry.reason.name, &entry.reason.text, &entry.reason.operation.value,
        &entry.reason.operator_id})
    bound(*text);
  return entry;
}

std::string audit_body(const AuditEntry& entry) {
  Writer out;
  out.key("v").number(1);
  out.key("phase").text(kPhases[static_cast<size_t>(entry.phase)]);
  out.key("door").text(kDoors[static_cast<size_t>(entry.door)]);
  out.key("at").number(unix_us(entry.at));
  out.key("account").text(entry.account);
  out.key("access_key").text(entry.access_key);
  out.key("action").text(entry.action);
  out.key("version").text(entry.version);
  out.key("app").text(entry.app.value);
  out.key("room").text(entry.room.value);
  out.key("operation").text(entry.operation.value);
  out.key("request_id").text(entry.request_id);
  out.key("source").text(entry.source);
  out.key("body_hash");
  if (entry.body_hash)
    out.text(hex(*entry.body_hash));
  else
    out.raw("null");
  out.key("dry_run").boolean(entry.is_dry_run);
  out.key("replay").boolean(entry.is_replay);
  out.key("status").number(entry.status);
  out.key("outcome").text(entry.outcome);
  out.key("reason").raw("{");
  out.key("why").number(static_cast<int>(entry.reason.why));
  out.key("number").number(entry.reason.number);
  out.key("name").text(entry.reason.name);
  out.key("text").text(entry.reason.text);
  out.key("operation").text(entry.reason.operation.value);
  out.key("operator").text(entry.reason.operator_id);
  out.raw("}").key("count").number(entry.count);
  return out.raw("}").take();
}

Result<AuditEntry> parse_audit_body(std::string_view body) {
  AuditEntry entry;
  Reader in(body);
  in.open();
  in.key("v"), in.take("1");
  in.key("phase"), in.word(kPhases, entry.phase);
  in.key("door"), in.word(kDoors, entry.door);
  int64_t at_us = 0;
  in.key("at"), in.number(at_us);
  entry.at = wall_from_unix_us(at_us);
  in.key("account"), in.text(entry.account);
  in.key("access_key"), in.text(entry.access_key);
  in.key("action"), in.text(entry.action);
  in.key("version"), in.text(entry.version);
  in.key("app"), in.text(entry.app.value);
  in.key("room"), in.text(entry.room.value);
  in.key("operation"), in.text(entry.operation.value);
  in.key("request_id"), in.text(entry.request_id);
  in.key("source"), in.text(entry.source);
  in.key("body_hash"), read_hash(in, entry.body_hash);
  in.key("dry_run"), in.boolean(entry.is_dry_run);
  in.key("replay"), in.boolean(entry.is_replay);
  in.key("status"), in.number(entry.status);
  in.key("outcome"), in.text(entry.outcome);
  in.key("reason"), read_reason(in, entry.reason);
  in.key("count"), in.number(entry.count);
  in.close();
  // The one spelling: "01", "\u0041" and the like are read above and are not ours.
  if (!in.is_done() || audit_body(entry) != body)
    return malformed("the text of an audit record is not one of ours");
  return entry;
}

}  // namespace atrium::store
