#include "runtime/proxy_header.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"

namespace atrium::runtime {
namespace {

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kFixedBytes = 16;  // signature, version and command, family, length
constexpr uint8_t kVersion = 2;
enum Command : uint8_t { Local = 0, Proxy = 1 };
enum Family : uint8_t { Unspecified = 0, Ipv4 = 1, Ipv6 = 2, Unix = 3 };
enum Transport : uint8_t { None = 0, Stream = 1, Datagram = 2 };

constexpr ProxyHeader kMalformed{.step = ProxyHeader::Step::Malformed};

// The source address and port of an address block: source, destination, source port, destination port.
Result<SocketAddress> read_source(ByteReader& block, bool is_v6) {
  SocketAddress source;
  source.ip.is_v6 = is_v6;
  const size_t width = is_v6 ? 16 : 4;
  const ByteView address = TRY(block.take(width));
  std::ranges::copy(address, source.ip.bytes.begin());
  TRY(block.skip(width));
  source.port = TRY(block.u16());
  TRY(block.skip(2));
  return source;
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view bytes) {
  const size_t begun = std::min(bytes.size(), kSignature.size());
  if (bytes.substr(0, begun) != kSignature.substr(0, begun)) return kMalformed;
  if (bytes.size() < kFixedBytes) return {};
  ByteReader reader(as_bytes(bytes.substr(kSignature.size())));
  const uint8_t version_command = *reader.u8();
  const uint8_t family_transport = *reader.u8();
  const size_t size = kFixedBytes + *reader.u16();
  const uint8_t command = version_command & 0x0f;
  if (version_command >> 4 != kVersion || command > Proxy) return kMalformed;
  if (size > static_cast<size_t>(limits::kProxyHeaderBytesMax)) return kMalformed;
  if (bytes.size() < size) return {};

  ProxyHeader out{.step = ProxyHeader::Step::Complete, .size = size};
  if (command == Local) return out;  // whatever else it says is not about a client
  const uint8_t family = family_transport >> 4, transport = family_transport & 0x0f;
  if (family > Unix || transport > Datagram) return kMalformed;
  if ((family != Ipv4 && family != Ipv6) || transport != Stream) return out;
  ByteReader block(as_bytes(bytes.substr(kFixedBytes, size - kFixedBytes)));
  const auto source = read_source(block, family == Ipv6);
  if (!source) return kMalformed;
  out.source = *source;
  return out;
}

}  // namespace atrium::runtime
