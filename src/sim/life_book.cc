#include "sim/life_book.h"

#include "base/limits.h"

namespace atrium::sim {
namespace {

constexpr size_t kViolationsMax = 20;  // the first ones tell the story
constexpr Duration kInheritedWithin = std::chrono::milliseconds(limits::kScheduleInheritMs);

}  // namespace

void LifeBook::fail(const std::string& what) {
  if (violations_.size() < kViolationsMax) violations_.push_back(what);
}

// --- what is asked for -------------------------------------------------------------------------

void LifeBook::doom(const RoomSid& life, Doom why) {
  life_of(life).dooms.insert(why);
}

void LifeBook::schedule_cancelled(const RoomSid& life) {
  life_of(life).dooms.erase(Doom::Schedule);
}

void LifeBook::excuse(const ParticipantSid& who, Exit why) {
  exits_[who].insert(why);
}

bool LifeBook::has_schedule(const RoomSid& life) const {
  const auto found = lives_.find(life);
  return found != lives_.end() && !found->second.is_gone &&
         found->second.dooms.contains(Doom::Schedule);
}

// The store may not know yet of a life that emptied that it took its schedule along: the one before counts, too.
void LifeBook::restarted(Mono now) {
  present_.clear();
  numbers_.clear();
  heirs_until_.clear();
  for (const auto& [room, life] : latest_)
    if (has_schedule(life) || has_schedule(lives_.at(life).former))
      heirs_until_[room] = now + kInheritedWithin;
}

// --- what the server does ----------------------------------------------------------------------

void LifeBook::let_in(const ParticipantSid& who, const Person& person, Mono now) {
  people_[who] = person;
  present_.insert(who);
  std::optional<RoomSid> former = latest(person.room);
  if (former == person.life) return;
  Life& life = life_of(person.life);
  if (!life.room.value.empty()) return fail(name_of(who) + " was let into a life of the past");
  life.room = person.room;
  life.former = former.value_or(RoomSid());
  if (former && lives_.at(*former).is_gone) ++rounds_;
  latest_[person.room] = person.life;
  const auto heir = heirs_until_.find(person.room);
  if (heir == heirs_until_.end()) return;
  if (now <= heir->second) life.dooms.insert(Doom::Schedule);
  heirs_until_.erase(heir);
}

void LifeBook::saw_record(const domain::DismissalRecord& record) {
  operations_[record.operation] = record.room_sid;
  if (!is_doomed(record.room_sid))
    fail("nobody asked for the dismissal of " + record.room_sid.value + ", a life of " +
         record.room.value);
  const auto known = lives_.find(record.room_sid);
  if (known != lives_.end() && known->second.room != record.room)
    fail("the record of " + record.operation.value + " names another room");
}

void LifeBook::saw_durable(const OperationId& operation) {
  const auto known = operations_.find(operation);
  if (known != operations_.end()) life_of(known->second).is_gone = true;
}

void LifeBook::saw_event(const domain::Event& event) {
  const auto known = operations_.find(event.reason.operation);
  if (known != operations_.end() && known->second != event.room_sid)
    fail("an event of " + event.room_sid.value + " gives the dismissal of " + known->second.value +
         " as its reason");
}

void LifeBook::saw_transport(LifeId number, const ParticipantSid& who) {
  const Person* person = find(who);
  if (person == nullptr) return fail("a transport was opened for a stranger");
  const auto [known, is_new] = numbers_.try_emplace(number, person->life);
  if (known->second != person->life)
    fail(name_of(who) + " was put into the media of " + known->second.value);
}

void LifeBook::saw_cut(LifeId number) {
  const auto known = numbers_.find(number);
  if (known != numbers_.end() && !is_doomed(known->second))
    fail("media of " + known->second.value + " was cut and nobody asked for that");
}

void LifeBook::saw_teardown(const ParticipantSid& who) {
  if (is_innocent(who)) fail("the transport of " + name_of(who) + " was torn down");
}

void LifeBook::saw_words(const ParticipantSid& who, domain::ClientCode code,
                         const OperationId& operation) {
  const Person* person = find(who);
  if (person == nullptr) return fail("a stranger was told that it is out");
  const auto known = operations_.find(operation);
  if (known != operations_.end() && known->second != person->life)
    fail(name_of(who) + " was told of the dismissal of " + known->second.value);
  const auto exit = exits_.find(who);
  const auto has = [&](Exit why) { return exit != exits_.end() && exit->second.contains(why); };
  bool is_right = is_doomed(person->life);
  if (code == domain::ClientCode::DuplicateLogin) is_right |= has(Exit::Replaced);
  // Who is out anyway and comes back is told of a rule that was made since.
  if (code == domain::ClientCode::KickedOut || code == domain::ClientCode::UserForbidden)
    is_right |= has(Exit::Removed) || !present_.contains(who);
  if (!is_right)
    fail(name_of(who) + " was told " + std::to_string(static_cast<int>(code)) + " without reason");
}

void LifeBook::saw_sent_away(const ParticipantSid& who) {
  if (is_innocent(who)) fail(name_of(who) + " was sent away without a word of why");
}

// --- what is looked at -------------------------------------------------------------------------

bool LifeBook::is_doomed(const RoomSid& life) const {
  const auto found = lives_.find(life);
  return found != lives_.end() && !found->second.dooms.empty();
}

bool LifeBook::is_innocent(const ParticipantSid& who) const {
  return present_.contains(who) && !exits_.contains(who) && !is_doomed(people_.at(who).life);
}

std::vector<ParticipantSid> LifeBook::innocents() {
  std::vector<ParticipantSid> out;
  std::erase_if(present_, [this](const ParticipantSid& who) {
    return exits_.contains(who) || lives_.at(people_.at(who).life).is_gone;
  });
  for (const ParticipantSid& who : present_)
    if (is_innocent(who)) out.push_back(who);
  return out;
}

const LifeBook::Person* LifeBook::find(const ParticipantSid& who) const {
  const auto found = people_.find(who);
  return found == people_.end() ? nullptr : &found->second;
}

std::optional<RoomSid> LifeBook::latest(const RoomId& room) const {
  const auto found = latest_.find(room);
  return found == latest_.end() ? std::nullopt : std::optional(found->second);
}

std::string LifeBook::room_of(const RoomSid& life) const {
  const auto found = lives_.find(life);
  return found == lives_.end() ? std::string() : found->second.room.value;
}

std::string LifeBook::name_of(const ParticipantSid& who) const {
  const Person* person = find(who);
  if (person == nullptr) return who.value;
  return person->user.value + " (" + who.value + ") in " + person->life.value + " of " +
         person->room.value;
}

}  // namespace atrium::sim
