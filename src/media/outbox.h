// Outbox: datagrams made since the last drain, in one arena, then grouped into runs per peer, which leave in pieces.
// Owner: EngineState.  Thread: its shard.  Memory: fixed at creation; nothing is allocated while packets flow.
// Bytes that were handed out stay valid until clear().
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "media/engine.h"

namespace atrium::media {

struct Transport;

enum class OutKind : uint8_t {
  Media,    // RTP, original or retransmitted
  Control,  // STUN, DTLS (with SCTP in it), RTCP
};

class Outbox {
 public:
  Outbox();

  // Room for a datagram of at most `bytes`; empty when there is none.  Valid until the next reserve or clear.
  ByteSpan reserve(size_t bytes);
  // The first `bytes` of what was reserved last leave for `path`.  `owner` may be null (nobody's: an answer to a
  // stranger).
  void commit(size_t bytes, const FiveTuple& path, OutKind kind, Transport* owner);

  // Takes back what `is_unwanted(owner, kind)`, before it is handed out; yields how many.
  template <typename Predicate>
  size_t discard_if(Predicate is_unwanted) {
    size_t count = 0;
    for (Entry& entry : entries_) {
      if (entry.size == 0 || !is_unwanted(entry.owner, entry.kind)) continue;
      entry.size = 0;
      entry.owner = nullptr;
      ++count;
    }
    return count;
  }

  // The next runs, of at least `datagrams_max` datagrams where there are as many; everything to one peer that was there
  // when the first of them were taken is in one run.  `on_leaving(owner, kind, bytes)` is called once per datagram.
  // Until the last ones are taken more may be committed or discarded.  Valid until the next call.
  template <typename Visitor>
  std::span<const SendRun> hand_out(size_t datagrams_max, Visitor on_leaving) {
    runs_.clear();
    views_.clear();
    if (next_chain_ == chains_.size()) chain_up();
    while (next_chain_ < chains_.size() && views_.size() < datagrams_max) {
      const uint32_t first = chains_[next_chain_++];
      for (uint32_t i = first; i != kNone; i = entries_[i].next)
        if (const Entry& entry = entries_[i]; entry.size > 0)
          on_leaving(entry.owner, entry.kind, size_t{entry.size});
      take_chain(first);
    }
    return runs_;
  }
  bool is_handed_out() const {
    return chained_ == entries_.size() && next_chain_ == chains_.size();
  }
  void clear();

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Entry {
    FiveTuple path;
    uint32_t at = 0, size = 0;  // size 0 = taken back, or handed out
    uint32_t next = kNone;      // next one to the same owner
    OutKind kind = OutKind::Control;
    Transport* owner = nullptr;
  };
  void chain_up();
  void take_chain(uint32_t first);
  ByteView bytes_of(const Entry& entry) const {
    return ByteView(arena_).subspan(entry.at, entry.size);
  }

  std::vector<uint8_t> arena_;
  size_t used_ = 0;
  std::vector<Entry> entries_;
  std::vector<uint32_t> chains_;  // first entry of each owner, in order of first use
  size_t chained_ = 0;            // entries that are in a chain
  size_t next_chain_ = 0;         // to be handed out
  std::vector<ByteView> views_;
  std::vector<SendRun> runs_;
};

}  // namespace atrium::media
