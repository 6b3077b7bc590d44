#include "adapters/webhook/vendor_envelope.h"

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "adapters/webhook/reason_detail.h"
#include "base/crypto.h"
#include "domain/device_words.h"
#include "domain/webhook_words.h"

namespace atrium::webhook {
namespace {

namespace json = boost::json;

constexpr std::string_view kVersion = "2020-12-01";

std::string_view leave_word(domain::LeaveReason reason) {
  switch (reason) {
    case domain::LeaveReason::None:
    case domain::LeaveReason::UserLeave:
    case domain::LeaveReason::RoomClosed:
      return "userLeave";
    case domain::LeaveReason::ConnectionLost:
    case domain::LeaveReason::JoinTimeout:
    case domain::LeaveReason::MediaFailure:
    case domain::LeaveReason::StateMismatch:
    case domain::LeaveReason::ServerShutdown:
      return "connectionLost";
    case domain::LeaveReason::DuplicateLogin:
      return "userDuplicateLogin";
    case domain::LeaveReason::KickedByAdmin:
      return "kickedByAdmin";
    case domain::LeaveReason::RoomDismissed:
      return "roomDismissByAdmin";
    case domain::LeaveReason::TokenExpired:
      return "onUserTokenDidExpire";
  }
  return "userLeave";
}

// "1970-01-01T00:00:00.000000000Z": nine digits, of which we know six.
std::string event_time(Wall at) {
  const auto days = std::chrono::floor<std::chrono::days>(at.time_since_epoch());
  const std::chrono::year_month_day day{std::chrono::sys_days(days)};
  const std::chrono::hh_mm_ss time(at.time_since_epoch() - days);
  std::array<char, 64> text{};
  const int length = std::snprintf(
      text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06d000Z",
      static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
      static_cast<unsigned>(day.day()), static_cast<int>(time.hours().count()),
      static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()),
      static_cast<int>(time.subseconds().count()));
  return {text.data(), static_cast<size_t>(std::max(0, length))};
}

void add_reason_detail(json::object& data, const domain::Reason& reason) {
  if (!has_detail(reason)) return;
  data["ReasonDetail"] = json::object{{"Code", reason.number},
                                      {"Name", reason.name},
                                      {"Text", reason.text},
                                      {"OperationId", reason.operation.value},
                                      {"Operator", reason.operator_id}};
}

}  // namespace

std::string vendor_signature(const SignedValues& values) {
  std::array<std::string_view, 8> parts{values.event_type, values.event_data, values.event_time,
                                        values.event_id,   values.app_id,     values.version,
                                        values.nonce,      values.secret};
  std::ranges::sort(parts);
  std::string text;
  for (std::string_view part : parts) text += part;
  return hex(sha256(as_bytes(text)));
}

std::string vendor_event_data(const domain::Event& event) {
  json::object data;
  data["RoomId"] = event.room.value;
  const bool is_leave = event.kind == domain::EventKind::UserLeft;
  if (is_leave || event.kind == domain::EventKind::UserJoined) {
    data["UserId"] = event.user.value;
    data["DeviceType"] = domain::device_name(event.with.kind);
  }
  if (is_leave) {
    data["Reason"] = leave_word(event.reason.why);
    data["Duration"] = std::chrono::floor<std::chrono::seconds>(event.stayed).count();
  }
  data["Timestamp"] = unix_ms(event.at);
  if (is_leave || event.kind == domain::EventKind::RoomEnded) add_reason_detail(data, event.reason);
  return json::serialize(data);
}

std::string vendor_body(const domain::StoredEvent& stored, const domain::Webhook& webhook,
                        SecretSource& secrets) {
  const domain::Event& event = stored.event;
  const std::string_view type = domain::event_name(domain::WebhookDialect::Vendor, event);
  const std::string data = vendor_event_data(event), time = event_time(event.at);
  const std::string nonce = std::to_string(1000 + secrets.u32() % 9000);
  json::object body;
  body["EventType"] = type;
  body["EventData"] = data;
  body["EventTime"] = time;
  body["EventId"] = event.id.value;
  body["AppId"] = event.app.value;
  if (!webhook.business.empty()) body["BusinessId"] = webhook.business;
  body["Version"] = kVersion;
  body["Signature"] = vendor_signature({.event_type = type,
                                        .event_data = data,
                                        .event_time = time,
                                        .event_id = event.id.value,
                                        .app_id = event.app.value,
                                        .version = kVersion,
                                        .nonce = nonce,
                                        .secret = webhook.secret});
  body["Nonce"] = nonce;
  body["Noce"] = nonce;  // the vendor's other spelling
  body["Sequence"] = stored.sequence;
  body["RoomSessionId"] = event.room_sid.value;
  return json::serialize(body);
}

}  // namespace atrium::webhook
