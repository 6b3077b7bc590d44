// The layout check: DESIGN's include table, confined third parties, banned names, lengths, and
// documents that name files which exist.  Exceptions stand in layout_allow.txt, each with its
// reason; one that is no longer needed is a fault too.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace atrium::tools {

struct Violation {
  std::string rule;
  std::string path;  // from the root
  int line = 0;      // 0: the whole file
  std::string text;
  int measure = 0;  // function-length and file-length: lines
};

// One line of layout_allow.txt: `rule path [number] reason…`; a path may end in `*`.  The number is
// a ratchet: up to so many lines are tolerated.
struct Allowance {
  std::string rule, path, reason;
  int number = 0;
  bool is_used = false;
};

std::vector<Allowance> read_allowances(const std::filesystem::path& file,
                                       std::vector<Violation>& faults);
// All violations under `root` that no allowance covers, and allowances that cover nothing.
std::vector<Violation> check_layout(const std::filesystem::path& root,
                                    std::vector<Allowance> allowances);

}  // namespace atrium::tools
