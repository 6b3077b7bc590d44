// SectionTable: the m-sections of one peer connection, in order, and what each is used for.
// Sections are never removed or reordered (RFC 9429 section 5.2.2); a rejected one may be taken
// over by a new mid. The table does not know who offers: `align` takes the peer's description, be
// it an offer or an answer, and directions are kept as "the peer sends / receives".  An offering
// role writes its descriptions from the same table and aligns it with the peer's answers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "negotiation/session.h"
#include "wire/sdp.h"

namespace atrium::negotiation {

struct BoundUplink {
  PendingTrack track;
  UplinkPlan plan;
};
struct BoundDownlink {
  WantedSend want;
  DownlinkPlan plan;
  // stop_send was said: whoever sends the packets has let go of this plan, so that it ends with the
  // next round even when the track is wanted again by then.
  bool stopped = false;
};

struct Section {
  std::string mid;
  wire::SdpKind kind = wire::SdpKind::Audio;
  // what the peer's last description said
  bool rejected = false;  // by either side; port 0
  bool peer_sends = false, peer_receives = false;
  bool newly_sending = false;         // it did not send before that description
  std::vector<std::string> codecs{};  // those that we serve
  // what it is used for: at most one of the two
  std::optional<BoundUplink> uplink{};
  std::optional<BoundDownlink> downlink{};
  // Lost its downlink in this round.  It is answered inactive once before it may carry another
  // track: a browser announces a track only when a section begins to receive.
  bool resting = false;
  // Its publication was forgotten while the peer still sends: not to be given to another
  // publication by age.
  bool disowned = false;
};

class SectionTable {
 public:
  // Malformed: an order of sections that the former description does not allow.
  Result<void> align(const wire::SdpSession& peer);

  std::vector<Section>& sections() { return sections_; }
  const std::vector<Section>& sections() const { return sections_; }
  const Section* downlink_of(const TrackSid& track) const;
  Section* downlink_of(const TrackSid& track);
  Section* uplink_of(const TrackSid& track);
  // A section on which the peer would take this track, and that carries nothing.
  Section* free_for(const WantedSend& want);
  // Of the sections of this kind on which the peer receives, none knows the codec: asking for more
  // would not help.
  bool is_unservable(const WantedSend& want) const;
  uint32_t free_count(Kind kind) const;

 private:
  void take(Section& section, const wire::SdpSection& peer);

  std::vector<Section> sections_;
};

// Whether the section can carry a downlink at all.
bool is_free(const Section& section, Kind kind);

}  // namespace atrium::negotiation
