// offer_bench [offers]: a browser's offer of three sends beside its receiving places, read and
// answered by a fresh session, over and over.  For callgrind, which collects inside
// measured_offer() (bench/instructions): it reads no clock.
// Exit code 1: an offer was not answered as it should be.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "base/seeded_secret_source.h"
#include "negotiation/session.h"

namespace atrium::negotiation {
namespace {

std::string chromium_offer() {
  std::ifstream file(ATRIUM_SOURCE_DIR "/src/wire/corpus/sdp/chromium_publish.sdp",
                     std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

PendingTrack track(const char* sid, Kind kind) {
  PendingTrack out;
  out.sid = TrackSid(sid);
  out.kind = kind;
  return out;
}

Session publisher(SecretSource& secrets) {
  Session session(secrets, "atrium");
  session.add_pending_track(track("TR_microphone", Kind::Audio));
  session.add_pending_track(track("TR_camera", Kind::Video));
  session.add_pending_track(track("TR_screen", Kind::Video));
  return session;
}

[[gnu::noinline]] bool measured_offer(Session& session, const std::string& offer,
                                      const LocalTransport& local) {
  const auto answer = session.on_offer(offer, 1, local);
  return answer && answer->uplinks_added.size() == 3;
}

}  // namespace
}  // namespace atrium::negotiation

int main(int argc, char** argv) {
  using namespace atrium::negotiation;
  const unsigned long offers = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100;
  const std::string offer = chromium_offer();
  const LocalTransport local{
      .ice_ufrag = "srvrufrg",
      .ice_password = "serverpasswordserverpasswd",
      .fingerprint_sha256 =
          "0B:1C:2D:3E:4F:50:61:72:83:94:A5:B6:C7:D8:E9:FA:"
          "0B:1C:2D:3E:4F:50:61:72:83:94:A5:B6:C7:D8:E9:FA",
      .candidates = {{.ip = *atrium::IpAddress::parse("192.0.2.10"), .port = 7882}}};
  atrium::SeededSecretSource secrets{1};
  for (unsigned long i = 0; i < offers; ++i) {
    Session session = publisher(secrets);
    if (!measured_offer(session, offer, local)) return 1;
  }
  std::printf("%lu offers of %zu bytes were answered\n", offers, offer.size());
  return 0;
}
