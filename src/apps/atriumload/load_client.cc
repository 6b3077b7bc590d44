#include "apps/atriumload/load_client.h"

#include <algorithm>
#include <utility>

#include "wire/rtcp.h"
#include "wire/rtp.h"

namespace atrium::load {
namespace {

constexpr uint32_t kDataSource =
    0x8000'0000;  // sources of data messages, apart from those of media
constexpr uint16_t kNormalClosure = 1000;
constexpr auto kSctpLink = uint8_t{0};

uint64_t us(Wall wall) {
  return static_cast<uint64_t>(wall.time_since_epoch().count());
}

uint64_t between(uint64_t from, uint64_t to) {
  return to > from ? to - from : 0;
}

std::unique_ptr<Driver> make_driver(const Settings& settings, const Person& person,
                                    SecretSource& secrets, Now now) {
  return settings.driver == DriverKind::LiveKit
             ? make_livekit_driver(settings, person, secrets, now)
             : make_janus_driver(settings, person, secrets, now);
}

std::optional<Pattern> read_payload(PayloadUse use, ByteView payload) {
  const auto pattern = pattern_of(use, payload);
  return pattern ? read_pattern(*pattern) : std::nullopt;
}

// The nearest number above or below `highest` with those low 16 bits.
uint64_t unwrap(uint64_t highest, uint16_t seq) {
  const auto step =
      static_cast<int16_t>(static_cast<uint16_t>(seq - static_cast<uint16_t>(highest)));
  return highest + static_cast<uint64_t>(static_cast<int64_t>(step));
}

}  // namespace

LoadClient::LoadClient(Given given, const Settings& settings, RunState& run, Tally& tally,
                       SecretSource& secrets, Now now)
    : given_(std::move(given)),
      settings_(settings),
      run_(run),
      tally_(tally),
      secrets_(secrets),
      began_(now),
      driver_(make_driver(settings, given_.person, secrets, now)),
      socket_(driver_->dial(settings.server.text()), secrets) {
  ++tally_.joins.started;
}

LoadClient::~LoadClient() = default;

// --- the signalling connection

void LoadClient::on_tcp_bytes(std::string_view bytes, Now now) {
  socket_.on_bytes(bytes);
  for (const client::WebSocketFrame& frame : socket_.take_frames()) {
    switch (frame.kind) {
      case client::WebSocketFrame::Kind::Open:
        is_open_ = true;
        driver_->on_open(now);
        break;
      case client::WebSocketFrame::Kind::Refused:
        fail("HTTP " + std::to_string(frame.code));
        break;
      case client::WebSocketFrame::Kind::Message:
        driver_->on_message(frame.message, now);
        break;
      case client::WebSocketFrame::Kind::Close:
        hangs_up_ = true;
        if (is_leaving_) break;  // it answers ours
        note_end(closed_us_, us(now.wall));
        ++tally_.close_codes[frame.code];
        socket_.send_close(frame.code);
        break;
      case client::WebSocketFrame::Kind::End:
        break;
    }
    take_events(now);
  }
  if (socket_.has_ended()) on_tcp_end(now);
}

void LoadClient::on_tcp_end(Now now) {
  socket_.on_end();
  hangs_up_ = true;
  if (stage_ == Stage::Joining) fail(is_open_ ? "the connection ended" : "no connection");
  if (stage_ == Stage::Failed || closed_us_) return;
  if (!is_leaving_) ++tally_.close_codes[-1];
  note_end(closed_us_, us(now.wall));
}

std::string LoadClient::take_tcp_output() {
  for (const std::string& message : driver_->take_messages()) {
    if (driver_->sends_text())
      socket_.send_text(message);
    else
      socket_.send_binary(message);
  }
  if (std::exchange(says_goodbye_, false)) socket_.send_close(kNormalClosure);
  return socket_.take_output();
}

void LoadClient::leave(Now) {
  if (std::exchange(is_leaving_, true)) return;
  driver_->leave();
  says_goodbye_ = true;
  hangs_up_ = true;
}

void LoadClient::take_events(Now now) {
  for (DriverEvent& event : driver_->take_events())
    std::visit([&](auto& one) { on(one, now); }, event);
}

void LoadClient::on(LinkOpened& opened, Now now) {
  Link& link = links_[opened.link];
  if (link.peer) return;
  auto& candidates = opened.plan.candidates;
  std::erase_if(candidates,
                [&](const SocketAddress& one) { return !run_.destinations.permits(one.ip); });
  if (candidates.empty()) return fail("no media address that this run may send to");
  // One socket, connected: the address where signalling is, or the first.
  const auto same = std::ranges::find(candidates, settings_.server.ip, &SocketAddress::ip);
  link.to = same != candidates.end() ? *same : candidates.front();
  candidates = {link.to};
  link.peer.emplace(
      client::PeerLinkOptions{given_.transport, given_.certificate, settings_.srtp_profile},
      secrets_);
  link.peer->open(std::move(opened.plan), now);
  new_links_.push_back({opened.link, link.to});
}

void LoadClient::on(SendGranted& granted, Now now) {
  const auto is_same = [&](const MediaSource& source) { return source.ssrc() == granted.ssrc; };
  if (std::ranges::any_of(sources_, is_same)) return;
  const uint32_t source = given_.number * 2 + (granted.kind == Kind::Video ? 1 : 0);
  sources_.emplace_back(std::move(granted), source,
                        MediaSource::Pace{settings_.video_bps, settings_.frames_per_second},
                        secrets_, first_frame_at(now));
}

// Those of many clients are spread over the interval.
Mono LoadClient::first_frame_at(Now now) {
  return now.mono + std::chrono::microseconds(secrets_.u32() % 33'000);
}

void LoadClient::begin_media(Now now) {
  for (MediaSource& source : sources_) source.restart_at(first_frame_at(now));
}

void LoadClient::on(const PayloadNamed& named, Now) {
  links_[named.link].uses[named.payload_type & 0x7f] = named.use;
}

void LoadClient::on(const SignalJoined&, Now now) {
  if (std::exchange(is_signalled_, true)) return;
  ++tally_.joins.signalled;
  tally_.joins.signal_us.add(static_cast<uint64_t>((now.mono - began_.mono).count()));
  check_complete(now);
}

void LoadClient::on(const EndTold& told, Now now) {
  if (stage_ == Stage::Joining)
    return fail("refused: leave, reason " + std::to_string(told.reason));
  if (!is_leaving_ && !told_us_) ++tally_.leave_reasons[told.reason];
  note_end(told_us_, us(now.wall));
}

void LoadClient::on(const DriverFailed& failed, Now) {
  fail(failed.what);
}

void LoadClient::on(const RoomEnded&, Now) {
  run_.rooms_ended.fetch_add(1);
}

void LoadClient::check_complete(Now now) {
  if (stage_ != Stage::Joining || !is_signalled_) return;
  const bool is_up = links_[0].is_up || links_[1].is_up || !driver_->wants_link();
  if (!is_up || (driver_->has_data() && !is_data_ready_)) return;
  stage_ = Stage::Present;
  JoinTally& joins = tally_.joins;
  ++joins.complete, ++joins.present;
  joins.complete_us.add(static_cast<uint64_t>((now.mono - began_.mono).count()));
  for (const Link& link : links_)
    if (link.is_up) ++joins.profiles[name_of(*link.peer->profile())];
  if (given_.sends_data)
    next_data_ = now.mono + std::chrono::microseconds(secrets_.u32() % 100'000);
}

void LoadClient::fail(const std::string& why) {
  if (stage_ == Stage::Joining) {
    ++tally_.joins.failed;
    ++tally_.joins.failures[why];
    stage_ = Stage::Failed;
  }
  hangs_up_ = true;
}

void LoadClient::note_end(std::optional<uint64_t>& sign, uint64_t at_us) {
  if (!sign) sign = at_us;
  if (stage_ != Stage::Present) return;
  stage_ = Stage::Ended;
  --tally_.joins.present;
}

// --- datagrams

std::vector<LoadClient::NewLink> LoadClient::take_new_links() {
  return std::exchange(new_links_, {});
}

void LoadClient::on_datagram(uint8_t index, ByteSpan datagram, uint64_t arrived_us, Now now) {
  Link& link = links_[index];
  if (!link.peer) return;
  arrived_us_ = arrived_us;
  if (wire::classify_datagram(datagram) == wire::DatagramKind::Rtp)
    return on_rtp(index, datagram, arrived_us, now);
  const auto taken = link.peer->on_datagram(datagram, link.to, now);
  if (taken.arrival == client::PeerLink::Arrival::Rtcp) on_rtcp(taken.plain);
  after_link(link, now);
}

void LoadClient::after_link(Link& link, Now now) {
  using State = client::PeerLink::State;
  if (link.peer->state() == State::Up && !link.is_up) {
    link.is_up = true;
    for (MediaSource& source : sources_)
      if (&links_[source.link()] == &link) source.restart_at(first_frame_at(now));
    check_complete(now);
  }
  if (link.peer->state() == State::Down && stage_ == Stage::Joining)
    fail("the peer connection failed");
  for (media::SctpCommand& command : link.peer->take_sctp()) {
    if (!driver_->has_data() || &link != &links_[kSctpLink]) continue;
    const bool is_open = std::holds_alternative<media::SctpOpen>(command);
    sctp_.push_back(std::move(command));
    if (!is_open) continue;
    for (auto label : {media::DataLabel::Reliable, media::DataLabel::Lossy})
      sctp_.push_back(media::SctpOpenChannel{given_.transport, label});
  }
}

void LoadClient::on_rtp(uint8_t index, ByteSpan datagram, uint64_t arrived_us, Now now) {
  Link& link = links_[index];
  ++tally_.flow.rtp_received;
  tally_.flow.rtp_received_bytes += datagram.size();
  last_media_us_ = arrived_us;
  if (noticed_us_ && arrived_us > *noticed_us_) ++media_after_notice_;
  if (!given_.verifies) return check_header(datagram, link);
  const auto taken = link.peer->on_datagram(datagram, link.to, now);
  if (taken.arrival == client::PeerLink::Arrival::Rtp)
    return check_pattern(taken.plain, link, arrived_us);
  tally_.quality.undecryptable +=
      link.peer->bad_packets() - std::exchange(link.bad_counted, link.peer->bad_packets());
}

LoadClient::Stream& LoadClient::stream_of(uint32_t ssrc) {
  const auto found = std::ranges::find(ssrcs_, ssrc);
  if (found != ssrcs_.end()) return streams_[static_cast<size_t>(found - ssrcs_.begin())];
  ssrcs_.push_back(ssrc);
  return streams_.emplace_back();
}

// Encrypted as it is: the header alone, by the server's own numbers.
void LoadClient::check_header(ByteView datagram, const Link& link) {
  const auto header = wire::parse_rtp_header(datagram);
  if (!header) {
    ++tally_.quality.corrupted;
    return;
  }
  if (link.uses[header->payload_type] == PayloadUse::Repair) {
    ++tally_.quality.repairs;
    return;
  }
  Stream& stream = stream_of(header->ssrc);
  const uint64_t ext_seq = stream.check.has_started() ? unwrap(stream.highest_ext_seq, header->seq)
                                                      : (uint64_t{1} << 32) + header->seq;
  stream.highest_ext_seq = std::max(stream.highest_ext_seq, ext_seq);
  count(stream.check.on(ext_seq));
}

void LoadClient::check_pattern(ByteView plain, const Link& link, uint64_t arrived_us) {
  QualityTally& quality = tally_.quality;
  const auto packet = wire::parse_rtp(plain);
  const PayloadUse use = packet ? link.uses[packet->payload_type] : PayloadUse::None;
  if (!packet || use == PayloadUse::Repair) {
    ++(packet ? quality.repairs : quality.other);
    return;
  }
  // Media may come before the answer that names its payload type.
  auto pattern = read_payload(use == PayloadUse::Audio ? PayloadUse::Audio : PayloadUse::Video,
                              packet->payload);
  if (!pattern && use == PayloadUse::None)
    pattern = read_payload(PayloadUse::Audio, packet->payload);
  if (!pattern && use == PayloadUse::None) {
    ++quality.other;
    return;
  }
  ++quality.verified;
  Stream& stream = stream_of(packet->ssrc);
  // One SSRC is one source for as long as it lives.
  if (!pattern || (stream.check.has_started() && stream.source != pattern->source)) {
    ++quality.corrupted;
    return;
  }
  stream.source = pattern->source;
  stream.by_pattern = true;
  count(stream.check.on(pattern->seq));
  if (run_.phase.load(std::memory_order_relaxed) == Phase::Measuring)
    quality.delay_us.add(between(pattern->sent_us, arrived_us));
}

void LoadClient::count(Arrived arrived) {
  QualityTally& quality = tally_.quality;
  switch (arrived) {
    case Arrived::InOrder:
      break;
    case Arrived::Reordered:
      ++quality.reordered;
      break;
    case Arrived::Duplicated:
      ++quality.duplicated;
      break;
    case Arrived::Stale:
      ++quality.stale;
      break;
  }
}

void LoadClient::on_rtcp(ByteView compound) {
  auto reader = wire::RtcpReader::create(compound);
  if (!reader) return;
  while (const auto part = reader->next()) {
    const bool is_fir = part->is_payload_feedback(wire::kFormatFir);
    const auto pli = wire::parse_pli(*part);
    if (!pli && !is_fir) continue;
    for (MediaSource& source : sources_)
      if (is_fir || source.ssrc() == pli->media_ssrc) source.request_key_frame();
  }
}

std::vector<client::PeerLink::Outgoing> LoadClient::take_datagrams(uint8_t link) {
  if (!links_[link].peer) return {};
  return links_[link].peer->take_datagrams();
}

// While a dismissal is watched publishers go on, as if they had not heard: that no more of it arrives is what is to be
// shown.
bool LoadClient::is_sending() const {
  const Phase phase = run_.phase.load(std::memory_order_relaxed);
  if (!run_.has_media.load(std::memory_order_relaxed)) return false;
  if (phase == Phase::Watching) return stage_ == Stage::Present || stage_ == Stage::Ended;
  return stage_ == Stage::Present && phase < Phase::Draining && !is_leaving_;
}

std::optional<uint8_t> LoadClient::take_frame(Now now, SendBatch& batch) {
  if (!is_sending()) return std::nullopt;
  for (MediaSource& source : sources_) {
    Link& link = links_[source.link()];
    if (source.next_due() > now.mono || !link.is_up) continue;
    if (run_.phase.load(std::memory_order_relaxed) == Phase::Measuring)
      tally_.generator.late_us.add(static_cast<uint64_t>((now.mono - source.next_due()).count()));
    const uint64_t skipped = source.skipped_frames();
    const size_t count = source.take_frame(now.mono, us(now.wall), frame_, link.transport_seq);
    tally_.generator.skipped_frames += source.skipped_frames() - skipped;
    for (size_t i = 0; i < count && !batch.is_full(); ++i) {
      const MediaSource::Packet& packet = frame_[i];
      const auto size =
          link.peer->protect_rtp(packet.header, packet.payload, packet.ext_seq, batch.reserve());
      if (!size) break;
      batch.commit(*size);
      ++tally_.flow.rtp_sent;
      tally_.flow.rtp_sent_bytes += *size;
    }
    ++tally_.flow.frames_sent;
    run_.packets_of_source[source.source()].store(source.packets(), std::memory_order_relaxed);
    return source.link();
  }
  return std::nullopt;
}

// --- SCTP

std::vector<media::SctpCommand> LoadClient::take_sctp() {
  return std::exchange(sctp_, {});
}

void LoadClient::on_sctp(media::SctpEvent event, Now now) {
  Link& link = links_[kSctpLink];
  if (!link.peer) return;
  if (const auto* packet = std::get_if<media::SctpPacketOut>(&event)) {
    link.peer->send_sctp(packet->packet, now);
    after_link(link, now);
  } else if (const auto* channel = std::get_if<media::SctpChannelOpen>(&event)) {
    if (channel->label == media::DataLabel::Reliable) is_data_ready_ = channel->open;
    check_complete(now);
  } else if (const auto* message = std::get_if<media::SctpMessage>(&event)) {
    on_data(message->message, now);
  }
}

void LoadClient::on_data(ByteView message, Now) {
  const DataRead read = driver_->read_data(message);
  if (read.is_removal) return note_end(noticed_us_, arrived_us_);
  if (read.payload.empty()) return;
  ++tally_.flow.data_received;
  if (noticed_us_) ++data_after_notice_;
  QualityTally& quality = tally_.quality;
  const auto pattern = read_pattern(read.payload);
  if (!pattern) {
    ++quality.data_corrupted;
    return;
  }
  switch (data_streams_[pattern->source].on(pattern->seq)) {
    case Arrived::InOrder:
      break;
    case Arrived::Reordered:
      ++quality.data_reordered;
      break;
    case Arrived::Duplicated:
    case Arrived::Stale:
      ++quality.data_duplicated;
      break;
  }
  if (run_.phase.load(std::memory_order_relaxed) == Phase::Measuring)
    quality.data_delay_us.add(between(pattern->sent_us, arrived_us_));
}

void LoadClient::send_data(Now now) {
  if (next_data_ > now.mono) return;
  const auto interval = std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(1.0 / settings_.data_rate));
  next_data_ = std::max(next_data_ + interval, now.mono);
  if (!is_sending() || !is_data_ready_) return;
  Bytes payload(static_cast<size_t>(settings_.data_bytes));
  write_pattern(
      payload,
      {.source = kDataSource | given_.number, .seq = data_seq_++, .sent_us = us(now.wall)});
  sctp_.push_back(media::SctpSend{.transport = given_.transport,
                                  .message = SharedBytes(driver_->data_message(payload)),
                                  .is_user_data = true});
  ++tally_.flow.data_sent;
}

// --- time and the end

void LoadClient::on_deadline(Now now) {
  driver_->on_deadline(now);
  take_events(now);
  for (Link& link : links_) {
    if (!link.peer || link.peer->next_deadline() > now.mono) continue;
    link.peer->on_deadline(now);
    after_link(link, now);
  }
  send_data(now);
  if (stage_ == Stage::Joining && now.mono >= began_.mono + settings_.join_timeout)
    fail(!is_open_                              ? "timeout: no WebSocket"
         : !is_signalled_                       ? "timeout: not taken in"
         : !links_[0].is_up && !links_[1].is_up ? "timeout: no peer connection"
                                                : "timeout: no data channel");
}

Mono LoadClient::next_deadline() const {
  Mono deadline = std::min(driver_->next_deadline(), next_data_);
  if (stage_ == Stage::Joining) deadline = std::min(deadline, began_.mono + settings_.join_timeout);
  for (const Link& link : links_)
    if (link.peer) deadline = std::min(deadline, link.peer->next_deadline());
  if (is_sending())
    for (const MediaSource& source : sources_)
      if (links_[source.link()].is_up) deadline = std::min(deadline, source.next_due());
  return deadline;
}

uint64_t LoadClient::lost_so_far() const {
  uint64_t lost = 0;
  if (!is_finished_)
    for (const Stream& stream : streams_) lost += stream.check.lost();
  return lost;
}

void LoadClient::finish(bool counts_tails) {
  if (std::exchange(is_finished_, true)) return;
  counts_tails = counts_tails && stage_ == Stage::Present;
  for (const Stream& stream : streams_) {
    uint64_t last = 0;
    if (counts_tails && stream.by_pattern && stream.source < run_.packets_of_source.size())
      last = run_.packets_of_source[stream.source].load(std::memory_order_relaxed) - 1;
    tally_.quality.lost += stream.check.lost(last);
  }
  for (const auto& [source, check] : data_streams_) tally_.quality.data_lost += check.lost();
  count_dismissal();
  if (stage_ == Stage::Present) --tally_.joins.present;
  stage_ = Stage::Ended;
}

void LoadClient::count_dismissal() {
  const auto asked = static_cast<uint64_t>(
      run_.dismissed_at_us[given_.person.room_number].load(std::memory_order_relaxed));
  if (asked == 0 || stage_ == Stage::Failed || stage_ == Stage::Joining) return;
  DismissalTally& dismissal = tally_.dismissal;
  ++dismissal.watched;
  uint64_t first = UINT64_MAX;
  const auto add = [&](const std::optional<uint64_t>& sign, uint64_t& count, Histogram& times) {
    if (!sign) return;
    ++count;
    times.add(between(asked, *sign));
    first = std::min(first, *sign);
  };
  add(noticed_us_, dismissal.noticed, dismissal.notice_us);
  add(told_us_, dismissal.told, dismissal.told_us);
  add(closed_us_, dismissal.closed, dismissal.closed_us);
  if (first == UINT64_MAX)
    ++dismissal.silent;
  else
    dismissal.first_sign_us.add(between(asked, first));
  if (last_media_us_) dismissal.last_media_us.add(between(asked, *last_media_us_));
  dismissal.media_after_notice += media_after_notice_;
  dismissal.data_after_notice += data_after_notice_;
}

}  // namespace atrium::load
