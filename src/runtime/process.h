// What the process asks of the kernel about itself.  Control thread, at start and for /metrics.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/socket_address.h"

namespace atrium::runtime {

// Lifts the soft limit of open files to the hard one; yields the limit in force.
Result<uint64_t> raise_open_file_limit();

enum class Loopback : uint8_t { Leave, Include };
// Addresses of interfaces that are up, for media candidates: no loopback (unless asked: then 127.0.0.1 comes last), no
// link-local, no duplicates; IPv4 before IPv6.
Result<std::vector<IpAddress>> local_addresses(Loopback loopback);

struct ProcessFigures {
  uint64_t open_descriptors = 0;
  uint64_t resident_bytes = 0;
  uint64_t cpu_us = 0;  // user and system together
};
// Zeros where /proc cannot be read.
ProcessFigures process_figures();

// Writes to closed sockets are errors, not signals.
void ignore_broken_pipes();

}  // namespace atrium::runtime
