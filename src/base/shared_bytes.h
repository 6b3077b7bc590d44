// SharedBytes: bytes that are written once and then read by many, on several threads: one message to ten thousand
// people is one copy.  Never changed after they were made; a copy of this value copies a pointer
// (docs/decisions/shared-bytes.md).
#pragma once

#include <memory>
#include <utility>

#include "base/bytes.h"

namespace atrium {

class SharedBytes {
 public:
  SharedBytes() = default;  // empty
  SharedBytes(Bytes bytes) : bytes_(std::make_shared<const Bytes>(std::move(bytes))) {}

  ByteView view() const { return bytes_ ? ByteView(*bytes_) : ByteView(); }
  operator ByteView() const { return view(); }
  const uint8_t* data() const { return view().data(); }
  size_t size() const { return view().size(); }
  bool empty() const { return view().empty(); }

 private:
  std::shared_ptr<const Bytes> bytes_;
};

}  // namespace atrium
