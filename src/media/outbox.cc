#include "media/outbox.h"

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

// Two passes: entries are chained per owner, then each chain is written out; a change of path within it begins a new
// run.
std::span<const SendRun> Outbox::group() {
  for (uint32_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    if (entry.size == 0) continue;
    Transport* owner = entry.owner;
    if (owner == nullptr || owner->last_out == kNoOut) {
      chains_.push_back(i);
    } else {
      entries_[owner->last_out].next = i;
    }
    if (owner != nullptr) owner->last_out = i;
  }
  for (const uint32_t first : chains_) append_chain(first);
  for (const Entry& entry : entries_)
    if (entry.owner != nullptr) entry.owner->last_out = kNoOut;
  is_handed_out_ = true;
  return runs_;
}

void Outbox::append_chain(uint32_t first) {
  size_t run_begins = views_.size();
  FiveTuple path = entries_[first].path;
  const auto close_run = [&] {
    runs_.push_back({path, std::span<const ByteView>(views_).subspan(run_begins)});
    run_begins = views_.size();
  };
  for (uint32_t i = first; i != kNone; i = entries_[i].next) {
    if (entries_[i].path != path) {
      close_run();
      path = entries_[i].path;
    }
    views_.push_back(bytes_of(entries_[i]));
  }
  close_run();
}

void Outbox::clear() {
  used_ = 0;
  entries_.clear();
  chains_.clear();
  views_.clear();
  runs_.clear();
  is_handed_out_ = false;
}

}  // namespace atrium::media
