// Action sequences against one SRTP pair: raw bytes, honest packets, flipped honest packets, replays.
// Holds: nothing crashes; an honest fresh packet opens to what was sealed; a flipped or repeated one never opens.
#include <algorithm>
#include <array>

#include "base/check.h"
#include "media/srtp.h"

namespace {

using namespace atrium;
using namespace atrium::media;

struct Pair {
  SrtpOutbound outbound;
  SrtpInbound inbound;
  uint64_t ext_seq = 60'000;
};

Pair make_pair_of(SrtpProfile profile) {
  SrtpMaster master;
  master.key.fill(0x5a);
  master.salt.fill(0xc3);
  return {MUST(SrtpOutbound::create(profile, master)), MUST(SrtpInbound::create(profile, master))};
}

void feed_raw(Pair& pair, ByteView chunk, size_t header_length) {
  Bytes packet(chunk.begin(), chunk.end());
  size_t size = 0;
  if (pair.inbound.unprotect_rtp(packet, header_length, size) == SrtpVerdict::Ok)
    CHECK(size <= packet.size());
  packet.assign(chunk.begin(), chunk.end());
  if (pair.inbound.unprotect_rtcp(packet, size) == SrtpVerdict::Ok) CHECK(size <= packet.size());
}

void round_trip_rtp(Pair& pair, ByteView payload, uint8_t step, uint8_t flip) {
  pair.ext_seq += 1 + step % 64;
  const auto seq = static_cast<uint16_t>(pair.ext_seq);
  std::array<uint8_t, 12> header{0x80, 96, static_cast<uint8_t>(seq >> 8),
                                 static_cast<uint8_t>(seq)};
  Bytes out(12 + payload.size() + kSrtpOverheadMax);
  out.resize(MUST(pair.outbound.protect_rtp(header, payload, pair.ext_seq, out)));
  Bytes copy = out;
  size_t size = 0;
  if (flip != 0) {
    // Flips in the SSRC are left out: they would name a new stream, whose first index is taken as it stands.
    copy[copy.size() - 1 - (step % (copy.size() - 12))] ^= flip;
    CHECK(pair.inbound.unprotect_rtp(copy, 12, size) == SrtpVerdict::AuthFailed);
    return;
  }
  CHECK(pair.inbound.unprotect_rtp(copy, 12, size) == SrtpVerdict::Ok);
  CHECK(size == 12 + payload.size() &&
        std::equal(payload.begin(), payload.end(), copy.begin() + 12));
  CHECK(pair.inbound.unprotect_rtp(out, 12, size) == SrtpVerdict::Replayed);
  CHECK(!pair.outbound.protect_rtp(header, payload, pair.ext_seq, out));
}

void round_trip_rtcp(Pair& pair, ByteView body) {
  Bytes compound{0x80, 201, 0, 1, 0, 0, 0, 1};
  compound.insert(compound.end(), body.begin(), body.end());
  Bytes out(compound.size() + kSrtcpOverheadMax);
  out.resize(MUST(pair.outbound.protect_rtcp(compound, out)));
  size_t size = 0;
  CHECK(pair.inbound.unprotect_rtcp(out, size) == SrtpVerdict::Ok);
  CHECK(size == compound.size() && std::equal(compound.begin(), compound.end(), out.begin()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ByteReader reader(ByteView(data, size));
  const auto profile = reader.u8();
  if (!profile) return 0;
  Pair pair = make_pair_of(static_cast<SrtpProfile>(*profile % 3));
  while (true) {
    const auto action = reader.u8();
    const auto argument = reader.u8();
    const auto length = reader.u8();
    if (!action || !argument || !length) return 0;
    const ByteView chunk = reader.rest().first(std::min<size_t>(*length, reader.remaining()));
    (void)reader.skip(chunk.size());
    switch (*action % 4) {
      case 0: feed_raw(pair, chunk, *argument); break;
      case 1: round_trip_rtp(pair, chunk, *argument, 0); break;
      case 2:
        round_trip_rtp(pair, chunk, *argument, static_cast<uint8_t>(1 + *argument % 255));
        break;
      case 3: round_trip_rtcp(pair, chunk); break;
    }
  }
}
