#include "adapters/openapi/record_results.h"

#include "adapters/openapi/page_fields.h"
#include "adapters/openapi/results.h"
#include "adapters/openapi/timestamps.h"
#include "base/crypto.h"
#include "domain/device_words.h"

namespace atrium::openapi {
namespace {

std::string_view name_of(domain::EventKind kind) {
  switch (kind) {
    case domain::EventKind::RoomStarted:
      return "RoomStarted";
    case domain::EventKind::RoomEnded:
      return "RoomEnded";
    case domain::EventKind::UserJoined:
      return "UserJoined";
    case domain::EventKind::UserLeft:
      return "UserLeft";
    case domain::EventKind::TrackPublished:
      return "TrackPublished";
    case domain::EventKind::TrackUnpublished:
      return "TrackUnpublished";
  }
  return "";
}

std::string_view name_of(domain::LeaveReason why) {
  switch (why) {
    case domain::LeaveReason::None:
      return "";
    case domain::LeaveReason::UserLeave:
      return "user_leave";
    case domain::LeaveReason::ConnectionLost:
      return "connection_lost";
    case domain::LeaveReason::DuplicateLogin:
      return "duplicate_login";
    case domain::LeaveReason::KickedByAdmin:
      return "kicked_by_admin";
    case domain::LeaveReason::RoomDismissed:
      return "room_dismissed";
    case domain::LeaveReason::TokenExpired:
      return "token_expired";
    case domain::LeaveReason::JoinTimeout:
      return "join_timeout";
    case domain::LeaveReason::RoomClosed:
      return "room_closed";
    case domain::LeaveReason::ServerShutdown:
      return "server_shutdown";
    case domain::LeaveReason::MediaFailure:
      return "media_failure";
    case domain::LeaveReason::StateMismatch:
      return "state_mismatch";
  }
  return "";
}

std::string_view name_of(domain::TrackSource source) {
  switch (source) {
    case domain::TrackSource::Unknown:
      return "unknown";
    case domain::TrackSource::Camera:
      return "camera";
    case domain::TrackSource::Microphone:
      return "microphone";
    case domain::TrackSource::ScreenShare:
      return "screen_share";
    case domain::TrackSource::ScreenShareAudio:
      return "screen_share_audio";
  }
  return "";
}

std::string_view name_of(domain::AuditPhase phase) {
  switch (phase) {
    case domain::AuditPhase::Accepted:
      return "accepted";
    case domain::AuditPhase::Finished:
      return "finished";
    case domain::AuditPhase::Read:
      return "read";
    case domain::AuditPhase::Refused:
      return "refused";
    case domain::AuditPhase::Counted:
      return "counted";
  }
  return "";
}

std::string_view name_of(domain::AuditDoor door) {
  switch (door) {
    case domain::AuditDoor::OpenApi:
      return "openapi";
    case domain::AuditDoor::Twirp:
      return "twirp";
    case domain::AuditDoor::Operator:
      return "operator";
    case domain::AuditDoor::Timer:
      return "timer";
  }
  return "";
}

void add_text(Json::Object& out, const char* name, std::string_view text) {
  if (!text.empty()) out.emplace_back(name, text);
}

bool is_about_track(domain::EventKind kind) {
  return kind == domain::EventKind::TrackPublished || kind == domain::EventKind::TrackUnpublished;
}

}  // namespace

Json reason_json(const domain::Reason& reason) {
  Json::Object out;
  add_text(out, "Why", name_of(reason.why));
  if (reason.number != 0) out.emplace_back("Number", int64_t{reason.number});
  add_text(out, "Name", reason.name);
  add_text(out, "Text", reason.text);
  add_text(out, "OperationId", reason.operation.value);
  add_text(out, "Operator", reason.operator_id);
  return out;
}

void add_reason(Json::Object& out, const domain::Reason& reason) {
  if (reason != domain::Reason()) out.emplace_back("Reason", reason_json(reason));
}

Json event_json(const domain::StoredEvent& stored) {
  const domain::Event& event = stored.event;
  Json::Object out{{"Cursor", position_text({.after = stored.cursor})},
                   {"Sequence", stored.sequence},
                   {"EventId", event.id.value},
                   {"Kind", name_of(event.kind)},
                   {"At", extended_time_ms(event.at)},
                   {"RoomId", event.room.value},
                   {"RoomSessionId", event.room_sid.value}};
  if (!event.user.empty()) {
    out.emplace_back("UserId", event.user.value);
    out.emplace_back("UserSessionId", event.participant.value);
    out.emplace_back("Visible", !event.hidden);
    add_text(out, "DeviceType", domain::device_name(event.with.kind));
  }
  if (event.kind == domain::EventKind::UserLeft)
    out.emplace_back(
        "StayedMilliseconds",
        int64_t{std::chrono::duration_cast<std::chrono::milliseconds>(event.stayed).count()});
  if (is_about_track(event.kind)) {
    out.emplace_back("TrackId", event.track.value);
    out.emplace_back("TrackKind", event.track_kind == domain::TrackKind::Audio ? "audio" : "video");
    out.emplace_back("TrackSource", name_of(event.source));
  }
  add_reason(out, event.reason);
  return out;
}

Json audit_json(const domain::StoredAudit& stored) {
  const domain::AuditEntry& entry = stored.entry;
  Json::Object out{{"Sequence", stored.sequence},
                   {"Phase", name_of(entry.phase)},
                   {"Door", name_of(entry.door)},
                   {"At", extended_time_ms(entry.at)}};
  add_text(out, "AccessKey", entry.access_key);
  add_text(out, "Action", entry.action);
  add_text(out, "Version", entry.version);
  add_text(out, "AppId", entry.app.value);
  add_text(out, "RoomId", entry.room.value);
  add_text(out, "OperationId", entry.operation.value);
  add_text(out, "RequestId", entry.request_id);
  add_text(out, "Source", entry.source);
  if (entry.body_hash) out.emplace_back("BodySha256", hex(*entry.body_hash));
  if (entry.is_dry_run) out.emplace_back("DryRun", true);
  if (entry.is_replay) out.emplace_back("Replay", true);
  if (entry.status != 0) out.emplace_back("Status", int64_t{entry.status});
  add_text(out, "Outcome", entry.outcome);
  add_reason(out, entry.reason);
  if (entry.count != 1) out.emplace_back("Count", entry.count);
  out.emplace_back("Mac", hex(stored.mac));
  return out;
}

}  // namespace atrium::openapi
