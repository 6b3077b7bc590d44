#include "client/rtp_source.h"

#include <gtest/gtest.h>

#include "base/seeded_secret_source.h"
#include "wire/header_extension.h"
#include "wire/rtp.h"
#include "wire/vp8.h"

namespace atrium::client {
namespace {

using negotiation::AnsweredSection;

AnsweredSection video_section() {
  AnsweredSection section;
  section.mid = "7";
  section.kind = negotiation::Kind::Video;
  section.sending = true;
  section.payload_type = 96;
  section.rtx_payload_type = 97;
  section.clock_rate = 90'000;
  section.transport_cc = true;
  section.extensions = {.mid = 1, .transport_seq = 4};
  section.ssrc = 0x1111;
  section.rtx_ssrc = 0x2222;
  return section;
}

class RtpSourceTest : public ::testing::Test {
 protected:
  std::vector<Bytes> next_frame() {
    now_ = source_.next_due();
    return source_.take_due(now_, transport_seq_);
  }
  static wire::Vp8Descriptor descriptor(const Bytes& packet) {
    return wire::parse_vp8(wire::parse_rtp(packet).value().payload).value();
  }

  SeededSecretSource secrets_{1};
  Mono now_{};
  uint16_t transport_seq_ = 100;
  RtpSource source_{video_section(), {.interval = 33ms, .key_frame_every = 5}, secrets_, Mono{}};
};

TEST_F(RtpSourceTest, video_begins_with_a_key_frame_of_two_packets) {
  const auto frame = next_frame();
  ASSERT_EQ(frame.size(), 2u);
  EXPECT_TRUE(descriptor(frame[0]).is_key_frame);
  EXPECT_EQ(descriptor(frame[0]).width, 320);
  EXPECT_EQ(descriptor(frame[0]).height, 240);
  EXPECT_FALSE(descriptor(frame[1]).starts_frame);
  EXPECT_EQ(descriptor(frame[0]).picture_id, descriptor(frame[1]).picture_id);
  EXPECT_FALSE(wire::parse_rtp(frame[0])->marker);
  EXPECT_TRUE(wire::parse_rtp(frame[1])->marker);
}

TEST_F(RtpSourceTest, frames_follow_each_other_without_gaps) {
  const auto first = next_frame();
  const auto second = next_frame();
  ASSERT_EQ(second.size(), 1u);
  const auto before = wire::parse_rtp(first[1]).value(), after = wire::parse_rtp(second[0]).value();
  EXPECT_EQ(after.seq, static_cast<uint16_t>(before.seq + 1));
  EXPECT_EQ(after.timestamp, before.timestamp + 2'970);
  EXPECT_FALSE(descriptor(second[0]).is_key_frame);
  EXPECT_EQ(descriptor(second[0]).picture_id, descriptor(first[0]).picture_id + 1);
}

TEST_F(RtpSourceTest, a_key_frame_comes_when_asked_for_and_every_few_frames) {
  std::vector<bool> keys;
  for (int i = 0; i < 8; ++i) {
    if (i == 3) source_.request_key_frame();
    keys.push_back(descriptor(next_frame()[0]).is_key_frame);
  }
  EXPECT_EQ(keys, (std::vector<bool>{true, false, false, true, false, true, false, false}));
  EXPECT_EQ(source_.key_frames(), 3u);
}

TEST_F(RtpSourceTest, nothing_is_due_before_its_time) {
  next_frame();
  EXPECT_TRUE(source_.take_due(now_ + 32ms, transport_seq_).empty());
  EXPECT_FALSE(source_.take_due(now_ + 33ms, transport_seq_).empty());
}

TEST_F(RtpSourceTest, a_repeat_carries_the_original_number_on_the_repair_stream) {
  const auto frame = next_frame();
  const auto original = wire::parse_rtp(frame[0]).value();
  const Bytes repeat = source_.repeat(original.seq, transport_seq_);
  const auto header = wire::parse_rtp(repeat).value();
  EXPECT_EQ(header.ssrc, 0x2222u);
  EXPECT_EQ(header.payload_type, 97);
  EXPECT_EQ(header.timestamp, original.timestamp);
  ByteReader reader(header.payload);
  EXPECT_EQ(reader.u16().value(), original.seq);
  EXPECT_EQ(Bytes(reader.rest().begin(), reader.rest().end()),
            Bytes(original.payload.begin(), original.payload.end()));
  EXPECT_TRUE(source_.repeat(static_cast<uint16_t>(original.seq - 1), transport_seq_).empty())
      << "never sent";
}

TEST_F(RtpSourceTest, every_packet_has_its_mid_and_a_transport_number_of_its_own) {
  const auto frame = next_frame();
  for (size_t i = 0; i < frame.size(); ++i) {
    std::string mid;
    int transport_seq = -1;
    wire::ExtensionReader extensions(wire::parse_rtp(frame[i]).value());
    while (const auto element = extensions.next()) {
      if (element->id == 1) mid = wire::read_text(element->data).value();
      if (element->id == 4) transport_seq = wire::read_transport_seq(element->data).value();
    }
    EXPECT_EQ(mid, "7");
    EXPECT_EQ(transport_seq, 100 + static_cast<int>(i));
  }
}

}  // namespace
}  // namespace atrium::client
