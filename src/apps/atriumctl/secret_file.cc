#include "apps/atriumctl/secret_file.h"

#include <fstream>
#include <istream>
#include <ostream>

#include "base/limits.h"

namespace atrium::atriumctl {
namespace {

constexpr auto kSecretBytesMax = static_cast<size_t>(limits::kSecretFileBytesMax);

}  // namespace

// The file's name is not repeated: who gave the secret itself by mistake would find it in a log.
ExitCode unusable_secret(std::ostream& err, const char* option, const char* why) {
  err << "atriumctl: " << option << ": " << why << ".\n"
      << "Name a file that holds the key alone, or - to read it from standard input.\n";
  return ExitCode::Usage;
}

ExitCode add_secret(openapi::Json::Object& fields, const char* field, const char* option,
                    const std::string& file, World& world) {
  if (file.empty()) return ExitCode::Ok;
  std::ifstream stream;
  if (file != "-") stream.open(file, std::ios::binary);
  if (!stream) return unusable_secret(world.err, option, "the file cannot be read");
  std::istream& from = file == "-" ? world.in : stream;
  std::string text(kSecretBytesMax + 1, '\0');
  from.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(from.gcount()));
  if (from.bad()) return unusable_secret(world.err, option, "the file cannot be read");
  if (text.size() > kSecretBytesMax)
    return unusable_secret(world.err, option, "what it holds is too long for a key");
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  if (text.empty()) return unusable_secret(world.err, option, "there is nothing in it");
  fields.emplace_back(field, std::move(text));
  return ExitCode::Ok;
}

}  // namespace atrium::atriumctl
