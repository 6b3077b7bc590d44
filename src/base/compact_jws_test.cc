#include "base/compact_jws.h"

#include <gtest/gtest.h>

namespace atrium {
namespace {

// The well-known example token of jwt.io: header, claims and secret as published there.
TEST(CompactJws, is_what_other_libraries_write) {
  EXPECT_EQ(hs256_compact(R"({"sub":"1234567890","name":"John Doe","iat":1516239022})",
                          "your-256-bit-secret"),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
            "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ."
            "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c");
}

}  // namespace
}  // namespace atrium
