// Whether media and user data wait until control has admitted the address that a peer is at.
#include "media/engine_scenario_testing.h"

namespace atrium::media::testing_world {
namespace {

const IpAddress kHome = *IpAddress::parse("198.51.100.7");
const IpAddress kElsewhere = *IpAddress::parse("198.51.100.99");

// The publisher is admitted; the subscriber waits.
class AdmissionTest : public EngineScenario {
 protected:
  Peer& connect(uint64_t number) {
    Peer& peer = world_.add_peer(number);
    OpenTransport open = world_.server_side(peer, LifeId{1});
    open.needs_admission = true;
    world_.server.on_command(std::move(open), world_.now());
    peer.engine.on_command(world_.client_side(peer), world_.now());
    world_.run(500ms);
    return peer;
  }
  void SetUp() override {
    publisher_ = &connect(1);
    subscriber_ = &connect(2);
    ASSERT_EQ(world_.reports<TransportUp>().size(), 2u);
    world_.command(AdmitPath{publisher_->server_id, kHome});
    world_.command(opus_uplink(publisher_->server_id, kAudio, kAudioSsrc));
    world_.command(forward_to(subscriber_->server_id, kAudio, kDownAudio, kOpus));
    for (const Peer* peer : {publisher_, subscriber_})
      world_.sctp_event(SctpChannelOpen{peer->server_id, DataLabel::Reliable, true});
  }
  void talk(uint16_t seq) {
    send_audio(seq);
    world_.run(50ms);
  }
  // Messages on their way to the subscriber.
  size_t sent() const {
    size_t count = 0;
    for (const SctpSend& send : world_.sctp_commands<SctpSend>())
      if (send.transport == subscriber_->server_id) ++count;
    return count;
  }
  size_t heard() const { return subscriber_->of_ssrc(kDownAudio).size(); }
};

TEST_F(AdmissionTest, not_a_packet_leaves_before_the_address_is_admitted) {
  talk(1), talk(2);
  EXPECT_EQ(heard(), 0u);
  world_.command(AdmitPath{subscriber_->server_id, kHome});
  talk(3);
  EXPECT_EQ(heard(), 1u);
}

TEST_F(AdmissionTest, admitting_another_address_admits_nothing) {
  world_.command(AdmitPath{subscriber_->server_id, kElsewhere});
  talk(1);
  EXPECT_EQ(heard(), 0u);
}

TEST_F(AdmissionTest, media_of_who_is_not_admitted_reaches_nobody) {
  world_.command(AdmitPath{subscriber_->server_id, kHome});
  world_.command(AdmitPath{publisher_->server_id, kElsewhere});
  talk(1);
  EXPECT_EQ(heard(), 0u);
  EXPECT_GT(world_.drops(DropReason::PathNotAdmitted), 0u);
  world_.command(AdmitPath{publisher_->server_id, kHome});
  talk(2);
  EXPECT_EQ(heard(), 1u);
}

TEST_F(AdmissionTest, messages_wait_and_arrive_when_it_is_admitted) {
  world_.command(SendReliable{subscriber_->server_id, SharedBytes(Bytes{1, 2, 3})});
  EXPECT_EQ(sent(), 0u);
  world_.command(AdmitPath{subscriber_->server_id, kHome});
  EXPECT_EQ(sent(), 1u);
}

TEST_F(AdmissionTest, messages_that_wait_end_with_a_cut) {
  world_.command(SendReliable{subscriber_->server_id, SharedBytes(Bytes{1, 2, 3})});
  world_.command(CutTransport{subscriber_->server_id, Bytes{9}});
  const size_t notices = sent();
  world_.command(AdmitPath{subscriber_->server_id, kHome});
  EXPECT_EQ(notices, 1u) << "our own word goes out at once";
  EXPECT_EQ(sent(), notices);
}

TEST_F(AdmissionTest, no_more_than_the_limit_waits) {
  for (int64_t i = 0; i < limits::kHeldDataMax + 5; ++i)
    world_.command(SendReliable{subscriber_->server_id, SharedBytes(Bytes{1})});
  EXPECT_EQ(world_.drops(DropReason::PathNotAdmitted), 5u);
  world_.command(AdmitPath{subscriber_->server_id, kHome});
  EXPECT_EQ(sent(), size_t{limits::kHeldDataMax});
}

}  // namespace
}  // namespace atrium::media::testing_world
