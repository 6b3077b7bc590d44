#include "node/store_worker.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "adapters/store/sqlite.h"
#include "base/limits.h"

namespace atrium::node {
namespace {

constexpr size_t kBatchMax = 256;  // writes in one transaction
constexpr Duration kLookEvery = std::chrono::milliseconds(limits::kDiskCheckMs);
constexpr Duration kReopenEvery = std::chrono::milliseconds(limits::kStoreReopenMs);

// What is not written while history is stopped, and never takes the reserve.
bool is_history(const store::WriteRequest& request) {
  return std::holds_alternative<store::PutHistory>(request);
}

bool found_no_room(const Result<void>& result) {
  return !result && store::is_disk_full(result.error());
}

}  // namespace

StoreWorker::StoreWorker(store::Store store, Receiver<StoreRequest>& requests,
                         Sender<StoreReply>& replies, DiskPort* disk, DiskGuardOptions guard)
    : requests_(requests),
      disk_(disk),
      store_(std::move(store)),
      replies_(replies, limits::kRingOverflowMax),
      guard_(guard) {}

void StoreWorker::on_wake(Now now) {
  watch(now);
  std::vector<store::WriteRequest> batch;
  StoreRequest request;
  while (requests_.try_receive(request)) {
    if (auto* put = std::get_if<store::WriteRequest>(&request)) {
      batch.push_back(std::move(*put));
      if (batch.size() >= kBatchMax) write(std::exchange(batch, {}), now);
      continue;
    }
    write(std::exchange(batch, {}), now);  // a question sees what was written before it
    std::visit(
        [&](const auto& question) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(question)>, store::WriteRequest>)
            answer(question, now);
        },
        request);
  }
  write(std::move(batch), now);
  replies_.flush();
}

void StoreWorker::answer(const FindDismissal& question, Now) {
  auto found = store_.find_dismissal(question.operation);
  replies_.send(
      DismissalFound{question.waiter, found.has_value(), found ? std::move(*found) : std::nullopt});
}

void StoreWorker::answer(const FindBans& question, Now now) {
  auto found = store_.list_bans(question.app, question.after, question.limit, now.wall);
  replies_.send(BansFound{question.waiter, found.has_value(),
                          found ? std::move(*found) : std::vector<domain::BanRule>()});
}

void StoreWorker::answer(const FindLives& question, Now) {
  auto found = store_.list_lives(question.query);
  replies_.send(
      LivesFound{question.waiter, found ? std::optional(std::move(*found)) : std::nullopt});
}

void StoreWorker::answer(const FindVisitors& question, Now now) {
  auto found = store_.list_visitors(question.query, now.wall);
  replies_.send(
      VisitorsFound{question.waiter, found ? std::optional(std::move(*found)) : std::nullopt});
}

void StoreWorker::answer(const PurgeStore&, Now now) {
  purge(now);
}

void StoreWorker::on_deadline(Now now) {
  on_wake(now);
}

Mono StoreWorker::next_deadline() const {
  Mono deadline = replies_.is_empty() ? kNever : Mono::min();
  if (disk_ != nullptr) deadline = std::min(deadline, next_look_);
  if (store_.needs_reopening()) deadline = std::min(deadline, next_reopen_);
  return deadline;
}

// --- writing -------------------------------------------------------------------------------------

// While the disk is nearly full; the writer of history hears of each request what became of it.
void StoreWorker::refuse_history(std::vector<store::WriteRequest>& batch) {
  for (const store::WriteRequest& request : batch)
    if (const auto* history = std::get_if<store::PutHistory>(&request))
      replies_.send(HistoryWritten{history->facts.size(), false, "the disk is nearly full"});
  std::erase_if(batch, is_history);
}

void StoreWorker::write(std::vector<store::WriteRequest> batch, Now now) {
  if (guard_.state() >= DiskState::HistoryStopped) refuse_history(batch);
  if (batch.empty()) return;
  const auto results = write_or_give_up_reserve(batch);
  for (size_t i = 0; i < batch.size(); ++i) {
    const bool ok = i < results.size() && results[i].has_value();
    const char* why = i < results.size() && !ok ? results[i].error().what : "a write was lost";
    if (const auto* put = std::get_if<store::PutDismissal>(&batch[i]))
      replies_.send(RecordWritten{put->record.operation, ok});
    else if (const auto* bans = std::get_if<store::PutBans>(&batch[i]))
      replies_.send(RecordWritten{bans->operation, ok});
    else if (const auto* app = std::get_if<store::PutApp>(&batch[i]))
      replies_.send(RecordWritten{app->operation, ok});
    else if (const auto* history = std::get_if<store::PutHistory>(&batch[i]))
      replies_.send(HistoryWritten{history->facts.size(), ok, ok ? "" : why});
    else if (!ok)
      replies_.send(StoreTrouble{why});
  }
  keep_checkpoint();
  note_failed_sync(now);
}

// A disk that is full or broken undoes a whole transaction, whosever statement it was.  What failed beside facts of
// history is tried once more without them: they shall not be what a dismissal's record fails for.  Then the reserve.
std::vector<Result<void>> StoreWorker::write_or_give_up_reserve(
    std::span<const store::WriteRequest> batch) {
  auto results = store_.apply_batch(batch);
  const auto has_failed = [&](auto&& is_failure) {
    for (size_t i = 0; i < batch.size(); ++i)
      if (!is_history(batch[i]) && is_failure(results[i])) return true;
    return false;
  };
  const bool met_full_disk = std::ranges::any_of(results, found_no_room);
  if (std::ranges::any_of(batch, is_history) &&
      has_failed([](const Result<void>& result) { return !result; }))
    repeat_without_history(batch, results);
  if (!met_full_disk) return results;
  ++health_.full_writes;
  if (has_failed(found_no_room) && give_up_reserve()) repeat_without_history(batch, results);
  look_at_disk();
  return results;
}

// All of it is repeated, not only what failed: a later write may replace an earlier one, and to write the same row
// twice changes nothing.  What was written the first time is written, whatever comes of it the second time.
void StoreWorker::repeat_without_history(std::span<const store::WriteRequest> batch,
                                         std::vector<Result<void>>& results) {
  std::vector<store::WriteRequest> others;
  std::vector<size_t> places;
  for (size_t i = 0; i < batch.size(); ++i) {
    if (is_history(batch[i])) continue;
    others.push_back(batch[i]);
    places.push_back(i);
  }
  const auto again = store_.apply_batch(others);
  for (size_t i = 0; i < again.size(); ++i)
    if (!results[places[i]]) results[places[i]] = again[i];
}

void StoreWorker::purge(Now now) {
  if (auto purged = store_.purge(now.wall); !purged)
    replies_.send(StoreTrouble{purged.error().what});
  note_failed_sync(now);
}

// A log that cannot be copied into the file grows until there is no room for a write either.
void StoreWorker::keep_checkpoint() {
  if (!found_no_room(store_.last_checkpoint())) return;
  if (give_up_reserve()) store_.checkpoint();
  look_at_disk();
}

// --- the disk ------------------------------------------------------------------------------------

// True: there is more room than before.
bool StoreWorker::give_up_reserve() {
  if (disk_ == nullptr || !guard_.on_disk_full(disk_->reserve_bytes())) return false;
  disk_->release_reserve();
  ++health_.reserve_releases;
  return true;
}

void StoreWorker::look_at_disk() {
  if (disk_ == nullptr) return;
  const auto look = [&] {
    // A kernel that does not say how full the disk is says so by refusing writes.
    health_.free_bytes = disk_->free_bytes().value_or(UINT64_MAX);
    health_.reserve_bytes = disk_->reserve_bytes();
    return guard_.on_look(health_.free_bytes, health_.reserve_bytes);
  };
  if (look()) {
    disk_->allocate_reserve(guard_.reserve());
    look();
  }
  health_.disk = guard_.state();
  replies_.send(health_);
}

void StoreWorker::watch(Now now) {
  if (store_.needs_reopening() && next_reopen_ <= now.mono) reopen(now);
  if (disk_ == nullptr || now.mono < next_look_) return;
  next_look_ = now.mono + kLookEvery;
  look_at_disk();
}

// --- a failed sync -------------------------------------------------------------------------------

void StoreWorker::note_failed_sync(Now now) {
  if (!store_.needs_reopening() || health_.is_read_only) return;
  next_reopen_ = now.mono + kReopenEvery;
  health_.is_read_only = true;
  ++health_.failed_syncs;
  replies_.send(health_);
}

void StoreWorker::reopen(Now now) {
  next_reopen_ = now.mono + kReopenEvery;
  if (auto reopened = store_.reopen(); !reopened) {
    if (store::is_disk_full(reopened.error())) give_up_reserve();
    replies_.send(StoreTrouble{reopened.error().what});
    return;
  }
  health_.is_read_only = false;
  ++health_.reopenings;
  replies_.send(health_);
}

}  // namespace atrium::node
