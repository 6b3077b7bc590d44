// RTP header extensions: iteration over one-byte and two-byte blocks, and a writer of new one-byte blocks.  RFC 8285.
// Elements: MID and RID (RFC 9143, RFC 8852), audio level (RFC 6464), abs-send-time, transport-wide sequence number.
// Which id means what is negotiated; the caller compares ids.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "wire/rtp.h"

namespace atrium::wire {

inline constexpr uint16_t kOneByteProfile = 0xBEDE;

struct ExtensionElement {
  uint8_t id = 0;  // 1 to 14 in one-byte blocks, 1 to 255 in two-byte blocks
  ByteView data;
};

// Elements in order.  Unknown profiles have none.  A length beyond the block, id 15 (one-byte) and an id 0 with a
// length end the iteration; what came before stays valid, as RFC 8285 §4.2 asks.
class ExtensionReader {
 public:
  explicit ExtensionReader(const RtpHeaderView& header);
  ExtensionReader(uint16_t profile, ByteView block);
  std::optional<ExtensionElement> next();

 private:
  std::optional<ExtensionElement> next_one_byte();
  std::optional<ExtensionElement> next_two_byte();
  std::optional<ExtensionElement> stop();

  enum class Form : uint8_t { None, OneByte, TwoByte };
  Form form_ = Form::None;
  ByteReader reader_;
};

// Values of elements; nullopt where the length is not the format's.
struct AudioLevel {
  bool voice = false;
  uint8_t level_dbov = 127;  // 0 (loudest) to 127 (silence), negated dBov
};
std::optional<AudioLevel> read_audio_level(ByteView data);
std::optional<uint16_t> read_transport_seq(ByteView data);
std::optional<uint32_t> read_abs_send_time(ByteView data);  // 24 bits: seconds as 6.18 fixed point
// MID or RID: 1 to 16 bytes in one-byte form; empty is nullopt.
std::optional<std::string_view> read_text(ByteView data);

// abs-send-time from microseconds of any steady clock.
constexpr uint32_t abs_send_time_from_us(int64_t us) {
  return static_cast<uint32_t>(((static_cast<uint64_t>(us) << 18) / 1'000'000u) & 0xff'ffffu);
}

// Writes one block: construct, elements, finish.  Ids outside 1 to 14 (0 = not negotiated) write nothing, so that
// a caller may pass ids as negotiated; texts of 0 or more than 16 bytes write nothing.  Room is checked by the
// ByteWriter.
class OneByteExtensionWriter {
 public:
  explicit OneByteExtensionWriter(ByteWriter& out);
  void mid(uint8_t id, std::string_view value) { element(id, as_bytes(value)); }
  void rid(uint8_t id, std::string_view value) { element(id, as_bytes(value)); }
  void transport_seq(uint8_t id, uint16_t value);
  void abs_send_time(uint8_t id, uint32_t value);
  void audio_level(uint8_t id, AudioLevel level);
  void element(uint8_t id, ByteView data);
  // Pads to 32 bits and fills in the length.  Without this the block is not valid.
  void finish();

 private:
  ByteWriter& out_;
  size_t begin_;
};
// Most bytes that a block of these five elements takes, its own header included.
inline constexpr size_t kExtensionBlockBytesMax = 4 + 17 + 17 + 3 + 4 + 2 + 3;

}  // namespace atrium::wire
