// The one place that reads a clock.  Everything else is given `Now`.
#pragma once

#include "base/time.h"

namespace atrium::runtime {

// mono: CLOCK_BOOTTIME (goes on while the machine sleeps); wall: CLOCK_REALTIME.  Any thread.
Now read_clock();

}  // namespace atrium::runtime
