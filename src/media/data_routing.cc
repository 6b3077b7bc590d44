#include "media/data_routing.h"

#include <string>
#include <string_view>
#include <utility>

#include "media/admission.h"
#include "media/closing.h"
#include "media/connectivity.h"
#include "wire/data_packet.h"

namespace atrium::media {
namespace {

constexpr std::string_view kReservedTopics = "atrium.";
constexpr std::string_view kTokenTopic = "atrium.token";
constexpr auto kTokenInterval = std::chrono::milliseconds(limits::kTokenMessageIntervalMs);

size_t index_of(DataLabel label) {
  return static_cast<size_t>(label);
}

// One message on its way to others.
struct Routed {
  const Transport& sender;
  DataLabel label = DataLabel::Reliable;
  ByteView message;
  uint64_t number = 0;  // of the life
};

// Nobody, but for the one user message that a test planted.
bool may_speak_after_cut(const EngineState& engine, const Transport& transport) {
  const Life& life = *transport.life;
  return engine.is_late_data_planted && life.is_cut && !life.has_sent_late_data;
}

// Once to each person, on the first of its connections that takes data; never to the sender.
void deliver(EngineState& engine, Participant& recipient, const Routed& routed) {
  if (&recipient == routed.sender.participant || recipient.last_message == routed.number) return;
  recipient.last_message = routed.number;
  for (Transport* transport : recipient.transports) {
    if (!transport->given.receives_data || transport->is_closing) continue;
    if (!transport->channel_open[index_of(routed.label)]) continue;
    if (transport->is_cut && !may_speak_after_cut(engine, *transport)) continue;
    if (transport->life->is_cut) transport->life->has_sent_late_data = true;
    SctpSend send{transport->id(), routed.label,
                  Bytes(routed.message.begin(), routed.message.end())};
    send.is_user_data = true;
    if (hold_until_admitted(engine, *transport, send)) return;
    engine.to_sctp(std::move(send));
    ++engine.counters.data_messages_out;
    return;
  }
  engine.drop(DropReason::DataNoChannel);
}

void deliver_to_named(EngineState& engine, Life& life, const wire::DataPacketView& packet,
                      const Routed& routed) {
  wire::DestinationReader destinations(packet);
  while (const auto destination = destinations.next()) {
    const std::string name(destination->value);
    if (destination->is_sid) {
      const auto it = life.participants.find(name);
      if (it != life.participants.end()) deliver(engine, *it->second, routed);
      continue;
    }
    const auto [first, last] = life.identities.equal_range(name);
    for (auto it = first; it != last; ++it) deliver(engine, *it->second, routed);
  }
}

// A client renews its token every few minutes, and each costs the control thread a signature check and an answer.
bool is_token_too_soon(Transport& sender, Now now) {
  if (sender.token_at && now.mono - *sender.token_at < kTokenInterval) return true;
  sender.token_at = now.mono;
  return false;
}

// What only the server hears, and what nobody may say.  True when the message ends here.
bool is_for_server(EngineState& engine, Transport& sender, const wire::DataPacketView& packet,
                   Now now) {
  if (!wire::topic_begins_with(packet, kReservedTopics)) return false;
  if (packet.topic != kTokenTopic) {
    engine.drop(DropReason::DataReservedTopic);
    return true;
  }
  if (is_token_too_soon(sender, now)) {
    engine.drop(DropReason::TokenTooSoon);
    return true;
  }
  engine.report(ServerMessage{sender.id(), std::string(packet.topic),
                              Bytes(packet.payload.begin(), packet.payload.end())});
  return true;
}

void route(EngineState& engine, Transport& sender, DataLabel label, ByteView message, Now now) {
  const auto packet = wire::parse_data_packet(message);
  if (!packet) return engine.drop(DropReason::DataMalformed);
  if (is_for_server(engine, sender, *packet, now)) return;
  if (!sender.given.can_publish_data) return engine.drop(DropReason::DataNotPermitted);
  const bool is_hidden = sender.given.hidden;
  const std::string_view identity = is_hidden ? std::string_view() : sender.given.identity;
  const std::string_view sid = is_hidden ? std::string_view() : sender.given.participant_sid;
  Bytes room(wire::rewritten_bytes_max(*packet, identity, sid));
  const auto rewritten = wire::rewrite_sender(*packet, identity, sid, room);
  if (!rewritten) return engine.drop(DropReason::DataMalformed);
  if (static_cast<int64_t>(rewritten->size()) > limits::kDataMessageBytesMax)
    return engine.drop(DropReason::DataTooLarge);
  Life& life = *sender.life;
  const Routed routed{sender, label, *rewritten, ++life.messages};
  if (packet->has_destinations) return deliver_to_named(engine, life, *packet, routed);
  for (auto& [recipient_sid, participant] : life.participants)
    deliver(engine, *participant, routed);
}

void on_message(EngineState& engine, SctpMessage event, Now now) {
  Transport* sender = engine.find_transport(event.transport);
  if (sender == nullptr) return engine.drop(DropReason::SctpUnknownTransport);
  if (sender->is_cut && !may_speak_after_cut(engine, *sender))
    return engine.drop(DropReason::TransportCut);
  if (sender->is_closing) return engine.drop(DropReason::TransportClosing);
  if (hold_until_admitted(engine, *sender, event)) return;
  ++engine.counters.data_messages_in;
  if (sender->given.deliver_to_owner)
    return engine.report(
        DataReceived{sender->id(), event.label == DataLabel::Reliable, std::move(event.message)});
  if (event.label == DataLabel::Other) return engine.drop(DropReason::DataNoChannel);
  if (static_cast<int64_t>(event.message.size()) > limits::kDataMessageBytesMax)
    return engine.drop(DropReason::DataTooLarge);
  route(engine, *sender, event.label, event.message, now);
}

void on_channel(EngineState& engine, const SctpChannelOpen& event) {
  Transport* transport = engine.find_transport(event.transport);
  if (transport == nullptr || transport->is_closing)
    return engine.drop(DropReason::SctpUnknownTransport);
  bool& is_open = transport->channel_open[index_of(event.label)];
  if (is_open == event.open) return;
  is_open = event.open;
  if (event.label == DataLabel::Reliable)
    engine.report(ReliableChannel{transport->id(), event.open});
}

void on_packet_out(EngineState& engine, const SctpPacketOut& event, Now now) {
  Transport* transport = engine.find_transport(event.transport);
  if (transport == nullptr || transport->is_closing)
    return engine.drop(DropReason::SctpUnknownTransport);
  send_application(engine, *transport, event.packet, now);
}

}  // namespace

void on_sctp_event(EngineState& engine, SctpEvent event, Now now) {
  if (auto* packet = std::get_if<SctpPacketOut>(&event)) return on_packet_out(engine, *packet, now);
  if (auto* channel = std::get_if<SctpChannelOpen>(&event)) return on_channel(engine, *channel);
  if (auto* message = std::get_if<SctpMessage>(&event))
    return on_message(engine, std::move(*message), now);
  if (auto* notice = std::get_if<SctpNoticeDone>(&event)) return on_notice_done(engine, *notice);
  if (auto* dropped = std::get_if<SctpDropped>(&event))
    return engine.counters.drop(dropped->reason, dropped->count);
  on_sctp_closed(engine, std::get<SctpClosed>(event).transport);
}

void send_reliable(EngineState& engine, SendReliable command) {
  Transport* transport = engine.find_transport(command.transport);
  if (transport == nullptr || transport->is_closing)
    return engine.drop(DropReason::CommandUnknownTarget);
  if (transport->is_cut) return engine.drop(DropReason::TransportCut);
  if (!transport->channel_open[index_of(DataLabel::Reliable)])
    return engine.drop(DropReason::DataNoChannel);
  SctpSend send{command.transport, DataLabel::Reliable, std::move(command.data_packet)};
  send.is_user_data = command.ends_with_cut;
  if (hold_until_admitted(engine, *transport, send)) return;
  engine.to_sctp(std::move(send));
  ++engine.counters.data_messages_out;
}

void set_data_permission(EngineState& engine, SetDataPermission command) {
  Transport* transport = engine.find_transport(command.transport);
  if (transport == nullptr) return engine.drop(DropReason::CommandUnknownTarget);
  transport->given.can_publish_data = command.can_publish_data;
}

}  // namespace atrium::media
