#include "adapters/openapi/quota.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"

namespace atrium::openapi {

Duration Quota::take(std::string_view owner, std::string_view action, uint32_t per_second,
                     Mono now) {
  DCHECK(per_second > 0);
  const Duration token = Duration(std::chrono::seconds(1)) / per_second;
  const std::pair key{std::string(owner), std::string(action)};
  auto found = full_at_.find(key);
  if (found == full_at_.end()) {
    if (full_at_.size() >= static_cast<size_t>(limits::kQuotaBucketsMax)) forget_full(now);
    if (full_at_.size() >= static_cast<size_t>(limits::kQuotaBucketsMax)) return token;
    found = full_at_.emplace(key, now).first;
  }
  const Mono full_at = std::max(found->second, now) + token;
  const Duration empty_for = full_at - now - token * per_second;
  if (empty_for > Duration::zero()) return empty_for;
  found->second = full_at;
  return Duration::zero();
}

// A bucket that is full says no more than one that does not exist.
void Quota::forget_full(Mono now) {
  std::erase_if(full_at_, [now](const auto& bucket) { return bucket.second <= now; });
}

}  // namespace atrium::openapi
