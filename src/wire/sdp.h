// Sdp: reader and writer of the subset of SDP that WebRTC uses (RFC 8866, 9429; BUNDLE 9143, rid
// 8851, simulcast 8853, ICE 8839, fingerprint 8122, SCTP 8841, header extensions 8285, feedback
// 4585).  Stateless values. The input is bounded by the kSdp… rows of api/limits.def; unknown lines
// and attributes are skipped, known ones that do not parse are errors naming the line.  Does not:
// offer/answer rules (see negotiation/).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace atrium::wire {

enum class SdpKind : uint8_t { Audio, Video, Application, Other };
// Seen from whoever wrote the description.
enum class SdpDirection : uint8_t { SendRecv, SendOnly, RecvOnly, Inactive };
enum class SdpSetup : uint8_t { Unset, Active, Passive, ActPass, HoldConn };

inline bool sends(SdpDirection d) {
  return d == SdpDirection::SendRecv || d == SdpDirection::SendOnly;
}
inline bool receives(SdpDirection d) {
  return d == SdpDirection::SendRecv || d == SdpDirection::RecvOnly;
}

struct SdpFingerprint {
  std::string hash;   // lower case: "sha-256"
  std::string value;  // upper-case hex pairs joined by colons; well-formed, length not checked
                      // against the hash
  friend bool operator==(const SdpFingerprint&, const SdpFingerprint&) = default;
};

// One payload type of the m= line with its rtpmap, fmtp and rtcp-fb lines.
struct SdpCodec {
  uint8_t payload_type = 0;  // 0 to 127
  std::string name{};        // as written; empty when there is no rtpmap
  uint32_t clock_rate = 0;   // Hz; 0 without rtpmap
  uint8_t channels = 1;      // as given by the third part of rtpmap
  std::string fmtp{};        // "minptime=10;useinbandfec=1"; several lines are joined by ';'
  std::vector<std::string> feedback{};  // "nack", "nack pli", "ccm fir", "transport-cc", …
  friend bool operator==(const SdpCodec&, const SdpCodec&) = default;
};

struct SdpExtmap {
  uint16_t id = 0;                          // 1 to 14, 16 to 255, or a tentative 4096 to 4351
  std::optional<SdpDirection> direction{};  // "a=extmap:3/sendonly …"
  std::string uri{};
  std::string attributes{};
  friend bool operator==(const SdpExtmap&, const SdpExtmap&) = default;
};

struct SdpMsid {
  std::string stream;   // "-" = in no stream
  std::string track{};  // may be empty
  friend bool operator==(const SdpMsid&, const SdpMsid&) = default;
};

struct SdpSsrc {
  uint32_t ssrc = 0;
  std::string cname{};
  std::optional<SdpMsid> msid{};
  friend bool operator==(const SdpSsrc&, const SdpSsrc&) = default;
};

struct SdpSsrcGroup {
  std::string semantics;  // "FID", "SIM", …
  std::vector<uint32_t> ssrcs{};
  friend bool operator==(const SdpSsrcGroup&, const SdpSsrcGroup&) = default;
};

struct SdpRid {
  std::string id;
  bool send = true;            // "send", else "recv"
  std::string restrictions{};  // "pt=96;max-width=1280"
  friend bool operator==(const SdpRid&, const SdpRid&) = default;
};

struct SdpSimulcastRid {
  std::string rid;
  bool paused = false;  // leading '~'
  friend bool operator==(const SdpSimulcastRid&, const SdpSimulcastRid&) = default;
};
using SdpSimulcastStream =
    std::vector<SdpSimulcastRid>;  // alternatives, most wanted first; never empty

struct SdpSimulcast {
  std::vector<SdpSimulcastStream> send, recv;
  bool empty() const { return send.empty() && recv.empty(); }
  friend bool operator==(const SdpSimulcast&, const SdpSimulcast&) = default;
};

struct SdpCandidate {
  std::string foundation;
  uint16_t component = 1;
  std::string transport;  // lower case: "udp", "tcp"
  uint32_t priority = 0;
  std::string address;  // IPv4, IPv6 or a host name ("….local")
  uint16_t port = 0;
  std::string type;  // "host", "srflx", "prflx", "relay"
  std::string rest;  // "raddr … rport …" and extensions, as written
  friend bool operator==(const SdpCandidate&, const SdpCandidate&) = default;
};

// What may stand at session level and then holds for each m-section without its own: the reader has
// copied it down.
struct SdpTransport {
  std::string ice_ufrag, ice_pwd;  // RFC 8839 lengths (4…256, 22…256) when present
  std::string ice_options{};
  std::vector<SdpFingerprint> fingerprints{};
  SdpSetup setup = SdpSetup::Unset;
  friend bool operator==(const SdpTransport&, const SdpTransport&) = default;
};

struct SdpSection {
  SdpKind kind = SdpKind::Audio;
  std::string media;                 // "audio", "video", "application" or another word
  uint16_t port = 9;                 // 0 = rejected, or bundle-only
  std::string protocol;              // "UDP/TLS/RTP/SAVPF", "UDP/DTLS/SCTP"
  std::vector<SdpCodec> codecs;      // audio and video: the payload types in order of preference
  std::vector<std::string> formats;  // other kinds: the words at the end of the m= line
  std::string mid;                   // empty = none
  SdpDirection direction = SdpDirection::SendRecv;
  SdpTransport transport;
  bool rtcp_mux = false, rtcp_rsize = false, bundle_only = false, extmap_allow_mixed = false;
  std::vector<std::string> wildcard_feedback;  // "a=rtcp-fb:* …": holds for each payload type
  std::vector<SdpExtmap> extmaps;
  std::vector<SdpMsid> msids;
  std::vector<SdpSsrc> ssrcs;  // one per SSRC, in order of first mention
  std::vector<SdpSsrcGroup> ssrc_groups;
  std::vector<SdpRid> rids;
  SdpSimulcast simulcast;
  std::optional<uint16_t> sctp_port;
  std::optional<uint64_t> max_message_size;  // bytes; 0 = any
  std::vector<SdpCandidate> candidates;
  bool end_of_candidates = false;
  friend bool operator==(const SdpSection&, const SdpSection&) = default;
};

struct SdpSession {
  std::string origin_id =
      "0";  // decimal digits; kept as text since browsers use up to 63 bits and more
  uint64_t origin_version = 0;
  bool ice_lite = false, extmap_allow_mixed = false;
  std::vector<std::string>
      bundle;  // mids of a=group:BUNDLE, the tagged one first; empty = no group
  std::vector<SdpSection> sections;
  friend bool operator==(const SdpSession&, const SdpSession&) = default;
};

// Lines may end in CRLF or LF.  Errors: Malformed (line that does not parse), LimitExceeded (a
// kSdp… row).
Result<SdpSession> parse_sdp(std::string_view text);
// parse_sdp(write_sdp(s)) == s for every s that parse_sdp can yield, as long as the text keeps
// within kSdpBytesMax (what was inherited from session level is written once per section).  Values
// must hold no line breaks.
std::string write_sdp(const SdpSession& session);

// --- questions about a parsed description
// --------------------------------------------------------------------------- Rejected or stopped:
// port 0 that is not merely bundle-only (RFC 9143 section 6).
inline bool is_rejected(const SdpSection& section) {
  return section.port == 0 && !section.bundle_only;
}
bool has_feedback(const SdpSection& section, const SdpCodec& codec, std::string_view feedback);
// The value of `key` in "a=1;b=2"; keys compare without case.  nullopt when absent, empty when it
// has no '='.
std::optional<std::string_view> fmtp_value(std::string_view fmtp, std::string_view key);
bool equal_ignoring_case(std::string_view a, std::string_view b);
// RFC 8866 token characters, at least one.
bool is_sdp_token(std::string_view text);

}  // namespace atrium::wire
