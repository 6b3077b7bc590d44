#include "runtime/outgoing_queue.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace atrium::runtime {
namespace {

constexpr size_t kJoinedBytes = 16'384;
constexpr size_t kKeptPieces = 64;  // gone ones are swept when there are more of them than that

}  // namespace

void OutgoingQueue::push(std::string own, std::shared_ptr<const std::string> shared) {
  Piece piece{std::move(own), std::move(shared)};
  if (piece.size() == 0) return;
  bytes_ += piece.size();
  // Small pieces of ours are joined: a client's flood of pings must not become a flood of entries.
  const bool is_joined = !piece.shared && first_ < pieces_.size() && !pieces_.back().shared &&
                         pieces_.back().own.size() < kJoinedBytes;
  if (is_joined)
    pieces_.back().own += piece.own;
  else
    pieces_.push_back(std::move(piece));
}

size_t OutgoingQueue::gather(std::span<iovec> parts) const {
  size_t count = 0, offset = offset_;
  const auto add = [&](const std::string& text) {
    const size_t skip = std::min(offset, text.size());
    offset -= skip;
    if (skip == text.size()) return;
    parts[count++] = {const_cast<char*>(text.data() + skip), text.size() - skip};
  };
  for (size_t i = first_; i < pieces_.size() && count + 2 <= parts.size(); ++i) {
    add(pieces_[i].own);
    if (pieces_[i].shared) add(*pieces_[i].shared);
  }
  return count;
}

size_t OutgoingQueue::take(std::span<char> out) {
  size_t taken = 0;
  while (taken < out.size() && !empty()) {
    std::array<iovec, 2> parts;
    const size_t count = gather(parts);
    size_t round = 0;
    for (size_t i = 0; i < count; ++i) {
      const size_t size = std::min(parts[i].iov_len, out.size() - taken - round);
      std::memcpy(out.data() + taken + round, parts[i].iov_base, size);
      round += size;
    }
    consume(round);
    taken += round;
  }
  return taken;
}

void OutgoingQueue::consume(size_t size) {
  bytes_ -= size;
  offset_ += size;
  while (first_ < pieces_.size() && offset_ >= pieces_[first_].size()) {
    offset_ -= pieces_[first_].size();
    pieces_[first_++] = {};
  }
  if (first_ == pieces_.size()) {
    pieces_.clear();
    first_ = 0;
  } else if (first_ > kKeptPieces && first_ * 2 > pieces_.size()) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void OutgoingQueue::clear() {
  *this = {};
}

}  // namespace atrium::runtime
