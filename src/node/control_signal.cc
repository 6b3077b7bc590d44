// What clients say over their WebSocket, as commands for the registry and offers for their peer.
#include <utility>

#include "base/log.h"
#include "node/control.h"

namespace atrium::node {

void ControlPlane::on_websocket_message(ConnectionId connection, std::string_view data,
                                        bool is_binary, Now now) {
  const auto known = participant_of_.find(connection);
  Session* session = known == participant_of_.end() ? nullptr : find_session(known->second);
  if (session == nullptr) return;  // it is being closed
  ++counters_.signal_messages_in;
  const ParticipantSid participant = known->second;
  auto message = is_binary ? signal::decode_client_message(data, participant)
                           : Result<signal::ClientMessage>(malformed("text frames are not served"));
  if (!message) {
    ++counters_.signal_malformed;
    log_line(LogLevel::Warning, "client message refused",
             {{"participant", participant.value}, {"why", message.error().what}});
    forget_connection(connection);
    submit(domain::SignalLost{participant, connection});
  } else if (!session->is_cut || std::holds_alternative<domain::Leave>(*message)) {
    std::visit([&](auto& one) { hear({participant, *session, now}, one); }, *message);
  }
  finish_turn(now);
}

void ControlPlane::hear(const Speaking& by, signal::ClientOffer& message) {
  on_offer(by.participant, by.session, message.sdp, message.id);
}

void ControlPlane::on_offer(const ParticipantSid& participant, Session& session,
                            std::string_view sdp, uint32_t id) {
  Life* life = life_of(session);
  if (life == nullptr || session.is_cut) return;
  ++counters_.offers;
  auto outcome = session.peer->on_offer(sdp, id, life->tracks, life->streams);
  if (!outcome) {
    ++counters_.offers_refused;
    log_line(LogLevel::Warning, "offer refused",
             {{"participant", participant.value}, {"why", outcome.error().what}});
    // The client starts over; what it has published here ends with its session (livekit-protocol 5.9).
    send(session,
         serialiser_.leave(domain::LeaveReason::StateMismatch, domain::LeaveAction::Reconnect));
    return;
  }
  send(session, serialiser_.answer(outcome->sdp, outcome->id, outcome->mid_to_track));
  for (const TrackSid& track : outcome->gone) {
    life->streams.erase(track);
    submit(domain::TrackGone{participant, track});
  }
  for (auto& live : outcome->live)
    submit(domain::TrackLive{participant, live.track, std::move(live.mime), std::move(live.mid)});
  for (const TrackSid& track : outcome->attached)
    submit(domain::ForwardAttached{participant, track});
  to_negotiate_.push_back(participant);
}

// The tracks that a join brought along have their sids by now, so that the sections of its offer find them.
void ControlPlane::take_early_offers() {
  for (const ParticipantSid& participant : std::exchange(early_offers_, {})) {
    Session* session = find_session(participant);
    if (session == nullptr || session->is_cut) continue;
    const signal::ClientOffer offer = std::move(*session->parameters.publisher_offer);
    session->parameters.publisher_offer.reset();
    on_offer(participant, *session, offer.sdp, offer.id);
  }
}

// The client adds that many recvonly sections and offers again; 0 and 0 just asks for an offer.
void ControlPlane::ask_for_sections(Session& session) {
  if (session.is_cut || !session.connection || !session.peer->has_transport()) return;
  if (const auto missing = session.peer->take_requirement())
    send(session, serialiser_.media_sections_requirement(missing->audio, missing->video));
}

// The dual form is not served yet, so no offer of ours waits for an answer.
void ControlPlane::hear(const Speaking&, signal::ClientAnswer&) {}
// ICE-lite: the client's checks tell its addresses.
void ControlPlane::hear(const Speaking&, signal::Trickle&) {}

void ControlPlane::hear(const Speaking& by, domain::AddTrack& message) {
  message.participant = by.participant;
  submit(std::move(message));
}
void ControlPlane::hear(const Speaking&, domain::SetMuted& message) {
  submit(std::move(message));
}
void ControlPlane::hear(const Speaking&, domain::UpdateSubscription& message) {
  submit(std::move(message));
}
void ControlPlane::hear(const Speaking&, domain::UpdateTrackSettings& message) {
  submit(std::move(message));
}
void ControlPlane::hear(const Speaking&, domain::SubscriptionPermission& message) {
  submit(std::move(message));
}
void ControlPlane::hear(const Speaking&, domain::UpdateMetadata& message) {
  submit(std::move(message));
}
void ControlPlane::hear(const Speaking&, domain::UpdateTrackInfo& message) {
  submit(std::move(message));
}
void ControlPlane::hear(const Speaking&, domain::Leave& message) {
  submit(std::move(message));
}

// A publication that a resuming client has and we do not: it must start over.
void ControlPlane::hear(const Speaking& by, signal::SyncState& message) {
  const Life* life = life_of(by.session);
  if (life == nullptr) return;
  for (const auto& publication : message.publications) {
    if (life->tracks.contains(publication.track) || life->streams.contains(publication.track))
      continue;
    send(by.session,
         serialiser_.leave(domain::LeaveReason::StateMismatch, domain::LeaveAction::Reconnect));
    return;
  }
}

void ControlPlane::hear(const Speaking& by, signal::Simulate& message) {
  if (!config_.dev) return;  // fault injection is for development servers
  switch (message.scenario) {
    case signal::Simulate::Scenario::LeaveRequestFullReconnect:
      send(by.session,
           serialiser_.leave(domain::LeaveReason::StateMismatch, domain::LeaveAction::Reconnect));
      break;
    case signal::Simulate::Scenario::NodeFailure:
    case signal::Simulate::Scenario::ServerLeave:
      send(by.session,
           serialiser_.leave(domain::LeaveReason::ServerShutdown, domain::LeaveAction::Reconnect));
      break;
    default:
      break;
  }
}

void ControlPlane::hear(const Speaking& by, signal::Ping&) {
  send(by.session, serialiser_.pong(by.now));
}
void ControlPlane::hear(const Speaking& by, signal::PingRequest& message) {
  send(by.session, serialiser_.pong_resp(message, by.now));
}
void ControlPlane::hear(const Speaking& by, signal::Refused& message) {
  send(by.session, serialiser_.request_response(message.answer));
}
void ControlPlane::hear(const Speaking& by, signal::Unsupported& message) {
  if (message.wants_answer) send(by.session, serialiser_.unsupported(message));
}

}  // namespace atrium::node
