// ScriptedSctpPeer: a peer made by hand, for tests and fuzzers: it says what usrsctp never would.  It answers an
// INIT,
// acknowledges DATA in order, and sends whatever chunks it is asked for.  RFC 9260, 6525 (resets).  Not in the
// daemon.
#pragma once

#include <algorithm>
#include <vector>

#include "base/bytes.h"

namespace atrium::media {

class ScriptedSctpPeer {
 public:
  struct Data {
    uint16_t stream = 0;
    uint32_t ppid = 0;
    Bytes payload;
  };

  // One packet of the world's; yields the answers.
  std::vector<Bytes> on_packet(ByteView packet) {
    std::vector<Bytes> answers;
    if (packet.size() < 12) return answers;
    for (size_t at = 12; at + 4 <= packet.size();) {
      const size_t length = MUST(ByteReader(packet.subspan(at + 2)).u16());
      if (length < 4 || at + length > packet.size()) break;
      on_chunk(packet[at], packet.subspan(at + 4, length - 4), answers);
      at += (length + 3) / 4 * 4;
    }
    return answers;
  }
  bool is_up() const { return is_up_; }
  const std::vector<Data>& received() const { return received_; }

  // A message in fragments of at most 1,000 bytes, one packet each.
  std::vector<Bytes> message(uint16_t stream, uint32_t ppid, ByteView payload) {
    std::vector<Bytes> packets;
    size_t at = 0;
    do {
      const size_t count = std::min<size_t>(1'000, payload.size() - at);
      const bool is_first = at == 0, is_last = at + count == payload.size();
      packets.push_back(data(stream, ppid, payload.subspan(at, count), is_first, is_last));
      at += count;
    } while (at < payload.size());
    ++next_ssn_[stream % next_ssn_.size()];
    return packets;
  }
  Bytes data(uint16_t stream, uint32_t ppid, ByteView payload, bool is_first, bool is_last) {
    Bytes body(12 + payload.size());
    ByteWriter writer(body);
    writer.u32(next_tsn_++), writer.u16(stream), writer.u16(next_ssn_[stream % next_ssn_.size()]);
    writer.u32(ppid), writer.bytes(payload);
    return packet(chunk(0, static_cast<uint8_t>((is_first ? 2 : 0) | (is_last ? 1 : 0)), body));
  }
  // RFC 6525 section 4.1: an outgoing SSN reset request.
  Bytes reset(uint16_t stream) {
    Bytes body(18);
    ByteWriter writer(body);
    writer.u16(13), writer.u16(18), writer.u32(next_request_++), writer.u32(peer_tsn_ - 1);
    writer.u32(next_tsn_ - 1), writer.u16(stream);
    next_ssn_[stream % next_ssn_.size()] = 0;
    return packet(chunk(130, 0, body));
  }
  // Fragments of a message that never ends.
  std::vector<Bytes> unfinished(uint16_t stream, uint32_t ppid, ByteView payload) {
    std::vector<Bytes> packets = message(stream, ppid, payload);
    Bytes& last = packets.back();
    last = packet(chunk(0, last.at(13) & 2, ByteView(last).subspan(16)));
    return packets;
  }
  // RFC 3758 section 3.2: gives up the last message of this stream, whose next fragment was lost on the way.
  Bytes forward(uint16_t stream) {
    Bytes body(8);
    ByteWriter writer(body);
    writer.u32(next_tsn_++), writer.u16(stream);
    writer.u16(static_cast<uint16_t>(next_ssn_[stream % next_ssn_.size()] - 1));
    return packet(chunk(192, 0, body));
  }
  Bytes abort() { return packet(chunk(6, 0, {})); }

  static Bytes chunk(uint8_t type, uint8_t flags, ByteView body) {
    Bytes out((4 + body.size() + 3) / 4 * 4);
    ByteWriter writer(out);
    writer.u8(type), writer.u8(flags), writer.u16(static_cast<uint16_t>(4 + body.size()));
    writer.bytes(body);
    return out;
  }
  // Common header, verification tag and checksum around any chunks.
  Bytes packet(ByteView chunks) const {
    Bytes out(12 + chunks.size());
    ByteWriter writer(out);
    writer.u16(5'000), writer.u16(5'000), writer.u32(peer_tag_), writer.u32(0),
        writer.bytes(chunks);
    const uint32_t crc = crc32c(out);
    for (size_t i = 0; i < 4; ++i) out[8 + i] = static_cast<uint8_t>(crc >> (8 * i));
    return out;
  }

 private:
  static uint32_t crc32c(ByteView bytes) {
    uint32_t crc = 0xffff'ffff;
    for (uint8_t byte : bytes) {
      crc ^= byte;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0x82f6'3b78 & (0 - (crc & 1)));
    }
    return ~crc;
  }
  void on_chunk(uint8_t type, ByteView body, std::vector<Bytes>& answers) {
    ByteReader reader(body);
    switch (type) {
      case 0: return on_data(reader, answers);
      case 1: return on_init(reader, answers);
      case 10: answers.push_back(packet(chunk(11, 0, {}))), is_up_ = true; return;  // COOKIE ECHO
      default: return;
    }
  }
  void on_init(ByteReader& reader, std::vector<Bytes>& answers) {
    peer_tag_ = MUST(reader.u32());
    MUST(reader.skip(8));
    peer_tsn_ = MUST(reader.u32());
    Bytes body(16 + 8 + 8 + 4);
    ByteWriter writer(body);
    writer.u32(0x0000'5eed), writer.u32(1'000'000), writer.u16(256), writer.u16(256),
        writer.u32(next_tsn_);
    writer.u16(7), writer.u16(8), writer.u32(0xc00c1e00);  // state cookie
    writer.u16(0x8008), writer.u16(6), writer.u8(130), writer.u8(192),
        writer.u16(0);  // RE-CONFIG, FORWARD-TSN
    writer.u16(0xc000), writer.u16(4);
    answers.push_back(packet(chunk(2, 0, body)));
  }
  void on_data(ByteReader& reader, std::vector<Bytes>& answers) {
    const uint32_t tsn = MUST(reader.u32());
    Data data;
    data.stream = MUST(reader.u16());
    MUST(reader.skip(2));
    data.ppid = MUST(reader.u32());
    data.payload.assign(reader.rest().begin(), reader.rest().end());
    if (tsn == peer_tsn_) ++peer_tsn_, received_.push_back(std::move(data));
    Bytes body(12);
    ByteWriter writer(body);
    writer.u32(peer_tsn_ - 1), writer.u32(1'000'000), writer.u32(0);
    answers.push_back(packet(chunk(3, 0, body)));
  }

  bool is_up_ = false;
  uint32_t peer_tag_ = 0, peer_tsn_ = 0;
  uint32_t next_tsn_ = 100, next_request_ = 100;  // RFC 6525: requests count from the initial TSN
  std::array<uint16_t, 256> next_ssn_{};
  std::vector<Data> received_;
};

}  // namespace atrium::media
