// Run: one run from the first join to the last goodbye: starts the workers, says when each phase begins, asks for
// dismissals, shows the progress.  Owner: main, on its thread.
#pragma once

#include "apps/atriumload/report.h"
#include "apps/atriumload/settings.h"

namespace atrium::load {

// Blocks until the run is over.  `is_interrupted` is looked at several times a second: a run that is interrupted is
// wound up and reported all the same.
Found run(const Settings& settings, bool (*is_interrupted)());

}  // namespace atrium::load
