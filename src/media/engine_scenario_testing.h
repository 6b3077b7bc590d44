// EngineScenario: a publisher and a subscriber of one life, and what they send most.  For tests alone.
#pragma once

#include <gtest/gtest.h>

#include "media/engine_media_testing.h"
#include "media/engine_world_testing.h"

namespace atrium::media::testing_world {

inline constexpr TrackId kAudio{11}, kVideo{12};
inline constexpr uint32_t kAudioSsrc = 0xaaaa, kVideoSsrc = 0xbbbb, kVideoRtxSsrc = 0xbbbc;
inline constexpr uint32_t kDownAudio = 0x1000, kDownVideo = 0x2000;

// A publisher (1) and a subscriber (2) of one life.
class EngineScenario : public testing::Test {
 protected:
  void connect_both() {
    publisher_ = &world_.connect(1);
    subscriber_ = &world_.connect(2);
    ASSERT_TRUE(publisher_->is_up);
    ASSERT_TRUE(subscriber_->is_up);
  }
  void with_audio() {
    connect_both();
    world_.command(opus_uplink(publisher_->server_id, kAudio, kAudioSsrc));
    world_.command(forward_to(subscriber_->server_id, kAudio, kDownAudio, kOpus));
  }
  void with_video() {
    connect_both();
    world_.command(vp8_uplink(publisher_->server_id, kVideo));
    world_.command(forward_to(subscriber_->server_id, kVideo, kDownVideo, kVp8));
  }
  void send_audio(uint16_t seq, int level = -1) {
    world_.inject(*publisher_, make_rtp({.seq = seq,
                                         .timestamp = seq * 960u,
                                         .ssrc = kAudioSsrc,
                                         .audio_level = level,
                                         .payload = {0x42, static_cast<uint8_t>(seq)}}));
  }
  void send_video(uint16_t seq, bool is_key, uint16_t picture_id) {
    world_.inject(*publisher_, make_rtp({.payload_type = kVp8,
                                         .seq = seq,
                                         .timestamp = picture_id * 3'000u,
                                         .ssrc = kVideoSsrc,
                                         .marker = true,
                                         .mid = "1",
                                         .transport_seq = seq,
                                         .payload = vp8_payload(is_key, picture_id,
                                                                static_cast<uint8_t>(picture_id),
                                                                static_cast<uint8_t>(seq))}));
  }
  uint64_t plis_at_publisher() const {
    uint64_t count = 0;
    publisher_->each_rtcp([&](const wire::RtcpPacketView& packet) {
      count += packet.is_payload_feedback(wire::kFormatPli) ? 1 : 0;
    });
    return count;
  }

  EngineWorld world_;
  Peer* publisher_ = nullptr;
  Peer* subscriber_ = nullptr;
};

}  // namespace atrium::media::testing_world
