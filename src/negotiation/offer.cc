#include "negotiation/offer.h"

#include <algorithm>

#include "base/limits.h"
#include "negotiation/agreement.h"
#include "negotiation/answer_writer.h"
#include "negotiation/downlinks.h"
#include "negotiation/peer_check.h"

namespace atrium::negotiation {
namespace {

using wire::SdpCodec;
using wire::SdpDirection;
using wire::SdpSection;

// The numbers that browsers use, so that traces look alike.
constexpr uint8_t kOpusPayloadType = 111, kVp8PayloadType = 96, kRtxPayloadType = 97;
constexpr Extensions kOfferedIds{.mid = 4,
                                 .rid = 10,
                                 .repaired_rid = 11,
                                 .transport_seq = 3,
                                 .abs_send_time = 2,
                                 .audio_level = 1};

struct Layer {
  std::string rid;  // empty: the only stream
  uint32_t ssrc = 0, rtx_ssrc = 0;
};

// One section that we offer, in the order of m-lines.
struct Place {
  wire::SdpKind kind = wire::SdpKind::Audio;
  std::string cid{};  // of a sending section
  std::vector<Layer> layers{};
  SdpDirection direction = SdpDirection::RecvOnly;
};

SdpCodec opus() {
  return {.payload_type = kOpusPayloadType,
          .name = std::string(kOpus),
          .clock_rate = 48'000,
          .channels = 2,
          .fmtp = "minptime=10;useinbandfec=1",
          .feedback = {std::string(kTransportCc)}};
}

SdpCodec vp8() {
  return {.payload_type = kVp8PayloadType,
          .name = std::string(kVp8),
          .clock_rate = 90'000,
          .feedback = {std::string(kTransportCc), std::string(kFir), std::string(kNack),
                       std::string(kPli)}};
}

SdpCodec rtx() {
  return {.payload_type = kRtxPayloadType,
          .name = std::string(kRtx),
          .clock_rate = 90'000,
          .fmtp = "apt=" + std::to_string(kVp8PayloadType)};
}

bool is_offered_for(uint8_t Extensions::*id, wire::SdpKind kind) {
  if (id == &Extensions::rid || id == &Extensions::repaired_rid)
    return kind == wire::SdpKind::Video;
  return id != &Extensions::audio_level || kind == wire::SdpKind::Audio;
}

void write_media(SdpSection& section, const Place& place) {
  section.protocol = "UDP/TLS/RTP/SAVPF";
  section.rtcp_mux = section.rtcp_rsize = true;
  if (place.kind == wire::SdpKind::Audio)
    section.codecs = {opus()};
  else
    section.codecs = {vp8(), rtx()};
  for (const ExtensionUri& extension : kExtensionUris)
    if (is_offered_for(extension.id, place.kind))
      section.extmaps.push_back(
          {.id = kOfferedIds.*(extension.id), .uri = std::string(extension.uri)});
}

void write_sources(SdpSection& section, const Place& place, const std::string& cname) {
  section.msids = {{.stream = "-", .track = place.cid}};
  for (const Layer& layer : place.layers) {
    if (!layer.rid.empty()) {
      section.rids.push_back({.id = layer.rid, .send = true});
      section.simulcast.send.push_back({{.rid = layer.rid}});
      continue;
    }
    section.ssrcs.push_back({.ssrc = layer.ssrc, .cname = cname, .msid = section.msids.front()});
    if (layer.rtx_ssrc == 0) continue;
    section.ssrcs.push_back(
        {.ssrc = layer.rtx_ssrc, .cname = cname, .msid = section.msids.front()});
    section.ssrc_groups.push_back({.semantics = "FID", .ssrcs = {layer.ssrc, layer.rtx_ssrc}});
  }
}

SdpSection write_place(const Place& place, size_t index, const LocalTransport& local,
                       const std::string& cname) {
  SdpSection section;
  section.kind = place.kind;
  section.mid = std::to_string(index);
  section.direction = place.direction;
  section.transport = {.ice_ufrag = local.ice_ufrag,
                       .ice_pwd = local.ice_password,
                       .ice_options = "trickle",
                       .fingerprints = {{.hash = "sha-256", .value = local.fingerprint_sha256}},
                       .setup = wire::SdpSetup::ActPass};
  if (index == 0) section.candidates = host_candidates(local);
  if (place.kind == wire::SdpKind::Application) {
    section.media = "application";
    section.protocol = "UDP/DTLS/SCTP";
    section.direction = SdpDirection::SendRecv;
    section.formats = {"webrtc-datachannel"};
    section.sctp_port = 5000;
    section.max_message_size = limits::kDataMessageBytesMax;
    return section;
  }
  section.media = place.kind == wire::SdpKind::Audio ? "audio" : "video";
  write_media(section, place);
  if (wire::sends(place.direction)) write_sources(section, place, cname);
  return section;
}

std::vector<SocketAddress> literal_candidates(const SdpSection& section) {
  std::vector<SocketAddress> out;
  for (const wire::SdpCandidate& candidate : section.candidates) {
    auto ip = IpAddress::parse(candidate.address);
    if (ip && candidate.transport == "udp" && candidate.type == "host" && candidate.component == 1)
      out.push_back({.ip = *ip, .port = candidate.port});
  }
  return out;
}

Result<AnsweredTransport> answered_transport(const CheckedDescription& answer) {
  if (!answer.tagged) return fail(ErrorKind::Unsupported, "answer: no live section");
  const SdpSection& tagged = answer.sdp.sections[*answer.tagged];
  RemoteTransport remote = TRY(remote_transport(tagged));
  if (tagged.transport.setup != wire::SdpSetup::Passive)
    return fail(ErrorKind::Unsupported, "answer: the server is not the passive side of DTLS");
  return AnsweredTransport{.ice_ufrag = remote.ice_ufrag,
                           .ice_password = remote.ice_password,
                           .fingerprint_sha256 = remote.fingerprint_sha256,
                           .candidates = literal_candidates(tagged),
                           .ice_lite = answer.sdp.ice_lite};
}

bool receives_rid(const SdpSection& answer, std::string_view rid) {
  return std::ranges::any_of(answer.simulcast.recv,
                             [&](const auto& stream) { return stream.front().rid == rid; });
}

// Of a simulcast offer the layers that the answer takes; without any, the lowest one as a single
// stream.
void read_sending(AnsweredSection& out, const Place& place, const SdpSection& answer) {
  out.cid = place.cid;
  const bool with_rtx = out.rtx_payload_type != 0;
  for (const Layer& layer : place.layers) {
    if (layer.rid.empty() || !receives_rid(answer, layer.rid)) continue;
    out.rids.push_back(layer.rid);
    out.layer_ssrcs.push_back(layer.ssrc);
    out.layer_rtx_ssrcs.push_back(with_rtx ? layer.rtx_ssrc : 0);
  }
  out.ssrc = out.rids.empty() ? place.layers.front().ssrc : out.layer_ssrcs.front();
  out.rtx_ssrc =
      with_rtx ? (out.rids.empty() ? place.layers.front().rtx_ssrc : out.layer_rtx_ssrcs.front())
               : 0;
}

void read_receiving(AnsweredSection& out, const SdpSection& answer) {
  out.remote_stream = answer.msids.front().stream;
  out.remote_track = answer.msids.front().track;
  if (!answer.ssrcs.empty()) {
    out.remote_ssrc = answer.ssrcs.front().ssrc;
    out.remote_cname = answer.ssrcs.front().cname;
  }
  for (const wire::SdpSsrcGroup& group : answer.ssrc_groups) {
    if (group.semantics != "FID" || group.ssrcs.size() < 2) continue;
    out.remote_ssrc = group.ssrcs[0];
    out.remote_rtx_ssrc = group.ssrcs[1];
  }
}

// The answer echoes our payload types, so its codec must be ours (RFC 3264 section 6.1).
AnsweredSection read_section(const Place& place, Kind kind, const SdpSection& answer) {
  AnsweredSection out{.mid = answer.mid, .kind = kind};
  const SdpCodec* codec = find_codec(answer, served_codec(kind));
  if (codec == nullptr) return out;
  out.sending = wire::sends(place.direction) && wire::receives(answer.direction);
  out.receiving =
      wire::receives(place.direction) && wire::sends(answer.direction) && !answer.msids.empty();
  out.codec = served_codec(kind);
  out.payload_type = codec->payload_type;
  out.clock_rate = codec->clock_rate;
  if (const SdpCodec* repair = find_rtx(answer, *codec))
    out.rtx_payload_type = repair->payload_type;
  out.nack = wire::has_feedback(answer, *codec, kNack);
  out.pli = wire::has_feedback(answer, *codec, kPli);
  out.transport_cc = wire::has_feedback(answer, *codec, kTransportCc);
  out.extensions = extensions_of(answer.extmaps);
  if (out.sending) read_sending(out, place, answer);
  if (out.receiving) read_receiving(out, answer);
  return out;
}

// Same sections, in our order, none rejected that we need (RFC 9429 section 5.11).
Result<void> check_matches(const std::vector<Place>& places, const wire::SdpSession& answer) {
  if (answer.sections.size() != places.size())
    return malformed("answer: not as many sections as offered");
  for (size_t i = 0; i < places.size(); ++i) {
    const SdpSection& section = answer.sections[i];
    if (section.kind != places[i].kind) return malformed("answer: kinds differ from the offer");
    if (section.mid != std::to_string(i)) return malformed("answer: mids differ from the offer");
  }
  return {};
}

}  // namespace

struct OfferingSession::State {
  // given
  SecretSource* secrets;
  std::string cname;
  // owned
  std::vector<Place> places;
  SsrcPool ssrcs;
  std::string origin_id;
  uint64_t offers = 0;
  std::vector<Place> offered;  // the places as the latest offer had them

  bool is_full() const { return static_cast<int64_t>(places.size()) >= limits::kSdpSectionsMax; }
  Result<Layer> fresh_layer(Kind kind, std::string rid);
};

Result<Layer> OfferingSession::State::fresh_layer(Kind kind, std::string rid) {
  Layer layer{.rid = std::move(rid)};
  layer.ssrc = TRY(ssrcs.fresh(*secrets));
  if (kind == Kind::Video) layer.rtx_ssrc = TRY(ssrcs.fresh(*secrets));
  return layer;
}

OfferingSession::OfferingSession(SecretSource& secrets, std::string cname)
    : state_(std::make_unique<State>()) {
  state_->secrets = &secrets;
  state_->cname = std::move(cname);
  state_->origin_id = std::to_string(secrets.u64() >> 2);
}
OfferingSession::~OfferingSession() = default;
OfferingSession::OfferingSession(OfferingSession&&) noexcept = default;
OfferingSession& OfferingSession::operator=(OfferingSession&&) noexcept = default;

void OfferingSession::add_receive_sections(uint32_t audio, uint32_t video) {
  for (uint32_t i = 0; i < audio && !state_->is_full(); ++i)
    state_->places.push_back({.kind = wire::SdpKind::Audio});
  for (uint32_t i = 0; i < video && !state_->is_full(); ++i)
    state_->places.push_back({.kind = wire::SdpKind::Video});
}

void OfferingSession::add_data_section() {
  bool known = std::ranges::any_of(
      state_->places, [](const Place& place) { return place.kind == wire::SdpKind::Application; });
  if (!known && !state_->is_full()) state_->places.push_back({.kind = wire::SdpKind::Application});
}

Result<std::string> OfferingSession::add_send(Kind kind, std::string cid,
                                              std::vector<std::string> rids) {
  if (state_->is_full())
    return fail(ErrorKind::LimitExceeded, "offer: no room for a further section");
  Place place{.kind = kind == Kind::Audio ? wire::SdpKind::Audio : wire::SdpKind::Video,
              .cid = std::move(cid),
              .direction = SdpDirection::SendOnly};
  if (rids.empty()) rids.emplace_back();
  for (std::string& rid : rids)
    place.layers.push_back(TRY(state_->fresh_layer(kind, std::move(rid))));
  state_->places.push_back(std::move(place));
  return std::to_string(state_->places.size() - 1);
}

bool OfferingSession::stop_send(std::string_view cid) {
  for (Place& place : state_->places) {
    if (place.cid != cid || !wire::sends(place.direction)) continue;
    place.direction = SdpDirection::Inactive;
    return true;
  }
  return false;
}

std::string OfferingSession::create_offer(const LocalTransport& local) {
  wire::SdpSession offer;
  offer.origin_id = state_->origin_id;
  offer.origin_version = ++state_->offers;
  for (size_t i = 0; i < state_->places.size(); ++i) {
    offer.bundle.push_back(std::to_string(i));
    offer.sections.push_back(write_place(state_->places[i], i, local, state_->cname));
  }
  state_->offered = state_->places;
  return wire::write_sdp(offer);
}

Result<AnswerOutcome> OfferingSession::on_answer(std::string_view sdp) {
  CheckedDescription answer = TRY(check_description(sdp));
  const std::vector<Place>& offered = state_->offered;
  TRY(check_matches(offered, answer.sdp));
  AnswerOutcome outcome;
  outcome.transport = TRY(answered_transport(answer));
  for (size_t i = 0; i < offered.size(); ++i) {
    const SdpSection& section = answer.sdp.sections[i];
    if (wire::is_rejected(section)) continue;
    if (auto kind = media_kind(offered[i].kind)) {
      outcome.sections.push_back(read_section(offered[i], *kind, section));
      continue;
    }
    outcome.has_data_section = true;
    outcome.sctp_port = section.sctp_port.value_or(0);
    outcome.max_message_size = section.max_message_size.value_or(kMaxMessageBytesDefault);
  }
  return outcome;
}

}  // namespace atrium::negotiation
