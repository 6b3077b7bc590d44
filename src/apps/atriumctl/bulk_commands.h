// `atriumctl room dismiss-many` and `dismiss-many-status`: many rooms ended by one call, and what became of each.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/atriumctl/commands.h"

namespace atrium::atriumctl {

enum class BulkVerb { None, Dismiss, Status };

struct BulkCommand {
  BulkVerb verb = BulkVerb::None;
  // Which rooms: whatever is given narrows it down.
  std::vector<std::string> rooms{};
  std::string prefix{};
  std::optional<int64_t> older_than_s{}, users_at_most{};
  bool all = false;  // every room of the app, said in so many words
  std::optional<int64_t> per_second{};
  std::string reason{}, idempotency_key{};
  bool dry_run = false;
  std::string operation{};  // of Status
};

ExitCode run_bulk(const Settings& settings, const std::string& authority,
                  const BulkCommand& command, World& world);

}  // namespace atrium::atriumctl
