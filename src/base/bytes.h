// ByteReader and ByteWriter: the only places that touch raw packet bytes.  Network byte order unless a name says _le.
// A reader never reads past its end: each read yields a Result.  A writer writes into a caller's span and turns
// `ok()` false instead of overrunning.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace atrium {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;
using ByteSpan = std::span<uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ByteReader {
 public:
  explicit ByteReader(ByteView data) : data_(data) {}

  size_t position() const { return position_; }
  size_t remaining() const { return data_.size() - position_; }
  bool at_end() const { return remaining() == 0; }

  Result<uint8_t> u8() { return integer<uint8_t>(); }
  Result<uint16_t> u16() { return integer<uint16_t>(); }
  Result<uint32_t> u24() {
    if (remaining() < 3) return malformed("truncated");
    uint32_t value = (uint32_t{data_[position_]} << 16) | (uint32_t{data_[position_ + 1]} << 8) |
                     data_[position_ + 2];
    position_ += 3;
    return value;
  }
  Result<uint32_t> u32() { return integer<uint32_t>(); }
  Result<uint64_t> u64() { return integer<uint64_t>(); }
  Result<uint16_t> u16_le() { return little_endian<uint16_t>(); }
  Result<uint32_t> u32_le() { return little_endian<uint32_t>(); }

  Result<ByteView> take(size_t count) {
    if (remaining() < count) return malformed("truncated");
    ByteView view = data_.subspan(position_, count);
    position_ += count;
    return view;
  }
  Result<void> skip(size_t count) {
    if (remaining() < count) return malformed("truncated");
    position_ += count;
    return {};
  }
  ByteView rest() const { return data_.subspan(position_); }

 private:
  template <typename T>
  Result<T> integer() {
    if (remaining() < sizeof(T)) return malformed("truncated");
    T value = 0;
    for (size_t i = 0; i < sizeof(T); ++i)
      value = static_cast<T>((static_cast<uint64_t>(value) << 8) | data_[position_ + i]);
    position_ += sizeof(T);
    return value;
  }
  template <typename T>
  Result<T> little_endian() {
    if (remaining() < sizeof(T)) return malformed("truncated");
    T value = 0;
    for (size_t i = sizeof(T); i-- > 0;)
      value = static_cast<T>((static_cast<uint64_t>(value) << 8) | data_[position_ + i]);
    position_ += sizeof(T);
    return value;
  }

  ByteView data_;
  size_t position_ = 0;
};

class ByteWriter {
 public:
  explicit ByteWriter(ByteSpan out) : out_(out) {}

  size_t position() const { return position_; }
  size_t remaining() const { return out_.size() - position_; }
  bool ok() const { return ok_; }
  ByteView written() const { return out_.first(position_); }

  void u8(uint8_t value) { integer(value, 1); }
  void u16(uint16_t value) { integer(value, 2); }
  void u24(uint32_t value) { integer(value, 3); }
  void u32(uint32_t value) { integer(value, 4); }
  void u64(uint64_t value) { integer(value, 8); }
  void u16_le(uint16_t value) { u8(value & 0xff), u8(static_cast<uint8_t>(value >> 8)); }
  void u32_le(uint32_t value) {
    u16_le(static_cast<uint16_t>(value)), u16_le(static_cast<uint16_t>(value >> 16));
  }
  void bytes(ByteView data) {
    if (!reserve(data.size())) return;
    if (!data.empty()) std::memcpy(out_.data() + position_, data.data(), data.size());
    position_ += data.size();
  }
  void fill(uint8_t value, size_t count) {
    if (!reserve(count)) return;
    std::memset(out_.data() + position_, value, count);
    position_ += count;
  }
  // Overwrites two bytes already written, e.g. a length known only later.
  void patch_u16(size_t at, uint16_t value) {
    CHECK(at + 2 <= position_);
    out_[at] = static_cast<uint8_t>(value >> 8);
    out_[at + 1] = static_cast<uint8_t>(value);
  }

 private:
  void integer(uint64_t value, size_t width) {
    if (!reserve(width)) return;
    for (size_t i = 0; i < width; ++i)
      out_[position_ + i] = static_cast<uint8_t>(value >> (8 * (width - 1 - i)));
    position_ += width;
  }
  bool reserve(size_t count) {
    if (!ok_ || remaining() < count) ok_ = false;
    return ok_;
  }

  ByteSpan out_;
  size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace atrium
