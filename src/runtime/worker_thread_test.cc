#include "runtime/worker_thread.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <semaphore>
#include <thread>
#include <vector>

#include "runtime/clock.h"
#include "runtime/process.h"
#include "runtime/spsc_ring.h"

namespace atrium::runtime {
namespace {

// Lives on the worker's thread between start and stop; looked at by the test after stop.
struct Recorder final : node::WorkerHandler {
  void on_wake(Now) override {
    ++wakes;
    int value = 0;
    while (ring != nullptr && ring->try_pop(value)) taken.push_back(value);
    if (wakes == 1) started.release();
  }
  void on_deadline(Now now) override {
    fired_at = now.mono;
    deadline = kNever;
    fired.release();
  }
  Mono next_deadline() const override { return deadline; }

  SpscRing<int>* ring = nullptr;
  std::vector<int> taken;
  int wakes = 0;
  Mono deadline = kNever, fired_at{};
  std::binary_semaphore started{0}, fired{0};
};

TEST(WorkerThread, has_the_policy_that_its_wakes_ask_for) {
  struct Policy final : node::WorkerHandler {
    void on_wake(Now) override { seen = ::sched_getscheduler(0); }
    void on_deadline(Now) override {}
    Mono next_deadline() const override { return kNever; }
    int seen = -1;
  };
  if (::sched_getscheduler(0) != SCHED_OTHER) GTEST_SKIP() << "run under a policy of its own";
  int batch = SCHED_BATCH;
  std::thread([&batch] {
    const sched_param no_priority{};
    if (::sched_setscheduler(0, SCHED_BATCH, &no_priority) != 0) batch = SCHED_OTHER;  // forbidden
  }).join();
  for (const auto& [wakes, expected] : {std::pair(WorkerThread::Wakes::AtOnce, SCHED_OTHER),
                                        std::pair(WorkerThread::Wakes::InTurn, batch)}) {
    Policy policy;
    WorkerThread worker("test-worker", wakes);
    worker.start(policy);
    worker.stop();
    EXPECT_EQ(policy.seen, expected);
  }
}

TEST(WorkerThread, takes_what_was_sent_before_stop) {
  WorkerThread worker("test-worker");
  SpscRing<int> ring(128);
  RingSender<int> sender(ring, worker.waker());
  Recorder recorder;
  recorder.ring = &ring;
  worker.start(recorder);
  for (int i = 0; i < 100; ++i) {
    int value = i;
    ASSERT_TRUE(sender.try_send(value));
  }
  worker.stop();
  ASSERT_EQ(recorder.taken.size(), 100u);
  EXPECT_EQ(recorder.taken.back(), 99);
}

// A stop that comes while the worker takes an earlier wake must not be lost.  Many rounds, each with the stop
// a little later than the one before, for the window is narrow.
TEST(WorkerThread, ends_however_a_wake_and_the_stop_meet) {
  for (int round = 0; round < 5000; ++round) {
    WorkerThread worker("test-worker");
    SpscRing<int> ring(4);
    RingSender<int> sender(ring, worker.waker());
    Recorder recorder;
    recorder.ring = &ring;
    worker.start(recorder);
    recorder.started.acquire();
    int value = round;
    ASSERT_TRUE(sender.try_send(value));
    for (std::atomic<int> spins = round; spins > 0;) --spins;
    worker.stop();
    ASSERT_EQ(recorder.taken, std::vector{round});
  }
}

TEST(WorkerThread, calls_at_its_deadline_and_not_before) {
  WorkerThread worker("test-worker");
  Recorder recorder;
  const Mono wanted = read_clock().mono + 20ms;
  recorder.deadline = wanted;
  worker.start(recorder);
  recorder.fired.acquire();
  worker.stop();
  EXPECT_GE(recorder.fired_at, wanted);
}

TEST(WorkerThread, is_stopped_twice_or_never_started_without_harm) {
  WorkerThread never("never");
  never.stop();
  WorkerThread worker("twice");
  Recorder recorder;
  worker.start(recorder);
  recorder.started.acquire();
  worker.stop();
  worker.stop();
}

TEST(EventWaker, joins_wakes_that_nobody_has_seen) {
  EventWaker waker;
  waker.wake();
  waker.wake();
  waker.acknowledge();
  waker.wake();  // after an acknowledgement the next wake is a new one
  waker.acknowledge();
}

TEST(Clock, goes_forwards_and_knows_the_year) {
  const Now first = read_clock(), second = read_clock();
  EXPECT_LE(first.mono, second.mono);
  EXPECT_GT(unix_s(first.wall), 1'700'000'000);
}

TEST(Process, names_addresses_that_media_can_be_sent_to) {
  const auto with = local_addresses(Loopback::Include);
  ASSERT_TRUE(with.has_value());
  ASSERT_FALSE(with->empty());
  EXPECT_EQ(with->back().text(), "127.0.0.1");
  const auto without = local_addresses(Loopback::Leave);
  ASSERT_TRUE(without.has_value());
  EXPECT_EQ(without->size() + 1, with->size());
  for (const IpAddress& address : *without) EXPECT_FALSE(address.is_loopback()) << address.text();
}

TEST(Process, counts_descriptors_and_bytes_of_its_own) {
  const ProcessFigures before = process_figures();
  EventWaker one_more;
  EXPECT_EQ(process_figures().open_descriptors, before.open_descriptors + 1);
  EXPECT_GT(before.resident_bytes, 0u);
  EXPECT_TRUE(raise_open_file_limit().has_value());
}

}  // namespace
}  // namespace atrium::runtime
