#include "media/outbox.h"

#include <utility>

#include "media/transport.h"

namespace atrium::media {
namespace {
constexpr size_t kEntriesMax =
    static_cast<size_t>(limits::kEncryptedPerTurnMax + limits::kControlDatagramsMax);
constexpr size_t kArenaBytes = static_cast<size_t>(
    limits::kEncryptedPerTurnMax * limits::kDatagramBytesMax + limits::kControlBytesMax);
}  // namespace

Outbox::Outbox() : arena_(kArenaBytes) {
  entries_.reserve(kEntriesMax);
  chains_.reserve(kEntriesMax);
  views_.reserve(kEntriesMax);
  runs_.reserve(kEntriesMax);
}

ByteSpan Outbox::reserve(size_t bytes) {
  if (entries_.size() == kEntriesMax || arena_.size() - used_ < bytes) return {};
  return ByteSpan(arena_).subspan(used_, bytes);
}

void Outbox::commit(size_t bytes, const FiveTuple& path, OutKind kind, Transport* owner) {
  CHECK(entries_.size() < kEntriesMax && used_ + bytes <= arena_.size());
  entries_.push_back(
      {path, static_cast<uint32_t>(used_), static_cast<uint32_t>(bytes), kNone, kind, owner});
  used_ += bytes;
}

// Entries that are in no chain yet are chained per owner.
void Outbox::chain_up() {
  chains_.clear();
  next_chain_ = 0;
  const size_t begin = std::exchange(chained_, entries_.size());
  for (size_t i = begin; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    if (entry.size == 0) continue;
    const auto at = static_cast<uint32_t>(i);
    Transport* owner = entry.owner;
    if (owner == nullptr || owner->last_out == kNoOut) {
      chains_.push_back(at);
    } else {
      entries_[owner->last_out].next = at;
    }
    if (owner != nullptr) owner->last_out = at;
  }
  for (size_t i = begin; i < entries_.size(); ++i)
    if (Transport* owner = entries_[i].owner) owner->last_out = kNoOut;
}

// A chain is written out; a change of path within it begins a new run.
void Outbox::take_chain(uint32_t first) {
  size_t run_begins = views_.size();
  FiveTuple path = entries_[first].path;
  const auto close_run = [&] {
    if (views_.size() == run_begins) return;
    runs_.push_back({path, std::span<const ByteView>(views_).subspan(run_begins)});
    run_begins = views_.size();
  };
  for (uint32_t i = first; i != kNone; i = entries_[i].next) {
    Entry& entry = entries_[i];
    if (entry.size == 0) continue;
    if (entry.path != path) {
      close_run();
      path = entry.path;
    }
    views_.push_back(bytes_of(entry));
    entry.size = 0;
    entry.owner = nullptr;
  }
  close_run();
}

void Outbox::clear() {
  used_ = 0;
  entries_.clear();
  chains_.clear();
  chained_ = next_chain_ = 0;
  views_.clear();
  runs_.clear();
}

}  // namespace atrium::media
