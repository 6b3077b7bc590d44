#include "media/twcc.h"

#include <algorithm>
#include <span>

#include "wire/seq.h"

namespace atrium::media {
namespace {
constexpr auto kInterval = std::chrono::milliseconds(limits::kTwccIntervalMs);
}  // namespace

void TwccCollector::on_packet(uint16_t transport_seq, uint32_t media_ssrc, Mono now) {
  const bool is_first = !highest_.has_value();
  const uint64_t ext_seq = is_first ? 0x1'0000u + transport_seq : wire::ext_seq_near(*highest_, transport_seq);
  if (is_first) base_ = ext_seq;
  // A packet that was reported lost and comes late after all is told again: the next feedback starts at it.
  if (!is_first && ext_seq + kSlots <= *highest_) return;
  Slot& slot = slot_of(ext_seq);
  if (slot.ext_seq == ext_seq) return;  // repeated
  slot = {ext_seq, now};
  highest_ = std::max(ext_seq, highest_.value_or(0));
  base_ = std::min(base_, ext_seq);
  if (*highest_ - base_ >= kSlots) base_ = *highest_ - kSlots + 1;
  media_ssrc_ = media_ssrc;
  if (news_++ == 0) deadline_ = now + kInterval;
}

bool TwccCollector::write_feedback(ByteWriter& out, uint32_t sender_ssrc, Mono now) {
  if (news_ == 0) return false;
  std::array<wire::TwccArrival, kSlots> arrivals;
  size_t count = 0;
  for (uint64_t ext_seq = base_; ext_seq <= *highest_; ++ext_seq) {
    const Slot& slot = slot_of(ext_seq);
    if (slot.ext_seq == ext_seq) arrivals[count++] = {ext_seq, slot.at.time_since_epoch().count()};
  }
  const wire::TwccFeedback feedback{sender_ssrc, media_ssrc_, base_, feedback_count_};
  const size_t written =
      count == 0 ? 0 : wire::write_twcc_feedback(out, feedback, std::span(arrivals).first(count));
  if (written == 0) {
    deadline_ = now + kInterval;
    return false;
  }
  ++feedback_count_;
  base_ = arrivals[written - 1].ext_seq + 1;
  news_ = count - written;
  deadline_ = news_ == 0 ? kNever : now + kInterval;
  return true;
}

}  // namespace atrium::media
