#include "accounts.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/limits.h"
#include "setting_text.h"

namespace atrium::atriumd {
namespace {

std::expected<KeySetting, std::string> parse_account(const std::string& text) {
  std::map<std::string, std::string> fields;
  for (const std::string& part : split(text, ',')) {
    const size_t equals = part.find('=');
    if (equals == part.npos) return std::unexpected("\"" + part + "\" is not name=value");
    fields[part.substr(0, equals)] = part.substr(equals + 1);
  }
  for (const auto& [name, value] : fields)
    if (name != "id" && name != "access_key" && name != "secret_file" && name != "scopes")
      return std::unexpected("unknown name \"" + name +
                             "\"; known are id, access_key, secret_file, scopes");
  return KeySetting{fields["id"], fields["access_key"], fields["secret_file"],
                    split(fields["scopes"], '+')};
}

std::expected<std::string, std::string> read_secret(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  // The name is not repeated: who mixes it up with the secret itself would find that in a log.
  if (!stream)
    return std::unexpected(
        "the file cannot be read; is it there, and does a relative name start at the folder of the "
        "configuration file?");
  std::string text(static_cast<size_t>(limits::kSecretFileBytesMax) + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(stream.gcount()));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  if (text.empty()) return std::unexpected("the file is empty");
  if (text.size() > static_cast<size_t>(limits::kSecretFileBytesMax))
    return std::unexpected("the file is too long for a secret");
  return text;
}

}  // namespace

std::expected<std::vector<KeySetting>, std::string> parse_accounts(const std::string& text) {
  std::vector<KeySetting> out;
  for (const std::string& part : split(text, ';')) {
    auto account = parse_account(part);
    if (!account) return std::unexpected(account.error());
    out.push_back(std::move(*account));
  }
  return out;
}

std::expected<openapi::AccessKey, std::string> make_access_key(const KeySetting& setting,
                                                               const std::string& folder) {
  const std::string where =
      "account \"" + setting.account + "\", access_key \"" + setting.access_key + "\": ";
  if (setting.account.empty()) return std::unexpected(where + "the account's id is missing");
  if (setting.access_key.empty() || setting.access_key.contains('/'))
    return std::unexpected(where + "access_key must be given, without '/'");
  if (setting.secret_file.empty())
    return std::unexpected(where + "secret_file must name the file that holds the secret");
  openapi::AccessKey key{.id = setting.access_key, .secret = {}, .account = setting.account};
  key.scopes = {};
  for (const std::string& name : setting.scopes) {
    const auto scope = std::ranges::find(openapi::kKeyScopes, name, openapi::scope_name);
    if (scope == std::end(openapi::kKeyScopes))
      return std::unexpected(where + "unknown scope \"" + name +
                             "\"; known are read, room, ban, app");
    key.scopes.add(*scope);
  }
  if (key.scopes == openapi::KeyScopes())
    return std::unexpected(where + "scopes must name what the key may do: read, room, ban, app");
  auto secret = read_secret(std::filesystem::path(folder) / setting.secret_file);
  if (!secret) return std::unexpected(where + "secret_file: " + secret.error());
  key.secret = std::move(*secret);
  return key;
}

}  // namespace atrium::atriumd
