#include "wire/header_extension.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/crypto.h"

namespace atrium::wire {
namespace {

Bytes bytes_of(const char* text) {
  return from_hex(text).value();
}

std::string listed(uint16_t profile, const Bytes& block) {
  std::string text;
  ExtensionReader reader(profile, block);
  while (const auto element = reader.next())
    text += std::to_string(element->id) + "=" + hex(element->data) + " ";
  return text;
}

TEST(HeaderExtension, one_byte_elements_and_padding_between_them_are_read) {
  EXPECT_EQ(listed(0xBEDE, bytes_of("10ff00005131320030aa0000")), "1=ff 5=3132 3=aa ");
  EXPECT_EQ(listed(0xBEDE, bytes_of("10ff0000a2010203")), "1=ff 10=010203 ");
}

TEST(HeaderExtension, id_15_ends_a_one_byte_block) {
  EXPECT_EQ(listed(0xBEDE, bytes_of("10fff010")), "1=ff ");
}

TEST(HeaderExtension, id_0_with_a_length_ends_a_one_byte_block) {
  EXPECT_EQ(listed(0xBEDE, bytes_of("10ff02aabbcc20ee")), "1=ff ");
}

TEST(HeaderExtension, element_beyond_the_block_ends_it) {
  EXPECT_EQ(listed(0xBEDE, bytes_of("10ff5f01")), "1=ff ");
  EXPECT_EQ(listed(0x1000, bytes_of("0101ff0209aa")), "1=ff ");
  EXPECT_EQ(listed(0x1000, bytes_of("0101ff02")), "1=ff ");
}

TEST(HeaderExtension, two_byte_elements_may_be_empty_and_long) {
  EXPECT_EQ(listed(0x1000, bytes_of("0100ff02aabb0000")), "1= 255=aabb ");
  EXPECT_EQ(listed(0x100f, bytes_of("0100")), "1= ");
}

TEST(HeaderExtension, unknown_profile_has_no_elements) {
  EXPECT_EQ(listed(0x1234, bytes_of("10ff0000")), "");
}

TEST(HeaderExtension, reader_stays_at_its_end) {
  const Bytes block = bytes_of("5f0110ff");
  ExtensionReader reader(0xBEDE, block);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.next());
}

TEST(HeaderExtension, block_comes_back_as_written) {
  Bytes packet(200);
  ByteWriter out(packet);
  write_rtp_header(out, {.has_extension = true, .payload_type = 96, .seq = 7, .ssrc = 1});
  OneByteExtensionWriter writer(out);
  writer.mid(1, "0");
  writer.rid(2, "q");
  writer.transport_seq(3, 0xabcd);
  writer.abs_send_time(4, 0x123456);
  writer.audio_level(5, {true, 33});
  writer.finish();
  out.bytes(as_bytes("payload"));
  ASSERT_TRUE(out.ok());
  const auto header = parse_rtp(out.written());
  ASSERT_TRUE(header);
  EXPECT_EQ(as_text(header->payload), "payload");
  ExtensionReader reader(*header);
  EXPECT_EQ(read_text(reader.next()->data), "0");
  EXPECT_EQ(read_text(reader.next()->data), "q");
  EXPECT_EQ(read_transport_seq(reader.next()->data), 0xabcd);
  EXPECT_EQ(read_abs_send_time(reader.next()->data), 0x123456u);
  const auto level = read_audio_level(reader.next()->data);
  ASSERT_TRUE(level);
  EXPECT_TRUE(level->voice);
  EXPECT_EQ(level->level_dbov, 33);
  EXPECT_FALSE(reader.next());
}

TEST(HeaderExtension, ids_that_were_not_negotiated_write_nothing) {
  Bytes block(64);
  ByteWriter out(block);
  OneByteExtensionWriter writer(out);
  writer.mid(0, "0");
  writer.rid(15, "q");
  writer.mid(1, "");
  writer.mid(1, "seventeen letters");
  writer.finish();
  EXPECT_EQ(hex(out.written()), "bede0000");
}

TEST(HeaderExtension, largest_block_fits_the_advertised_room) {
  Bytes block(kExtensionBlockBytesMax);
  ByteWriter out(block);
  OneByteExtensionWriter writer(out);
  writer.mid(1, "sixteen letters.");
  writer.rid(2, "sixteen letters.");
  writer.transport_seq(3, 1);
  writer.abs_send_time(4, 1);
  writer.audio_level(5, {});
  writer.finish();
  EXPECT_TRUE(out.ok());
  EXPECT_EQ(out.position() % 4, 0u);
}

TEST(HeaderExtension, too_little_room_turns_the_writer_bad) {
  Bytes block(5);
  ByteWriter out(block);
  OneByteExtensionWriter writer(out);
  writer.transport_seq(3, 1);
  writer.finish();
  EXPECT_FALSE(out.ok());
}

TEST(HeaderExtension, values_of_the_wrong_length_are_refused) {
  EXPECT_FALSE(read_transport_seq(bytes_of("01")));
  EXPECT_FALSE(read_abs_send_time(bytes_of("0102")));
  EXPECT_FALSE(read_audio_level({}));
  EXPECT_FALSE(read_text({}));
}

TEST(HeaderExtension, abs_send_time_counts_seconds_in_fixed_point_and_wraps_at_64_s) {
  EXPECT_EQ(abs_send_time_from_us(0), 0u);
  EXPECT_EQ(abs_send_time_from_us(1'000'000), 1u << 18);
  EXPECT_EQ(abs_send_time_from_us(64'000'000), 0u);
  EXPECT_EQ(abs_send_time_from_us(500'000), 1u << 17);
}

}  // namespace
}  // namespace atrium::wire
