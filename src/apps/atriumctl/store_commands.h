// `atriumctl store`: a backup of a running server's store, the way back, and a look at a file.  Works on the files
// themselves, beside the daemon: no server is asked.
#pragma once

#include <string>

#include "apps/atriumctl/commands.h"

namespace atrium::atriumctl {

enum class StoreVerb { None, Backup, Restore, Check };

struct StoreCommand {
  StoreVerb verb = StoreVerb::None;
  std::string file{};  // the backup
  std::string data_dir = "data";
  bool force = false;  // a backup may overwrite
};

ExitCode run_store(Output output, const StoreCommand& command, World& world);

}  // namespace atrium::atriumctl
