// Where log lines go: spdlog to stderr, with time and level.
#pragma once

#include <string>

namespace atrium::atriumd {

void install_log_sink(const std::string& level);  // debug, info, warning, error
void set_log_level(const std::string& level);     // from now on

}  // namespace atrium::atriumd
