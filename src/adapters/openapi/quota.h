// Quota: requests per second, per account and action (or per app and action).  Token buckets that
// hold one second's worth, kept as the time at which each would be full again.  Owner: Gateway.
// Bounded by kQuotaBucketsMax.
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
  Duration take(std::string_view owner, std::string_view action, uint32_t per_second, Mono now);
  size_t size() const { return full_at_.size(); }

 private:
  void forget_full(Mono now);

  std::map<std::pair<std::string, std::string>, Mono> full_at_;
};

}  // namespace atrium::openapi
