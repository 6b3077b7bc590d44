#include "adapters/webhook/livekit_webhook.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string_view>

#include "adapters/webhook/reason_detail.h"
#include "base/compact_jws.h"
#include "base/crypto.h"
#include "domain/webhook_words.h"

namespace atrium::webhook {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kValidFor = std::chrono::minutes(5);

// Proto-JSON writes enumerations by name; a field with the first one (0) is left out, as other senders do.
std::string_view disconnect_reason(domain::LeaveReason reason) {
  switch (reason) {
    case domain::LeaveReason::None:
      return {};
    case domain::LeaveReason::UserLeave:
      return "CLIENT_INITIATED";
    case domain::LeaveReason::ConnectionLost:
      return "CONNECTION_TIMEOUT";
    case domain::LeaveReason::DuplicateLogin:
      return "DUPLICATE_IDENTITY";
    case domain::LeaveReason::KickedByAdmin:
    case domain::LeaveReason::TokenExpired:
      return "PARTICIPANT_REMOVED";
    case domain::LeaveReason::RoomDismissed:
      return "ROOM_DELETED";
    case domain::LeaveReason::JoinTimeout:
      return "JOIN_FAILURE";
    case domain::LeaveReason::RoomClosed:
      return "ROOM_CLOSED";
    case domain::LeaveReason::ServerShutdown:
      return "SERVER_SHUTDOWN";
    case domain::LeaveReason::MediaFailure:
      return "MEDIA_FAILURE";
    case domain::LeaveReason::StateMismatch:
      return "STATE_MISMATCH";
  }
  return {};
}

std::string_view source_name(domain::TrackSource source) {
  switch (source) {
    case domain::TrackSource::Unknown:
      return {};
    case domain::TrackSource::Camera:
      return "CAMERA";
    case domain::TrackSource::Microphone:
      return "MICROPHONE";
    case domain::TrackSource::ScreenShare:
      return "SCREEN_SHARE";
    case domain::TrackSource::ScreenShareAudio:
      return "SCREEN_SHARE_AUDIO";
  }
  return {};
}

// Proto-JSON: int64 is a string.
std::string int64_text(int64_t number) {
  return std::to_string(number);
}

json::object room_of(const domain::Event& event) {
  json::object room{{"sid", event.room_sid.value}, {"name", event.room.value}};
  if (event.kind == domain::EventKind::RoomStarted) {
    room["creationTime"] = int64_text(unix_s(event.at));
    room["creationTimeMs"] = int64_text(unix_ms(event.at));
  }
  return room;
}

json::object participant_of(const domain::Event& event) {
  json::object participant{{"sid", event.participant.value}, {"identity", event.user.value}};
  const bool is_leave = event.kind == domain::EventKind::UserLeft;
  if (!is_leave && event.kind != domain::EventKind::UserJoined) return participant;
  const Wall joined_at = event.at - event.stayed;
  participant["state"] = is_leave ? "DISCONNECTED" : "ACTIVE";
  participant["joinedAt"] = int64_text(unix_s(joined_at));
  participant["joinedAtMs"] = int64_text(unix_ms(joined_at));
  if (event.hidden) participant["permission"] = json::object{{"hidden", true}};
  const std::string_view reason = disconnect_reason(event.reason.why);
  if (is_leave && !reason.empty()) participant["disconnectReason"] = reason;
  return participant;
}

json::object track_of(const domain::Event& event) {
  json::object track{{"sid", event.track.value}};
  if (event.track_kind == domain::TrackKind::Video) track["type"] = "VIDEO";  // AUDIO is 0
  const std::string_view source = source_name(event.source);
  if (!source.empty()) track["source"] = source;
  return track;
}

json::object own_claims(const domain::StoredEvent& stored) {
  json::object ours{{"sequence", stored.sequence}};
  const domain::Reason& reason = stored.event.reason;
  if (!has_detail(reason)) return ours;
  ours["reason"] = json::object{{"code", reason.number},
                                {"name", reason.name},
                                {"text", reason.text},
                                {"operationId", reason.operation.value},
                                {"operator", reason.operator_id}};
  return ours;
}

}  // namespace

std::optional<domain::ApiKey> livekit_key(const domain::Webhook& webhook, const domain::App& app) {
  domain::ApiKey key{.key = webhook.api_key.empty() ? app.id.value : webhook.api_key,
                     .secret = webhook.secret};
  if (!key.secret.empty()) return key;
  if (key.key == app.id.value) {
    key.secret = app.primary_key.empty() ? app.secondary_key : app.primary_key;
  } else {
    const auto found = std::ranges::find(app.api_keys, key.key, &domain::ApiKey::key);
    if (found != app.api_keys.end()) key.secret = found->secret;
  }
  if (key.secret.empty()) return std::nullopt;
  return key;
}

std::string livekit_body(const domain::Event& event) {
  json::object body;
  body["event"] = domain::event_name(domain::WebhookDialect::LiveKit, event);
  body["room"] = room_of(event);
  const bool is_of_room =
      event.kind == domain::EventKind::RoomStarted || event.kind == domain::EventKind::RoomEnded;
  if (!is_of_room) body["participant"] = participant_of(event);
  if (event.kind == domain::EventKind::TrackPublished ||
      event.kind == domain::EventKind::TrackUnpublished)
    body["track"] = track_of(event);
  body["id"] = event.id.value;
  body["createdAt"] = int64_text(unix_s(event.at));
  return json::serialize(body);
}

std::string livekit_authorization(const domain::StoredEvent& event, std::string_view body,
                                  const domain::ApiKey& key, Wall now) {
  json::object claims;
  claims["iss"] = key.key;
  claims["exp"] = unix_s(now + kValidFor);
  claims["sha256"] = base64(sha256(as_bytes(body)));
  claims["atrium"] = own_claims(event);
  return hs256_compact(json::serialize(claims), key.secret);
}

}  // namespace atrium::webhook
