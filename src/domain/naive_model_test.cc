// The naive model's own decisions (registry_model.h); registry_model_test.cc runs it beside the registry.
#include <algorithm>

#include "domain/outbox.h"
#include "domain/registry_model.h"

namespace atrium::domain {

namespace {
template <typename T>
const T* first_of(const Effects& effects) {
  for (const Effect& effect : effects)
    if (const T* one = std::get_if<T>(&effect)) return one;
  return nullptr;
}

// Effects of timers that fired before the command come first, so the command's own answer is the last of its kind.
template <typename T>
const T* last_of(const Effects& effects) {
  const T* last = nullptr;
  for (const Effect& effect : effects)
    if (const T* one = std::get_if<T>(&effect)) last = one;
  return last;
}

Mono after_wall(Wall expiry, Now now) {
  return expiry <= now.wall ? now.mono : now.mono + (expiry - now.wall);
}
}  // namespace

RegistryModel::Person* RegistryModel::find(const ParticipantSid& sid) {
  auto found = people_.find(sid);
  return found == people_.end() ? nullptr : &found->second;
}

std::optional<RoomSid> RegistryModel::current(const RoomId& name) const {
  for (const auto& [sid, life] : lives_)
    if (life.name == name && !life.is_fenced && !life.is_closing) return sid;
  return std::nullopt;
}

void RegistryModel::drop_track(const ParticipantSid& publisher, const TrackSid& track) {
  people_.at(publisher).tracks.erase(track);
}

void RegistryModel::remove(const ParticipantSid& sid, bool leaves_farewell) {
  const Person& person = people_.at(sid);
  if (leaves_farewell && person.is_join_sent)
    refusals_[sid] = {person.joiner.room, person.joiner.user, {}, now_.mono + 60s, false};
  const RoomSid life = person.life;
  people_.erase(sid);
  beliefs_.erase(sid);
  std::erase_if(forwards_, [&sid](const Forward& forward) { return forward.first == sid; });
  const bool is_empty =
      std::ranges::none_of(people_, [&life](const auto& one) { return one.second.life == life; });
  if (is_empty) lives_.at(life).empty_since = now_.mono;
}

// Told at once, or met again by its token: then a fresh join with that is refused once.
void RegistryModel::kick(const ParticipantSid& sid) {
  const Person& person = people_.at(sid);
  const bool is_told = person.is_join_sent && person.connection.has_value();
  const Refusal refusal{person.joiner.room, person.joiner.user, person.joiner.token_hash,
                        now_.mono + 60s,    !is_told,           ClientCode::KickedOut};
  remove(sid, false);
  refusals_[sid] = refusal;
}

bool RegistryModel::kick(const std::optional<RoomId>& room, const UserId& user) {
  std::vector<ParticipantSid> meant;
  for (const auto& [sid, person] : people_)
    if (person.joiner.user == user && (!room || person.joiner.room == *room)) meant.push_back(sid);
  for (const ParticipantSid& sid : meant) kick(sid);
  return !meant.empty();
}

namespace {
std::string ban_key(const std::optional<RoomId>& room, const UserId& user) {
  return (room ? room->value : "") + "/" + user.value;
}
}  // namespace

bool RegistryModel::is_banned(const Joiner& joiner) const {
  return bans_.contains(ban_key(joiner.room, joiner.user)) ||
         bans_.contains(ban_key(std::nullopt, joiner.user));
}

void RegistryModel::expect_write(const Effects& effects, bool is_due, BanWrite write) {
  const PersistBans* stored = first_of<PersistBans>(effects);
  expect(is_due == (stored != nullptr), "what a kick or ban changed is stored, and nothing else");
  if (stored == nullptr) return;
  if (!stored->put.empty() && write.put_if_ok) write.put_if_ok->id = stored->put[0].id;
  ban_writes_[stored->operation] = std::move(write);
}

void RegistryModel::on(const BanUsers& command, const Effects& effects) {
  const std::string key = ban_key(command.target.room, *command.target.user);
  const bool is_new = command.interval > Duration{} && !bans_.contains(key);
  const PersistBans* stored = first_of<PersistBans>(effects);
  const BanId id = stored != nullptr && !stored->put.empty() ? stored->put[0].id : BanId();
  expect(is_new == !id.empty(), "a ban makes a rule unless there is one");
  if (is_new) bans_[key] = {id, now_.mono + command.interval};
  const bool evicts = kick(command.target.room, *command.target.user);
  expect_write(effects, is_new || evicts, {key, is_new ? id : BanId(), {}, {}});
}

void RegistryModel::on(const UpdateBan& command, const Effects& effects) {
  const std::string key = ban_key(command.target.room, *command.target.user);
  const auto known = bans_.find(key);
  if (command.interval > Duration{}) {
    expect_write(effects, true, {key, {}, {}, Ban{{}, now_.mono + command.interval}});
  } else {
    const bool is_there = known != bans_.end();
    expect_write(effects, is_there, {key, {}, is_there ? known->second.id : BanId(), {}});
  }
}

void RegistryModel::on(const RemoveUser& command, const Effects& effects) {
  const bool evicts = kick(command.room, command.user);
  expect_write(effects, evicts, {});
}

void RegistryModel::fire_due() {
  const auto is_due = [this](const std::optional<Mono>& deadline) {
    return deadline && *deadline <= now_.mono;
  };
  std::vector<std::pair<ParticipantSid, bool>> gone;
  for (auto& [sid, person] : people_) {
    if (is_due(person.publish_until)) {
      person.can_publish = false;
      person.tracks.clear();
      person.publish_until.reset();
    }
    if (is_due(person.subscribe_until)) {
      person.can_subscribe = false;
      person.subscribe_until.reset();
    }
    // Whichever deadline was the earliest ended the session.
    const Mono silent =
        std::min(person.active_by.value_or(kNever), person.grace_until.value_or(kNever));
    const Mono token = person.token_until.value_or(kNever);
    if (std::min(silent, token) <= now_.mono) gone.emplace_back(sid, token < silent);
  }
  for (const auto& [sid, leaves_farewell] : gone) remove(sid, leaves_farewell);
  std::erase_if(bans_, [this](const auto& one) { return one.second.until <= now_.mono; });
  std::erase_if(refusals_, [this](const auto& one) { return one.second.until <= now_.mono; });
}

void RegistryModel::take_token(Person& person, const Joiner& joiner) {
  person.joiner.token_hash = joiner.token_hash;
  person.joiner.removed_at = joiner.removed_at;
  const auto deadline = [this](const std::optional<Wall>& expiry) {
    return expiry ? std::optional<Mono>(after_wall(*expiry, now_)) : std::nullopt;
  };
  const auto has_passed = [this](const std::optional<Wall>& expiry) {
    return expiry && *expiry <= now_.wall;
  };
  person.token_until = deadline(joiner.removed_at);
  person.can_publish = joiner.permissions.can_publish && !has_passed(joiner.publish_until) &&
                       !person.joiner.permissions.hidden;
  person.can_subscribe = joiner.permissions.can_subscribe && !has_passed(joiner.subscribe_until);
  person.publish_until =
      has_passed(joiner.publish_until) ? std::nullopt : deadline(joiner.publish_until);
  person.subscribe_until =
      has_passed(joiner.subscribe_until) ? std::nullopt : deadline(joiner.subscribe_until);
  if (!person.can_publish) person.tracks.clear();
}

std::optional<ClientCode> RegistryModel::take_refusal(const Joiner& joiner) {
  for (auto& [sid, refusal] : refusals_) {
    const bool meets = refusal.refuses_join && refusal.room == joiner.room &&
                       refusal.user == joiner.user && refusal.token == joiner.token_hash;
    if (!meets) continue;
    refusal.refuses_join = false;
    return refusal.code;
  }
  return std::nullopt;
}

void RegistryModel::on(const Join& command, const Effects& effects) {
  if (const std::optional<ClientCode> code = take_refusal(command.joiner)) {
    const JoinRefused* refused = first_of<JoinRefused>(effects);
    return expect(refused != nullptr && refused->code == *code, "same token is refused once");
  }
  if (is_banned(command.joiner)) {
    const JoinRefused* refused = first_of<JoinRefused>(effects);
    return expect(refused != nullptr && refused->code == ClientCode::UserForbidden,
                  "a banned user is refused");
  }
  const JoinAccepted* accepted = first_of<JoinAccepted>(effects);
  if (accepted == nullptr) return expect(false, "an ordinary join is accepted");
  const std::optional<RoomSid> life = current(command.joiner.room);
  expect(!life || *life == accepted->room.sid, "a join enters the current life");
  if (!life) lives_[accepted->room.sid].name = command.joiner.room;
  std::optional<ParticipantSid> earlier;
  for (const auto& [sid, person] : people_)
    if (person.life == accepted->room.sid && person.joiner.user == command.joiner.user)
      earlier = sid;
  if (earlier) remove(*earlier, true);
  Person person;
  person.joiner = command.joiner;
  person.life = accepted->room.sid;
  person.connection = command.connection;
  person.active_by = now_.mono + 60s;
  take_token(person, command.joiner);
  lives_.at(person.life).empty_since.reset();
  people_[accepted->self.sid] = std::move(person);
}

void RegistryModel::on(const Resume& command, const Effects& effects) {
  const auto fits = [&](const RoomId& room, const UserId& user) {
    return room == command.joiner.room && user == command.joiner.user;
  };
  auto refusal = refusals_.find(command.participant);
  auto fenced = fenced_.find(command.participant);
  const bool is_told =
      (refusal != refusals_.end() && fits(refusal->second.room, refusal->second.user)) ||
      (fenced != fenced_.end() && fenced->second.is_join_sent &&
       fits(fenced->second.joiner.room, fenced->second.joiner.user));
  if (is_told)
    return expect(first_of<ResumeMeetsTombstone>(effects) != nullptr,
                  "a removed sid is told its code");
  Person* person = find(command.participant);
  const bool is_known =
      person != nullptr && person->is_join_sent && fits(person->joiner.room, person->joiner.user);
  if (is_banned(command.joiner)) {
    expect(first_of<ResumeMeetsTombstone>(effects) != nullptr, "a banned user does not resume");
    if (is_known) kick(command.participant);
    return;
  }
  if (!is_known)
    return expect(first_of<ResumeUnknown>(effects) != nullptr, "an unknown sid joins from scratch");
  expect(first_of<ResumeAccepted>(effects) != nullptr, "a present session resumes");
  person->connection = command.connection;
  person->grace_until.reset();
  if (!person->is_up) person->active_by = now_.mono + 60s;
  const std::optional<Wall>& held = person->joiner.removed_at;
  const std::optional<Wall>& offered = command.joiner.removed_at;
  const bool are_001 = person->joiner.token_kind == TokenKind::Vendor001 &&
                       command.joiner.token_kind == TokenKind::Vendor001;
  const bool is_newer = held && (!offered || *offered > *held);
  if (are_001 && is_newer) take_token(*person, command.joiner);
}

void RegistryModel::on(const JoinSent& command, const Effects&) {
  if (Person* person = find(command.participant)) person->is_join_sent = true;
}

void RegistryModel::on(const SignalLost& command, const Effects&) {
  Person* person = find(command.participant);
  if (person == nullptr || person->connection != command.connection) return;
  person->connection.reset();
  if (!person->is_join_sent) return remove(command.participant, false);
  person->grace_until = now_.mono + options_.resume_grace;
}

void RegistryModel::on(const Leave& command, const Effects&) {
  if (find(command.participant)) remove(command.participant, false);
}

void RegistryModel::on(const AddTrack& command, const Effects& effects) {
  Person* person = find(command.participant);
  if (person == nullptr) return;
  const TrackPublished* published = first_of<TrackPublished>(effects);
  const bool may = person->can_publish && person->tracks.size() < 32;
  expect(may == (published != nullptr), "add_track is granted exactly to who may publish");
  if (published != nullptr) person->tracks[published->track.sid] = false;
}

void RegistryModel::on(const TrackLive& command, const Effects&) {
  Person* person = find(command.participant);
  if (person != nullptr && person->tracks.contains(command.track))
    person->tracks[command.track] = true;
}

void RegistryModel::on(const TrackGone& command, const Effects&) {
  if (find(command.participant)) drop_track(command.participant, command.track);
}

bool RegistryModel::is_live_in(const RoomSid& life, const TrackSid& track,
                               const ParticipantSid& not_of) const {
  return std::ranges::any_of(people_, [&](const auto& one) {
    auto found = one.second.tracks.find(track);
    return one.second.life == life && one.first != not_of && found != one.second.tracks.end() &&
           found->second;
  });
}

void RegistryModel::on(const UpdateSubscription& command, const Effects&) {
  Person* person = find(command.participant);
  if (person == nullptr || (command.subscribe && !person->can_subscribe)) return;
  for (const TrackSid& track : command.tracks)
    if (is_live_in(person->life, track, command.participant))
      person->choices[track] = command.subscribe;
}

void RegistryModel::on(const SubscriptionPermission& command, const Effects&) {
  Person* person = find(command.participant);
  if (person == nullptr) return;
  person->is_open = command.all;
  person->allowed.clear();
  for (const auto& entry : command.entries) person->allowed.insert(entry.user);
}

void RegistryModel::on(const RenewToken& command, const Effects&) {
  Person* person = find(command.participant);
  if (person == nullptr) return;
  const Joiner& offered = command.joiner;
  const bool fits = offered.room == person->joiner.room && offered.user == person->joiner.user &&
                    offered.token_kind == person->joiner.token_kind &&
                    (!offered.removed_at || *offered.removed_at > now_.wall);
  if (fits) take_token(*person, offered);
}

void RegistryModel::on(const TransportUp& command, const Effects&) {
  Person* person = find(command.participant);
  if (person == nullptr) return;
  person->is_up = person->is_active = true;
  person->active_by.reset();
}

void RegistryModel::on(const TransportDown& command, const Effects&) {
  Person* person = find(command.participant);
  if (person == nullptr) return;
  person->is_up = false;
  if (!person->is_active) return remove(command.participant, false);
  if (!person->connection) return;
  person->connection.reset();
  person->grace_until = now_.mono + options_.resume_grace;
}

void RegistryModel::on(const TransportClosed& command, const Effects& effects) {
  on(TransportDown{command.participant}, effects);
}

void RegistryModel::on(const DismissRoom& command, const Effects& effects) {
  const std::optional<RoomSid> life = current(command.room);
  if (!life) return;
  const PersistDismissal* fence = last_of<PersistDismissal>(effects);
  if (fence == nullptr) return expect(false, "a dismissal writes its record");
  expect(fence->record.room_sid == *life, "a dismissal acts on the current life");
  lives_.at(*life).is_fenced = true;
  lives_.at(*life).empty_since.reset();
  Operation& operation = operations_[fence->record.operation];
  operation.life = *life;
  const auto carried = carried_.find(*life);
  if (carried != carried_.end() && carried->second == RegistryOptions::Carried::No)
    operation.is_cut = true;
  if (fence->is_final) {
    expect(operation.is_cut, "a life that something carries is cut first");
    expect(std::ranges::none_of(people_, [&](const auto& one) { return one.second.life == *life; }),
           "who is in the life is told first");
    operation.is_closed = true;
    operation.records = 1;
    lives_.erase(*life);
    return;
  }
  for (auto person = people_.begin(); person != people_.end();) {
    if (person->second.life != *life) {
      ++person;
      continue;
    }
    const ParticipantSid sid = person->first;
    std::erase_if(forwards_, [&sid](const Forward& forward) { return forward.first == sid; });
    beliefs_.erase(sid);
    fenced_[sid] = std::move(person->second);
    person = people_.erase(person);
  }
}

void RegistryModel::on(const RoomCut& command, const Effects&) {
  for (auto& [id, operation] : operations_)
    if (operation.life == command.room_sid && !operation.is_closed) operation.is_cut = true;
}

void RegistryModel::on(const RoomClosed& command, const Effects&) {
  auto life = lives_.find(command.room_sid);
  const bool is_ending = life != lives_.end() && life->second.is_closing;
  if (!is_ending) return;
  for (auto& [id, operation] : operations_)
    if (operation.life == command.room_sid) operation.is_closed = true;
  std::erase_if(fenced_, [&](const auto& one) { return one.second.life == command.room_sid; });
  lives_.erase(life);
}

void RegistryModel::on(const RecordStored& command, const Effects&) {
  if (auto write = ban_writes_.extract(command.operation)) {
    const BanWrite& ban = write.mapped();
    const auto known = bans_.find(ban.key);
    const BanId& erased = command.ok ? ban.erase_if_ok : ban.erase_if_failed;
    if (known != bans_.end() && !erased.empty() && known->second.id == erased) bans_.erase(known);
    if (command.ok && ban.put_if_ok) bans_[ban.key] = *ban.put_if_ok;
    return;
  }
  auto found = operations_.find(command.operation);
  if (found != operations_.end())
    ++(command.ok ? found->second.stored_ok : found->second.stored_failed);
}

void RegistryModel::on(const SendMessage& command, const Effects& effects) {
  std::vector<ParticipantSid> meant;
  for (const auto& [sid, person] : people_) {
    const bool is_named = !command.users || std::ranges::find(*command.users, person.joiner.user) !=
                                                command.users->end();
    const bool is_there = !command.room || person.joiner.room == *command.room;
    if (is_named && is_there) meant.push_back(sid);
  }
  const DeliverMessage* sent = first_of<DeliverMessage>(effects);
  std::vector<ParticipantSid> reached = sent == nullptr ? meant : sent->recipients;
  std::ranges::sort(reached);
  expect((sent != nullptr) == !meant.empty() && reached == meant,
         "a message reaches each session that is meant, once, and no other");
  const ActionReply* reply = last_of<ActionReply>(effects);
  expect(reply != nullptr && reply->waiter == command.waiter, "who sends is answered at once");
}

// --- what the effects say -----------------------------------------------------------------------

void RegistryModel::see(const StartForward& effect) {
  expect(forwards_.emplace(effect.subscriber, effect.track).second, "a forward starts once");
}
void RegistryModel::see(const StopForward& effect) {
  const bool was_started = forwards_.erase({effect.subscriber, effect.track}) == 1;
  expect(was_started || !people_.contains(effect.subscriber), "only what was started is stopped");
}

void RegistryModel::close_life(const CloseRoom& effect) {
  auto life = lives_.find(effect.room_sid);
  if (life == lives_.end()) return expect(false, "only a known life is closed");
  expect(!life->second.is_closing, "a life is closed once");
  if (!life->second.is_fenced)
    expect(life->second.empty_since &&
               *life->second.empty_since + options_.empty_room_grace <= now_.mono,
           "an unfenced life closes only after its empty grace");
  life->second.is_closing = true;
}

void RegistryModel::add_refusals(const std::vector<Tombstone>& tombstones) {
  for (const Tombstone& one : tombstones)
    refusals_[one.participant] = {one.room, one.user, one.token_hash,
                                  after_wall(one.expires_at, now_), true};
}
void RegistryModel::see(const PersistDismissal& effect) {
  add_refusals(effect.tombstones);
  for (const Event& event : effect.events) see(event);
}

void RegistryModel::believe(Beliefs& beliefs, const ParticipantView& view) {
  if (view.state == ParticipantState::Disconnected) {
    beliefs.erase(view.user);  // clients know people by their user id
    return;
  }
  Believed& known = beliefs[view.user];
  known = {view.sid, {}};
  for (const TrackView& track : view.tracks) known.live_tracks.insert(track.sid);
}

void RegistryModel::see(const JoinAccepted& effect) {
  Beliefs& beliefs = beliefs_[effect.self.sid];
  for (const auto& other : effect.others) believe(beliefs, *other);
}

void RegistryModel::see(const ResumeAccepted& effect) {
  Beliefs& beliefs = beliefs_[effect.self.sid];
  for (const auto& departed : effect.departed) believe(beliefs, *departed);
  for (const auto& other : effect.others) believe(beliefs, *other);
}

void RegistryModel::see(const ParticipantUpdate& effect) {
  for (const auto& view : effect.participants) {
    uint32_t& last = versions_[view->sid];
    expect(view->version >= last, "versions never go back");
    auto& told = told_[view->sid];
    expect(view->version != last || told == nullptr || *told == *view,
           "news have a version of their own");
    told = view;
    expect(!view->permissions.hidden || effect.recipients == std::vector{view->sid},
           "hidden users are not shown");
    last = view->version;
  }
  for (const ParticipantSid& recipient : effect.recipients) {
    const Person* person = find(recipient);
    const bool is_there = person != nullptr && person->connection.has_value();
    expect(is_there || were_there_.contains(recipient), "updates go to who is there to hear them");
    if (person == nullptr) continue;  // heard it as the last thing before it left
    for (const auto& view : effect.participants)
      if (view->sid != recipient) believe(beliefs_[recipient], *view);
  }
}

void RegistryModel::see(const SendLeave& effect) {
  auto fenced = fenced_.find(effect.participant);
  if (fenced != fenced_.end())
    expect(fenced->second.is_join_sent, "who was not sent a join is not sent a leave");
}

void RegistryModel::see(const Event& effect) {
  if (effect.kind == EventKind::UserJoined)
    expect(++joined_[effect.participant] == 1, "joined once");
  if (effect.kind == EventKind::UserLeft)
    expect(++left_[effect.participant] == joined_[effect.participant], "left once");
  if (effect.kind == EventKind::RoomStarted)
    expect(++started_[effect.room_sid] == 1, "started once");
  if (effect.kind == EventKind::RoomEnded)
    expect(++ended_[effect.room_sid] == started_[effect.room_sid], "ended once");
}

void RegistryModel::see(const ActionReply& effect) {
  expect(waiting_.erase(effect.waiter) == 1, "every caller is answered once");
}

void RegistryModel::see(const DismissReply& effect) {
  expect(waiting_.erase(effect.waiter) == 1, "every caller is answered once");
  if (effect.outcome != DismissOutcome::Done) return;
  if (!effect.record) return expect(false, "success carries the record");
  const Operation& operation = operations_.at(effect.record->operation);
  expect(operation.is_cut, "no success before the media cut");
  expect(operation.is_closed, "no success before the room is closed");
  expect(operation.stored_ok >= operation.records && operation.stored_failed == 0,
         "no success before its records are durable");
  const DismissalRecord& record = *effect.record;
  expect(record.notified.value_or(0) + record.not_notified.value_or(0) == record.users_at_fence,
         "everybody at the fence is accounted for");
}

void RegistryModel::observe(const Effects& effects) {
  for (const Effect& effect : effects) std::visit([this](const auto& one) { see(one); }, effect);
}

// An empty life may wait for the leaves of who was removed last; it may not do so for many long turns.
void RegistryModel::count_late_turns(Now now) {
  const bool is_long_turn = now.mono - turn_before_ >= 2s;
  turn_before_ = now.mono;
  for (auto& [sid, life] : lives_) {
    const bool is_late =
        life.empty_since && *life.empty_since + options_.empty_room_grace < now.mono;
    const bool is_open = !life.is_fenced && !life.is_closing;
    if (!is_late) life.late_turns = 0;
    if (is_late && is_open && is_long_turn) ++life.late_turns;
  }
}

std::vector<std::string> RegistryModel::step(const Command& command, Now now,
                                             const Effects& effects) {
  wrongs_.clear();
  now_ = now;
  expect(std::ranges::is_sorted(effects, {}, phase_of), "persist, media, signal, event, reply");
  if (const auto* dismiss = std::get_if<DismissRoom>(&command)) waiting_.insert(dismiss->waiter);
  if (const auto* ban = std::get_if<BanUsers>(&command)) waiting_.insert(ban->waiter);
  if (const auto* update = std::get_if<UpdateBan>(&command)) waiting_.insert(update->waiter);
  if (const auto* kicked = std::get_if<RemoveUser>(&command)) waiting_.insert(kicked->waiter);
  if (const auto* message = std::get_if<SendMessage>(&command)) waiting_.insert(message->waiter);
  were_there_.clear();
  for (const auto& [sid, person] : people_)
    if (person.connection) were_there_.insert(sid);
  fire_due();
  // What a timer decided was so before the command came.
  std::set<RoomSid> fenced_now;
  for (const Effect& effect : effects)
    if (const auto* fence = std::get_if<PersistDismissal>(&effect); fence && !fence->events.empty())
      fenced_now.insert(fence->record.room_sid);
  const auto close_lives = [&](bool is_fenced_now) {
    for (const Effect& effect : effects)
      if (const auto* close = std::get_if<CloseRoom>(&effect))
        if (fenced_now.contains(close->room_sid) == is_fenced_now) close_life(*close);
  };
  close_lives(false);
  for (const Effect& effect : effects) {
    if (const auto* late = std::get_if<PersistTombstones>(&effect)) add_refusals(late->tombstones);
  }
  count_late_turns(now);
  std::visit([&](const auto& one) { on(one, effects); }, command);
  close_lives(true);
  // The forwards of who left went with them; the rest is told.
  observe(effects);
  std::erase_if(forwards_,
                [this](const Forward& forward) { return !people_.contains(forward.first); });
  std::erase_if(beliefs_, [this](const auto& one) { return !people_.contains(one.first); });
  return wrongs_;
}

std::set<RegistryModel::Forward> RegistryModel::wanted_forwards() const {
  std::set<Forward> wanted;
  for (const auto& [publisher_sid, publisher] : people_)
    for (const auto& [track, is_live] : publisher.tracks)
      for (const auto& [sid, subscriber] : people_) {
        auto choice = subscriber.choices.find(track);
        const bool asks =
            choice != subscriber.choices.end() ? choice->second : subscriber.joiner.auto_subscribe;
        const bool gets = is_live && sid != publisher_sid && subscriber.life == publisher.life &&
                          asks && subscriber.can_subscribe && subscriber.is_join_sent &&
                          publisher.is_join_sent &&
                          (publisher.is_open || publisher.allowed.contains(subscriber.joiner.user));
        if (gets) wanted.emplace(sid, track);
      }
  return wanted;
}

std::vector<std::string> RegistryModel::compare(const Registry& registry, bool with_beliefs) const {
  std::vector<std::string> wrongs;
  std::map<RoomSid, std::set<ParticipantSid>> present;
  for (const auto& [sid, person] : people_) present[person.life].insert(sid);
  uint64_t active = 0, fenced = 0, tracks = 0;
  for (const auto& [sid, life] : lives_) {
    fenced += life.is_fenced ? 1 : 0;
    if (life.is_fenced || life.is_closing) continue;
    ++active;
    std::set<ParticipantSid> seen;
    for (const auto& view : registry.participants(sid)) seen.insert(view->sid);
    if (seen != present[sid]) wrongs.push_back("presence differs in " + sid.value);
    if (life.late_turns > 4) wrongs.push_back("an empty life goes on");
  }
  for (const auto& [sid, person] : people_)
    for (const auto& [track, is_live] : person.tracks) tracks += is_live ? 1 : 0;
  const Registry::Counts counts = registry.counts();
  if (counts.rooms != active || counts.dismissing != fenced) wrongs.push_back("lives differ");
  if (counts.participants != people_.size()) wrongs.push_back("people differ");
  if (counts.bans != bans_.size()) wrongs.push_back("ban rules differ");
  if (counts.tracks != tracks) wrongs.push_back("tracks differ");
  if (counts.subscriptions != forwards_.size()) wrongs.push_back("forwards are counted wrongly");
  if (forwards_ != wanted_forwards()) wrongs.push_back("forwards differ from what is wanted");
  if (with_beliefs) compare_beliefs(wrongs);
  return wrongs;
}

void RegistryModel::compare_beliefs(std::vector<std::string>& wrongs) const {
  for (const auto& [watcher_sid, watcher] : people_) {
    if (!watcher.connection || watcher.joiner.protocol < 12) continue;
    Beliefs expected;
    Beliefs held = beliefs_.at(watcher_sid);
    for (const auto& [sid, person] : people_) {
      if (person.life != watcher.life || sid == watcher_sid) continue;
      if (!person.is_join_sent)
        held.erase(person.joiner.user);  // its predecessor may still stand for it
      if (!person.is_join_sent || person.joiner.permissions.hidden) continue;
      Believed& one = expected[person.joiner.user] = {sid, {}};
      for (const auto& [track, is_live] : person.tracks)
        if (is_live) one.live_tracks.insert(track);
    }
    held.erase(watcher.joiner.user);  // its own former session
    if (held != expected)
      wrongs.push_back("what " + watcher.joiner.user.value + " believes is not so");
  }
}

std::vector<std::string> RegistryModel::balance() const {
  std::vector<std::string> wrongs;
  if (joined_ != left_) wrongs.push_back("somebody joined and never left, or the reverse");
  if (started_ != ended_) wrongs.push_back("a room started and never ended, or the reverse");
  if (!waiting_.empty()) wrongs.push_back("a caller was never answered");
  if (!lives_.empty() || !people_.empty()) wrongs.push_back("something still lives");
  return wrongs;
}

}  // namespace atrium::domain
