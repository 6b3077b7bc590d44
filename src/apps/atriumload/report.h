// What a run found, as JSON and as a table of the same numbers; and what in it is a fault, or the generator's own
// limit.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/atriumload/histogram.h"
#include "apps/atriumload/settings.h"
#include "apps/atriumload/tally.h"
#include "apps/atriumload/usage.h"

namespace atrium::load {

struct Found {
  Tally all;
  std::vector<uint64_t> worker_cpu_permille;  // of the measured time, each thread's own
  Duration joining{}, measured{};
  std::optional<ProcessUsage> server, generator;  // used while measuring
  MachineUsage machine;                           // used while measuring
  // dismissal
  Histogram answer_us;
  uint64_t dismissals = 0, dismissals_failed = 0;
  std::map<std::string, uint64_t> dismissal_codes;
  bool was_interrupted = false;
};

// Why the numbers are the generator's and not the server's; empty: they are the server's.
std::vector<std::string> limits_of(const Found& found);
// What the server did wrong, or joins that failed; empty: nothing.
std::vector<std::string> faults_of(const Settings& settings, const Found& found);

boost::json::object report_of(const Settings& settings, const Found& found);
// One line for each number.
std::string table_of(const boost::json::object& report);

}  // namespace atrium::load
