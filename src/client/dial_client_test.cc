// The client against a scripted server: a negotiation::Session that answers its offers, and hand-made messages.
#include "client/dial_client.h"

#include <gtest/gtest.h>

#include "base/crypto.h"
#include "base/seeded_secret_source.h"
#include "livekit_signal.pb.h"
#include "media/dtls.h"
#include "negotiation/session.h"

namespace atrium::client {
namespace {

namespace pb = atrium::signal::pb;

class DialClientTest : public ::testing::Test {
 protected:
  explicit DialClientTest(DialOptions options = {}) {
    certificate_ = media::make_certificate();
    options.token = "a+b";
    options.publish_audio = options.publish_video = true;
    options.certificate = certificate_;
    client_ = std::make_unique<DialClient>(std::move(options), secrets_);
  }

  pb::JoinRequest dial() {
    const std::string target = client_->upgrade_target();
    EXPECT_TRUE(target.starts_with("/rtc/v1?access_token=a%2Bb&join_request=")) << target;
    const auto bytes = from_base64url(target.substr(target.find("join_request=") + 13));
    pb::WrappedJoinRequest wrapped;
    pb::JoinRequest request;
    EXPECT_TRUE(bytes && wrapped.ParseFromArray(bytes->data(), static_cast<int>(bytes->size())));
    EXPECT_TRUE(request.ParseFromString(wrapped.join_request()));
    return request;
  }
  void hear(const pb::SignalResponse& response) {
    client_->on_signal_message(response.SerializeAsString(), now_);
  }
  void hear_join() {
    pb::SignalResponse response;
    response.mutable_join()->mutable_participant()->set_sid("PA_me");
    response.mutable_join()->mutable_participant()->set_identity("me");
    response.mutable_join()->mutable_room()->set_sid("RM_life");
    hear(response);
  }
  void hear_published(const std::string& cid, const std::string& sid, pb::TrackType type) {
    pb::SignalResponse response;
    response.mutable_track_published()->set_cid(cid);
    response.mutable_track_published()->mutable_track()->set_sid(sid);
    response.mutable_track_published()->mutable_track()->set_type(type);
    hear(response);
  }
  negotiation::AnswerResult answer(const pb::SessionDescription& offer) {
    auto result = server_.on_offer(offer.sdp(), offer.id(), server_transport_);
    EXPECT_TRUE(result) << (result ? "" : result.error().what);
    pb::SignalResponse response;
    response.mutable_answer()->set_type("answer");
    response.mutable_answer()->set_sdp(result->sdp);
    response.mutable_answer()->set_id(result->id);
    hear(response);
    return *result;
  }
  std::vector<pb::SignalRequest> said() {
    std::vector<pb::SignalRequest> out;
    for (const std::string& message : client_->take_signal_messages())
      EXPECT_TRUE(out.emplace_back().ParseFromString(message));
    return out;
  }
  template <typename T>
  std::vector<T> events() {
    std::vector<T> out;
    for (const Event& event : client_->take_events())
      if (const T* match = std::get_if<T>(&event)) out.push_back(*match);
    return out;
  }

  Now now_{Mono(1s), Wall(1s)};
  SeededSecretSource secrets_{1}, server_secrets_{2};
  std::shared_ptr<const media::CertificateKey> certificate_;
  std::unique_ptr<DialClient> client_;
  negotiation::Session server_{server_secrets_, "server"};
  negotiation::LocalTransport server_transport_{
      .ice_ufrag = "srvr",
      .ice_password = "serverpasswordserverpass",
      .fingerprint_sha256 = media::fingerprint_text(*media::make_certificate()),
      .candidates = {{*IpAddress::parse("127.0.0.1"), 7882}}};
};

TEST_F(DialClientTest, a_join_carries_an_offer_with_three_places_of_each_kind_and_data) {
  const pb::JoinRequest request = dial();
  EXPECT_FALSE(request.reconnect());
  const std::string& sdp = request.publisher_offer().sdp();
  size_t sections = 0;
  for (size_t at = sdp.find("m="); at != std::string::npos; at = sdp.find("\nm=", at + 1))
    ++sections;
  EXPECT_EQ(sections, 7u);
  EXPECT_EQ(request.publisher_offer().id(), 1u);
}

TEST_F(DialClientTest,
       after_the_join_each_track_is_announced_and_then_offered_one_offer_at_a_time) {
  const pb::JoinRequest request = dial();
  hear_join();
  auto messages = said();
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].add_track().cid(), "mic");
  EXPECT_EQ(messages[1].add_track().cid(), "cam");
  hear_published("mic", "TR_mic", pb::AUDIO);
  hear_published("cam", "TR_cam", pb::VIDEO);
  EXPECT_TRUE(said().empty()) << "the first offer is not answered yet";
  server_.add_pending_track({.sid = TrackSid("TR_mic"),
                             .kind = negotiation::Kind::Audio,
                             .cid = "mic",
                             .preferred_codec = "",
                             .layer_rids = {}});
  server_.add_pending_track({.sid = TrackSid("TR_cam"),
                             .kind = negotiation::Kind::Video,
                             .cid = "cam",
                             .preferred_codec = "",
                             .layer_rids = {}});
  answer(request.publisher_offer());
  messages = said();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(answer(messages[0].offer()).uplinks_added.size(), 2u);
  EXPECT_EQ(client_->sections().size(), 8u);
}

TEST_F(DialClientTest, a_requirement_of_sections_is_met_by_an_offer) {
  const pb::JoinRequest request = dial();
  hear_join();
  answer(request.publisher_offer());
  said();
  pb::SignalResponse response;
  response.mutable_media_sections_requirement()->set_num_audios(2);
  hear(response);
  const auto messages = said();
  ASSERT_EQ(messages.size(), 1u);
  answer(messages[0].offer());
  EXPECT_EQ(client_->sections().size(), 8u);
}

TEST_F(DialClientTest, a_track_of_another_is_told_once_with_its_names) {
  const pb::JoinRequest request = dial();
  hear_join();
  server_.want_send({.sid = TrackSid("TR_other"),
                     .publisher_sid = "PA_other",
                     .stream = "",
                     .kind = negotiation::Kind::Audio,
                     .codec = "opus"});
  answer(request.publisher_offer());
  const auto tracks = events<TrackReceived>();
  ASSERT_EQ(tracks.size(), 1u);
  EXPECT_EQ(tracks[0].track, "TR_other");
  EXPECT_TRUE(client_->streams().contains(tracks[0].ssrc));
}

TEST_F(DialClientTest, the_way_back_names_the_participant_and_restarts_ice) {
  const pb::JoinRequest request = dial();
  hear_join();
  answer(request.publisher_offer());
  said();
  client_->on_signal_closed(1006);
  EXPECT_FALSE(client_->is_ended());
  client_->begin_resume();
  const pb::JoinRequest again = dial();
  EXPECT_TRUE(again.reconnect());
  EXPECT_EQ(again.participant_sid(), "PA_me");
  EXPECT_FALSE(again.has_publisher_offer());
  pb::SignalResponse response;
  response.mutable_reconnect();
  hear(response);
  for (const pb::SignalRequest& message : said())
    if (message.has_offer()) EXPECT_TRUE(server_.is_ice_restart(message.offer().sdp()).value());
  EXPECT_EQ(events<Resumed>().size(), 1u);
}

TEST_F(DialClientTest, an_answer_to_a_former_offer_changes_nothing) {
  const pb::JoinRequest request = dial();
  hear_join();
  pb::SessionDescription offer = request.publisher_offer();
  offer.set_id(9);
  answer(offer);
  EXPECT_EQ(client_->counters().answers, 0u);
}

TEST_F(DialClientTest, a_leave_to_disconnect_and_a_close_of_our_family_are_the_end) {
  dial();
  hear_join();
  pb::SignalResponse response;
  response.mutable_leave()->set_reason(pb::ROOM_DELETED);
  hear(response);
  EXPECT_TRUE(client_->is_ended());
  client_->on_signal_closed(4011);
  const auto all = client_->take_events();
  ASSERT_GE(all.size(), 3u);
  EXPECT_EQ(std::get<Leave>(all[all.size() - 2]).reason, kReasonRoomDeleted);
  EXPECT_EQ(std::get<Closed>(all.back()).code, 4011);
}

TEST_F(DialClientTest, a_frame_that_is_no_message_is_told_and_survived) {
  dial();
  client_->on_signal_message("\xff\xff\xff", now_);
  EXPECT_EQ(events<Refused>().size(), 1u);
}

TEST_F(DialClientTest, it_pings_every_five_seconds_while_signalling_stands) {
  dial();
  hear_join();
  said();
  now_.mono += 5s;
  client_->on_deadline(now_);
  const auto messages = said();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_TRUE(messages[0].has_ping_req());
}

}  // namespace
}  // namespace atrium::client
