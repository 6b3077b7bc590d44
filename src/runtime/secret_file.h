// A key that lies in a file of its own, 64 hexadecimal digits, readable by its owner alone.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace atrium::runtime {

using SecretKey = std::array<uint8_t, 32>;

// nullopt: there is no such file.  Malformed: it holds something else.  Unavailable: it cannot be read.
Result<std::optional<SecretKey>> read_secret_key(const std::string& path);
// On the disk when it returns.  Conflict: the file is there already.
Result<void> write_secret_key(const std::string& path, const SecretKey& key);

}  // namespace atrium::runtime
