// The clock that OpenSSL and usrsctp read, for tests: library_clock_test.cc defines gettimeofday()
// for this test binary, so that the libraries' own timers follow the test's `now` and no test
// sleeps.  Not in the daemon, and not in the simulator.
#pragma once

#include "base/time.h"

namespace atrium::media {

// While one lives, the libraries see its time; otherwise the machine's.  One at a time.
class LibraryClock {
 public:
  LibraryClock();
  ~LibraryClock();
  LibraryClock(const LibraryClock&) = delete;
  LibraryClock& operator=(const LibraryClock&) = delete;

  Now now() const { return now_; }
  void advance(Duration by);
  void advance_to(Mono mono);  // never backwards

 private:
  Now now_;
};

}  // namespace atrium::media
