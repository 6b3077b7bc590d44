// The TOML file.  toml++ throws on a syntax error: caught here, in its own translation unit (STYLE: exceptions).
#include <toml++/toml.h>

#include <set>
#include <sstream>

#include "settings.h"

namespace atrium::atriumd {
namespace {

using Problems = std::vector<std::string>;

std::string text_of(const toml::node& node) {
  if (auto text = node.value<std::string>(); node.is_string() && text) return *text;
  if (auto flag = node.value<bool>(); node.is_boolean() && flag) return *flag ? "true" : "false";
  if (auto integer = node.value<int64_t>(); node.is_integer() && integer)
    return std::to_string(*integer);
  if (const auto* array = node.as_array()) {
    std::string joined;
    for (const auto& item : *array) joined += (joined.empty() ? "" : ",") + text_of(item);
    return joined;
  }
  return "";
}

// Reads `names` out of a table; whatever else is in it is a problem that names itself.
std::map<std::string, std::string> fields(const toml::table& table,
                                          const std::set<std::string>& names,
                                          const std::string& where, Problems& problems) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : table) {
    const std::string name(key.str());
    if (names.contains(name))
      out[name] = text_of(value);
    else if (!value.is_array_of_tables())
      problems.push_back(where + ": unknown key \"" + name + "\"");
  }
  return out;
}

void read_accounts(const toml::array& array, Settings& settings, Problems& problems) {
  for (const auto& item : array) {
    const auto* table = item.as_table();
    if (table == nullptr) continue;
    auto f = fields(*table, {"id", "access_key", "secret", "scope"}, "[[account]]", problems);
    if (!f["scope"].empty() && f["scope"] != "manage" && f["scope"] != "read")
      problems.push_back("[[account]] scope: must be \"manage\" or \"read\"");
    settings.node.accounts.push_back({f["id"], f["access_key"], f["secret"], f["scope"] == "read"});
  }
}

void read_apps(const toml::array& array, Settings& settings, Problems& problems) {
  for (const auto& item : array) {
    const auto* table = item.as_table();
    if (table == nullptr) continue;
    auto f = fields(*table, {"id", "account", "key", "secondary_key", "ids", "enabled"}, "[[app]]",
                    problems);
    node::Application app{.app = AppId(f["id"]),
                          .account_id = f["account"],
                          .app_key = f["key"],
                          .secondary_app_key = f["secondary_key"],
                          .aliases = {},
                          .any_ids = f["ids"] == "any",
                          .enabled = f["enabled"] != "false"};
    if (!f["ids"].empty() && f["ids"] != "any" && f["ids"] != "vendor")
      problems.push_back("[[app]] ids: must be \"vendor\" or \"any\"");
    if (const auto* aliases = (*table)["alias"].as_array()) {
      for (const auto& alias : *aliases) {
        if (alias.as_table() == nullptr) continue;
        auto a = fields(*alias.as_table(), {"api_key", "secret"}, "[[app.alias]]", problems);
        app.aliases.push_back({a["api_key"], a["secret"]});
      }
    }
    settings.node.applications.push_back(std::move(app));
  }
}

void read_scalars(const toml::table& table, const std::string& prefix, Settings& settings,
                  Problems& problems) {
  for (const auto& [key, value] : table) {
    const std::string name = prefix + std::string(key.str());
    if (value.is_array_of_tables()) {
      if (name == "account")
        read_accounts(*value.as_array(), settings, problems);
      else if (name == "app")
        read_apps(*value.as_array(), settings, problems);
      else
        problems.push_back("unknown table [[" + name + "]]");
      continue;
    }
    if (const auto* inner = value.as_table()) {
      read_scalars(*inner, name + ".", settings, problems);
      continue;
    }
    bool known = false;
    for (const SettingKey& row : setting_keys()) {
      if (name != row.name) continue;
      known = true;
      if (auto problem = row.set(settings, text_of(value)))
        problems.push_back(name + ": " + *problem);
    }
    if (!known) problems.push_back("unknown key \"" + name + "\"");
  }
}

}  // namespace

std::vector<std::string> read_config_file(const std::string& path, Settings& settings) {
  Problems problems;
  try {
    read_scalars(toml::parse_file(path), "", settings, problems);
  } catch (const toml::parse_error& error) {
    std::ostringstream where;
    where << error.source().begin;
    problems.push_back(std::string(error.description()) + " (" + where.str() + ")");
  }
  for (std::string& problem : problems) problem = path + ": " + problem;
  return problems;
}

}  // namespace atrium::atriumd
