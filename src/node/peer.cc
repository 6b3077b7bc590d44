#include "node/peer.h"

#include "base/crypto.h"

namespace atrium::node {
namespace {

media::Codec codec_of(const std::string& name) {
  if (name == "opus") return media::Codec::Opus;
  if (name == "VP8") return media::Codec::Vp8;
  return media::Codec::Unknown;
}

std::string mime_of(negotiation::Kind kind, const std::string& codec) {
  return (kind == negotiation::Kind::Audio ? "audio/" : "video/") + codec;
}

media::ExtensionIds extension_ids(const negotiation::Extensions& ids) {
  return {.mid = ids.mid,
          .rid = ids.rid,
          .repaired_rid = ids.repaired_rid,
          .transport_seq = ids.transport_seq,
          .abs_send_time = ids.abs_send_time,
          .audio_level = ids.audio_level};
}

// "AB:CD:…" as negotiation validated it.
media::DtlsFingerprint fingerprint_of(const std::string& text) {
  std::string digits;
  for (char c : text)
    if (c != ':') digits.push_back(c);
  media::DtlsFingerprint out;
  const auto bytes = from_hex(digits);
  if (bytes && bytes->size() == out.sha256.size())
    std::copy(bytes->begin(), bytes->end(), out.sha256.begin());
  return out;  // all zero matches no certificate
}

media::AddUplink uplink_command(const negotiation::UplinkPlan& plan, TransportId transport,
                                TrackId track) {
  return {.transport = transport,
          .track = track,
          .kind = plan.kind == negotiation::Kind::Audio ? media::Kind::Audio : media::Kind::Video,
          .codec = codec_of(plan.codec),
          .payload_type = plan.payload_type,
          .rtx_payload_type = plan.rtx_payload_type,
          .red_payload_type = plan.red_payload_type,
          .clock_rate = plan.clock_rate,
          .mid = plan.mid,
          .extensions = extension_ids(plan.extensions),
          .nack = plan.nack,
          .pli = plan.pli,
          .transport_cc = plan.transport_cc,
          .ssrc = plan.ssrc,
          .rtx_ssrc = plan.rtx_ssrc,
          .rids = plan.rids};
}

}  // namespace

Peer::Peer(MediaPlane& media, SecretSource& secrets, LifeId life, PeerOptions options)
    : media_(media),
      secrets_(secrets),
      life_(life),
      options_(std::move(options)),
      session_(secrets, secrets.base62(16)) {
  local_.fingerprint_sha256 = options_.fingerprint;
  local_.candidates = options_.candidates;
  renew_credentials();
}

void Peer::renew_credentials() {
  // RFC 8445 section 5.3: at least 24 bits in the ufrag, 128 in the password.
  local_.ice_ufrag = secrets_.base62(8);
  local_.ice_password = secrets_.base62(24);
}

Result<Peer::OfferOutcome> Peer::on_offer(std::string_view sdp, uint32_t id, TrackTable& tracks,
                                          const StreamTable& streams) {
  const bool restart = transport_.has_value() && TRY(session_.is_ice_restart(sdp));
  const negotiation::LocalTransport before = local_;
  if (restart) renew_credentials();
  auto answer = session_.on_offer(sdp, id, local_);
  if (!answer) {
    local_ = before;
    return std::unexpected(answer.error());
  }
  requirement_outstanding_ = false;
  OfferOutcome outcome{.sdp = answer->sdp,
                       .id = answer->id,
                       .mid_to_track = answer->mid_to_track,
                       .live = {},
                       .gone = {},
                       .attached = {}};
  max_message_bytes_ = answer->max_message_bytes;
  open_or_restart(*answer);
  apply_uplinks(*answer, tracks, streams, outcome);
  apply_downlinks(*answer, tracks, outcome);
  return outcome;
}

void Peer::open_or_restart(const negotiation::AnswerResult& answer) {
  const media::IceCredentials local{local_.ice_ufrag, local_.ice_password};
  const media::IceCredentials remote{answer.remote.ice_ufrag, answer.remote.ice_password};
  if (!transport_) {
    transport_ = media_.new_transport(life_, options_.participant);
    media_.send(life_, media::OpenTransport{
                           .transport = *transport_,
                           .life = life_,
                           .participant_sid = options_.participant.value,
                           .identity = options_.user.value,
                           .hidden = options_.hidden,
                           .can_publish_data = options_.can_publish_data,
                           .local = local,
                           .remote = remote,
                           .remote_fingerprint = fingerprint_of(answer.remote.fingerprint_sha256),
                           .remote_candidates = {},
                           .needs_admission = true});
  } else if (answer.ice_restart) {
    media_.send(life_,
                media::RestartIce{.transport = *transport_, .local = local, .remote = remote});
  }
}

void Peer::apply_uplinks(const negotiation::AnswerResult& answer, TrackTable& tracks,
                         const StreamTable& streams, OfferOutcome& outcome) {
  for (const TrackSid& sid : answer.uplinks_removed) {
    const auto known = tracks.find(sid);
    if (known == tracks.end()) continue;
    media_.send(life_, media::RemoveUplink{known->second.id});
    outcome.gone.push_back(sid);
    tracks.erase(known);
  }
  for (const negotiation::UplinkPlan& plan : answer.uplinks_added) {
    auto [entry, is_new] = tracks.try_emplace(plan.track);
    if (is_new) entry->second.id = media_.new_track(life_);
    entry->second.publisher = options_.participant;
    if (const auto stream = streams.find(plan.track); stream != streams.end())
      entry->second.stream = stream->second;
    entry->second.kind =
        plan.kind == negotiation::Kind::Audio ? domain::TrackKind::Audio : domain::TrackKind::Video;
    entry->second.codec = plan.codec;
    media_.send(life_, uplink_command(plan, *transport_, entry->second.id));
    outcome.live.push_back({plan.track, mime_of(plan.kind, plan.codec), plan.mid});
  }
}

void Peer::apply_downlinks(const negotiation::AnswerResult& answer, const TrackTable& tracks,
                           OfferOutcome& outcome) {
  for (const TrackSid& sid : answer.downlinks_removed) {
    const auto forward = forwards_.find(sid);
    if (forward == forwards_.end()) continue;
    media_.send(life_, media::RemoveForward{*transport_, forward->second});
    forwards_.erase(forward);
  }
  for (const negotiation::DownlinkPlan& plan : answer.downlinks_added) {
    const auto track = tracks.find(plan.track);
    if (track == tracks.end()) continue;  // ended while the offer was on its way
    const Paused paused = paused_[plan.track];
    forwards_[plan.track] = track->second.id;
    media_.send(life_, media::AddForward{.transport = *transport_,
                                         .track = track->second.id,
                                         .payload_type = plan.payload_type,
                                         .rtx_payload_type = plan.rtx_payload_type,
                                         .mid = plan.mid,
                                         .extensions = extension_ids(plan.extensions),
                                         .ssrc = plan.ssrc,
                                         .rtx_ssrc = plan.rtx_ssrc,
                                         .cname = plan.cname,
                                         .paused = paused.paused});
    if (paused.layer != 2)
      media_.send(life_,
                  media::PauseForward{*transport_, track->second.id, paused.paused, paused.layer});
    outcome.attached.push_back(plan.track);
  }
}

void Peer::stop_send(const TrackSid& track) {
  session_.stop_send(track);
  paused_.erase(track);
  const auto forward = forwards_.find(track);
  if (forward == forwards_.end()) return;
  media_.send(life_, media::RemoveForward{*transport_, forward->second});
  forwards_.erase(forward);
}

void Peer::pause_forward(const TrackSid& track, bool paused, uint8_t layer) {
  paused_[track] = {paused, layer};
  const auto forward = forwards_.find(track);
  if (forward == forwards_.end()) return;
  media_.send(life_, media::PauseForward{*transport_, forward->second, paused, layer});
}

void Peer::stop_track(const TrackSid& track, TrackTable& tracks) {
  session_.forget_pending_track(track);
  const auto known = tracks.find(track);
  if (known == tracks.end()) return;
  media_.send(life_, media::RemoveUplink{known->second.id});
  tracks.erase(known);
}

std::optional<negotiation::Session::Missing> Peer::take_requirement() {
  if (requirement_outstanding_ || !session_.needs_offer()) return std::nullopt;
  requirement_outstanding_ = true;
  return session_.missing_sections();
}

bool Peer::close_transport() {
  if (!transport_) return false;
  media_.send(life_, media::CloseTransport{*transport_});
  return true;
}

void Peer::admit(const IpAddress& address) {
  if (transport_) media_.send(life_, media::AdmitPath{*transport_, address});
}

void Peer::set_can_publish_data(bool allowed) {
  options_.can_publish_data = allowed;
  if (transport_) media_.send(life_, media::SetDataPermission{*transport_, allowed});
}

void Peer::send_reliable(SharedBytes data_packet) {
  if (transport_) media_.send(life_, media::SendReliable{*transport_, std::move(data_packet)});
}

Peer::MessageFate Peer::send_message(const SharedBytes& data_packet) {
  if (!transport_) return MessageFate::NotConnected;
  // RFC 8841 section 6.1: longer ones MUST NOT be sent.
  if (max_message_bytes_ != 0 && data_packet.size() > max_message_bytes_)
    return MessageFate::TooLongForClient;
  const bool is_sent = media_.send_message(
      life_, {.transport = *transport_, .data_packet = data_packet, .ends_with_cut = true});
  return is_sent ? MessageFate::Sent : MessageFate::Backlog;
}

void Peer::cut(Bytes notice) {
  if (transport_) media_.send(life_, media::CutTransport{*transport_, std::move(notice)});
}

}  // namespace atrium::node
