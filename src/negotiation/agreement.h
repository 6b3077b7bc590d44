// Agreement: what one offered media section and our role in it come to: codec with its
// retransmission, feedback, header extensions, simulcast layers.  Pure functions; the answer's
// lines and the section plans are both made from the result, so they cannot differ.  RFC 9429
// section 5.3.  Does not: choose tracks (uplinks.h, downlinks.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "negotiation/session.h"
#include "wire/sdp.h"

namespace atrium::negotiation {

// The one switch for transport-wide feedback on what we send.  Off until the media core estimates
// bandwidth downstream: a peer that is promised the extension and never sees it would report
// nothing useful.
inline constexpr bool kDownstreamTransportCc = false;

// RFC 8841 section 6.1: of a peer that does not say what it takes.
inline constexpr uint64_t kMaxMessageBytesDefault = 65'536;

// Payload formats and extensions are named here once for both roles, answering and offering.
inline constexpr std::string_view kOpus = "opus", kVp8 = "VP8", kRtx = "rtx";
inline constexpr std::string_view kNack = "nack", kPli = "nack pli", kFir = "ccm fir",
                                  kTransportCc = "transport-cc";
struct ExtensionUri {
  std::string_view uri;
  uint8_t Extensions::*id;
};
inline constexpr ExtensionUri kExtensionUris[] = {
    {"urn:ietf:params:rtp-hdrext:sdes:mid", &Extensions::mid},
    {"urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", &Extensions::rid},
    {"urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id", &Extensions::repaired_rid},
    {"http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
     &Extensions::transport_seq},
    {"http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", &Extensions::abs_send_time},
    {"urn:ietf:params:rtp-hdrext:ssrc-audio-level", &Extensions::audio_level},
};

// Seen from us.
enum class Role : uint8_t { Idle, Uplink, Downlink };

struct Agreement {
  Role role = Role::Idle;
  std::optional<wire::SdpCodec>
      codec{};  // as we answer it: opus or VP8; nullopt: nothing in common
  std::optional<wire::SdpCodec> rtx{};
  std::vector<wire::SdpExtmap> extmaps{};  // as we answer them
  Extensions extensions{};                 // those of them that this role uses
  std::vector<std::string> rids{};         // accepted layers in the offered order
  bool has(std::string_view feedback) const;
};

std::optional<Kind> media_kind(wire::SdpKind kind);
std::string_view served_codec(Kind kind);  // the one format that we serve of each kind
// The codecs that we serve among those of a section: kOpus or kVp8, or neither.
std::vector<std::string> served_codecs(const wire::SdpSection& offered);

// `track` is given for Role::Uplink: its stereo and DTX wishes go into the answer's fmtp.
Agreement agree(const wire::SdpSection& offered, Role role, const PendingTrack* track);

Extensions extensions_of(const std::vector<wire::SdpExtmap>& extmaps);
// The rtx of `codec` in a section: named rtx, with apt pointing at it (RFC 4588 section 8.6).
const wire::SdpCodec* find_rtx(const wire::SdpSection& section, const wire::SdpCodec& codec);
const wire::SdpCodec* find_codec(const wire::SdpSection& section, std::string_view name);

}  // namespace atrium::negotiation
