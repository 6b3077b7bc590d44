// A file of authorities that an operator trusts besides the system's, looked at before anything relies on it.
// Any thread.
#pragma once

#include <expected>
#include <string>

namespace atrium::runtime {

// At least one certificate in PEM, and none that does not parse.  The problem is one line that names the file.
std::expected<void, std::string> check_ca_file(const std::string& path);

}  // namespace atrium::runtime
