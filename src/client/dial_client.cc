#include "client/dial_client.h"

#include <algorithm>
#include <utility>

#include "base/crypto.h"
#include "media/dtls.h"
#include "wire/data_packet.h"
#include "wire/rtcp.h"
#include "wire/rtp.h"

namespace atrium::client {
namespace {

constexpr uint32_t kFirstSections =
    3;  // recvonly sections of each kind in the first offer, as the SDKs have it
constexpr size_t kRepeatsPerGap = 16;  // sequence numbers asked for at once
constexpr std::string_view kErrorTopic = "atrium.error";
constexpr std::string_view kServerTopics = "atrium.";

media::DtlsFingerprint fingerprint_of(const std::string& text) {
  std::string digits;
  for (char c : text)
    if (c != ':') digits.push_back(c);
  media::DtlsFingerprint out;
  const auto bytes = from_hex(digits);
  if (bytes && bytes->size() == out.sha256.size()) std::ranges::copy(*bytes, out.sha256.begin());
  return out;  // all zero matches no certificate
}

// The nearest number above or below `highest` with those low 16 bits.
uint64_t unwrap(uint64_t highest, uint16_t seq) {
  const auto step =
      static_cast<int16_t>(static_cast<uint16_t>(seq - static_cast<uint16_t>(highest)));
  return highest + static_cast<uint64_t>(static_cast<int64_t>(step));
}

// Field 4 of the envelope.
std::string sender_of(ByteView message) {
  ByteReader reader(message);
  const auto varint = [&]() -> std::optional<uint64_t> {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = reader.u8();
      if (!byte) return std::nullopt;
      value |= uint64_t{*byte & 0x7fu} << shift;
      if ((*byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  };
  while (!reader.at_end()) {
    const auto tag = varint();
    const auto size = varint();  // of a length-delimited field, or the value itself
    if (!tag || !size) return {};
    if ((*tag & 7) == 0) continue;
    const auto bytes =
        (*tag & 7) == 2 ? reader.take(*size) : Result<ByteView>(malformed("not an envelope"));
    if (!bytes) return {};
    if (*tag >> 3 == 4) return std::string(as_text(*bytes));
  }
  return {};
}

// Whether a notice on atrium.error ends the session; the others tell of a privilege or a token alone.  The server
// writes `"code":` first (DESIGN section 1).
bool is_removal(std::string_view notice) {
  constexpr std::string_view kCode = "\"code\":";
  const size_t at = notice.find(kCode);
  if (at == notice.npos) return false;
  notice.remove_prefix(at + kCode.size());
  for (std::string_view code : {"-1004,", "-1006,", "-1009,", "-1011,"})
    if (notice.starts_with(code)) return true;
  return false;
}

}  // namespace

DialClient::DialClient(DialOptions options, SecretSource& secrets)
    : options_(std::move(options)),
      secrets_(secrets),
      engine_(secrets, {.shard = 0, .certificate = options_.certificate}),
      offering_(secrets, secrets.base62(16)),
      rtcp_ssrc_(secrets.u32()) {
  local_.fingerprint_sha256 = media::fingerprint_text(*options_.certificate);
  renew_credentials();
  offering_.add_receive_sections(kFirstSections, kFirstSections);
  offering_.add_data_section();
}

DialClient::~DialClient() = default;

void DialClient::renew_credentials() {
  local_.ice_ufrag = secrets_.base62(8);  // RFC 8445 section 5.3
  local_.ice_password = secrets_.base62(24);
}

// --- the answer
// -------------------------------------------------------------------------------------------------------

void DialClient::on_answer(std::string_view sdp, uint32_t id, Now now) {
  if (id != offer_id_) return;  // to an offer that a later one replaced
  is_offer_outstanding_ = false;
  ++counters_.answers;
  auto outcome = offering_.on_answer(sdp);
  if (!outcome) {
    events_.push_back(Refused{outcome.error().what});
    return;
  }
  open_transport(outcome->transport, now);
  apply_sections(std::move(outcome->sections), now);
  if (needs_offer_) send_offer();
  pump(now);
}

void DialClient::open_transport(const negotiation::AnsweredTransport& transport, Now now) {
  media::IceCredentials local{local_.ice_ufrag, local_.ice_password};
  media::IceCredentials remote{transport.ice_ufrag, transport.ice_password};
  if (!has_transport_) {
    has_transport_ = true;
    media::OpenTransport open{.transport = options_.transport,
                              .life = LifeId{1},
                              .participant_sid = participant_sid_,
                              .identity = identity_,
                              .local = std::move(local),
                              .remote = std::move(remote),
                              .remote_fingerprint = fingerprint_of(transport.fingerprint_sha256)};
    open.dtls_client = open.deliver_to_owner = true;
    open.remote_candidates = transport.candidates;
    engine_.on_command(std::move(open), now);
  } else if (restarts_ice_) {
    engine_.on_command(media::RestartIce{options_.transport, std::move(local), std::move(remote)},
                       now);
  }
  restarts_ice_ = false;
}

// Packets may come before the answer that names their stream.  False: it has its name already.
bool DialClient::name_stream(const negotiation::AnsweredSection& section, uint32_t ssrc,
                             bool is_repair) {
  Stream& stream = streams_[ssrc];
  if (!stream.mid.empty()) return false;
  stream.mid = section.mid;
  stream.track = section.remote_track;
  stream.is_repair = is_repair;
  return true;
}

void DialClient::apply_sections(std::vector<negotiation::AnsweredSection> sections, Now now) {
  for (const negotiation::AnsweredSection& section : sections) {
    if (section.sending) {
      const auto known = std::ranges::find(sources_, section.mid, &RtpSource::mid);
      const auto& pace =
          section.kind == negotiation::Kind::Audio ? options_.audio_pace : options_.video_pace;
      if (known != sources_.end())
        known->update(section);
      else
        sources_.emplace_back(section, pace, secrets_, now.mono);
    }
    if (!section.receiving || !name_stream(section, section.remote_ssrc, false)) continue;
    if (section.remote_rtx_ssrc != 0) name_stream(section, section.remote_rtx_ssrc, true);
    events_.push_back(TrackReceived{section.mid, section.remote_track, section.remote_stream,
                                    section.remote_ssrc});
  }
  std::erase_if(sources_, [&](const RtpSource& source) {
    return std::ranges::none_of(sections,
                                [&](const auto& s) { return s.sending && s.mid == source.mid(); });
  });
  sections_ = std::move(sections);
}

// --- packets
// ------------------------------------------------------------------------------------------------------------

void DialClient::on_datagrams(std::span<media::Datagram> batch, Now now) {
  engine_.on_datagrams(batch, now);
  pump(now);
}

void DialClient::on_deadline(Now now) {
  if (engine_.next_deadline() <= now.mono) engine_.on_deadline(now);
  send_due_rtp(now);
  if (ping_at_ <= now.mono) send_ping(now);
  pump(now);
}

Mono DialClient::next_deadline() const {
  Mono deadline = std::min(engine_.next_deadline(), ping_at_);
  if (is_sending())
    for (const RtpSource& source : sources_) deadline = std::min(deadline, source.next_due());
  return deadline;
}

void DialClient::send_due_rtp(Now now) {
  if (!is_sending()) return;
  for (RtpSource& source : sources_)
    for (Bytes& packet : source.take_due(now.mono, transport_seq_)) inject(std::move(packet), now);
}

void DialClient::inject(Bytes packet, Now now) {
  engine_.on_command(media::InjectRtp{options_.transport, std::move(packet)}, now);
}

std::vector<media::SctpCommand> DialClient::take_sctp() {
  return std::exchange(sctp_, {});
}

void DialClient::on_sctp(media::SctpEvent event, Now now) {
  engine_.on_sctp(std::move(event), now);
  pump(now);
}

void DialClient::pump(Now now) {
  for (const media::Report& report : engine_.take_reports()) on_report(report, now);
  for (media::SctpCommand& command : engine_.take_sctp()) {
    const bool is_open = std::holds_alternative<media::SctpOpen>(command);
    sctp_.push_back(std::move(command));
    if (!is_open) continue;
    for (auto label : {media::DataLabel::Reliable, media::DataLabel::Lossy})
      sctp_.push_back(media::SctpOpenChannel{options_.transport, label});
  }
}

void DialClient::on_report(const media::Report& report, Now now) {
  if (const auto* rtp = std::get_if<media::RtpReceived>(&report)) {
    if (wire::is_rtcp(rtp->packet))
      on_rtcp(rtp->packet, now);
    else
      on_rtp(rtp->packet, now);
  } else if (const auto* data = std::get_if<media::DataReceived>(&report)) {
    on_data(data->message);
  } else if (std::holds_alternative<media::TransportUp>(report)) {
    is_connected_ = true;
    for (RtpSource& source : sources_) source.restart_at(now.mono);
    events_.push_back(Connected{});
  } else if (std::holds_alternative<media::TransportDown>(report)) {
    is_connected_ = false;
    events_.push_back(Disconnected{});
  } else if (const auto* channel = std::get_if<media::ReliableChannel>(&report)) {
    is_data_ready_ = channel->open;
    if (channel->open) events_.push_back(DataReady{});
  }
}

void DialClient::on_rtp(const Bytes& packet, Now now) {
  const auto header = wire::parse_rtp_header(packet);
  if (!header) return;
  ++counters_.rtp;
  if (is_ended_) ++counters_.after_leave_rtp;
  auto [entry, is_new] = streams_.try_emplace(header->ssrc);
  Stream& stream = entry->second;
  stream.last_at = now.mono;
  if (stream.packets++ == 0) {
    stream.highest_ext_seq =
        (uint64_t{1} << 32) + header->seq;  // so that earlier ones stay positive
    return;
  }
  const uint64_t ext_seq = unwrap(stream.highest_ext_seq, header->seq);
  if (ext_seq <= stream.highest_ext_seq) return;
  const uint64_t missing_from = stream.highest_ext_seq + 1;
  stream.highest_ext_seq = ext_seq;
  stream.lost += ext_seq - missing_from;
  if (ext_seq > missing_from && !stream.is_repair)
    ask_for_repeats(stream, header->ssrc, missing_from, ext_seq, now);
}

void DialClient::ask_for_repeats(const Stream& stream, uint32_t ssrc, uint64_t from, uint64_t to,
                                 Now now) {
  const auto section = std::ranges::find(sections_, stream.mid, &negotiation::AnsweredSection::mid);
  if (section == sections_.end() || !section->nack) return;
  std::vector<uint16_t> seqs;
  for (uint64_t seq = from; seq < to && seqs.size() < kRepeatsPerGap; ++seq)
    seqs.push_back(static_cast<uint16_t>(seq));
  Bytes room(16 + 4 * kRepeatsPerGap);
  ByteWriter writer(room);
  wire::write_nack(writer, rtcp_ssrc_, ssrc, seqs);
  room.resize(writer.position());
  counters_.repeats_asked += seqs.size();
  inject(std::move(room), now);
}

void DialClient::on_rtcp(const Bytes& packet, Now now) {
  ++counters_.rtcp;
  auto reader = wire::RtcpReader::create(packet);
  if (!reader) return;
  const auto source_of = [&](uint32_t ssrc) {
    const auto found = std::ranges::find(sources_, ssrc, &RtpSource::ssrc);
    return found == sources_.end() ? nullptr : &*found;
  };
  while (const auto part = reader->next()) {
    if (const auto pli = wire::parse_pli(*part)) {
      ++counters_.key_frames_asked;
      if (RtpSource* source = source_of(pli->media_ssrc)) source->request_key_frame();
    } else if (auto nack = wire::NackView::create(*part)) {
      RtpSource* source = source_of(nack->media_ssrc);
      while (const auto seq = nack->next_seq()) {
        Bytes repeat = source == nullptr ? Bytes{} : source->repeat(*seq, transport_seq_);
        if (!repeat.empty()) inject(std::move(repeat), now);
      }
    }
  }
}

void DialClient::on_data(const Bytes& message) {
  const auto packet = wire::parse_data_packet(message);
  if (!packet) return;
  DataMessage event{std::string(packet->topic),
                    Bytes(packet->payload.begin(), packet->payload.end()), sender_of(message)};
  const bool is_server = packet->topic.starts_with(kServerTopics);
  if (!is_server) ++counters_.data_messages;
  if (!is_server && is_ended_) ++counters_.after_leave_data;
  const bool is_end =
      packet->topic == kErrorTopic && event.sender.empty() && is_removal(as_text(event.payload));
  events_.push_back(std::move(event));
  if (is_end) see_end();
}

bool DialClient::send_data(std::string_view topic, ByteView payload, Now now) {
  if (!is_data_ready_) return false;
  engine_.on_command(
      media::SendReliable{options_.transport,
                          wire::build_user_packet(wire::DataKind::Reliable, topic, payload)},
      now);
  pump(now);
  return true;
}

std::vector<Event> DialClient::take_events() {
  return std::exchange(events_, {});
}

}  // namespace atrium::client
