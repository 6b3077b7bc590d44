// Any frame: decoded without harm, within the lists' bounds, and every answer that it leads to may be sent.
#include <cstdint>
#include <string_view>

#include "adapters/signal/decode.h"
#include "adapters/signal/serialiser.h"
#include "base/check.h"
#include "base/limits.h"

using namespace atrium;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto message = signal::decode_client_message({reinterpret_cast<const char*>(data), size},
                                                     ParticipantSid("PA_0123456789abcdefg"));
  if (!message) return 0;
  signal::Serialiser serialiser{signal::ServerInfo{}};
  if (const auto* refused = std::get_if<signal::Refused>(&*message))
    serialiser.request_response(refused->answer);
  if (const auto* unsupported = std::get_if<signal::Unsupported>(&*message))
    serialiser.unsupported(*unsupported);
  if (const auto* update = std::get_if<domain::UpdateSubscription>(&*message)) {
    CHECK(update->tracks.size() <= limits::kTracksPerRoomMax);
    for (const TrackSid& track : update->tracks) serialiser.subscription_response(track);
  }
  if (const auto* add = std::get_if<domain::AddTrack>(&*message)) {
    domain::TrackView track = add->track;
    CHECK(signal::layer_rids(track).size() <= limits::kLayersMax);
    track.sid = TrackSid("TR_0123456789abcdefg");
    serialiser.track_published(track);
  }
  CHECK(serialiser.refused() == 0);
  return 0;
}
