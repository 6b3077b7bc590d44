#include "wire/data_packet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <vector>

#include "base/crypto.h"

namespace atrium::wire {
namespace {

using testing::ElementsAre;

// Small builder of raw protobuf, so that odd encodings can be written by hand.
std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}
std::string field(uint32_t number, const std::string& value) {
  return varint(number << 3 | 2) + varint(value.size()) + value;
}
std::string number(uint32_t number, uint64_t value) {
  return varint(number << 3) + varint(value);
}

// The view outlives the expression that it is made in: its text is kept until the process ends.
DataPacketView parsed(const std::string& text) {
  static std::deque<std::string> all;
  const auto packet = parse_data_packet(as_bytes(all.emplace_back(text)));
  EXPECT_TRUE(packet);
  return packet.value_or(DataPacketView{});
}

std::string rewritten(const std::string& text, std::string_view identity, std::string_view sid) {
  const DataPacketView packet = parsed(text);
  Bytes out(rewritten_bytes_max(packet, identity, sid));
  return std::string(as_text(rewrite_sender(packet, identity, sid, out).value()));
}

std::vector<std::string> destinations(const std::string& text) {
  std::vector<std::string> names;
  const DataPacketView packet = parsed(text);
  DestinationReader reader(packet);
  while (const auto destination = reader.next())
    names.push_back((destination->is_sid ? "sid:" : "") + std::string(destination->value));
  return names;
}

TEST(DataPacket, user_packet_is_read) {
  const std::string text = number(1, 1) + field(2, field(2, "hello") + field(4, "chat"));
  const DataPacketView packet = parsed(text);
  EXPECT_EQ(packet.kind, DataKind::Lossy);
  EXPECT_TRUE(packet.has_user);
  EXPECT_FALSE(packet.has_destinations);
  EXPECT_EQ(packet.topic, "chat");
  EXPECT_EQ(as_text(packet.payload), "hello");
}

TEST(DataPacket, empty_packet_is_sound) {
  const DataPacketView packet = parsed("");
  EXPECT_FALSE(packet.has_user);
  EXPECT_EQ(packet.kind, DataKind::Reliable);
}

TEST(DataPacket, addressees_come_from_the_envelope_and_from_the_user_packet) {
  const std::string text =
      field(2, field(3, "PA_1") + field(6, "bob")) + field(5, "amy") + field(5, "zoe");
  EXPECT_TRUE(parsed(text).has_destinations);
  EXPECT_THAT(destinations(text), ElementsAre("amy", "zoe", "sid:PA_1", "bob"));
}

TEST(DataPacket, an_empty_addressee_is_still_no_broadcast) {
  EXPECT_TRUE(parsed(field(5, "")).has_destinations);
  EXPECT_THAT(destinations(field(5, "")), ElementsAre(""));
}

TEST(DataPacket, senders_own_claims_are_replaced) {
  const std::string text = field(4, "mallory") +
                           field(2, field(1, "PA_evil") + field(2, "x") + field(5, "mallory")) +
                           field(17, "PA_evil");
  EXPECT_EQ(rewritten(text, "amy", "PA_amy"),
            field(2, field(2, "x") + field(1, "PA_amy") + field(5, "amy")) + field(4, "amy") +
                field(17, "PA_amy"));
}

TEST(DataPacket, hidden_sender_is_written_as_absent) {
  const std::string text =
      field(4, "mallory") + field(2, field(1, "PA_evil") + field(2, "x")) + field(17, "PA_evil");
  EXPECT_EQ(rewritten(text, "", ""), field(2, field(2, "x")));
}

TEST(DataPacket, everything_else_is_kept_byte_for_byte_in_order) {
  // Unknown fields of every wire type, a padded varint, sequence, stream chunk, a user packet with unknown fields.
  const std::string fixed64 = varint(99 << 3 | 1) + "12345678",
                    fixed32 = varint(98 << 3 | 5) + "1234";
  const std::string padded = varint(16 << 3) + std::string("\x85\x80\x00", 3);
  const std::string user_before = field(2, "x") + number(9, 7),
                    user_after = field(11, "nonce") + field(77, "?");
  const std::string text = fixed64 + padded + field(14, "chunk") +
                           field(2, user_before + user_after) + fixed32 + field(1000, "unknown");
  EXPECT_EQ(rewritten(text, "a", "s"),
            fixed64 + padded + field(14, "chunk") +
                field(2, user_before + user_after + field(1, "s") + field(5, "a")) + fixed32 +
                field(1000, "unknown") + field(4, "a") + field(17, "s"));
}

TEST(DataPacket, claims_in_odd_encodings_are_stripped_too) {
  // Field 4 with a tag of two bytes, field 17 as a number, field 4 given twice.
  const std::string odd_tag = std::string("\xa2\x00", 2) + varint(1) + "m";
  EXPECT_EQ(rewritten(odd_tag + number(17, 5) + field(4, "m") + field(4, "n"), "a", ""),
            field(4, "a"));
}

TEST(DataPacket, every_user_packet_is_stamped_when_given_several_times) {
  EXPECT_EQ(rewritten(field(2, field(5, "m")) + field(2, field(2, "x")), "a", ""),
            field(2, field(5, "a")) + field(2, field(2, "x") + field(5, "a")) + field(4, "a"));
}

TEST(DataPacket, stamp_that_lengthens_the_length_prefix_still_fits) {
  const std::string text = field(2, field(2, std::string(120, 'x')));
  EXPECT_EQ(rewritten(text, std::string(50, 'i'), "PA_s"),
            field(2, field(2, std::string(120, 'x')) + field(1, "PA_s") +
                         field(5, std::string(50, 'i'))) +
                field(4, std::string(50, 'i')) + field(17, "PA_s"));
}

TEST(DataPacket, rewriting_into_too_little_room_is_an_error) {
  const std::string text = field(2, field(2, "hello"));
  const size_t needed = rewritten(text, "amy", "PA_amy").size();
  for (size_t room = 0; room < needed; ++room) {
    Bytes out(room);
    EXPECT_FALSE(rewrite_sender(parsed(text), "amy", "PA_amy", out)) << room;
  }
}

TEST(DataPacket, reserved_topic_is_found_wherever_it_stands) {
  const std::string reserved = field(2, field(4, "atrium.error")),
                    plain = field(2, field(4, "chat"));
  EXPECT_TRUE(topic_begins_with(parsed(reserved), "atrium."));
  EXPECT_TRUE(topic_begins_with(parsed(plain + reserved), "atrium."));
  EXPECT_TRUE(topic_begins_with(parsed(reserved + plain), "atrium."));
  EXPECT_TRUE(
      topic_begins_with(parsed(field(2, field(4, "atrium.x") + field(4, "chat"))), "atrium."));
  EXPECT_FALSE(topic_begins_with(parsed(plain + plain), "atrium."));
  EXPECT_FALSE(topic_begins_with(parsed(field(2, field(4, "my.atrium."))), "atrium."));
  EXPECT_FALSE(topic_begins_with(parsed(field(2, field(2, "atrium."))), "atrium."));
}

TEST(DataPacket, last_topic_counts_as_protobuf_merges) {
  EXPECT_EQ(parsed(field(2, field(4, "one")) + field(2, field(4, "two"))).topic, "two");
}

TEST(DataPacket, malformed_encodings_are_refused) {
  const auto refused = [](const std::string& text) {
    return !parse_data_packet(as_bytes(text)).has_value();
  };
  EXPECT_TRUE(refused(std::string("\x00\x00", 2)));                        // field number 0
  EXPECT_TRUE(refused("\x0b"));                                            // group
  EXPECT_TRUE(refused("\x0e"));                                            // wire type 6
  EXPECT_TRUE(refused("\x08" + std::string(10, '\xff') + "\x01"));         // varint of 11 bytes
  EXPECT_TRUE(refused("\x08" + std::string(9, '\xff') + "\x02"));          // varint beyond 64 bits
  EXPECT_TRUE(refused(std::string(5, '\xff') + "\x01"));                   // tag beyond 32 bits
  EXPECT_TRUE(refused("\x22" + std::string(9, '\xff') + "\x01" + "abc"));  // length of 2^64 - 1
  EXPECT_TRUE(refused(field(2, "\x22")));                                  // broken user packet
}

TEST(DataPacket, every_truncation_is_refused_or_ends_between_fields) {
  const std::string first = field(2, field(2, "hello") + field(4, "chat")),
                    second = field(5, "amy");
  const std::string whole = first + second + number(16, 300);
  for (size_t length = 1; length < whole.size(); ++length) {
    const std::string prefix = whole.substr(0, length);
    const bool at_boundary = length == first.size() || length == first.size() + second.size();
    EXPECT_EQ(parse_data_packet(as_bytes(prefix)).has_value(), at_boundary) << length;
  }
}

TEST(DataPacket, server_message_has_topic_payload_and_no_sender) {
  const Bytes bytes = build_user_packet(DataKind::Reliable, "atrium.error", as_bytes("{}"));
  EXPECT_EQ(as_text(bytes), field(2, field(2, "{}") + field(4, "atrium.error")));
}

TEST(DataPacket, built_packet_comes_back_as_built) {
  const Bytes bytes = build_user_packet(DataKind::Lossy, "t", as_bytes("p"), {"amy", "bob"});
  const auto packet = parse_data_packet(bytes);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->kind, DataKind::Lossy);
  EXPECT_EQ(packet->topic, "t");
  EXPECT_EQ(as_text(packet->payload), "p");
  EXPECT_THAT(destinations(std::string(as_text(bytes))), ElementsAre("amy", "bob"));
}

}  // namespace
}  // namespace atrium::wire
