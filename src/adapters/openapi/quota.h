// Quota: requests per second, per account and action (or per app and action).  Token buckets that
// hold one second's worth, kept as the time at which each would be full again.  Within an account
// each app that called in the last second is sure of an equal part of the rate, whatever the others
// do; what they leave is anybody's.  Owner: Gateway.  Bounded by kQuotaBucketsMax.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

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
  // Member or kWhole, owner, action: what differs most comes first.
  using Key = std::tuple<std::string, std::string, std::string>;
  using KeyView = std::tuple<std::string_view, std::string_view, std::string_view>;
  // So that what is there is found without making strings.
  struct Order {
    using is_transparent = void;
    bool operator()(const KeyView& a, const KeyView& b) const { return a < b; }
  };

  // The bucket's entry; null when there are too many.
  Mono* find(const KeyView& key, Mono now);
  void forget_full(Mono now);
  // How many members of `whole` asked for the action in the last second, this one included.
  int64_t count_active(const KeyView& whole, std::string_view member, Mono now);

  std::map<Key, Mono, Order> full_at_;
  std::map<Key, std::map<std::string, Mono, std::less<>>, Order>
      last_asked_;  // by whole, then member
};

}  // namespace atrium::openapi
