#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/crypto.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/seeded_secret_source.h"
#include "base/socket_address.h"
#include "base/time.h"

namespace atrium {
namespace {

TEST(Sids, carry_their_prefix_and_differ) {
  SeededSecretSource secrets(1);
  const std::string a = secrets.sid("RM_"), b = secrets.sid("RM_");
  EXPECT_EQ(a.size(), 20u);
  EXPECT_EQ(a.substr(0, 3), "RM_");
  EXPECT_NE(a, b);
}

uint64_t told_order = 0;

TEST(Sids, come_in_the_order_in_which_they_are_made) {
  OpenSslSecretSource secrets([] { return told_order; });
  std::string before;
  for (const uint64_t at : {uint64_t{0}, uint64_t{61}, uint64_t{62}, uint64_t{3'843},
                            uint64_t{3'844}, uint64_t{1'795'386'900'000}}) {
    told_order = at;
    const std::string sid = secrets.sid("OP_");
    EXPECT_EQ(sid.size(), 20u);
    EXPECT_LT(before, sid) << at;
    before = sid;
  }
  EXPECT_EQ(before.substr(0, 10), secrets.sid("OP_").substr(0, 10));
  EXPECT_NE(before, secrets.sid("OP_")) << "the rest is random";
}

std::vector<std::pair<LogTime, std::string>> logged;

TEST(Log, tells_its_sink_what_may_wait_for_the_end_of_the_turn) {
  set_log_sink([](LogLevel, LogTime time,
                  std::string_view line) { logged.emplace_back(time, std::string(line)); },
               [] { logged.emplace_back(LogTime::Now, "flushed"); });
  log_in_turn(LogLevel::Info, "user left", {{"user", "a b"}});
  log_line(LogLevel::Error, "a \"line\"");
  flush_log();
  set_log_sink(nullptr);
  flush_log();
  EXPECT_EQ(logged, (std::vector<std::pair<LogTime, std::string>>{
                        {LogTime::WithTheTurn, "user left user=\"a b\""},
                        {LogTime::Now, "a \"line\""},
                        {LogTime::Now, "flushed"}}));
}

TEST(Base64, refuses_what_is_not_canonical) {
  EXPECT_EQ(base64(as_bytes("f")), "Zg==");
  EXPECT_TRUE(from_base64("Zg==").has_value());
  EXPECT_TRUE(from_base64("Zg").has_value());
  EXPECT_FALSE(from_base64("Zh==").has_value());  // trailing bits set
  EXPECT_FALSE(from_base64("Z").has_value());
  EXPECT_FALSE(from_base64("Zg=").has_value());
  EXPECT_FALSE(from_base64("Z-==").has_value());
  EXPECT_TRUE(from_base64url("_-8").has_value());
}

TEST(OpenSslSecretSource, small_and_large_draws_never_give_the_same_twice) {
  OpenSslSecretSource one, other;
  std::set<Bytes> seen;
  size_t draws = 0;
  for (int round = 0; round < 400; ++round)
    for (const size_t size : {8, 16, 31, 63, 64, 65, 200}) {
      Bytes bytes(size);
      (round % 2 == 0 ? one : other).fill(bytes);
      bytes.resize(8);  // also not where one draw goes on in another
      seen.insert(std::move(bytes));
      ++draws;
    }
  EXPECT_EQ(seen.size(), draws);
  one.fill({});
}

TEST(Base64, every_length_comes_back_and_every_foreign_character_is_refused_wherever_it_stands) {
  Bytes bytes;
  for (int length = 0; length <= 24; ++length) {
    const std::string text = base64url(bytes), padded = base64(bytes);
    EXPECT_EQ(from_base64url(text), bytes) << length;
    EXPECT_EQ(from_base64(padded), bytes) << length;
    for (size_t at = 0; at < text.size(); ++at)
      for (const char foreign : {'+', '/', '=', '\0', ' ', '\x7f', '\xff', '@', '.'}) {
        if (foreign == '=' && at + 1 == text.size()) continue;  // that may be padding
        std::string bad = text;
        bad[at] = foreign;
        EXPECT_FALSE(from_base64url(bad)) << length << " " << at << " " << int{foreign};
      }
    bytes.push_back(static_cast<uint8_t>(37 * length + 5));
  }
  // One text for each value: the bits that carry nothing are zero.
  EXPECT_TRUE(from_base64url("AQ"));
  for (const char* other : {"AR", "AS", "AY"}) EXPECT_FALSE(from_base64url(other)) << other;
  EXPECT_TRUE(from_base64url("AQI"));
  for (const char* other : {"AQJ", "AQK"}) EXPECT_FALSE(from_base64url(other)) << other;
}

TEST(Hashes, of_nothing_and_of_something_are_the_published_ones) {
  const std::string of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  EXPECT_EQ(hex(sha256({})), of_nothing);
  EXPECT_EQ(hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256({})), of_nothing);
}

// RFC 4231 § 4.3, and a key that is longer than a block (§ 4.7).
TEST(Hashes, hmac_under_a_prepared_key_is_that_of_the_key) {
  const HmacSha256 jefe(as_bytes("Jefe"));
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(hex(jefe.of(as_bytes("what do ya want for nothing?"))),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  const std::string long_key(131, '\xaa');
  for (const std::string& key : {std::string(), std::string("k"), std::string(64, 'k'), long_key}) {
    const HmacSha256 prepared(as_bytes(key));
    for (const std::string& data : {std::string(), std::string("data"), std::string(1000, 'x')})
      EXPECT_EQ(prepared.of(as_bytes(data)), hmac_sha256(as_bytes(key), as_bytes(data)));
  }
}

TEST(IpAddresses, are_printed_as_rfc5952_says_and_read_back) {
  for (const char* text :
       {"127.0.0.1", "192.0.2.7", "0.0.0.0", "255.255.255.255", "::1", "::", "2001:db8::1",
        "abcd:ef01:2345:6789:abcd:ef01:2345:6789", "fe80::1:0:0:1", "2001:db8:0:1:1:1:1:1"}) {
    auto address = IpAddress::parse(text);
    ASSERT_TRUE(address.has_value()) << text;
    EXPECT_EQ(address->text(), text);
  }
  for (const char* text : {"", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4.5", ":", ":::", "1::2::3",
                           "12345::", "1:2:3:4:5:6:7:8:9", "g::1", "1:2:3:4:5:6:7:"})
    EXPECT_FALSE(IpAddress::parse(text).has_value()) << text;
}

TEST(Bytes, reader_stops_at_its_end) {
  const Bytes data{1, 2, 3};
  ByteReader reader(data);
  EXPECT_EQ(reader.u16().value(), 0x0102);
  EXPECT_FALSE(reader.u16().has_value());
  EXPECT_EQ(reader.u8().value(), 3);
  EXPECT_FALSE(reader.u8().has_value());
}

TEST(Bytes, writer_says_when_it_did_not_fit) {
  std::array<uint8_t, 3> room{};
  ByteWriter writer(room);
  writer.u16(0x0102);
  EXPECT_TRUE(writer.ok());
  writer.u16(3);
  EXPECT_FALSE(writer.ok());
  EXPECT_EQ(writer.position(), 2u);
}

}  // namespace
}  // namespace atrium
