#include "negotiation/answer_writer.h"

#include <algorithm>

#include "base/limits.h"
#include "negotiation/downlinks.h"

namespace atrium::negotiation {
namespace {

using wire::SdpDirection;
using wire::SdpSection;
using wire::SdpSession;

constexpr uint16_t kSctpPort = 5000;  // RFC 8841 wants a number; over DTLS it selects nothing
constexpr uint16_t kDiscardPort =
    9;  // RFC 8866: the address comes from ICE.  0 would reject the section
constexpr uint32_t kHostPreference = 126;  // RFC 8445 section 5.1.2.2

// What each section has in common with the offered one, before its use is written.
SdpSection mirrored(const SdpSection& offered) {
  SdpSection answer;
  answer.kind = offered.kind;
  answer.media = offered.media;
  answer.protocol = offered.protocol;
  answer.mid = offered.mid;
  answer.port = kDiscardPort;
  answer.direction = SdpDirection::Inactive;
  return answer;
}

// RFC 8866: a format is needed even where nothing is agreed.
void echo_first_format(SdpSection& answer, const SdpSection& offered) {
  if (!offered.codecs.empty()) {
    answer.codecs = {offered.codecs.front()};
    answer.codecs.front().feedback.clear();
  } else {
    answer.formats = {offered.formats.front()};
  }
}

SdpSection rejected(const SdpSection& offered) {
  SdpSection answer = mirrored(offered);
  answer.port = 0;
  echo_first_format(answer, offered);
  return answer;
}

void write_transport(SdpSection& answer, const LocalTransport& local) {
  answer.transport.ice_ufrag = local.ice_ufrag;
  answer.transport.ice_pwd = local.ice_password;
  answer.transport.fingerprints = {{.hash = "sha-256", .value = local.fingerprint_sha256}};
  answer.transport.setup = wire::SdpSetup::Passive;
}

void write_uplink(SdpSection& answer, const Agreement& agreement) {
  answer.direction = SdpDirection::RecvOnly;
  for (const std::string& rid : agreement.rids) {
    answer.rids.push_back({.id = rid, .send = false});
    answer.simulcast.recv.push_back({{.rid = rid}});
  }
}

void write_downlink(SdpSection& answer, const BoundDownlink& downlink) {
  answer.direction = SdpDirection::SendOnly;
  answer.msids = {downlink_msid(downlink.want)};
  const DownlinkPlan& plan = downlink.plan;
  answer.ssrcs.push_back({.ssrc = plan.ssrc, .cname = plan.cname, .msid = answer.msids.front()});
  if (plan.rtx_ssrc == 0) return;
  answer.ssrcs.push_back(
      {.ssrc = plan.rtx_ssrc, .cname = plan.cname, .msid = answer.msids.front()});
  answer.ssrc_groups.push_back({.semantics = "FID", .ssrcs = {plan.ssrc, plan.rtx_ssrc}});
}

SdpSection media_section(const SdpSection& offered, const Section& section,
                         const Agreement& agreement) {
  SdpSection answer = mirrored(offered);
  answer.rtcp_mux = true;
  answer.rtcp_rsize = offered.rtcp_rsize;
  if (!agreement.codec) {
    echo_first_format(answer, offered);
    return answer;
  }
  answer.codecs.push_back(*agreement.codec);
  if (agreement.rtx) answer.codecs.push_back(*agreement.rtx);
  answer.extmaps = agreement.extmaps;
  if (section.uplink) write_uplink(answer, agreement);
  if (section.downlink) write_downlink(answer, *section.downlink);
  return answer;
}

SdpSection data_section(const SdpSection& offered) {
  SdpSection answer = mirrored(offered);
  answer.direction = SdpDirection::SendRecv;  // not written: RFC 8841 gives it no meaning here
  answer.formats = {"webrtc-datachannel"};
  answer.sctp_port = kSctpPort;
  answer.max_message_size = limits::kDataMessageBytesMax;
  return answer;
}

SdpSection answer_section(const SdpSection& offered, const Section& section,
                          const Agreement& agreement, const LocalTransport& local) {
  if (section.rejected) return rejected(offered);
  SdpSection answer = section.kind == wire::SdpKind::Application
                          ? data_section(offered)
                          : media_section(offered, section, agreement);
  write_transport(answer, local);
  return answer;
}

// The offered group without what is rejected; its first mid is the answer's tagged section.
std::vector<std::string> answered_bundle(const SdpSession& offer, const SectionTable& table) {
  std::vector<std::string> bundle = offer.bundle;
  std::erase_if(bundle, [&](const std::string& mid) {
    auto section = std::ranges::find(table.sections(), mid, &Section::mid);
    return section == table.sections().end() || section->rejected;
  });
  return bundle;
}

}  // namespace

std::vector<wire::SdpCandidate> host_candidates(const LocalTransport& local) {
  std::vector<wire::SdpCandidate> out;
  uint32_t local_preference = 65'535;
  for (const SocketAddress& address : local.candidates) {
    wire::SdpCandidate candidate;
    candidate.foundation = std::to_string(out.size() + 1);
    candidate.transport = "udp";
    candidate.priority = (kHostPreference << 24) | (local_preference-- << 8) | 255;
    candidate.address = address.ip.text();
    candidate.port = address.port;
    candidate.type = "host";
    out.push_back(std::move(candidate));
  }
  return out;
}

std::string write_answer(const SdpSession& offer, const SectionTable& table,
                         const std::vector<Agreement>& agreements, const LocalTransport& local,
                         const AnswerOrigin& origin) {
  SdpSession answer;
  answer.origin_id = origin.id;
  answer.origin_version = origin.version;
  answer.ice_lite = true;
  answer.bundle = answered_bundle(offer, table);
  for (size_t i = 0; i < offer.sections.size(); ++i) {
    answer.sections.push_back(
        answer_section(offer.sections[i], table.sections()[i], agreements[i], local));
    SdpSection& section = answer.sections.back();
    if (answer.bundle.empty() || section.mid != answer.bundle.front()) continue;
    section.candidates = host_candidates(local);
    section.end_of_candidates = true;
  }
  return wire::write_sdp(answer);
}

}  // namespace atrium::negotiation
