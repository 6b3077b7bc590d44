#include "sim/callback_consumer.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/crypto.h"

namespace atrium::sim {
namespace {

constexpr size_t kViolationsMax = 20;
constexpr int kOk = 200, kBadRequest = 400;

// A cursor over JSON that was written without blanks.
struct Reader {
  std::string_view text;
  size_t at = 0;

  bool take(char c) {
    if (at >= text.size() || text[at] != c) return false;
    ++at;
    return true;
  }
  // Escapes are those that our identifiers and EventData can have: a quote, a backslash, a slash.
  std::optional<std::string> string() {
    if (!take('"')) return std::nullopt;
    std::string out;
    for (; at < text.size(); ++at) {
      if (text[at] == '"') return ++at, out;
      if (text[at] == '\\') ++at;
      if (at < text.size()) out += text[at];
    }
    return std::nullopt;
  }
  // A number, or an object in which no text has a brace: as it is written.
  std::optional<std::string> other() {
    const size_t begin = at;
    for (int depth = 0; at < text.size(); ++at) {
      if (depth == 0 && (text[at] == ',' || text[at] == '}'))
        return std::string(text.substr(begin, at - begin));
      depth += text[at] == '{' ? 1 : text[at] == '}' ? -1 : 0;
    }
    return std::nullopt;
  }
};

// The members of an object; none: it is no such JSON.
template <typename Fields>
std::optional<Fields> read_object(std::string_view text) {
  Reader reader{text};
  Fields out;
  if (!reader.take('{')) return std::nullopt;
  do {
    const auto name = reader.string();
    if (!name || !reader.take(':')) return std::nullopt;
    const bool is_text = reader.at < text.size() && text[reader.at] == '"';
    auto value = is_text ? reader.string() : reader.other();
    if (!value || !out.emplace(*name, std::move(*value)).second) return std::nullopt;
  } while (reader.take(','));
  if (!reader.take('}') || reader.at != text.size()) return std::nullopt;
  return out;
}

template <typename Fields>
std::string field(const Fields& fields, std::string_view name) {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string() : found->second;
}

}  // namespace

void CallbackConsumer::fail(const std::string& what) {
  if (violations_.size() < kViolationsMax) violations_.push_back("the consumer: " + what);
}

// vendor-contract 6.3.
bool CallbackConsumer::is_signed(const Fields& envelope) const {
  std::array<std::string, 8> parts{field(envelope, "EventType"), field(envelope, "EventData"),
                                   field(envelope, "EventTime"), field(envelope, "EventId"),
                                   field(envelope, "AppId"),     field(envelope, "Version"),
                                   field(envelope, "Nonce"),     secret_};
  std::ranges::sort(parts);
  std::string text;
  for (const std::string& part : parts) text += part;
  return field(envelope, "Signature") == hex(sha256(as_bytes(text)));
}

int CallbackConsumer::on_callback(std::string_view body) {
  const auto envelope = read_object<Fields>(body);
  if (!envelope) return fail("no envelope: " + std::string(body)), kBadRequest;
  if (!is_signed(*envelope) || field(*envelope, "AppId") != app_)
    return fail("a signature is wrong: " + std::string(body)), kBadRequest;
  const auto data = read_object<Fields>(field(*envelope, "EventData"));
  if (!data) return fail("no EventData: " + std::string(body)), kBadRequest;
  const std::string id = field(*envelope, "EventId");
  const std::string said =
      field(*envelope, "EventType") + field(*envelope, "EventTime") + field(*envelope, "EventData");
  const auto [known, is_new] = known_.emplace(id, said);
  if (known->second != said) fail(id + " names two events");
  if (is_new)
    take(*envelope, *data);
  else
    ++duplicates_;
  return kOk;
}

void CallbackConsumer::take(const Fields& envelope, const Fields& data) {
  const std::string room = field(data, "RoomId"), time = field(envelope, "EventTime");
  received_[room].push_back(field(envelope, "EventId"));
  std::string& latest = latest_[room];
  if (time < latest) fail(room + ": " + time + " came after " + latest);
  latest = time;
  change(field(envelope, "EventType"), room, field(data, "UserId"));
}

void CallbackConsumer::change(std::string_view type, const std::string& room,
                              const std::string& user) {
  if (type == "UserJoinRoom" || type == "InvisibleUserJoinRoom") {
    if (!table_[room].insert(user).second) fail(user + " joins " + room + " and is in already");
  } else if (type == "UserLeaveRoom" || type == "InvisibleUserLeaveRoom") {
    const auto known = table_.find(room);
    if (known == table_.end() || known->second.erase(user) == 0)
      fail(user + " leaves " + room + " and is not in");
  } else if (type == "RoomDestroy") {
    const auto known = table_.find(room);
    if (known == table_.end()) return fail(room + " ends and is not there");
    if (!known->second.empty()) fail(room + " ends and somebody is in");
    table_.erase(known);
  } else {
    fail("was sent " + std::string(type));
  }
}

}  // namespace atrium::sim
