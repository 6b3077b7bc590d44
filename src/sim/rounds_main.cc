// atrium_rounds: rooms that are dismissed and made again, thousands of times (rounds.h), for a range of seeds; then the
// canaries, whose planted bugs must be found.  Exit 1 when something was found, or a planted bug was not.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/log.h"
#include "sim/rounds.h"

namespace {

using atrium::sim::Rounds;
using atrium::sim::RoundsOptions;
using atrium::sim::RoundsOutcome;
using atrium::sim::RoundsPlant;

constexpr uint64_t kCanaryRounds = 150;

RoundsOutcome run(const RoundsOptions& options) {
  Rounds rounds(options);
  return rounds.run();
}

void print(const RoundsOptions& options, const RoundsOutcome& outcome) {
  const auto& f = outcome.figures;
  const auto n = [](uint64_t number) { return static_cast<unsigned long long>(number); };
  std::printf(
      "seed %llu: %llu rounds in %llu s, %llu lives, %llu joins, %llu resumes, %llu calls (%llu "
      "late orders, %llu of them repeated keys), %llu words, %llu crashes, %llu bursts of trouble, "
      "%llu requests (%llu failed), %llu events, %llu duplicates\n",
      n(options.seed), n(f.rounds), n(static_cast<uint64_t>(f.lasted / std::chrono::seconds(1))),
      n(f.lives), n(f.joins), n(f.resumes), n(f.calls), n(f.late_orders), n(f.repeats), n(f.words),
      n(f.crashes), n(f.bursts_of_trouble), n(f.requests), n(f.failed_requests), n(f.events),
      n(f.duplicates));
  for (const std::string& violation : outcome.violations)
    std::printf("  VIOLATION %s\n", violation.c_str());
  std::fflush(stdout);
}

bool is_found(const char* name, RoundsPlant plant, std::string_view song, uint64_t seed) {
  const RoundsOutcome outcome = run({.seed = seed, .rounds = kCanaryRounds, .plant = plant});
  for (const std::string& violation : outcome.violations) {
    if (violation.find(song) == std::string::npos) continue;
    std::printf("canary: %s was found: %s\n", name, violation.c_str());
    return true;
  }
  std::printf("canary: %s was NOT FOUND\n", name);
  return false;
}

constexpr const char* kHelp =
    "usage: atrium_rounds [--seed N] [--seeds COUNT] [--rounds N] [--events N] [--crashes N]\n"
    "                     [--full] [--no-canaries] [--verbose]\n"
    "  --seed N        the first seed (1)\n"
    "  --seeds COUNT   how many seeds are run (1)\n"
    "  --rounds N      dismissed lives with a successor, at least (500)\n"
    "  --events N      callbacks, at least (none)\n"
    "  --crashes N     about so many (10)\n"
    "  --full          10000 rounds, 50000 events, 30 crashes\n"
    "  --no-canaries   does not look for the planted bugs afterwards\n"
    "  --verbose       prints management calls with their answers, and what the node logs\n";

}  // namespace

int main(int argc, char** argv) {
  uint64_t seeds = 1;
  bool has_canaries = true;
  RoundsOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const auto number = [&] { return std::strtoull(argv[++i], nullptr, 10); };
    if (flag == "--verbose")
      options.is_verbose = true;
    else if (flag == "--no-canaries")
      has_canaries = false;
    else if (flag == "--full")
      options.rounds = 10'000, options.events = 50'000, options.crashes = 30;
    else if (flag == "--help")
      return std::printf("%s", kHelp), 0;
    else if (i + 1 < argc && flag == "--seed")
      options.seed = number();
    else if (i + 1 < argc && flag == "--seeds")
      seeds = number();
    else if (i + 1 < argc && flag == "--rounds")
      options.rounds = number();
    else if (i + 1 < argc && flag == "--events")
      options.events = number();
    else if (i + 1 < argc && flag == "--crashes")
      options.crashes = number();
    else
      return std::fprintf(stderr, "%s", kHelp), 2;
  }
  if (!options.is_verbose) atrium::set_log_sink([](auto, auto, auto) {});
  bool is_good = true;
  const uint64_t first = options.seed;
  for (; options.seed < first + seeds; ++options.seed) {
    const RoundsOutcome outcome = run(options);
    print(options, outcome);
    is_good &= outcome.violations.empty();
  }
  if (has_canaries) {
    is_good &=
        is_found("the event that nobody was sent", RoundsPlant::LostEvent, "the consumer", first);
    is_good &= is_found("the dismissal that nobody asked for", RoundsPlant::StrangeDismissal,
                        "asked for", first);
  }
  return is_good ? 0 : 1;
}
