// One test for each rule: a good message passes, and the same message with that one thing broken does not.
#include "adapters/signal/outgoing_rules.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "adapters/signal/test_views.h"
#include "base/limits.h"

namespace atrium::signal {
namespace {

using namespace testing;
using Break = std::function<void(pb::SignalResponse&)>;

pb::SignalResponse good_join() {
  Serialiser serialiser{ServerInfo{}};
  return parsed(serialiser.join(accepted()));
}
pb::SignalResponse good_update() {
  Serialiser serialiser{ServerInfo{}};
  const std::vector views{std::make_shared<const domain::ParticipantView>(person())};
  return parsed(serialiser.participant_update(views));
}
pb::SignalResponse good_answer() {
  Serialiser serialiser{ServerInfo{}};
  return parsed(serialiser.answer(kSdp, 1, {{"0", kTrack}}));
}
pb::SignalResponse good_published() {
  Serialiser serialiser{ServerInfo{}};
  return parsed(serialiser.track_published(camera()));
}

// The rule that `change` breaks; "" when it breaks none.
std::string broken_by(pb::SignalResponse response, const Break& change) {
  EXPECT_TRUE(check_outgoing(response)) << "the good message is not good";
  change(response);
  const auto verdict = check_outgoing(response);
  return verdict ? "" : verdict.error().what;
}
pb::ParticipantInfo& someone(pb::SignalResponse& response) {
  return *response.mutable_update()->mutable_participants(0);
}
pb::TrackInfo& something(pb::SignalResponse& response) {
  return *someone(response).mutable_tracks(0);
}

TEST(OutgoingRules, sids_are_a_prefix_and_base62) {
  EXPECT_TRUE(is_sid("TR_0123456789ab", "TR_"));
  EXPECT_FALSE(is_sid("TR_0123456789a", "TR_"));
  EXPECT_FALSE(is_sid("PA_0123456789ab", "TR_"));
  EXPECT_FALSE(is_sid("TR_0123456789a|", "TR_"));
  EXPECT_FALSE(is_sid("", "TR_"));
}

TEST(OutgoingRules, a_participants_sid_begins_with_pa) {
  EXPECT_EQ(broken_by(good_update(), [](auto& m) { someone(m).set_sid("alice"); }),
            "a participant's sid is not PA_…");
  EXPECT_EQ(
      broken_by(good_join(), [](auto& m) { m.mutable_join()->mutable_participant()->clear_sid(); }),
      "a participant's sid is not PA_…");
  EXPECT_EQ(
      broken_by(good_join(),
                [](auto& m) { m.mutable_join()->mutable_other_participants(0)->set_sid(kTrack); }),
      "a participant's sid is not PA_…");
}

TEST(OutgoingRules, a_tracks_sid_begins_with_tr_everywhere) {
  EXPECT_EQ(broken_by(good_update(), [](auto& m) { something(m).set_sid("x"); }),
            "a track's sid is not TR_…");
  EXPECT_EQ(broken_by(good_published(),
                      [](auto& m) { m.mutable_track_published()->mutable_track()->clear_sid(); }),
            "a track's sid is not TR_…");
  EXPECT_EQ(broken_by(good_update(), [](auto& m) { m.mutable_track_subscribed(); }),
            "a track's sid is not TR_…");
  EXPECT_EQ(broken_by(good_update(), [](auto& m) { m.mutable_track_unpublished(); }),
            "a track's sid is not TR_…");
  EXPECT_EQ(broken_by(good_update(), [](auto& m) { m.mutable_mute(); }),
            "a track's sid is not TR_…");
  EXPECT_EQ(broken_by(good_update(), [](auto& m) { m.mutable_subscription_response(); }),
            "a track's sid is not TR_…");
}

TEST(OutgoingRules, a_rooms_sid_begins_with_rm) {
  EXPECT_EQ(
      broken_by(good_join(), [](auto& m) { m.mutable_join()->mutable_room()->set_sid("room-1"); }),
      "a room's sid is not RM_…");
}

TEST(OutgoingRules, the_room_is_always_present) {
  EXPECT_EQ(broken_by(good_join(), [](auto& m) { m.mutable_join()->clear_room(); }),
            "the room is absent");
  EXPECT_EQ(broken_by(good_join(), [](auto& m) { m.mutable_room_update(); }), "the room is absent");
}

TEST(OutgoingRules, a_room_has_a_name) {
  EXPECT_EQ(broken_by(good_join(), [](auto& m) { m.mutable_join()->mutable_room()->clear_name(); }),
            "a room has no name");
}

TEST(OutgoingRules, the_joiner_is_always_present) {
  EXPECT_EQ(broken_by(good_join(), [](auto& m) { m.mutable_join()->clear_participant(); }),
            "a join without the participant");
}

TEST(OutgoingRules, permissions_are_always_present) {
  EXPECT_EQ(broken_by(good_join(),
                      [](auto& m) { m.mutable_join()->mutable_participant()->clear_permission(); }),
            "a participant has no permission");
  EXPECT_EQ(broken_by(good_update(), [](auto& m) { someone(m).clear_permission(); }),
            "a participant has no permission");
}

TEST(OutgoingRules, versions_count_from_one) {
  EXPECT_EQ(broken_by(good_update(), [](auto& m) { someone(m).set_version(0); }),
            "a participant's version is 0");
}

TEST(OutgoingRules, a_participant_has_an_identity) {
  EXPECT_EQ(broken_by(good_update(), [](auto& m) { someone(m).clear_identity(); }),
            "a participant has no identity");
}

TEST(OutgoingRules, ping_values_are_above_zero) {
  EXPECT_EQ(broken_by(good_join(), [](auto& m) { m.mutable_join()->set_ping_interval(0); }),
            "ping interval or timeout is not above 0");
  EXPECT_EQ(broken_by(good_join(), [](auto& m) { m.mutable_join()->set_ping_timeout(0); }),
            "ping interval or timeout is not above 0");
  EXPECT_EQ(broken_by(good_join(), [](auto& m) { m.mutable_join()->set_ping_timeout(5); }),
            "the ping timeout is within the interval");
}

TEST(OutgoingRules, server_versions_are_not_empty) {
  EXPECT_EQ(broken_by(good_join(), [](auto& m) { m.mutable_join()->clear_server_version(); }),
            "the server's version is empty");
  EXPECT_EQ(broken_by(good_join(), [](auto& m) { m.mutable_join()->clear_server_info(); }),
            "the server's version is empty");
  EXPECT_EQ(broken_by(good_join(), [](auto& m) { m.mutable_reconnect(); }),
            "the server's version is empty");
}

TEST(OutgoingRules, ice_servers_have_urls) {
  EXPECT_EQ(broken_by(good_join(), [](auto& m) { m.mutable_join()->add_ice_servers(); }),
            "an ICE server without URLs");
}

TEST(OutgoingRules, a_live_track_has_a_mime_type_of_its_kind) {
  EXPECT_EQ(broken_by(good_update(), [](auto& m) { something(m).clear_mime_type(); }),
            "a published track has no mime type");
  EXPECT_EQ(broken_by(good_update(), [](auto& m) { something(m).set_mime_type("audio/opus"); }),
            "a track's mime type is of the wrong family");
  EXPECT_EQ(broken_by(good_update(), [](auto& m) { something(m).set_mime_type("VP8"); }),
            "a track's mime type is of the wrong family");
}

TEST(OutgoingRules, enumerations_have_known_values) {
  EXPECT_EQ(broken_by(good_update(),
                      [](auto& m) { something(m).set_source(static_cast<pb::TrackSource>(9)); }),
            "a track has an unknown source");
  EXPECT_EQ(broken_by(good_update(), [](auto& m) { something(m).set_type(pb::DATA); }),
            "a track is neither audio nor video");
  EXPECT_EQ(broken_by(good_update(),
                      [](auto& m) {
                        something(m).set_encryption(static_cast<pb::TrackInfo::Encryption>(7));
                      }),
            "a track has an unknown encryption");
  EXPECT_EQ(
      broken_by(good_update(),
                [](auto& m) {
                  something(m).mutable_layers(0)->set_quality(static_cast<pb::VideoQuality>(9));
                }),
      "a layer has an unknown quality");
  EXPECT_EQ(
      broken_by(good_update(),
                [](auto& m) { someone(m).set_state(static_cast<pb::ParticipantInfo::State>(9)); }),
      "a participant's state is unknown");
  EXPECT_EQ(broken_by(good_update(),
                      [](auto& m) {
                        someone(m).set_disconnect_reason(static_cast<pb::DisconnectReason>(99));
                      }),
            "an unknown disconnect reason");
}

TEST(OutgoingRules, a_snapshot_names_a_track_once) {
  EXPECT_EQ(broken_by(good_update(), [](auto& m) { *someone(m).add_tracks() = something(m); }),
            "a track stands twice in one snapshot");
}

TEST(OutgoingRules, all_text_is_utf8) {
  const auto is_caught = [](const Break& change) {
    return broken_by(good_update(), change) == "a string is not UTF-8";
  };
  EXPECT_TRUE(is_caught([](auto& m) { someone(m).set_name("\xff"); }));
  EXPECT_TRUE(is_caught([](auto& m) { someone(m).set_metadata("\xff"); }));
  EXPECT_TRUE(is_caught([](auto& m) { someone(m).set_identity("\xff"); }));
  EXPECT_TRUE(is_caught([](auto& m) { (*someone(m).mutable_attributes())["a"] = "\xff"; }));
  EXPECT_TRUE(is_caught([](auto& m) { something(m).set_name("\xff"); }));
  EXPECT_TRUE(is_caught([](auto& m) { something(m).set_stream("\xff"); }));
  EXPECT_TRUE(is_caught([](auto& m) { m.mutable_request_response()->set_message("\xff"); }));
}

TEST(OutgoingRules, an_update_is_about_somebody) {
  EXPECT_EQ(broken_by(good_update(), [](auto& m) { m.mutable_update()->clear_participants(); }),
            "an update about nobody");
}

TEST(OutgoingRules, a_descriptions_type_is_its_variants_in_lower_case) {
  const char* rule = "a description's type is not its variant's, in lower case";
  EXPECT_EQ(broken_by(good_answer(), [](auto& m) { m.mutable_answer()->set_type("Answer"); }),
            rule);
  EXPECT_EQ(broken_by(good_answer(), [](auto& m) { m.mutable_answer()->set_type("offer"); }), rule);
  EXPECT_EQ(broken_by(good_answer(), [](auto& m) { m.mutable_offer()->set_type("answer"); }), rule);
}

TEST(OutgoingRules, a_description_is_sdp_and_maps_mids_to_tracks) {
  EXPECT_EQ(broken_by(good_answer(), [](auto& m) { m.mutable_answer()->clear_sdp(); }),
            "a description is not SDP");
  EXPECT_EQ(broken_by(good_answer(),
                      [](auto& m) { (*m.mutable_answer()->mutable_mid_to_track_id())["1"] = "x"; }),
            "mid_to_track_id names no TR_…");
  EXPECT_EQ(
      broken_by(good_answer(),
                [](auto& m) { (*m.mutable_answer()->mutable_mid_to_track_id())[""] = kTrack; }),
      "mid_to_track_id has a bad mid");
}

std::string trickle_rule(const std::string& candidate) {
  return broken_by(good_answer(),
                   [&](auto& m) { m.mutable_trickle()->set_candidateinit(candidate); });
}

TEST(OutgoingRules, a_candidate_is_complete) {
  EXPECT_EQ(
      trickle_rule(
          R"({"candidate":"candidate:1 1 udp 1 127.0.0.1 7882 typ host","sdpMid":"0","sdpMLineIndex":0})"),
      "");
  EXPECT_EQ(trickle_rule("null"), "a candidate is not a JSON object");
  EXPECT_EQ(trickle_rule(""), "a candidate is not a JSON object");
  EXPECT_EQ(trickle_rule(R"({"candidate":null,"sdpMid":"0","sdpMLineIndex":0})"),
            "a candidate is null or empty");
  EXPECT_EQ(trickle_rule(R"({"candidate":"","sdpMid":"0","sdpMLineIndex":0})"),
            "a candidate is null or empty");
  EXPECT_EQ(trickle_rule(R"({"candidate":"x","sdpMid":null,"sdpMLineIndex":0})"),
            "a candidate has no sdpMid");
  EXPECT_EQ(trickle_rule(R"({"candidate":"x","sdpMid":"0"})"), "a candidate has no sdpMLineIndex");
  EXPECT_EQ(trickle_rule(R"({"candidate":"x","sdpMid":"0","sdpMLineIndex":"0"})"),
            "a candidate has no sdpMLineIndex");
}

TEST(OutgoingRules, a_published_track_is_named_and_there) {
  EXPECT_EQ(
      broken_by(good_published(), [](auto& m) { m.mutable_track_published()->clear_track(); }),
      "track_published without the track");
  EXPECT_EQ(broken_by(good_published(), [](auto& m) { m.mutable_track_published()->clear_cid(); }),
            "track_published without a cid");
}

TEST(OutgoingRules, a_leave_contradicts_itself_in_nothing) {
  EXPECT_EQ(broken_by(good_answer(), [](auto& m) { m.mutable_leave()->set_can_reconnect(true); }),
            "can_reconnect contradicts the action");
  EXPECT_EQ(broken_by(good_answer(),
                      [](auto& m) { m.mutable_leave()->set_action(pb::LeaveRequest::RESUME); }),
            "can_reconnect contradicts the action");
  const Break inviting = [](auto& m) {
    m.mutable_leave()->set_can_reconnect(true);
    m.mutable_leave()->set_action(pb::LeaveRequest::RECONNECT);
    m.mutable_leave()->set_reason(pb::ROOM_DELETED);
  };
  EXPECT_EQ(broken_by(good_answer(), inviting), "a removal that invites back");
  EXPECT_EQ(broken_by(good_answer(),
                      [](auto& m) {
                        m.mutable_leave()->set_action(static_cast<pb::LeaveRequest::Action>(9));
                      }),
            "an unknown leave action");
  EXPECT_EQ(broken_by(good_answer(),
                      [](auto& m) {
                        m.mutable_leave()->set_reason(static_cast<pb::DisconnectReason>(99));
                      }),
            "an unknown disconnect reason");
}

TEST(OutgoingRules, speakers_and_qualities_are_of_participants_and_numbers) {
  const auto speaker = [](const char* sid, float level) {
    return broken_by(good_answer(), [&](auto& m) {
      auto& info = *m.mutable_speakers_changed()->add_speakers();
      info.set_sid(sid), info.set_level(level);
    });
  };
  EXPECT_EQ(speaker(kParticipant, 1.0f), "");
  EXPECT_EQ(speaker("bob", 0.5f), "a speaker's sid is not PA_…");
  EXPECT_EQ(speaker(kParticipant, 1.5f), "a speaker's level is not within 0 and 1");
  EXPECT_EQ(speaker(kParticipant, std::nanf("")), "a speaker's level is not within 0 and 1");
  const auto quality = [](const char* sid, int value, float score) {
    return broken_by(good_answer(), [&](auto& m) {
      auto& info = *m.mutable_connection_quality()->add_updates();
      info.set_participant_sid(sid), info.set_quality(static_cast<pb::ConnectionQuality>(value)),
          info.set_score(score);
    });
  };
  EXPECT_EQ(quality(kParticipant, 3, 1), "");
  EXPECT_EQ(quality("bob", 3, 1), "a connection quality's sid is not PA_…");
  EXPECT_EQ(quality(kParticipant, 4, 1), "an unknown connection quality");
  EXPECT_EQ(quality(kParticipant, 3, std::numeric_limits<float>::infinity()),
            "a connection quality's score is not a number");
}

TEST(OutgoingRules, subscription_answers_name_what_exists) {
  EXPECT_EQ(
      broken_by(good_answer(),
                [](auto& m) { m.mutable_subscription_permission_update()->set_track_sid(kTrack); }),
      "a participant's sid is not PA_…");
  EXPECT_EQ(
      broken_by(good_answer(),
                [](auto& m) {
                  m.mutable_subscription_permission_update()->set_participant_sid(kParticipant);
                }),
      "a track's sid is not TR_…");
  const Break unknown_error = [](auto& m) {
    m.mutable_subscription_response()->set_track_sid(kTrack);
    m.mutable_subscription_response()->set_err(static_cast<pb::SubscriptionError>(9));
  };
  EXPECT_EQ(broken_by(good_answer(), unknown_error), "an unknown subscription error");
  EXPECT_EQ(broken_by(good_answer(),
                      [](auto& m) {
                        m.mutable_request_response()->set_reason(
                            static_cast<pb::RequestResponse::Reason>(99));
                      }),
            "an unknown reason of a request_response");
}

TEST(OutgoingRules, a_token_fits_an_http_header) {
  const char* rule = "a token that no HTTP header can carry";
  EXPECT_EQ(broken_by(good_answer(), [](auto& m) { m.set_refresh_token(""); }), rule);
  EXPECT_EQ(broken_by(good_answer(), [](auto& m) { m.set_refresh_token("a b"); }), rule);
  EXPECT_EQ(broken_by(good_answer(), [](auto& m) { m.set_refresh_token("a\n"); }), rule);
  EXPECT_EQ(broken_by(good_answer(), [](auto& m) { m.set_refresh_token("\xc3\xa4"); }), rule);
}

TEST(OutgoingRules, pongs_tell_the_time) {
  EXPECT_EQ(broken_by(good_answer(), [](auto& m) { m.set_pong(0); }), "a pong without the time");
  EXPECT_EQ(broken_by(good_answer(), [](auto& m) { m.mutable_pong_resp(); }),
            "a pong without the time");
}

TEST(OutgoingRules, no_more_sections_are_asked_for_than_may_be) {
  const auto count = static_cast<uint32_t>(limits::kSdpSectionsMax + 1);
  EXPECT_EQ(
      broken_by(good_answer(),
                [=](auto& m) { m.mutable_media_sections_requirement()->set_num_audios(count); }),
      "more sections are asked for than a description may have");
}

TEST(OutgoingRules, what_is_not_in_the_table_is_not_sent) {
  EXPECT_EQ(broken_by(good_answer(), [](auto& m) { m.Clear(); }),
            "a message of a kind that is not sent");
  EXPECT_EQ(broken_by(good_answer(), [](auto& m) { m.mutable_stream_state_update(); }),
            "a message of a kind that is not sent");
}

}  // namespace
}  // namespace atrium::signal
