// Whatever is read can be written, and reads back as the same.
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/limits.h"
#include "wire/sdp.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto session = atrium::wire::parse_sdp(atrium::as_text({data, size}));
  if (!session) return 0;
  std::string written = atrium::wire::write_sdp(*session);
  if (static_cast<int64_t>(written.size()) > atrium::limits::kSdpBytesMax) return 0;
  auto again = atrium::wire::parse_sdp(written);
  CHECK(again.has_value());
  CHECK(*again == *session);
  return 0;
}
