// Engine: the media core of one shard.  Datagrams and commands in; datagrams, reports and SCTP packets out.
// Owner: node/shard.h.  Thread: its shard.  RFC 7667 section 3.7 (selective forwarding), 8445, 5764, 3711, 3550,
// 4585, 4588. Does not: read a clock, open a socket, know a room's name or a person's rights.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/secret_source.h"
#include "media/sctp_port.h"
#include "media/types.h"

namespace atrium::media {

struct Datagram {
  FiveTuple path;
  ByteSpan bytes;  // decrypted in place
};

// A run: datagrams that go to one peer back to back, so that the runtime may send them segmented (UDP_SEGMENT) or
// batched. Bytes live in the engine's arena until the next drain().
struct SendRun {
  FiveTuple path;
  std::span<const ByteView> datagrams;
};

enum class
    DropReason : uint8_t;  // engine_counters.h lists them; each one is a counter with the same name
struct EngineCounters;     // plain numbers, a snapshot is copied for /metrics

struct CertificateKey;  // dtls.h: the process's one P-256 certificate

struct EngineOptions {
  uint32_t shard = 0;
  std::shared_ptr<const CertificateKey> certificate;  // shared read-only by all shards
};

class Engine {
 public:
  Engine(SecretSource& secrets, EngineOptions options);
  ~Engine();

  // A turn: any of the first three, on_deadline when it is due, drain.  Handshake steps and teardowns are taken by
  // on_deadline alone, which is due at once while any wait: a bounded number between two drains.
  void on_datagrams(std::span<Datagram> batch, Now now);
  void on_command(Command command, Now now);
  void on_sctp(SctpEvent event, Now now);
  void on_deadline(Now now);
  Mono next_deadline() const;

  // Encrypted datagrams ready to leave, grouped into runs; at most kEncryptedPerTurnMax packets.  Valid until the
  // next call.
  std::span<const SendRun> drain(Now now);
  // The same in pieces: forward() encrypts, then hand_out() yields about `datagrams_max` at a time until it yields
  // nothing; commands may come in between, and what a cut takes back is not handed out.
  void forward(Now now);
  std::span<const SendRun> hand_out(size_t datagrams_max);
  bool has_more_to_send() const;  // the turn's bound was met: call again after looking at commands

  std::vector<Report> take_reports();
  std::vector<SctpCommand> take_sctp();
  const EngineCounters& counters() const;

  // The owner's part of the cut: what it holds back for SCTP is asked about again.  User data for a transport that is
  // cut must not go there.
  bool is_cut_off(const SctpCommand& command) const;
  // It went there all the same: a bug, counted.
  void count_after_cut(TransportId transport);
  // What the owner dropped on our way in or out.
  void count_drops(DropReason reason, uint64_t count);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace atrium::media
