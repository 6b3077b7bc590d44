// `atriumctl room schedule`, `extend`, `cancel`, `schedules` and `atriumctl policy`: rooms that end later, after a
// countdown that their users see, or by themselves.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/atriumctl/commands.h"

namespace atrium::atriumctl {

enum class ScheduleVerb { None, Add, Extend, Cancel, List, SetPolicy, GetPolicy, ClearPolicy };

struct ScheduleCommand {
  ScheduleVerb verb = ScheduleVerb::None;
  std::string room{}, schedule{};            // which of them, as the verb has it
  std::string at{};                          // RFC 3339
  std::optional<int64_t> after_s{}, by_s{};  // of Add, of Extend
  bool refuse_joins = false;
  std::vector<int64_t> warn_before_s{};
  std::string if_session{}, reason{}, idempotency_key{};
  // of a policy; `at` is when it ends the room
  std::optional<int64_t> max_duration_s{}, idle_s{}, last_host_left_s{};
  std::vector<std::string> hosts{};
};

// TooLate: the room was already being dismissed; nothing was changed.
ExitCode run_schedule(const Settings& settings, const std::string& authority,
                      const ScheduleCommand& command, World& world);

}  // namespace atrium::atriumctl
