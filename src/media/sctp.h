// SctpWorld: all SCTP associations of the process, behind the values of sctp_port.h.  Owner and
// thread: the sctp thread. usrsctp is one global state machine: at most one SctpWorld may exist at
// a time (checked), on one thread. RFC 9260 (SCTP), 8261 (over DTLS), 8831 (data channels), 8832
// (their opening), 3758 (partial reliability), 6525 (resets). Does not: DTLS (the shard keeps it),
// threads or sockets; usrsctp gets AF_CONN addresses that are plain numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/time.h"
#include "media/sctp_port.h"

namespace atrium::media {

struct SctpCounters {
  uint64_t messages_in = 0, messages_out = 0;
  uint64_t packets_in = 0, packets_out = 0;
  uint64_t dropped_bad_packet = 0;  // not from port 5000 to port 5000, or its checksum is wrong
  // a message beyond limits::kDataMessageBytesMax; its channel stays open
  uint64_t dropped_oversize_in = 0;
  uint64_t dropped_reassembly_full = 0;   // limits::kSctpReassemblyBytesMax of one association
  uint64_t dropped_no_channel_in = 0;     // data on a stream that nobody opened
  uint64_t dropped_bad_ppid = 0;          // neither DCEP nor a whole string or binary message
  uint64_t dropped_bad_dcep = 0;          // malformed, or a stream opened twice
  uint64_t dropped_no_channel_out = 0;    // SctpSend without an open channel of that label
  uint64_t dropped_oversize_out = 0;      // SctpSend longer than any message that we make or relay
  uint64_t dropped_queue_full_lossy = 0;  // limits::kSctpSendQueueBytesMax of one association
  uint64_t dropped_queue_full_reliable = 0;
  uint64_t dropped_before_notice = 0;  // still queued when a notice came: the notice overtakes them
  uint64_t dropped_send_failed = 0;    // usrsctp refused for good
  uint64_t dropped_unknown_transport = 0;
  uint64_t open_failed = 0;
};

class SctpWorld {
 public:
  SctpWorld();
  ~SctpWorld();  // frees all associations silently
  SctpWorld(const SctpWorld&) = delete;
  SctpWorld& operator=(const SctpWorld&) = delete;

  // SctpOpen starts the association at once (both ends do: RFC 9260 section 5.2 settles it).
  // A notice goes ahead of all messages that still wait for room in the association, which are
  // dropped: the life is cut.
  void on_command(SctpCommand command, Now now);
  // Advances usrsctp's timers by the time that passed.  It measures round trips with a clock of its own (DESIGN,
  // "Determinism's limits"); only its timers obey `now`.
  void on_deadline(Now now);
  Mono next_deadline() const;  // kNever while there is no association

  // In order.  Take them after every call.
  std::vector<SctpEvent> take_events();
  size_t associations() const;
  const SctpCounters& counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace atrium::media
