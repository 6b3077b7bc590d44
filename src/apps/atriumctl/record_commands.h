// `atriumctl events tail` and `audit list`: what happened in rooms and who asked for what, one line each, as JSON where
// that is asked for.
#pragma once

#include <string>

#include "apps/atriumctl/commands.h"

namespace atrium::atriumctl {

enum class RecordVerb { None, TailEvents, ListAudit };

struct RecordCommand {
  RecordVerb verb = RecordVerb::None;
  std::string since{}, until{};       // RFC 3339
  std::string room{}, after{};        // of events; after: a cursor
  bool follow = false;                // until World::is_interrupted
  std::string operation{}, action{};  // of the audit log
  bool all_apps = false;
};

ExitCode run_records(const Settings& settings, const std::string& authority,
                     const RecordCommand& command, World& world);

}  // namespace atrium::atriumctl
