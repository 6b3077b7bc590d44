#include "negotiation/agreement.h"

#include <algorithm>

#include "base/limits.h"

namespace atrium::negotiation {
namespace {

using wire::SdpCodec;
using wire::SdpDirection;
using wire::SdpExtmap;
using wire::SdpSection;

struct Format {
  std::string_view name;
  Kind kind;
  uint32_t clock_rate;
  uint8_t channels;
};
constexpr Format kFormats[] = {{kOpus, Kind::Audio, 48'000, 2}, {kVp8, Kind::Video, 90'000, 1}};

const Format* format_named(std::string_view name) {
  for (const Format& format : kFormats)
    if (wire::equal_ignoring_case(format.name, name)) return &format;
  return nullptr;
}

void add_once(std::vector<std::string>& list, std::string_view text) {
  if (std::ranges::find(list, text) == list.end()) list.emplace_back(text);
}

// What we can act on in this role: upstream we send transport-wide feedback and requests,
// downstream we answer them.  A plain NACK downstream is answered by RTX or not at all: a packet
// under its own SSRC and index is encrypted once, ever.
bool is_feedback_usable(std::string_view feedback, Kind kind, Role role,
                        const Extensions& extensions, bool has_rtx) {
  if (feedback == kTransportCc)
    return extensions.transport_seq != 0 && (role == Role::Uplink || kDownstreamTransportCc);
  if (kind == Kind::Audio) return false;
  if (feedback == kNack) return role == Role::Uplink || has_rtx;
  return feedback == kPli || feedback == kFir;
}

std::vector<std::string> usable_feedback(const SdpSection& offered, const SdpCodec& codec,
                                         Kind kind, Role role, const Extensions& extensions,
                                         bool has_rtx) {
  std::vector<std::string> out;
  for (const auto* list : {&codec.feedback, &offered.wildcard_feedback})
    for (const std::string& feedback : *list)
      if (is_feedback_usable(feedback, kind, role, extensions, has_rtx)) add_once(out, feedback);
  return out;
}

// Which of the answered extensions the role writes or reads.  Names of streams go upstream only,
// since each downlink section carries one; levels are an audio matter.
bool is_extension_used(uint8_t Extensions::*id, Kind kind, Role role) {
  if (id == &Extensions::rid || id == &Extensions::repaired_rid)
    return kind == Kind::Video && role == Role::Uplink;
  if (id == &Extensions::audio_level) return kind == Kind::Audio;
  if (id == &Extensions::transport_seq) return role == Role::Uplink || kDownstreamTransportCc;
  return true;
}

// The offerer's "sendonly" is our "recvonly" (RFC 8285 section 6); a direction that the role has no
// use for is not used.
bool is_direction_usable(const std::optional<SdpDirection>& answered, Role role) {
  if (!answered) return true;
  return role == Role::Uplink ? wire::receives(*answered) : wire::sends(*answered);
}
std::optional<SdpDirection> reversed(const std::optional<SdpDirection>& direction) {
  if (direction == SdpDirection::SendOnly) return SdpDirection::RecvOnly;
  if (direction == SdpDirection::RecvOnly) return SdpDirection::SendOnly;
  return direction;
}

const ExtensionUri* extension_named(std::string_view uri) {
  for (const ExtensionUri& extension : kExtensionUris)
    if (extension.uri == uri) return &extension;
  return nullptr;
}

// One-byte headers (RFC 8285 section 4.2) have ids 1 to 14; we write no others.
bool is_id_usable(uint16_t id) {
  return id >= 1 && id <= 14;
}

// Every extension that we know is accepted on every section, used there or not: Chromium (156)
// never again offers, on no section of the connection, what one answer has refused, and a later
// simulcast section without rid is an error to it.
std::vector<SdpExtmap> answered_extmaps(const SdpSection& offered) {
  std::vector<SdpExtmap> out;
  Extensions seen;
  for (const SdpExtmap& extmap : offered.extmaps) {
    const ExtensionUri* known = extension_named(extmap.uri);
    if (known == nullptr || !is_id_usable(extmap.id) || seen.*(known->id) != 0) continue;
    seen.*(known->id) = static_cast<uint8_t>(extmap.id);
    out.push_back({.id = extmap.id, .direction = reversed(extmap.direction), .uri = extmap.uri});
  }
  return out;
}

Extensions used_extensions(const std::vector<SdpExtmap>& answered, Kind kind, Role role) {
  Extensions out;
  for (const SdpExtmap& extmap : answered) {
    const ExtensionUri* known = extension_named(extmap.uri);
    if (is_extension_used(known->id, kind, role) && is_direction_usable(extmap.direction, role))
      out.*(known->id) = static_cast<uint8_t>(extmap.id);
  }
  return out;
}

// The parameters of `fmtp` without those named; what the answer says about them is ours to decide.
std::string without(std::string_view fmtp, std::initializer_list<std::string_view> keys) {
  std::string out;
  while (!fmtp.empty()) {
    size_t end = fmtp.find(';');
    std::string_view parameter = fmtp.substr(0, end);
    fmtp.remove_prefix(end == std::string_view::npos ? fmtp.size() : end + 1);
    bool dropped = std::ranges::any_of(
        keys, [&](std::string_view key) { return wire::fmtp_value(parameter, key).has_value(); });
    if (parameter.empty() || dropped) continue;
    if (!out.empty()) out += ';';
    out += parameter;
  }
  return out;
}

// RFC 7587 section 7: the answer's fmtp says how we like to receive.
std::string uplink_opus_fmtp(std::string_view offered, const PendingTrack& track) {
  std::string fmtp = without(offered, {"usedtx", "stereo", "maxaveragebitrate"});
  auto add = [&fmtp](std::string_view parameter) {
    if (!fmtp.empty()) fmtp += ';';
    fmtp += parameter;
  };
  if (!track.disable_dtx) add("usedtx=1");
  if (track.stereo) add("stereo=1;maxaveragebitrate=510000");
  return fmtp;
}

bool sends_rid(const SdpSection& offered, std::string_view rid) {
  return std::ranges::any_of(offered.rids,
                             [&](const wire::SdpRid& r) { return r.send && r.id == rid; });
}

// RFC 8853: of each offered stream the first alternative; a paused layer is a layer.  Needs the rid
// extension, by which alone the layers can be told apart.
std::vector<std::string> accepted_rids(const SdpSection& offered, const Extensions& extensions) {
  std::vector<std::string> rids;
  if (extensions.rid == 0) return rids;
  for (const wire::SdpSimulcastStream& stream : offered.simulcast.send) {
    if (static_cast<int64_t>(rids.size()) == limits::kSimulcastLayersMax) break;
    if (sends_rid(offered, stream.front().rid)) add_once(rids, stream.front().rid);
  }
  return rids;
}

}  // namespace

bool Agreement::has(std::string_view feedback) const {
  return codec && std::ranges::find(codec->feedback, feedback) != codec->feedback.end();
}

std::optional<Kind> media_kind(wire::SdpKind kind) {
  if (kind == wire::SdpKind::Audio) return Kind::Audio;
  if (kind == wire::SdpKind::Video) return Kind::Video;
  return std::nullopt;
}

std::string_view served_codec(Kind kind) {
  return kind == Kind::Audio ? kOpus : kVp8;
}

const SdpCodec* find_codec(const SdpSection& section, std::string_view name) {
  const Format* format = format_named(name);
  if (format == nullptr) return nullptr;
  for (const SdpCodec& codec : section.codecs) {
    bool same = wire::equal_ignoring_case(codec.name, format->name) &&
                codec.clock_rate == format->clock_rate && codec.channels == format->channels;
    if (same) return &codec;
  }
  return nullptr;
}

const SdpCodec* find_rtx(const SdpSection& section, const SdpCodec& codec) {
  const std::string apt = std::to_string(codec.payload_type);
  for (const SdpCodec& each : section.codecs)
    if (wire::equal_ignoring_case(each.name, kRtx) && wire::fmtp_value(each.fmtp, "apt") == apt)
      return &each;
  return nullptr;
}

std::vector<std::string> served_codecs(const SdpSection& offered) {
  std::vector<std::string> out;
  auto kind = media_kind(offered.kind);
  if (kind && find_codec(offered, served_codec(*kind)) != nullptr)
    out.emplace_back(served_codec(*kind));
  return out;
}

Extensions extensions_of(const std::vector<SdpExtmap>& extmaps) {
  Extensions out;
  for (const SdpExtmap& extmap : extmaps) {
    const ExtensionUri* known = extension_named(extmap.uri);
    if (known != nullptr && is_id_usable(extmap.id))
      out.*(known->id) = static_cast<uint8_t>(extmap.id);
  }
  return out;
}

Agreement agree(const SdpSection& offered, Role role, const PendingTrack* track) {
  Agreement agreement{.role = role};
  auto kind = media_kind(offered.kind);
  if (!kind) return agreement;
  const SdpCodec* codec = find_codec(offered, served_codec(*kind));
  if (codec == nullptr) return agreement;
  agreement.extmaps = answered_extmaps(offered);
  agreement.extensions = used_extensions(agreement.extmaps, *kind, role);
  const SdpCodec* rtx = find_rtx(offered, *codec);
  // Downstream, RTX without NACK would never be asked for.
  if (rtx != nullptr && (role == Role::Uplink || wire::has_feedback(offered, *codec, kNack))) {
    agreement.rtx = *rtx;
    agreement.rtx->feedback.clear();
  }
  agreement.codec = *codec;
  agreement.codec->feedback = usable_feedback(offered, *codec, *kind, role, agreement.extensions,
                                              agreement.rtx.has_value());
  if (role != Role::Uplink) return agreement;
  if (*kind == Kind::Audio && track != nullptr)
    agreement.codec->fmtp = uplink_opus_fmtp(codec->fmtp, *track);
  if (*kind == Kind::Video) agreement.rids = accepted_rids(offered, agreement.extensions);
  return agreement;
}

}  // namespace atrium::negotiation
