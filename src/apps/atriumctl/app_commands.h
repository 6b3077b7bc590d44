// `atriumctl app`: applications of the account.  Keys and secrets are read from files or standard input, never from the
// command line, which others on the machine can see.
#pragma once

#include <string>

#include "apps/atriumctl/commands.h"

namespace atrium::atriumctl {

enum class AppVerb { None, Create, List, Show, Enable, Disable, Update, AddKey, DeleteKey };

struct AppCommand {
  AppVerb verb = AppVerb::None;
  std::string app{};   // AppId; of create: one to bring along
  std::string name{};  // of create and update
  std::string ids{};   // any, vendor
  std::string api_key{};
  std::string app_key_file{}, secondary_app_key_file{}, secret_file{};  // "-": standard input
  bool show_keys = false;
  bool management = false;  // of a new API key
};

ExitCode run_app(const Settings& settings, const std::string& authority, const AppCommand& command,
                 World& world);

}  // namespace atrium::atriumctl
