// DeadlineHeap: which of many things is due first.  An indexed binary heap: each item has one deadline, moved in
// place.
// The item keeps its own position in `heap_index`.  No allocation once it has grown to the number of items.
// Cost: O(log n) per change, O(1) for the earliest.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/time.h"

namespace atrium::media {

inline constexpr size_t kNotInHeap = static_cast<size_t>(-1);

// T has `Mono deadline` and `size_t heap_index` (kNotInHeap at first), both owned by the heap.
template <typename T>
class DeadlineHeap {
 public:
  Mono earliest() const { return items_.empty() ? kNever : items_.front()->deadline; }
  T* front() const { return items_.empty() ? nullptr : items_.front(); }

  // kNever takes it out.
  void set(T& item, Mono deadline) {
    if (deadline == kNever) return remove(item);
    if (item.heap_index == kNotInHeap) {
      item.heap_index = items_.size();
      items_.push_back(&item);
    }
    item.deadline = deadline;
    sift_down(sift_up(item.heap_index));
  }
  // Only ever brings it forward.
  void bring_forward(T& item, Mono deadline) {
    if (item.heap_index == kNotInHeap || deadline < item.deadline) set(item, deadline);
  }
  void remove(T& item) {
    if (item.heap_index == kNotInHeap) return;
    const size_t hole = item.heap_index;
    T* last = items_.back();
    items_.pop_back();
    item.heap_index = kNotInHeap;
    item.deadline = kNever;
    if (last == &item) return;
    place(hole, last);
    sift_down(sift_up(hole));
  }

 private:
  void place(size_t index, T* item) {
    items_[index] = item;
    item->heap_index = index;
  }
  size_t sift_up(size_t index) {
    while (index > 0) {
      const size_t parent = (index - 1) / 2;
      if (items_[parent]->deadline <= items_[index]->deadline) break;
      exchange(parent, index);
      index = parent;
    }
    return index;
  }
  void sift_down(size_t index) {
    for (;;) {
      size_t least = index;
      for (size_t child : {2 * index + 1, 2 * index + 2})
        if (child < items_.size() && items_[child]->deadline < items_[least]->deadline) least = child;
      if (least == index) return;
      exchange(least, index);
      index = least;
    }
  }
  void exchange(size_t a, size_t b) {
    T* first = items_[a];
    place(a, items_[b]);
    place(b, first);
  }

  std::vector<T*> items_;
};

}  // namespace atrium::media
