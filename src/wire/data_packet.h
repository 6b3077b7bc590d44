// DataPacket: the envelope of LiveKit data channels, read and rewritten at the protobuf wire level.  Only the
// addressees, the topic and the sender are understood; every other field, known or not, is kept byte for byte and
// in order. Does not: understand payloads, streams or RPC; check that strings are UTF-8.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace atrium::wire {

enum class DataKind : uint8_t { Reliable = 0, Lossy = 1 };

// A packet whose fields have all been walked, nested user packets included.
struct DataPacketView {
  ByteView bytes;
  DataKind kind = DataKind::Reliable;  // the deprecated field 1; the channel decides in fact
  bool has_user = false;
  bool has_destinations = false;  // any addressee list, even of an empty name: not for everybody
  std::string_view
      topic;         // of the user packet; when given several times, the last (protobuf merges)
  ByteView payload;  // of the user packet; the last
};

// Malformed: truncation, varints beyond 64 bits, tags beyond 32 bits, field number 0, groups, unknown wire types.
Result<DataPacketView> parse_data_packet(ByteView bytes);

// Whether any topic in the packet begins with `prefix`: all occurrences are looked at, since decoders differ on
// which counts.
bool topic_begins_with(const DataPacketView& packet, std::string_view prefix);

// Addressees in order: outer destination_identities, then of each user packet its identities and sids.  A sender
// may name somebody many times: the caller delivers once to each.
class DestinationReader {
 public:
  struct Destination {
    bool is_sid = false;  // participant sid rather than identity
    std::string_view value;
  };
  explicit DestinationReader(const DataPacketView& packet);
  std::optional<Destination> next();

 private:
  ByteReader identities_;  // envelope, first pass: its own list
  ByteReader users_;       // envelope, second pass: user packets
  ByteReader user_;        // the user packet being read
};

// Copies the packet with the sender's fields replaced, in the envelope and in each user packet.  Whatever the
// client wrote there is gone; an empty identity or sid is written as absent.  `out` may not overlap the packet
// and needs rewritten_bytes_max() bytes, else LimitExceeded.
Result<ByteView> rewrite_sender(const DataPacketView& packet, std::string_view identity,
                                std::string_view participant_sid, ByteSpan out);
// An upper bound that a caller may size its buffer by.
size_t rewritten_bytes_max(const DataPacketView& packet, std::string_view identity,
                           std::string_view participant_sid);

// A message of ours without a sender, for everybody who gets it.  With `destinations`, as a client addresses it.
Bytes build_user_packet(DataKind kind, std::string_view topic, ByteView payload,
                        std::initializer_list<std::string_view> destinations = {});

}  // namespace atrium::wire
