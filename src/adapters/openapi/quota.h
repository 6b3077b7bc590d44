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
  size_t size() const { return size_; }  // buckets

 private:
  // Of a member that asked within the last second: an older one's bucket is full again, which says no more than none.
  struct Part {
    Mono full_at;
    Mono asked;  // when it last did
  };
  struct Whole {
    Mono full_at;
    std::map<std::string, Part, std::less<>> parts;  // by member
  };
  using Key = std::pair<std::string, std::string>;  // owner, action
  using KeyView = std::pair<std::string_view, std::string_view>;
  // So that what is there is found without making strings.
  struct Order {
    using is_transparent = void;
    bool operator()(const KeyView& a, const KeyView& b) const { return a < b; }
  };

  // Null when there are too many buckets.
  Whole* find(const KeyView& key, Mono now);
  Part* find_part(Whole& whole, std::string_view member, Mono now);
  // Whether there is room for so many more buckets, where need be after full ones were forgotten; not `kept`.
  bool has_room(size_t count, const Whole* kept, Mono now);
  void forget_idle_parts(Whole& whole, Mono now);

  std::map<Key, Whole, Order> wholes_;
  size_t size_ = 0;  // wholes and their parts
};

}  // namespace atrium::openapi
