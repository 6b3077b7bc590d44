// What the registry's tests share: one registry, a hand-fed clock, and readers of its effects.  Test code only.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/limits.h"
#include "base/seeded_secret_source.h"
#include "domain/effect_text.h"
#include "domain/registry.h"

namespace atrium::domain {

template <typename T>
std::vector<T> all_of(const Effects& effects) {
  std::vector<T> out;
  for (const Effect& effect : effects)
    if (const T* one = std::get_if<T>(&effect)) out.push_back(*one);
  return out;
}

template <typename T>
size_t count_of(const Effects& effects) {
  return all_of<T>(effects).size();
}

// The one effect of this kind; a test that expects one and finds another number fails with the whole list.
template <typename T>
T only(const Effects& effects) {
  const std::vector<T> found = all_of<T>(effects);
  EXPECT_EQ(found.size(), 1u) << effects_text(effects);
  return found.empty() ? T{} : found.front();
}

// Those that go with a dismissal's record, too.
inline std::vector<Event> events_of(const Effects& effects, EventKind kind) {
  std::vector<Event> out = all_of<Event>(effects);
  for (const PersistDismissal& write : all_of<PersistDismissal>(effects))
    out.insert(out.end(), write.events.begin(), write.events.end());
  std::erase_if(out, [kind](const Event& event) { return event.kind != kind; });
  return out;
}

class RegistryTest : public ::testing::Test {
 protected:
  static constexpr char kApp[] = "app1";
  static constexpr char kRoom[] = "room1";

  Effects apply(Command command) {
    Effects effects = registry_.apply(std::move(command), now_);
    registry_.check_invariants();
    return effects;
  }
  // Lets time pass, then looks at what became due.
  Effects after(Duration span) {
    now_.mono += span;
    now_.wall += span;
    return apply(Tick{});
  }

  static Sha256 token(const std::string& text) { return sha256(as_bytes(text)); }

  static Joiner joiner(const std::string& user, const std::string& room = kRoom) {
    Joiner out;
    out.app = AppId(kApp);
    out.room = RoomId(room);
    out.user = UserId(user);
    out.name = user;
    out.token_hash = token(user + "@" + room);
    out.protocol = 17;
    return out;
  }
  static Joiner hidden_joiner(const std::string& user) {
    Joiner out = joiner(user);
    out.permissions.hidden = true;
    return out;
  }
  Joiner vendor_joiner(const std::string& user, std::optional<Duration> token_left) const {
    Joiner out = joiner(user);
    out.token_kind = TokenKind::Vendor001;
    if (token_left) out.removed_at = now_.wall + *token_left;
    return out;
  }

  struct Person {
    ParticipantSid sid;
    ConnectionId connection;
    RoomSid room_sid;
    Joiner joiner;
  };

  // Accepted, its `join` not yet sent.
  Person knock(const Joiner& who) {
    const ConnectionId connection{next_connection_++};
    const JoinAccepted accepted = only<JoinAccepted>(apply(Join{connection, who}));
    return {accepted.self.sid, connection, accepted.room.sid, who};
  }
  // Present and active, with an open notice channel.
  Person enter(const Joiner& who) {
    Person person = knock(who);
    apply(JoinSent{person.sid});
    apply(TransportUp{person.sid});
    apply(NoticeChannel{person.sid, true});
    return person;
  }
  Person enter(const std::string& user) { return enter(joiner(user)); }

  static TrackView asked(TrackKind kind, TrackSource source, const std::string& cid) {
    TrackView track;
    track.kind = kind;
    track.source = source;
    track.cid = cid;
    return track;
  }
  static TrackView microphone() { return asked(TrackKind::Audio, TrackSource::Microphone, "mic"); }
  static TrackView camera() {
    TrackView track = asked(TrackKind::Video, TrackSource::Camera, "cam");
    track.layers = {{VideoQuality::Low, 320, 180, 150'000, "q"},
                    {VideoQuality::Medium, 640, 360, 500'000, "h"},
                    {VideoQuality::High, 1280, 720, 1'700'000, "f"}};
    return track;
  }

  TrackSid add_track(const Person& person, const TrackView& track) {
    return only<TrackPublished>(apply(AddTrack{person.sid, track})).track.sid;
  }
  Effects go_live(const Person& person, const TrackSid& track,
                  const std::string& mime = "audio/opus") {
    return apply(TrackLive{person.sid, track, mime, "0"});
  }
  TrackSid publish(const Person& person, const TrackView& track) {
    const TrackSid sid = add_track(person, track);
    go_live(person, sid);
    return sid;
  }

  Effects lose_signal(const Person& person) {
    return apply(SignalLost{person.sid, person.connection});
  }
  ConnectionId new_connection() { return ConnectionId{next_connection_++}; }
  Effects resume(const Person& person) {
    return apply(Resume{new_connection(), person.sid, person.joiner});
  }

  DismissRoom dismiss_command(const std::string& room = kRoom) {
    return {WaiterId{next_waiter_++}, AppId(kApp), RoomId(room), "AK1", "request-1", "because"};
  }
  Effects dismiss(const std::string& room = kRoom) { return apply(dismiss_command(room)); }
  Effects cut(const RoomSid& room_sid) { return apply(RoomCut{room_sid, now_.mono, now_.wall, 2}); }
  Effects stored(const OperationId& operation, bool ok = true) {
    return apply(RecordStored{operation, ok});
  }
  Effects closed(const RoomSid& room_sid) { return apply(RoomClosed{room_sid, 2, 0}); }

  std::optional<RoomView> room(const std::string& name = kRoom) const {
    return registry_.find_room(AppId(kApp), RoomId(name));
  }
  std::optional<ParticipantView> view_of(const Person& person) const {
    for (const auto& view : registry_.participants(person.room_sid))
      if (view->sid == person.sid) return *view;
    return std::nullopt;
  }

  // Updates that reached `recipient`, flattened.
  static std::vector<ParticipantView> told(const Effects& effects, const Person& recipient) {
    std::vector<ParticipantView> out;
    for (const ParticipantUpdate& update : all_of<ParticipantUpdate>(effects))
      if (std::ranges::find(update.recipients, recipient.sid) != update.recipients.end())
        for (const auto& view : update.participants) out.push_back(*view);
    return out;
  }

  SeededSecretSource secrets_{1};
  RegistryOptions options_;
  Registry registry_{secrets_, options_};
  Now now_{Mono(1'000s), wall_from_unix_s(1'700'000'000)};

 private:
  uint64_t next_connection_ = 1;
  uint64_t next_waiter_ = 1;
};

}  // namespace atrium::domain
