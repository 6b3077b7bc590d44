// Quota: requests per second, per account and action (or per app and action).  Token buckets that
// hold one second's worth, kept as the time at which each would be full again.  Within an account
// each app that called in the last second is sure of an equal part of the rate, whatever the others
// do; what they leave is anybody's.  Owner: Gateway.  Bounded by kQuotaBucketsMax.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.h"

namespace atrium::openapi {

class Quota {
 public:
  // Takes one token.  0: there was one; otherwise the time until there is one, which was not taken.
  // `member`: the app that calls, where `owner` is an account of several.
  Duration take(std::string_view owner, std::string_view member, std::string_view action,
                uint32_t per_second, Mono now);
  size_t size() const { return full_at_.size(); }

 private:
  using Key = std::pair<std::string, std::string>;
  // The bucket's entry; null when there are too many.
  Mono* find(Key key, Mono now);
  void forget_full(Mono now);
  // How many members of `owner` asked for the action in the last second, this one included.
  int64_t count_active(const Key& key, std::string_view member, Mono now);

  std::map<Key, Mono> full_at_;
  std::map<Key, std::map<std::string, Mono, std::less<>>> last_asked_;  // by owner, then member
};

}  // namespace atrium::openapi
