#include "domain/update_coalescer.h"

#include <algorithm>

namespace atrium::domain {

void UpdateCoalescer::changed(const ParticipantSid& participant, const UserId& user,
                              Audience audience) {
  auto found = std::ranges::find(entries_, participant, &Entry::participant);
  if (found == entries_.end()) {
    entries_.push_back({participant, user, audience, nullptr});
  } else if (audience == Audience::Everybody) {
    found->audience = Audience::Everybody;
  }
}

void UpdateCoalescer::departed(std::shared_ptr<const ParticipantView> last_view,
                               Audience audience) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.participant == last_view->sid; });
  entries_.push_back({last_view->sid, last_view->user, audience, last_view});
}

std::shared_ptr<const ParticipantView> UpdateCoalescer::withhold_departure(const UserId& user) {
  for (Entry& entry : entries_) {
    if (entry.user != user || !entry.departed || entry.audience == Audience::LegacyProtocol)
      continue;
    entry.audience = Audience::LegacyProtocol;
    return entry.departed;
  }
  return nullptr;
}

bool UpdateCoalescer::has(const ParticipantSid& participant) const {
  return std::ranges::find(entries_, participant, &Entry::participant) != entries_.end();
}

}  // namespace atrium::domain
