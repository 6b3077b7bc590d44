// Management calls: signed requests of a backend, and what their answers promise.
#include <algorithm>
#include <cstdio>

#include "adapters/openapi/signer.h"
#include "sim/world.h"

namespace atrium::sim {
namespace {

constexpr Duration kLatencyMin = std::chrono::milliseconds(3),
                   kLatencyMax = std::chrono::milliseconds(25);
constexpr Duration kAwayMost = std::chrono::milliseconds(2'500);  // the grace is 3 s
constexpr Duration kAnsweredWithin = std::chrono::seconds(8);
constexpr Duration kLimit = std::chrono::seconds(600);
constexpr std::string_view kAppId = "a7e100000000000000000001";
constexpr const char *kVersion2020 = "2020-12-01", *kVersion2023 = "2023-11-01",
                     *kVersionOwn = "2026-12-01";

// The value of a text field, "" where there is none.
std::string text_after(std::string_view body, std::string_view name) {
  const std::string field = "\"" + std::string(name) + "\":\"";
  const size_t at = body.find(field);
  if (at == body.npos) return {};
  const size_t begin = at + field.size();
  return std::string(body.substr(begin, body.find('"', begin) - begin));
}

std::string field(std::string_view name, const std::string& value) {
  return value.empty() ? "" : ",\"" + std::string(name) + "\":\"" + value + "\"";
}
std::string fields_of(const RuleTarget& target) {
  return field("RoomId", target.room) + field("UserId", target.user) + field("IP", target.ip);
}
std::string interval_field(Duration interval) {
  return ",\"ForbiddenInterval\":" + std::to_string(interval / std::chrono::seconds(1));
}

}  // namespace

// --- what a backend does -----------------------------------------------------------------------

void World::act_of_backend() {
  const User& user = users_[below(users_.size())];
  const std::string room = "room" + std::to_string(one_in(2) ? user.room : below(options_.rooms));
  static constexpr std::array kIntervals{0, 10, 10, 10, 600};  // s
  const Duration interval = std::chrono::seconds(kIntervals[below(kIntervals.size())]);
  const bool is_twice = one_in(2);  // by two backends at once
  const uint64_t choice = below(100);
  if (choice < 6) return limit_token();
  if (choice < 45) return change_rule();
  RuleTarget target{.room = room, .user = user.name};
  if (choice >= 78 && choice < 86) target.room.clear();
  if (choice >= 86 && choice < 92) target = {.ip = "198.51.100." + user.name.substr(4)};
  if (choice >= 92) target.user.clear();
  for (int i = 0; i < (is_twice ? 2 : 1); ++i) choice < 58 ? kick(target) : ban(target, interval);
}

void World::dismiss(size_t room) {
  ++outcome_.statistics.dismissals;
  call({.action = "DismissRoom", .room = room}, kVersion2020,
       field("RoomId", "room" + std::to_string(room)) + R"(,"Receipt":true)");
}

void World::kick(const RuleTarget& target) {
  call({.action = "KickUser",
        .target = target,
        .in_book = checkers_.rules().began(Order::Kick, target, Duration{}, now())},
       kVersion2020, fields_of(target));
}

void World::ban(const RuleTarget& target, Duration interval) {
  call({.action = "BanRoomUser",
        .target = target,
        .in_book = checkers_.rules().began(Order::Ban, target, interval, now())},
       kVersion2023, fields_of(target) + interval_field(interval));
}

// Lifts or prolongs a rule that was asked for before; a list of what there is leads to a DeleteBan.
void World::change_rule() {
  const std::vector<RuleTarget> targets = checkers_.rules().targets();
  if (targets.empty() || one_in(4)) return call({.action = "ListBans"}, kVersionOwn, "");
  const RuleTarget& target = targets[below(targets.size())];
  if (!target.ip.empty()) return call({.action = "ListBans"}, kVersionOwn, "");
  const bool lifts = !one_in(3);
  const Duration interval = std::chrono::seconds(lifts ? 0 : one_in(2) ? 10 : 300);
  const Order order = lifts ? Order::Lift : Order::Prolong;
  call({.action = "UpdateBanRoomUserRule",
        .target = target,
        .in_book = checkers_.rules().began(order, target, interval, now())},
       kVersion2020, fields_of(target) + interval_field(interval));
}

void World::limit_token() {
  const User& user = users_[below(users_.size())];
  if (user.session == nullptr) return;
  perhaps_limited_.insert(user.token);
  call({.action = "LimitTokenPrivilege", .token = user.token}, kVersion2023,
       field("RoomId", "room" + std::to_string(user.room)) + field("UserId", user.name) +
           field("Token", user.token) + interval_field(kLimit));
}

void World::ask_for_record(const std::string& operation) {
  call({.action = "GetDismissal", .operation = operation}, kVersionOwn,
       field("OperationId", operation));
}

// Not who was given up by the time that the call arrives, because it stayed away too long.
std::vector<World::Session*> World::sessions_in(const RuleTarget& target) {
  std::vector<Session*> out;
  for (const auto& [port, session] : sessions_) {
    const bool is_given_up = session->lost != kNever && mono_ - session->lost > kAwayMost;
    if (session->facts.is_in && !is_given_up && target.means(session->facts.who))
      out.push_back(session.get());
  }
  return out;
}

void World::call(Call call, std::string_view version, const std::string& fields) {
  const ConnectionId id{next_connection_++};
  connections_[id] = {};
  call.meant = sessions_in(call.target);
  call.made = mono_;
  if (call.in_book) ++outcome_.statistics.sanctions;
  openapi::Request request;
  request.method = "POST";
  request.target = "/?Action=" + call.action + "&Version=" + std::string(version);
  request.headers = {{"Host", "sim"}, {"Content-Type", "application/json"}};
  request.body = R"({"AppId":")" + std::string(kAppId) + "\"" + fields + "}";
  openapi::sign_request(request, {.access_key = "AKsim", .secret = "secret"}, now().wall);
  node::HttpRequest http;
  http.method = request.method;
  http.target = request.target;
  http.headers = request.headers;
  http.body = request.body;
  calls_[id] = std::move(call);
  at(between(kLatencyMin, kLatencyMax), [this, id, http] { this->request(id, http); });
  at(kAnsweredWithin, [this, id] {
    const auto found = calls_.find(id);
    if (found != calls_.end()) checkers_.fail("a call was never answered: " + found->second.action);
  });
}

// --- what the answers promise ------------------------------------------------------------------

void World::end_unanswered(const Call& call, CallEnd end) {
  if (call.in_book) checkers_.rules().ended(*call.in_book, end, now());
}

void World::on_answer(const Call& call, int status, const std::string& body) {
  note("answer", as_bytes(body));
  if (options_.is_verbose)
    std::printf("  %lld ms %s %s/%s/%s: %d %s\n",
                static_cast<long long>(mono_.time_since_epoch().count() / 1'000),
                call.action.c_str(), call.target.room.c_str(), call.target.user.c_str(),
                call.target.ip.c_str(), status, body.c_str());
  if (call.in_book) return on_sanction(call, status, body);
  if (call.action == "GetDismissal") {
    if (status >= 500 || status == 429) return;  // the store cannot be read: nothing is said
    ++outcome_.statistics.records_read;
    return checkers_.check_kept(call.operation, status, text_after(body, "State"));
  }
  if (status != 200) return;
  if (call.action == "LimitTokenPrivilege") limited_.insert(call.token);
  if (call.action == "ListBans") on_rules(body);
  if (call.action == "DismissRoom") on_dismissed(call, body);
}

void World::on_dismissed(const Call& call, const std::string& body) {
  const RoomSid room_sid(text_after(body, "RoomSessionId"));
  if (room_sid.empty()) return;
  ++outcome_.statistics.successes;
  dismissed_.push_back(text_after(body, "OperationId"));
  checkers_.saw_success(room_sid);
  checkers_.check_answer(room_sid, control_->registry(), AppId(std::string(kAppId)),
                         RoomId("room" + std::to_string(call.room)));
}

// One of the rules is lifted by its id, if the backend feels like it.
void World::on_rules(const std::string& body) {
  std::vector<std::string> rules;
  for (size_t at = body.find("\"BanId\""); at != body.npos;) {
    const size_t next = body.find("\"BanId\"", at + 1);
    rules.push_back(body.substr(at, next == body.npos ? next : next - at));
    at = next;
  }
  std::erase_if(rules, [](const auto& rule) { return rule.find("TokenPrivilege") != rule.npos; });
  if (rules.empty()) return;
  const std::string& rule = rules[below(rules.size())];
  RuleTarget target{.room = text_after(rule, "RoomId"),
                    .user = text_after(rule, "UserId"),
                    .ip = text_after(rule, "IP")};
  target.ip = target.ip.substr(0, target.ip.find('/'));
  call({.action = "DeleteBan",
        .target = target,
        .in_book = checkers_.rules().began(Order::Lift, target, Duration{}, now())},
       kVersionOwn, field("BanId", text_after(rule, "BanId")));
}

void World::on_sanction(const Call& call, int status, const std::string& body) {
  const bool is_done = status == 200;
  CallEnd end = is_done ? CallEnd::Done : CallEnd::Unknown;
  if (status >= 400 && status < 500) end = CallEnd::Refused;
  // The rule of that id was gone; there may be another with the same target.
  if (body.find(R"("Existed":false)") != body.npos) end = CallEnd::Unknown;
  checkers_.rules().ended(*call.in_book, end, now());
  if (!is_done) return;
  ++outcome_.statistics.sanctions_done;
  const bool removes = call.action == "KickUser" || call.action == "BanRoomUser";
  if (!removes) return;
  for (Session* session : call.meant) session->facts.is_removed = true;
}

}  // namespace atrium::sim
