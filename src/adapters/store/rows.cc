#include "adapters/store/rows.h"

#include <algorithm>
#include <charconv>

namespace atrium::store {
namespace {

// The number that `text` begins with, which `end` follows; takes both away.
std::optional<int64_t> take_number(std::string_view& text, char end) {
  const size_t at = text.find(end);
  if (at == text.npos) return std::nullopt;
  int64_t value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + at, value);
  if (error != std::errc() || rest != text.data() + at) return std::nullopt;
  text.remove_prefix(at + 1);
  return value;
}

}  // namespace

void put_time(Statement& statement, const std::optional<Wall>& time) {
  statement.put(time ? std::optional(unix_us(*time)) : std::nullopt);
}
std::optional<Wall> read_time(Statement& row) {
  const auto us = row.optional_number<int64_t>();
  return us ? std::optional(wall_from_unix_us(*us)) : std::nullopt;
}
void put_span(Statement& statement, const std::optional<Duration>& span) {
  statement.put(span ? std::optional<int64_t>(span->count()) : std::nullopt);
}
std::optional<Duration> read_span(Statement& row) {
  const auto us = row.optional_number<int64_t>();
  return us ? std::optional(Duration(*us)) : std::nullopt;
}

std::string list_text(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += std::to_string(text.size()) + ":" + text;
  return out;
}
Result<std::vector<std::string>> texts_of(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const auto size = take_number(list, ':');
    if (!size || *size < 0 || static_cast<size_t>(*size) > list.size())
      return malformed("a stored list of texts is none");
    out.emplace_back(list.substr(0, static_cast<size_t>(*size)));
    list.remove_prefix(static_cast<size_t>(*size));
  }
  return out;
}
std::string spans_text(const std::vector<Duration>& spans) {
  std::string out;
  for (const Duration span : spans) out += std::to_string(span.count()) + ",";
  return out;
}
Result<std::vector<Duration>> spans_of(std::string_view text) {
  std::vector<Duration> out;
  while (!text.empty()) {
    const auto us = take_number(text, ',');
    if (!us) return malformed("a stored list of spans is none");
    out.emplace_back(*us);
  }
  return out;
}

void put_dismissal(Statement& statement, const domain::DismissalRecord& record) {
  statement.start()
      .put(record.operation.value)
      .put(record.app.value)
      .put(record.room.value)
      .put(record.room_sid.value)
      .put(static_cast<int64_t>(record.epoch))
      .put(static_cast<int64_t>(record.state))
      .put(record.operator_id)
      .put(record.request_id)
      .put(record.reason)
      .put(record.failure)
      .put(unix_us(record.accepted_at));
  put_time(statement, record.fenced_at);
  put_time(statement, record.media_cut_at);
  put_time(statement, record.notified_at);
  put_time(statement, record.closed_at);
  statement.put(record.fenced_us)
      .put(record.media_cut_us)
      .put(record.notified_us)
      .put(record.closed_us)
      .put(static_cast<int64_t>(record.users_at_fence))
      .put(record.notified)
      .put(record.not_notified)
      .put(record.packets_after_cut)
      .put(record.transports_at_fence)
      .put(record.transports_closed)
      .put(static_cast<int64_t>(record.code));
  put_time(statement, record.forbidden_until);
}

domain::DismissalRecord read_dismissal(Statement& row) {
  domain::DismissalRecord record;
  record.operation = OperationId(row.text());
  record.app = AppId(row.text());
  record.room = RoomId(row.text());
  record.room_sid = RoomSid(row.text());
  record.epoch = static_cast<uint64_t>(row.number());
  record.state = static_cast<domain::DismissalState>(row.number());
  record.operator_id = row.text();
  record.request_id = row.text();
  record.reason = row.text();
  record.failure = row.text();
  record.accepted_at = wall_from_unix_us(row.number());
  record.fenced_at = read_time(row);
  record.media_cut_at = read_time(row);
  record.notified_at = read_time(row);
  record.closed_at = read_time(row);
  record.fenced_us = row.optional_number<int64_t>();
  record.media_cut_us = row.optional_number<int64_t>();
  record.notified_us = row.optional_number<int64_t>();
  record.closed_us = row.optional_number<int64_t>();
  record.users_at_fence = static_cast<uint32_t>(row.number());
  record.notified = row.optional_number<uint32_t>();
  record.not_notified = row.optional_number<uint32_t>();
  record.packets_after_cut = row.optional_number<uint64_t>();
  record.transports_at_fence = row.optional_number<uint32_t>();
  record.transports_closed = row.optional_number<uint32_t>();
  record.code = static_cast<domain::ClientCode>(row.number());
  record.forbidden_until = read_time(row);
  return record;
}

domain::NotNotified read_not_notified(Statement& row) {
  domain::NotNotified name;
  name.user = UserId(row.text());
  name.participant = ParticipantSid(row.text());
  name.reason = static_cast<domain::NotNotifiedReason>(row.number());
  return name;
}

void put_reason(Statement& statement, const domain::Reason& reason) {
  statement.put(static_cast<int64_t>(reason.why))
      .put(static_cast<int64_t>(reason.number))
      .put(reason.name)
      .put(reason.text)
      .put(reason.operation.value)
      .put(reason.operator_id);
}

domain::Reason read_reason(Statement& row) {
  domain::Reason reason;
  reason.why = static_cast<domain::LeaveReason>(row.number());
  reason.number = static_cast<int32_t>(row.number());
  reason.name = row.text();
  reason.text = row.text();
  reason.operation = OperationId(row.text());
  reason.operator_id = row.text();
  return reason;
}

void put_event(Statement& statement, const domain::Event& event, int64_t sequence,
               const OperationId& held_by) {
  statement.start()
      .put(sequence)
      .put(held_by.value)
      .put(event.id.value)
      .put(static_cast<int64_t>(event.kind))
      .put(event.app.value)
      .put(event.room.value)
      .put(event.room_sid.value)
      .put(event.participant.value)
      .put(event.user.value)
      .put(event.track.value);
  put_reason(statement, event.reason);
  statement.put(unix_us(event.at))
      .put(int64_t{event.stayed.count()})
      .put(static_cast<int64_t>(event.hidden))
      .put(static_cast<int64_t>(event.with.kind))
      .put(event.with.model)
      .put(event.with.sdk)
      .put(event.with.network)
      .put(static_cast<int64_t>(event.track_kind))
      .put(static_cast<int64_t>(event.source));
}

domain::StoredEvent read_event(Statement& row) {
  domain::StoredEvent stored;
  stored.cursor = row.number();
  stored.sequence = row.number();
  stored.is_held = !row.text().empty();
  domain::Event& event = stored.event;
  event.id = EventId(row.text());
  event.kind = static_cast<domain::EventKind>(row.number());
  event.app = AppId(row.text());
  event.room = RoomId(row.text());
  event.room_sid = RoomSid(row.text());
  event.participant = ParticipantSid(row.text());
  event.user = UserId(row.text());
  event.track = TrackSid(row.text());
  event.reason = read_reason(row);
  event.at = wall_from_unix_us(row.number());
  event.stayed = Duration(row.number());
  event.hidden = row.number() != 0;
  event.with.kind = static_cast<domain::DeviceKind>(row.number());
  event.with.model = row.text();
  event.with.sdk = row.text();
  event.with.network = row.text();
  event.track_kind = static_cast<domain::TrackKind>(row.number());
  event.source = static_cast<domain::TrackSource>(row.number());
  return stored;
}

void put_tombstone(Statement& statement, const domain::Tombstone& tombstone) {
  statement.start()
      .put(tombstone.participant.value)
      .put(ByteView(tombstone.token_hash))
      .put(tombstone.app.value)
      .put(tombstone.room.value)
      .put(tombstone.room_sid.value)
      .put(tombstone.user.value)
      .put(tombstone.operation.value)
      .put(static_cast<int64_t>(tombstone.code))
      .put(unix_us(tombstone.expires_at))
      .put(tombstone.text)
      .put(tombstone.operator_id);
}

domain::Tombstone read_tombstone(Statement& row) {
  domain::Tombstone tombstone;
  tombstone.participant = ParticipantSid(row.text());
  const ByteView hash = row.bytes();
  std::copy_n(hash.begin(), std::min(hash.size(), tombstone.token_hash.size()),
              tombstone.token_hash.begin());
  tombstone.app = AppId(row.text());
  tombstone.room = RoomId(row.text());
  tombstone.room_sid = RoomSid(row.text());
  tombstone.user = UserId(row.text());
  tombstone.operation = OperationId(row.text());
  tombstone.code = static_cast<domain::ClientCode>(row.number());
  tombstone.expires_at = wall_from_unix_us(row.number());
  tombstone.text = row.text();
  tombstone.operator_id = row.text();
  return tombstone;
}

Result<void> write_ban(Statement& statement, const domain::BanRule& rule) {
  using Text = std::optional<std::string_view>;
  const domain::BanTarget& target = rule.target;
  const std::string range = target.ip ? target.ip->text() : std::string();
  statement.start()
      .put(rule.id.value)
      .put(rule.app.value)
      .put_text(target.room ? Text(target.room->value) : Text())
      .put_text(target.user ? Text(target.user->value) : Text())
      .put_text(target.ip ? Text(range) : Text())
      .put_bytes(target.token ? std::optional(ByteView(*target.token)) : std::nullopt)
      .put(rule.operator_id)
      .put(rule.reason)
      .put(unix_us(rule.created_at))
      .put(unix_us(rule.expires_at));
  return statement.finish();
}

Result<domain::BanRule> read_ban(Statement& row) {
  domain::BanRule rule;
  rule.id = BanId(row.text());
  rule.app = AppId(row.text());
  if (const auto room = row.optional_text()) rule.target.room = RoomId(*room);
  if (const auto user = row.optional_text()) rule.target.user = UserId(*user);
  if (const auto range = row.optional_text()) {
    rule.target.ip = IpPrefix::parse(*range);
    if (!rule.target.ip) return malformed("a stored ban names no address range");
  }
  if (const auto token = row.optional_text()) {
    rule.target.token.emplace();
    if (token->size() != rule.target.token->size()) return malformed("a stored ban names no token");
    std::copy(token->begin(), token->end(), rule.target.token->begin());
  }
  rule.operator_id = row.text();
  rule.reason = row.text();
  rule.created_at = wall_from_unix_us(row.number());
  rule.expires_at = wall_from_unix_us(row.number());
  return rule;
}

}  // namespace atrium::store
