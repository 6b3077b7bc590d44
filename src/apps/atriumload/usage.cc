#include "apps/atriumload/usage.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace atrium::load {
namespace {

namespace fs = std::filesystem;

struct Times {
  std::string name;
  uint64_t user_us = 0, system_us = 0, resident_bytes = 0;
};

// proc(5): the name stands in brackets and may hold anything; utime and stime are fields 14 and 15, rss is 24.
std::optional<Times> read_stat(const fs::path& path) {
  std::ifstream in(path);
  std::string text;
  if (!std::getline(in, text)) return std::nullopt;
  const size_t open = text.find('('), close = text.rfind(')');
  if (open == text.npos || close == text.npos) return std::nullopt;
  std::istringstream rest(text.substr(close + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field) rest >> skipped;
  uint64_t user = 0, system = 0, pages = 0;
  rest >> user >> system;
  for (int field = 16; field < 24; ++field) rest >> skipped;
  rest >> pages;
  const auto tick_us = 1'000'000u / static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
  return Times{text.substr(open + 1, close - open - 1), user * tick_us, system * tick_us,
               pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE))};
}

// schedstat counts in ns, where the kernel has it.
uint64_t thread_us(const fs::path& task, const Times& times) {
  std::ifstream in(task / "schedstat");
  uint64_t ns = 0;
  return in >> ns ? ns / 1'000 : times.user_us + times.system_us;
}

}  // namespace

std::optional<ProcessUsage> read_process(int pid) {
  const fs::path folder = fs::path("/proc") / std::to_string(pid);
  const auto all = read_stat(folder / "stat");
  if (!all) return std::nullopt;
  ProcessUsage usage{.user_us = all->user_us,
                     .system_us = all->system_us,
                     .resident_bytes = all->resident_bytes,
                     .thread_us = {}};
  std::error_code error;
  for (const auto& task : fs::directory_iterator(folder / "task", error))
    if (const auto times = read_stat(task.path() / "stat"))
      usage.thread_us[times->name] += thread_us(task.path(), *times);
  return usage;
}

ProcessUsage between(const ProcessUsage& from, const ProcessUsage& to) {
  ProcessUsage out{.user_us = to.user_us - from.user_us,
                   .system_us = to.system_us - from.system_us,
                   .resident_bytes = to.resident_bytes,
                   .thread_us = {}};
  for (const auto& [name, us] : to.thread_us) {
    const auto before = from.thread_us.find(name);
    out.thread_us[name] = us - (before == from.thread_us.end() ? 0 : std::min(before->second, us));
  }
  return out;
}

MachineUsage read_machine() {
  std::ifstream in("/proc/stat");
  std::string label;
  uint64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
  in >> label >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal;
  return {user + nice + system + irq + softirq + steal, idle + iowait};
}

}  // namespace atrium::load
