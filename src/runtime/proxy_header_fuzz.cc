// Any bytes, at once and growing one by one: a verdict once given never changes, and what is complete is bounded.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/limits.h"
#include "runtime/proxy_header.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using atrium::runtime::parse_proxy_header;
  using atrium::runtime::ProxyHeader;
  using Step = ProxyHeader::Step;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const ProxyHeader whole = parse_proxy_header(input);
  if (whole.step == Step::Complete) {
    CHECK(whole.size >= 16 && whole.size <= input.size());
    CHECK(whole.size <= static_cast<size_t>(atrium::limits::kProxyHeaderBytesMax));
  }
  ProxyHeader growing;
  for (size_t length = 0; length <= input.size() && growing.step == Step::NeedMore; ++length)
    growing = parse_proxy_header(input.substr(0, length));
  CHECK(growing.step == whole.step);
  CHECK(growing.size == whole.size);
  CHECK(growing.source == whole.source);
  return 0;
}
