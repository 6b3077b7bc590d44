// Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1), both directions.
//
// |           sender SSRC          |           media SSRC           |
// |  base sequence  |  status count |  reference time (24)  | count |
// |  chunk (16) …                  |  delta (8 or 16) …    | padding
//
// chunk:  0 | symbol (2) | run length (13)     one symbol for a run of statuses
//         1 | 0 | symbols (14 × 1)             lost or small
//         1 | 1 | symbols (7 × 2)              lost, small or large
// symbol: 0 lost, 1 received with a delta of 0 to 255 ticks, 2 received with a signed 16-bit delta; a tick is 250 us.
#include <algorithm>
#include <limits>

#include "wire/rtcp.h"

namespace atrium::wire {
namespace {

constexpr uint8_t kLost = 0, kSmall = 1, kLarge = 2;
constexpr uint16_t kRunLengthMax = 8'191;
constexpr uint16_t kOneBitSymbols = 14, kTwoBitSymbols = 7;
constexpr int64_t kTicksPerReference = kTwccReferenceUs / kTwccTickUs;
constexpr uint64_t kStatusesMax = 65'535;
constexpr size_t kFixedBytes = 4 + 16;

bool is_run(uint16_t chunk) {
  return (chunk & 0x8000) == 0;
}
uint8_t run_symbol(uint16_t chunk) {
  return chunk >> 13 & 3;
}

uint16_t symbols_in(uint16_t chunk) {
  if (is_run(chunk)) return chunk & 0x1fff;
  return (chunk & 0x4000) == 0 ? kOneBitSymbols : kTwoBitSymbols;
}

// Symbol `index` of a chunk, from the left; index < symbols_in(chunk).
uint8_t symbol_at(uint16_t chunk, uint16_t index) {
  if (is_run(chunk)) return run_symbol(chunk);
  if ((chunk & 0x4000) == 0) return chunk >> (kOneBitSymbols - 1 - index) & 1;
  return chunk >> (2 * (kTwoBitSymbols - 1 - index)) & 3;
}

size_t delta_bytes(uint8_t symbol) {
  return symbol;
}  // 0, 1, 2: the numbers were chosen so

// Bytes of delta that the first `statuses` symbols of a chunk ask for; refuses the reserved symbol.
Result<size_t> chunk_delta_bytes(uint16_t chunk, uint16_t statuses) {
  if (is_run(chunk)) {
    if (run_symbol(chunk) > kLarge) return malformed("reserved twcc symbol");
    return delta_bytes(run_symbol(chunk)) * statuses;
  }
  size_t bytes = 0;
  for (uint16_t i = 0; i < statuses; ++i) {
    const uint8_t symbol = symbol_at(chunk, i);
    if (symbol > kLarge) return malformed("reserved twcc symbol");
    bytes += delta_bytes(symbol);
  }
  return bytes;
}

}  // namespace

Result<TwccView> TwccView::create(const RtcpPacketView& packet) {
  if (!packet.is_transport_feedback(kFormatTransportCc))
    return fail(ErrorKind::Unsupported, "not transport-wide feedback");
  ByteReader reader(packet.body);
  TwccView view;
  view.sender_ssrc = TRY(reader.u32());
  view.media_ssrc = TRY(reader.u32());
  view.base_seq = TRY(reader.u16());
  view.status_count = TRY(reader.u16());
  const uint32_t reference = TRY(reader.u24());
  view.reference_time = static_cast<int32_t>(reference << 8) >> 8;  // sign of 24 bits
  view.feedback_count = TRY(reader.u8());
  view.arrival_us_ = int64_t{view.reference_time} * kTwccReferenceUs;
  TRY(view.check_coverage(reader.rest()));
  return view;
}

Result<void> TwccView::check_coverage(ByteView rest) {
  ByteReader walk(rest);
  size_t deltas = 0;
  for (uint32_t covered = 0; covered < status_count;) {
    const uint16_t chunk = TRY(walk.u16());
    const auto statuses =
        static_cast<uint16_t>(std::min<uint32_t>(symbols_in(chunk), status_count - covered));
    deltas += TRY(chunk_delta_bytes(chunk, statuses));
    covered += statuses;
  }
  if (walk.remaining() < deltas) return malformed("twcc deltas missing");
  chunks_ = ByteReader(rest.first(walk.position()));
  deltas_ = ByteReader(walk.rest());
  return {};
}

std::optional<TwccPacket> TwccView::next_received() {
  while (position_ < status_count) {
    if (chunk_left_ == 0) {
      chunk_ = MUST(chunks_.u16());  // check_coverage saw them all
      chunk_left_ = symbols_in(chunk_);
      continue;
    }
    if (is_run(chunk_) && run_symbol(chunk_) == kLost) {
      position_ += chunk_left_;
      chunk_left_ = 0;
      continue;
    }
    const uint8_t symbol =
        symbol_at(chunk_, static_cast<uint16_t>(symbols_in(chunk_) - chunk_left_));
    --chunk_left_;
    const auto transport_seq = static_cast<uint16_t>(base_seq + position_++);
    if (symbol == kLost) continue;
    const int64_t ticks = symbol == kSmall ? int64_t{MUST(deltas_.u8())}
                                           : int64_t{static_cast<int16_t>(MUST(deltas_.u16()))};
    arrival_us_ += ticks * kTwccTickUs;
    return TwccPacket{transport_seq, arrival_us_};
  }
  return std::nullopt;
}

// --- writing -------------------------------------------------------------------------------------
namespace {

int64_t floor_divide(int64_t value, int64_t by) {
  return value / by - (value % by < 0 ? 1 : 0);
}
int64_t tick_of(const TwccArrival& arrival) {
  return floor_divide(arrival.arrival_us, kTwccTickUs);
}

struct Status {
  uint8_t symbol = kLost;
  int16_t delta = 0;  // ticks
};

// Walks statuses from the base to the last arrival.  Copyable, so that the chunk chooser can look ahead.
class StatusCursor {
 public:
  StatusCursor(std::span<const TwccArrival> arrivals, uint64_t base, int64_t reference_tick)
      : arrivals_(arrivals), next_(base), last_tick_(reference_tick) {}

  bool at_end() const { return index_ == arrivals_.size(); }
  size_t arrivals_taken() const { return index_; }
  uint64_t remaining() const { return at_end() ? 0 : arrivals_.back().ext_seq - next_ + 1; }

  Status take() {
    if (next_ < arrivals_[index_].ext_seq) {
      ++next_;
      return {};
    }
    const int64_t tick = tick_of(arrivals_[index_]);
    const int64_t delta = tick - last_tick_;
    last_tick_ = tick;
    ++index_;
    ++next_;
    return {delta >= 0 && delta <= 255 ? kSmall : kLarge, static_cast<int16_t>(delta)};
  }
  // How many of the next statuses are equal, at most a run's worth.
  uint16_t equal_ahead() const {
    const uint64_t lost = arrivals_[index_].ext_seq - next_;
    if (lost > 0) return static_cast<uint16_t>(std::min<uint64_t>(lost, kRunLengthMax));
    StatusCursor ahead = *this;
    const uint8_t symbol = ahead.take().symbol;
    uint16_t count = 1;
    while (count < kRunLengthMax && !ahead.at_end() && ahead.take().symbol == symbol) ++count;
    return count;
  }

 private:
  std::span<const TwccArrival> arrivals_;
  uint64_t next_;
  int64_t last_tick_;
  size_t index_ = 0;
};

struct Chunk {
  uint16_t word = 0;
  size_t delta_bytes = 0;
};

Chunk take_run(StatusCursor& cursor, uint16_t length) {
  Chunk chunk;
  for (uint16_t i = 0; i < length; ++i) {
    const uint8_t symbol = cursor.take().symbol;
    chunk.word = static_cast<uint16_t>(symbol << 13 | length);
    chunk.delta_bytes += delta_bytes(symbol);
  }
  return chunk;
}

Chunk take_vector(StatusCursor& cursor, uint16_t symbols, uint16_t bits_each) {
  Chunk chunk{static_cast<uint16_t>(bits_each == 1 ? 0x8000 : 0xC000), 0};
  for (uint16_t i = 0; i < symbols && !cursor.at_end(); ++i) {
    const uint8_t symbol = cursor.take().symbol;
    chunk.word = static_cast<uint16_t>(chunk.word | symbol << (bits_each * (symbols - 1 - i)));
    chunk.delta_bytes += delta_bytes(symbol);
  }
  return chunk;
}

bool has_large_ahead(StatusCursor ahead, uint16_t statuses) {
  for (uint16_t i = 0; i < statuses && !ahead.at_end(); ++i)
    if (ahead.take().symbol == kLarge) return true;
  return false;
}

// The chunk that covers most statuses from here.
Chunk take_chunk(StatusCursor& cursor) {
  const uint16_t run = cursor.equal_ahead();
  if (run >= kOneBitSymbols || run == cursor.remaining()) return take_run(cursor, run);
  if (!has_large_ahead(cursor, kOneBitSymbols)) return take_vector(cursor, kOneBitSymbols, 1);
  if (run >= kTwoBitSymbols) return take_run(cursor, run);
  return take_vector(cursor, kTwoBitSymbols, 2);
}

// The prefix of `arrivals` that one packet can say: rising numbers, deltas of 16 bits, statuses of 16 bits.
std::span<const TwccArrival> sayable(std::span<const TwccArrival> arrivals, uint64_t base) {
  constexpr int64_t kDeltaMax = std::numeric_limits<int16_t>::max();
  size_t count = 1;
  for (; count < arrivals.size(); ++count) {
    const TwccArrival &previous = arrivals[count - 1], &current = arrivals[count];
    const int64_t delta = tick_of(current) - tick_of(previous);
    if (current.ext_seq <= previous.ext_seq || current.ext_seq - base >= kStatusesMax) break;
    if (delta > kDeltaMax || delta < -kDeltaMax - 1) break;
  }
  return arrivals.first(count);
}

// How many arrivals fit into `room` bytes: chunks and deltas, with the padding that may follow.
size_t arrivals_that_fit(StatusCursor cursor, size_t room) {
  size_t bytes = kFixedBytes, fitting = 0;
  while (!cursor.at_end()) {
    const Chunk chunk = take_chunk(cursor);
    bytes += 2 + chunk.delta_bytes;
    if ((bytes + 3) / 4 * 4 > room) break;
    fitting = cursor.arrivals_taken();
  }
  return fitting;
}

size_t packet_bytes(StatusCursor cursor) {
  size_t bytes = kFixedBytes;
  while (!cursor.at_end()) bytes += 2 + take_chunk(cursor).delta_bytes;
  return bytes;
}

void write_deltas(ByteWriter& out, StatusCursor cursor) {
  while (!cursor.at_end()) {
    const Status status = cursor.take();
    if (status.symbol == kSmall) out.u8(static_cast<uint8_t>(status.delta));
    if (status.symbol == kLarge) out.u16(static_cast<uint16_t>(status.delta));
  }
}

}  // namespace

size_t write_twcc_feedback(ByteWriter& out, const TwccFeedback& feedback,
                           std::span<const TwccArrival> arrivals) {
  if (arrivals.empty()) return 0;
  const uint64_t first = arrivals.front().ext_seq;
  constexpr uint64_t kLostBeforeFirstMax = kStatusesMax / 2;
  const uint64_t base =
      std::clamp(feedback.base_ext_seq, first - std::min(first, kLostBeforeFirstMax), first);
  arrivals = sayable(arrivals, base);
  const int64_t reference = floor_divide(tick_of(arrivals.front()), kTicksPerReference);
  const int64_t reference_tick = reference * kTicksPerReference;
  arrivals = arrivals.first(arrivals_that_fit({arrivals, base, reference_tick}, out.remaining()));
  if (arrivals.empty()) return 0;

  const size_t bytes = packet_bytes({arrivals, base, reference_tick});
  const size_t padding = (4 - bytes % 4) % 4;
  out.u8(static_cast<uint8_t>(0x80 | (padding > 0 ? 0x20 : 0) | kFormatTransportCc));
  out.u8(static_cast<uint8_t>(RtcpType::TransportFeedback));
  out.u16(static_cast<uint16_t>((bytes + padding) / 4 - 1));
  out.u32(feedback.sender_ssrc);
  out.u32(feedback.media_ssrc);
  out.u16(static_cast<uint16_t>(base));
  out.u16(static_cast<uint16_t>(arrivals.back().ext_seq - base + 1));
  out.u24(static_cast<uint32_t>(reference) & 0xff'ffff);
  out.u8(feedback.feedback_count);
  const StatusCursor start(arrivals, base, reference_tick);
  for (StatusCursor cursor = start; !cursor.at_end();) out.u16(take_chunk(cursor).word);
  write_deltas(out, start);
  if (padding > 0) {  // RFC 3550 §6.4.1: the last byte counts the padding
    out.fill(0, padding - 1);
    out.u8(static_cast<uint8_t>(padding));
  }
  return arrivals.size();
}

}  // namespace atrium::wire
