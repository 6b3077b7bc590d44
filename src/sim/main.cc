// atrium_sim: runs the simulated world for a range of seeds, each twice, and compares the traces;
// then the canary, whose planted
// bug must be found.  Exit 1 when a checker fails, when a run does not repeat, or when the canary is not found.
//   atrium_sim [--seed N] [--seeds COUNT] [--verbose]
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/log.h"
#include "sim/world.h"

namespace {

using atrium::sim::Outcome;
using atrium::sim::World;
using atrium::sim::WorldOptions;

Outcome run(const WorldOptions& options) {
  World world(options);
  return world.run();
}

void print(const WorldOptions& options, const Outcome& outcome) {
  const auto& s = outcome.statistics;
  std::printf(
      "seed %llu: %llu events, %llu joins, %llu resumes, %llu refused, %llu leaves, %llu "
      "dismissals (%llu of a life), "
      "%llu kills, %llu blackouts, %llu writes failed, %llu rtp, %llu data, %llu told, %llu "
      "streams live, trace %016llx\n",
      static_cast<unsigned long long>(options.seed), static_cast<unsigned long long>(s.events),
      static_cast<unsigned long long>(s.joins), static_cast<unsigned long long>(s.resumes),
      static_cast<unsigned long long>(s.refusals), static_cast<unsigned long long>(s.leaves),
      static_cast<unsigned long long>(s.dismissals), static_cast<unsigned long long>(s.successes),
      static_cast<unsigned long long>(s.kills), static_cast<unsigned long long>(s.blackouts),
      static_cast<unsigned long long>(s.disk_failures), static_cast<unsigned long long>(s.rtp),
      static_cast<unsigned long long>(s.data), static_cast<unsigned long long>(s.told),
      static_cast<unsigned long long>(s.streams_checked),
      static_cast<unsigned long long>(outcome.trace));
  for (const std::string& violation : outcome.violations)
    std::printf("  VIOLATION %s\n", violation.c_str());
  std::fflush(stdout);
}

bool check_seed(WorldOptions options) {
  const Outcome first = run(options);
  print(options, first);
  options.is_verbose = false;
  const Outcome second = run(options);
  const bool is_same =
      first.trace == second.trace && first.statistics.events == second.statistics.events;
  if (!is_same)
    std::printf("  VIOLATION a second run of the seed differs: trace %016llx\n",
                static_cast<unsigned long long>(second.trace));
  return is_same && first.violations.empty();
}

// Seeds whose workload dismisses rooms with media in them.
bool canary_sings(uint64_t seed) {
  for (uint64_t i = 0; i < 5; ++i) {
    const Outcome outcome = run({.seed = seed + i, .plants_late_send = true});
    for (const std::string& violation : outcome.violations)
      if (violation.find("media left after the cut") != std::string::npos) return true;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seed = 1, seeds = 10;
  WorldOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--verbose")
      options.is_verbose = true;
    else if (i + 1 < argc && flag == "--seed")
      seed = std::strtoull(argv[++i], nullptr, 10);
    else if (i + 1 < argc && flag == "--seeds")
      seeds = std::strtoull(argv[++i], nullptr, 10);
    else
      return std::fprintf(stderr, "usage: atrium_sim [--seed N] [--seeds COUNT] [--verbose]\n"), 2;
  }
  if (!options.is_verbose) atrium::set_log_sink([](atrium::LogLevel, std::string_view) {});
  bool is_good = true;
  for (uint64_t i = 0; i < seeds; ++i) {
    options.seed = seed + i;
    is_good &= check_seed(options);
  }
  const bool sings = canary_sings(seed);
  std::printf("canary: the planted late packet was %s\n", sings ? "found" : "NOT FOUND");
  return is_good && sings ? 0 : 1;
}
