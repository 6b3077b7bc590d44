#include "client/dial_client.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "base/crypto.h"
#include "client/peer_link.h"
#include "client/user_data.h"
#include "media/dtls.h"
#include "wire/data_packet.h"
#include "wire/rtcp.h"
#include "wire/rtp.h"

namespace atrium::client {
namespace {

constexpr size_t kRepeatsPerGap = 16;  // sequence numbers asked for at once
constexpr std::string_view kServerTopics = "atrium.";

// The nearest number above or below `highest` with those low 16 bits.
uint64_t unwrap(uint64_t highest, uint16_t seq) {
  const auto step =
      static_cast<int16_t>(static_cast<uint16_t>(seq - static_cast<uint16_t>(highest)));
  return highest + static_cast<uint64_t>(static_cast<int64_t>(step));
}

}  // namespace

DialClient::DialClient(DialOptions options, SecretSource& secrets)
    : options_(std::move(options)),
      secrets_(secrets),
      engine_(secrets, {.shard = 0, .certificate = options_.certificate}),
      signal_({.path_prefix = options_.path_prefix,
               .token = options_.token,
               .auto_subscribe = options_.auto_subscribe,
               .publish_audio = options_.publish_audio,
               .publish_video = options_.publish_video,
               .fingerprint_sha256 = media::fingerprint_text(*options_.certificate)},
              secrets),
      rtcp_ssrc_(secrets.u32()) {}

DialClient::~DialClient() = default;

// --- signalling

std::string DialClient::upgrade_target() {
  std::string target = signal_.upgrade_target();
  count_signals();
  return target;
}

void DialClient::on_signal_message(std::string_view message, Now now) {
  signal_.on_message(message, now);
  take_signal_events(now);
}

void DialClient::on_signal_closed(uint16_t code) {
  signal_.on_closed(code);
  if (code >= 4000) see_end();
  for (SignalEvent& event : signal_.take_events())
    if (auto* closed = std::get_if<Closed>(&event)) events_.push_back(*closed);
}

void DialClient::take_signal_events(Now now) {
  for (SignalEvent& event : signal_.take_events()) {
    if (auto* answered = std::get_if<Answered>(&event)) {
      open_transport(*answered, now);
      apply_sections(std::move(answered->outcome.sections), now);
      pump(now);
      continue;
    }
    const auto* leave = std::get_if<Leave>(&event);
    if (leave != nullptr && leave->action == LeaveAction::Disconnect) see_end();
    std::visit(
        [&](auto& other) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(other)>, Answered>)
            events_.push_back(std::move(other));
        },
        event);
  }
  count_signals();
}

void DialClient::count_signals() {
  counters_.answers = signal_.counters().answers;
  counters_.offers = signal_.counters().offers;
  counters_.pongs = signal_.counters().pongs;
}

void DialClient::open_transport(const Answered& answered, Now now) {
  const negotiation::AnsweredTransport& transport = answered.outcome.transport;
  media::IceCredentials local{answered.ice_ufrag, answered.ice_password};
  media::IceCredentials remote{transport.ice_ufrag, transport.ice_password};
  if (answered.is_first) {
    media::OpenTransport open{.transport = options_.transport,
                              .life = LifeId{1},
                              .participant_sid = signal_.participant_sid(),
                              .identity = signal_.identity(),
                              .local = std::move(local),
                              .remote = std::move(remote),
                              .remote_fingerprint = read_fingerprint(transport.fingerprint_sha256)};
    open.dtls_client = open.deliver_to_owner = true;
    open.remote_candidates = transport.candidates;
    engine_.on_command(std::move(open), now);
  } else if (answered.restarts_ice) {
    engine_.on_command(media::RestartIce{options_.transport, std::move(local), std::move(remote)},
                       now);
  }
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
  signal_.on_deadline(now);
  pump(now);
}

Mono DialClient::next_deadline() const {
  Mono deadline = std::min(engine_.next_deadline(), signal_.next_deadline());
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
  const auto read = read_user_data(message);
  if (!read) return;
  const bool is_server = read->topic.starts_with(kServerTopics);
  if (!is_server) ++counters_.data_messages;
  if (!is_server && is_ended_) ++counters_.after_leave_data;
  events_.push_back(DataMessage{std::string(read->topic),
                                Bytes(read->payload.begin(), read->payload.end()),
                                std::string(read->sender)});
  if (is_removal(*read)) see_end();
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
