// RTCP: compound iteration, parsers and writers.  RFC 3550 §6 (SR, RR, SDES, BYE), RFC 4585 (NACK, PLI), RFC 5104
// (FIR), REMB (draft-alvestrand-rmcat-remb) and transport-wide feedback
// (draft-holmer-rmcat-transport-wide-cc-extensions-01). Views into the caller's bytes, no heap, work bounded by
// the bytes given.  Reduced-size packets (RFC 5506) are sound.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace atrium::wire {

enum class RtcpType : uint8_t {
  SenderReport = 200,
  ReceiverReport = 201,
  SourceDescription = 202,
  Bye = 203,
  Application = 204,
  TransportFeedback = 205,  // RTPFB
  PayloadFeedback = 206,    // PSFB
  ExtendedReport = 207,
};
// FMT values of RTPFB and PSFB.
inline constexpr uint8_t kFormatNack = 1;
inline constexpr uint8_t kFormatTransportCc = 15;
inline constexpr uint8_t kFormatPli = 1;
inline constexpr uint8_t kFormatFir = 4;
inline constexpr uint8_t kFormatApplication = 15;  // REMB

// One packet of a compound.
struct RtcpPacketView {
  RtcpType type = RtcpType::SenderReport;  // as on the wire: may be a value that has no name here
  uint8_t count = 0;                       // RC, SC or FMT
  ByteView body;                           // behind the four header bytes, padding removed
  bool is_transport_feedback(uint8_t format) const {
    return type == RtcpType::TransportFeedback && count == format;
  }
  bool is_payload_feedback(uint8_t format) const {
    return type == RtcpType::PayloadFeedback && count == format;
  }
};

// All headers are checked when it is made: a compound is taken whole or not at all.
class RtcpReader {
 public:
  static Result<RtcpReader> create(ByteView compound);
  std::optional<RtcpPacketView> next();

 private:
  explicit RtcpReader(ByteView compound) : reader_(compound) {}
  ByteReader reader_;
};

// --- reports -------------------------------------------------------------------------------------
struct ReportBlock {
  uint32_t ssrc = 0;
  uint8_t fraction_lost = 0;         // of 256, since the previous report
  int32_t cumulative_lost = 0;       // 24 bits signed on the wire, clamped when written
  uint32_t highest_ext_seq = 0;      // cycles and sequence number
  uint32_t jitter = 0;               // in timestamp units
  uint32_t last_sr = 0;              // middle 32 bits of the SR's NTP time; 0 = none
  uint32_t delay_since_last_sr = 0;  // 1/65536 s
};

// Blocks of a report, without copying.
class ReportBlocks {
 public:
  ReportBlocks() = default;
  explicit ReportBlocks(ByteView bytes) : bytes_(bytes) {}
  size_t size() const { return bytes_.size() / 24; }
  ReportBlock operator[](size_t index) const;  // index < size()

 private:
  ByteView bytes_;
};

struct SenderInfo {
  uint32_t ssrc = 0;
  uint64_t ntp_time = 0;  // RFC 3550 §4: 32.32 fixed point, seconds since 1900
  uint32_t rtp_timestamp = 0;
  uint32_t packet_count = 0;
  uint32_t octet_count = 0;
};
struct SenderReportView {
  SenderInfo sender;
  ReportBlocks blocks;
};
struct ReceiverReportView {
  uint32_t ssrc = 0;
  ReportBlocks blocks;
};

// Each takes a packet of its own type; a packet of another is Unsupported.
Result<SenderReportView> parse_sender_report(const RtcpPacketView& packet);
Result<ReceiverReportView> parse_receiver_report(const RtcpPacketView& packet);

// RFC 3550 §4 from microseconds since 1970; and the middle 32 bits that LSR carries.
uint64_t ntp_from_unix_us(int64_t unix_us);
constexpr uint32_t middle_ntp(uint64_t ntp_time) {
  return static_cast<uint32_t>(ntp_time >> 16);
}

// --- SDES, BYE -----------------------------------------------------------------------------------
struct SdesCname {
  uint32_t ssrc = 0;
  std::string_view cname;
};
// The CNAME items of all chunks, in order.
class SdesReader {
 public:
  // Walks the packet once; Malformed when a chunk or an item runs over the end.
  static Result<SdesReader> create(const RtcpPacketView& packet);
  std::optional<SdesCname> next();

 private:
  SdesReader(ByteView body, uint8_t chunks) : reader_(body), chunks_left_(chunks) {}
  Result<std::optional<SdesCname>> next_chunk();
  ByteReader reader_;
  uint8_t chunks_left_;
};

struct ByeView {
  ByteView ssrcs;
  std::string_view reason;
  size_t size() const { return ssrcs.size() / 4; }
  uint32_t ssrc(size_t index) const;  // index < size()
};
Result<ByeView> parse_bye(const RtcpPacketView& packet);

// --- feedback ------------------------------------------------------------------------------------
// Generic NACK.  Sequence numbers in the order of the packet; a sender may name one twice.
class NackView {
 public:
  static Result<NackView> create(const RtcpPacketView& packet);
  uint32_t sender_ssrc = 0, media_ssrc = 0;
  std::optional<uint16_t> next_seq();

 private:
  explicit NackView(ByteView items) : reader_(items) {}
  ByteReader reader_;
  uint16_t pid_ = 0, blp_ = 0;
  uint8_t bit_ = 16;  // next bit of blp_ to look at; 16 = take the next item
};
// Fills `out`, yields how many; what does not fit is left.
size_t expand_nack(NackView nack, std::span<uint16_t> out);

struct PliView {
  uint32_t sender_ssrc = 0, media_ssrc = 0;
};
Result<PliView> parse_pli(const RtcpPacketView& packet);

struct FirEntry {
  uint32_t ssrc = 0;
  uint8_t command_seq = 0;
};
struct FirView {
  uint32_t sender_ssrc = 0;
  ByteView entries;
  size_t size() const { return entries.size() / 8; }
  FirEntry operator[](size_t index) const;  // index < size()
};
Result<FirView> parse_fir(const RtcpPacketView& packet);

struct RembView {
  uint32_t sender_ssrc = 0;
  uint64_t bitrate_bps = 0;  // saturates at 2^63 - 1
  ByteView ssrcs;
  size_t size() const { return ssrcs.size() / 4; }
  uint32_t ssrc(size_t index) const;  // index < size()
};
// Unsupported for application feedback that is not REMB.
Result<RembView> parse_remb(const RtcpPacketView& packet);

// --- transport-wide feedback ---------------------------------------------------------------------
inline constexpr int64_t kTwccTickUs = 250;
inline constexpr int64_t kTwccReferenceUs = 64'000;
inline constexpr size_t kTwccFeedbackBytesMin =
    48;  // five runs of lost packets, then seven large deltas

struct TwccPacket {
  uint16_t transport_seq = 0;
  int64_t arrival_us = 0;  // in the receiver's clock: reference time and deltas added up
};
// Yields the packets that arrived, in order of sequence; those between base_seq and base_seq + status_count - 1
// that are not yielded were not received.  Chunks of lost packets cost nothing to pass over.
class TwccView {
 public:
  // Checks that chunks cover status_count and that every delta is there.
  static Result<TwccView> create(const RtcpPacketView& packet);
  uint32_t sender_ssrc = 0, media_ssrc = 0;
  uint16_t base_seq = 0;
  uint16_t status_count = 0;
  int32_t reference_time = 0;  // signed 24 bits, units of 64 ms
  uint8_t feedback_count = 0;
  std::optional<TwccPacket> next_received();

 private:
  TwccView() : chunks_({}), deltas_({}) {}
  Result<void> check_coverage(ByteView rest);
  Result<uint8_t> next_symbol();  // 0 lost, 1 small, 2 large; 3 is refused

  ByteReader chunks_, deltas_;
  uint16_t chunk_ = 0;
  uint16_t chunk_left_ = 0;  // symbols of chunk_ not yet taken
  uint32_t position_ = 0;    // statuses passed since base_seq
  int64_t arrival_us_ = 0;
};

struct TwccArrival {
  uint64_t ext_seq = 0;    // strictly increasing along the span
  int64_t arrival_us = 0;  // receiver's mono clock; may go backwards when packets were reordered
};
struct TwccFeedback {
  uint32_t sender_ssrc = 0, media_ssrc = 0;
  uint64_t base_ext_seq =
      0;  // at most arrivals.front().ext_seq; packets in between are reported lost
  uint8_t feedback_count = 0;
};

// --- writers -------------------------------------------------------------------------------------
// Each appends one packet; room is checked by the ByteWriter (`ok()` turns false).
void write_sender_report(ByteWriter& out, const SenderInfo& sender,
                         std::span<const ReportBlock> blocks);  // ≤ 31
void write_receiver_report(ByteWriter& out, uint32_t ssrc,
                           std::span<const ReportBlock> blocks);  // ≤ 31
void write_sdes_cname(ByteWriter& out, uint32_t ssrc,
                      std::string_view cname);  // ≤ 255 bytes, cut beyond
void write_bye(ByteWriter& out, uint32_t ssrc);
// `seqs` in ascending order modulo 2^16.  Yields how many of them were written: fewer where the room did not suffice.
size_t write_nack(ByteWriter& out, uint32_t sender_ssrc, uint32_t media_ssrc,
                  std::span<const uint16_t> seqs);
void write_pli(ByteWriter& out, uint32_t sender_ssrc, uint32_t media_ssrc);
void write_fir(ByteWriter& out, uint32_t sender_ssrc, FirEntry entry);
void write_remb(ByteWriter& out, uint32_t sender_ssrc, uint64_t bitrate_bps,
                std::span<const uint32_t> ssrcs);  // ≤ 255
// `base_ext_seq` is moved up to at most 32,767 before the first arrival.  Yields how many arrivals the packet
// covers: at least one where kTwccFeedbackBytesMin are free.  It ends early before a delta beyond ±8.19 s, before
// status 65,535 and where the room ends; the caller sends the rest in a further packet whose base is the next
// arrival.  0 = nothing written.
size_t write_twcc_feedback(ByteWriter& out, const TwccFeedback& feedback,
                           std::span<const TwccArrival> arrivals);

}  // namespace atrium::wire
