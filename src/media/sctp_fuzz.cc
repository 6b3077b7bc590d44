// Action sequences of a hand-made peer against one association: data, DCEP, resets, given-up messages, any chunk, any
// packet, and time.  Holds: nothing crashes; what is counted as a message has a channel; close is answered and
// silent.
#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "base/limits.h"
#include "media/sctp.h"
#include "media/sctp_dcep.h"
#include "media/sctp_scripted_peer_testing.h"

namespace {

using namespace atrium;
using namespace atrium::media;

constexpr TransportId kTransport{3};
constexpr uint32_t kPpids[] = {
    kPpidDcep, kPpidString, kPpidBinary, kPpidStringEmpty, kPpidBinaryEmpty, 54, 0};

struct World {
  SctpWorld sctp;
  ScriptedSctpPeer peer;
  Now now{.mono = Mono(std::chrono::seconds(1)), .wall = {}};
  std::vector<Bytes> to_peer;
  bool is_closed = false;

  void collect() {
    for (SctpEvent& event : sctp.take_events()) {
      if (auto* out = std::get_if<SctpPacketOut>(&event)) {
        CHECK(!is_closed && out->packet.size() <= static_cast<size_t>(limits::kSctpPacketBytesMax));
        to_peer.push_back(std::move(out->packet));
      } else if (auto* message = std::get_if<SctpMessage>(&event)) {
        CHECK(message->message.size() <= static_cast<size_t>(limits::kDataMessageBytesMax));
      }
    }
  }
  void command(SctpCommand one) {
    sctp.on_command(std::move(one), now);
    collect();
  }
  void say(std::vector<Bytes> packets) {
    for (Bytes& packet : packets) command(SctpPacketIn{kTransport, std::move(packet)});
  }
  void answer() {
    for (int round = 0; round < 4 && !to_peer.empty(); ++round)
      for (const Bytes& packet : std::exchange(to_peer, {})) say(peer.on_packet(packet));
  }
};

void step(World& world, uint8_t action, uint8_t argument, ByteView chunk) {
  const uint16_t stream = argument % 16;
  switch (action % 8) {
    case 0: return world.say(world.peer.message(stream, kPpids[(action >> 4) % 7], chunk));
    case 1: return world.say(world.peer.unfinished(stream, kPpids[(action >> 4) % 7], chunk));
    case 2: return world.say({world.peer.reset(stream)});
    case 3: return world.say({world.peer.forward(stream)});
    case 4:
      return world.say({world.peer.packet(ScriptedSctpPeer::chunk(argument, action >> 4, chunk))});
    case 5: return world.command(SctpPacketIn{kTransport, Bytes(chunk.begin(), chunk.end())});
    case 6:
      world.now.mono += std::chrono::milliseconds(argument * 4);
      world.sctp.on_deadline(world.now);
      return world.collect();
    case 7: {
      const auto label = (action & 0x80) != 0 ? DataLabel::Lossy : DataLabel::Reliable;
      return world.command(SctpSend{kTransport, label, Bytes(argument * 64), (action & 0x40) != 0});
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  World world;
  world.command(SctpOpen{kTransport, false});
  for (int n = 0; n < 100 && !world.peer.is_up(); ++n) {  // the peer does not begin, so we do at last
    world.now.mono += std::chrono::milliseconds(10);
    world.sctp.on_deadline(world.now);
    world.collect();
    world.answer();
  }
  CHECK(world.peer.is_up());
  ByteReader reader(ByteView(data, size));
  for (int steps = 0; steps < 100; ++steps) {
    const auto action = reader.u8();
    const auto argument = reader.u8();
    const auto length = reader.u8();
    if (!action || !argument || !length) break;
    const ByteView chunk = reader.rest().first(std::min<size_t>(*length, reader.remaining()));
    (void)reader.skip(chunk.size());
    step(world, *action, *argument, chunk);
    world.answer();
  }
  world.to_peer.clear();
  world.is_closed = true;
  world.command(SctpClose{kTransport});
  CHECK(world.sctp.associations() == 0);
  return 0;
}
