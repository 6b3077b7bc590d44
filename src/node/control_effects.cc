// The registry's effects, one function each, carried out in the order in which they came.
#include <algorithm>
#include <iterator>

#include "adapters/signal/notice.h"
#include "base/limits.h"
#include "base/log.h"
#include "node/control.h"
#include "wire/data_packet.h"

namespace atrium::node {
namespace {

// Tracks of one group are announced in one stream, which is what makes a receiver play them in step: picture with
// sound, screen with its sound.
std::string sync_group(const domain::TrackView& track) {
  if (!track.stream.empty()) return track.stream;
  switch (track.source) {
    case domain::TrackSource::Camera:
    case domain::TrackSource::Microphone:
      return "camera";
    case domain::TrackSource::ScreenShare:
    case domain::TrackSource::ScreenShareAudio:
      return "screen_share";
    case domain::TrackSource::Unknown:
      break;
  }
  return {};
}

constexpr uint8_t layer_of(domain::VideoQuality quality) {
  switch (quality) {
    case domain::VideoQuality::Low:
      return 0;
    case domain::VideoQuality::Medium:
      return 1;
    case domain::VideoQuality::High:
    case domain::VideoQuality::Off:
      return 2;
  }
  return 2;
}

}  // namespace

void ControlPlane::carry_out(domain::Effect effect, Now now) {
  std::visit([&](auto& one) { run(one, now); }, effect);
}

// --- persist
// ---------------------------------------------------------------------------------------------------------

void ControlPlane::write(const OperationId& operation, store::WriteRequest request,
                         std::string_view what) {
  accompany(request, operation);
  if (to_store_.send(std::move(request))) return;
  log_line(LogLevel::Error, "the store is too far behind to take " + std::string(what),
           {{"operation", operation.value}});
  submit(domain::RecordStored{operation, false});
}

// What was noted before goes first: a room's events are stored in the order in which they happened.  The rows that a
// dismissed life takes along are written before its record, under an operation that nobody knows of: a call that had
// gone with them would be taken for done where the process ended in between.
void ControlPlane::accompany(store::WriteRequest& request, const OperationId& operation) {
  events_.take_along(request, std::exchange(serving_.events, {}));
  const bool is_beside =
      serving_.dismisses && std::holds_alternative<store::PutSchedules>(request.what);
  Audited* call = serving_.cause ? find_audited(*serving_.cause) : nullptr;
  if (call == nullptr || call->accepted || is_beside) return;
  audit_accepted(*call, request, operation);
  put_key(*serving_.cause, request, operation);
}

// The Idempotency-Key of a call, in the transaction of its effect.
void ControlPlane::put_key(WaiterId waiter, store::WriteRequest& request,
                           const OperationId& operation) {
  const auto found = waiting_.find(waiter);
  if (found == waiting_.end() || !found->second.call.key) return;
  Waiting& waiting = found->second;
  domain::KeyedCall row{.key = *waiting.call.key,
                        .body_hash = waiting.call.body_hash,
                        .operation = operation,
                        .at = wall_};
  if (const auto* app = std::get_if<store::PutApp>(&request.what)) row.subject = app->app.id.value;
  request.calls.push_back(std::move(row));
  waiting.is_key_written = true;
}

void ControlPlane::run(domain::PersistDismissal& effect, Now) {
  const OperationId operation = effect.record.operation;
  if (effect.is_final) observe(effect.record);
  std::vector<domain::Tombstone> tombstones = std::move(effect.tombstones);
  std::ranges::move(effect.precautions, std::back_inserter(tombstones));
  for (const domain::Event& event : effect.events) log_event(event);
  store::WriteRequest request(store::PutDismissal{effect.record, std::move(tombstones),
                                                  std::move(effect.told), std::move(effect.bans)});
  const bool is_first = !effect.events.empty();
  if (is_first && effect.is_final) {  // nothing to wait for before they are told
    request.events = std::move(effect.events);
    apps_with_news_.insert(effect.record.app);
  } else if (is_first) {
    request.hold = operation;
    request.held_events = std::move(effect.events);
  }
  if (is_first && !serving_.cause) timer_dismissals_.insert(operation);
  if (is_first && timer_dismissals_.contains(operation))
    audit_timer(request, effect.record, domain::AuditPhase::Accepted);
  if (effect.is_final && timer_dismissals_.erase(operation) > 0)
    audit_timer(request, effect.record, domain::AuditPhase::Finished);
  write(operation, std::move(request), "a record");
}

void ControlPlane::run(domain::ReleaseEvents& effect, Now) {
  store::WriteRequest request;
  request.release = effect.operation;
  apps_with_news_.insert(effect.app);
  if (!to_store_.send(std::move(request)))
    log_line(LogLevel::Error, "the store is too far behind: events are told after the next restart",
             {{"operation", effect.operation.value}});
}

void ControlPlane::run(domain::PersistSchedules& effect, Now) {
  write(effect.operation,
        store::PutSchedules{effect.operation, std::move(effect.put), std::move(effect.drop)},
        "a schedule");
}

void ControlPlane::run(domain::PersistPolicy& effect, Now) {
  write(effect.operation,
        store::PutPolicy{effect.operation, std::move(effect.app), std::move(effect.room),
                         std::move(effect.policy)},
        "a policy");
}

void ControlPlane::run(domain::PersistWebhook& effect, Now) {
  webhook_writes_.emplace(effect.operation, effect.webhook.id);
  write(effect.operation,
        store::PutWebhook{effect.operation, std::move(effect.webhook), effect.is_dropped},
        "a webhook");
}

void ControlPlane::run(domain::PersistBulk& effect, Now) {
  const OperationId operation = effect.bulk.operation;
  write(operation, store::PutBulk{std::move(effect.bulk)}, "a list of rooms");
}

void ControlPlane::run(domain::PersistBans& effect, Now) {
  write(effect.operation,
        store::PutBans{effect.operation, std::move(effect.put), std::move(effect.drop),
                       std::move(effect.tombstones)},
        "a ban");
}

void ControlPlane::run(domain::PersistApp& effect, Now) {
  write(effect.operation, store::PutApp{effect.operation, std::move(effect.app), effect.is_new},
        "an application");
}

void ControlPlane::run(domain::PersistTombstones& effect, Now) {
  store::WriteRequest request(store::PutTombstones{std::move(effect.tombstones)});
  events_.take_along(request, std::exchange(serving_.events, {}));
  if (!to_store_.send(std::move(request)))
    log_line(LogLevel::Error, "the store is too far behind to take tombstones");
}

// --- media
// -----------------------------------------------------------------------------------------------------------

// Called from inside the registry (RegistryOptions::cut_at_once): the shard is at work while the fence is written up.
domain::RegistryOptions::Carried ControlPlane::cut_room(const domain::CutRoom& effect) {
  using enum domain::RegistryOptions::Carried;
  const auto life = lives_.find(effect.room_sid);
  if (life == lives_.end()) return No;
  media_.send(life->second.id,
              media::CutLife{life->second.id, signal::notice_packet(effect.notice)});
  for (const ParticipantSid& participant : life->second.participants)
    if (Session* session = find_session(participant)) session->is_cut = true;
  return Yes;
}

void ControlPlane::run(domain::CloseRoom& effect, Now) {
  const auto life = lives_.find(effect.room_sid);
  if (life == lives_.end()) {
    submit(domain::RoomClosed{effect.room_sid, 0, 0});
    return;
  }
  media_.send(life->second.id, media::CloseLife{life->second.id});
}

void ControlPlane::run(domain::CutParticipant& effect, Now) {
  Session* session = find_session(effect.participant);
  if (session == nullptr) return;
  session->is_cut = true;
  if (session->peer->has_transport())
    session->peer->cut(signal::notice_packet(effect.notice));
  else
    submit(domain::NoticeAcked{effect.participant});
}

void ControlPlane::run(domain::CloseParticipant& effect, Now) {
  Session* session = find_session(effect.participant);
  if (session == nullptr || !session->peer->close_transport())
    submit(domain::TransportClosed{effect.participant});
}

void ControlPlane::run(domain::StartForward& effect, Now) {
  Session* session = find_session(effect.subscriber);
  if (session == nullptr) return;
  Life* life = life_of(*session);
  const auto track = life == nullptr ? TrackTable::iterator{} : life->tracks.find(effect.track);
  if (life == nullptr || track == life->tracks.end()) return;
  session->peer->want_send({.sid = effect.track,
                            .publisher_sid = effect.publisher.value,
                            .stream = track->second.stream,
                            .kind = effect.kind == domain::TrackKind::Audio
                                        ? negotiation::Kind::Audio
                                        : negotiation::Kind::Video,
                            .codec = track->second.codec});
  to_negotiate_.push_back(effect.subscriber);
}

void ControlPlane::run(domain::StopForward& effect, Now) {
  Session* session = find_session(effect.subscriber);
  if (session == nullptr) return;
  session->peer->stop_send(effect.track);
  to_negotiate_.push_back(effect.subscriber);
}

void ControlPlane::run(domain::PauseForward& effect, Now) {
  if (Session* session = find_session(effect.subscriber))
    session->peer->pause_forward(effect.track, effect.paused, layer_of(effect.quality));
}

void ControlPlane::run(domain::PauseTrack& effect, Now) {
  Session* session = find_session(effect.publisher);
  Life* life = session == nullptr ? nullptr : life_of(*session);
  if (life == nullptr) return;
  const auto track = life->tracks.find(effect.track);
  if (track != life->tracks.end())
    media_.send(life->id, media::SetUplinkMuted{track->second.id, effect.muted});
}

void ControlPlane::run(domain::StopTrack& effect, Now) {
  Session* session = find_session(effect.publisher);
  Life* life = session == nullptr ? nullptr : life_of(*session);
  if (life == nullptr) return;
  life->streams.erase(effect.track);
  session->peer->stop_track(effect.track, life->tracks);
}

void ControlPlane::run(domain::SetDataPermission& effect, Now) {
  if (Session* session = find_session(effect.participant))
    session->peer->set_can_publish_data(effect.can_publish_data);
}

void ControlPlane::run(domain::AdmitAddress& effect, Now) {
  if (Session* session = find_session(effect.participant)) session->peer->admit(effect.address);
}

// --- signal
// ----------------------------------------------------------------------------------------------------------

void ControlPlane::run(domain::ParticipantUpdate& effect, Now) {
  const signal::Message message = serialiser_.participant_update(effect.participants);
  for (const ParticipantSid& recipient : effect.recipients)
    if (Session* session = find_session(recipient)) send(*session, message);
}

void ControlPlane::run(domain::RoomUpdate& effect, Now) {
  const signal::Message message = serialiser_.room_update(effect.room);
  for (const ParticipantSid& recipient : effect.recipients)
    if (Session* session = find_session(recipient)) send(*session, message);
}

void ControlPlane::run(domain::TrackPublished& effect, Now) {
  Session* session = find_session(effect.participant);
  if (session == nullptr) return;
  negotiation::PendingTrack pending{.sid = effect.track.sid,
                                    .kind = effect.track.kind == domain::TrackKind::Audio
                                                ? negotiation::Kind::Audio
                                                : negotiation::Kind::Video,
                                    .cid = effect.track.cid,
                                    .preferred_codec = effect.track.preferred_codec,
                                    .stereo = effect.track.stereo,
                                    .disable_dtx = effect.track.disable_dtx,
                                    .disable_red = effect.track.disable_red,
                                    .layer_rids = {}};
  for (const domain::VideoLayer& layer : effect.track.layers)
    if (!layer.rid.empty()) pending.layer_rids.push_back(layer.rid);
  session->peer->add_pending_track(std::move(pending));
  if (Life* life = life_of(*session)) life->streams[effect.track.sid] = sync_group(effect.track);
  send(*session, serialiser_.track_published(effect.track));
}

void ControlPlane::run(domain::RequestAnswer& effect, Now) {
  if (Session* session = find_session(effect.participant))
    send(*session, serialiser_.request_response(effect));
}

void ControlPlane::run(domain::TrackSubscribed& effect, Now) {
  if (Session* session = find_session(effect.publisher))
    send(*session, serialiser_.track_subscribed(effect.track));
}

void ControlPlane::run(domain::TrackUnpublished& effect, Now) {
  if (Session* session = find_session(effect.participant))
    send(*session, serialiser_.track_unpublished(effect.track));
}

void ControlPlane::run(domain::TrackMuted& effect, Now) {
  if (Session* session = find_session(effect.participant))
    send(*session, serialiser_.mute(effect.track, effect.muted));
}

void ControlPlane::run(domain::SubscriptionFailed& effect, Now) {
  if (Session* session = find_session(effect.participant))
    send(*session, serialiser_.subscription_response(effect.track));
}

void ControlPlane::run(domain::SubscriptionAllowed& effect, Now) {
  if (Session* session = find_session(effect.participant))
    send(*session, serialiser_.subscription_permission_update(effect.publisher, effect.track,
                                                              effect.allowed));
}

void ControlPlane::run(domain::SendLeave& effect, Now) {
  Session* session = find_session(effect.participant);
  if (session == nullptr || !session->connection) {
    submit(domain::LeaveNotWritten{effect.participant});
    return;
  }
  if (is_leave_withheld(*session)) return;
  const ConnectionId connection = *session->connection;
  session->connection.reset();
  participant_of_.erase(connection);
  closing_.emplace(connection, effect.participant);
  http_.close_websocket(connection, serialiser_.leave(effect.reason, effect.action),
                        effect.close_code);
}

// A test stops the process before the first notice, or between it and the others (Faults::stop_at): what comes after
// the stop must not overtake it.
bool ControlPlane::is_leave_withheld(const Session& session) {
  if (config_.faults.stop_at.empty()) return false;
  Life* life = life_of(session);
  const uint32_t allowed = config_.faults.stop_at == "mid_notices" ? 1 : 0;
  return life != nullptr && life->leaves_sent++ >= allowed;
}

void ControlPlane::run(domain::SendServerData& effect, Now) {
  if (Session* session = find_session(effect.participant))
    session->peer->send_reliable(signal::server_data_packet(effect.topic, effect.json));
}

void ControlPlane::run(domain::SendStreamBan& effect, Now) {
  const SharedBytes packet = signal::stream_ban_packet(effect.user, effect.audio, effect.video);
  for (const ParticipantSid& recipient : effect.recipients)
    if (Session* session = find_session(recipient)) session->peer->send_reliable(packet);
}

void ControlPlane::run(domain::SendCountdown& effect, Now) {
  const SharedBytes packet = signal::countdown_packet(effect.countdown);
  for (const ParticipantSid& recipient : effect.recipients)
    if (Session* session = find_session(recipient)) session->peer->send_reliable(packet);
}

void ControlPlane::run(domain::DeliverMessage& effect, Now) {
  const wire::DataKind kind = effect.is_lossy ? wire::DataKind::Lossy : wire::DataKind::Reliable;
  const SharedBytes packet = wire::build_user_packet(kind, effect.topic, effect.payload);
  for (const ParticipantSid& recipient : effect.recipients) {
    Session* session = find_session(recipient);
    if (session == nullptr) continue;
    switch (session->peer->send_message(packet)) {
      case Peer::MessageFate::Sent:
      case Peer::MessageFate::NotConnected:
        break;
      case Peer::MessageFate::TooLongForClient:
        ++counters_.messages_too_long;
        break;
      case Peer::MessageFate::Backlog:
        ++counters_.messages_over_backlog;
        break;
    }
  }
}

void ControlPlane::run(domain::DropConnection& effect, Now) {
  forget_connection(effect.connection);
}

// --- event
// -----------------------------------------------------------------------------------------------------------

void ControlPlane::run(domain::Event& effect, Now) {
  log_event(effect);  // it is in serving_, too
}

void ControlPlane::log_event(const domain::Event& effect) {
  static constexpr const char* kNames[] = {"room started", "room ended",      "user joined",
                                           "user left",    "track published", "track unpublished"};
  log_in_turn(LogLevel::Info, kNames[static_cast<size_t>(effect.kind)],
              {{"app", effect.app.value},
               {"room", effect.room.value},
               {"room_sid", effect.room_sid.value},
               {"user", effect.user.value},
               {"participant", effect.participant.value},
               {"track", effect.track.value}});
}

// --- the ends
// --------------------------------------------------------------------------------------------------------

void ControlPlane::run(domain::LifeForgotten& effect, Now) {
  lives_.erase(effect.room_sid);
  media_.forget_life(effect.room_sid);
}

void ControlPlane::run(domain::ParticipantForgotten& effect, Now) {
  const auto found = sessions_.find(effect.participant);
  if (found == sessions_.end()) return;
  Session& session = found->second;
  if (session.connection) forget_connection(*session.connection);
  if (session.peer->has_transport()) media_.forget_transport(session.peer->transport());
  if (Life* life = life_of(session)) life->participants.erase(effect.participant);
  sessions_.erase(found);
}

}  // namespace atrium::node
