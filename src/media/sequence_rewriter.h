// SequenceRewriter: turns an uplink's sequence numbers into a downlink's, so that gaps which we chose (padding,
// other layers, pauses) do not look like loss, while gaps that are loss stay visible and can be filled later.
// Owner: Forwarder.  Numbers are unwrapped (ext_seq, see wire/seq.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace atrium::media {

class SequenceRewriter {
 public:
  // `last_out` is the number before the first that will be given out.
  explicit SequenceRewriter(uint64_t last_out = 0) : highest_out_(last_out) {}

  // Source packet `src` gets the next unused number; older source packets are refused from now on.
  void start_at(uint64_t src) {
    count_ = 0;
    highest_src_ = src - 1;
    push({src, highest_out_ + 1 - src});
  }
  bool is_started() const { return count_ > 0; }

  // nullopt: older than the start, or than the boundaries remembered.
  std::optional<uint64_t> map(uint64_t src) {
    for (size_t back = 0; back < count_; ++back) {
      const Boundary& boundary = at(back);
      if (src < boundary.from) continue;
      const uint64_t out = src + boundary.delta;
      if (src > highest_src_) highest_src_ = src;
      if (out > highest_out_) highest_out_ = out;
      return out;
    }
    return std::nullopt;
  }

  // Source packet `src` will not go out: later ones close up.  Too late when a later one went out already.
  void skip(uint64_t src) {
    if (count_ == 0 || src <= highest_src_) return;
    Boundary& newest = at(0);
    highest_src_ = src;
    if (newest.from == src)
      newest = {src + 1, newest.delta - 1};
    else
      push({src + 1, newest.delta - 1});
  }

  uint64_t highest_out() const { return highest_out_; }

 private:
  struct Boundary {
    uint64_t from = 0;   // first source number it holds for
    uint64_t delta = 0;  // out = src + delta, modulo 2^64
  };
  static constexpr size_t kBoundaries = 16;

  Boundary& at(size_t back) { return boundaries_[(newest_ + kBoundaries - back) % kBoundaries]; }
  void push(Boundary boundary) {
    newest_ = (newest_ + 1) % kBoundaries;
    boundaries_[newest_] = boundary;
    if (count_ < kBoundaries) ++count_;
  }

  std::array<Boundary, kBoundaries> boundaries_{};
  size_t newest_ = 0, count_ = 0;
  uint64_t highest_src_ = 0, highest_out_ = 0;
};

}  // namespace atrium::media
