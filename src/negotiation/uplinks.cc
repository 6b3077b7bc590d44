#include "negotiation/uplinks.h"

#include <algorithm>

namespace atrium::negotiation {
namespace {

using wire::SdpMsid;
using wire::SdpSection;

std::string_view without_braces(std::string_view id) {
  bool braced = id.size() >= 2 && id.front() == '{' && id.back() == '}';
  return braced ? id.substr(1, id.size() - 2) : id;
}

bool is_same_track(const SdpMsid& msid, std::string_view cid) {
  if (cid.empty()) return false;
  if (!msid.track.empty() && without_braces(msid.track) == without_braces(cid)) return true;
  return msid.stream + ' ' + msid.track == cid || (msid.track.empty() && msid.stream == cid);
}

using Pending = std::vector<PendingTrack>;

bool can_bind(const Section& section) {
  return section.peer_sends && !section.uplink && !section.codecs.empty();
}

Pending::iterator find_named(Pending& pending, Kind kind, const SdpSection& offered) {
  return std::ranges::find_if(pending, [&](const PendingTrack& track) {
    return track.kind == kind && names_track(offered, track.cid);
  });
}

Pending::iterator find_oldest(Pending& pending, Kind kind) {
  return std::ranges::find(pending, kind, &PendingTrack::kind);
}

void bind(Section& section, Pending& pending, Pending::iterator track) {
  if (track == pending.end()) return;
  section.uplink = BoundUplink{.track = std::move(*track), .plan = {}};
  section.disowned = false;
  pending.erase(track);
}

// A section that was bound to one publication and now names another: the peer swapped them in one
// round.
bool is_swapped(const Section& section, const SdpSection& offered) {
  return section.uplink && !names_track(offered, section.uplink->track.cid);
}

// A sending section without a msid or source attaches nothing yet.
bool shows_track(const SdpSection& offered) {
  return !offered.msids.empty() || !offered.ssrcs.empty();
}

// RFC 5576, 4588: the media SSRC and its RTX.
void plan_ssrcs(UplinkPlan& plan, const SdpSection& offered) {
  if (!plan.rids.empty() || offered.ssrcs.empty()) return;
  plan.ssrc = offered.ssrcs.front().ssrc;
  for (const wire::SdpSsrcGroup& group : offered.ssrc_groups) {
    if (group.semantics != "FID" || group.ssrcs.size() < 2) continue;
    plan.ssrc = group.ssrcs[0];
    if (plan.rtx_payload_type != 0) plan.rtx_ssrc = group.ssrcs[1];
    break;
  }
}

// The order of layers is what add_track said, where it speaks of these layers; else the offered
// one.
std::vector<std::string> lowest_first(const std::vector<std::string>& rids,
                                      const std::vector<std::string>& announced) {
  std::vector<std::string> ordered;
  for (const std::string& rid : announced)
    if (std::ranges::find(rids, rid) != rids.end() &&
        std::ranges::find(ordered, rid) == ordered.end())
      ordered.push_back(rid);
  return ordered.size() == rids.size() ? ordered : rids;
}

}  // namespace

bool names_track(const SdpSection& offered, std::string_view cid) {
  auto matches = [&](const SdpMsid& msid) { return is_same_track(msid, cid); };
  if (std::ranges::any_of(offered.msids, matches)) return true;
  return offered.msids.empty() &&
         std::ranges::any_of(offered.ssrcs, [&](const wire::SdpSsrc& source) {
           return source.msid && matches(*source.msid);
         });
}

void release_uplinks(SectionTable& table) {
  for (Section& section : table.sections())
    if (section.uplink && (!section.peer_sends || section.codecs.empty())) section.uplink.reset();
}

void bind_uplinks(SectionTable& table, const wire::SdpSession& peer,
                  std::vector<PendingTrack>& pending) {
  auto for_each_media = [&](auto&& visit) {
    for (size_t i = 0; i < table.sections().size() && !pending.empty(); ++i) {
      Section& section = table.sections()[i];
      if (auto kind = media_kind(section.kind)) visit(section, *kind, peer.sections[i]);
    }
  };
  for_each_media([&](Section& section, Kind kind, const SdpSection& offered) {
    if (can_bind(section)) bind(section, pending, find_named(pending, kind, offered));
  });
  for_each_media([&](Section& section, Kind kind, const SdpSection& offered) {
    if (is_swapped(section, offered)) bind(section, pending, find_named(pending, kind, offered));
  });
  for_each_media([&](Section& section, Kind kind, const SdpSection& offered) {
    if (can_bind(section) && section.newly_sending && shows_track(offered))
      bind(section, pending, find_oldest(pending, kind));
  });
  // The section came before its add_track, and under an id of its own.
  for_each_media([&](Section& section, Kind kind, const SdpSection& offered) {
    if (can_bind(section) && !section.peer_receives && !section.disowned && shows_track(offered))
      bind(section, pending, find_oldest(pending, kind));
  });
}

UplinkPlan plan_uplink(const Section& section, const SdpSection& offered,
                       const Agreement& agreement) {
  const PendingTrack& track = section.uplink->track;
  UplinkPlan plan;
  plan.track = track.sid;
  plan.mid = section.mid;
  plan.kind = track.kind;
  plan.codec = served_codec(track.kind);
  plan.payload_type = agreement.codec->payload_type;
  plan.rtx_payload_type = agreement.rtx ? agreement.rtx->payload_type : 0;
  plan.clock_rate = agreement.codec->clock_rate;
  plan.nack = agreement.has(kNack);
  plan.pli = agreement.has(kPli);
  plan.transport_cc = agreement.has(kTransportCc);
  plan.extensions = agreement.extensions;
  plan.rids = lowest_first(agreement.rids, track.layer_rids);
  plan_ssrcs(plan, offered);
  return plan;
}

}  // namespace atrium::negotiation
