// SpscRing: a bounded queue of values between exactly one sending and one receiving thread, without locks.
// RingSender and RingReceiver show one end each as the node's ports; RingChannel owns a ring and both ends.
// Cost: one release store per push or pop; the other side's index is read only when the cached one says full or empty.
// Does not: grow, block, or allow a second thread on the same end.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "node/ports.h"

namespace atrium::runtime {

template <typename T>
class SpscRing {
  static_assert(std::is_nothrow_move_constructible_v<T>, "a value must not be lost half-way");

 public:
  // Room for at least `capacity` (>= 1) values; rounded up to a power of two.
  explicit SpscRing(size_t capacity)
      : mask_(std::bit_ceil(capacity) - 1), slots_(std::make_unique<Slot[]>(mask_ + 1)) {
    CHECK(capacity >= 1);
  }
  SpscRing(const SpscRing&) = delete;
  SpscRing& operator=(const SpscRing&) = delete;
  // Both threads must have ended or have been joined.
  ~SpscRing() {
    for (size_t i = head_.load(); i != tail_.load(); ++i) std::destroy_at(value(i));
  }

  // Sending thread.  Moves from `value` on success; on false (full) it is untouched.
  bool try_push(T& item) {
    const size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - cached_head_ > mask_) {
      cached_head_ = head_.load(std::memory_order_acquire);
      if (tail - cached_head_ > mask_) return false;
    }
    std::construct_at(raw(tail), std::move(item));
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // Receiving thread.  False when empty; then `out` is untouched.
  bool try_pop(T& out) {
    const size_t head = head_.load(std::memory_order_relaxed);
    if (head == cached_tail_) {
      cached_tail_ = tail_.load(std::memory_order_acquire);
      if (head == cached_tail_) return false;
    }
    T* item = value(head);
    out = std::move(*item);
    std::destroy_at(item);
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  size_t capacity() const { return mask_ + 1; }
  // How many values wait; exact on neither thread, good for a gauge.
  size_t approximate_size() const {
    const size_t head = head_.load(std::memory_order_acquire);
    return tail_.load(std::memory_order_acquire) - head;
  }

 private:
  struct Slot {
    alignas(T) std::byte bytes[sizeof(T)];
  };
  T* raw(size_t index) { return reinterpret_cast<T*>(slots_[index & mask_].bytes); }
  T* value(size_t index) { return std::launder(raw(index)); }

  // given
  const size_t mask_;
  // owned
  std::unique_ptr<Slot[]> slots_;
  // sender's cache line: where it writes, and how far it last saw the receiver
  alignas(64) std::atomic<size_t> tail_{0};
  size_t cached_head_ = 0;
  // receiver's cache line
  alignas(64) std::atomic<size_t> head_{0};
  size_t cached_tail_ = 0;
};

template <typename T>
class RingSender final : public node::Sender<T> {
 public:
  RingSender(SpscRing<T>& ring, node::Waker& receiver) : ring_(ring), receiver_(receiver) {}
  bool try_send(T& value) override {
    if (!ring_.try_push(value)) return false;
    receiver_.wake();
    return true;
  }

 private:
  SpscRing<T>& ring_;
  node::Waker& receiver_;
};

template <typename T>
class RingReceiver final : public node::Receiver<T> {
 public:
  explicit RingReceiver(SpscRing<T>& ring) : ring_(ring) {}
  bool try_receive(T& out) override { return ring_.try_pop(out); }

 private:
  SpscRing<T>& ring_;
};

// One direction between two threads: give `sender` to the one, `receiver` to the other.  Must outlive both threads.
template <typename T>
class RingChannel {
 public:
  RingChannel(size_t capacity, node::Waker& receiving_thread)
      : ring(capacity), sender(ring, receiving_thread), receiver(ring) {}

  SpscRing<T> ring;
  RingSender<T> sender;
  RingReceiver<T> receiver;
};

}  // namespace atrium::runtime
