// Uplinks: which section carries which publication of the peer.  Pure functions over the section
// table.
#pragma once

#include <vector>

#include "negotiation/agreement.h"
#include "negotiation/section_table.h"

namespace atrium::negotiation {

// Lets go of publications whose section no longer sends, was stopped, or lost our codec.
void release_uplinks(SectionTable& table);

// Gives sections that send to pending publications and takes those out of `pending`.  A section
// that is bound keeps its track, unless its msid now names another pending one.  Otherwise the msid
// decides, and where no msid fits (some clients rewrite ids) age does: the oldest pending one of
// the kind.  `peer` is what the table was aligned with.
void bind_uplinks(SectionTable& table, const wire::SdpSession& peer,
                  std::vector<PendingTrack>& pending);

// The plan of a bound section under an agreement made for Role::Uplink.
UplinkPlan plan_uplink(const Section& section, const wire::SdpSection& offered,
                       const Agreement& agreement);

// Whether `cid` is how the section's msid lines name its track: the track id, or the whole msid;
// with or without braces.
bool names_track(const wire::SdpSection& offered, std::string_view cid);

}  // namespace atrium::negotiation
