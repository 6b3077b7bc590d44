#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "media/sctp.h"

// Packets:
// | 1 open, 2 message | seq (4) | label | message |     kept until acknowledged, at most kWindow under way
// | 3 acknowledgement | seq (4): everything before it arrived |
namespace atrium::media {
namespace {

constexpr uint8_t kOpen = 1, kMessage = 2, kAck = 3;
constexpr size_t kWindow = 32, kWaitingMax = 1'000, kMessageBytesMax = 1'100;
constexpr Duration kRepeat = std::chrono::milliseconds(150);

struct Unacknowledged {
  uint32_t seq = 0;
  Bytes packet{};
  bool is_notice = false;
  std::optional<DataLabel> opens{};
};

struct Association {
  std::deque<Unacknowledged> waiting;  // in order; the first kWindow are under way
  size_t under_way = 0;
  uint32_t next_seq = 0, expected_seq = 0;
  std::array<bool, 3> is_open{};
  Mono deadline = kNever;
};

}  // namespace

struct SctpWorld::State {
  std::map<uint64_t, Association> associations;
  std::vector<SctpEvent> events;
  SctpCounters counters;

  Association* find(TransportId transport) {
    const auto found = associations.find(transport.value);
    if (found == associations.end()) ++counters.dropped_unknown_transport;
    return found == associations.end() ? nullptr : &found->second;
  }
  void out(TransportId transport, Bytes packet) {
    ++counters.packets_out;
    events.emplace_back(SctpPacketOut{transport, std::move(packet)});
  }
  void enqueue(TransportId transport, Association& association, Unacknowledged entry, uint8_t type,
               DataLabel label, ByteView message, Now now) {
    entry.seq = association.next_seq++;
    entry.packet.resize(6 + message.size());
    ByteWriter writer(entry.packet);
    writer.u8(type), writer.u32(entry.seq), writer.u8(static_cast<uint8_t>(label)),
        writer.bytes(message);
    association.waiting.push_back(std::move(entry));
    flush(transport, association, now);
  }
  void flush(TransportId transport, Association& association, Now now) {
    while (association.under_way < std::min(kWindow, association.waiting.size()))
      out(transport, association.waiting[association.under_way++].packet);
    association.deadline =
        association.waiting.empty() ? kNever : std::min(association.deadline, now.mono + kRepeat);
  }
  void acknowledge(TransportId transport, uint32_t expected) {
    Bytes packet(5);
    ByteWriter writer(packet);
    writer.u8(kAck), writer.u32(expected);
    out(transport, std::move(packet));
  }
  void set_open(TransportId transport, Association& association, DataLabel label) {
    bool& is_open = association.is_open[static_cast<size_t>(label)];
    if (!std::exchange(is_open, true)) events.emplace_back(SctpChannelOpen{transport, label, true});
  }
  void on_acknowledged(TransportId transport, uint32_t expected, Now now) {
    Association& association = *find(transport);
    while (!association.waiting.empty() && association.waiting.front().seq < expected &&
           association.under_way > 0) {
      const Unacknowledged done = std::move(association.waiting.front());
      association.waiting.pop_front();
      --association.under_way;
      association.deadline = kNever;
      if (done.opens) set_open(transport, association, *done.opens);
      if (done.is_notice) events.emplace_back(SctpNoticeDone{transport, true});
    }
    flush(transport, association, now);
  }

  void on(SctpOpen& open, Now) { associations.try_emplace(open.transport.value); }
  void on(SctpOpenChannel& open, Now now) {
    if (Association* association = find(open.transport))
      enqueue(open.transport, *association, {.opens = open.label}, kOpen, open.label, {}, now);
  }
  void on(SctpPacketIn& in, Now now) {
    Association* association = find(in.transport);
    if (association == nullptr) return;
    ++counters.packets_in;
    ByteReader reader(in.packet);
    const auto type = reader.u8();
    const auto seq = reader.u32();
    if (!type || !seq) return;
    if (*type == kAck) return on_acknowledged(in.transport, *seq, now);
    const auto label = reader.u8();
    if (!label || *label > 1) return;
    if (*seq == association->expected_seq) {
      ++association->expected_seq;
      if (*type == kOpen) set_open(in.transport, *association, static_cast<DataLabel>(*label));
      if (*type == kMessage)
        events.emplace_back(SctpMessage{in.transport, static_cast<DataLabel>(*label),
                                        Bytes(reader.rest().begin(), reader.rest().end())});
      ++counters.messages_in;
    }
    acknowledge(in.transport, association->expected_seq);
  }
  void on(SctpSend& send, Now now) {
    Association* association = find(send.transport);
    const bool is_open = association != nullptr && send.label != DataLabel::Other &&
                         association->is_open[static_cast<size_t>(send.label)];
    if (!is_open || send.message.size() > kMessageBytesMax) {
      ++counters.dropped_no_channel_out;
      if (send.is_notice) events.emplace_back(SctpNoticeDone{send.transport, false});
      return;
    }
    if (send.is_notice) drop_waiting(*association);
    if (association->waiting.size() >= kWaitingMax) {
      ++counters.dropped_queue_full_reliable;
      return;
    }
    ++counters.messages_out;
    enqueue(send.transport, *association, {.is_notice = send.is_notice}, kMessage, send.label,
            send.message, now);
  }
  // What is not yet under way gives way to the notice.
  void drop_waiting(Association& association) {
    while (association.waiting.size() > association.under_way) {
      association.waiting.pop_back();
      --association.next_seq;
      ++counters.dropped_before_notice;
    }
  }
  void on(SctpClose& close, Now) {
    associations.erase(close.transport.value);
    events.emplace_back(SctpClosed{close.transport});
  }
};

SctpWorld::SctpWorld() : state_(std::make_unique<State>()) {}
SctpWorld::~SctpWorld() = default;

void SctpWorld::on_command(SctpCommand command, Now now) {
  std::visit([&](auto& one) { state_->on(one, now); }, command);
}

void SctpWorld::on_deadline(Now now) {
  for (auto& [transport, association] : state_->associations) {
    if (association.deadline > now.mono) continue;
    association.deadline = kNever;
    association.under_way = 0;
    state_->flush(TransportId{transport}, association, now);
  }
}

Mono SctpWorld::next_deadline() const {
  Mono earliest = kNever;
  for (const auto& [transport, association] : state_->associations)
    earliest = std::min(earliest, association.deadline);
  return earliest;
}

std::vector<SctpEvent> SctpWorld::take_events() {
  return std::exchange(state_->events, {});
}
size_t SctpWorld::associations() const {
  return state_->associations.size();
}
const SctpCounters& SctpWorld::counters() const {
  return state_->counters;
}

}  // namespace atrium::media
