#include "wire/vp8.h"

#include <gtest/gtest.h>

#include "base/crypto.h"

namespace atrium::wire {
namespace {

Bytes bytes_of(const char* text) {
  return from_hex(text).value();
}

// X S; I L T K; PictureID 0x1234 (15 bit), TL0PICIDX 0x56, TID 2 Y KEYIDX 5; key frame 640 x 360.
const char kFullKeyFrame[] =
    "90f0923456a5"
    "500000"
    "9d012a"
    "80026801"
    "ff";

TEST(Vp8, full_descriptor_is_read_field_by_field) {
  const Bytes payload = bytes_of(kFullKeyFrame);
  const auto descriptor = parse_vp8(payload);
  ASSERT_TRUE(descriptor);
  EXPECT_TRUE(descriptor->starts_frame);
  EXPECT_FALSE(descriptor->non_reference);
  EXPECT_EQ(descriptor->picture_id_width, PictureIdWidth::Bits15);
  EXPECT_EQ(descriptor->picture_id, 0x1234);
  EXPECT_EQ(descriptor->tl0_pic_idx, 0x56);
  EXPECT_EQ(descriptor->temporal_layer, 2);
  EXPECT_TRUE(descriptor->layer_sync);
  EXPECT_EQ(descriptor->key_index, 5);
  EXPECT_EQ(descriptor->descriptor_bytes, 6u);
  EXPECT_TRUE(descriptor->is_key_frame);
  EXPECT_EQ(descriptor->width, 640);
  EXPECT_EQ(descriptor->height, 360);
}

TEST(Vp8, shortest_descriptor_is_one_byte) {
  const auto descriptor = parse_vp8(bytes_of("1001"));
  ASSERT_TRUE(descriptor);
  EXPECT_EQ(descriptor->descriptor_bytes, 1u);
  EXPECT_TRUE(descriptor->starts_frame);
  EXPECT_FALSE(descriptor->is_key_frame);  // lowest bit of the frame tag says interframe
  EXPECT_FALSE(descriptor->temporal_layer);
}

TEST(Vp8, seven_bit_picture_id_takes_one_byte) {
  const auto descriptor = parse_vp8(bytes_of("90807f01"));
  ASSERT_TRUE(descriptor);
  EXPECT_EQ(descriptor->picture_id_width, PictureIdWidth::Bits7);
  EXPECT_EQ(descriptor->picture_id, 0x7f);
  EXPECT_EQ(descriptor->descriptor_bytes, 3u);
}

TEST(Vp8, key_index_alone_shares_its_byte_with_no_layer) {
  const auto descriptor = parse_vp8(bytes_of("90100501"));
  ASSERT_TRUE(descriptor);
  EXPECT_FALSE(descriptor->temporal_layer);
  EXPECT_EQ(descriptor->key_index, 5);
}

TEST(Vp8, continuation_of_a_key_frame_is_no_key_frame_start) {
  EXPECT_FALSE(parse_vp8(bytes_of("0000"))->is_key_frame);  // S = 0
  EXPECT_FALSE(parse_vp8(bytes_of("1100"))->is_key_frame);  // second partition
}

TEST(Vp8, key_frame_with_a_split_header_has_no_size) {
  const auto descriptor =
      parse_vp8(bytes_of("10500000"
                         "9d012a"
                         "8002"));
  ASSERT_TRUE(descriptor);
  EXPECT_TRUE(descriptor->is_key_frame);
  EXPECT_EQ(descriptor->width, 0);
}

TEST(Vp8, scaling_bits_are_no_part_of_the_size) {
  const auto descriptor =
      parse_vp8(bytes_of("10500000"
                         "9d012a"
                         "80426881"));
  ASSERT_TRUE(descriptor);
  EXPECT_EQ(descriptor->width, 640);
  EXPECT_EQ(descriptor->height, 360);
}

TEST(Vp8, non_reference_bit_is_read) {
  EXPECT_TRUE(parse_vp8(bytes_of("3001"))->non_reference);
}

TEST(Vp8, every_truncation_of_the_descriptor_is_refused) {
  const Bytes whole = bytes_of(kFullKeyFrame);
  for (size_t length = 0; length <= 6; ++length) {
    const Bytes prefix(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_FALSE(parse_vp8(prefix)) << length;
  }
}

TEST(Vp8, rewriting_keeps_width_and_everything_else) {
  Bytes payload = bytes_of(kFullKeyFrame);
  const auto before = parse_vp8(payload);
  ASSERT_TRUE(before);
  rewrite_vp8(payload, *before, 0x7fff, 0x99);
  EXPECT_EQ(hex(payload), "90f0ffff99a55000009d012a80026801ff");
  EXPECT_EQ(parse_vp8(payload)->picture_id, 0x7fff);
}

TEST(Vp8, fifteen_bit_picture_id_stays_fifteen_bits_when_small) {
  Bytes payload = bytes_of(kFullKeyFrame);
  rewrite_vp8(payload, *parse_vp8(payload), 3, 0);
  EXPECT_EQ(parse_vp8(payload)->picture_id, 3);
  EXPECT_EQ(parse_vp8(payload)->picture_id_width, PictureIdWidth::Bits15);
}

TEST(Vp8, seven_bit_picture_id_takes_the_low_bits) {
  Bytes payload = bytes_of("90c07f5501");
  rewrite_vp8(payload, *parse_vp8(payload), 0x1281, 0x42);
  EXPECT_EQ(hex(payload), "90c0014201");
}

TEST(Vp8, descriptor_without_numbers_is_left_alone) {
  Bytes payload = bytes_of("1001");
  rewrite_vp8(payload, *parse_vp8(payload), 77, 77);
  EXPECT_EQ(hex(payload), "1001");
}

}  // namespace
}  // namespace atrium::wire
