// UpdateCoalescer: which participants of one life have news for the others, in the order in which the news came.
// Owner: Room.  Bounded: at most one entry per present participant, plus who left within kUpdateCoalesceMs.
// Does not: know who hears of it, or when (see Room and flush_updates).
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "domain/types.h"

namespace atrium::domain {

enum class Audience : uint8_t {
  Everybody,  // the participant itself too: its tracks, metadata or permissions changed
  Others,     // only its state did
  LegacyProtocol,  // a departure that clients from protocol 12 on must not see: the user goes on under another sid
};

class UpdateCoalescer {
 public:
  struct Entry {
    ParticipantSid participant;
    UserId user;
    Audience audience = Audience::Everybody;
    std::shared_ptr<const ParticipantView>
        departed;  // last view of who has left; null: as it is at the time of flushing
  };

  void changed(const ParticipantSid& participant, const UserId& user, Audience audience);
  void departed(std::shared_ptr<const ParticipantView> last_view, Audience audience);
  // The user is back under another sid before the others heard of the departure: they need not hear of it.
  // Yields the withheld view, null when none was waiting.
  std::shared_ptr<const ParticipantView> withhold_departure(const UserId& user);

  bool has(const ParticipantSid& participant) const;
  bool empty() const { return entries_.empty(); }
  std::vector<Entry> take() { return std::exchange(entries_, {}); }

 private:
  std::vector<Entry> entries_;
};

}  // namespace atrium::domain
