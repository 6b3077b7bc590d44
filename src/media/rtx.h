// Payload formats that wrap another payload: retransmission (RFC 4588) and redundant audio (RFC 2198).  Views, no
// heap.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace atrium::media {

struct RtxPayload {
  uint16_t original_seq = 0;  // OSN
  ByteView payload;
};

// RFC 4588 section 4: two bytes of original sequence number, then the original payload.  nullopt: a probe that
// carries nothing.
inline std::optional<RtxPayload> unwrap_rtx(ByteView payload) {
  ByteReader reader(payload);
  const auto original_seq = reader.u16();
  if (!original_seq || reader.at_end()) return std::nullopt;
  return RtxPayload{*original_seq, reader.rest()};
}

struct RedPayload {
  uint8_t payload_type = 0;
  ByteView primary;
};

// RFC 2198 section 3: headers of redundant blocks (F = 1, four bytes, length in the last ten bits), the primary's
// header (F = 0, one byte), the redundant blocks, the primary block.  Only the primary is kept: subscribers get
// plain audio.
inline std::optional<RedPayload> primary_of_red(ByteView payload) {
  ByteReader reader(payload);
  size_t redundant_bytes = 0;
  for (;;) {
    const auto first = reader.u8();
    if (!first) return std::nullopt;
    if ((*first & 0x80) == 0) {
      if (!reader.skip(redundant_bytes) || reader.at_end()) return std::nullopt;
      return RedPayload{*first, reader.rest()};
    }
    const auto rest = reader.u24();  // 14 bits of timestamp offset, 10 bits of length
    if (!rest) return std::nullopt;
    redundant_bytes += *rest & 0x3ff;
  }
}

}  // namespace atrium::media
