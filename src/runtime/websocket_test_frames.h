// A client's frames for tests: masked, as RFC 6455 section 5.1 wants them.
#pragma once

#include <string>
#include <string_view>

#include "runtime/http_codec.h"

namespace atrium::runtime {

enum class Final : uint8_t { No, Yes };

inline std::string client_frame(uint8_t opcode, std::string_view payload,
                                Final final = Final::Yes) {
  std::string out = frame_header(static_cast<FrameKind>(opcode), payload.size());
  if (final == Final::No) out[0] = static_cast<char>(opcode);
  out[1] = static_cast<char>(out[1] | 0x80);
  constexpr std::string_view kMask("\x11\x22\x33\x44", 4);
  out += kMask;
  for (size_t i = 0; i < payload.size(); ++i)
    out.push_back(static_cast<char>(payload[i] ^ kMask[i % 4]));
  return out;
}

inline constexpr std::string_view kUpgradeFields =
    "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

}  // namespace atrium::runtime
