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

std::vector<std::string> texts_of(const toml::node* node) {
  std::vector<std::string> out;
  if (node == nullptr) return out;
  if (const auto* array = node->as_array())
    for (const auto& item : *array) out.push_back(text_of(item));
  else
    out.push_back(text_of(*node));
  return out;
}

void read_keys(const toml::table& account, const std::string& id, Settings& settings,
               Problems& problems) {
  const auto* keys = account["key"].as_array();
  if (keys == nullptr || !account["key"].is_array_of_tables()) {
    problems.push_back("[[account]] \"" + id + "\": it needs at least one [[account.key]]");
    return;
  }
  for (const auto& item : *keys) {
    const toml::table& table = *item.as_table();
    if (table.contains("secret"))
      problems.push_back(
          "[[account.key]] secret: put it into a file of its own and name that with secret_file");
    auto f = fields(table, {"access_key", "secret_file", "scopes", "secret"}, "[[account.key]]",
                    problems);
    settings.accounts.push_back(
        {id, f["access_key"], f["secret_file"], texts_of(table.get("scopes"))});
  }
}

void read_accounts(const toml::array& array, Settings& settings, Problems& problems) {
  settings.accounts.clear();
  for (const auto& item : array) {
    const toml::table& table = *item.as_table();
    const auto f = fields(table, {"id"}, "[[account]]", problems);
    for (const auto& [key, value] : table)
      if (value.is_array_of_tables() && key.str() != "key")
        problems.push_back("[[account]]: unknown table \"" + std::string(key.str()) + "\"");
    read_keys(table, f.contains("id") ? f.at("id") : "", settings, problems);
  }
}

// [quota] with a line for each action, in the form that a flag has.
std::string quotas_of(const toml::table& table) {
  std::string text;
  for (const auto& [key, value] : table)
    text += (text.empty() ? "" : ",") + std::string(key.str()) + "=" + text_of(value);
  return text;
}

void read_scalars(const toml::table& table, const std::string& prefix, Settings& settings,
                  Problems& problems) {
  for (const auto& [key, value] : table) {
    const std::string name = prefix + std::string(key.str());
    if (value.is_array_of_tables()) {
      if (name == "account")
        read_accounts(*value.as_array(), settings, problems);
      else if (name == "app")
        problems.push_back(
            "[[app]]: applications live in the store; make them with `atriumctl app create`");
      else
        problems.push_back("unknown table [[" + name + "]]");
      continue;
    }
    const toml::table* inner = value.as_table();
    if (inner != nullptr && name != "quota") {
      read_scalars(*inner, name + ".", settings, problems);
      continue;
    }
    bool known = false;
    for (const SettingKey& row : setting_keys()) {
      if (name != row.name) continue;
      known = true;
      const std::string text = inner != nullptr ? quotas_of(*inner) : text_of(value);
      if (auto problem = set(settings, row, text)) problems.push_back(name + ": " + *problem);
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
