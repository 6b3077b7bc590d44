#include "negotiation/section_table.h"

#include <algorithm>

#include "negotiation/agreement.h"

namespace atrium::negotiation {
namespace {

using wire::SdpKind;
using wire::SdpSection;

bool knows_codec(const Section& section, std::string_view codec) {
  return std::ranges::any_of(section.codecs, [&](const std::string& name) {
    return wire::equal_ignoring_case(name, codec);
  });
}

bool is_srtp(const SdpSection& section) {
  return section.protocol.ends_with("RTP/SAVPF");
}

bool is_data(const SdpSection& section) {
  return section.protocol.ends_with("DTLS/SCTP") && section.sctp_port &&
         std::ranges::find(section.formats, "webrtc-datachannel") != section.formats.end();
}

// Media over SRTP with feedback, and one data section.  Everything else is answered with port 0.
bool is_acceptable(const SdpSection& section, bool data_seen) {
  if (section.kind == SdpKind::Application) return is_data(section) && !data_seen;
  return media_kind(section.kind).has_value() && is_srtp(section) && !section.codecs.empty();
}

}  // namespace

bool is_free(const Section& section, Kind kind) {
  return media_kind(section.kind) == kind && !section.rejected && section.peer_receives &&
         !section.uplink && !section.downlink;
}

Result<void> SectionTable::align(const wire::SdpSession& peer) {
  if (peer.sections.size() < sections_.size())
    return malformed("description: a section disappeared");
  bool data_seen = false;
  for (size_t i = 0; i < peer.sections.size(); ++i) {
    const SdpSection& described = peer.sections[i];
    if (i == sections_.size()) sections_.push_back({.mid = described.mid, .kind = described.kind});
    Section& section = sections_[i];
    if (section.mid != described.mid || section.kind != described.kind) {
      if (!section.rejected)
        return malformed("description: sections changed their order, mid or kind");
      section = {.mid = described.mid, .kind = described.kind};
    }
    take(section, described);
    if (!is_acceptable(described, data_seen)) section.rejected = true;
    if (section.rejected)
      section.peer_sends = section.peer_receives = section.newly_sending = false;
    data_seen = data_seen || (section.kind == SdpKind::Application && !section.rejected);
  }
  return {};
}

void SectionTable::take(Section& section, const SdpSection& peer) {
  bool sent = section.peer_sends;
  section.rejected = wire::is_rejected(peer);
  bool is_media = media_kind(section.kind).has_value();
  section.peer_sends = is_media && wire::sends(peer.direction);
  section.peer_receives = is_media && wire::receives(peer.direction);
  section.newly_sending = section.peer_sends && !sent;
  section.codecs = served_codecs(peer);
  section.resting = false;
  if (!section.peer_sends) section.disowned = false;
}

const Section* SectionTable::downlink_of(const TrackSid& track) const {
  for (const Section& section : sections_)
    if (section.downlink && section.downlink->plan.track == track) return &section;
  return nullptr;
}

Section* SectionTable::downlink_of(const TrackSid& track) {
  for (Section& section : sections_)
    if (section.downlink && section.downlink->plan.track == track) return &section;
  return nullptr;
}

Section* SectionTable::uplink_of(const TrackSid& track) {
  for (Section& section : sections_)
    if (section.uplink && section.uplink->track.sid == track) return &section;
  return nullptr;
}

Section* SectionTable::free_for(const WantedSend& want) {
  for (Section& section : sections_)
    if (is_free(section, want.kind) && !section.resting && knows_codec(section, want.codec))
      return &section;
  return nullptr;
}

bool SectionTable::is_unservable(const WantedSend& want) const {
  if (!wire::equal_ignoring_case(want.codec, served_codec(want.kind))) return true;
  bool any = false;
  for (const Section& section : sections_) {
    if (media_kind(section.kind) != want.kind || !section.peer_receives) continue;
    if (knows_codec(section, want.codec)) return false;
    any = true;
  }
  return any;
}

uint32_t SectionTable::free_count(Kind kind) const {
  auto count = std::ranges::count_if(
      sections_, [&](const Section& s) { return is_free(s, kind) && !s.codecs.empty(); });
  return static_cast<uint32_t>(count);
}

}  // namespace atrium::negotiation
