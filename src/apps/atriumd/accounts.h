// Accounts and their access keys, as the configuration gives them.  Secrets lie in files of their own.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "adapters/openapi/action.h"

namespace atrium::atriumd {

// One access key before its secret was read.
struct KeySetting {
  std::string account;
  std::string access_key;
  std::string secret_file;
  std::vector<std::string> scopes;
};

// "id=school,access_key=AKLT…,secret_file=/run/secrets/school,scopes=read+room;id=…": how a flag or an environment
// variable gives what is a table in the file.  The error names what is wrong.
std::expected<std::vector<KeySetting>, std::string> parse_accounts(const std::string& text);

// Reads the secret; a relative path starts at `folder`.  The error is one line for the operator.
std::expected<openapi::AccessKey, std::string> make_access_key(const KeySetting& setting,
                                                               const std::string& folder);

}  // namespace atrium::atriumd
