// EngineCounters: what one shard did, as plain numbers.  Owner: Engine.  Thread: its shard; control copies a
// snapshot.
// Every packet that goes no further has a DropReason, and every DropReason is a counter with the same name.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace atrium::media {

// X(name, when)
#define ATRIUM_DROP_REASONS(X)                                                                    \
  X(DatagramEmpty, "no byte to tell the protocol by")                                             \
  X(DatagramTooLong, "longer than kDatagramBytesMax")                                             \
  X(SocketQueueFull, "came faster than the shard reads")                                          \
  X(SocketNoAddress, "came without the address that it was sent to")                              \
  X(SocketSendFull, "the socket stayed full for kUdpSendWaitMs")                                  \
  X(SocketSendRefused, "no route, no permission, address gone")                                   \
  X(UnknownProtocol, "first byte outside the ranges of RFC 7983")                                 \
  X(UnknownTuple, "DTLS or SRTP from a five-tuple without an authenticated binding request")      \
  X(TransportCut, "media or data of a transport or life that is cut")                             \
  X(PathNotAdmitted, "media or a message while control decides about the peer's address")         \
  X(TransportClosing, "anything for a transport that is being torn down")                         \
  X(StunMalformed, "does not parse, or its fingerprint is wrong")                                 \
  X(StunUnexpected, "a method, class or transaction that we did not ask for")                     \
  X(StunUnknownUfrag, "USERNAME names no transport")                                              \
  X(StunBadIntegrity, "MESSAGE-INTEGRITY missing or made with another password")                  \
  X(StunRoleConflict, "the peer believes to be controlled; answered with 487")                    \
  X(TupleTaken, "authenticated, but the five-tuple belongs to another live transport")            \
  X(DtlsQueueFull, "kDtlsQueueMax handshake datagrams are waiting already")                       \
  X(DtlsFailed, "the association refused the record or has failed before")                        \
  X(DtlsOutgoingFull, "kDtlsOutgoingMax datagrams of one association are waiting already")        \
  X(DtlsApplicationFull, "kDtlsApplicationMax decrypted records are waiting already")             \
  X(DtlsAfterEnd, "a record for an association that has failed or was closed")                    \
  X(DtlsShortRecord, "a sealed record without room for its nonce and tag")                        \
  X(SctpUnknownTransport, "an SCTP packet or message for a transport that is gone or not up")     \
  X(SctpRingFull, "SCTP packet, lossy message or one too many; the ring to or from SCTP is full") \
  X(SctpMalformed, "ports, checksum, DCEP or a message that is not whole, or a stream opened twice") \
  X(SctpReassemblyFull, "kSctpReassemblyBytesMax of one association")                             \
  X(SctpQueueFull, "kSctpSendQueueBytesMax of one association")                                   \
  X(SctpFailed, "an association that could not be made, or a message refused for good")           \
  X(ReportRingFull, "a report that control will never hear: a bug if not 0")                      \
  X(SrtpNoKeys, "SRTP before the DTLS handshake ended")                                           \
  X(SrtpRefused, "authentication tag wrong, or index replayed or too old")                        \
  X(RtpMalformed, "header, extension or padding does not parse")                                  \
  X(RtpUnknownStream, "SSRC, MID and RID name no uplink")                                         \
  X(RtpUnknownPayloadType, "a payload type that the section did not negotiate")                   \
  X(SsrcTableFull, "kUplinkSsrcsMax streams are latched already")                                 \
  X(RelatchTooSoon, "a stream took another SSRC less than kRelatchIntervalMs ago")                \
  X(RtpDuplicate, "the same sequence number again")                                               \
  X(RtpTooOld, "older than the history reaches")                                                  \
  X(PaddingOnly, "no payload: a probe for bandwidth")                                             \
  X(RtxPadding, "retransmission without original packet: a probe for bandwidth")                  \
  X(RtxUnknownStream, "retransmission of a stream that is not latched")                           \
  X(UplinkMuted, "the publisher muted this track")                                                \
  X(NoForwarder, "nobody subscribes to the track")                                                \
  X(RtcpMalformed, "does not parse")                                                              \
  X(RtcpUnknownSsrc, "feedback about a stream that we do not send")                               \
  X(PacerFull, "kForwardQueueMax packets are waiting already")                                    \
  X(HistoryOverrun, "overwritten before its turn came")                                           \
  X(SubscriberNotReady, "the subscriber's transport is not up, or cut")                           \
  X(ForwardPaused, "the subscription is paused")                                                  \
  X(WaitingForKeyFrame, "a video downlink starts at a key frame only")                            \
  X(LayerNotSelected, "another simulcast layer is being forwarded")                               \
  X(BeforeStart, "older than the packet at which this downlink started or switched")              \
  X(EncryptFailed, "refused by the SRTP context: index used before, or the packet is too long")   \
  X(OutputFull, "kControlBytesMax or the turn's arena is used up")                                \
  X(NackUnknownSeq, "asked for a sequence number that was never sent, or is forgotten")           \
  X(NackNoRtx, "asked for a repeat on a downlink without retransmission stream")                  \
  X(NackTooSoon, "repeated within kRetransmitSpacingMs already")                                  \
  X(RepeatsFull, "kRepeatsQueuedMax repeats of this subscriber are waiting already")              \
  X(DataMalformed, "a data message that is no DataPacket")                                        \
  X(DataTooLarge, "a data message longer than kDataMessageBytesMax")                              \
  X(DataNotPermitted, "the sender may not publish data")                                          \
  X(DataReservedTopic, "a topic that begins with atrium. and is not the client's to use")         \
  X(TokenTooSoon, "a token less than kTokenMessageIntervalMs after the last")                     \
  X(DataNoChannel, "the recipient's channel is not open")                                         \
  X(ForwardSsrcReused, "AddForward with an SSRC already used under this transport's keys")        \
  X(LifeIsCut, "OpenTransport, AddUplink or AddForward for a life or transport that is cut")      \
  X(CommandUnknownTarget, "a command for a transport, track or forward that is gone")

enum class DropReason : uint8_t {
#define X(name, when) name,
  ATRIUM_DROP_REASONS(X)
#undef X
      Count
};

inline constexpr size_t kDropReasons = static_cast<size_t>(DropReason::Count);

const char* name(DropReason reason);         // "WaitingForKeyFrame"
const char* description(DropReason reason);  // one line for an operator

struct EngineCounters {
  uint64_t datagrams_in = 0, bytes_in = 0;
  uint64_t datagrams_out = 0, bytes_out = 0;
  uint64_t rtp_in = 0;         // authenticated
  uint64_t rtp_forwarded = 0;  // encrypted for a subscriber, retransmissions not included
  uint64_t rtcp_in = 0, rtcp_out = 0;
  uint64_t rtx_in = 0;          // unwrapped upstream retransmissions
  uint64_t rtx_out = 0;         // downstream retransmissions
  uint64_t nacks_sent = 0;      // sequence numbers asked for upstream
  uint64_t nacks_received = 0;  // sequence numbers asked for downstream
  uint64_t nacks_given_up = 0;
  uint64_t plis_sent = 0, plis_received = 0;
  uint64_t twcc_feedback_sent = 0;
  uint64_t sender_reports_sent = 0;
  uint64_t stun_in = 0, stun_out = 0;
  uint64_t dtls_handshakes = 0, dtls_failures = 0;
  uint64_t data_messages_in = 0, data_messages_out = 0;
  uint64_t packets_after_cut =
      0;  // media, retransmissions and user data of a life after its cut; 0 or a bug
  uint64_t transports = 0, lives = 0, tracks = 0, forwarders = 0;  // gauges
  std::array<uint64_t, kDropReasons> drops{};

  void drop(DropReason reason) { ++drops[static_cast<size_t>(reason)]; }
  void drop(DropReason reason, uint64_t count) { drops[static_cast<size_t>(reason)] += count; }
  uint64_t dropped(DropReason reason) const { return drops[static_cast<size_t>(reason)]; }
};

}  // namespace atrium::media
