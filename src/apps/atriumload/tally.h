// Tally: what one worker counted.  Plain numbers, added up by main at the end.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "apps/atriumload/histogram.h"

namespace atrium::load {

// Grows from the first client on; a copy of these is what the progress shows.
struct Flow {
  uint64_t rtp_sent = 0, rtp_sent_bytes = 0;  // as datagrams
  uint64_t rtp_received = 0, rtp_received_bytes = 0;
  uint64_t frames_sent = 0;
  uint64_t data_sent = 0, data_received = 0;
  void add(const Flow& other) {
    rtp_sent += other.rtp_sent, rtp_sent_bytes += other.rtp_sent_bytes;
    rtp_received += other.rtp_received, rtp_received_bytes += other.rtp_received_bytes;
    frames_sent += other.frames_sent, data_sent += other.data_sent,
        data_received += other.data_received;
  }
  Flow since(const Flow& before) const {
    return {rtp_sent - before.rtp_sent,          rtp_sent_bytes - before.rtp_sent_bytes,
            rtp_received - before.rtp_received,  rtp_received_bytes - before.rtp_received_bytes,
            frames_sent - before.frames_sent,    data_sent - before.data_sent,
            data_received - before.data_received};
  }
};

struct JoinTally {
  uint64_t started = 0, signalled = 0, complete = 0, failed = 0;
  uint64_t present = 0;                      // complete and not ended
  Histogram signal_us, complete_us;          // from the connect on
  std::map<std::string, uint64_t> failures;  // why
  std::map<std::string, uint64_t> profiles;  // SRTP, of those that are complete
};

struct QualityTally {
  uint64_t verified = 0;  // packets decrypted and compared
  uint64_t lost = 0, reordered = 0, duplicated = 0, stale = 0, corrupted = 0, undecryptable = 0,
           repairs = 0, other = 0;
  uint64_t data_lost = 0, data_reordered = 0, data_duplicated = 0, data_corrupted = 0;
  Histogram delay_us, data_delay_us;  // while measuring
};

// From the moment that the dismissal was asked for.
struct DismissalTally {
  uint64_t watched = 0, noticed = 0, told = 0, closed = 0,
           silent = 0;  // clients; silent: saw no sign of the end at all
  uint64_t media_after_notice = 0, data_after_notice = 0;  // packets
  Histogram notice_us, told_us, closed_us, last_media_us, first_sign_us;
};

struct GeneratorTally {
  uint64_t socket_drops = 0, send_drops = 0, skipped_frames = 0, turns = 0;
  Histogram late_us,
      turn_us;  // while measuring: sends behind their time; length of a turn of the loop
  uint64_t cpu_us = 0, measured_us = 0;  // this thread's, while measuring
};

struct Tally {
  Flow flow, flow_begin, flow_end;  // begin, end: of the measured time
  JoinTally joins;
  QualityTally quality;
  DismissalTally dismissal;
  GeneratorTally generator;
  std::map<int, uint64_t> leave_reasons,
      close_codes;  // -1: the connection ended without a close frame
  void merge(const Tally& other);
};

}  // namespace atrium::load
