#include "apps/atriumload/run_state.h"

#include <algorithm>
#include <filesystem>

#include "runtime/process.h"

namespace atrium::load {

Destinations::Destinations(bool is_everywhere)
    : is_everywhere_(is_everywhere || is_in_own_namespace()) {
  if (auto own = runtime::local_addresses(runtime::Loopback::Include)) own_ = std::move(*own);
}

bool Destinations::permits(const IpAddress& ip) const {
  return is_everywhere_ || ip.is_loopback() || std::ranges::find(own_, ip) != own_.end();
}

bool Destinations::is_in_own_namespace() {
  std::error_code error;
  const auto own = std::filesystem::read_symlink("/proc/self/ns/net", error);
  if (error) return false;
  const auto first = std::filesystem::read_symlink("/proc/1/ns/net", error);
  return !error && own != first;
}

}  // namespace atrium::load
