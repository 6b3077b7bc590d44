#include "wire/rtp.h"

#include <gtest/gtest.h>

#include "base/crypto.h"
#include "wire/header_extension.h"
#include "wire/seq.h"

namespace atrium::wire {
namespace {

Bytes bytes_of(const char* text) {
  return from_hex(text).value();
}

// Two CSRCs, an extension block of one word, three bytes of payload, one of padding.
const char kFullPacket[] = "b2e0123401020304aabbccdd0000000100000002bede000110ff000068656c01";

TEST(Rtp, header_is_read_field_by_field) {
  const Bytes packet = bytes_of(kFullPacket);
  const auto header = parse_rtp(packet);
  ASSERT_TRUE(header);
  EXPECT_TRUE(header->marker);
  EXPECT_EQ(header->payload_type, 0x60);
  EXPECT_EQ(header->seq, 0x1234);
  EXPECT_EQ(header->timestamp, 0x01020304u);
  EXPECT_EQ(header->ssrc, 0xaabbccddu);
  EXPECT_EQ(header->csrc_count, 2);
  EXPECT_EQ(header->extension_profile, kOneByteProfile);
  EXPECT_EQ(hex(header->extension), "10ff0000");
  EXPECT_EQ(header->header_bytes, 28u);
  EXPECT_EQ(as_text(header->payload), "hel");
  EXPECT_EQ(header->padding_bytes, 1u);
}

TEST(Rtp, header_alone_leaves_encrypted_padding_in_the_payload) {
  const Bytes packet = bytes_of(kFullPacket);
  const auto header = parse_rtp_header(packet);
  ASSERT_TRUE(header);
  EXPECT_TRUE(header->has_padding);
  EXPECT_EQ(header->payload.size(), 4u);
}

TEST(Rtp, every_truncation_of_the_header_is_refused) {
  const Bytes whole = bytes_of(kFullPacket);
  for (size_t length = 0; length < 28; ++length) {
    const Bytes prefix(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_FALSE(parse_rtp_header(prefix)) << length;
  }
}

TEST(Rtp, packet_of_padding_alone_is_sound) {
  const Bytes packet = bytes_of("a06000010000000000000001000003");
  const auto header = parse_rtp(packet);
  ASSERT_TRUE(header);
  EXPECT_TRUE(header->payload.empty());
  EXPECT_EQ(header->padding_bytes, 3u);
}

TEST(Rtp, impossible_padding_is_refused) {
  EXPECT_FALSE(parse_rtp(bytes_of("a06000010000000000000001000000")));  // counts zero bytes
  EXPECT_FALSE(parse_rtp(bytes_of("a06000010000000000000001000004")));  // more than there are
  EXPECT_FALSE(parse_rtp(bytes_of("a06000010000000000000001")));        // nothing to count
}

TEST(Rtp, other_versions_are_refused) {
  EXPECT_FALSE(parse_rtp(bytes_of("406000010000000000000001")));
}

TEST(Rtp, extension_block_beyond_the_packet_is_refused) {
  EXPECT_FALSE(parse_rtp(bytes_of("906000010000000000000001bede000200000000")));
}

TEST(Rtp, header_comes_back_as_written) {
  Bytes packet(kRtpHeaderBytes);
  ByteWriter out(packet);
  write_rtp_header(
      out, {.marker = true, .payload_type = 111, .seq = 65535, .timestamp = 5, .ssrc = 0xfffffffe});
  ASSERT_TRUE(out.ok());
  const auto header = parse_rtp(packet);
  ASSERT_TRUE(header);
  EXPECT_TRUE(header->marker);
  EXPECT_FALSE(header->has_extension);
  EXPECT_EQ(header->payload_type, 111);
  EXPECT_EQ(header->seq, 65535);
  EXPECT_EQ(header->timestamp, 5u);
  EXPECT_EQ(header->ssrc, 0xfffffffeu);
}

TEST(Rtp, datagrams_are_told_apart_by_their_first_bytes) {
  EXPECT_EQ(classify_datagram({}), DatagramKind::Unknown);
  EXPECT_EQ(classify_datagram(bytes_of("00")), DatagramKind::Stun);
  EXPECT_EQ(classify_datagram(bytes_of("03")), DatagramKind::Stun);
  EXPECT_EQ(classify_datagram(bytes_of("04")), DatagramKind::Unknown);
  EXPECT_EQ(classify_datagram(bytes_of("13")), DatagramKind::Unknown);  // ZRTP's last
  EXPECT_EQ(classify_datagram(bytes_of("14")), DatagramKind::Dtls);
  EXPECT_EQ(classify_datagram(bytes_of("3f")), DatagramKind::Dtls);
  EXPECT_EQ(classify_datagram(bytes_of("40")), DatagramKind::Unknown);  // TURN channel
  EXPECT_EQ(classify_datagram(bytes_of("80")), DatagramKind::Rtp);
  EXPECT_EQ(classify_datagram(bytes_of("bf6f")), DatagramKind::Rtp);
  EXPECT_EQ(classify_datagram(bytes_of("c0")), DatagramKind::Unknown);
}

TEST(Rtp, control_packets_are_told_from_media_by_the_second_byte) {
  EXPECT_EQ(classify_datagram(bytes_of("80bf")), DatagramKind::Rtp);   // payload type 63, marked
  EXPECT_EQ(classify_datagram(bytes_of("80c0")), DatagramKind::Rtcp);  // 192
  EXPECT_EQ(classify_datagram(bytes_of("80c8")), DatagramKind::Rtcp);  // sender report
  EXPECT_EQ(classify_datagram(bytes_of("80df")), DatagramKind::Rtcp);  // 223
  EXPECT_EQ(classify_datagram(bytes_of("80e0")), DatagramKind::Rtp);   // payload type 96, marked
}

TEST(Seq, later_means_less_than_half_the_circle_ahead) {
  EXPECT_TRUE(is_seq_newer(0, 65535));
  EXPECT_FALSE(is_seq_newer(65535, 0));
  EXPECT_FALSE(is_seq_newer(5, 5));
  EXPECT_FALSE(is_seq_newer(0x8000, 0));
  EXPECT_TRUE(is_timestamp_newer(1, 0xffff'fff0));
}

TEST(Seq, unwrapping_follows_wraps_in_both_directions) {
  SeqUnwrapper unwrapper;
  EXPECT_EQ(unwrapper.unwrap(65534), 65536u + 65534);
  EXPECT_EQ(unwrapper.unwrap(1), 2 * 65536u + 1);
  EXPECT_EQ(unwrapper.unwrap(65535), 65536u + 65535);  // late
  EXPECT_EQ(unwrapper.highest(), 2 * 65536u + 1);
}

TEST(Seq, packet_from_before_the_first_has_room) {
  SeqUnwrapper unwrapper;
  EXPECT_EQ(unwrapper.unwrap(2), 65538u);
  EXPECT_EQ(unwrapper.unwrap(65533), 65533u);
}

TEST(Seq, numbers_never_go_below_zero) {
  EXPECT_EQ(ext_seq_near(10, 65000), 65000u);
  EXPECT_EQ(ext_timestamp_near(10, 0xffff'0000), 0xffff'0000u);
}

TEST(Seq, timestamps_unwrap_over_32_bits) {
  TimestampUnwrapper unwrapper;
  EXPECT_EQ(unwrapper.unwrap(0xffff'ff00), 0x1'ffff'ff00u);
  EXPECT_EQ(unwrapper.unwrap(0x100), 0x2'0000'0100u);
  EXPECT_EQ(unwrapper.unwrap(0xffff'ffff), 0x1'ffff'ffffu);
}

}  // namespace
}  // namespace atrium::wire
