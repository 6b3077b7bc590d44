#include "node/store_worker.h"

#include <type_traits>
#include <utility>

#include "base/limits.h"

namespace atrium::node {
namespace {
constexpr size_t kBatchMax = 256;  // writes in one transaction
}

StoreWorker::StoreWorker(store::Store store, Receiver<StoreRequest>& requests,
                         Sender<StoreReply>& replies)
    : store_(std::move(store)), requests_(requests), replies_(replies, limits::kRingOverflowMax) {}

void StoreWorker::on_wake(Now now) {
  std::vector<store::WriteRequest> batch;
  StoreRequest request;
  while (requests_.try_receive(request)) {
    if (auto* put = std::get_if<store::WriteRequest>(&request)) {
      batch.push_back(std::move(*put));
      if (batch.size() >= kBatchMax) write(std::exchange(batch, {}));
      continue;
    }
    write(std::exchange(batch, {}));  // a question sees what was written before it
    std::visit(
        [&](const auto& question) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(question)>, store::WriteRequest>)
            answer(question, now);
        },
        request);
  }
  write(std::move(batch));
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
  if (auto purged = store_.purge(now.wall); !purged)
    replies_.send(StoreTrouble{purged.error().what});
}

void StoreWorker::on_deadline(Now now) {
  on_wake(now);
}

Mono StoreWorker::next_deadline() const {
  return replies_.is_empty() ? kNever : Mono::min();
}

// A disk that is full or broken undoes a whole transaction, whosever statement it was.  What failed beside facts of
// history is tried once more without them: they shall not be what a dismissal's record fails for.
void StoreWorker::save_from_history(const std::vector<store::WriteRequest>& batch,
                                    std::vector<Result<void>>& results) {
  std::vector<store::WriteRequest> others;
  std::vector<size_t> places;
  bool has_history = false;
  for (size_t i = 0; i < batch.size(); ++i) {
    const bool is_history = std::holds_alternative<store::PutHistory>(batch[i]);
    has_history |= is_history;
    if (is_history || i >= results.size() || results[i]) continue;
    others.push_back(batch[i]);
    places.push_back(i);
  }
  if (!has_history || others.empty()) return;
  const auto again = store_.apply_batch(others);
  for (size_t i = 0; i < again.size(); ++i) results[places[i]] = again[i];
}

void StoreWorker::write(std::vector<store::WriteRequest> batch) {
  if (batch.empty()) return;
  auto results = store_.apply_batch(batch);
  save_from_history(batch, results);
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
}

}  // namespace atrium::node
