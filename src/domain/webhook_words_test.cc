#include "domain/webhook_words.h"

#include <gtest/gtest.h>

namespace atrium::domain {
namespace {

Event an_event(EventKind kind, bool hidden = false) {
  Event event;
  event.kind = kind;
  event.hidden = hidden;
  return event;
}
Webhook a_webhook(WebhookDialect dialect, std::vector<std::string> events = {}) {
  Webhook webhook;
  webhook.dialect = dialect;
  webhook.events = std::move(events);
  return webhook;
}

TEST(WebhookWordsTest, the_vendor_tells_visible_and_invisible_users_apart) {
  const auto name = [](EventKind kind, bool hidden) {
    return event_name(WebhookDialect::Vendor, an_event(kind, hidden));
  };
  EXPECT_EQ(name(EventKind::UserJoined, false), "UserJoinRoom");
  EXPECT_EQ(name(EventKind::UserJoined, true), "InvisibleUserJoinRoom");
  EXPECT_EQ(name(EventKind::UserLeft, false), "UserLeaveRoom");
  EXPECT_EQ(name(EventKind::UserLeft, true), "InvisibleUserLeaveRoom");
  EXPECT_EQ(name(EventKind::RoomStarted, false), "RoomCreate");
  EXPECT_EQ(name(EventKind::RoomEnded, false), "RoomDestroy");
  EXPECT_EQ(name(EventKind::TrackPublished, false), "");
  EXPECT_EQ(name(EventKind::TrackUnpublished, false), "");
}

TEST(WebhookWordsTest, livekit_has_a_word_for_each_event) {
  const auto name = [](EventKind kind) {
    return event_name(WebhookDialect::LiveKit, an_event(kind, true));
  };
  EXPECT_EQ(name(EventKind::RoomStarted), "room_started");
  EXPECT_EQ(name(EventKind::RoomEnded), "room_finished");
  EXPECT_EQ(name(EventKind::UserJoined), "participant_joined");
  EXPECT_EQ(name(EventKind::UserLeft), "participant_left");
  EXPECT_EQ(name(EventKind::TrackPublished), "track_published");
  EXPECT_EQ(name(EventKind::TrackUnpublished), "track_unpublished");
}

TEST(WebhookWordsTest, who_names_no_event_gets_all_but_extensions) {
  const Webhook vendor = a_webhook(WebhookDialect::Vendor);
  EXPECT_TRUE(wants(vendor, an_event(EventKind::UserJoined)));
  EXPECT_TRUE(wants(vendor, an_event(EventKind::UserLeft, true)));
  EXPECT_TRUE(wants(vendor, an_event(EventKind::RoomEnded)));
  EXPECT_FALSE(wants(vendor, an_event(EventKind::RoomStarted)));
  EXPECT_FALSE(wants(vendor, an_event(EventKind::TrackPublished)));
  EXPECT_TRUE(wants(a_webhook(WebhookDialect::LiveKit), an_event(EventKind::RoomStarted)));
  EXPECT_TRUE(wants(a_webhook(WebhookDialect::LiveKit), an_event(EventKind::TrackUnpublished)));
}

TEST(WebhookWordsTest, who_names_events_gets_those_alone) {
  const Webhook vendor = a_webhook(WebhookDialect::Vendor, {"RoomCreate", "UserJoinRoom"});
  EXPECT_TRUE(wants(vendor, an_event(EventKind::RoomStarted)));
  EXPECT_TRUE(wants(vendor, an_event(EventKind::UserJoined)));
  EXPECT_FALSE(wants(vendor, an_event(EventKind::UserJoined, true)));
  EXPECT_FALSE(wants(vendor, an_event(EventKind::RoomEnded)));
  EXPECT_FALSE(
      wants(a_webhook(WebhookDialect::LiveKit, {"RoomDestroy"}), an_event(EventKind::RoomEnded)));
  EXPECT_FALSE(wants(a_webhook(WebhookDialect::LiveKit, {""}), an_event(EventKind::RoomEnded)));
}

}  // namespace
}  // namespace atrium::domain
