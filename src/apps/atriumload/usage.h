// CPU time of a process, of its threads and of the machine, as /proc tells.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace atrium::load {

struct ProcessUsage {
  uint64_t user_us = 0, system_us = 0;
  uint64_t resident_bytes = 0;
  std::map<std::string, uint64_t>
      thread_us;  // by name, user and system; threads of one name together
};
// nullopt: there is no such process, or it may not be looked at.
std::optional<ProcessUsage> read_process(int pid);
// What was used between two readings; resident_bytes are those of `to`.
ProcessUsage between(const ProcessUsage& from, const ProcessUsage& to);

struct MachineUsage {
  uint64_t busy = 0, idle = 0;  // ticks of all processors together
};
MachineUsage read_machine();

}  // namespace atrium::load
