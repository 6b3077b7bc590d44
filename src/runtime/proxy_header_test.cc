#include "runtime/proxy_header.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "runtime/proxy_header_test_bytes.h"

namespace atrium::runtime {
namespace {

using Step = ProxyHeader::Step;

// "203.0.113.9:4711" and so on; "none" where the header names no client.
std::string source_of(const std::string& bytes) {
  const ProxyHeader header = parse_proxy_header(bytes);
  if (header.step == Step::Malformed) return "malformed";
  if (header.step == Step::NeedMore) return "need more";
  EXPECT_EQ(header.size, bytes.size());
  return header.source ? header.source->text() : "none";
}

TEST(ProxyHeader, names_the_client_of_either_family) {
  EXPECT_EQ(source_of(proxy_from("203.0.113.9", 4711)), "203.0.113.9:4711");
  EXPECT_EQ(source_of(proxy_from("2001:db8::7", 65535)), "[2001:db8::7]:65535");
}

TEST(ProxyHeader, skips_tlvs_and_leaves_the_clients_own_bytes) {
  const std::string header =
      proxy_from("203.0.113.9", 1, std::string("\x03\x00\x04\x01\x02\x03\x04\x04\x00\x00", 10));
  EXPECT_EQ(source_of(header), "203.0.113.9:1");
  const ProxyHeader parsed = parse_proxy_header(header + "GET / HTTP/1.1\r\n");
  EXPECT_EQ(parsed.step, Step::Complete);
  EXPECT_EQ(parsed.size, header.size());
}

TEST(ProxyHeader, names_nobody_where_the_proxy_speaks_for_itself_or_of_no_address_of_ours) {
  EXPECT_EQ(source_of(proxy_header(0x20, 0x00, "")), "none");
  EXPECT_EQ(source_of(proxy_header(0x20, 0x11, std::string(12, 'x'))), "none");
  EXPECT_EQ(source_of(proxy_header(0x20, 0xff, "")), "none") << "the family of LOCAL is ignored";
  EXPECT_EQ(source_of(proxy_header(0x21, 0x00, "")), "none");
  EXPECT_EQ(source_of(proxy_header(0x21, 0x00, "some TLVs")), "none");
  EXPECT_EQ(source_of(proxy_header(0x21, 0x31, std::string(216, '/'))), "none");
  EXPECT_EQ(source_of(proxy_header(0x21, 0x12, std::string(12, 'x'))), "none") << "UDP";
}

TEST(ProxyHeader, refuses_what_is_not_version_two) {
  EXPECT_EQ(source_of("PROXY TCP4 203.0.113.9 127.0.0.1 4711 7880\r\n"), "malformed");
  EXPECT_EQ(source_of("GET / HTTP/1.1\r\n\r\n"), "malformed");
  EXPECT_EQ(source_of("\x16\x03\x01"), "malformed");
  const std::string block(12, 'x');
  EXPECT_EQ(source_of(proxy_header(0x11, 0x11, block)), "malformed") << "version";
  EXPECT_EQ(source_of(proxy_header(0x31, 0x11, block)), "malformed") << "version";
  EXPECT_EQ(source_of(proxy_header(0x22, 0x11, block)), "malformed") << "command";
  EXPECT_EQ(source_of(proxy_header(0x21, 0x41, block)), "malformed") << "family";
  EXPECT_EQ(source_of(proxy_header(0x21, 0x13, block)), "malformed") << "transport";
}

TEST(ProxyHeader, refuses_an_address_block_that_is_too_short) {
  for (size_t size = 0; size < 12; ++size)
    EXPECT_EQ(source_of(proxy_header(0x21, 0x11, std::string(size, 'x'))), "malformed") << size;
  for (size_t size = 0; size < 36; ++size)
    EXPECT_EQ(source_of(proxy_header(0x21, 0x21, std::string(size, 'x'))), "malformed") << size;
}

TEST(ProxyHeader, is_bounded_and_says_so_before_the_bytes_are_there) {
  const auto longest = static_cast<size_t>(limits::kProxyHeaderBytesMax) - 16;
  EXPECT_EQ(source_of(proxy_from("1.2.3.4", 5, std::string(longest - 12, '\0'))), "1.2.3.4:5");
  const std::string beyond = proxy_from("1.2.3.4", 5, std::string(longest - 11, '\0'));
  EXPECT_EQ(source_of(beyond), "malformed");
  EXPECT_EQ(source_of(beyond.substr(0, 16)), "malformed");
}

TEST(ProxyHeader, waits_for_the_rest_at_every_length) {
  for (const char* source : {"203.0.113.9", "2001:db8::7"}) {
    const std::string whole = proxy_from(source, 4711, "tlvs");
    for (size_t size = 0; size < whole.size(); ++size)
      EXPECT_EQ(source_of(whole.substr(0, size)), "need more") << size;
  }
}

}  // namespace
}  // namespace atrium::runtime
