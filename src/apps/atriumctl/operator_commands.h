// `atriumctl reload` and `drain`: what is asked of the operator's listener, which is plain HTTP on the server's own
// host and wants no signature.
#pragma once

#include <string>

#include "apps/atriumctl/commands.h"

namespace atrium::atriumctl {

enum class OperatorVerb { None, Reload, StartDrain, StopDrain };

struct OperatorCommand {
  OperatorVerb verb = OperatorVerb::None;
  std::string url = "http://127.0.0.1:7889";
};

// `world.exchange` reaches `command.url`; `authority` is what goes into Host.
ExitCode run_operator(Output output, const std::string& authority, const OperatorCommand& command,
                      World& world);

}  // namespace atrium::atriumctl
