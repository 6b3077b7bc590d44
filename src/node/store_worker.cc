#include "node/store_worker.h"

#include <algorithm>
#include <iterator>
#include <type_traits>
#include <utility>

#include "adapters/store/sqlite.h"
#include "base/limits.h"

namespace atrium::node {
namespace {

constexpr size_t kBatchMax = 256;  // writes in one transaction
constexpr Duration kLookEvery = std::chrono::milliseconds(limits::kDiskCheckMs);
constexpr Duration kRetryEvery = std::chrono::milliseconds(limits::kStoreReopenMs);
constexpr Duration kReopenEvery = std::chrono::milliseconds(limits::kStoreReopenMs);

// The operation that a write is answered by; null: it has none.
const OperationId* operation_of(const store::WriteRequest& request) {
  return std::visit(
      []<typename T>(const T& what) -> const OperationId* {
        if constexpr (std::is_same_v<T, store::PutDismissal>)
          return &what.record.operation;
        else if constexpr (std::is_same_v<T, store::PutBulk>)
          return &what.bulk.operation;
        else if constexpr (requires { what.operation; })
          return &what.operation;
        else
          return nullptr;
      },
      request.what);
}

size_t facts_of(const store::WriteRequest& request) {
  return request.events.size() + request.held_events.size() + request.audit.size();
}

// A change is undone; what happened with it is not.
store::WriteRequest facts_alone(const store::WriteRequest& request) {
  store::WriteRequest facts;
  facts.events = request.events;
  facts.hold = request.hold;
  facts.held_events = request.held_events;
  facts.release = request.release;
  facts.audit = request.audit;
  return facts;
}
bool is_facts_alone(const store::WriteRequest& request) {
  return std::holds_alternative<std::monostate>(request.what) && request.calls.empty();
}

// The disk's doing: the same write may succeed later.
bool is_passing(const Error& error) {
  return error.kind == ErrorKind::Unavailable;
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

StoreWorker::~StoreWorker() {
  static_cast<void>(store_.keep_audit(last_, true));
}

void StoreWorker::on_wake(Now now) {
  last_ = now;
  watch(now);
  if (next_retry_ <= now.mono) write({}, now);
  if (store_.next_audit_checkpoint() <= now.mono) keep_audit_checkpoint(now);
  std::vector<store::WriteRequest> batch = std::exchange(redrives_, {});
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

void StoreWorker::answer(const FindEvents& question, Now) {
  auto found = store_.list_events(question.query);
  replies_.send(
      EventsFound{question.waiter, found ? std::optional(std::move(*found)) : std::nullopt});
}

void StoreWorker::answer(const FindAudit& question, Now) {
  auto found = store_.list_audit(question.query);
  replies_.send(
      AuditFound{question.waiter, found ? std::optional(std::move(*found)) : std::nullopt});
}

void StoreWorker::answer(const FindBulk& question, Now) {
  auto found = store_.find_bulk(question.operation, question.offset, question.limit);
  replies_.send(
      BulkFound{question.waiter, found.has_value(), found ? std::move(*found) : std::nullopt});
}

void StoreWorker::answer(const FindDeadLetters& question, Now) {
  auto found = store_.list_dead_letters(question.webhook, question.after_cursor, question.limit);
  replies_.send(DeadLettersFound{question.waiter, found.has_value(),
                                 found ? std::move(*found) : std::vector<domain::DeadLetter>()});
}

void StoreWorker::answer(const FindBacklogs& question, Now) {
  auto found = store_.backlogs();
  replies_.send(BacklogsFound{question.waiter, found.has_value(),
                              found ? std::move(*found) : std::vector<domain::WebhookBacklog>()});
}

void StoreWorker::answer(const FindDeliveries& question, Now) {
  auto found = store_.next_deliveries(question.webhook, question.after_app, question.after_room);
  replies_.send(DeliveriesFound{question.webhook, found.has_value(),
                                found ? std::move(*found) : std::vector<domain::DeliveryRun>()});
}

void StoreWorker::answer(const PurgeStore&, Now now) {
  purge(now);
}

void StoreWorker::on_deadline(Now now) {
  on_wake(now);
}

Mono StoreWorker::next_deadline() const {
  Mono deadline = replies_.is_empty() && redrives_.empty() ? kNever : Mono::min();
  if (disk_ != nullptr) deadline = std::min(deadline, next_look_);
  if (store_.needs_reopening()) deadline = std::min(deadline, next_reopen_);
  return std::min({deadline, next_retry_, store_.next_audit_checkpoint()});
}

// --- writing -------------------------------------------------------------------------------------

// What an earlier write left goes first: nothing overtakes it.  In pieces, or one transaction would hold everything
// else up for long.
void StoreWorker::write(std::vector<store::WriteRequest> batch, Now now) {
  if (batch.empty() && kept_.empty()) return;
  std::vector<store::WriteRequest> all = std::exchange(kept_, {});
  health_.waiting = 0;
  std::ranges::move(batch, std::back_inserter(all));
  size_t from = 0;
  while (from < all.size() && kept_.empty())
    from += write_some(std::span(all).subspan(from, std::min(kBatchMax, all.size() - from)));
  for (const store::WriteRequest& request : std::span(all).subspan(from)) {
    report(request, fail(ErrorKind::Unavailable, "an earlier write failed"));
    keep_for_later(request);
  }
  next_retry_ = kept_.empty() ? kNever : now.mono + kRetryEvery;
  keep_checkpoint();
  keep_audit_checkpoint(now);
  note_failed_sync(now);
}

// Yields how many of them are settled: written, failed, or kept for later.
size_t StoreWorker::write_some(std::span<store::WriteRequest> batch) {
  const auto results = write_or_give_up_reserve(batch);
  for (size_t i = 0; i < batch.size(); ++i) {
    const Result<void> result =
        i < results.size() ? results[i] : fail(ErrorKind::Unavailable, "a write was lost");
    report(batch[i], result);
    if (result) continue;
    if (is_passing(result.error())) {
      keep_for_later(batch[i]);
      continue;
    }
    // It can never be written, but what happened with it can, and what is behind it was not tried.
    if (facts_of(batch[i]) == 0) continue;
    if (is_facts_alone(batch[i])) {
      health_.lost += facts_of(batch[i]);
      return i + 1;
    }
    batch[i] = facts_alone(batch[i]);
    return i;
  }
  return batch.size();
}

void StoreWorker::report(const store::WriteRequest& request, const Result<void>& result) {
  const bool ok = result.has_value();
  const OperationId* operation = operation_of(request);
  if (ok && goes_on(request)) {
    redrives_.emplace_back(request.what).call = request.call;
  } else {
    if (operation != nullptr) replies_.send(RecordWritten{*operation, ok});
    if (request.call) replies_.send(CallWritten{*request.call, ok});
  }
  const size_t events = request.events.size() + request.held_events.size();
  if (events > 0) replies_.send(EventsWritten{events, ok, ok ? "" : result.error().what});
  const bool is_told = operation != nullptr || events > 0 || request.call;
  if (!ok && !is_told) replies_.send(StoreTrouble{result.error().what});
}

// A redrive of all that has taken one step, and has more to take: so that thousands of dead letters do not keep
// everybody else waiting.  When that cannot be read the next step says so.
bool StoreWorker::goes_on(const store::WriteRequest& request) {
  const auto* redrive = std::get_if<store::Redrive>(&request.what);
  if (redrive == nullptr || !redrive->event.empty()) return false;
  const auto left = store_.list_dead_letters(redrive->webhook, 0, 1);
  return !left || !left->empty();
}

// Its effect was answered as failed; what happened all the same was seen by clients and must be told.
void StoreWorker::keep_for_later(const store::WriteRequest& request) {
  if (facts_of(request) == 0 && request.release.empty()) return;
  if (health_.waiting + facts_of(request) > static_cast<size_t>(limits::kEventQueueMax)) {
    health_.lost += facts_of(request);
    return;
  }
  health_.waiting += facts_of(request);
  kept_.push_back(facts_alone(request));
}

// A disk that is full undoes a whole transaction, whosever statement it was.  What failed is tried once more without
// rows of history: they shall not be what a dismissal's record fails for.  Then the reserve.
std::vector<Result<void>> StoreWorker::write_or_give_up_reserve(
    std::span<const store::WriteRequest> batch) {
  const bool is_history_stopped = guard_.state() >= DiskState::HistoryStopped;
  auto results = store_.apply_batch(batch, is_history_stopped ? store::Store::HistoryRows::Leave
                                                              : store::Store::HistoryRows::Write);
  if (!std::ranges::any_of(results, found_no_room)) return results;
  ++health_.full_writes;
  if (!is_history_stopped) repeat(batch, results);
  if (std::ranges::any_of(results, found_no_room) && give_up_reserve()) repeat(batch, results);
  look_at_disk();
  return results;
}

// All of it, not only what failed: a later write may replace an earlier one, and to write the same row twice changes
// nothing.  What was written the first time is written, whatever comes of it the second time.
void StoreWorker::repeat(std::span<const store::WriteRequest> batch,
                         std::vector<Result<void>>& results) {
  std::vector<store::WriteRequest> requests(batch.begin(), batch.end());
  for (size_t i = 0; i < requests.size(); ++i)
    if (results[i]) requests[i].audit.clear();  // it is there: a chain takes each record once
  const auto again = store_.apply_batch(requests, store::Store::HistoryRows::Leave);
  for (size_t i = 0; i < again.size(); ++i)
    if (!results[i]) results[i] = again[i];
}

void StoreWorker::keep_audit_checkpoint(Now now) {
  if (auto kept = store_.keep_audit(now); !kept) replies_.send(StoreTrouble{kept.error().what});
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
