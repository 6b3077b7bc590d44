#include "wire/rtcp.h"

#include <algorithm>
#include <limits>

namespace atrium::wire {
namespace {

constexpr size_t kBlockBytes = 24;
constexpr uint8_t kSdesEnd = 0, kSdesCname = 1;
constexpr uint32_t kRembName = 0x52454D42;  // "REMB"

// |V=2|P| count |      type     |   length in words minus one   |
Result<RtcpPacketView> take_packet(ByteReader& reader) {
  RtcpPacketView packet;
  const uint8_t first = TRY(reader.u8());
  packet.type = static_cast<RtcpType>(TRY(reader.u8()));
  const size_t words = TRY(reader.u16());
  packet.body = TRY(reader.take(words * 4));
  packet.count = first & 0x1f;
  if (first >> 6 != 2) return malformed("rtcp version");
  if ((first & 0x20) == 0) return packet;
  const size_t padding = packet.body.empty() ? 0 : packet.body.back();
  if (padding == 0 || padding > packet.body.size()) return malformed("rtcp padding");
  packet.body = packet.body.first(packet.body.size() - padding);
  return packet;
}

Result<void> expect(bool is_of_type) {
  if (!is_of_type) return fail(ErrorKind::Unsupported, "not this kind of rtcp packet");
  return {};
}

uint32_t u32_at(ByteView bytes, size_t at) {
  return MUST(ByteReader(bytes.subspan(at)).u32());
}

}  // namespace

Result<RtcpReader> RtcpReader::create(ByteView compound) {
  ByteReader walk(compound);
  if (walk.at_end()) return malformed("empty rtcp");
  while (!walk.at_end()) TRY(take_packet(walk));
  return RtcpReader(compound);
}

std::optional<RtcpPacketView> RtcpReader::next() {
  if (reader_.at_end()) return std::nullopt;
  const auto packet = take_packet(reader_);
  if (!packet) return std::nullopt;
  return *packet;
}

// --- reports -------------------------------------------------------------------------------------

ReportBlock ReportBlocks::operator[](size_t index) const {
  CHECK(index < size());
  ByteReader reader(bytes_.subspan(index * kBlockBytes, kBlockBytes));
  ReportBlock block;
  block.ssrc = MUST(reader.u32());
  block.fraction_lost = MUST(reader.u8());
  const uint32_t lost = MUST(reader.u24());
  block.cumulative_lost = static_cast<int32_t>(lost << 8) >> 8;  // sign of 24 bits
  block.highest_ext_seq = MUST(reader.u32());
  block.jitter = MUST(reader.u32());
  block.last_sr = MUST(reader.u32());
  block.delay_since_last_sr = MUST(reader.u32());
  return block;
}

Result<SenderReportView> parse_sender_report(const RtcpPacketView& packet) {
  TRY(expect(packet.type == RtcpType::SenderReport));
  ByteReader reader(packet.body);
  SenderReportView view;
  view.sender.ssrc = TRY(reader.u32());
  view.sender.ntp_time = TRY(reader.u64());
  view.sender.rtp_timestamp = TRY(reader.u32());
  view.sender.packet_count = TRY(reader.u32());
  view.sender.octet_count = TRY(reader.u32());
  view.blocks = ReportBlocks(TRY(reader.take(packet.count * kBlockBytes)));
  return view;
}

Result<ReceiverReportView> parse_receiver_report(const RtcpPacketView& packet) {
  TRY(expect(packet.type == RtcpType::ReceiverReport));
  ByteReader reader(packet.body);
  ReceiverReportView view;
  view.ssrc = TRY(reader.u32());
  view.blocks = ReportBlocks(TRY(reader.take(packet.count * kBlockBytes)));
  return view;
}

uint64_t ntp_from_unix_us(int64_t unix_us) {
  constexpr uint64_t kSecondsFrom1900To1970 = 2'208'988'800;
  const auto us = static_cast<uint64_t>(std::max<int64_t>(unix_us, 0));
  const uint64_t seconds = us / 1'000'000 + kSecondsFrom1900To1970;
  const uint64_t fraction = ((us % 1'000'000) << 32) / 1'000'000;
  return (seconds << 32) | fraction;
}

// --- SDES, BYE -----------------------------------------------------------------------------------

Result<SdesReader> SdesReader::create(const RtcpPacketView& packet) {
  TRY(expect(packet.type == RtcpType::SourceDescription));
  SdesReader walk(packet.body, packet.count);
  while (walk.chunks_left_ > 0) TRY(walk.next_chunk());
  return SdesReader(packet.body, packet.count);
}

std::optional<SdesCname> SdesReader::next() {
  while (chunks_left_ > 0) {
    const auto chunk = next_chunk();
    if (!chunk) return std::nullopt;
    if (*chunk) return **chunk;
  }
  return std::nullopt;
}

// RFC 3550 §6.5: an SSRC, items |type|length|text|, a zero byte, then padding to 32 bits.
Result<std::optional<SdesCname>> SdesReader::next_chunk() {
  --chunks_left_;
  std::optional<SdesCname> cname;
  const uint32_t ssrc = TRY(reader_.u32());
  while (true) {
    const uint8_t type = TRY(reader_.u8());
    if (type == kSdesEnd) break;
    const uint8_t length = TRY(reader_.u8());
    const ByteView text = TRY(reader_.take(length));
    if (type == kSdesCname && !cname) cname = SdesCname{ssrc, as_text(text)};
  }
  TRY(reader_.skip((4 - reader_.position() % 4) % 4));
  return cname;
}

uint32_t ByeView::ssrc(size_t index) const {
  CHECK(index < size());
  return u32_at(ssrcs, index * 4);
}

Result<ByeView> parse_bye(const RtcpPacketView& packet) {
  TRY(expect(packet.type == RtcpType::Bye));
  ByteReader reader(packet.body);
  ByeView view;
  view.ssrcs = TRY(reader.take(size_t{packet.count} * 4));
  if (reader.at_end()) return view;
  const uint8_t length = TRY(reader.u8());
  view.reason = as_text(TRY(reader.take(length)));
  return view;
}

// --- feedback ------------------------------------------------------------------------------------

Result<NackView> NackView::create(const RtcpPacketView& packet) {
  TRY(expect(packet.is_transport_feedback(kFormatNack)));
  ByteReader reader(packet.body);
  const uint32_t sender_ssrc = TRY(reader.u32());
  const uint32_t media_ssrc = TRY(reader.u32());
  if (reader.at_end() || reader.remaining() % 4 != 0) return malformed("nack items");
  NackView view(reader.rest());
  view.sender_ssrc = sender_ssrc;
  view.media_ssrc = media_ssrc;
  return view;
}

// RFC 4585 §6.2.1: PID, and a mask whose bit i (from the lowest) stands for PID + i + 1.
std::optional<uint16_t> NackView::next_seq() {
  while (bit_ < 16) {
    const uint8_t bit = bit_++;
    if ((blp_ >> bit & 1) != 0) return static_cast<uint16_t>(pid_ + bit + 1);
  }
  if (reader_.remaining() < 4) return std::nullopt;
  pid_ = MUST(reader_.u16());
  blp_ = MUST(reader_.u16());
  bit_ = 0;
  return pid_;
}

size_t expand_nack(NackView nack, std::span<uint16_t> out) {
  size_t count = 0;
  while (count < out.size()) {
    const auto seq = nack.next_seq();
    if (!seq) break;
    out[count++] = *seq;
  }
  return count;
}

Result<PliView> parse_pli(const RtcpPacketView& packet) {
  TRY(expect(packet.is_payload_feedback(kFormatPli)));
  ByteReader reader(packet.body);
  PliView view;
  view.sender_ssrc = TRY(reader.u32());
  view.media_ssrc = TRY(reader.u32());
  return view;
}

FirEntry FirView::operator[](size_t index) const {
  CHECK(index < size());
  ByteReader reader(entries.subspan(index * 8, 8));
  FirEntry entry;
  entry.ssrc = MUST(reader.u32());
  entry.command_seq = MUST(reader.u8());
  return entry;
}

Result<FirView> parse_fir(const RtcpPacketView& packet) {
  TRY(expect(packet.is_payload_feedback(kFormatFir)));
  ByteReader reader(packet.body);
  FirView view;
  view.sender_ssrc = TRY(reader.u32());
  TRY(reader.skip(4));  // media SSRC: unused, RFC 5104 §4.3.1.2
  if (reader.at_end() || reader.remaining() % 8 != 0) return malformed("fir entries");
  view.entries = reader.rest();
  return view;
}

uint32_t RembView::ssrc(size_t index) const {
  CHECK(index < size());
  return u32_at(ssrcs, index * 4);
}

// | sender SSRC | 0 | "REMB" | count (8) | exponent (6) | mantissa (18) | SSRCs …
Result<RembView> parse_remb(const RtcpPacketView& packet) {
  TRY(expect(packet.is_payload_feedback(kFormatApplication)));
  ByteReader reader(packet.body);
  RembView view;
  view.sender_ssrc = TRY(reader.u32());
  TRY(reader.skip(4));
  const uint32_t name = TRY(reader.u32());
  TRY(expect(name == kRembName));
  const size_t count = TRY(reader.u8());
  const uint32_t rate = TRY(reader.u24());
  view.ssrcs = TRY(reader.take(count * 4));
  const uint32_t exponent = rate >> 18;
  const uint64_t mantissa = rate & 0x3'ffff;
  constexpr uint64_t kHighest = std::numeric_limits<int64_t>::max();
  const bool overflows = mantissa > (kHighest >> exponent);
  view.bitrate_bps = overflows ? kHighest : mantissa << exponent;
  return view;
}

// --- writers -------------------------------------------------------------------------------------
namespace {

size_t begin_packet(ByteWriter& out, RtcpType type, size_t count) {
  const size_t begin = out.position();
  out.u8(static_cast<uint8_t>(0x80 | count));
  out.u8(static_cast<uint8_t>(type));
  out.u16(0);
  return begin;
}

// Every packet is a whole number of words here.
void end_packet(ByteWriter& out, size_t begin) {
  if (!out.ok()) return;
  DCHECK((out.position() - begin) % 4 == 0);
  out.patch_u16(begin + 2, static_cast<uint16_t>((out.position() - begin) / 4 - 1));
}

void write_block(ByteWriter& out, const ReportBlock& block) {
  constexpr int32_t kLostMax = 0x7f'ffff;
  out.u32(block.ssrc);
  out.u8(block.fraction_lost);
  out.u24(static_cast<uint32_t>(std::clamp(block.cumulative_lost, -kLostMax - 1, kLostMax)) &
          0xff'ffff);
  out.u32(block.highest_ext_seq);
  out.u32(block.jitter);
  out.u32(block.last_sr);
  out.u32(block.delay_since_last_sr);
}

std::span<const ReportBlock> at_most_31(std::span<const ReportBlock> blocks) {
  return blocks.first(std::min<size_t>(blocks.size(), 31));
}

}  // namespace

void write_sender_report(ByteWriter& out, const SenderInfo& sender,
                         std::span<const ReportBlock> blocks) {
  blocks = at_most_31(blocks);
  const size_t begin = begin_packet(out, RtcpType::SenderReport, blocks.size());
  out.u32(sender.ssrc);
  out.u64(sender.ntp_time);
  out.u32(sender.rtp_timestamp);
  out.u32(sender.packet_count);
  out.u32(sender.octet_count);
  for (const ReportBlock& block : blocks) write_block(out, block);
  end_packet(out, begin);
}

void write_receiver_report(ByteWriter& out, uint32_t ssrc, std::span<const ReportBlock> blocks) {
  blocks = at_most_31(blocks);
  const size_t begin = begin_packet(out, RtcpType::ReceiverReport, blocks.size());
  out.u32(ssrc);
  for (const ReportBlock& block : blocks) write_block(out, block);
  end_packet(out, begin);
}

void write_sdes_cname(ByteWriter& out, uint32_t ssrc, std::string_view cname) {
  cname = cname.substr(0, 255);
  const size_t begin = begin_packet(out, RtcpType::SourceDescription, 1);
  out.u32(ssrc);
  out.u8(kSdesCname);
  out.u8(static_cast<uint8_t>(cname.size()));
  out.bytes(as_bytes(cname));
  out.u8(kSdesEnd);
  out.fill(0, (4 - (out.position() - begin) % 4) % 4);
  end_packet(out, begin);
}

void write_bye(ByteWriter& out, uint32_t ssrc) {
  const size_t begin = begin_packet(out, RtcpType::Bye, 1);
  out.u32(ssrc);
  end_packet(out, begin);
}

size_t write_nack(ByteWriter& out, uint32_t sender_ssrc, uint32_t media_ssrc,
                  std::span<const uint16_t> seqs) {
  constexpr size_t kFixedBytes = 12, kItemBytes = 4;
  if (seqs.empty() || out.remaining() < kFixedBytes + kItemBytes) return 0;
  const size_t begin = begin_packet(out, RtcpType::TransportFeedback, kFormatNack);
  out.u32(sender_ssrc);
  out.u32(media_ssrc);
  size_t taken = 0;
  while (taken < seqs.size() && out.remaining() >= kItemBytes) {
    const uint16_t pid = seqs[taken++];
    uint16_t blp = 0;
    while (taken < seqs.size()) {
      const auto ahead = static_cast<uint16_t>(seqs[taken] - pid);
      if (ahead > 16) break;
      if (ahead > 0) blp = static_cast<uint16_t>(blp | 1u << (ahead - 1));
      ++taken;
    }
    out.u16(pid);
    out.u16(blp);
  }
  end_packet(out, begin);
  return taken;
}

void write_pli(ByteWriter& out, uint32_t sender_ssrc, uint32_t media_ssrc) {
  const size_t begin = begin_packet(out, RtcpType::PayloadFeedback, kFormatPli);
  out.u32(sender_ssrc);
  out.u32(media_ssrc);
  end_packet(out, begin);
}

void write_fir(ByteWriter& out, uint32_t sender_ssrc, FirEntry entry) {
  const size_t begin = begin_packet(out, RtcpType::PayloadFeedback, kFormatFir);
  out.u32(sender_ssrc);
  out.u32(0);
  out.u32(entry.ssrc);
  out.u8(entry.command_seq);
  out.u24(0);
  end_packet(out, begin);
}

void write_remb(ByteWriter& out, uint32_t sender_ssrc, uint64_t bitrate_bps,
                std::span<const uint32_t> ssrcs) {
  ssrcs = ssrcs.first(std::min<size_t>(ssrcs.size(), 255));
  uint32_t exponent = 0;
  while (bitrate_bps >> exponent > 0x3'ffff) ++exponent;
  const size_t begin = begin_packet(out, RtcpType::PayloadFeedback, kFormatApplication);
  out.u32(sender_ssrc);
  out.u32(0);
  out.u32(kRembName);
  out.u8(static_cast<uint8_t>(ssrcs.size()));
  out.u24(exponent << 18 | static_cast<uint32_t>(bitrate_bps >> exponent));
  for (uint32_t ssrc : ssrcs) out.u32(ssrc);
  end_packet(out, begin);
}

}  // namespace atrium::wire
