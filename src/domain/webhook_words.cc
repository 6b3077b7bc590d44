#include "domain/webhook_words.h"

#include <algorithm>

namespace atrium::domain {
namespace {

constexpr std::string_view kRoomCreate = "RoomCreate";

std::string_view vendor_name(const Event& event) {
  switch (event.kind) {
    case EventKind::RoomStarted:
      return kRoomCreate;
    case EventKind::RoomEnded:
      return "RoomDestroy";
    case EventKind::UserJoined:
      return event.hidden ? "InvisibleUserJoinRoom" : "UserJoinRoom";
    case EventKind::UserLeft:
      return event.hidden ? "InvisibleUserLeaveRoom" : "UserLeaveRoom";
    case EventKind::TrackPublished:
    case EventKind::TrackUnpublished:
      return {};
  }
  return {};
}

std::string_view livekit_name(EventKind kind) {
  switch (kind) {
    case EventKind::RoomStarted:
      return "room_started";
    case EventKind::RoomEnded:
      return "room_finished";
    case EventKind::UserJoined:
      return "participant_joined";
    case EventKind::UserLeft:
      return "participant_left";
    case EventKind::TrackPublished:
      return "track_published";
    case EventKind::TrackUnpublished:
      return "track_unpublished";
  }
  return {};
}

}  // namespace

std::string_view event_name(WebhookDialect dialect, const Event& event) {
  return dialect == WebhookDialect::Vendor ? vendor_name(event) : livekit_name(event.kind);
}

bool wants(const Webhook& webhook, const Event& event) {
  const std::string_view name = event_name(webhook.dialect, event);
  if (name.empty()) return false;
  if (webhook.events.empty()) return name != kRoomCreate;
  return std::ranges::find(webhook.events, name) != webhook.events.end();
}

}  // namespace atrium::domain
