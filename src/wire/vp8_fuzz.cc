// Any bytes as a VP8 payload: the descriptor stays inside, and a rewrite changes the two numbers and nothing else.
#include <algorithm>

#include "wire/vp8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atrium;
  Bytes payload(data, data + size);
  const auto before = wire::parse_vp8(payload);
  if (!before) return 0;
  CHECK(before->descriptor_bytes < size);
  wire::rewrite_vp8(payload, *before, 0x1234, 0x56);
  const auto after = wire::parse_vp8(payload);
  CHECK(after && after->descriptor_bytes == before->descriptor_bytes);
  CHECK(after->picture_id_width == before->picture_id_width);
  if (after->picture_id_width == wire::PictureIdWidth::Bits15) CHECK(after->picture_id == 0x1234);
  if (after->tl0_pic_idx) CHECK(*after->tl0_pic_idx == 0x56);
  wire::rewrite_vp8(payload, *before, before->picture_id, before->tl0_pic_idx.value_or(0));
  CHECK(std::equal(payload.begin(), payload.end(), data));
  return 0;
}
