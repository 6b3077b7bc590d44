// `atriumctl webhook`: where an app's events are sent, and what became of those that could not be delivered.  A secret
// is read from a file or standard input.
#pragma once

#include <string>
#include <vector>

#include "apps/atriumctl/commands.h"

namespace atrium::atriumctl {

enum class WebhookVerb { None, Add, List, Update, Remove, Test, Dead, Redrive };

struct WebhookCommand {
  WebhookVerb verb = WebhookVerb::None;
  std::string webhook{};  // WH_…; not of Add and List
  std::string url{}, dialect{}, secret_file{}, api_key{}, business{};
  std::vector<std::string> events{};  // none: all, or those of before
  bool all_events = false;            // of Update
  bool enable = false, disable = false;
  std::string event{};  // of Redrive: this alone
};

// Refused also when a test was not delivered.
ExitCode run_webhook(const Settings& settings, const std::string& authority,
                     const WebhookCommand& command, World& world);

}  // namespace atrium::atriumctl
