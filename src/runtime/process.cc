#include "runtime/process.h"

#include <dirent.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "runtime/sockaddr.h"

namespace atrium::runtime {
namespace {

bool is_link_local(const IpAddress& ip) {
  if (ip.is_v6)
    return ip.bytes[0] == 0xfe && (ip.bytes[1] & 0xc0) == 0x80;  // RFC 4291 section 2.5.6
  return ip.bytes[0] == 169 && ip.bytes[1] == 254;               // RFC 3927
}

uint64_t count_open_descriptors() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  uint64_t count = 0;
  while (const dirent* entry = ::readdir(folder))
    if (entry->d_name[0] != '.') ++count;
  ::closedir(folder);
  return count - 1;  // without the folder's own
}

uint64_t read_resident_bytes() {
  FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long long total = 0, resident = 0;
  const int fields = std::fscanf(file, "%llu %llu", &total, &resident);
  std::fclose(file);
  return fields == 2 ? resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

uint64_t microseconds(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
}

}  // namespace

Result<uint64_t> raise_open_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return fail(ErrorKind::Unavailable, "getrlimit(RLIMIT_NOFILE)");
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
      return fail(ErrorKind::Unavailable, "setrlimit(RLIMIT_NOFILE)");
  }
  return limit.rlim_cur;
}

Result<std::vector<IpAddress>> local_addresses(Loopback loopback) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return fail(ErrorKind::Unavailable, "getifaddrs");
  std::vector<IpAddress> out;
  for (const ifaddrs* at = first; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || (at->ifa_flags & IFF_UP) == 0) continue;
    const auto address = from_sockaddr(at->ifa_addr);
    if (!address || address->ip.is_loopback() || is_link_local(address->ip)) continue;
    out.push_back(address->ip);
  }
  ::freeifaddrs(first);
  std::sort(out.begin(), out.end());  // is_v6 is the first member: IPv4 comes first
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (loopback == Loopback::Include) out.push_back(*IpAddress::parse("127.0.0.1"));
  return out;
}

ProcessFigures process_figures() {
  ProcessFigures out;
  out.open_descriptors = count_open_descriptors();
  out.resident_bytes = read_resident_bytes();
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0)
    out.cpu_us = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
  return out;
}

void ignore_broken_pipes() {
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace atrium::runtime
