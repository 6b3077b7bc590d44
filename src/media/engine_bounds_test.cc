// What one peer may not do to the shard that all rooms share, and what is dropped is counted.
#include <gtest/gtest.h>

#include "media/engine.h"
#include "media/engine_scenario_testing.h"

namespace atrium::media {
namespace {

using namespace testing_world;

class EngineBounds : public EngineScenario {};

TEST_F(EngineBounds, a_record_after_the_association_ended_is_counted) {
  Peer& peer = world_.add_peer(1);
  OpenTransport open = world_.server_side(peer, LifeId{1});
  open.remote_fingerprint.sha256[0] ^= 1;
  world_.server.on_command(open, world_.now());
  peer.engine.on_command(world_.client_side(peer), world_.now());
  // Each record comes three times: the copies of the one that ends it wait behind it.
  world_.loss = [&](const EngineWorld::Passing& passing) {
    if (!passing.to_server || passing.bytes[0] < 20 || passing.bytes[0] >= 64) return false;
    for (int n = 0; n < 2; ++n)
      world_.raw_to_server(Bytes(passing.bytes.begin(), passing.bytes.end()), passing.peer);
    return false;
  };
  world_.run(2s);
  EXPECT_GE(world_.drops(DropReason::DtlsAfterEnd), 2u);
}

// Each change of SSRC clears a history of megabytes.
TEST_F(EngineBounds, a_publisher_that_alternates_two_ssrcs_is_followed_once_a_second) {
  connect_both();
  AddUplink uplink = opus_uplink(publisher_->server_id, kAudio, kAudioSsrc);
  uplink.ssrc.reset();
  world_.command(uplink);
  world_.command(forward_to(subscriber_->server_id, kAudio, kDownAudio, kOpus));
  const auto send = [&](uint16_t seq, uint32_t ssrc) {
    world_.inject(*publisher_,
                  make_rtp({.seq = seq, .timestamp = seq * 960u, .ssrc = ssrc, .mid = "0"}));
    world_.run(20ms);
  };
  for (uint16_t seq = 1; seq <= 10; ++seq) send(seq, seq % 2 == 0 ? 0xa2 : 0xa1);
  // The first packet, the change to the second, and what follows under that SSRC.
  EXPECT_EQ(subscriber_->of_ssrc(kDownAudio).size(), 6u);
  EXPECT_EQ(world_.drops(DropReason::RelatchTooSoon), 4u);
  EXPECT_EQ(world_.drops(DropReason::RtpUnknownStream), 0u);
  world_.run(1s);
  send(11, 0xa1);
  EXPECT_EQ(subscriber_->of_ssrc(kDownAudio).size(), 7u);
}

TEST_F(EngineBounds, an_ssrc_that_signalling_replaced_names_the_stream_no_longer) {
  with_audio();
  send_audio(1);
  world_.run(50ms);
  world_.command(opus_uplink(publisher_->server_id, kAudio, 0xa2));
  for (uint16_t seq = 2; seq < 6; ++seq) {
    send_audio(seq);  // was still under way, or goes on to confuse us
    world_.inject(*publisher_, make_rtp({.seq = seq, .timestamp = seq * 960u, .ssrc = 0xa2}));
  }
  world_.run(50ms);
  EXPECT_EQ(subscriber_->of_ssrc(kDownAudio).size(), 5u);
  EXPECT_EQ(world_.drops(DropReason::RelatchTooSoon), 4u);
}

// The queue is shared by all rooms of the shard.
TEST_F(EngineBounds, one_subscriber_asking_for_everything_takes_a_bounded_part_of_the_queue) {
  with_video();
  constexpr uint16_t kPackets = 600;
  for (uint16_t seq = 1; seq <= kPackets; ++seq) send_video(seq, seq == 1, seq);
  world_.run(50ms);
  std::vector<uint16_t> asked;
  for (const SeenRtp* seen : subscriber_->of_ssrc(kDownVideo)) asked.push_back(seen->header.seq);
  ASSERT_EQ(asked.size(), kPackets);
  Peer& other_publisher = world_.connect(3, LifeId{2});
  Peer& other_subscriber = world_.connect(4, LifeId{2});
  world_.command(opus_uplink(other_publisher.server_id, kAudio, kAudioSsrc));
  world_.command(forward_to(other_subscriber.server_id, kAudio, kDownAudio, kOpus));

  world_.drains_server = false;
  for (int n = 0; n < 20; ++n) world_.inject(*subscriber_, make_nack(kDownVideo, asked));
  world_.inject(other_publisher, make_rtp({.seq = 1, .timestamp = 960, .ssrc = kAudioSsrc}));
  world_.run(15ms);
  world_.drains_server = true;
  world_.run(50ms);
  EXPECT_EQ(world_.drops(DropReason::PacerFull), 0u);
  EXPECT_EQ(other_subscriber.rtp.size(), 1u);
  EXPECT_EQ(subscriber_->of_ssrc(kDownVideo + 1).size(),
            static_cast<size_t>(limits::kRepeatsQueuedMax));
  EXPECT_GE(world_.drops(DropReason::RepeatsFull), 20u);

  world_.inject(*subscriber_, make_nack(kDownVideo, {asked.back()}));  // there is room again
  world_.run(50ms);
  EXPECT_EQ(subscriber_->of_ssrc(kDownVideo + 1).size(),
            static_cast<size_t>(limits::kRepeatsQueuedMax) + 1);
}

TEST_F(EngineBounds, a_repair_that_comes_hundreds_of_packets_late_is_still_forwarded) {
  with_video();
  send_video(1, true, 1);
  for (uint16_t seq = 3; seq <= 200; ++seq) send_video(seq, false, seq);
  world_.run(50ms);
  send_video(2, false, 2);
  world_.run(50ms);
  EXPECT_EQ(world_.drops(DropReason::EncryptFailed), 0u);
  EXPECT_EQ(subscriber_->of_ssrc(kDownVideo).size(), 200u);
}

}  // namespace
}  // namespace atrium::media
