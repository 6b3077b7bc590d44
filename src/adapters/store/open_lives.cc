#include "adapters/store/open_lives.h"

#include <algorithm>
#include <map>
#include <string>

#include "adapters/store/rows.h"
#include "base/crypto.h"

namespace atrium::store {
namespace {

using domain::Event;
using domain::EventKind;

constexpr const char* kStartLifeSql =
    "INSERT INTO open_lives VALUES (?,?,?,?) ON CONFLICT DO NOTHING";
constexpr const char* kEndLifeSql = "DELETE FROM open_lives WHERE room_sid = ?";
constexpr const char* kEndVisitsOfLifeSql = "DELETE FROM open_visits WHERE room_sid = ?";
constexpr const char* kStartVisitSql =
    "INSERT INTO open_visits VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING";
constexpr const char* kEndVisitSql = "DELETE FROM open_visits WHERE participant = ?";
constexpr const char* kLivesSql = "SELECT * FROM open_lives ORDER BY started_at, room_sid";
constexpr const char* kVisitsSql = "SELECT * FROM open_visits ORDER BY joined_at, participant";

constexpr std::string_view kBase62 =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr size_t kIdLetters = 17;  // as of every id that we make

EventId id_of_end(std::string_view sid) {
  std::string id = "EV_";
  const Sha256 hash = sha256(as_bytes("end of " + std::string(sid)));
  static_assert(kIdLetters <= std::tuple_size_v<Sha256>);
  for (size_t i = 0; i < kIdLetters; ++i) id += kBase62[hash[i] % kBase62.size()];
  return EventId(std::move(id));
}

// `event` as it began becomes its end.
void turn_into_end(Event& event, std::string_view sid, Wall end, const domain::Reason& reason) {
  event.id = id_of_end(sid);
  event.reason = reason;
  const Wall began_at = event.at;
  event.at = std::max(began_at, end);
  if (event.kind == EventKind::UserLeft) event.stayed = event.at - began_at;
}

}  // namespace

Result<OpenLives> OpenLives::create(Database& database) {
  const auto prepare = [&](const char* sql) { return Statement::prepare(database, sql); };
  return OpenLives(Statements{.start_life = TRY(prepare(kStartLifeSql)),
                              .end_life = TRY(prepare(kEndLifeSql)),
                              .end_visits_of_life = TRY(prepare(kEndVisitsOfLifeSql)),
                              .start_visit = TRY(prepare(kStartVisitSql)),
                              .end_visit = TRY(prepare(kEndVisitSql)),
                              .lives = TRY(prepare(kLivesSql)),
                              .visits = TRY(prepare(kVisitsSql))});
}

Result<void> OpenLives::note(const Event& event) {
  switch (event.kind) {
    case EventKind::RoomStarted:
      statements_.start_life.start()
          .put(event.room_sid.value)
          .put(event.app.value)
          .put(event.room.value)
          .put(unix_us(event.at));
      return statements_.start_life.finish();
    case EventKind::RoomEnded:
      TRY(statements_.end_visits_of_life.start().put(event.room_sid.value).finish());
      return statements_.end_life.start().put(event.room_sid.value).finish();
    case EventKind::UserJoined:
      statements_.start_visit.start()
          .put(event.participant.value)
          .put(event.room_sid.value)
          .put(event.app.value)
          .put(event.room.value)
          .put(event.user.value)
          .put(static_cast<int64_t>(event.hidden))
          .put(static_cast<int64_t>(event.with.kind))
          .put(event.with.model)
          .put(event.with.sdk)
          .put(event.with.network)
          .put(unix_us(event.at));
      return statements_.start_visit.finish();
    case EventKind::UserLeft:
      return statements_.end_visit.start().put(event.participant.value).finish();
    case EventKind::TrackPublished:
    case EventKind::TrackUnpublished:
      return {};
  }
  return {};
}

Result<std::vector<Event>> OpenLives::open_visits() {
  std::vector<Event> visits;
  Statement& row = statements_.visits.start();
  while (TRY(row.step())) {
    Event& event = visits.emplace_back();
    event.kind = EventKind::UserLeft;
    event.participant = ParticipantSid(row.text());
    event.room_sid = RoomSid(row.text());
    event.app = AppId(row.text());
    event.room = RoomId(row.text());
    event.user = UserId(row.text());
    event.hidden = row.number() != 0;
    event.with.kind = static_cast<domain::DeviceKind>(row.number());
    event.with.model = row.text();
    event.with.sdk = row.text();
    event.with.network = row.text();
    event.at = wall_from_unix_us(row.number());
  }
  return visits;
}

Result<std::vector<Event>> OpenLives::endings(Wall end, const domain::Reason& reason) {
  std::map<RoomSid, std::vector<Event>> visits;
  for (Event& visit : TRY(open_visits())) {
    turn_into_end(visit, visit.participant.value, end, reason);
    visits[visit.room_sid].push_back(std::move(visit));
  }
  std::vector<Event> events;
  Statement& row = statements_.lives.start();
  while (TRY(row.step())) {
    Event life;
    life.kind = EventKind::RoomEnded;
    life.room_sid = RoomSid(row.text());
    life.app = AppId(row.text());
    life.room = RoomId(row.text());
    life.at = wall_from_unix_us(row.number());
    turn_into_end(life, life.room_sid.value, end, reason);
    if (auto of_life = visits.extract(life.room_sid)) {
      for (Event& visit : of_life.mapped()) {
        life.at = std::max(life.at, visit.at);
        events.push_back(std::move(visit));
      }
    }
    events.push_back(std::move(life));
  }
  for (auto& [sid, of_life] : visits)  // of lives whose own beginning was lost
    for (Event& visit : of_life) events.push_back(std::move(visit));
  return events;
}

}  // namespace atrium::store
