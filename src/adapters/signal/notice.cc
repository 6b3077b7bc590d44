#include "adapters/signal/notice.h"

#include <boost/json.hpp>

#include "domain/notices.h"
#include "wire/data_packet.h"

namespace atrium::signal {
namespace {

std::string_view cause_name(domain::EndCause cause) {
  switch (cause) {
    case domain::EndCause::Schedule:
      return "schedule";
    case domain::EndCause::EndAt:
      return "end_at";
    case domain::EndCause::MaxDuration:
      return "max_duration";
    case domain::EndCause::Idle:
      return "idle";
    case domain::EndCause::WithoutHost:
      return "without_host";
  }
  return "";
}

}  // namespace

std::string notice_json(const domain::Notice& notice) {
  boost::json::object body;
  body["code"] = static_cast<int64_t>(notice.code);
  body["name"] =
      notice.name.empty() ? domain::client_code_name(notice.code) : std::string_view(notice.name);
  body["message"] = notice.message.empty() ? domain::client_code_message(notice.code)
                                           : std::string_view(notice.message);
  if (!notice.operation.empty()) body["operationId"] = notice.operation.value;
  if (!notice.operator_id.empty()) body["operator"] = notice.operator_id;
  if (notice.forbidden_until) body["forbiddenTime"] = unix_ms(*notice.forbidden_until);
  return boost::json::serialize(body);
}

Bytes notice_packet(const domain::Notice& notice) {
  return server_data_packet(kErrorTopic, notice_json(notice));
}

Bytes stream_ban_packet(const UserId& user, bool audio, bool video) {
  const boost::json::object body{{"userId", user.value}, {"audio", audio}, {"video", video}};
  return server_data_packet("atrium.stream_banned", boost::json::serialize(body));
}

Bytes countdown_packet(const domain::Countdown& countdown) {
  const bool is_schedule = countdown.cause == domain::EndCause::Schedule;
  boost::json::object body;
  if (is_schedule)
    body["scheduleId"] = countdown.schedule.value;
  else
    body["cause"] = cause_name(countdown.cause);
  body["dueAt"] = unix_ms(countdown.due_at);
  body["remainingMs"] = countdown.remaining / 1ms;
  body["reason"] = countdown.reason;
  if (is_schedule) body["refusesJoins"] = countdown.refuses_joins;
  const char* topic = is_schedule ? countdown.is_called_off ? "atrium.dismissal_cancelled"
                                                            : "atrium.dismissal_scheduled"
                      : countdown.is_called_off ? "atrium.room_ends_cancelled"
                                                : "atrium.room_ends";
  return server_data_packet(topic, boost::json::serialize(body));
}

Bytes server_data_packet(std::string_view topic, std::string_view json) {
  return wire::build_user_packet(wire::DataKind::Reliable, topic, as_bytes(json));
}

domain::LeaveReason leave_reason(domain::ClientCode code) {
  switch (code) {
    case domain::ClientCode::RoomDismiss:
      return domain::LeaveReason::RoomDismissed;
    case domain::ClientCode::DuplicateLogin:
      return domain::LeaveReason::DuplicateLogin;
    case domain::ClientCode::TokenExpired:
      return domain::LeaveReason::TokenExpired;
    default:
      return domain::LeaveReason::KickedByAdmin;
  }
}

}  // namespace atrium::signal
