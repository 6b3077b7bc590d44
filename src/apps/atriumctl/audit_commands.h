// `atriumctl audit verify`: whether the audit log in a server's store is what the server wrote.  Works on the files
// themselves, beside the daemon: no server is asked, and none need be trusted.
#pragma once

#include <string>
#include <vector>

#include "apps/atriumctl/commands.h"

namespace atrium::atriumctl {

enum class AuditVerb { None, Verify };

struct AuditCommand {
  AuditVerb verb = AuditVerb::None;
  std::string data_dir = "data";
  std::string key_file{};                  // empty: audit.key in the data directory
  std::vector<std::string> checkpoints{};  // files; none: audit.checkpoints in the data directory
};

// Ok: intact.  Tampered: a record or a checkpoint is not as it was written.  Refused: something could not be read.
ExitCode run_audit(Output output, const AuditCommand& command, World& world);

}  // namespace atrium::atriumctl
