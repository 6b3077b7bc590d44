#include "media/engine.h"

#include <algorithm>
#include <utility>

#include "media/admission.h"
#include "media/closing.h"
#include "media/connectivity.h"
#include "media/data_routing.h"
#include "media/engine_state.h"
#include "media/feedback.h"
#include "media/forwarding.h"
#include "media/inbound.h"
#include "media/streams.h"
#include "wire/rtcp.h"
#include "wire/rtp.h"
#include "wire/seq.h"

namespace atrium::media {
namespace {

// Bytes that were handed out have left: the arena is free again.
void begin_call(EngineState& engine, Now now) {
  engine.latest = now.mono;
  if (engine.outbox.is_handed_out()) engine.outbox.clear();
}

// A turn full of media lasts as long as many that are nearly empty.  So that nobody's joins starve on a busy shard it
// takes one more handshake step for each so many outputs: a quarter of a full turn's time, never more than five.
constexpr size_t kOutputsPerHandshakeStep = 500;

// What a turn ends with, once, however often it is called before the turn's drain: handshake steps, each of which costs
// as much as some hundred packets and so comes after the turn's media is encrypted, and a bounded number of teardowns.
void end_turn(EngineState& engine, Now now) {
  if (std::exchange(engine.has_ended_turn, true)) return;
  if (!engine.dtls_queue.is_empty()) {
    forward_queued(engine, engine.turn_budget, now);
    const size_t outputs = static_cast<size_t>(limits::kEncryptedPerTurnMax) - engine.turn_budget;
    for (size_t step = 0; step <= outputs / kOutputsPerHandshakeStep; ++step)
      take_handshake_step(engine, now);
  }
  take_closings(engine);
}

// RTP of the dialling role: the owner counts sequence numbers, the index follows the highest one seen.
void inject(EngineState& engine, const InjectRtp& command) {
  Transport* transport = engine.find_transport(command.transport);
  if (transport == nullptr || !transport->can_send() || transport->is_cut)
    return engine.drop(DropReason::CommandUnknownTarget);
  if (wire::is_rtcp(command.packet)) return send_rtcp(engine, *transport, command.packet);
  const auto header = wire::parse_rtp_header(command.packet);
  if (!header) return engine.drop(DropReason::RtpMalformed);
  const auto [highest, is_new] = transport->injected.try_emplace(header->ssrc, header->seq);
  const uint64_t ext_seq = wire::ext_seq_near(highest->second, header->seq);
  highest->second = std::max(highest->second, ext_seq);
  const ByteView packet(command.packet);
  const ByteSpan out = engine.outbox.reserve(packet.size() + kSrtpOverheadMax);
  if (out.empty()) return engine.drop(DropReason::OutputFull);
  const auto written = transport->outbound->protect_rtp(
      packet.first(header->header_bytes), packet.subspan(header->header_bytes), ext_seq, out);
  if (!written) return engine.drop(DropReason::EncryptFailed);
  engine.outbox.commit(*written, *transport->ice.send_path(), OutKind::Media, transport);
}

// One small function per command; std::visit is the table.
struct CommandTable {
  EngineState& engine;
  Now now;
  void operator()(OpenTransport& command) const { open_transport(engine, std::move(command), now); }
  void operator()(RestartIce& command) const { restart_ice(engine, std::move(command), now); }
  void operator()(AdmitPath& command) const { admit_path(engine, command, now); }
  void operator()(SetDataPermission& command) const { set_data_permission(engine, command); }
  void operator()(AddUplink& command) const { add_uplink(engine, std::move(command)); }
  void operator()(RemoveUplink& command) const { remove_uplink(engine, command.track); }
  void operator()(SetUplinkMuted& command) const { set_uplink_muted(engine, command, now); }
  void operator()(AddForward& command) const { add_forward(engine, std::move(command), now); }
  void operator()(RemoveForward& command) const { remove_forward(engine, command); }
  void operator()(PauseForward& command) const { pause_forward(engine, command, now); }
  void operator()(SendReliable& command) const { send_reliable(engine, std::move(command)); }
  void operator()(CutTransport& command) const { cut_transport(engine, std::move(command)); }
  void operator()(CloseTransport& command) const { close_transport(engine, command.transport); }
  void operator()(CutLife& command) const { cut_life(engine, std::move(command), now); }
  void operator()(CloseLife& command) const { close_life(engine, command.life); }
  void operator()(const PlantLateSend& command) const {
    (command.data ? engine.is_late_data_planted : engine.is_late_send_planted) = true;
  }
  void operator()(InjectRtp& command) const { inject(engine, command); }
};

template <typename T>
std::vector<T> take(std::vector<T>& from) {
  if (from.empty()) return {};
  return std::exchange(from, {});
}

}  // namespace

Transport* EngineState::find_transport(TransportId id) {
  const auto it = transports.find(id);
  return it == transports.end() ? nullptr : it->second.get();
}

Track* EngineState::find_track(TrackId id) {
  const auto it = tracks.find(id);
  return it == tracks.end() ? nullptr : it->second.get();
}

Life* EngineState::find_life(LifeId id) {
  const auto it = lives.find(id);
  return it == lives.end() ? nullptr : it->second.get();
}

Life& EngineState::life_of(LifeId id) {
  auto& life = lives[id];
  if (!life) {
    life = std::make_unique<Life>();
    life->id = id;
  }
  return *life;
}

void EngineState::forget_life(LifeId id) {
  lives.erase(id);
  if (static_cast<int64_t>(closed_lives.size()) >= limits::kRingCommands) closed_lives.pop_front();
  closed_lives.push_back(id);
}

bool EngineState::was_closed(LifeId id) const {
  return std::ranges::find(closed_lives, id) != closed_lives.end();
}

void EngineState::send_control(Transport& transport, const FiveTuple& path, ByteView datagram) {
  const ByteSpan out = outbox.reserve(datagram.size());
  if (out.empty()) return drop(DropReason::OutputFull);
  std::ranges::copy(datagram, out.begin());
  outbox.commit(datagram.size(), path, OutKind::Control, &transport);
}

uint64_t EngineState::ntp(Now now) {
  if (!has_ntp_base) {
    ntp_base_us = now.wall.time_since_epoch().count() - now.mono.time_since_epoch().count();
    has_ntp_base = true;
  }
  return wire::ntp_from_unix_us(ntp_base_us + now.mono.time_since_epoch().count());
}

Engine::Engine(SecretSource& secrets, EngineOptions options)
    : state_(std::make_unique<State>(secrets, std::move(options))) {}
Engine::~Engine() = default;

void Engine::on_datagrams(std::span<Datagram> batch, Now now) {
  begin_call(*state_, now);
  for (const Datagram& datagram : batch) receive_datagram(*state_, datagram, now);
}

void Engine::on_command(Command command, Now now) {
  begin_call(*state_, now);
  std::visit(CommandTable{*state_, now}, command);
}

void Engine::on_sctp(SctpEvent event, Now now) {
  begin_call(*state_, now);
  on_sctp_event(*state_, std::move(event), now);
}

void Engine::on_deadline(Now now) {
  begin_call(*state_, now);
  for (int64_t due = 0;
       due < limits::kDeadlinesPerTurnMax && state_->deadlines.earliest() <= now.mono; ++due)
    on_transport_deadline(*state_, *state_->deadlines.front(), now);
  end_turn(*state_, now);
}

Mono Engine::next_deadline() const {
  // Handshakes and teardowns wait for nothing but the end of a turn, which is on_deadline.
  if (!state_->dtls_queue.is_empty() || !state_->closings.empty()) return state_->latest;
  return state_->deadlines.earliest();
}

void Engine::forward(Now now) {
  begin_call(*state_, now);
  EngineState& engine = *state_;
  forward_queued(engine, engine.turn_budget, now);
  engine.turn_budget = static_cast<size_t>(limits::kEncryptedPerTurnMax);
  engine.has_ended_turn = false;
}

std::span<const SendRun> Engine::hand_out(size_t datagrams_max) {
  EngineState& engine = *state_;
  return engine.outbox.hand_out(
      datagrams_max, [&](const Transport* owner, OutKind kind, size_t bytes) {
        ++engine.counters.datagrams_out;
        engine.counters.bytes_out += bytes;
        if (owner == nullptr || kind != OutKind::Media || !owner->life->is_cut) return;
        ++owner->life->packets_after_cut;
        ++engine.counters.packets_after_cut;
      });
}

std::span<const SendRun> Engine::drain(Now now) {
  forward(now);
  return hand_out(SIZE_MAX);
}

bool Engine::has_more_to_send() const {
  return !state_->pacer.is_empty();
}

std::vector<Report> Engine::take_reports() {
  return take(state_->reports);
}
std::vector<SctpCommand> Engine::take_sctp() {
  return take(state_->sctp);
}

bool Engine::is_cut_off(const SctpCommand& command) const {
  const auto* send = std::get_if<SctpSend>(&command);
  if (send == nullptr || !send->is_user_data) return false;
  const Transport* transport = state_->find_transport(send->transport);
  return transport != nullptr && transport->is_cut;
}

void Engine::count_after_cut(TransportId id) {
  const Transport* transport = state_->find_transport(id);
  if (transport == nullptr || !transport->life->is_cut) return;
  ++transport->life->packets_after_cut;
  ++state_->counters.packets_after_cut;
}

void Engine::count_drops(DropReason reason, uint64_t count) {
  state_->counters.drop(reason, count);
}

const EngineCounters& Engine::counters() const {
  EngineCounters& counters = state_->counters;
  counters.transports = state_->transports.size();
  counters.lives = state_->lives.size();
  return counters;
}

}  // namespace atrium::media
