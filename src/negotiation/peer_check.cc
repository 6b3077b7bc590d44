#include "negotiation/peer_check.h"

#include <algorithm>
#include <set>

namespace atrium::negotiation {
namespace {

using wire::SdpSection;
using wire::SdpSession;

Result<void> check_mids(const SdpSession& sdp) {
  std::set<std::string_view> mids;
  std::set<std::string_view> bundle(sdp.bundle.begin(), sdp.bundle.end());
  for (const SdpSection& section : sdp.sections) {
    if (!section.mid.empty() && !mids.insert(section.mid).second)
      return malformed("description: a mid twice");
    if (wire::is_rejected(section)) continue;
    if (section.mid.empty()) return malformed("description: a section without a=mid");
    if (!bundle.contains(section.mid))
      return fail(ErrorKind::Unsupported, "description: a section outside BUNDLE");
  }
  return {};
}

// One of the bundled RTP sections suffices to say it for all (RFC 9143 section 7.3).
Result<void> check_rtcp_mux(const SdpSession& sdp) {
  bool any_media = false;
  for (const SdpSection& section : sdp.sections) {
    if (wire::is_rejected(section) || section.codecs.empty()) continue;
    if (section.rtcp_mux) return {};
    any_media = true;
  }
  if (any_media) return fail(ErrorKind::Unsupported, "description: media without rtcp-mux");
  return {};
}

std::optional<size_t> tagged_section(const SdpSession& sdp) {
  for (const std::string& mid : sdp.bundle) {
    auto section = std::ranges::find(sdp.sections, mid, &SdpSection::mid);
    if (section != sdp.sections.end() && !wire::is_rejected(*section))
      return static_cast<size_t>(section - sdp.sections.begin());
  }
  return std::nullopt;
}

}  // namespace

Result<CheckedDescription> check_description(std::string_view text) {
  CheckedDescription checked{.sdp = TRY(wire::parse_sdp(text)), .tagged = std::nullopt};
  if (checked.sdp.sections.empty()) return malformed("description: no section");
  TRY(check_mids(checked.sdp));
  TRY(check_rtcp_mux(checked.sdp));
  checked.tagged = tagged_section(checked.sdp);
  return checked;
}

Result<RemoteTransport> remote_transport(const SdpSection& tagged) {
  const wire::SdpTransport& transport = tagged.transport;
  if (transport.ice_ufrag.empty() || transport.ice_pwd.empty())
    return malformed("description: no ICE credentials");
  auto fingerprint =
      std::ranges::find(transport.fingerprints, "sha-256", &wire::SdpFingerprint::hash);
  if (fingerprint == transport.fingerprints.end())
    return fail(ErrorKind::Unsupported, "description: no sha-256 fingerprint");
  if (fingerprint->value.size() != 32 * 3 - 1)
    return malformed("description: sha-256 fingerprint is not 32 bytes");
  return RemoteTransport{.ice_ufrag = transport.ice_ufrag,
                         .ice_password = transport.ice_pwd,
                         .fingerprint_sha256 = fingerprint->value,
                         .setup_active = true};
}

Result<void> check_offered_setup(const SdpSection& tagged) {
  wire::SdpSetup setup = tagged.transport.setup;
  if (setup == wire::SdpSetup::Passive || setup == wire::SdpSetup::HoldConn)
    return fail(ErrorKind::Unsupported, "offer: the peer insists on being the DTLS server");
  return {};
}

}  // namespace atrium::negotiation
