#include "apps/atriumload/tally.h"

namespace atrium::load {
namespace {

template <typename Key>
void merge_counts(std::map<Key, uint64_t>& into, const std::map<Key, uint64_t>& from) {
  for (const auto& [key, count] : from) into[key] += count;
}

void merge(JoinTally& a, const JoinTally& b) {
  a.started += b.started, a.signalled += b.signalled, a.complete += b.complete,
      a.failed += b.failed;
  a.present += b.present;
  a.signal_us.merge(b.signal_us), a.complete_us.merge(b.complete_us);
  merge_counts(a.failures, b.failures), merge_counts(a.profiles, b.profiles);
}

void merge(QualityTally& a, const QualityTally& b) {
  a.verified += b.verified, a.lost += b.lost, a.reordered += b.reordered,
      a.duplicated += b.duplicated;
  a.stale += b.stale, a.corrupted += b.corrupted, a.undecryptable += b.undecryptable,
      a.repairs += b.repairs, a.other += b.other;
  a.data_lost += b.data_lost, a.data_reordered += b.data_reordered;
  a.data_duplicated += b.data_duplicated, a.data_corrupted += b.data_corrupted;
  a.delay_us.merge(b.delay_us), a.data_delay_us.merge(b.data_delay_us);
}

void merge(DismissalTally& a, const DismissalTally& b) {
  a.watched += b.watched, a.noticed += b.noticed, a.told += b.told, a.closed += b.closed,
      a.silent += b.silent;
  a.media_after_notice += b.media_after_notice, a.data_after_notice += b.data_after_notice;
  a.notice_us.merge(b.notice_us), a.told_us.merge(b.told_us), a.closed_us.merge(b.closed_us);
  a.last_media_us.merge(b.last_media_us), a.first_sign_us.merge(b.first_sign_us);
}

void merge(GeneratorTally& a, const GeneratorTally& b) {
  a.socket_drops += b.socket_drops, a.send_drops += b.send_drops,
      a.skipped_frames += b.skipped_frames, a.turns += b.turns;
  a.late_us.merge(b.late_us), a.turn_us.merge(b.turn_us);
  a.cpu_us += b.cpu_us, a.measured_us += b.measured_us;
}

}  // namespace

void Tally::merge(const Tally& other) {
  flow.add(other.flow), flow_begin.add(other.flow_begin), flow_end.add(other.flow_end);
  load::merge(joins, other.joins);
  load::merge(quality, other.quality);
  load::merge(dismissal, other.dismissal);
  load::merge(generator, other.generator);
  merge_counts(leave_reasons, other.leave_reasons), merge_counts(close_codes, other.close_codes);
}

}  // namespace atrium::load
