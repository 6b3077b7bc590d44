#include "runtime/outgoing_queue.h"

#include <gtest/gtest.h>

#include <array>

namespace atrium::runtime {
namespace {

std::shared_ptr<const std::string> shared(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

std::string gathered(const OutgoingQueue& queue) {
  std::array<iovec, 64> parts;
  std::string out;
  const size_t count = queue.gather(parts);
  for (size_t i = 0; i < count; ++i)
    out.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  return out;
}

TEST(OutgoingQueue, gives_own_and_shared_bytes_in_order) {
  OutgoingQueue queue;
  queue.push("a");
  queue.push("b", shared("c"));
  queue.push("", shared("d"));
  queue.push("");
  queue.push("e");
  EXPECT_EQ(queue.bytes(), 5u);
  EXPECT_EQ(gathered(queue), "abcde");
}

TEST(OutgoingQueue, goes_on_where_a_write_ended_at_every_place) {
  for (size_t cut = 0; cut <= 8; ++cut) {
    OutgoingQueue queue;
    queue.push("12", shared("345"));
    queue.push("", shared("67"));
    queue.push("8");
    queue.consume(cut);
    EXPECT_EQ(gathered(queue), std::string("12345678").substr(cut));
    EXPECT_EQ(queue.bytes(), 8 - cut);
    queue.push("9");
    std::array<char, 3> out;
    std::string all;
    while (const size_t size = queue.take(out)) all.append(out.data(), size);
    EXPECT_EQ(all, std::string("123456789").substr(cut));
    EXPECT_TRUE(queue.empty());
  }
}

TEST(OutgoingQueue, keeps_order_over_thousands_of_pieces) {
  OutgoingQueue queue;
  std::string pushed, taken;
  std::array<char, 700> out;
  for (int i = 0; i < 5'000; ++i) {
    const std::string text = std::to_string(i) + ",";
    pushed += text;
    queue.push("", shared(text));
    if (i % 7 == 0) taken.append(out.data(), queue.take(std::span(out).first(20)));
  }
  while (const size_t size = queue.take(out)) taken.append(out.data(), size);
  EXPECT_EQ(taken, pushed);
}

}  // namespace
}  // namespace atrium::runtime
