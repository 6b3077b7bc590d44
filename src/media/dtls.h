// Dtls: one DTLS 1.2 association of a transport, and the process's certificate.  Owner:
// transport.h.  Thread: its shard. RFC 6347 (DTLS 1.2), RFC 5764 (DTLS-SRTP), RFC 8827 section 6.5
// (WebRTC's ciphers), RFC 8122 (fingerprints). Pimpl: OpenSSL is seen by dtls.cc alone, and the
// simulator links a fake of this header instead. Does not: resume sessions, renegotiate, check
// chains or names (the signalled fingerprint is the identity), fragment data.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/time.h"
#include "media/srtp.h"
#include "media/types.h"

namespace atrium::media {

// A P-256 key with its self-signed certificate; opaque.  Made once per process, then only read, by any thread.
struct CertificateKey;
// Aborts when libcrypto cannot: nothing works without.
std::shared_ptr<const CertificateKey> make_certificate();
DtlsFingerprint fingerprint(const CertificateKey& certificate);
// SHA-256 as "AB:CD:…", 95 characters.
std::string fingerprint_text(const CertificateKey& certificate);

enum class DtlsRole : uint8_t { Server, Client };
enum class DtlsState : uint8_t { Handshaking, Connected, Failed, Closed };
enum class DtlsFailure : uint8_t {
  None,
  Handshake,            // the peer's messages or its alert ended the handshake or the association
  FingerprintMismatch,  // the peer's leaf certificate is not the one that was signalled
  NoSrtpProfile,        // use_srtp missing, or no profile in common
  TimedOut,             // our flight went unanswered for about 30 s
};

struct DtlsOptions {
  std::shared_ptr<const CertificateKey> certificate;
  DtlsRole role = DtlsRole::Server;
  DtlsFingerprint remote;                                         // what signalling promised
  size_t mtu = static_cast<size_t>(limits::kUdpPayloadBytesMax);  // largest datagram that we make
  std::optional<SrtpProfile> only_profile =
      std::nullopt;  // offered or taken alone; otherwise all that we know
};

struct DtlsCounters {
  uint64_t datagrams_in = 0, datagrams_out = 0;
  uint64_t retransmits = 0;            // timer-driven repeats of our last flight
  uint64_t dropped_outgoing_full = 0;  // limits::kDtlsOutgoingMax datagrams waited already
  uint64_t dropped_application_full = 0;
  uint64_t dropped_after_end = 0;     // arrived when Failed or Closed
  uint64_t dropped_short_record = 0;  // datagrams with a sealed record too short for nonce and tag
};

// Largest plaintext that send_application takes under an MTU: DTLS header 13, explicit nonce 8, tag 16.
inline constexpr size_t kDtlsRecordOverhead = 37;

class Dtls {
 public:
  // A client has its ClientHello ready in take_datagrams() at once.  Fails only when libssl is out of memory.
  static Result<Dtls> create(DtlsOptions options, Now now);
  Dtls(Dtls&&) noexcept;
  Dtls& operator=(Dtls&&) noexcept;
  ~Dtls();  // sends nothing: no close_notify

  // One UDP payload whose first byte said DTLS (RFC 7983: 20 to 63).  Also after the handshake, for
  // every record: a peer that missed our last flight repeats its own, and only thereby gets ours
  // again.
  void on_datagram(ByteView datagram, Now now);
  // Repeats our flight when its timer ran out: 200 ms, doubling, at most 3 s.
  void on_deadline(Now now);
  // When on_deadline wants to be called; kNever when nothing is unanswered.
  Mono next_deadline() const;

  // Datagrams to send, in order, each at most the MTU; at most limits::kDtlsOutgoingMax.  Take them after every call.
  std::vector<Bytes> take_datagrams();
  // Decrypted application data (SCTP packets), one element per record; at most limits::kDtlsApplicationMax.
  std::vector<Bytes> take_application();

  // One record, one datagram.  Unavailable unless Connected; LimitExceeded beyond the MTU less kDtlsRecordOverhead.
  Result<void> send_application(ByteView plaintext);
  // Says close_notify in so many words.  Only where the closures of DESIGN section 1 allow it; state becomes Closed.
  void close();

  DtlsState state() const;
  DtlsFailure failure() const;
  // RFC 5764 section 4.2; Unavailable before Connected.
  Result<SrtpKeys> export_srtp() const;
  const DtlsCounters& counters() const;

 private:
  struct State;
  explicit Dtls(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace atrium::media
