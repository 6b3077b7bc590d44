#include "node/shard.h"

#include <utility>

#include "base/limits.h"

namespace atrium::node {
namespace {
// Commands taken in one turn, so that a burst of joins does not hold up packets.
constexpr int kCommandsPerTurn = 256;
// Sent between two looks at the urgent lane: most of a millisecond.
constexpr size_t kDatagramsPerPiece = 256;

bool may_be_dropped(const media::SctpCommand& command) {
  if (std::holds_alternative<media::SctpPacketIn>(command)) return true;  // SCTP sends it again
  const auto* send = std::get_if<media::SctpSend>(&command);
  return send != nullptr && send->label == media::DataLabel::Lossy;
}

bool is_user_message(const media::SctpCommand& command) {
  const auto* send = std::get_if<media::SctpSend>(&command);
  return send != nullptr && send->is_user_data;
}

// Whether `command` closes the life that `cut` cuts.
bool is_close_of(const ShardCommand& command, const ShardCommand& cut) {
  const auto* first = std::get_if<media::Command>(&cut);
  const auto* second = std::get_if<media::Command>(&command);
  const auto* cut_life = first ? std::get_if<media::CutLife>(first) : nullptr;
  const auto* close_life = second ? std::get_if<media::CloseLife>(second) : nullptr;
  return cut_life != nullptr && close_life != nullptr && cut_life->life == close_life->life;
}
}  // namespace

Shard::Shard(SecretSource& secrets, media::EngineOptions options, ShardLinks links)
    : index_(options.shard),
      links_(std::move(links)),
      engine_(secrets, std::move(options)),
      reports_(links_.reports, limits::kRingOverflowMax),
      sctp_lane_(links_.to_sctp, engine_),
      to_sctp_(sctp_lane_, limits::kRingOverflowMax) {
  batch_.reserve(limits::kDatagramsPerTurnMax);
  runs_.reserve(limits::kEncryptedPerTurnMax);
}

void Shard::on_datagrams(std::span<ShardDatagram> batch, Now now) {
  take_commands(now);
  batch_.clear();
  for (ShardDatagram& datagram : batch) batch_.push_back({datagram.path, datagram.bytes});
  engine_.on_datagrams(batch_, now);
  forward_outputs();
}

void Shard::on_wake(Now now) {
  take_commands(now);
  take_sctp_events(now);
  forward_outputs();
}

void Shard::on_deadline(Now now) {
  take_commands(now);
  take_sctp_events(now);
  if (engine_.next_deadline() <= now.mono) engine_.on_deadline(now);
  forward_outputs();
}

Mono Shard::next_deadline() const {
  if (commands_waiting_ || !reports_.is_empty() || !to_sctp_.is_empty()) return Mono::min();
  return engine_.next_deadline();
}

std::span<const ShardSendRun> Shard::drain(Now now) {
  if (!std::exchange(is_draining_, true)) engine_.forward(now);
  if (take_cuts(now)) forward_outputs();
  runs_.clear();
  for (const media::SendRun& run : engine_.hand_out(kDatagramsPerPiece))
    runs_.push_back({run.path, run.datagrams});
  is_draining_ = !runs_.empty();
  return runs_;
}

bool Shard::has_more_to_send() const {
  return engine_.has_more_to_send();
}

bool Shard::SctpLane::try_send(media::SctpCommand& command) {
  const bool is_late = engine_.is_cut_off(command);
  const TransportId transport = std::visit([](const auto& c) { return c.transport; }, command);
  if (!ring_.try_send(command)) return false;
  if (is_late) engine_.count_after_cut(transport);
  return true;
}

bool Shard::take_cuts(Now now) {
  bool is_any = false;
  ShardCommand command;
  for (; links_.urgent.try_receive(command); is_any = true) take_cut(std::move(command), now);
  return is_any;
}

void Shard::take_commands(Now now) {
  take_cuts(now);
  ShardCommand command;
  commands_waiting_ = false;
  for (int i = 0; links_.commands.try_receive(command); ++i) {
    apply(std::move(command), now);
    if (i + 1 >= kCommandsPerTurn) {
      commands_waiting_ = true;
      return;
    }
  }
}

// The cut overtakes what is queued for other lives, but not the commands that opened its own transports: those are
// taken first, so that nothing of this life starts after its cut.  Nor does it come behind its own close.
void Shard::take_cut(ShardCommand cut, Now now) {
  bool is_cut = false;
  ShardCommand earlier;
  for (int i = 0; i < limits::kRingCommands && links_.commands.try_receive(earlier); ++i) {
    if (!is_cut && is_close_of(earlier, cut)) {
      apply(std::move(cut), now);
      is_cut = true;
    }
    apply(std::move(earlier), now);
  }
  if (!is_cut) apply(std::move(cut), now);
}

void Shard::apply(ShardCommand command, Now now) {
  auto* media_command = std::get_if<media::Command>(&command);
  if (media_command == nullptr) {
    reports_.send(ShardSnapshot{index_, counters()});
    return;
  }
  const bool is_cut = std::holds_alternative<media::CutLife>(*media_command) ||
                      std::holds_alternative<media::CutTransport>(*media_command);
  engine_.on_command(std::move(*media_command), now);
  if (!is_cut) return;
  // What waits for room in the ring to SCTP has not left yet either.
  const size_t dropped = to_sctp_.drop_if(
      [&](const media::SctpCommand& waiting) { return engine_.is_cut_off(waiting); });
  engine_.count_drops(media::DropReason::TransportCut, dropped);
}

media::EngineCounters Shard::counters() const {
  media::EngineCounters all = engine_.counters();
  if (!links_.socket_drops) return all;
  const SocketDrops socket = links_.socket_drops();
  all.drop(media::DropReason::SocketQueueFull, socket.kernel_queue);
  all.drop(media::DropReason::DatagramTooLong, socket.oversize);
  all.drop(media::DropReason::SocketNoAddress, socket.no_address);
  all.drop(media::DropReason::SocketSendFull, socket.send_full);
  all.drop(media::DropReason::SocketSendRefused, socket.send_refused);
  return all;
}

void Shard::take_sctp_events(Now now) {
  media::SctpEvent event;
  for (int i = 0; i < limits::kRingSctp && links_.from_sctp.try_receive(event); ++i)
    engine_.on_sctp(std::move(event), now);
}

void Shard::forward_outputs() {
  for (media::Report& report : engine_.take_reports())
    if (!reports_.send(std::move(report)))
      engine_.count_drops(media::DropReason::ReportRingFull, 1);
  for (media::SctpCommand& command : engine_.take_sctp()) {
    const bool is_refused = !to_sctp_.is_empty() && may_be_dropped(command);
    const bool is_too_much = to_sctp_.waiting() >= kMessagesWaitingMax && is_user_message(command);
    if (is_refused || is_too_much || !to_sctp_.send(std::move(command)))
      engine_.count_drops(media::DropReason::SctpRingFull, 1);
  }
  reports_.flush();
  to_sctp_.flush();
}

}  // namespace atrium::node
