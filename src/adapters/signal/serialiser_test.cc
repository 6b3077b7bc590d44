// What leaves, field by field, and that nothing bad does.
#include "adapters/signal/serialiser.h"

#include <gtest/gtest.h>

#include "adapters/signal/notice.h"
#include "adapters/signal/test_views.h"

namespace atrium::signal {
namespace {

using namespace testing;
using domain::LeaveAction;
using domain::LeaveReason;

const Now kNow{.mono = Mono{}, .wall = wall_from_unix_ms(1'700'000'000'500)};

TEST(Serialiser, join_has_all_that_sdks_take_for_granted) {
  Serialiser serialiser{ServerInfo{}};
  const pb::SignalResponse response = parsed(serialiser.join(accepted()));
  ASSERT_TRUE(response.has_join());
  const pb::JoinResponse& join = response.join();
  EXPECT_EQ(join.room().sid(), kRoom);
  EXPECT_EQ(join.room().name(), "room-1");
  EXPECT_EQ(join.room().creation_time(), 1'700'000'000);
  EXPECT_EQ(join.room().creation_time_ms(), 1'700'000'000'123);
  EXPECT_EQ(join.room().num_participants(), 2u);
  EXPECT_EQ(join.participant().sid(), kParticipant);
  EXPECT_EQ(join.participant().state(), pb::ParticipantInfo::JOINED);
  EXPECT_TRUE(join.participant().permission().can_publish());
  EXPECT_EQ(join.other_participants_size(), 1);
  EXPECT_EQ(join.ping_interval(), 5);
  EXPECT_EQ(join.ping_timeout(), 15);
  EXPECT_EQ(join.server_version(), "1.9.0");
  EXPECT_EQ(join.server_info().version(), "1.9.0");
  EXPECT_FALSE(join.subscriber_primary());
  EXPECT_FALSE(join.fast_publish());
  EXPECT_EQ(join.ice_servers_size(), 0);
  EXPECT_EQ(join.enabled_publish_codecs_size(), 0);
}

TEST(Serialiser, a_participant_is_told_whole) {
  Serialiser serialiser{ServerInfo{}};
  const std::vector views{std::make_shared<const domain::ParticipantView>(person())};
  const pb::SignalResponse response = parsed(serialiser.participant_update(views));
  ASSERT_EQ(response.update().participants_size(), 1);
  const pb::ParticipantInfo& info = response.update().participants(0);
  EXPECT_EQ(info.identity(), "alice");
  EXPECT_EQ(info.name(), "Alice");
  EXPECT_EQ(info.state(), pb::ParticipantInfo::ACTIVE);
  EXPECT_EQ(info.version(), 3u);
  EXPECT_EQ(info.joined_at(), 1'700'000'000);
  EXPECT_EQ(info.joined_at_ms(), 1'700'000'000'123);
  EXPECT_EQ(info.attributes().at("k"), "v");
  EXPECT_TRUE(info.is_publisher());
  EXPECT_EQ(info.client_protocol(), 2);
  ASSERT_EQ(info.capabilities_size(), 2);
  EXPECT_EQ(info.capabilities(0), pb::ClientInfo::CAP_PACKET_TRAILER);
  EXPECT_EQ(static_cast<int>(info.capabilities(1)), 9);
}

TEST(Serialiser, a_video_track_has_its_layers_and_codec) {
  Serialiser serialiser{ServerInfo{}};
  const std::vector views{std::make_shared<const domain::ParticipantView>(person())};
  const pb::SignalResponse response = parsed(serialiser.participant_update(views));
  ASSERT_EQ(response.update().participants(0).tracks_size(), 1);
  const pb::TrackInfo& track = response.update().participants(0).tracks(0);
  EXPECT_EQ(track.sid(), kTrack);
  EXPECT_EQ(track.type(), pb::VIDEO);
  EXPECT_EQ(track.source(), pb::CAMERA);
  EXPECT_EQ(track.mime_type(), "video/VP8");
  EXPECT_EQ(track.mid(), "7");
  EXPECT_TRUE(track.simulcast());
  ASSERT_EQ(track.layers_size(), 2);
  EXPECT_EQ(track.layers(1).quality(), pb::HIGH);
  EXPECT_EQ(track.layers(1).rid(), "f");
  EXPECT_EQ(track.layers(1).spatial_layer(), 1);
  ASSERT_EQ(track.codecs_size(), 1);
  EXPECT_EQ(track.codecs(0).cid(), "cam-cid");
  EXPECT_EQ(track.codecs(0).layers_size(), 2);
  EXPECT_EQ(track.codecs(0).video_layer_mode(), pb::VideoLayer::ONE_SPATIAL_LAYER_PER_STREAM);
}

TEST(Serialiser, who_left_is_told_with_the_reason) {
  Serialiser serialiser{ServerInfo{}};
  domain::ParticipantView gone = person();
  gone.state = domain::ParticipantState::Disconnected;
  gone.leave_reason = LeaveReason::ConnectionLost;
  const std::vector views{std::make_shared<const domain::ParticipantView>(gone)};
  const pb::SignalResponse response = parsed(serialiser.participant_update(views));
  EXPECT_EQ(response.update().participants(0).state(), pb::ParticipantInfo::DISCONNECTED);
  EXPECT_EQ(response.update().participants(0).disconnect_reason(), pb::CONNECTION_TIMEOUT);
}

TEST(Serialiser, an_answer_echoes_the_id_and_maps_mids) {
  Serialiser serialiser{ServerInfo{}};
  const pb::SignalResponse response = parsed(serialiser.answer(kSdp, 7, {{"3", kTrack}}));
  EXPECT_EQ(response.answer().type(), "answer");
  EXPECT_EQ(response.answer().sdp(), kSdp);
  EXPECT_EQ(response.answer().id(), 7u);
  EXPECT_EQ(response.answer().mid_to_track_id().at("3"), kTrack);
}

TEST(Serialiser, a_pending_track_is_published_without_a_mime_type) {
  Serialiser serialiser{ServerInfo{}};
  domain::TrackView track = camera();
  track.live = false;
  track.mime.clear(), track.mid.clear();
  const pb::SignalResponse response = parsed(serialiser.track_published(track));
  EXPECT_EQ(response.track_published().cid(), "cam-cid");
  EXPECT_EQ(response.track_published().track().sid(), kTrack);
  EXPECT_EQ(response.track_published().track().codecs_size(), 0);
}

TEST(Serialiser, a_refused_add_track_is_echoed) {
  Serialiser serialiser{ServerInfo{}};
  const pb::SignalResponse response =
      parsed(serialiser.request_response({.participant = {},
                                          .kind = domain::RequestKind::AddTrack,
                                          .outcome = domain::RequestOutcome::NotAllowed,
                                          .request_id = 0,
                                          .message = "no",
                                          .track = camera()}));
  EXPECT_EQ(response.request_response().reason(), pb::RequestResponse::NOT_ALLOWED);
  EXPECT_EQ(response.request_response().message(), "no");
  EXPECT_EQ(response.request_response().add_track().cid(), "cam-cid");
  EXPECT_EQ(response.request_response().add_track().type(), pb::VIDEO);
}

TEST(Serialiser, other_answers_name_their_request) {
  Serialiser serialiser{ServerInfo{}};
  domain::RequestAnswer answer{.participant = {},
                               .kind = domain::RequestKind::UpdateMetadata,
                               .outcome = domain::RequestOutcome::Ok,
                               .request_id = 5,
                               .message = "",
                               .track = {}};
  pb::SignalResponse response = parsed(serialiser.request_response(answer));
  EXPECT_EQ(response.request_response().request_id(), 5u);
  EXPECT_TRUE(response.request_response().has_update_metadata());
  answer.kind = domain::RequestKind::Mute;
  answer.outcome = domain::RequestOutcome::NotFound;
  answer.track.sid = TrackSid(kTrack);
  response = parsed(serialiser.request_response(answer));
  EXPECT_EQ(response.request_response().mute().sid(), kTrack);
  EXPECT_EQ(response.request_response().reason(), pb::RequestResponse::NOT_FOUND);
  answer.kind = domain::RequestKind::UpdateTrackInfo;
  response = parsed(serialiser.request_response(answer));
  EXPECT_EQ(response.request_response().update_audio_track().track_sid(), kTrack);
}

TEST(Serialiser, a_data_track_is_refused_with_its_own_bytes) {
  Serialiser serialiser{ServerInfo{}};
  const std::string echo = from_base64_text("CAMSAWQ=");
  const pb::SignalResponse response = parsed(
      serialiser.unsupported({.variant = 19, .request_id = 0, .wants_answer = true, .echo = echo}));
  EXPECT_EQ(response.request_response().reason(), pb::RequestResponse::UNSUPPORTED_TYPE);
  EXPECT_EQ(response.request_response().publish_data_track(), echo);
}

TEST(Serialiser, small_messages_say_what_they_should) {
  Serialiser serialiser{ServerInfo{}};
  EXPECT_EQ(parsed(serialiser.pong(kNow)).pong(), 1'700'000'000'500);
  const auto pong =
      parsed(serialiser.pong_resp({.timestamp_ms = 42, .rtt_ms = 3}, kNow)).pong_resp();
  EXPECT_EQ(pong.last_ping_timestamp(), 42);
  EXPECT_EQ(pong.timestamp(), 1'700'000'000'500);
  EXPECT_EQ(parsed(serialiser.refresh_token("abc")).refresh_token(), "abc");
  EXPECT_EQ(parsed(serialiser.reconnect(9)).reconnect().last_message_seq(), 9u);
  EXPECT_EQ(parsed(serialiser.reconnect()).reconnect().server_info().version(), "1.9.0");
  EXPECT_EQ(parsed(serialiser.room_update(room())).room_update().room().metadata(), "m");
  EXPECT_EQ(parsed(serialiser.track_unpublished(TrackSid(kTrack))).track_unpublished().track_sid(),
            kTrack);
  EXPECT_EQ(parsed(serialiser.track_subscribed(TrackSid(kTrack))).track_subscribed().track_sid(),
            kTrack);
  EXPECT_TRUE(parsed(serialiser.mute(TrackSid(kTrack), true)).mute().muted());
  EXPECT_EQ(
      parsed(serialiser.subscription_response(TrackSid(kTrack))).subscription_response().err(),
      pb::SE_TRACK_NOTFOUND);
  const auto allowed = parsed(serialiser.subscription_permission_update(
      ParticipantSid(kParticipant), TrackSid(kTrack), true));
  EXPECT_TRUE(allowed.subscription_permission_update().allowed());
  const auto sections =
      parsed(serialiser.media_sections_requirement(1, 2)).media_sections_requirement();
  EXPECT_EQ(sections.num_audios(), 1u);
  EXPECT_EQ(sections.num_videos(), 2u);
  EXPECT_EQ(serialiser.refused(), 0u);
}

TEST(Serialiser, an_empty_section_requirement_is_a_message_all_the_same) {
  Serialiser serialiser{ServerInfo{}};
  EXPECT_TRUE(parsed(serialiser.media_sections_requirement(0, 0)).has_media_sections_requirement());
}

TEST(Serialiser, more_sections_than_a_description_may_have_are_not_asked_for) {
  Serialiser serialiser{ServerInfo{}};
  const auto asked = parsed(serialiser.media_sections_requirement(1'000, 1));
  EXPECT_EQ(asked.media_sections_requirement().num_audios(), 256u);
  EXPECT_EQ(asked.media_sections_requirement().num_videos(), 1u);
}

TEST(Serialiser, speakers_and_qualities_are_listed) {
  Serialiser serialiser{ServerInfo{}};
  const std::vector speakers{Speaker{ParticipantSid(kParticipant), 0.5f, true}};
  EXPECT_FLOAT_EQ(
      parsed(serialiser.speakers_changed(speakers)).speakers_changed().speakers(0).level(), 0.5f);
  const std::vector qualities{ConnectionQuality{ParticipantSid(kParticipant), Quality::Lost, 1.0f}};
  EXPECT_EQ(
      parsed(serialiser.connection_quality(qualities)).connection_quality().updates(0).quality(),
      pb::LOST);
}

TEST(Serialiser, each_ending_has_its_reason) {
  Serialiser serialiser{ServerInfo{}};
  const auto reason = [&](LeaveReason r, LeaveAction a) {
    return parsed(serialiser.leave(r, a)).leave().reason();
  };
  EXPECT_EQ(reason(LeaveReason::RoomDismissed, LeaveAction::Disconnect), pb::ROOM_DELETED);
  EXPECT_EQ(reason(LeaveReason::DuplicateLogin, LeaveAction::Disconnect), pb::DUPLICATE_IDENTITY);
  EXPECT_EQ(reason(LeaveReason::KickedByAdmin, LeaveAction::Disconnect), pb::PARTICIPANT_REMOVED);
  EXPECT_EQ(reason(LeaveReason::TokenExpired, LeaveAction::Disconnect), pb::PARTICIPANT_REMOVED);
  EXPECT_EQ(reason(LeaveReason::JoinTimeout, LeaveAction::Disconnect), pb::JOIN_FAILURE);
  EXPECT_EQ(reason(LeaveReason::RoomClosed, LeaveAction::Disconnect), pb::ROOM_CLOSED);
  EXPECT_EQ(reason(LeaveReason::ServerShutdown, LeaveAction::Reconnect), pb::SERVER_SHUTDOWN);
  EXPECT_EQ(reason(LeaveReason::StateMismatch, LeaveAction::Reconnect), pb::STATE_MISMATCH);
  EXPECT_EQ(reason(LeaveReason::MediaFailure, LeaveAction::Resume), pb::MEDIA_FAILURE);
  EXPECT_EQ(reason(LeaveReason::UserLeave, LeaveAction::Disconnect), pb::CLIENT_INITIATED);
}

TEST(Serialiser, no_other_reason_than_a_dismissal_is_room_deleted) {
  Serialiser serialiser{ServerInfo{}};
  for (int i = 0; i <= static_cast<int>(LeaveReason::StateMismatch); ++i) {
    const auto reason = static_cast<LeaveReason>(i);
    const auto leave = parsed(serialiser.leave(reason, LeaveAction::Disconnect)).leave();
    EXPECT_EQ(leave.reason() == pb::ROOM_DELETED, reason == LeaveReason::RoomDismissed) << i;
  }
}

TEST(Serialiser, actions_agree_with_what_old_clients_read) {
  Serialiser serialiser{ServerInfo{}};
  const auto stop =
      parsed(serialiser.leave(LeaveReason::RoomDismissed, LeaveAction::Disconnect)).leave();
  EXPECT_EQ(stop.action(), pb::LeaveRequest::DISCONNECT);
  EXPECT_FALSE(stop.can_reconnect());
  const auto again =
      parsed(serialiser.leave(LeaveReason::StateMismatch, LeaveAction::Reconnect)).leave();
  EXPECT_EQ(again.action(), pb::LeaveRequest::RECONNECT);
  EXPECT_TRUE(again.can_reconnect());
}

TEST(Serialiser, a_notice_chooses_the_leave_that_goes_with_it) {
  Serialiser serialiser{ServerInfo{}};
  const auto reason = [&](domain::ClientCode code) {
    return parsed(serialiser.leave(domain::Notice{.code = code,
                                                  .name = "",
                                                  .message = "",
                                                  .operation = {},
                                                  .forbidden_until = {}}))
        .leave()
        .reason();
  };
  EXPECT_EQ(reason(domain::ClientCode::RoomDismiss), pb::ROOM_DELETED);
  EXPECT_EQ(reason(domain::ClientCode::KickedOut), pb::PARTICIPANT_REMOVED);
  EXPECT_EQ(reason(domain::ClientCode::DuplicateLogin), pb::DUPLICATE_IDENTITY);
  EXPECT_EQ(reason(domain::ClientCode::TokenExpired), pb::PARTICIPANT_REMOVED);
}

TEST(Serialiser, a_bad_message_is_counted_and_not_made) {
  Serialiser serialiser{ServerInfo{}};
  EXPECT_EQ(serialiser.track_subscribed(TrackSid("nonsense")), nullptr);
  EXPECT_EQ(serialiser.refused(), 1u);
  EXPECT_STREQ(serialiser.last_refusal(), "a track's sid is not TR_…");
  domain::JoinAccepted nobody = accepted();
  nobody.self.sid = ParticipantSid("");
  EXPECT_EQ(serialiser.join(nobody), nullptr);
  EXPECT_EQ(serialiser.refused(), 2u);
}

TEST(Serialiser, a_careless_configuration_sends_no_join) {
  Serialiser without_version{ServerInfo{.version = "", .region = "", .node_id = ""}};
  EXPECT_EQ(without_version.join(accepted()), nullptr);
  EXPECT_EQ(without_version.reconnect(), nullptr);
  Serialiser without_ping{ServerInfo{.region = "", .node_id = "", .ping_interval_s = 0}};
  EXPECT_EQ(without_ping.join(accepted()), nullptr);
}

}  // namespace
}  // namespace atrium::signal
