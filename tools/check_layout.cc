// check_layout ROOT: prints each violation of the layout rules as `path:line: rule: text`; exit 1
// when there is one.
#include <cstdio>
#include <filesystem>

#include "tools/layout_rules.h"

int main(int argc, char** argv) {
  using namespace atrium::tools;
  if (argc != 2) {
    std::fprintf(stderr, "usage: check_layout ROOT\n");
    return 2;
  }
  const std::filesystem::path root(argv[1]);
  std::vector<Violation> found;
  const auto allowances = read_allowances(root / "tools/layout_allow.txt", found);
  for (auto& violation : check_layout(root, allowances)) found.push_back(std::move(violation));
  for (const Violation& v : found)
    std::printf("%s:%d: %s: %s\n", v.path.c_str(), v.line, v.rule.c_str(), v.text.c_str());
  std::printf("%zu violations of the layout rules\n", found.size());
  return found.empty() ? 0 : 1;
}
