// How long the kernel lets a thread run before another one that is ready gets its turn.  Any thread, for itself.
#pragma once

namespace atrium::runtime {

// For a thread that wakes often and runs briefly: asks for the shortest slice, so that on a busy core it is let in at
// once instead of after the slice of who runs there, some milliseconds (Linux 6.12, sched_setattr(2); its share of the
// core stays the same).  An older kernel takes no wish, and then nothing is changed.
void ask_for_short_slice();

}  // namespace atrium::runtime
