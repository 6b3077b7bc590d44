// Action sequences against one handshake: datagrams delivered, lost, doubled, swapped, bent or made up, and time.
// Holds: nothing crashes; neither end is ever Connected with keys that differ from the other's.
#include <algorithm>
#include <vector>

#include "base/check.h"
#include "media/dtls.h"

namespace {

using namespace atrium;
using namespace atrium::media;

const std::shared_ptr<const CertificateKey>& certificate() {
  static const auto made = make_certificate();
  return made;
}

struct World {
  Now now{.mono = Mono(std::chrono::seconds(1)), .wall = {}};
  Dtls client, server;
  std::vector<Bytes> to_server{}, to_client{};

  void collect() {
    std::ranges::move(client.take_datagrams(), std::back_inserter(to_server));
    std::ranges::move(server.take_datagrams(), std::back_inserter(to_client));
    if (to_server.size() > 256) to_server.clear();
    if (to_client.size() > 256) to_client.clear();
    client.take_application(), server.take_application();
  }
  void deliver(bool up, size_t which, size_t flip_at, uint8_t flip) {
    auto& queue = up ? to_server : to_client;
    if (queue.empty()) return;
    const auto at = queue.begin() + static_cast<std::ptrdiff_t>(which % queue.size());
    Bytes datagram = std::move(*at);
    queue.erase(at);
    datagram[flip_at % datagram.size()] ^= flip;
    (up ? server : client).on_datagram(datagram, now);
  }
};

Dtls make(DtlsRole role, Now now) {
  return MUST(Dtls::create(
      {.certificate = certificate(), .role = role, .remote = fingerprint(*certificate())}, now));
}

void check_keys_agree(const World& world) {
  if (world.client.state() != DtlsState::Connected || world.server.state() != DtlsState::Connected)
    return;
  const SrtpKeys a = MUST(world.client.export_srtp());
  const SrtpKeys b = MUST(world.server.export_srtp());
  CHECK(a.profile == b.profile && a.client.key == b.client.key && a.server.key == b.server.key);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ByteReader reader(ByteView(data, size));
  Now start{.mono = Mono(std::chrono::seconds(1)), .wall = {}};
  World world{.client = make(DtlsRole::Client, start), .server = make(DtlsRole::Server, start)};
  for (int steps = 0; steps < 200; ++steps) {
    world.collect();
    const auto action = reader.u8();
    const auto argument = reader.u8();
    if (!action || !argument) break;
    const bool up = (*action & 0x80) != 0;
    switch (*action % 6) {
      case 0:
      case 1: world.deliver(up, 0, 0, 0); break;
      case 2: world.deliver(up, *argument, 0, 0); break;
      case 3: world.deliver(up, 0, *argument, static_cast<uint8_t>(1 << (*argument % 8))); break;
      case 4: {
        const ByteView raw = reader.rest().first(std::min<size_t>(*argument, reader.remaining()));
        (void)reader.skip(raw.size());
        (up ? world.server : world.client).on_datagram(raw, world.now);
        break;
      }
      case 5:
        world.now.mono += std::chrono::milliseconds(*argument * 4);
        world.client.on_deadline(world.now), world.server.on_deadline(world.now);
        break;
    }
  }
  check_keys_agree(world);
  return 0;
}
