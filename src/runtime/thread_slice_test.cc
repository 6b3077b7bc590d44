#include "runtime/thread_slice.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <thread>

namespace atrium::runtime {
namespace {

// What sched_getattr(2) says: policy in the first eight bytes, nice in the third, the slice in the fourth.
using Attributes = std::array<uint64_t, 6>;
Attributes own_attributes() {
  Attributes out{};
  EXPECT_EQ(::syscall(SYS_sched_getattr, 0, out.data(), sizeof out, 0), 0);
  return out;
}

TEST(ThreadSlice, is_the_shortest_for_the_thread_that_asked_and_nothing_else_changes) {
  const Attributes before = own_attributes();
  Attributes asked{};
  std::thread([&] {
    ask_for_short_slice();
    asked = own_attributes();
  }).join();
  EXPECT_EQ(own_attributes(), before) << "other threads keep theirs";
  // A kernel without slices of one's own shows none.
  if (before[3] == 0) GTEST_SKIP() << "this kernel takes no wish";
  EXPECT_EQ(asked[3], 100'000u);
  asked[3] = before[3];
  EXPECT_EQ(asked, before);
}

}  // namespace
}  // namespace atrium::runtime
