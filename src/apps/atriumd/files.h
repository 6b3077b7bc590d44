// Reads the files that the daemon serves into memory at start: no file I/O while calls run.
#pragma once

#include <expected>
#include <map>
#include <string>

#include "node/config.h"

namespace atrium::atriumd {

// Every regular file under `directory` by its path ("/demo/demo.js"), and "/demo/" for a folder's index.html.
// Bounded: 1,000 files, 32 MiB.  The error is one line for the operator.
std::expected<std::map<std::string, node::StaticFile>, std::string> read_files(
    const std::string& directory);

}  // namespace atrium::atriumd
