// dtls_library: the part of libcrypto that a DTLS handshake needs, as a library context of its own.  Owner: the
// process; made at the first call, never freed.  Threads: any.
//
// OpenSSL 3.0 looks for the decoder of a certificate's public key among all decoders and key types of a context, for
// each certificate anew: with all that the default provider has, a quarter of a handshake.  This context has the
// default provider's own implementations, but only of what WebRTC's handshakes use (docs/decisions/dtls-library.md).
// Does not: implement anything.
#pragma once

#include <openssl/types.h>

namespace atrium::media {

// Aborts when libcrypto cannot: nothing works without.
OSSL_LIB_CTX* dtls_library();

}  // namespace atrium::media
