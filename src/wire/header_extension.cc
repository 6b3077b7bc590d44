#include "wire/header_extension.h"

#include <array>

namespace atrium::wire {
namespace {

constexpr uint16_t kTwoByteProfileMask = 0xFFF0;
constexpr uint16_t kTwoByteProfile = 0x1000;  // the low four bits are the application's
constexpr uint8_t kOneByteIdMax = 14;
constexpr size_t kOneByteValueMax = 16;

}  // namespace

ExtensionReader::ExtensionReader(const RtpHeaderView& header)
    : ExtensionReader(header.has_extension ? header.extension_profile : uint16_t{0},
                      header.extension) {}

ExtensionReader::ExtensionReader(uint16_t profile, ByteView block) : reader_(block) {
  if (profile == kOneByteProfile) form_ = Form::OneByte;
  if ((profile & kTwoByteProfileMask) == kTwoByteProfile) form_ = Form::TwoByte;
}

std::optional<ExtensionElement> ExtensionReader::next() {
  switch (form_) {
    case Form::None: return std::nullopt;
    case Form::OneByte: return next_one_byte();
    case Form::TwoByte: return next_two_byte();
  }
  return std::nullopt;
}

std::optional<ExtensionElement> ExtensionReader::stop() {
  form_ = Form::None;
  return std::nullopt;
}

// RFC 8285 §4.2: |  ID (4) | len - 1 (4) | data …; a byte 0 is padding.
std::optional<ExtensionElement> ExtensionReader::next_one_byte() {
  while (const auto head = reader_.u8()) {
    if (*head == 0) continue;
    const uint8_t id = *head >> 4;
    if (id == 0 || id == 15) break;
    const auto data = reader_.take(size_t{*head & 0x0fu} + 1);
    if (!data) break;
    return ExtensionElement{id, *data};
  }
  return stop();
}

// RFC 8285 §4.3: |  ID (8) | len (8) | data …; an id of 0 is one byte of padding.
std::optional<ExtensionElement> ExtensionReader::next_two_byte() {
  while (const auto id = reader_.u8()) {
    if (*id == 0) continue;
    const auto length = reader_.u8();
    if (!length) break;
    const auto data = reader_.take(*length);
    if (!data) break;
    return ExtensionElement{*id, *data};
  }
  return stop();
}

std::optional<AudioLevel> read_audio_level(ByteView data) {
  // RFC 6464 §3: one byte, V (1) and level (7).  In two-byte form some senders pad it.
  if (data.empty() || data.size() > 2) return std::nullopt;
  return AudioLevel{(data[0] & 0x80) != 0, static_cast<uint8_t>(data[0] & 0x7f)};
}

std::optional<uint16_t> read_transport_seq(ByteView data) {
  // Two bytes; version 2 of the extension adds two bytes of feedback request, which we do not serve.
  if (data.size() != 2 && data.size() != 4) return std::nullopt;
  return *ByteReader(data).u16();
}

std::optional<uint32_t> read_abs_send_time(ByteView data) {
  if (data.size() != 3) return std::nullopt;
  return *ByteReader(data).u24();
}

std::optional<std::string_view> read_text(ByteView data) {
  if (data.empty() || data.size() > kOneByteValueMax) return std::nullopt;
  return as_text(data);
}

OneByteExtensionWriter::OneByteExtensionWriter(ByteWriter& out) : out_(out) {
  out_.u16(kOneByteProfile);
  out_.u16(0);
  begin_ = out_.position();
}

void OneByteExtensionWriter::element(uint8_t id, ByteView data) {
  if (id == 0 || id > kOneByteIdMax || data.empty() || data.size() > kOneByteValueMax) return;
  out_.u8(static_cast<uint8_t>((id << 4) | (data.size() - 1)));
  out_.bytes(data);
}

void OneByteExtensionWriter::transport_seq(uint8_t id, uint16_t value) {
  std::array<uint8_t, 2> bytes;
  ByteWriter(bytes).u16(value);
  element(id, bytes);
}

void OneByteExtensionWriter::abs_send_time(uint8_t id, uint32_t value) {
  std::array<uint8_t, 3> bytes;
  ByteWriter(bytes).u24(value & 0xff'ffffu);
  element(id, bytes);
}

void OneByteExtensionWriter::audio_level(uint8_t id, AudioLevel level) {
  const auto byte = static_cast<uint8_t>((level.voice ? 0x80 : 0) | (level.level_dbov & 0x7f));
  element(id, ByteView(&byte, 1));
}

void OneByteExtensionWriter::finish() {
  if (!out_.ok()) return;
  const size_t used = out_.position() - begin_;
  out_.fill(0, (4 - used % 4) % 4);
  if (out_.ok()) out_.patch_u16(begin_ - 2, static_cast<uint16_t>((out_.position() - begin_) / 4));
}

}  // namespace atrium::wire
