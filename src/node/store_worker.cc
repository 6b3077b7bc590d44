#include "node/store_worker.h"

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
    if (const auto* find = std::get_if<FindDismissal>(&request)) {
      auto found = store_.find_dismissal(find->operation);
      replies_.send(DismissalFound{find->waiter, found.has_value(),
                                   found ? std::move(*found) : std::nullopt});
    } else if (const auto* bans = std::get_if<FindBans>(&request)) {
      auto found = store_.list_bans(bans->app, bans->after, bans->limit, now.wall);
      replies_.send(BansFound{bans->waiter, found.has_value(),
                              found ? std::move(*found) : std::vector<domain::BanRule>()});
    } else if (auto purged = store_.purge(now.wall); !purged) {
      replies_.send(StoreTrouble{purged.error().what});
    }
  }
  write(std::move(batch));
  replies_.flush();
}

void StoreWorker::on_deadline(Now now) {
  on_wake(now);
}

Mono StoreWorker::next_deadline() const {
  return replies_.is_empty() ? kNever : Mono::min();
}

void StoreWorker::write(std::vector<store::WriteRequest> batch) {
  if (batch.empty()) return;
  const auto results = store_.apply_batch(batch);
  for (size_t i = 0; i < batch.size(); ++i) {
    const bool ok = i < results.size() && results[i].has_value();
    if (const auto* put = std::get_if<store::PutDismissal>(&batch[i]))
      replies_.send(RecordWritten{put->record.operation, ok});
    else if (const auto* bans = std::get_if<store::PutBans>(&batch[i]))
      replies_.send(RecordWritten{bans->operation, ok});
    else if (const auto* app = std::get_if<store::PutApp>(&batch[i]))
      replies_.send(RecordWritten{app->operation, ok});
    else if (!ok)
      replies_.send(
          StoreTrouble{i < results.size() ? results[i].error().what : "a write was lost"});
  }
}

}  // namespace atrium::node
