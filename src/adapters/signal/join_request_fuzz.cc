// Any request-target: the first byte chooses how the rest is wrapped, so that the inner layers are reached too.
#include <cstdint>
#include <string>

#include "adapters/signal/join_request.h"
#include "base/check.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "livekit_signal.pb.h"

using namespace atrium;

namespace {

void try_target(const std::string& text) {
  const auto target = signal::parse_target(text);
  if (!target) return;
  CHECK(!(target->has_bad_prefix && target->path_room));
  signal::presented_token(*target, text);
  const auto parameters = signal::parse_join_parameters(*target);
  if (!parameters) return;
  CHECK(!parameters->is_reconnect || !parameters->participant.empty());
  CHECK(parameters->add_tracks.size() <= limits::kTracksPerParticipantMax);
  signal::make_joiner(signal::VerifiedToken{}, *parameters);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 3 == 0) {
    try_target(rest);
    return 0;
  }
  signal::pb::WrappedJoinRequest wrapped;
  wrapped.set_compression(data[0] % 3 == 1 ? signal::pb::WrappedJoinRequest::NONE
                                           : signal::pb::WrappedJoinRequest::GZIP);
  wrapped.set_join_request(rest);
  try_target("/rtc/v1?join_request=" + base64url(as_bytes(wrapped.SerializeAsString())));
  return 0;
}
