// Random commands by seed, to the registry and to a naive model; the world around answers late, out of order or
// never.
#include "domain/registry_model.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/seeded_secret_source.h"
#include "domain/effect_text.h"
#include "domain/outbox.h"

namespace atrium::domain {

// --- the world around ---------------------------------------------------------------------------

namespace {

// Who takes the cuts: an effect in its place, or the world at once, which sometimes knows of nothing to cut.
enum class Cuts : uint8_t { Effects, AtOnce };

enum class Crowd : uint8_t {
  None,
  Hidden
};  // Hidden: enough invisible users that updates are coalesced

class World {
 public:
  World(uint64_t seed, Crowd crowd, Cuts cuts)
      : chance_(seed), secrets_(seed + 1), options_(make_options(cuts)) {
    if (crowd == Crowd::Hidden)
      for (int i = 0; i < 50; ++i) run(Join{next_connection(), crowd_joiner(i)});
    has_crowd_ = crowd == Crowd::Hidden;
  }

  void step() {
    if (below(4) == 0)
      pass(Duration(static_cast<int64_t>(below(below(8) == 0 ? 30'000'000 : 300'000))));
    if (!answers_.empty() && below(3) != 0) {
      const size_t pick = below(answers_.size());
      Command answer = std::move(answers_[pick]);
      answers_.erase(answers_.begin() + static_cast<ptrdiff_t>(pick));
      run(std::move(answer));
    } else {
      run(random_command());
    }
  }

  // Everybody leaves, everything is answered, all deadlines pass.
  void drain() {
    for (const ParticipantSid& sid : std::vector(people_seen_)) run(Leave{sid});
    for (int round = 0; round < 10; ++round) {
      while (!answers_.empty()) {
        Command answer = std::move(answers_.back());
        answers_.pop_back();
        run(std::move(answer));
      }
      pass(30s);
      run(Tick{});
    }
    for (const std::string& wrong : model_.balance()) ADD_FAILURE() << wrong;
    const Registry::Counts counts = registry_.counts();
    EXPECT_EQ(counts.rooms + counts.dismissing + counts.participants + counts.tombstones +
                  counts.operations,
              0u);
    EXPECT_EQ(registry_.next_deadline(), kNever);
  }

  const std::vector<size_t>& trace() const { return trace_; }

 private:
  RegistryOptions make_options(Cuts cuts) {
    if (cuts == Cuts::Effects) return {};
    return {.cut_at_once = [this](const CutRoom& cut) {
      using enum RegistryOptions::Carried;
      const auto carried = below(2) == 0 ? No : Yes;
      model_.note_cut(cut.room_sid, carried);
      if (carried == Yes) answer(cut);
      return carried;
    }};
  }
  uint64_t below(uint64_t bound) { return chance_.next() % bound; }
  ConnectionId next_connection() { return ConnectionId{++connections_}; }
  void pass(Duration span) { now_.mono += span, now_.wall += span, passed_ += span; }

  template <typename Id>
  Id pick(const std::vector<Id>& seen, const char* unknown) {
    if (seen.empty() || below(40) == 0) return Id(unknown);
    const size_t recent = std::min<size_t>(seen.size(), 12);
    return below(4) == 0 ? seen[below(seen.size())] : seen[seen.size() - 1 - below(recent)];
  }
  ParticipantSid somebody() { return pick(people_seen_, "PA_unknown"); }
  TrackSid some_track() { return pick(tracks_seen_, "TR_unknown"); }

  Joiner crowd_joiner(int number) {
    Joiner joiner;
    joiner.app = AppId("app");
    joiner.room = RoomId("room0");
    joiner.user = UserId("crowd" + std::to_string(number));
    joiner.permissions.hidden = true;
    joiner.protocol = 17;
    return joiner;
  }

  Joiner random_joiner(const UserId& user, const RoomId& room) {
    Joiner joiner;
    joiner.app = AppId("app");
    joiner.room = room;
    joiner.user = user;
    joiner.protocol = below(8) == 0 ? 11 : 17;
    joiner.permissions.hidden = below(6) == 0;
    joiner.permissions.can_publish = below(8) != 0;
    joiner.permissions.can_subscribe = below(8) != 0;
    joiner.auto_subscribe = below(5) != 0;
    joiner.adaptive_stream = below(2) == 0;
    joiner.token_kind = below(2) == 0 ? TokenKind::Vendor001 : TokenKind::Jwt;
    joiner.token_hash = {static_cast<uint8_t>(below(3))};
    if (joiner.token_kind == TokenKind::Vendor001) {
      const auto soon = [this] { return now_.wall + std::chrono::seconds(below(200)) + 1s; };
      if (below(2) == 0) joiner.removed_at = soon();
      if (below(3) == 0) joiner.publish_until = soon();
      if (below(3) == 0) joiner.subscribe_until = soon();
    }
    return joiner;
  }
  UserId random_user() { return UserId("user" + std::to_string(below(6))); }
  RoomId random_room() { return RoomId("room" + std::to_string(below(has_crowd_ ? 1 : 3))); }

  Joiner joiner_of(const ParticipantSid& sid) {
    auto known = model_.people().find(sid);
    if (known == model_.people().end() || below(10) == 0)
      return random_joiner(random_user(), random_room());
    return random_joiner(known->second.joiner.user, known->second.joiner.room);
  }
  ConnectionId connection_of(const ParticipantSid& sid) {
    auto known = model_.people().find(sid);
    const bool guesses =
        known == model_.people().end() || !known->second.connection || below(6) == 0;
    return guesses ? ConnectionId{below(connections_ + 1)} : *known->second.connection;
  }

  Command random_command() {
    const uint64_t dice = below(100);
    if (dice < 14) return Join{next_connection(), random_joiner(random_user(), random_room())};
    if (dice < 50) return random_session_command();
    if (dice < 84) return random_track_command();
    if (dice < 90) return random_sanction();
    if (dice < 93)
      return DismissRoom{WaiterId{++waiters_}, AppId("app"), random_room(), "AK", "request", ""};
    if (dice < 96) return RoomCut{RoomSid("RM_unknown"), now_.mono, now_.wall};
    if (dice < 98) return random_message();
    return Tick{};
  }

  Command random_sanction() {
    BanTarget target{.room = random_room(), .user = random_user(), .ip = {}};
    if (below(3) == 0) target.room.reset();
    const Duration interval = std::chrono::seconds(below(3) == 0 ? 0 : below(40));
    const WaiterId waiter{++waiters_};
    switch (below(3)) {
      case 0:
        return RemoveUser{waiter, AppId("app"), random_room(), random_user(), {}};
      case 1:
        return UpdateBan{waiter, AppId("app"), target, interval, {}};
      default:
        return BanUsers{.waiter = waiter,
                        .app = AppId("app"),
                        .target = target,
                        .interval = interval,
                        .origin = {}};
    }
  }

  Command random_message() {
    SendMessage message{.waiter = WaiterId{++waiters_}, .app = AppId("app"), .payload = {}};
    if (below(3) != 0) message.room = random_room();
    if (!message.room || below(2) == 0) message.users = {{random_user(), random_user()}};
    return message;
  }

  Command random_session_command() {
    const ParticipantSid sid = somebody();
    switch (below(16)) {
      case 0:
        return SignalLost{sid, connection_of(sid)};
      case 1:
      case 2:
        return Resume{next_connection(), sid, joiner_of(sid)};
      case 3:
        return Leave{sid};
      case 4:
      case 5:
      case 6:
        return TransportUp{sid};
      case 7:
        return below(3) == 0 ? Command(TransportDown{sid}) : Command(TransportUp{sid});
      case 8:
        return NoticeChannel{sid, below(4) != 0};
      case 9:
        return RenewToken{sid, joiner_of(sid)};
      case 10:
        return below(4) == 0 ? Command(TransportClosed{sid}) : Command(NoticeAcked{sid});
      case 11:
        return LeaveWritten{sid};
      default:
        return JoinSent{sid};
    }
  }

  Command random_track_command() {
    const ParticipantSid sid = somebody();
    const TrackSid track = some_track();
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
        return AddTrack{sid, random_track()};
      case 3:
      case 4:
      case 5:
        return live_of(track);
      case 6:
        return SetMuted{owner_of(track), track, below(2) == 0};
      case 7:
        return below(3) == 0 ? Command(TrackGone{owner_of(track), track}) : live_of(track);
      case 8:
        return UpdateSubscription{sid, {track, some_track()}, below(2) == 0};
      case 9:
        return UpdateTrackSettings{sid, {track}, below(3) == 0, VideoQuality::Medium};
      case 10:
        return ForwardAttached{sid, track};
      default:
        return SubscriptionPermission{sid, below(3) != 0, {{{}, random_user(), true, {}}}};
    }
  }
  TrackView random_track() {
    TrackView track;
    track.kind = below(2) == 0 ? TrackKind::Audio : TrackKind::Video;
    track.cid = "cid" + std::to_string(below(4));
    track.muted = below(4) == 0;
    return track;
  }
  ParticipantSid owner_of(const TrackSid& track) {
    for (const auto& [sid, person] : model_.people())
      if (person.tracks.contains(track)) return sid;
    return somebody();
  }
  Command live_of(const TrackSid& track) {
    return TrackLive{owner_of(track), track, "audio/opus", "1"};
  }

  void run(Command command) {
    const Effects effects = registry_.apply(command, now_);
    registry_.check_invariants();
    trace_.push_back(std::hash<std::string>{}(effects_text(effects)));
    std::vector<std::string> wrongs = model_.step(command, now_, effects);
    // With a crowd, updates may wait; after a pause and a tick none does.
    const bool is_settled = std::holds_alternative<Tick>(command) && passed_ >= 100ms;
    const std::vector<std::string> differs = model_.compare(registry_, !has_crowd_ || is_settled);
    wrongs.insert(wrongs.end(), differs.begin(), differs.end());
    for (const std::string& wrong : wrongs)
      ADD_FAILURE() << wrong << " at step " << trace_.size() << ", command " << command.index()
                    << "\n"
                    << effects_text(effects);
    passed_ = {};
    for (const Effect& effect : effects)
      std::visit([this](const auto& one) { answer(one); }, effect);
  }

  // What node and the world will answer some time, or not at all.
  void answer(const JoinAccepted& e) {
    people_seen_.push_back(e.self.sid);
    if (below(10) != 0) answers_.push_back(JoinSent{e.self.sid});
  }
  void answer(const TrackPublished& e) { tracks_seen_.push_back(e.track.sid); }
  void answer(const CutRoom& e) {
    if (below(12) != 0) answers_.push_back(RoomCut{e.room_sid, now_.mono, now_.wall, 1});
  }
  void answer(const CloseRoom& e) { answers_.push_back(RoomClosed{e.room_sid, 1, 0}); }
  void answer(const CutParticipant& e) {
    if (below(4) != 0) answers_.push_back(NoticeAcked{e.participant});
  }
  void answer(const CloseParticipant& e) { answers_.push_back(TransportClosed{e.participant}); }
  void answer(const SendLeave& e) {
    if (below(10) == 0) return;
    if (below(5) == 0) return answers_.push_back(LeaveNotWritten{e.participant});
    answers_.push_back(LeaveWritten{e.participant});
  }
  void answer(const PersistBans& e) {
    answers_.push_back(RecordStored{e.operation, below(12) != 0});
  }
  void answer(const PersistDismissal& e) {
    answers_.push_back(RecordStored{e.record.operation, below(12) != 0});
  }
  template <typename Other>
  void answer(const Other&) {}

  SeededSecretSource chance_, secrets_;
  RegistryOptions options_;
  Registry registry_{secrets_, options_};
  RegistryModel model_{options_};
  Now now_{Mono(1'000s), wall_from_unix_s(1'700'000'000)};
  Duration passed_{};
  uint64_t connections_ = 0, waiters_ = 0;
  bool has_crowd_ = false;
  std::vector<ParticipantSid> people_seen_;
  std::vector<TrackSid> tracks_seen_;
  std::vector<Command> answers_;
  std::vector<size_t> trace_;
};

std::vector<size_t> run_seed(uint64_t seed, Crowd crowd, int steps, Cuts cuts = Cuts::Effects) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  World world(seed, crowd, cuts);
  for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) world.step();
  if (!testing::Test::HasFailure()) world.drain();
  return world.trace();
}

TEST(RegistryModelTest, registry_agrees_with_a_naive_model_on_random_commands) {
  for (uint64_t seed = 1; seed <= 14 && !HasFailure(); ++seed) run_seed(seed, Crowd::None, 2'000);
}

TEST(RegistryModelTest, registry_agrees_with_a_naive_model_when_cuts_are_taken_at_once) {
  for (uint64_t seed = 200; seed < 214 && !HasFailure(); ++seed)
    run_seed(seed, Crowd::None, 2'000, Cuts::AtOnce);
}

TEST(RegistryModelTest, registry_agrees_with_a_naive_model_when_updates_are_coalesced) {
  for (uint64_t seed = 100; seed < 103 && !HasFailure(); ++seed)
    run_seed(seed, Crowd::Hidden, 1'000);
}

TEST(RegistryModelTest, same_seed_gives_the_same_effects) {
  EXPECT_EQ(run_seed(7, Crowd::None, 1'500), run_seed(7, Crowd::None, 1'500));
  EXPECT_NE(run_seed(7, Crowd::None, 100), run_seed(8, Crowd::None, 100));
}

}  // namespace
}  // namespace atrium::domain
