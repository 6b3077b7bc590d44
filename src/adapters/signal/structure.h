// How much of an encoded message is structure rather than descriptions and metadata.  Decoding a
// repeated field costs many times its bytes (two bytes make an object), so structure is bounded
// before protobuf sees a message, while one long string costs what it weighs.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"

namespace atrium::signal {

// Bytes that are not long strings.  Malformed when the protobuf framing of a level that is walked is broken.
Result<size_t> request_structure_bytes(std::string_view signal_request);
Result<size_t> join_structure_bytes(std::string_view join_request);

}  // namespace atrium::signal
