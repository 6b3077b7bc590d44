#include "media/closing.h"

#include <algorithm>
#include <utility>

#include "media/streams.h"

namespace atrium::media {
namespace {

void finish_notice(EngineState& engine, Transport& transport, NoticeOutcome outcome) {
  transport.notice = Transport::Notice::Done;
  transport.notice_outcome = outcome;
  engine.report(NoticeDone{transport.id(), outcome});
}

// A transport that was told before is not told twice; who asks hears how the first time ended.
void write_notice(EngineState& engine, Transport& transport, const Bytes& notice) {
  if (transport.notice == Transport::Notice::Waiting) return;
  if (transport.notice == Transport::Notice::Done)
    return engine.report(NoticeDone{transport.id(), transport.notice_outcome});
  if (!transport.channel_open[static_cast<size_t>(DataLabel::Reliable)] || transport.is_closing)
    return finish_notice(engine, transport, NoticeOutcome::NoChannel);
  transport.notice = Transport::Notice::Waiting;
  engine.to_sctp(SctpSend{transport.id(), DataLabel::Reliable, notice, true});
}

// What was made for these transports and has not left yet does not leave.
template <typename IsCut>
void empty_queues(EngineState& engine, IsCut is_cut) {
  size_t count = engine.outbox.discard_if([&](const Transport* owner, OutKind kind) {
    return owner != nullptr && kind == OutKind::Media && is_cut(*owner);
  });
  const size_t before = engine.sctp.size();
  std::erase_if(engine.sctp, [&](const SctpCommand& command) {
    const auto* send = std::get_if<SctpSend>(&command);
    if (send == nullptr || !send->is_user_data) return false;
    const Transport* transport = engine.find_transport(send->transport);
    return transport != nullptr && is_cut(*transport);
  });
  count += before - engine.sctp.size();
  engine.counters.drop(DropReason::TransportCut, count);
}

// By its name: a room of thousands closes at once, and to look through all names for each would cost their square.
void forget_identity(Life& life, const Participant& participant) {
  const auto [first, last] = life.identities.equal_range(participant.identity);
  const auto entry =
      std::find_if(first, last, [&](const auto& one) { return one.second == &participant; });
  if (entry != last) life.identities.erase(entry);
}

void leave_life(EngineState& engine, Transport& transport) {
  Life& life = *transport.life;
  std::erase(life.transports, &transport);
  Participant& participant = *transport.participant;
  std::erase(participant.transports, &transport);
  if (participant.transports.empty()) {
    forget_identity(life, participant);
    life.participants.erase(std::string(participant.sid));
  }
  if (life.is_cut || life.is_closing) ++life.transports_closed;
  if (!life.transports.empty()) return;
  if (life.is_closing)
    engine.report(LifeClosed{life.id, life.transports_closed, life.packets_after_cut});
  if (life.is_closing) return engine.forget_life(life.id);
  if (!life.is_cut) engine.lives.erase(life.id);  // it may come back
}

// Transport and keys are gone; what remains of it was the wait for SCTP.
void finish_close(EngineState& engine, Transport& transport) {
  const TransportId id = transport.id();
  const bool is_answered = transport.closes_alone;
  engine.outbox.discard_if([&](const Transport* owner, OutKind) { return owner == &transport; });
  if (is_answered) engine.report(TransportClosed{id});
  leave_life(engine, transport);
  engine.transports.erase(id);
}

// From now on no datagram finds it.
void forget_names(EngineState& engine, const Transport& transport) {
  transport.ice.each_path([&](const FiveTuple& path) {
    const auto it = engine.paths.find(path);
    if (it != engine.paths.end() && it->second == &transport) engine.paths.erase(it);
  });
  const auto forget_ufrag = [&](const std::string& ufrag) {
    const auto it = engine.ufrags.find(ufrag);
    if (it != engine.ufrags.end() && it->second == &transport) engine.ufrags.erase(it);
  };
  forget_ufrag(transport.ice.local().ufrag);
  if (transport.ice.former_local()) forget_ufrag(transport.ice.former_local()->ufrag);
}

void begin_close(EngineState& engine, Transport& transport) {
  if (transport.is_closing) return;
  transport.is_closing = true;
  remove_streams_of(engine, transport);
  forget_names(engine, transport);
  std::erase(engine.dialling, &transport);
  engine.deadlines.remove(transport);
  transport.inbound.reset();
  transport.outbound.reset();
  transport.dtls.reset();
  if (transport.notice == Transport::Notice::Waiting)
    finish_notice(engine, transport, NoticeOutcome::NoChannel);
  if (!transport.has_sctp) return finish_close(engine, transport);
  engine.to_sctp(SctpClose{transport.id()});
}

}  // namespace

void cut_transport(EngineState& engine, CutTransport command) {
  Transport* transport = engine.find_transport(command.transport);
  if (transport == nullptr) {
    engine.drop(DropReason::CommandUnknownTarget);
    return engine.report(NoticeDone{command.transport, NoticeOutcome::NoChannel});
  }
  transport->is_cut = true;
  const size_t queued = engine.pacer.drop_if([&](const QueuedPacket& packet) {
    if (packet.kind == QueuedPacket::Kind::Repeat) return packet.subscriber == transport->id();
    const Track* track = engine.find_track(packet.track);
    return track != nullptr && track->publisher == transport;
  });
  engine.counters.drop(DropReason::TransportCut, queued);
  empty_queues(engine, [&](const Transport& owner) { return &owner == transport; });
  write_notice(engine, *transport, command.notice);
}

void cut_life(EngineState& engine, CutLife command, Now now) {
  // A shard that was stalled may find the close of a life before its cut.
  if (engine.was_closed(command.life))
    return engine.report(LifeCut{command.life, now.mono, now.wall, 0, 0});
  // A life that is not known yet is made: an OpenTransport that comes after its cut is to find it.  Its close ends it.
  Life& life = engine.life_of(command.life);
  life.is_cut = true;
  for (Transport* transport : life.transports) transport->is_cut = true;
  const size_t queued =
      engine.pacer.drop_if([&](const QueuedPacket& packet) { return packet.life == life.id; });
  engine.counters.drop(DropReason::TransportCut, queued);
  empty_queues(engine, [&](const Transport& owner) { return owner.life == &life; });
  const auto transports = static_cast<uint32_t>(life.transports.size());
  engine.report(LifeCut{life.id, now.mono, now.wall, life.packets_forwarded, transports});
  for (Transport* transport : life.transports) write_notice(engine, *transport, command.notice);
}

void on_notice_done(EngineState& engine, const SctpNoticeDone& event) {
  Transport* transport = engine.find_transport(event.transport);
  if (transport == nullptr || transport->notice != Transport::Notice::Waiting) return;
  finish_notice(engine, *transport,
                event.acknowledged ? NoticeOutcome::Acknowledged : NoticeOutcome::NoChannel);
}

void close_transport(EngineState& engine, TransportId id) {
  Transport* transport = engine.find_transport(id);
  if (transport == nullptr) {
    engine.drop(DropReason::CommandUnknownTarget);
    return engine.report(TransportClosed{id});
  }
  transport->is_cut = true;
  transport->closes_alone = true;
  engine.closings.push_back(id);
}

void close_life(EngineState& engine, LifeId id) {
  Life* life = engine.find_life(id);
  if (life == nullptr) {
    if (!engine.was_closed(id)) engine.forget_life(id);
    return engine.report(LifeClosed{id, 0, 0});
  }
  if (life->is_closing) return;
  life->is_cut = life->is_closing = true;
  if (life->transports.empty()) {
    engine.report(LifeClosed{id, 0, life->packets_after_cut});
    return engine.forget_life(id);
  }
  for (Transport* transport : life->transports) {
    transport->is_cut = true;
    engine.closings.push_back(transport->id());
  }
}

void take_closings(EngineState& engine) {
  for (int64_t count = 0; count < limits::kClosesPerTurnMax && !engine.closings.empty(); ++count) {
    const TransportId id = engine.closings.front();
    engine.closings.pop_front();
    if (Transport* transport = engine.find_transport(id)) begin_close(engine, *transport);
  }
}

void on_sctp_closed(EngineState& engine, TransportId id) {
  Transport* transport = engine.find_transport(id);
  if (transport == nullptr) return;
  if (!transport->is_closing) {
    transport->has_sctp = false;  // the association ended on its own
    return;
  }
  finish_close(engine, *transport);
}

}  // namespace atrium::media
