#include <vector>

#include "adapters/openapi/action.h"

namespace atrium::openapi {

namespace actions {
#define OPENAPI_ACTION(file) std::span<const ActionRow> file##_rows();
#include "adapters/openapi/action_list.def"
#undef OPENAPI_ACTION
}  // namespace actions

namespace {

std::vector<const ActionRow*> collect() {
  std::vector<const ActionRow*> out;
#define OPENAPI_ACTION(file) \
  for (const ActionRow& row : actions::file##_rows()) out.push_back(&row);
#include "adapters/openapi/action_list.def"
#undef OPENAPI_ACTION
  return out;
}

}  // namespace

std::string_view scope_name(KeyScope scope) {
  switch (scope) {
    case KeyScope::Read:
      return "read";
    case KeyScope::Room:
      return "room";
    case KeyScope::Ban:
      return "ban";
    case KeyScope::App:
      return "app";
  }
  return "";
}

std::span<const ActionRow* const> action_rows() {
  static const std::vector<const ActionRow*> rows = collect();
  return rows;
}

const ActionRow* find_action(std::string_view name, std::string_view version) {
  for (const ActionRow* row : action_rows())
    if (row->name == name && row->version == version) return row;
  return nullptr;
}

}  // namespace atrium::openapi
