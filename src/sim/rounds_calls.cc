// Management calls: what each means is noted as the server hears it, and what its answer says is held against that.
#include <cstdio>

#include "adapters/openapi/signer.h"
#include "sim/rounds.h"

namespace atrium::sim {
namespace {

constexpr Duration kAgain = std::chrono::milliseconds(700);
constexpr uint64_t kStrangeOneIn = 20;

// The value of a text field, "" where there is none.
std::string text_after(std::string_view body, std::string_view name) {
  const std::string field = "\"" + std::string(name) + "\":\"";
  const size_t at = body.find(field);
  if (at == body.npos) return {};
  const size_t begin = at + field.size();
  return std::string(body.substr(begin, body.find('"', begin) - begin));
}

std::string_view version_of(std::string_view action) {
  if (action == "KickUser") return "2020-12-01";
  if (action == "BanRoomUser") return "2023-11-01";
  return "2026-12-01";
}

}  // namespace

void Rounds::call(Call call, Duration delay) {
  at(delay, [this, call = std::move(call)]() mutable {
    if (!is_up()) {  // who has a key asks again
      if (!call.key.empty() && is_acting_) this->call(std::move(call), kAgain);
      return;
    }
    openapi::Request request;
    request.method = "POST";
    request.target = "/?Action=" + call.action + "&Version=" + std::string(version_of(call.action));
    request.headers = {{"Host", "sim"}, {"Content-Type", "application/json"}};
    if (!call.key.empty()) request.headers.emplace_back("Idempotency-Key", call.key);
    request.body = R"({"AppId":")" + std::string(kApp) + "\"" + call.fields + "}";
    openapi::sign_request(request, {.access_key = "AKsim", .secret = "secret"}, now().wall);
    node::HttpRequest http;
    http.method = request.method;
    http.target = request.target;
    http.headers = request.headers;
    http.body = request.body;
    const ConnectionId id{next_connection_++};
    hear(id, call, http);
  });
}

void Rounds::hear(ConnectionId id, Call& call, const node::HttpRequest& request) {
  call.boot = boots_;
  note_meaning(call);
  ++outcome_.figures.calls;
  connections_[id] = {.is_call = true};
  calls_[id] = std::move(call);
  control_->on_request(id, request, now());
}

// By what the registry has at this moment: it takes the command in the same turn.
void Rounds::note_meaning(Call& call) {
  const domain::Registry& registry = control_->registry();
  const auto current = registry.find_room(AppId(kApp), RoomId(room_of(call.name)));
  if (current) call.meant = current->sid;
  if (call.action == "KickUser" || call.action == "BanRoomUser") return note_kick(call);
  if (call.action == "DismissRooms") {
    for (const domain::BulkItem& item : registry.find_lives(
             AppId(kApp), {.prefix = call.fields.contains("Prefix") ? "room" : room_of(call.name)},
             now().wall, 1'000))
      if (!item.room_sid.empty()) book_.doom(item.room_sid, Doom::Bulk);
  }
  if (!current) return;
  if (call.action == "ScheduleDismissal") book_.doom(current->sid, Doom::Schedule);
  if (call.action != "DismissRoom") return;
  if (call.if_life && *call.if_life != current->sid) return;
  if (done_keys_.contains(call.key)) return;
  if (options_.plant == RoundsPlant::StrangeDismissal && one_in(kStrangeOneIn)) return;
  book_.doom(current->sid, Doom::Call);
}

void Rounds::note_kick(const Call& call) {
  const auto user = control_->registry().find_user(AppId(kApp), RoomId(room_of(call.name)),
                                                   UserId(text_after(call.fields, "UserId")));
  if (user != nullptr) book_.excuse(user->sid, Exit::Removed);
}

void Rounds::on_answer(const Call& call, const Answer& answer) {
  const auto& [status, body, is_replay] = answer;
  if (options_.is_verbose)
    std::printf("  %lld ms %s %s %s%s: %d %s\n",
                static_cast<long long>(mono_.time_since_epoch().count() / 1'000),
                call.action.c_str(), room_of(call.name).c_str(), call.key.c_str(),
                is_replay ? " again" : "", status, body.c_str());
  if (status != 200) return;
  const std::string state = text_after(body, "State");
  if (call.action == "DismissRoom") {
    check_receipt(call, answer);
    if (!call.key.empty()) done_keys_.emplace(call.key, text_after(body, "RoomSessionId"));
  } else if (call.action == "ScheduleDismissal") {
    names_[call.name].schedule = {text_after(body, "ScheduleId"), call.meant.value_or(RoomSid())};
  } else if (call.action == "CancelDismissal" && state == "cancelled" && call.boot == boots_) {
    book_.schedule_cancelled(call.schedule_of);
  }
}

// A call that finds no current life joins the dismissal of the former one, as long as that goes on.
void Rounds::check_receipt(const Call& call, const Answer& answer) {
  const std::string state = text_after(answer.body, "State");
  const RoomSid life(text_after(answer.body, "RoomSessionId"));
  const bool is_dismissed = state == "dismissed";
  if (is_dismissed && (!book_.is_doomed(life) || book_.room_of(life) != room_of(call.name)))
    return book_.fail("dismissed is a life that nobody meant: " + answer.body);
  if (answer.is_replay) {
    const auto first = done_keys_.find(call.key);
    if (first != done_keys_.end() && first->second != life)
      book_.fail("a repeated call is told of " + life.value + ", the first was of " +
                 first->second.value);
    return;
  }
  if (call.if_life && call.meant && call.meant != call.if_life && state != "not_current")
    book_.fail("another life than the one that was meant was current: " + answer.body);
  if (!is_dismissed) return;
  if (call.meant.value_or(call.if_life.value_or(life)) != life)
    book_.fail("meant was another life: " + answer.body);
  if (!is_up()) return;
  const auto current = control_->registry().find_room(AppId(kApp), RoomId(room_of(call.name)));
  if (current && current->sid == life) book_.fail(life.value + " is dismissed and current");
}

// Whom nothing gives a reason to be out is in.
void Rounds::check_innocents() {
  if (!is_up()) return;
  for (const ParticipantSid& who : book_.innocents()) {
    const LifeBook::Person& person = *book_.find(who);
    const auto known = control_->registry().find_user(AppId(kApp), person.room, person.user);
    if (known != nullptr && known->sid == who) continue;
    book_.fail(person.user.value + " is out of " + person.life.value + " of " + person.room.value +
               " without reason");
  }
}

}  // namespace atrium::sim
