#include "adapters/signal/structure.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/bytes.h"

namespace atrium::signal {
namespace {

// One step from a message to its long strings: field `number` is one when `next` is empty, else a
// message walked by `next`.
struct Step {
  uint32_t number;
  std::span<const Step> next;
};

constexpr std::array kDescription{Step{2, {}}};                                 // sdp
constexpr std::array kMetadata{Step{1, {}}};                                    // metadata
constexpr std::array kSyncState{Step{1, kDescription}, Step{5, kDescription}};  // answer, offer
constexpr std::array kRequest{Step{1, kDescription}, Step{2, kDescription},     // offer, answer
                              Step{12, kSyncState},
                              Step{15, kMetadata}};  // sync_state, update_metadata
constexpr std::array kJoin{Step{3, {}}, Step{6, kDescription},
                           Step{10, kSyncState}};  // metadata, publisher_offer

Result<uint64_t> varint(ByteReader& reader) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const uint8_t byte = TRY(reader.u8());
    value |= uint64_t{byte & 0x7fu} << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return malformed("varint longer than 64 bits");
}

Result<void> skip_number(ByteReader& reader, uint64_t wire_type) {
  if (wire_type == 0) {
    TRY(varint(reader));
    return {};
  }
  if (wire_type == 1) return reader.skip(8);
  if (wire_type == 5) return reader.skip(4);
  return malformed("group or unknown wire type");
}

// Depth is that of the tables above: at most four.
Result<size_t> long_string_bytes(ByteView message, std::span<const Step> steps) {
  ByteReader reader(message);
  size_t bytes = 0;
  while (!reader.at_end()) {
    const uint64_t tag = TRY(varint(reader));
    if ((tag & 7) != 2) {
      TRY(skip_number(reader, tag & 7));
      continue;
    }
    const uint64_t size = TRY(varint(reader));
    const ByteView body = TRY(reader.take(std::min<uint64_t>(size, message.size() + 1)));
    const auto step = std::ranges::find(steps, tag >> 3, &Step::number);
    if (step == steps.end()) continue;
    bytes += step->next.empty() ? body.size() : TRY(long_string_bytes(body, step->next));
  }
  return bytes;
}

}  // namespace

Result<size_t> request_structure_bytes(std::string_view signal_request) {
  return signal_request.size() - TRY(long_string_bytes(as_bytes(signal_request), kRequest));
}

Result<size_t> join_structure_bytes(std::string_view join_request) {
  return join_request.size() - TRY(long_string_bytes(as_bytes(join_request), kJoin));
}

}  // namespace atrium::signal
