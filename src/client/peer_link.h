// PeerLink: one peer connection's transport as a client has it, without an engine around it: ICE (controlling), DTLS
// (client), SRTP both ways, and the DTLS records of SCTP.  Owner: atriumload, thousands at a time.  One thread.
// RFC 8445, 7675, 5764, 3711.  Nothing is allocated for a packet of media.
// Does not: open sockets, know streams, send feedback, run SCTP (its owner does), restart ICE.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/secret_source.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "media/dtls.h"
#include "media/ice_lite.h"
#include "media/sctp_port.h"
#include "media/srtp.h"

namespace atrium::client {

// "AB:CD:…" as SDP has it; what is none becomes all zero, which matches no certificate.
media::DtlsFingerprint read_fingerprint(std::string_view text);

struct PeerLinkOptions {
  TransportId transport{1};  // distinct among links that share an SctpWorld
  std::shared_ptr<const media::CertificateKey> certificate;
  std::optional<media::SrtpProfile> only_profile;  // nullopt: any that DTLS knows
};

// What the two descriptions said.
struct PeerLinkPlan {
  media::IceCredentials local, remote;
  media::DtlsFingerprint fingerprint;
  std::vector<SocketAddress> candidates;
};

class PeerLink {
 public:
  enum class State : uint8_t { Idle, Connecting, Up, Down };
  enum class Arrival : uint8_t { Rtp, Rtcp, Own, Dropped };  // Own: STUN or DTLS, dealt with
  struct Taken {
    Arrival arrival = Arrival::Dropped;
    ByteView plain{};  // of Rtp and Rtcp: within the datagram's bytes
  };
  struct Outgoing {
    SocketAddress to;
    Bytes bytes;
  };

  // `secrets` outlives the link.
  PeerLink(PeerLinkOptions options, SecretSource& secrets);

  // Once.
  void open(PeerLinkPlan plan, Now now);
  // Decrypts in place.
  Taken on_datagram(ByteSpan datagram, const SocketAddress& from, Now now);
  void on_deadline(Now now);
  Mono next_deadline() const;

  // SRTP of one packet into `out`, which gets its size; Unavailable unless Up, otherwise as SrtpOutbound.
  Result<size_t> protect_rtp(ByteView header, ByteView payload, uint64_t ext_seq, ByteSpan out);

  // --- SCTP passthrough: the words of the owner's SctpWorld
  std::vector<media::SctpCommand> take_sctp();
  void send_sctp(ByteView packet, Now now);

  // STUN and DTLS to be sent, in order.  Take them after every call.
  std::vector<Outgoing> take_datagrams();
  State state() const { return state_; }
  std::optional<media::SrtpProfile> profile() const { return profile_; }
  // Where media goes; nullptr before a candidate answered.
  const SocketAddress* remote() const;
  uint64_t bad_packets() const { return bad_packets_; }  // not authentic, replayed, malformed

 private:
  void on_stun(ByteView datagram, const FiveTuple& path, Now now);
  void after_dtls(Now now);
  void on_connected();
  Taken unprotect(ByteSpan datagram, bool is_rtcp);

  // given
  const PeerLinkOptions options_;
  SecretSource& secrets_;
  media::DtlsFingerprint fingerprint_;
  // owned
  std::optional<media::IceAgent> ice_;
  std::optional<media::Dtls> dtls_;
  std::optional<media::SrtpInbound> inbound_;
  std::optional<media::SrtpOutbound> outbound_;
  std::vector<Outgoing> outgoing_;
  std::vector<media::SctpCommand> sctp_;
  // derived
  State state_ = State::Idle;
  std::optional<media::SrtpProfile> profile_;
  uint64_t bad_packets_ = 0;
};

}  // namespace atrium::client
