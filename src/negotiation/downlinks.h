// Downlinks: which section carries which track to the peer, and under which SSRCs.
#pragma once

#include <set>
#include <vector>

#include "negotiation/agreement.h"
#include "negotiation/section_table.h"

namespace atrium::negotiation {

// Gives SSRCs of one connection: never 0, never twice, never one that the peer uses.
class SsrcPool {
 public:
  // LimitExceeded: kSrtpOutboundSsrcsMax were given; the connection must be made anew.
  Result<uint32_t> fresh(SecretSource& secrets);
  void avoid(const wire::SdpSession& peer) { peer_ = &peer; }  // for the length of a round
  void stop_avoiding() { peer_ = nullptr; }

 private:
  bool is_taken(uint32_t ssrc) const;

  std::set<uint32_t> given_;
  const wire::SdpSession* peer_ = nullptr;
};

// Takes tracks off sections that are no longer wanted there: stopped, perhaps to be wanted anew (the
// section rests for this round), or the peer receives no longer, stopped the section, or publishes on it now (the
// track is given another section).
void release_downlinks(SectionTable& table);

// Gives the wanted tracks without a section to free ones, in order.  Those that find none wait.
void assign_downlinks(SectionTable& table, const std::vector<WantedSend>& wanted);

// Brings the plan of a section with a downlink up to date with an agreement made for
// Role::Downlink; new SSRCs only where there are none yet.
Result<void> plan_downlink(Section& section, const Agreement& agreement, const std::string& cname,
                           SsrcPool& ssrcs, SecretSource& secrets);

// The answer's a=msid: publisher and sync group joined by a bar, and the track sid.  A group whose
// name does not fit there (SDP token characters without bar, kMsidBytesMax) or could be taken for
// another track is left out.
wire::SdpMsid downlink_msid(const WantedSend& want);

}  // namespace atrium::negotiation
