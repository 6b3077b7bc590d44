#include "adapters/openapi/quota.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"

namespace atrium::openapi {
namespace {

constexpr Duration kDepth = std::chrono::seconds(1);  // what a full bucket holds

// How long until the bucket has a token that is worth `token` of its time; 0: it has one now.
Duration wait_for(Mono full_at, Duration token, Mono now) {
  return std::max(Duration::zero(), std::max(full_at, now) + token - now - kDepth);
}

}  // namespace

void Quota::forget_idle_parts(Whole& whole, Mono now) {
  size_ -= std::erase_if(whole.parts,
                         [now](const auto& part) { return part.second.asked + kDepth <= now; });
}

bool Quota::has_room(size_t count, const Whole* kept, Mono now) {
  constexpr auto kMax = static_cast<size_t>(limits::kQuotaBucketsMax);
  if (size_ + count <= kMax) return true;
  for (auto& [key, whole] : wholes_) forget_idle_parts(whole, now);
  size_ -= std::erase_if(wholes_, [&](const auto& one) {
    const Whole& whole = one.second;
    return &whole != kept && whole.parts.empty() && whole.full_at <= now;
  });
  return size_ + count <= kMax;
}

Quota::Whole* Quota::find(const KeyView& key, Mono now) {
  if (const auto found = wholes_.find(key); found != wholes_.end()) return &found->second;
  if (!has_room(2, nullptr, now)) return nullptr;  // itself and its first part
  ++size_;
  return &wholes_.emplace(Key(key), Whole{now, {}}).first->second;
}

Quota::Part* Quota::find_part(Whole& whole, std::string_view member, Mono now) {
  forget_idle_parts(whole, now);
  const auto found = whole.parts.find(member);
  if (found != whole.parts.end()) return &found->second;
  if (!has_room(1, &whole, now)) return nullptr;
  ++size_;
  return &whole.parts.emplace(member, Part{now, now}).first->second;
}

Duration Quota::take(std::string_view owner, std::string_view member, std::string_view action,
                     uint32_t per_second, Mono now) {
  DCHECK(per_second > 0);
  const Duration token = kDepth / per_second;
  Whole* whole = find({owner, action}, now);
  Part* part = whole == nullptr ? nullptr : find_part(*whole, member, now);
  if (part == nullptr) return token;
  part->asked = now;
  const Duration share_token = token * static_cast<int64_t>(whole->parts.size());
  const Duration share_wait = wait_for(part->full_at, share_token, now);
  const Duration whole_wait = wait_for(whole->full_at, token, now);
  if (share_wait > Duration::zero() && whole_wait > Duration::zero())
    return std::min(share_wait, whole_wait);
  // What a member takes of its own part is missing from the whole, at most one second's worth of debt.
  if (share_wait == Duration::zero()) part->full_at = std::max(part->full_at, now) + share_token;
  whole->full_at = std::min(std::max(whole->full_at, now) + token, now + 2 * kDepth);
  return Duration::zero();
}

}  // namespace atrium::openapi
