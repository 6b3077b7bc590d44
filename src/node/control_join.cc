// The doors: who comes in, who comes back, who is refused, and with which first words.
#include <algorithm>

#include "adapters/signal/notice.h"
#include "base/limits.h"
#include "base/log.h"
#include "node/control.h"
#include "node/http_words.h"

namespace atrium::node {
namespace {

// How long a refusal at the upgrade is repeated on the validate path: browsers ask there at once, for at most 3 s.
constexpr Duration kRefusalRepeat = std::chrono::seconds(5);
constexpr uint16_t closing_code(domain::ClientCode code) {
  return static_cast<uint16_t>(3000 - static_cast<int>(code));
}

}  // namespace

signal::Serialiser ControlPlane::make_serialiser() {
  return signal::Serialiser(signal::ServerInfo{});
}

signal::TokenOutcome ControlPlane::verify(std::string_view token,
                                          const std::optional<RoomId>& path_room, Now now) const {
  return signal::verify_token(token, registry_.apps(), path_room, now);
}

void ControlPlane::refuse(ConnectionId connection, const signal::Refusal& refusal) {
  ++counters_.joins_refused;
  signal::HttpAnswer answer = signal::to_answer(refusal);
  http_.respond(connection,
                {answer.status, std::move(answer.headers), std::move(answer.body), false});
}

// Calls go on while the server drains or its disk is full: who is in a room may come back to it, until all are sent
// elsewhere.
std::optional<signal::Refusal> ControlPlane::closed_door(bool is_reconnect) const {
  if (is_draining_ && (!is_reconnect || stop_.phase > StopPhase::Draining))
    return signal::refuse_busy("this server is draining; try again");
  if (!is_reconnect && store_health_.disk >= DiskState::JoinsRefused)
    return signal::refuse_busy("this server's disk is nearly full; try again");
  return std::nullopt;
}

void ControlPlane::on_join_request(ConnectionId connection, const signal::Target& target,
                                   signal::VerifiedToken token, const IpAddress& from) {
  auto parameters = signal::parse_join_parameters(target);
  if (!parameters) return refuse(connection, signal::refuse_join_request(parameters.error()));
  const bool is_reconnect = parameters->is_reconnect;
  if (const auto closed = closed_door(is_reconnect)) return refuse(connection, *closed);
  const ParticipantSid former = parameters->participant;
  domain::Joiner joiner = signal::make_joiner(token, *parameters);
  joiner.address = unmapped(from);
  arrivals_.emplace(connection, Arrival{std::move(*parameters), std::move(token)});
  if (is_reconnect)
    submit(domain::Resume{connection, former, std::move(joiner)});
  else
    submit(domain::Join{connection, std::move(joiner)});
}

void ControlPlane::on_validate_request(ConnectionId connection, const signal::Target& target,
                                       const signal::VerifiedToken& token, Now now) {
  // SDKs ask with the parameters of the upgrade that failed; a token alone may be asked about, too.
  bool is_reconnect = false;
  if (target.query.contains("join_request=")) {
    const auto parameters = signal::parse_join_parameters(target);
    if (!parameters) return refuse(connection, signal::refuse_join_request(parameters.error()));
    is_reconnect = parameters->is_reconnect;
  }
  if (const auto closed = closed_door(is_reconnect)) return refuse(connection, *closed);
  std::erase_if(recent_refusals_,
                [&](const auto& entry) { return entry.second.until <= now.mono; });
  if (const auto recent = recent_refusals_.find(token.hash); recent != recent_refusals_.end())
    return refuse(connection, recent->second.refusal);
  signal::HttpAnswer answer = signal::validate_success();
  http_.respond(connection,
                {answer.status, std::move(answer.headers), std::move(answer.body), false});
}

void ControlPlane::run(domain::JoinRefused& effect, Now now) {
  const auto arrival = arrivals_.find(effect.connection);
  if (arrival == arrivals_.end()) return;
  const signal::Refusal refusal = signal::refuse(effect);
  if (recent_refusals_.size() < static_cast<size_t>(limits::kRecentRefusalsMax))
    recent_refusals_[arrival->second.token.hash] = {refusal, now.mono + kRefusalRepeat};
  arrivals_.erase(arrival);
  refuse(effect.connection, refusal);
}

void ControlPlane::run(domain::JoinAccepted& effect, Now now) {
  const auto arrival = arrivals_.find(effect.connection);
  if (arrival == arrivals_.end()) {  // it hung up in between
    submit(domain::SignalLost{effect.self.sid, effect.connection});
    return;
  }
  const LifeId life_id = media_.open_life(effect.room.sid);
  Life& life = lives_[effect.room.sid];
  life.id = life_id;
  life.participants.insert(effect.self.sid);

  PeerOptions options{.participant = effect.self.sid,
                      .room_sid = effect.room.sid,
                      .user = effect.self.user,
                      .hidden = effect.self.permissions.hidden,
                      .can_publish_data = effect.self.permissions.can_publish_data,
                      .fingerprint = fingerprint_,
                      .candidates = config_.media_addresses};
  for (SocketAddress& candidate : options.candidates) candidate.port = media_.port_of(life_id);
  Session& session = sessions_[effect.self.sid];
  session.connection = effect.connection;
  session.peer = std::make_unique<Peer>(media_, secrets_, life_id, std::move(options));
  session.token = std::move(arrival->second.token);
  session.parameters = std::move(arrival->second.parameters);
  arrivals_.erase(arrival);
  participant_of_.emplace(effect.connection, effect.self.sid);

  ++counters_.joins;
  signal::Message join = serialiser_.join(effect);
  const bool is_sendable = join != nullptr;
  if (is_sendable) http_.accept_websocket(effect.connection);
  send(session, std::move(join));
  if (!is_sendable) {  // a bug of ours: without its first message the client can only wait, so it is let go
    forget_connection(effect.connection);
    submit(domain::SignalLost{effect.self.sid, effect.connection});
    return;
  }
  submit(domain::JoinSent{effect.self.sid});
  std::vector<domain::AddTrack> early = std::move(session.parameters.add_tracks);
  for (domain::AddTrack& track : early) hear({effect.self.sid, session, now}, track);
  if (session.parameters.publisher_offer) early_offers_.push_back(effect.self.sid);
  send_refresh(effect.self.sid, session, now);
}

void ControlPlane::run(domain::ResumeAccepted& effect, Now now) {
  Session* session = find_session(effect.self.sid);
  const auto arrival = arrivals_.find(effect.connection);
  if (session == nullptr || arrival == arrivals_.end()) {
    submit(domain::SignalLost{effect.self.sid, effect.connection});
    return;
  }
  session->token = std::move(arrival->second.token);
  std::optional<signal::SyncState> sync = std::move(arrival->second.parameters.sync_state);
  arrivals_.erase(arrival);
  if (effect.former) {
    participant_of_.erase(*effect.former);
    http_.drop(*effect.former);
  }
  session->connection = effect.connection;
  participant_of_.emplace(effect.connection, effect.self.sid);
  session->peer->forget_requirement();

  ++counters_.resumes;
  http_.accept_websocket(effect.connection);
  send(*session, serialiser_.reconnect());
  std::vector<std::shared_ptr<const domain::ParticipantView>> views = std::move(effect.departed);
  views.insert(views.end(), effect.others.begin(), effect.others.end());
  views.push_back(std::make_shared<domain::ParticipantView>(std::move(effect.self)));
  send(*session, serialiser_.participant_update(views));
  send(*session, serialiser_.room_update(effect.room));
  if (sync) hear({views.back()->sid, *session, now}, *sync);
  send_refresh(views.back()->sid, *session, now);
  to_negotiate_.push_back(views.back()->sid);
}

void ControlPlane::close_with_leave(ConnectionId connection, signal::Message leave, uint16_t code) {
  ++counters_.resumes_refused;
  arrivals_.erase(connection);
  http_.accept_websocket(connection);
  // `reconnect` first: a leave as first message makes the browser SDK join again, and native ones ignore it (DESIGN
  // 1).
  if (signal::Message first = serialiser_.reconnect()) http_.send(connection, std::move(first));
  http_.close_websocket(connection, std::move(leave), code);
}

void ControlPlane::run(domain::ResumeMeetsTombstone& effect, Now) {
  close_with_leave(effect.connection, serialiser_.leave(effect.notice),
                   closing_code(effect.notice.code));
}

void ControlPlane::run(domain::ResumeUnknown& effect, Now) {
  close_with_leave(
      effect.connection,
      serialiser_.leave(domain::LeaveReason::StateMismatch, domain::LeaveAction::Reconnect), 1000);
}

// JWT joiners get a fresh token now and every few minutes, so that one that runs out does not bar the way back.
void ControlPlane::send_refresh(const ParticipantSid&, Session& session, Now now) {
  if (auto token =
          signal::mint_refresh(session.token, session.token.permissions, registry_.apps(), now))
    send(session, serialiser_.refresh_token(*token));
}

}  // namespace atrium::node
