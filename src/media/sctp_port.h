// What crosses between a shard (which keeps DTLS) and the sctp thread (which keeps usrsctp).  Values only.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/shared_bytes.h"

namespace atrium::media {

enum class DropReason : uint8_t;  // engine_counters.h

// --- shard → sctp --------------------------------------------------------------------------------------------------
// DTLS is up; stream parity follows the role (RFC 8832).
struct SctpOpen {
  TransportId transport;
  bool is_dtls_client = false;
};
struct SctpPacketIn {
  TransportId transport;
  Bytes packet;
};  // decrypted DTLS application data
enum class DataLabel : uint8_t { Reliable, Lossy, Other };
struct SctpSend {
  TransportId transport;
  DataLabel label = DataLabel::Reliable;
  SharedBytes message;
  bool is_notice = false;     // asks for SctpNoticeDone once everything sent so far is acknowledged
  bool is_user_data = false;  // another client's or a backend's words: ends with the cut
};
struct SctpClose {
  TransportId transport;
};  // frees the association; sends nothing (no ABORT), answered by SctpClosed
// The dialling role (src/client) opens its channels itself.
struct SctpOpenChannel {
  TransportId transport;
  DataLabel label = DataLabel::Reliable;
};
using SctpCommand = std::variant<SctpOpen, SctpPacketIn, SctpSend, SctpClose, SctpOpenChannel>;

// --- sctp → shard --------------------------------------------------------------------------------------------------
struct SctpPacketOut {
  TransportId transport;
  Bytes packet;
};  // to be sent as DTLS application data
struct SctpChannelOpen {
  TransportId transport;
  DataLabel label = DataLabel::Reliable;
  bool open = true;
};
struct SctpMessage {
  TransportId transport;
  DataLabel label = DataLabel::Reliable;
  Bytes message;
};
struct SctpNoticeDone {
  TransportId transport;
  bool acknowledged = false;
};  // false: no channel to use
struct SctpClosed {
  TransportId transport;
};
// What the sctp thread dropped since it said so last, of whatever transports.
struct SctpDropped {
  TransportId transport;  // none
  DropReason reason{};
  uint64_t count = 0;
};
using SctpEvent = std::variant<SctpPacketOut, SctpChannelOpen, SctpMessage, SctpNoticeDone,
                               SctpClosed, SctpDropped>;

}  // namespace atrium::media
