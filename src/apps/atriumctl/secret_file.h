// Secrets of a command, read from a file or from standard input, never from the command line, which others on the
// machine can see.
#pragma once

#include <iosfwd>
#include <string>

#include "adapters/openapi/json.h"
#include "apps/atriumctl/commands.h"

namespace atrium::atriumctl {

// Appends the content of `file` (- is standard input) as `field`, where a file is given.  Usage when it cannot be read,
// is empty or longer than kSecretFileBytesMax; then `option` is named to the operator.
ExitCode add_secret(openapi::Json::Object& fields, const char* field, const char* option,
                    const std::string& file, World& world);
// Says why `option` names no secret.
ExitCode unusable_secret(std::ostream& err, const char* option, const char* why);

}  // namespace atrium::atriumctl
