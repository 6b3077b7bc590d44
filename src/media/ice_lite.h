// IceAgent: one component's ICE.  Lite (RFC 8445 section 2.5) for a server: answers authenticated binding requests,
// follows the peer's nominations.  For src/client a minimal controlling side: checks given candidates, nominates
// what answers. Owner: Transport.  Thread: its shard.  RFC 8445, 8489, 7675 (consent).
// Does not: gather, trickle, TURN, TCP; a lite agent sends no requests.
//
// Nomination: the latest USE-CANDIDATE wins, so that a peer may change its mind (aggressive nomination,
// renomination).
// Restart (section 9): the former credentials stay good until a pair is nominated under the new ones.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/secret_source.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "media/types.h"
#include "wire/stun.h"

namespace atrium::media {

class IceAgent {
 public:
  IceAgent(IceCredentials local, IceCredentials remote);  // lite
  struct Dialling {
    SocketAddress from;  // may be unspecified
    std::vector<SocketAddress> candidates;
    SecretSource& secrets;
  };
  IceAgent(IceCredentials local, IceCredentials remote, const Dialling& dialling, Now now);

  // USERNAME and MESSAGE-INTEGRITY fit the current or, during a restart, the former credentials.
  bool is_authentic(const wire::StunMessage& request) const;

  struct Answer {
    size_t reply_bytes = 0;                // written into `reply`
    bool is_role_conflict = false;         // the reply is a 487; nothing else happened
    std::optional<FiveTuple> forgotten;    // a path that had to make room
    std::optional<std::string> retired_ufrag;  // a local ufrag that no longer authenticates
    bool selected_changed = false;
  };
  // For a binding request that is_authentic.  `reply` holds kStunWriteBytesMax bytes.
  Answer on_request(const wire::StunMessage& request, const FiveTuple& path, Mono now, ByteSpan reply);

  // Dialling: a response to one of our checks.  False: not ours, or not authentic.
  bool on_response(const wire::StunMessage& response, const FiveTuple& path, Mono now, Answer& answer);
  struct Check {
    FiveTuple path;  // its local address may be unspecified
    size_t bytes = 0;
  };
  // Dialling: the next check that is due, written into `out`; nullopt when none is.
  std::optional<Check> next_check(Mono now, ByteSpan out);
  Mono next_check_at() const;

  // Yields a local ufrag that no longer authenticates, where a former restart had not come to its end.
  std::optional<std::string> restart(IceCredentials local, IceCredentials remote, Now now);

  // Where to send: the nominated pair; before there is one, the path of the latest authenticated check.
  const FiveTuple* send_path() const;
  bool has_nominated() const { return selected_.has_value(); }
  bool knows(const FiveTuple& path) const;
  // Every path that passed an authenticated check and was not forgotten.
  template <typename Visitor>
  void each_path(Visitor visit) const {
    for (size_t i = 0; i < path_count_; ++i) visit(paths_[i].tuple);
  }
  // RFC 7675: when the peer last proved that it wants to hear us.  nullopt: never yet.
  std::optional<Mono> consented_at() const { return consented_at_; }
  const IceCredentials& local() const { return local_; }
  const std::optional<IceCredentials>& former_local() const { return former_local_; }

 private:
  struct Path {
    FiveTuple tuple;
    Mono heard_at{};
  };
  struct Candidate {  // dialling
    SocketAddress remote;
    wire::StunTransactionId transaction{};
    Mono next_at{};
  };
  bool fits(const wire::StunMessage& request, const IceCredentials& local, const IceCredentials& remote) const;
  std::optional<FiveTuple> learn(const FiveTuple& path, Mono now);
  void nominate(const FiveTuple& path, Answer& answer);

  // given
  IceCredentials local_, remote_;
  std::optional<IceCredentials> former_local_, former_remote_;
  SecretSource* secrets_ = nullptr;  // dialling only
  SocketAddress from_;
  std::vector<Candidate> candidates_;
  uint64_t tie_breaker_ = 0;
  // derived
  std::array<Path, limits::kTuplesPerTransportMax> paths_{};
  size_t path_count_ = 0;
  std::optional<FiveTuple> selected_, latest_;
  std::optional<Mono> consented_at_;
};

}  // namespace atrium::media
