#include "negotiation/offer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/seeded_secret_source.h"
#include "negotiation/offer_builder.h"

namespace atrium::negotiation {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A dialling and an answering session that exchange descriptions.
class OfferTest : public ::testing::Test {
 protected:
  AnswerOutcome round() {
    auto answer =
        server_.on_offer(client_.create_offer(client_transport_), ++id_, server_transport_);
    EXPECT_TRUE(answer) << (answer ? "" : answer.error().what);
    if (!answer) return {};
    answer_ = *answer;
    auto outcome = client_.on_answer(answer_.sdp);
    EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().what);
    return outcome.value_or(AnswerOutcome{});
  }
  void announce(const char* sid, Kind kind, const char* cid) {
    PendingTrack track;
    track.sid = TrackSid(sid);
    track.kind = kind;
    track.cid = cid;
    server_.add_pending_track(track);
  }

  SeededSecretSource client_secrets_{1}, server_secrets_{2};
  OfferingSession client_{client_secrets_, "dialler"};
  Session server_{server_secrets_, "atrium"};
  LocalTransport client_transport_{.ice_ufrag = "clnt",
                                   .ice_password = "clientpasswordclientpass",
                                   .fingerprint_sha256 = OfferBuilder::fingerprint('A'),
                                   .candidates = {}};
  LocalTransport server_transport_{
      .ice_ufrag = "srvr",
      .ice_password = "serverpasswordserverpass",
      .fingerprint_sha256 = OfferBuilder::fingerprint('B'),
      .candidates = {{.ip = *IpAddress::parse("127.0.0.1"), .port = 7882}}};
  AnswerResult answer_;
  uint32_t id_ = 0;
};

TEST_F(OfferTest, the_servers_transport_is_read_from_the_answer) {
  client_.add_receive_sections(3, 3);
  client_.add_data_section();
  AnswerOutcome outcome = round();
  EXPECT_EQ(outcome.transport.ice_ufrag, "srvr");
  EXPECT_EQ(outcome.transport.ice_password, "serverpasswordserverpass");
  EXPECT_EQ(outcome.transport.fingerprint_sha256, OfferBuilder::fingerprint('B'));
  EXPECT_EQ(outcome.transport.candidates, server_transport_.candidates);
  EXPECT_TRUE(outcome.transport.ice_lite);
  EXPECT_TRUE(outcome.has_data_section);
  EXPECT_EQ(outcome.sctp_port, 5000);
  EXPECT_EQ(outcome.max_message_size, static_cast<uint64_t>(limits::kDataMessageBytesMax));
  ASSERT_THAT(outcome.sections, SizeIs(6));
  for (const AnsweredSection& section : outcome.sections)
    EXPECT_FALSE(section.sending || section.receiving);
}

TEST_F(OfferTest, what_is_published_is_planned_alike_on_both_sides) {
  client_.add_data_section();
  EXPECT_EQ(client_.add_send(Kind::Audio, "mic").value(), "1");
  EXPECT_EQ(client_.add_send(Kind::Video, "cam").value(), "2");
  announce("TR_cam", Kind::Video, "cam");
  announce("TR_mic", Kind::Audio, "mic");
  AnswerOutcome outcome = round();
  ASSERT_THAT(outcome.sections, SizeIs(2));
  ASSERT_THAT(answer_.uplinks_added, SizeIs(2));
  for (size_t i = 0; i < 2; ++i) {
    const AnsweredSection& ours = outcome.sections[i];
    const UplinkPlan& theirs = answer_.uplinks_added[i];
    EXPECT_TRUE(ours.sending);
    EXPECT_EQ(ours.mid, theirs.mid);
    EXPECT_EQ(ours.codec, theirs.codec);
    EXPECT_EQ(ours.payload_type, theirs.payload_type);
    EXPECT_EQ(ours.rtx_payload_type, theirs.rtx_payload_type);
    EXPECT_EQ(ours.ssrc, theirs.ssrc);
    EXPECT_EQ(ours.rtx_ssrc, theirs.rtx_ssrc.value_or(0));
    EXPECT_EQ(ours.extensions, theirs.extensions);
    EXPECT_EQ(ours.transport_cc, theirs.transport_cc);
    EXPECT_EQ(ours.nack, theirs.nack);
  }
  EXPECT_EQ(outcome.sections[0].cid, "mic");
}

TEST_F(OfferTest, simulcast_layers_have_one_pair_of_ssrcs_each) {
  ASSERT_TRUE(client_.add_send(Kind::Video, "cam", {"q", "h", "f"}));
  announce("TR_cam", Kind::Video, "cam");
  AnswerOutcome outcome = round();
  ASSERT_THAT(outcome.sections, SizeIs(1));
  EXPECT_THAT(outcome.sections[0].rids, ElementsAre("q", "h", "f"));
  EXPECT_EQ(outcome.sections[0].rids, answer_.uplinks_added.at(0).rids);
  std::set<uint32_t> ssrcs(outcome.sections[0].layer_ssrcs.begin(),
                           outcome.sections[0].layer_ssrcs.end());
  ssrcs.insert(outcome.sections[0].layer_rtx_ssrcs.begin(),
               outcome.sections[0].layer_rtx_ssrcs.end());
  EXPECT_THAT(ssrcs, SizeIs(6));
  EXPECT_EQ(outcome.sections[0].ssrc, outcome.sections[0].layer_ssrcs[0]);
}

TEST_F(OfferTest, what_is_received_is_planned_alike_on_both_sides) {
  client_.add_receive_sections(1, 1);
  server_.want_send({TrackSid("TR_face"), "PA_far", "", Kind::Video, "VP8"});
  AnswerOutcome outcome = round();
  ASSERT_THAT(outcome.sections, SizeIs(2));
  ASSERT_THAT(answer_.downlinks_added, SizeIs(1));
  const AnsweredSection& ours = outcome.sections[1];
  const DownlinkPlan& theirs = answer_.downlinks_added[0];
  EXPECT_FALSE(outcome.sections[0].receiving);
  EXPECT_TRUE(ours.receiving);
  EXPECT_EQ(ours.mid, theirs.mid);
  EXPECT_EQ(ours.payload_type, theirs.payload_type);
  EXPECT_EQ(ours.rtx_payload_type, theirs.rtx_payload_type);
  EXPECT_EQ(ours.remote_ssrc, theirs.ssrc);
  EXPECT_EQ(ours.remote_rtx_ssrc, theirs.rtx_ssrc);
  EXPECT_EQ(ours.remote_cname, theirs.cname);
  EXPECT_EQ(ours.remote_stream, "PA_far|TR_face");
  EXPECT_EQ(ours.remote_track, "TR_face");
}

TEST_F(OfferTest, missing_sections_are_added_and_filled) {
  client_.add_receive_sections(1, 0);
  round();
  for (const char* sid : {"TR_1", "TR_2", "TR_3"})
    server_.want_send({TrackSid(sid), "PA_far", "", Kind::Audio, "opus"});
  Session::Missing missing = server_.missing_sections();
  EXPECT_EQ(missing.audio, 2u);
  client_.add_receive_sections(missing.audio, missing.video);
  AnswerOutcome outcome = round();
  EXPECT_THAT(answer_.mid_to_track, SizeIs(3));
  for (const AnsweredSection& section : outcome.sections) EXPECT_TRUE(section.receiving);
}

TEST_F(OfferTest, a_stopped_send_ends_the_track_at_the_server) {
  ASSERT_TRUE(client_.add_send(Kind::Audio, "mic"));
  announce("TR_mic", Kind::Audio, "mic");
  round();
  EXPECT_TRUE(client_.stop_send("mic"));
  EXPECT_FALSE(client_.stop_send("mic"));
  AnswerOutcome outcome = round();
  EXPECT_THAT(answer_.uplinks_removed, ElementsAre(TrackSid("TR_mic")));
  EXPECT_FALSE(outcome.sections.at(0).sending);
}

TEST_F(OfferTest, new_credentials_restart_ice_at_the_server) {
  client_.add_data_section();
  round();
  client_transport_.ice_ufrag = "next";
  round();
  EXPECT_TRUE(answer_.ice_restart);
}

TEST_F(OfferTest, answers_that_do_not_fit_the_offer_are_refused) {
  client_.add_receive_sections(2, 0);
  round();
  std::string fitting = answer_.sdp;
  client_.add_receive_sections(0, 1);
  EXPECT_TRUE(client_.on_answer(fitting)) << "sections that were not offered yet do not count";
  client_.create_offer(client_transport_);
  EXPECT_FALSE(client_.on_answer(fitting));
  EXPECT_FALSE(client_.on_answer(""));
  EXPECT_FALSE(client_.on_answer(client_.create_offer(client_transport_)))
      << "an offer is no answer: setup:actpass";
}

TEST_F(OfferTest, there_is_room_for_as_many_sections_as_a_description_may_have) {
  client_.add_receive_sections(1'000, 0);
  auto refused = client_.add_send(Kind::Audio, "mic");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::LimitExceeded);
  EXPECT_THAT(round().sections, SizeIs(limits::kSdpSectionsMax));
}

}  // namespace
}  // namespace atrium::negotiation
