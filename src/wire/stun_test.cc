#include "wire/stun.h"

#include <gtest/gtest.h>

#include "base/crypto.h"

namespace atrium::wire {
namespace {

// RFC 5769 sections 2.1 to 2.4.
const char kSampleRequest[] =
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36000600096576746a3a683676592020200008001"
    "49aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
const char kSampleIpv4Response[] =
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
const char kSampleIpv6Response[] =
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed"
    "41"
    "80280004c8fb0b4c";
const char kSampleLongTermRequest[] =
    "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b90000"
    "0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341"
    "0014000b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666";
const char kPassword[] = "VOkJxbRl1RmTxUk/WvJxBt";
// MD5 of the long-term example's name, realm and prepared password.
const char kLongTermKey[] = "e8ca7ad59d5eb0518e312911d2dab2a9";

const StunTransactionId kTransaction = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

Bytes bytes_of(const char* text) {
  return from_hex(text).value();
}

Bytes a_request() {
  Bytes out(kStunWriteBytesMax);
  const StunBindingRequest request{.transaction = kTransaction,
                                   .username = "srv:cli",
                                   .priority = 99,
                                   .tie_breaker = 0x1122334455667788,
                                   .use_candidate = true};
  const ByteView written = MUST(write_binding_request(out, request, "pw"));
  return Bytes(written.begin(), written.end());
}

TEST(Stun, sample_request_of_rfc_5769_is_read_and_verified) {
  const Bytes bytes = bytes_of(kSampleRequest);
  const auto message = parse_stun(bytes);
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->is_binding_request());
  EXPECT_EQ(message->username, "evtj:h6vY");
  EXPECT_EQ(message->priority, 0x6e0001ffu);
  EXPECT_EQ(message->ice_controlled, 0x932ff9b151263b36u);
  EXPECT_FALSE(message->ice_controlling);
  EXPECT_TRUE(message->has_fingerprint);
  EXPECT_TRUE(has_valid_integrity(*message, std::string_view(kPassword)));
  EXPECT_FALSE(has_valid_integrity(*message, std::string_view("another password")));
}

TEST(Stun, sample_ipv4_response_of_rfc_5769_gives_its_address) {
  const Bytes bytes = bytes_of(kSampleIpv4Response);
  const auto message = parse_stun(bytes);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->message_class, StunClass::SuccessResponse);
  EXPECT_EQ(message->xor_mapped_address->text(), "192.0.2.1:32853");
  EXPECT_TRUE(has_valid_integrity(*message, std::string_view(kPassword)));
}

TEST(Stun, sample_ipv6_response_of_rfc_5769_gives_its_address) {
  const Bytes bytes = bytes_of(kSampleIpv6Response);
  const auto message = parse_stun(bytes);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->xor_mapped_address->text(), "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
  EXPECT_TRUE(has_valid_integrity(*message, std::string_view(kPassword)));
}

TEST(Stun, sample_long_term_request_of_rfc_5769_verifies_under_its_key) {
  const Bytes bytes = bytes_of(kSampleLongTermRequest);
  const auto message = parse_stun(bytes);
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->has_fingerprint);
  EXPECT_EQ(message->unknown_required_count, 0);
  EXPECT_TRUE(has_valid_integrity(*message, ByteView(bytes_of(kLongTermKey))));
}

TEST(Stun, written_ipv4_response_equals_the_sample_but_for_its_software_name) {
  const Bytes sample = bytes_of(kSampleIpv4Response);
  StunTransactionId transaction;
  std::copy_n(sample.begin() + 8, transaction.size(), transaction.begin());
  Bytes out(kStunWriteBytesMax);
  const SocketAddress mapped{*IpAddress::parse("192.0.2.1"), 32853};
  const ByteView written = MUST(write_binding_success(out, transaction, mapped, kPassword));
  EXPECT_EQ(hex(written.subspan(20, 12)), "002000080001a147e112a643");
  const auto message = parse_stun(written);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->xor_mapped_address, mapped);
  EXPECT_TRUE(has_valid_integrity(*message, std::string_view(kPassword)));
}

TEST(Stun, request_of_the_dialling_side_comes_back_as_written) {
  const Bytes bytes = a_request();
  const auto message = parse_stun(bytes);
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->is_binding_request());
  EXPECT_EQ(message->transaction, kTransaction);
  EXPECT_EQ(message->username, "srv:cli");
  EXPECT_EQ(message->priority, 99u);
  EXPECT_EQ(message->ice_controlling, 0x1122334455667788u);
  EXPECT_TRUE(message->use_candidate);
  EXPECT_TRUE(message->has_fingerprint);
  EXPECT_TRUE(has_valid_integrity(*message, std::string_view("pw")));
}

TEST(Stun, controlled_side_never_nominates) {
  Bytes out(kStunWriteBytesMax);
  const StunBindingRequest request{.transaction = kTransaction,
                                   .username = "a:b",
                                   .is_controlling = false,
                                   .tie_breaker = 7,
                                   .use_candidate = true};
  const auto message = parse_stun(MUST(write_binding_request(out, request, "pw")));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->ice_controlled, 7u);
  EXPECT_FALSE(message->ice_controlling);
  EXPECT_FALSE(message->use_candidate);
}

TEST(Stun, ipv6_address_comes_back_as_written) {
  Bytes out(kStunWriteBytesMax);
  const SocketAddress mapped{*IpAddress::parse("2001:db8::5"), 443};
  const auto message = parse_stun(MUST(write_binding_success(out, kTransaction, mapped, "pw")));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->xor_mapped_address, mapped);
}

TEST(Stun, errors_carry_code_and_reason) {
  Bytes out(kStunWriteBytesMax);
  const auto message = parse_stun(
      MUST(write_binding_error(out, kTransaction, kStunRoleConflict, "Role Conflict", "pw")));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->message_class, StunClass::ErrorResponse);
  EXPECT_EQ(message->error->code, 487);
  EXPECT_EQ(message->error->reason, "Role Conflict");
  EXPECT_TRUE(has_valid_integrity(*message, std::string_view("pw")));
}

TEST(Stun, error_to_a_stranger_has_fingerprint_but_no_integrity) {
  Bytes out(kStunWriteBytesMax);
  const auto message = parse_stun(MUST(write_binding_error(out, kTransaction, kStunUnauthenticated,
                                                           "Unauthenticated", std::nullopt)));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->error->code, 401);
  EXPECT_FALSE(message->has_integrity);
  EXPECT_TRUE(message->has_fingerprint);
  EXPECT_FALSE(has_valid_integrity(*message, std::string_view("pw")));
}

TEST(Stun, unknown_required_attribute_is_reported_and_unknown_optional_one_ignored) {
  // Type 0x7001 is comprehension-required, 0xC057 (network info) is not.
  const Bytes bytes =
      bytes_of("000100102112a4420102030405060708090a0b0c7001000400000000c057000400000010");
  const auto message = parse_stun(bytes);
  ASSERT_TRUE(message);
  ASSERT_EQ(message->unknown_attributes().size(), 1u);
  EXPECT_EQ(message->unknown_attributes()[0], 0x7001);
}

TEST(Stun, unknown_attributes_are_named_in_the_420_answer) {
  Bytes out(kStunWriteBytesMax);
  const std::array<uint16_t, 2> unknown = {0x7001, 0x7002};
  const ByteView written = MUST(write_binding_error(out, kTransaction, kStunUnknownAttribute,
                                                    "Unknown Attribute", "pw", unknown));
  EXPECT_NE(hex(written).find("000a000470017002"), std::string::npos);
  EXPECT_EQ(parse_stun(written)->error->code, 420);
}

TEST(Stun, nomination_attribute_is_read_and_harmless) {
  const Bytes bytes = bytes_of("000100082112a4420102030405060708090a0b0cc001000400000003");
  const auto message = parse_stun(bytes);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->nomination, 3u);
  EXPECT_EQ(message->unknown_required_count, 0);
}

TEST(Stun, what_follows_the_integrity_is_ignored) {
  // USE-CANDIDATE behind MESSAGE-INTEGRITY is not protected by it.
  Bytes bytes = a_request();
  bytes.resize(bytes.size() - 8);  // drop FINGERPRINT
  const Bytes use_candidate = bytes_of("00250000");
  const Bytes before = bytes_of("000100002112a4420102030405060708090a0b0c");
  Bytes forged(before);
  const Bytes integrity(bytes.end() - 24, bytes.end());
  forged.insert(forged.end(), integrity.begin(), integrity.end());
  forged.insert(forged.end(), use_candidate.begin(), use_candidate.end());
  forged[3] = static_cast<uint8_t>(forged.size() - 20);
  const auto message = parse_stun(forged);
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->has_integrity);
  EXPECT_FALSE(message->use_candidate);
}

TEST(Stun, first_of_two_equal_attributes_counts) {
  const Bytes bytes =
      bytes_of("000100102112a4420102030405060708090a0b0c00240004000000010024000400000002");
  EXPECT_EQ(parse_stun(bytes)->priority, 1u);
}

TEST(Stun, every_flipped_bit_is_noticed) {
  const Bytes whole = a_request();
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes flipped = whole;
    flipped[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    const auto message = parse_stun(flipped);
    EXPECT_TRUE(!message || !has_valid_integrity(*message, std::string_view("pw")) ||
                !message->has_fingerprint)
        << "bit " << bit;
  }
}

TEST(Stun, every_truncation_is_refused) {
  const Bytes whole = a_request();
  for (size_t length = 0; length < whole.size(); ++length) {
    const Bytes prefix(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_FALSE(parse_stun(prefix)) << length;
  }
}

TEST(Stun, trailing_bytes_are_refused) {
  Bytes longer = a_request();
  longer.insert(longer.end(), {0, 0, 0, 0});
  EXPECT_FALSE(parse_stun(longer));
}

TEST(Stun, other_protocols_are_refused) {
  EXPECT_FALSE(parse_stun(bytes_of("800100002112a4420102030405060708090a0b0c")));      // first bits
  EXPECT_FALSE(parse_stun(bytes_of("000100002112a4430102030405060708090a0b0c")));      // cookie
  EXPECT_FALSE(parse_stun(bytes_of("000100022112a4420102030405060708090a0b0c0000")));  // odd length
}

TEST(Stun, writing_into_too_few_bytes_is_an_error) {
  const size_t needed = a_request().size();
  const StunBindingRequest request{.transaction = kTransaction,
                                   .username = "srv:cli",
                                   .priority = 99,
                                   .tie_breaker = 1,
                                   .use_candidate = true};
  for (size_t room = 0; room < needed; ++room) {
    Bytes out(room);
    EXPECT_FALSE(write_binding_request(out, request, "pw")) << room;
  }
}

TEST(Stun, largest_username_fits_the_advertised_room) {
  const std::string username(kStunUsernameBytesMax, 'u');
  Bytes out(kStunWriteBytesMax);
  const StunBindingRequest request{
      .transaction = kTransaction, .username = username, .use_candidate = true};
  EXPECT_TRUE(write_binding_request(out, request, "pw"));
}

TEST(Stun, username_is_cut_at_its_first_colon) {
  EXPECT_EQ(split_username("srv:cli:x")->receiver_ufrag, "srv");
  EXPECT_EQ(split_username("srv:cli:x")->sender_ufrag, "cli:x");
  EXPECT_FALSE(split_username("nocolon"));
}

}  // namespace
}  // namespace atrium::wire
