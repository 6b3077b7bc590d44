// Any bytes as a DCEP message: no crash, and what parses as an OPEN without protocol is written back the same but for
// the priority, which is not kept.
#include "base/check.h"
#include "media/sctp_dcep.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atrium;
  using namespace atrium::media;
  const auto parsed = parse_dcep(ByteView(data, size));
  if (!parsed || !std::holds_alternative<DcepOpen>(*parsed)) return 0;
  const auto& open = std::get<DcepOpen>(*parsed);
  const auto again = MUST(parse_dcep(write_dcep(open)));
  const auto& back = std::get<DcepOpen>(again);
  CHECK(back.label == open.label && back.reliability == open.reliability);
  CHECK(back.is_unordered == open.is_unordered);
  CHECK(back.reliability_parameter == open.reliability_parameter);
  (void)data_label(open.label);
  return 0;
}
