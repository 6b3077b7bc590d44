// Who hears what about whom: one encoding, many recipients, not more often than DESIGN allows.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "domain/core.h"

namespace atrium::domain {
namespace {

using Views = std::vector<std::shared_ptr<const ParticipantView>>;

struct Recipients {
  std::vector<ParticipantSid> current, legacy;  // by what they understand of continued users
};

constexpr int32_t kProtocolWithContinuedUsers = 12;

Recipients recipients_of(const Room& room, const ParticipantSid* except) {
  Recipients out;
  for (const auto& [sid, participant] : room.participants) {
    if (!participant.connection || (except != nullptr && sid == *except)) continue;
    const bool is_legacy = participant.joiner.protocol < kProtocolWithContinuedUsers;
    (is_legacy ? out.legacy : out.current).push_back(sid);
  }
  return out;
}

void put_update(Core& core, std::vector<ParticipantSid> recipients, Views views) {
  if (recipients.empty() || views.empty()) return;
  core.out.put(ParticipantUpdate{std::move(recipients), std::move(views)});
}

bool has_new_tally(const Room& room) {
  return room.tally.visible != room.announced_tally.visible ||
         room.tally.publishers != room.announced_tally.publishers;
}

}  // namespace

void announce_room(Core& core, Room& room) {
  room.announced_tally = room.tally;
  Recipients recipients = recipients_of(room, nullptr);
  std::vector<ParticipantSid> all = std::move(recipients.current);
  all.insert(all.end(), recipients.legacy.begin(), recipients.legacy.end());
  if (!all.empty()) core.out.put(RoomUpdate{std::move(all), room.view()});
}

void announce_change(Core& core, Room& room, Participant& participant, Audience audience) {
  participant.changed();
  if (!participant.is_join_sent) return;  // its join will carry everything
  if (participant.is_hidden()) {
    if (audience == Audience::Everybody && participant.connection)
      put_update(core, {participant.sid()}, {participant.shared_view()});
    return;
  }
  room.updates.changed(participant.sid(), participant.user(), audience);
  core.touched.insert(room.sid());
}

void flush_updates(Core& core, Room& room) {
  room.must_flush = false;
  core.timers.cancel(TimerKind::RoomUpdates, room.sid().value);
  const std::vector<UpdateCoalescer::Entry> entries = room.updates.take();
  if (entries.empty()) return;
  Views for_current, for_legacy;
  for (const UpdateCoalescer::Entry& entry : entries) {
    const Participant* present = entry.departed ? nullptr : room.find(entry.participant);
    std::shared_ptr<const ParticipantView> view = entry.departed;
    if (present != nullptr) view = present->shared_view();
    if (!view) continue;
    for_legacy.push_back(view);
    if (entry.audience != Audience::LegacyProtocol) for_current.push_back(view);
  }
  const bool is_own_news = entries.size() == 1 && entries[0].audience == Audience::Others;
  Recipients recipients = recipients_of(room, is_own_news ? &entries[0].participant : nullptr);
  if (for_current.size() == for_legacy.size()) {
    recipients.current.insert(recipients.current.end(), recipients.legacy.begin(),
                              recipients.legacy.end());
    put_update(core, std::move(recipients.current), std::move(for_current));
  } else {
    put_update(core, std::move(recipients.current), std::move(for_current));
    put_update(core, std::move(recipients.legacy), std::move(for_legacy));
  }
  if (has_new_tally(room)) announce_room(core, room);
}

void on_room_updates_due(Core& core, const std::string& room_sid) {
  Room* room = core.find_life(RoomSid(room_sid));
  if (room != nullptr && room->phase == LifePhase::Active) flush_updates(core, *room);
}

namespace {

// Each update is written to everybody in the room.  Beyond 500 participants updates become rarer as the room grows, so
// that a room of thousands may fill without its updates being all that the server does (docs/decisions/large-rooms.md).
Duration update_interval(const Room& room) {
  constexpr Duration kForEachRecipient = std::chrono::microseconds(200);
  return std::max(limit_ms(limits::kUpdateCoalesceMs),
                  kForEachRecipient * static_cast<int64_t>(room.participants.size()));
}

}  // namespace

void flush_touched_rooms(Core& core) {
  for (const RoomSid& room_sid : std::exchange(core.touched, {})) {
    Room* room = core.find_life(room_sid);
    if (room == nullptr || room->phase != LifePhase::Active || room->updates.empty()) continue;
    const bool is_small =
        room->participants.size() < static_cast<size_t>(limits::kUpdateImmediateBelow);
    if (is_small || room->must_flush) {
      flush_updates(core, *room);
    } else if (!core.timers.is_armed(TimerKind::RoomUpdates, room_sid.value)) {
      core.timers.arm(TimerKind::RoomUpdates, room_sid.value,
                      core.now.mono + update_interval(*room));
    }
  }
}

}  // namespace atrium::domain
