// bans_bench [rules] [lookups]: puts rules of every scope in force, in equal parts, then looks people up who are not
// banned, which is the longest way through.  It prints the bytes of heap that a rule costs and the lookups that it
// made; it reads no clock: run it under `perf stat` or callgrind, with and without lookups.  Exit code 1: a rule of its
// own did not hold.
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>

#include "domain/bans.h"

namespace {
size_t bytes_held = 0;
}  // namespace

void* operator new(size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  bytes_held += malloc_usable_size(memory);
  return memory;
}
void operator delete(void* memory) noexcept {
  bytes_held -= malloc_usable_size(memory);
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  operator delete(memory);
}

namespace atrium::domain {
namespace {

const AppId kApp("a7e100000000000000000001");

BanTarget target_of(uint32_t number) {
  const std::string name = "name-of-twenty-" + std::to_string(number);
  switch (number % 4) {
    case 0:
      return {.room = RoomId(name), .user = {}, .ip = {}};
    case 1:
      return {.room = RoomId(name), .user = UserId(name), .ip = {}};
    case 2:
      return {.room = {}, .user = UserId(name), .ip = {}};
    default: {
      IpAddress address;
      for (size_t i = 0; i < 4; ++i) address.bytes[i] = static_cast<uint8_t>(number >> (8 * i));
      return {.room = {}, .user = {}, .ip = IpPrefix::of(address, number % 8 == 3 ? 32 : 24)};
    }
  }
}

int run(uint32_t rules, uint32_t lookups) {
  const size_t before = bytes_held;
  Bans bans;
  for (uint32_t i = 0; i < rules; ++i)
    bans.put({.id = BanId("BN_" + std::to_string(10'000'000'000'000'000 + i)),
              .app = kApp,
              .target = target_of(i),
              .operator_id = {},
              .reason = {},
              .created_at = {},
              .expires_at = Wall(std::chrono::seconds(i))},
             Mono(std::chrono::seconds(i)));
  const size_t held = bytes_held - before;
  Joiner joiner;
  joiner.app = kApp;
  joiner.address = IpAddress::parse("203.0.113.7");
  uint32_t refused = 0;
  for (uint32_t i = 0; i < lookups; ++i) {
    joiner.room = RoomId("another room " + std::to_string(i));
    joiner.user = UserId("another user " + std::to_string(i));
    refused += bans.match(joiner) ? 1 : 0;
  }
  std::printf("%zu rules, %zu bytes a rule; %u lookups, %u refused\n", bans.size(),
              held / bans.size(), lookups, refused);
  joiner.room = RoomId("name-of-twenty-0");
  return bans.match(joiner) && refused == 0 ? 0 : 1;
}

}  // namespace
}  // namespace atrium::domain

int main(int argc, char** argv) {
  const auto number = [&](int index, uint32_t otherwise) {
    return argc > index ? static_cast<uint32_t>(std::strtoul(argv[index], nullptr, 10)) : otherwise;
  };
  return atrium::domain::run(number(1, 10'000), number(2, 10'000));
}
