#include "adapters/openapi/quota.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"

namespace atrium::openapi {
namespace {

constexpr std::string_view kWhole = "\n";  // in place of a member, whose id has no line feed
constexpr Duration kDepth = std::chrono::seconds(1);  // what a full bucket holds

// How long until the bucket has a token that is worth `token` of its time; 0: it has one now.
Duration wait_for(Mono full_at, Duration token, Mono now) {
  return std::max(Duration::zero(), std::max(full_at, now) + token - now - kDepth);
}

}  // namespace

Mono* Quota::find(const KeyView& key, Mono now) {
  auto found = full_at_.find(key);
  if (found != full_at_.end()) return &found->second;
  if (full_at_.size() >= static_cast<size_t>(limits::kQuotaBucketsMax)) forget_full(now);
  if (full_at_.size() >= static_cast<size_t>(limits::kQuotaBucketsMax)) return nullptr;
  return &full_at_.emplace(Key(key), now).first->second;
}

int64_t Quota::count_active(const KeyView& whole, std::string_view member, Mono now) {
  auto known = last_asked_.find(whole);
  if (known == last_asked_.end()) known = last_asked_.try_emplace(Key(whole)).first;
  auto& members = known->second;
  std::erase_if(members, [now](const auto& one) { return one.second + kDepth <= now; });
  if (const auto active = members.find(member); active != members.end())
    active->second = now;
  else
    members.emplace(member, now);
  return static_cast<int64_t>(members.size());
}

Duration Quota::take(std::string_view owner, std::string_view member, std::string_view action,
                     uint32_t per_second, Mono now) {
  DCHECK(per_second > 0);
  const Duration token = kDepth / per_second;
  const KeyView key{kWhole, owner, action};
  // Elements of a map stay where they are while others come.
  Mono* whole = find(key, now);
  Mono* part = find({member, owner, action}, now);
  if (whole == nullptr || part == nullptr) return token;
  const Duration share_token = token * count_active(key, member, now);
  const Duration share_wait = wait_for(*part, share_token, now);
  const Duration whole_wait = wait_for(*whole, token, now);
  if (share_wait > Duration::zero() && whole_wait > Duration::zero())
    return std::min(share_wait, whole_wait);
  // What a member takes of its own part is missing from the whole, at most one second's worth of debt.
  if (share_wait == Duration::zero()) *part = std::max(*part, now) + share_token;
  *whole = std::min(std::max(*whole, now) + token, now + 2 * kDepth);
  return Duration::zero();
}

// A bucket that is full says no more than one that does not exist.
void Quota::forget_full(Mono now) {
  std::erase_if(full_at_, [now](const auto& bucket) { return bucket.second <= now; });
  std::erase_if(last_asked_, [this](const auto& one) { return !full_at_.contains(one.first); });
}

}  // namespace atrium::openapi
