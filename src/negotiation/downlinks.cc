#include "negotiation/downlinks.h"

#include <algorithm>

#include "base/limits.h"

namespace atrium::negotiation {
namespace {

using wire::SdpSection;

bool can_keep_downlink(const Section& section) {
  return section.peer_receives && !section.uplink && !section.codecs.empty();
}

bool fits_msid(std::string_view text) {
  return wire::is_sdp_token(text) && text.find('|') == std::string_view::npos;
}

}  // namespace

bool SsrcPool::is_taken(uint32_t ssrc) const {
  if (ssrc == 0 || given_.contains(ssrc)) return true;
  if (peer_ == nullptr) return false;
  return std::ranges::any_of(peer_->sections, [&](const SdpSection& section) {
    return std::ranges::any_of(section.ssrcs,
                               [&](const wire::SdpSsrc& each) { return each.ssrc == ssrc; });
  });
}

Result<uint32_t> SsrcPool::fresh(SecretSource& secrets) {
  if (static_cast<int64_t>(given_.size()) >= limits::kSrtpOutboundSsrcsMax)
    return fail(ErrorKind::LimitExceeded, "session: all SSRCs of this connection were given");
  // At most 1 of 2^15 numbers is taken, so a second draw is rare and a tenth means a source that
  // does not vary.
  for (int i = 0; i < 100; ++i) {
    uint32_t ssrc = secrets.u32();
    if (is_taken(ssrc)) continue;
    given_.insert(ssrc);
    return ssrc;
  }
  return fail(ErrorKind::Internal, "session: the secret source repeats itself");
}

void release_downlinks(SectionTable& table) {
  for (Section& section : table.sections()) {
    if (!section.downlink) continue;
    bool keep = can_keep_downlink(section) && !section.downlink->stopped;
    if (keep) continue;
    section.downlink.reset();
    section.resting = true;
  }
}

void assign_downlinks(SectionTable& table, const std::vector<WantedSend>& wanted) {
  for (const WantedSend& want : wanted) {
    if (table.downlink_of(want.sid) != nullptr) continue;
    Section* section = table.free_for(want);
    if (section == nullptr) continue;
    section->downlink = BoundDownlink{.want = want, .plan = {}};
    section->downlink->plan.track = want.sid;
  }
}

Result<void> plan_downlink(Section& section, const Agreement& agreement, const std::string& cname,
                           SsrcPool& ssrcs, SecretSource& secrets) {
  DownlinkPlan& plan = section.downlink->plan;
  plan.mid = section.mid;
  plan.payload_type = agreement.codec->payload_type;
  plan.rtx_payload_type = agreement.rtx ? agreement.rtx->payload_type : 0;
  plan.cname = cname;
  plan.extensions = agreement.extensions;
  if (plan.ssrc == 0) plan.ssrc = TRY(ssrcs.fresh(secrets));
  if (plan.rtx_payload_type == 0)
    plan.rtx_ssrc = 0;
  else if (plan.rtx_ssrc == 0)
    plan.rtx_ssrc = TRY(ssrcs.fresh(secrets));
  return {};
}

wire::SdpMsid downlink_msid(const WantedSend& want) {
  const std::string& track = want.sid.value;
  std::string stream = want.publisher_sid + '|' + want.stream;
  bool usable = fits_msid(want.stream) && !want.stream.starts_with("TR_") &&
                static_cast<int64_t>(stream.size()) <= limits::kMsidBytesMax;
  return {.stream = usable ? std::move(stream) : want.publisher_sid + '|' + track, .track = track};
}

}  // namespace atrium::negotiation
