#include "negotiation/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/limits.h"
#include "base/seeded_secret_source.h"
#include "negotiation/offer_builder.h"
#include "wire/sdp.h"

namespace atrium::negotiation {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using wire::SdpDirection;
using enum wire::SdpDirection;

const TrackSid kMic("TR_mic"), kCam("TR_cam"), kFar("TR_far"), kFar2("TR_far2");

WantedSend want_audio(const TrackSid& sid) {
  return {sid, "PA_x", "", Kind::Audio, "opus"};
}
WantedSend want_video(const TrackSid& sid) {
  return {sid, "PA_x", "", Kind::Video, "VP8"};
}
PendingTrack pending(const TrackSid& sid, Kind kind, const std::string& cid) {
  PendingTrack track;
  track.sid = sid;
  track.kind = kind;
  track.cid = cid;
  return track;
}

class SessionTest : public ::testing::Test {
 protected:
  AnswerResult answered(OfferBuilder& offer) {
    auto result = session_.on_offer(offer.text(), ++id_, local_);
    EXPECT_TRUE(result) << (result ? "" : result.error().what);
    if (!result) return {};
    auto parsed = wire::parse_sdp(result->sdp);
    EXPECT_TRUE(parsed);
    if (parsed) answer_ = *parsed;
    return *result;
  }
  Error refused(const std::string& text) {
    auto result = session_.on_offer(text, ++id_, local_);
    EXPECT_FALSE(result);
    return result ? Error{} : result.error();
  }

  SeededSecretSource secrets_{11};
  Session session_{secrets_, "atrium"};
  LocalTransport local_{.ice_ufrag = "srvr",
                        .ice_password = "serverpasswordserverpass",
                        .fingerprint_sha256 = OfferBuilder::fingerprint('B'),
                        .candidates = {{.ip = *IpAddress::parse("192.0.2.1"), .port = 7882},
                                       {.ip = *IpAddress::parse("2001:db8::1"), .port = 7882}}};
  wire::SdpSession answer_;
  uint32_t id_ = 0;
};

OfferBuilder placeholders() {
  OfferBuilder offer;
  for (int i = 0; i < 3; ++i) offer.audio(RecvOnly);
  for (int i = 0; i < 3; ++i) offer.video(RecvOnly);
  offer.data();
  return offer;
}

// --- the transport
// ---------------------------------------------------------------------------------------------------

TEST_F(SessionTest, placeholders_are_answered_inactive_with_port_9_and_never_rejected) {
  OfferBuilder offer = placeholders();
  AnswerResult result = answered(offer);
  ASSERT_THAT(answer_.sections, SizeIs(7));
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(answer_.sections[i].port, 9);
    EXPECT_EQ(answer_.sections[i].direction, Inactive);
    EXPECT_EQ(answer_.sections[i].mid, std::to_string(i));
    EXPECT_TRUE(answer_.sections[i].rtcp_mux);
    EXPECT_THAT(answer_.sections[i].msids, IsEmpty());
  }
  EXPECT_TRUE(result.has_data_section);
  EXPECT_EQ(answer_.sections[6].sctp_port, 5000);
  EXPECT_EQ(answer_.sections[6].max_message_size, 65'535u);
  EXPECT_THAT(answer_.bundle, ElementsAre("0", "1", "2", "3", "4", "5", "6"));
  EXPECT_THAT(result.mid_to_track, IsEmpty());
}

// RFC 8841 section 6.1.
TEST_F(SessionTest, what_the_peer_takes_in_one_message_is_told) {
  OfferBuilder offer = placeholders();
  EXPECT_EQ(answered(offer).max_message_bytes, 262'144u);
  offer.at(6).max_message_size = 0;
  EXPECT_EQ(answered(offer).max_message_bytes, 0u) << "any length";
  offer.at(6).max_message_size.reset();
  EXPECT_EQ(answered(offer).max_message_bytes, 65'536u);
}

TEST_F(SessionTest, the_answer_is_lite_passive_and_carries_its_candidates_once) {
  OfferBuilder offer = placeholders();
  answered(offer);
  EXPECT_TRUE(answer_.ice_lite);
  for (const wire::SdpSection& section : answer_.sections) {
    EXPECT_EQ(section.transport.setup, wire::SdpSetup::Passive);
    EXPECT_EQ(section.transport.ice_ufrag, "srvr");
    ASSERT_THAT(section.transport.fingerprints, SizeIs(1));
    EXPECT_EQ(section.transport.fingerprints[0].hash, "sha-256");
  }
  ASSERT_THAT(answer_.sections[0].candidates, SizeIs(2));
  EXPECT_EQ(answer_.sections[0].candidates[1].address, "2001:db8::1");
  EXPECT_GT(answer_.sections[0].candidates[0].priority, answer_.sections[0].candidates[1].priority);
  EXPECT_TRUE(answer_.sections[0].end_of_candidates);
  EXPECT_THAT(answer_.sections[1].candidates, IsEmpty());
}

TEST_F(SessionTest, the_candidates_move_when_the_tagged_section_is_stopped) {
  OfferBuilder offer = placeholders();
  answered(offer);
  offer.stop(0);
  answered(offer);
  EXPECT_EQ(answer_.sections[0].port, 0);
  EXPECT_THAT(answer_.sections[0].candidates, IsEmpty());
  EXPECT_THAT(answer_.sections[1].candidates, SizeIs(2));
  EXPECT_EQ(answer_.bundle.front(), "1");
}

TEST_F(SessionTest, the_peers_transport_is_told_and_the_offers_id_echoed) {
  OfferBuilder offer = placeholders();
  AnswerResult result = answered(offer);
  EXPECT_EQ(result.id, id_);
  EXPECT_EQ(result.remote.ice_ufrag, "clnt");
  EXPECT_EQ(result.remote.fingerprint_sha256, OfferBuilder::fingerprint());
  EXPECT_TRUE(result.remote.setup_active);
}

TEST_F(SessionTest, an_ice_restart_is_seen_before_and_in_the_answer) {
  OfferBuilder offer = placeholders();
  EXPECT_FALSE(session_.is_ice_restart(offer.text()).value());
  EXPECT_FALSE(answered(offer).ice_restart);
  EXPECT_FALSE(session_.is_ice_restart(offer.text()).value());
  offer.restart_ice("next");
  EXPECT_TRUE(session_.is_ice_restart(offer.text()).value());
  EXPECT_TRUE(answered(offer).ice_restart);
  EXPECT_FALSE(answered(offer).ice_restart);
}

TEST_F(SessionTest, the_version_of_the_answer_grows_and_its_id_stays) {
  OfferBuilder offer = placeholders();
  answered(offer);
  wire::SdpSession first = answer_;
  answered(offer);
  EXPECT_EQ(answer_.origin_id, first.origin_id);
  EXPECT_EQ(answer_.origin_version, first.origin_version + 1);
}

// --- what is refused
// -------------------------------------------------------------------------------------------------

TEST_F(SessionTest, offers_that_break_the_rules_are_refused_by_name) {
  auto broken = [](auto change) {
    OfferBuilder offer = placeholders();
    change(offer);
    return offer.text();
  };
  EXPECT_EQ(refused("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n").kind, ErrorKind::Malformed);
  EXPECT_EQ(refused(broken([](auto& o) { o.at(1).mid = "0"; })).kind, ErrorKind::Malformed);
  EXPECT_EQ(refused(broken([](auto& o) { o.at(1).mid = ""; })).kind, ErrorKind::Malformed);
  EXPECT_EQ(refused(broken([](auto& o) { o.sdp.bundle.pop_back(); })).kind, ErrorKind::Unsupported);
  EXPECT_EQ(refused(broken([](auto& o) { o.sdp.bundle.clear(); })).kind, ErrorKind::Unsupported);
  EXPECT_EQ(refused(broken([](auto& o) { o.at(0).transport.ice_ufrag = ""; })).kind,
            ErrorKind::Malformed);
  EXPECT_EQ(refused(broken([](auto& o) { o.at(0).transport.fingerprints.clear(); })).kind,
            ErrorKind::Unsupported);
  EXPECT_EQ(
      refused(broken([](auto& o) { o.at(0).transport.fingerprints[0].value = "AB:CD"; })).kind,
      ErrorKind::Malformed);
  EXPECT_EQ(
      refused(broken([](auto& o) { o.at(0).transport.setup = wire::SdpSetup::Passive; })).kind,
      ErrorKind::Unsupported);
  EXPECT_EQ(refused(broken([](auto& o) {
              for (auto& section : o.sdp.sections) section.rtcp_mux = false;
            })).kind,
            ErrorKind::Unsupported);
  EXPECT_EQ(refused(broken([](auto& o) {
              for (size_t i = 0; i < 7; ++i) o.stop(i);
            })).kind,
            ErrorKind::Unsupported);
}

TEST_F(SessionTest, later_offers_may_not_drop_reorder_or_change_sections) {
  OfferBuilder offer = placeholders();
  answered(offer);
  OfferBuilder shorter = offer;
  shorter.sdp.sections.pop_back();
  shorter.sdp.bundle.pop_back();
  EXPECT_EQ(refused(shorter.text()).kind, ErrorKind::Malformed);
  OfferBuilder swapped = offer;
  std::swap(swapped.sdp.sections[0], swapped.sdp.sections[1]);
  EXPECT_EQ(refused(swapped.text()).kind, ErrorKind::Malformed);
  OfferBuilder other_key = offer;
  other_key.at(0).transport.fingerprints[0].value = OfferBuilder::fingerprint('C');
  EXPECT_EQ(refused(other_key.text()).kind, ErrorKind::Unsupported);
}

TEST_F(SessionTest, a_refused_offer_leaves_the_session_as_it_was) {
  OfferBuilder offer = placeholders();
  session_.want_send(want_video(kFar));
  AnswerResult before = answered(offer);
  session_.add_pending_track(pending(kCam, Kind::Video, "cam"));
  OfferBuilder bad = offer;
  bad.simulcast("cam");
  bad.stop(3);
  bad.at(0).mid = "x";
  refused(bad.text());
  OfferBuilder good = offer;
  good.simulcast("cam");
  AnswerResult after = answered(good);
  EXPECT_EQ(after.mid_to_track, before.mid_to_track);
  EXPECT_THAT(after.downlinks_removed, IsEmpty());
  ASSERT_THAT(after.uplinks_added, SizeIs(1));
  EXPECT_EQ(after.uplinks_added[0].track, kCam);
}

TEST_F(SessionTest, a_rejected_section_may_be_taken_over_by_a_new_mid) {
  OfferBuilder offer = placeholders();
  answered(offer);
  offer.stop(2);
  answered(offer);
  OfferBuilder fresh;
  fresh.video(RecvOnly);
  offer.sdp.sections[2] = fresh.at(0);
  offer.at(2).mid = "new";
  offer.sdp.bundle.push_back("new");
  answered(offer);
  EXPECT_EQ(answer_.sections[2].mid, "new");
  EXPECT_EQ(answer_.sections[2].port, 9);
}

TEST_F(SessionTest, sections_that_we_cannot_serve_are_rejected_alone) {
  OfferBuilder offer = placeholders();
  size_t odd = offer.audio(RecvOnly);
  offer.at(odd).media = "text";
  size_t plain = offer.audio(RecvOnly);
  offer.at(plain).protocol = "RTP/AVP";
  size_t second = offer.data();
  answered(offer);
  EXPECT_EQ(answer_.sections[odd].port, 0);
  EXPECT_EQ(answer_.sections[plain].port, 0);
  EXPECT_EQ(answer_.sections[second].port, 0);
  EXPECT_EQ(answer_.sections[6].port, 9);
  EXPECT_THAT(answer_.bundle, SizeIs(7));
}

TEST_F(SessionTest, a_section_without_a_codec_of_ours_stays_alive_and_inactive) {
  OfferBuilder offer = placeholders();
  size_t odd = offer.video(SendRecv, "cam");
  offer.at(odd).codecs = {{.payload_type = 98, .name = "VP9", .clock_rate = 90'000}};
  session_.add_pending_track(pending(kCam, Kind::Video, "cam"));
  AnswerResult result = answered(offer);
  EXPECT_EQ(answer_.sections[odd].port, 9);
  EXPECT_EQ(answer_.sections[odd].direction, Inactive);
  ASSERT_THAT(answer_.sections[odd].codecs, SizeIs(1));
  EXPECT_EQ(answer_.sections[odd].codecs[0].payload_type, 98);
  EXPECT_THAT(result.uplinks_added, IsEmpty());
}

// --- uplinks
// ---------------------------------------------------------------------------------------------------------

TEST_F(SessionTest, a_microphone_is_bound_by_its_cid_and_answered_with_the_offered_numbers) {
  OfferBuilder offer = placeholders();
  size_t mic = offer.audio(SendOnly, "mic-cid");
  offer.at(mic).ssrcs = {{.ssrc = 4242, .cname = "c"}};
  session_.add_pending_track(pending(kMic, Kind::Audio, "mic-cid"));
  AnswerResult result = answered(offer);
  ASSERT_THAT(result.uplinks_added, SizeIs(1));
  const UplinkPlan& plan = result.uplinks_added[0];
  EXPECT_EQ(plan.track, kMic);
  EXPECT_EQ(plan.mid, "7");
  EXPECT_EQ(plan.codec, "opus");
  EXPECT_EQ(plan.payload_type, 111);
  EXPECT_EQ(plan.clock_rate, 48'000u);
  EXPECT_EQ(plan.ssrc, 4242u);
  EXPECT_TRUE(plan.transport_cc);
  EXPECT_FALSE(plan.nack);
  EXPECT_EQ(plan.extensions,
            (Extensions{.mid = 4, .transport_seq = 3, .abs_send_time = 2, .audio_level = 1}));
  EXPECT_EQ(answer_.sections[mic].direction, RecvOnly);
  ASSERT_THAT(answer_.sections[mic].codecs, SizeIs(1));
  EXPECT_EQ(answer_.sections[mic].codecs[0].fmtp, "minptime=10;useinbandfec=1;usedtx=1");
  EXPECT_THAT(answer_.sections[mic].codecs[0].feedback, ElementsAre("transport-cc"));
}

TEST_F(SessionTest, a_track_asked_for_again_under_its_cid_is_bound_under_the_latest_sid) {
  OfferBuilder offer;
  offer.audio(SendOnly, "mic-cid");
  session_.add_pending_track(pending(kMic, Kind::Audio, "mic-cid"));
  session_.add_pending_track(pending(kFar, Kind::Audio, "mic-cid"));
  AnswerResult result = answered(offer);
  ASSERT_THAT(result.uplinks_added, SizeIs(1));
  EXPECT_EQ(result.uplinks_added[0].track, kFar);
}

TEST_F(SessionTest, stereo_and_dtx_wishes_decide_opus_parameters) {
  OfferBuilder offer;
  size_t mic = offer.audio(SendOnly, "mic");
  offer.at(mic).codecs[0].fmtp = "minptime=10;usedtx=1; stereo=0";
  PendingTrack track = pending(kMic, Kind::Audio, "mic");
  track.stereo = track.disable_dtx = true;
  session_.add_pending_track(track);
  answered(offer);
  EXPECT_EQ(answer_.sections[mic].codecs[0].fmtp, "minptime=10;stereo=1;maxaveragebitrate=510000");
}

TEST_F(SessionTest, a_camera_is_answered_with_vp8_its_rtx_and_the_feedback_that_we_act_on) {
  OfferBuilder offer;
  size_t cam = offer.video(SendOnly, "cam");
  offer.at(cam).ssrcs = {{.ssrc = 8, .cname = "c"}, {.ssrc = 7, .cname = "c"}};
  offer.at(cam).ssrc_groups = {{.semantics = "FID", .ssrcs = {7, 8}}};
  session_.add_pending_track(pending(kCam, Kind::Video, "cam"));
  AnswerResult result = answered(offer);
  ASSERT_THAT(result.uplinks_added, SizeIs(1));
  const UplinkPlan& plan = result.uplinks_added[0];
  EXPECT_EQ(plan.codec, "VP8");
  EXPECT_EQ(plan.payload_type, 96);
  EXPECT_EQ(plan.rtx_payload_type, 97);
  EXPECT_EQ(plan.ssrc, 7u);
  EXPECT_EQ(plan.rtx_ssrc, 8u);
  EXPECT_TRUE(plan.nack && plan.pli && plan.transport_cc);
  ASSERT_THAT(answer_.sections[cam].codecs, SizeIs(2));
  EXPECT_THAT(answer_.sections[cam].codecs[0].feedback,
              ElementsAre("transport-cc", "ccm fir", "nack", "nack pli"));
  EXPECT_EQ(answer_.sections[cam].codecs[1].fmtp, "apt=96");
}

TEST_F(SessionTest, simulcast_layers_are_accepted_and_ordered_as_announced) {
  OfferBuilder offer;
  size_t cam = offer.simulcast("cam");
  std::swap(offer.at(cam).simulcast.send[0], offer.at(cam).simulcast.send[2]);
  offer.at(cam).simulcast.send[1][0].paused = true;
  PendingTrack track = pending(kCam, Kind::Video, "cam");
  track.layer_rids = {"q", "h", "f"};
  session_.add_pending_track(track);
  AnswerResult result = answered(offer);
  ASSERT_THAT(result.uplinks_added, SizeIs(1));
  EXPECT_THAT(result.uplinks_added[0].rids, ElementsAre("q", "h", "f"));
  EXPECT_EQ(result.uplinks_added[0].ssrc, std::nullopt);
  ASSERT_THAT(answer_.sections[cam].simulcast.recv, SizeIs(3));
  EXPECT_EQ(answer_.sections[cam].simulcast.recv[0][0].rid, "f");
  EXPECT_FALSE(answer_.sections[cam].simulcast.recv[1][0].paused);
  EXPECT_FALSE(answer_.sections[cam].rids[0].send);
}

TEST_F(SessionTest, simulcast_without_the_rid_extension_is_one_stream) {
  OfferBuilder offer;
  size_t cam = offer.simulcast("cam");
  std::erase_if(offer.at(cam).extmaps,
                [](const auto& e) { return e.uri.ends_with("sdes:rtp-stream-id"); });
  session_.add_pending_track(pending(kCam, Kind::Video, "cam"));
  AnswerResult result = answered(offer);
  ASSERT_THAT(result.uplinks_added, SizeIs(1));
  EXPECT_THAT(result.uplinks_added[0].rids, IsEmpty());
  EXPECT_TRUE(answer_.sections[cam].simulcast.empty());
}

TEST_F(SessionTest, cids_match_as_track_id_whole_msid_and_with_braces) {
  OfferBuilder offer;
  offer.audio(SendOnly, "{aaaa}");
  offer.audio(SendOnly, "bbbb");
  session_.add_pending_track(pending(kCam, Kind::Audio, "- bbbb"));
  session_.add_pending_track(pending(kMic, Kind::Audio, "aaaa"));
  AnswerResult result = answered(offer);
  ASSERT_THAT(result.uplinks_added, SizeIs(2));
  EXPECT_EQ(result.uplinks_added[0].track, kMic);
  EXPECT_EQ(result.uplinks_added[1].track, kCam);
}

TEST_F(SessionTest, a_rewritten_id_falls_back_to_the_oldest_pending_track_of_the_kind) {
  OfferBuilder offer = placeholders();
  session_.add_pending_track(pending(kCam, Kind::Video, "cam"));
  session_.add_pending_track(pending(kMic, Kind::Audio, "mic-1"));
  session_.add_pending_track(pending(kFar, Kind::Audio, "mic-2"));
  offer.audio(SendOnly, "rewritten");
  AnswerResult result = answered(offer);
  ASSERT_THAT(result.uplinks_added, SizeIs(1));
  EXPECT_EQ(result.uplinks_added[0].track, kMic);
}

TEST_F(SessionTest, an_exact_cid_wins_over_age_in_whichever_section_it_stands) {
  OfferBuilder offer;
  session_.add_pending_track(pending(kFar, Kind::Audio, "other"));
  session_.add_pending_track(pending(kMic, Kind::Audio, "mic"));
  offer.audio(SendOnly, "rewritten");
  offer.audio(SendOnly, "mic");
  AnswerResult result = answered(offer);
  ASSERT_THAT(result.uplinks_added, SizeIs(2));
  EXPECT_EQ(result.uplinks_added[0].track, kFar);
  EXPECT_EQ(result.uplinks_added[1].track, kMic);
}

TEST_F(SessionTest, a_section_that_came_before_its_announcement_is_bound_when_that_comes) {
  OfferBuilder offer;
  size_t mic = offer.audio(SendOnly, "mic");
  EXPECT_THAT(answered(offer).uplinks_added, IsEmpty());
  EXPECT_EQ(answer_.sections[mic].direction, Inactive);
  session_.add_pending_track(pending(kMic, Kind::Audio, "other-id"));
  EXPECT_THAT(answered(offer).uplinks_added, SizeIs(1));
  EXPECT_EQ(answer_.sections[mic].direction, RecvOnly);
}

TEST_F(SessionTest, an_unchanged_offer_reports_no_changes) {
  OfferBuilder offer = placeholders();
  offer.simulcast("cam");
  session_.add_pending_track(pending(kCam, Kind::Video, "cam"));
  session_.want_send(want_audio(kFar));
  answered(offer);
  AnswerResult again = answered(offer);
  EXPECT_THAT(again.uplinks_added, IsEmpty());
  EXPECT_THAT(again.uplinks_removed, IsEmpty());
  EXPECT_THAT(again.downlinks_added, IsEmpty());
  EXPECT_THAT(again.downlinks_removed, IsEmpty());
  EXPECT_THAT(again.mid_to_track, ElementsAre(Pair("0", "TR_far")));
}

class Unpublish : public SessionTest, public ::testing::WithParamInterface<SdpDirection> {};

TEST_P(Unpublish, a_published_section_that_no_longer_sends_ends_its_track) {
  OfferBuilder offer = placeholders();
  size_t mic = offer.audio(SendOnly, "mic");
  session_.add_pending_track(pending(kMic, Kind::Audio, "mic"));
  answered(offer);
  offer.at(mic).direction = GetParam();
  EXPECT_THAT(answered(offer).uplinks_removed, ElementsAre(kMic));
  EXPECT_THAT(answered(offer).uplinks_removed, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Directions, Unpublish, ::testing::Values(Inactive, RecvOnly));

TEST_F(SessionTest, stopping_a_published_section_ends_its_track_and_is_answered_with_port_0) {
  OfferBuilder offer = placeholders();
  size_t mic = offer.audio(SendOnly, "mic");
  session_.add_pending_track(pending(kMic, Kind::Audio, "mic"));
  answered(offer);
  offer.stop(mic);
  EXPECT_THAT(answered(offer).uplinks_removed, ElementsAre(kMic));
  EXPECT_EQ(answer_.sections[mic].port, 0);
}

TEST_F(SessionTest, a_section_that_names_another_pending_track_is_handed_over) {
  OfferBuilder offer;
  size_t mic = offer.audio(SendOnly, "mic-1");
  session_.add_pending_track(pending(kMic, Kind::Audio, "mic-1"));
  answered(offer);
  session_.add_pending_track(pending(kFar, Kind::Audio, "mic-2"));
  offer.at(mic).msids[0].track = "mic-2";
  AnswerResult result = answered(offer);
  EXPECT_THAT(result.uplinks_removed, ElementsAre(kMic));
  ASSERT_THAT(result.uplinks_added, SizeIs(1));
  EXPECT_EQ(result.uplinks_added[0].track, kFar);
}

TEST_F(SessionTest, a_forgotten_publication_is_answered_inactive_and_not_given_away_by_age) {
  OfferBuilder offer;
  size_t mic = offer.audio(SendOnly, "mic");
  session_.add_pending_track(pending(kMic, Kind::Audio, "mic"));
  answered(offer);
  session_.forget_pending_track(kMic);
  session_.add_pending_track(pending(kFar, Kind::Audio, "other"));
  AnswerResult result = answered(offer);
  EXPECT_THAT(result.uplinks_added, IsEmpty());
  EXPECT_EQ(answer_.sections[mic].direction, Inactive);
}

TEST_F(SessionTest, a_known_uplink_is_told_again_when_its_plan_changes) {
  OfferBuilder offer;
  size_t cam = offer.video(SendOnly, "cam");
  session_.add_pending_track(pending(kCam, Kind::Video, "cam"));
  answered(offer);
  offer.at(cam).ssrcs = {{.ssrc = 99, .cname = "c"}};
  AnswerResult result = answered(offer);
  ASSERT_THAT(result.uplinks_added, SizeIs(1));
  EXPECT_EQ(result.uplinks_added[0].ssrc, 99u);
  EXPECT_THAT(result.uplinks_removed, IsEmpty());
}

// --- downlinks
// -------------------------------------------------------------------------------------------------------

TEST_F(SessionTest, a_wanted_track_takes_the_first_free_section_of_its_kind) {
  OfferBuilder offer = placeholders();
  session_.want_send(want_video(kFar));
  AnswerResult result = answered(offer);
  ASSERT_THAT(result.downlinks_added, SizeIs(1));
  const DownlinkPlan& plan = result.downlinks_added[0];
  EXPECT_EQ(plan.mid, "3");
  EXPECT_EQ(plan.payload_type, 96);
  EXPECT_EQ(plan.rtx_payload_type, 97);
  EXPECT_NE(plan.ssrc, 0u);
  EXPECT_NE(plan.rtx_ssrc, plan.ssrc);
  EXPECT_EQ(plan.cname, "atrium");
  EXPECT_EQ(plan.extensions, (Extensions{.mid = 4, .abs_send_time = 2}));
  EXPECT_THAT(result.mid_to_track, ElementsAre(Pair("3", "TR_far")));
  const wire::SdpSection& section = answer_.sections[3];
  EXPECT_EQ(section.direction, SendOnly);
  ASSERT_THAT(section.msids, SizeIs(1));
  EXPECT_EQ(section.msids[0].stream, "PA_x|TR_far");
  EXPECT_EQ(section.msids[0].track, "TR_far");
  ASSERT_THAT(section.ssrc_groups, SizeIs(1));
  EXPECT_THAT(section.ssrc_groups[0].ssrcs, ElementsAre(plan.ssrc, plan.rtx_ssrc));
  EXPECT_EQ(section.ssrcs[0].cname, "atrium");
  EXPECT_THAT(section.codecs[0].feedback, ElementsAre("ccm fir", "nack", "nack pli"));
}

TEST_F(SessionTest, every_known_extension_is_accepted_on_every_section) {
  OfferBuilder offer = placeholders();
  answered(offer);
  EXPECT_THAT(answer_.sections[0].extmaps, SizeIs(4));
  EXPECT_THAT(answer_.sections[3].extmaps, SizeIs(5));  // not video-orientation
}

TEST_F(SessionTest, without_rtx_a_downlink_negotiates_no_nack) {
  OfferBuilder offer;
  size_t cam = offer.video(RecvOnly);
  offer.at(cam).codecs.erase(offer.at(cam).codecs.begin() + 1);
  session_.want_send(want_video(kFar));
  AnswerResult result = answered(offer);
  ASSERT_THAT(result.downlinks_added, SizeIs(1));
  EXPECT_EQ(result.downlinks_added[0].rtx_payload_type, 0);
  EXPECT_EQ(result.downlinks_added[0].rtx_ssrc, 0u);
  EXPECT_THAT(answer_.sections[cam].codecs[0].feedback, ElementsAre("ccm fir", "nack pli"));
  EXPECT_THAT(answer_.sections[cam].ssrc_groups, IsEmpty());
}

TEST_F(SessionTest, tracks_of_one_sync_group_share_a_stream_unless_its_name_could_mislead) {
  OfferBuilder offer = placeholders();
  WantedSend grouped = want_audio(kFar), odd = want_audio(kFar2), sid = want_audio(kMic);
  grouped.stream = "camera";
  odd.stream = "a|b c\r\nm=audio";
  sid.stream = "TR_other";
  for (const WantedSend& want : {grouped, odd, sid}) session_.want_send(want);
  answered(offer);
  EXPECT_EQ(answer_.sections[0].msids[0].stream, "PA_x|camera");
  EXPECT_EQ(answer_.sections[1].msids[0].stream, "PA_x|TR_far2");
  EXPECT_EQ(answer_.sections[2].msids[0].stream, "PA_x|TR_mic");
}

TEST_F(SessionTest, a_stopped_send_makes_its_section_inactive_then_free_with_new_ssrcs) {
  OfferBuilder offer;
  offer.video(RecvOnly);
  session_.want_send(want_video(kFar));
  uint32_t first = answered(offer).downlinks_added.at(0).ssrc;
  session_.stop_send(kFar);
  session_.want_send(want_video(kFar2));
  EXPECT_TRUE(session_.needs_offer());
  AnswerResult between = answered(offer);
  EXPECT_THAT(between.downlinks_removed, ElementsAre(kFar));
  EXPECT_THAT(between.downlinks_added, IsEmpty());
  EXPECT_EQ(answer_.sections[0].direction, Inactive);
  EXPECT_TRUE(session_.needs_offer());
  AnswerResult after = answered(offer);
  ASSERT_THAT(after.downlinks_added, SizeIs(1));
  EXPECT_EQ(after.downlinks_added[0].track, kFar2);
  EXPECT_NE(after.downlinks_added[0].ssrc, first);
  EXPECT_FALSE(session_.needs_offer());
}

// The media core forgot the stopped downlink at once: to keep its section would mean silence for good.
TEST_F(SessionTest, a_send_stopped_and_wanted_again_before_the_next_offer_is_placed_anew) {
  OfferBuilder offer;
  offer.video(RecvOnly);
  session_.want_send(want_video(kFar));
  const DownlinkPlan first = answered(offer).downlinks_added.at(0);
  session_.stop_send(kFar);
  session_.want_send(want_video(kFar));
  EXPECT_TRUE(session_.needs_offer());
  AnswerResult between = answered(offer);
  EXPECT_THAT(between.downlinks_removed, ElementsAre(kFar));
  EXPECT_THAT(between.downlinks_added, IsEmpty());
  EXPECT_EQ(answer_.sections[0].direction, Inactive);
  EXPECT_TRUE(session_.needs_offer());
  AnswerResult after = answered(offer);
  ASSERT_THAT(after.downlinks_added, SizeIs(1));
  EXPECT_EQ(after.downlinks_added[0].track, kFar);
  EXPECT_NE(after.downlinks_added[0].ssrc, first.ssrc);
  EXPECT_NE(after.downlinks_added[0].rtx_ssrc, first.rtx_ssrc);
  EXPECT_FALSE(session_.needs_offer());
}

TEST_F(SessionTest, a_send_stopped_and_wanted_again_moves_to_a_free_section_at_once) {
  OfferBuilder offer = placeholders();
  session_.want_send(want_audio(kFar));
  const DownlinkPlan first = answered(offer).downlinks_added.at(0);
  session_.stop_send(kFar);
  session_.want_send(want_audio(kFar));
  AnswerResult result = answered(offer);
  EXPECT_THAT(result.downlinks_removed, ElementsAre(kFar));
  ASSERT_THAT(result.downlinks_added, SizeIs(1));
  EXPECT_EQ(result.downlinks_added[0].mid, "1");
  EXPECT_NE(result.downlinks_added[0].ssrc, first.ssrc);
  EXPECT_THAT(result.mid_to_track, ElementsAre(Pair("1", "TR_far")));
}

TEST_F(SessionTest, a_stopped_send_stays_stopped_when_an_offer_between_is_refused) {
  OfferBuilder offer;
  offer.video(RecvOnly);
  session_.want_send(want_video(kFar));
  answered(offer);
  session_.stop_send(kFar);
  session_.want_send(want_video(kFar));
  refused("nonsense");
  EXPECT_THAT(answered(offer).downlinks_removed, ElementsAre(kFar));
}

TEST_F(SessionTest, a_track_wanted_again_gets_ssrcs_that_were_never_used) {
  OfferBuilder offer = placeholders();
  std::set<uint32_t> seen;
  for (int round = 0; round < 20; ++round) {
    session_.want_send(want_video(kFar));
    AnswerResult result = answered(offer);
    EXPECT_TRUE(seen.insert(result.downlinks_added.at(0).ssrc).second);
    EXPECT_TRUE(seen.insert(result.downlinks_added.at(0).rtx_ssrc).second);
    session_.stop_send(kFar);
    answered(offer);
  }
}

TEST_F(SessionTest,
       a_downlink_section_that_the_client_publishes_on_is_given_up_and_its_track_moves) {
  OfferBuilder offer = placeholders();
  session_.want_send(want_audio(kFar));
  uint32_t first = answered(offer).downlinks_added.at(0).ssrc;
  session_.add_pending_track(pending(kMic, Kind::Audio, "mic"));
  offer.at(0).direction = SendRecv;
  offer.at(0).msids = {{.stream = "-", .track = "mic"}};
  AnswerResult result = answered(offer);
  ASSERT_THAT(result.uplinks_added, SizeIs(1));
  EXPECT_EQ(result.uplinks_added[0].mid, "0");
  EXPECT_THAT(result.downlinks_removed, ElementsAre(kFar));
  ASSERT_THAT(result.downlinks_added, SizeIs(1));
  EXPECT_EQ(result.downlinks_added[0].mid, "1");
  EXPECT_NE(result.downlinks_added[0].ssrc, first);
  EXPECT_EQ(answer_.sections[0].direction, RecvOnly);
  EXPECT_THAT(result.mid_to_track, ElementsAre(Pair("1", "TR_far")));
}

TEST_F(SessionTest, a_section_on_which_the_client_stops_receiving_loses_its_track) {
  OfferBuilder offer = placeholders();
  session_.want_send(want_audio(kFar));
  answered(offer);
  offer.at(0).direction = Inactive;
  AnswerResult result = answered(offer);
  EXPECT_THAT(result.downlinks_removed, ElementsAre(kFar));
  EXPECT_THAT(result.mid_to_track, ElementsAre(Pair("1", "TR_far")));
}

TEST_F(SessionTest, a_section_on_which_the_client_sends_carries_nothing_back) {
  OfferBuilder offer;
  offer.audio(SendRecv, "mic");
  session_.add_pending_track(pending(kMic, Kind::Audio, "mic"));
  session_.want_send(want_audio(kFar));
  AnswerResult result = answered(offer);
  EXPECT_THAT(result.downlinks_added, IsEmpty());
  EXPECT_EQ(session_.missing_sections().audio, 1u);
}

// --- asking for offers
// -----------------------------------------------------------------------------------------------

TEST_F(SessionTest, nothing_is_asked_for_before_the_first_offer) {
  session_.want_send(want_video(kFar));
  EXPECT_FALSE(session_.needs_offer());
  EXPECT_EQ(session_.missing_sections().video, 0u);
}

TEST_F(SessionTest, wanted_tracks_beyond_the_free_sections_are_missing) {
  OfferBuilder offer = placeholders();
  answered(offer);
  for (int i = 0; i < 5; ++i) session_.want_send(want_video(TrackSid("TR_" + std::to_string(i))));
  session_.want_send(want_audio(kFar));
  EXPECT_EQ(session_.missing_sections().video, 2u);
  EXPECT_EQ(session_.missing_sections().audio, 0u);
  EXPECT_TRUE(session_.needs_offer());
  offer.video(RecvOnly);
  offer.video(RecvOnly);
  EXPECT_THAT(answered(offer).downlinks_added, SizeIs(6));
  EXPECT_EQ(session_.missing_sections().video, 0u);
  EXPECT_FALSE(session_.needs_offer());
}

TEST_F(SessionTest, a_codec_that_the_peer_does_not_know_is_not_asked_for_forever) {
  OfferBuilder offer;
  size_t cam = offer.video(RecvOnly);
  offer.at(cam).codecs = {{.payload_type = 98, .name = "VP9", .clock_rate = 90'000}};
  answered(offer);
  session_.want_send(want_video(kFar));
  WantedSend unserved = want_video(kFar2);
  unserved.codec = "AV1";
  session_.want_send(unserved);
  EXPECT_EQ(session_.missing_sections().video, 0u);
  EXPECT_FALSE(session_.needs_offer());
}

TEST_F(SessionTest, no_more_sections_are_asked_for_than_one_description_may_have) {
  OfferBuilder offer;
  for (int64_t i = 0; i < limits::kSdpSectionsMax - 1; ++i) offer.audio(Inactive);
  answered(offer);
  for (int i = 0; i < 5; ++i) session_.want_send(want_video(TrackSid("TR_" + std::to_string(i))));
  EXPECT_EQ(session_.missing_sections().video, 1u);
}

TEST_F(SessionTest, stopping_a_send_asks_for_one_offer) {
  OfferBuilder offer = placeholders();
  session_.want_send(want_audio(kFar));
  answered(offer);
  EXPECT_FALSE(session_.needs_offer());
  session_.stop_send(kFar);
  EXPECT_TRUE(session_.needs_offer());
  answered(offer);
  EXPECT_FALSE(session_.needs_offer());
}

TEST_F(SessionTest, stopping_a_send_that_was_never_placed_asks_for_nothing) {
  OfferBuilder offer;
  offer.data();
  answered(offer);
  session_.want_send(want_video(kFar));
  EXPECT_TRUE(session_.needs_offer());
  session_.stop_send(kFar);
  EXPECT_FALSE(session_.needs_offer());
}

TEST_F(SessionTest, an_offer_that_stops_everything_is_answered_by_stopping_everything) {
  OfferBuilder offer;
  offer.audio(SendOnly, "mic");
  session_.add_pending_track(pending(kMic, Kind::Audio, "mic"));
  answered(offer);
  offer.stop(0);
  AnswerResult result = answered(offer);
  EXPECT_THAT(result.uplinks_removed, ElementsAre(kMic));
  EXPECT_FALSE(result.ice_restart);
  EXPECT_THAT(answer_.bundle, IsEmpty());
}

}  // namespace
}  // namespace atrium::negotiation
