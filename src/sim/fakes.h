// Fakes of media/dtls.h and media/sctp.h, linked instead of OpenSSL and usrsctp: deterministic,
// with the same contract where
// the engine can tell.  fake_dtls.cc: a handshake of two datagrams, application data in the clear under a tag.
// fake_sctp.cc: ordered reliable messages with cumulative acknowledgements, repeated on a timer.
#pragma once

#include <cstdint>

namespace atrium::sim {

// Where "random" bytes of handshakes and certificates begin; to be called before each run.
void seed_fake_dtls(uint64_t seed);

}  // namespace atrium::sim
