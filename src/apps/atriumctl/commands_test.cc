// atriumctl's commands against the real gateway and registry, joined without sockets.
#include "apps/atriumctl/commands.h"

#include <gtest/gtest.h>

#include <sstream>

#include "adapters/openapi/gateway.h"
#include "apps/atriumctl/show.h"
#include "base/seeded_secret_source.h"

namespace atrium::atriumctl {
namespace {

constexpr char kApp[] = "a7e100000000000000000001";

openapi::Gateway make_gateway(SecretSource& secrets) {
  openapi::GatewayOptions options;
  options.keys = {{"AKLTmanager", "secret-1", "account-1", openapi::KeyScopes::all()}};
  return MUST(openapi::Gateway::create(std::move(options), secrets));
}

class CommandsTest : public testing::Test {
 protected:
  CommandsTest() {
    domain::App app;
    app.id = AppId(kApp);
    app.account = "account-1";
    app.any_ids = true;
    registry.apply(domain::RestoreApps{{std::move(app)}}, now);
  }
  // What node does with a request, with a dismissal that is done at once.
  Result<HttpReply> serve(const openapi::Request& request) {
    ++requests;
    if (overloaded_times > 0) {
      --overloaded_times;
      return reply_of({.status = 429, .headers = {{"Retry-After", "2"}}, .body = "{}"});
    }
    auto outcome = gateway.handle(request, WaiterId{1}, registry, now);
    if (const auto* response = std::get_if<openapi::Response>(&outcome)) return reply_of(*response);
    if (const auto* call = std::get_if<openapi::DomainCall>(&outcome)) {
      const auto& dismissal = std::get<domain::DismissRoom>(call->command);
      reason = dismissal.reason;
      return reply_of(gateway.on_dismiss_reply(call->call, reply_to(dismissal)));
    }
    return reply_of(answer(std::get<openapi::StoreCall>(outcome)));
  }
  openapi::Response answer(const openapi::StoreCall& call) {
    if (const auto* asked = std::get_if<openapi::ListLives>(&call.question)) {
      query = asked->query;
      const domain::LivesPage page{.total = lives.size(), .lives = page_of(lives)};
      return gateway.on_lives(call.call, &page);
    }
    if (const auto* asked = std::get_if<openapi::ListVisitors>(&call.question)) {
      query = asked->query;
      const domain::VisitorsPage page{.total = visitors.size(), .visitors = page_of(visitors)};
      return gateway.on_visitors(call.call, &page);
    }
    return gateway.on_store_answer(call.call, {.ok = true, .record = stored});
  }
  template <typename T>
  std::vector<T> page_of(const std::vector<T>& all) const {
    const size_t first = std::min(query.offset, all.size());
    const size_t count = std::min(query.limit, all.size() - first);
    return {all.begin() + static_cast<ptrdiff_t>(first),
            all.begin() + static_cast<ptrdiff_t>(first + count)};
  }
  static HttpReply reply_of(const openapi::Response& response) {
    return {.status = response.status, .headers = response.headers, .body = response.body};
  }
  domain::DismissReply reply_to(const domain::DismissRoom& command) {
    const auto room = registry.find_room(command.app, command.room);
    if (!room)
      return {
          .waiter = command.waiter, .outcome = domain::DismissOutcome::NoSuchRoom, .record = {}};
    return {.waiter = command.waiter, .outcome = domain::DismissOutcome::Done, .record = record()};
  }
  static domain::DismissalRecord record() {
    domain::DismissalRecord out;
    out.operation = OperationId("OP_abcdefghijklmnopq");
    out.app = AppId(kApp);
    out.room = RoomId("lobby");
    out.room_sid = RoomSid("RM_abcdefghijklmnopq");
    out.state = domain::DismissalState::Done;
    out.fenced_us = 40, out.media_cut_us = 1'234, out.closed_us = 20'500;
    out.users_at_fence = 2, out.notified = 1, out.not_notified = 1, out.packets_after_cut = 0;
    out.not_notified_names = {
        {UserId("bob"), ParticipantSid("PA_1"), domain::NotNotifiedReason::Reconnecting}};
    return out;
  }
  void join(const char* room, const std::string& user) {
    domain::Join command{.connection = ConnectionId{++connections}, .joiner = {}};
    command.joiner.app = AppId(kApp);
    command.joiner.room = RoomId(room);
    command.joiner.user = UserId(user);
    registry.apply(std::move(command), now);
  }
  ExitCode go(Command command) {
    out.str("");
    err.str("");
    World world{.exchange = [this](const openapi::Request& request) { return serve(request); },
                .now = [this] { return now.wall; },
                .wait = [this](Duration duration) { waited += duration, now.mono += duration; },
                .out = out,
                .err = err,
                .in = in};
    return run(settings, "localhost:7880", command, world);
  }

  Now now{.mono = {}, .wall = wall_from_unix_s(1'704'164'645)};
  SeededSecretSource secrets{1};
  domain::Registry registry{secrets, {}};
  openapi::Gateway gateway = make_gateway(secrets);
  Settings settings{.url = "http://localhost:7880",
                    .access_key = "AKLTmanager",
                    .secret = "secret-1",
                    .app = kApp};
  std::ostringstream out, err;
  std::istringstream in;
  std::optional<domain::DismissalRecord> stored;
  std::vector<domain::LifeEntry> lives;
  std::vector<domain::VisitorEntry> visitors;
  domain::HistoryQuery query;  // the last one asked
  std::string reason;
  uint64_t connections = 0;
  int requests = 0, overloaded_times = 0;
  Duration waited{};
};

TEST_F(CommandsTest, a_dismissal_shows_its_receipt) {
  join("lobby", "anna");
  EXPECT_EQ(go({.verb = Verb::DismissRoom, .subject = "lobby", .reason = "over"}), ExitCode::Ok);
  EXPECT_EQ(reason, "over");
  EXPECT_EQ(out.str(),
            "Room lobby is dismissed.\n"
            "  operation              OP_abcdefghijklmnopq\n"
            "  session                RM_abcdefghijklmnopq\n"
            "  users                  2 at the fence, 1 told, 1 not told\n"
            "  media cut after        1.234 ms\n"
            "  closed after           20.500 ms\n"
            "  packets after the cut  0\n");
}

TEST_F(CommandsTest, a_whole_receipt_names_who_was_not_told) {
  join("lobby", "anna");
  EXPECT_EQ(go({.verb = Verb::DismissRoom, .subject = "lobby", .whole_receipt = true}),
            ExitCode::Ok);
  EXPECT_NE(out.str().find("not told: bob"), std::string::npos);
  EXPECT_NE(out.str().find("Notified after   not yet"), std::string::npos) << out.str();
}

TEST_F(CommandsTest, dismissing_a_room_that_is_not_there_succeeds_and_says_so) {
  EXPECT_EQ(go({.verb = Verb::DismissRoom, .subject = "lobby"}), ExitCode::Ok);
  EXPECT_EQ(out.str(), "There is no room lobby now: nothing to dismiss.\n");
}

TEST_F(CommandsTest, a_dry_run_dismisses_nothing) {
  join("lobby", "anna");
  EXPECT_EQ(go({.verb = Verb::DismissRoom, .subject = "lobby", .reason = "x", .dry_run = true}),
            ExitCode::Ok);
  EXPECT_EQ(reason, "");
  EXPECT_NE(out.str().find("Nothing was done."), std::string::npos);
}

TEST_F(CommandsTest, a_dismissal_of_another_session_is_refused_with_advice) {
  join("lobby", "anna");
  EXPECT_EQ(go({.verb = Verb::DismissRoom, .subject = "lobby", .if_session = "RM_other"}),
            ExitCode::Refused);
  EXPECT_NE(err.str().find("InvalidParameter.RoomSessionMismatch"), std::string::npos);
  EXPECT_NE(err.str().find("atriumctl room show"), std::string::npos);
}

TEST_F(CommandsTest, json_output_is_the_result_or_the_metadata_with_the_error) {
  settings.output = Output::Json;
  EXPECT_EQ(go({.verb = Verb::DismissRoom, .subject = "lobby"}), ExitCode::Ok);
  EXPECT_EQ(out.str(), "{\"Message\":\"success\",\"Receipt\":{\"RoomExists\":false}}\n");
  settings.secret = "wrong";
  EXPECT_EQ(go({.verb = Verb::DismissRoom, .subject = "lobby"}), ExitCode::Refused);
  EXPECT_NE(out.str().find("\"Code\":\"SignatureDoesNotMatch\""), std::string::npos);
}

TEST_F(CommandsTest, rooms_are_listed_as_a_table) {
  EXPECT_EQ(go({.verb = Verb::ListRooms}), ExitCode::Ok);
  EXPECT_EQ(out.str(), "No rooms are live now.\n");
  join("lobby", "anna");
  join("ward \xe4\xb8\xad", "bob");
  EXPECT_EQ(go({.verb = Verb::ListRooms}), ExitCode::Ok);
  EXPECT_EQ(out.str().find("ROOM    SESSION"), 0u) << out.str();
  EXPECT_NE(out.str().find("lobby   RM_"), std::string::npos) << out.str();
}

TEST_F(CommandsTest, a_room_is_shown_with_all_its_users_page_by_page) {
  for (int i = 0; i < 501; ++i) join("lobby", "user-" + std::to_string(i));
  settings.output = Output::Json;
  EXPECT_EQ(go({.verb = Verb::ShowRoom, .subject = "lobby"}), ExitCode::Ok);
  EXPECT_EQ(requests, 2);
  const auto result = openapi::parse_json(out.str());
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->find("Users")->if_array()->size(), 501u);
  EXPECT_EQ(result->find("NextCursor"), nullptr);
}

TEST_F(CommandsTest, a_room_that_is_not_there_is_an_exit_code) {
  EXPECT_EQ(go({.verb = Verb::ShowRoom, .subject = "lobby"}), ExitCode::Refused);
  EXPECT_NE(err.str().find("there is no room lobby now"), std::string::npos);
}

TEST_F(CommandsTest, a_dismissal_is_looked_up_by_its_operation) {
  EXPECT_EQ(go({.verb = Verb::ShowDismissal, .subject = "OP_abcdefghijklmnopq"}),
            ExitCode::Refused);
  EXPECT_NE(err.str().find("NotExistOperation"), std::string::npos);
  stored = record();
  EXPECT_EQ(go({.verb = Verb::ShowDismissal, .subject = "OP_abcdefghijklmnopq"}), ExitCode::Ok);
  EXPECT_EQ(out.str().find("Dismissal of room lobby: done.\n"), 0u) << out.str();
}

TEST_F(CommandsTest, rooms_of_the_last_day_are_listed_page_by_page) {
  EXPECT_EQ(go({.verb = Verb::ListLives}), ExitCode::Ok);
  EXPECT_EQ(out.str(), "No room began in this time.\n");
  EXPECT_EQ(query.until, now.wall + std::chrono::seconds(1));
  EXPECT_EQ(query.until - query.from, std::chrono::hours(24));
  for (int i = 0; i < 101; ++i)
    lives.push_back({.room_sid = RoomSid("RM_" + std::to_string(i)),
                     .room = RoomId("lobby"),
                     .started_at = now.wall,
                     .ended_at = now.wall + std::chrono::seconds(9)});
  lives[0].ended_at.reset();
  requests = 0;
  EXPECT_EQ(go({.verb = Verb::ListLives, .room = "lobby"}), ExitCode::Ok);
  EXPECT_EQ(requests, 2);
  EXPECT_EQ(query.room, RoomId("lobby"));
  EXPECT_NE(out.str().find("RM_0     2024-01-02T03:04:05Z  live"), std::string::npos) << out.str();
  EXPECT_NE(out.str().find("RM_100   2024-01-02T03:04:05Z  2024-01-02T03:04:14Z"),
            std::string::npos)
      << out.str();
}

TEST_F(CommandsTest, users_of_history_are_shown_as_json_with_those_on_servers) {
  visitors.push_back({.room_sid = RoomSid("RM_1"),
                      .room = RoomId("lobby"),
                      .user = UserId("ann b"),
                      .with = {.kind = domain::DeviceKind::Linux},
                      .first_joined_at = now.wall,
                      .visits = {}});
  settings.output = Output::Json;
  EXPECT_EQ(go({.verb = Verb::ListVisitors,
                .user = "ann b,bob",
                .from = "2024-01-02T10:00:00+08:00",
                .to = "2024-01-02T03:00:00Z"}),
            ExitCode::Ok);
  EXPECT_FALSE(query.without_linux);
  EXPECT_EQ(query.users.at(0), UserId("ann b"));
  EXPECT_EQ(query.until - query.from, std::chrono::hours(1));
  const auto result = openapi::parse_json(out.str());
  ASSERT_TRUE(result.has_value()) << out.str();
  EXPECT_EQ(text_of(result->find("UserList")->if_array()->at(0), "UserId"), "ann b");
  settings.output = Output::Text;
  EXPECT_EQ(go({.verb = Verb::ListVisitors}), ExitCode::Ok);
  EXPECT_NE(out.str().find("present"), std::string::npos) << out.str();
}

TEST_F(CommandsTest, a_window_that_is_none_is_refused_with_advice) {
  EXPECT_EQ(go({.verb = Verb::ListLives, .from = "yesterday"}), ExitCode::Refused);
  EXPECT_NE(err.str().find("StartTime"), std::string::npos) << err.str();
}

TEST_F(CommandsTest, a_call_over_quota_waits_as_long_as_it_was_told) {
  overloaded_times = 2;
  EXPECT_EQ(go({.verb = Verb::ListRooms}), ExitCode::Ok);
  EXPECT_EQ(waited, Duration(4s));
  overloaded_times = 100;
  EXPECT_EQ(go({.verb = Verb::ListRooms}), ExitCode::Unreachable);
}

TEST_F(CommandsTest, what_is_missing_is_a_matter_of_usage) {
  settings.app = "";
  EXPECT_EQ(go({.verb = Verb::ListRooms}), ExitCode::Usage);
  EXPECT_NE(err.str().find("--app"), std::string::npos);
  settings.secret = "";
  EXPECT_EQ(go({.verb = Verb::ListRooms}), ExitCode::Usage);
  EXPECT_NE(err.str().find("ATRIUM_SECRET_KEY"), std::string::npos);
  EXPECT_EQ(requests, 0);
}

TEST(Unreachable, servers_have_their_own_exit_code) {
  std::ostringstream out, err;
  std::istringstream in;
  World world{.exchange = [](const openapi::Request&) -> Result<HttpReply> {
                return fail(ErrorKind::Unavailable, "nobody accepts connections there");
              },
              .now = [] { return Wall{}; },
              .wait = [](Duration) {},
              .out = out,
              .err = err,
              .in = in};
  const Settings settings{.url = "http://h", .access_key = "a", .secret = "b", .app = kApp};
  EXPECT_EQ(run(settings, "h", {.verb = Verb::ListRooms}, world), ExitCode::Unreachable);
  EXPECT_NE(err.str().find("Is atriumd running there?"), std::string::npos);
  world.exchange = [](const openapi::Request&) -> Result<HttpReply> {
    return HttpReply{.status = 200, .headers = {}, .body = "<html>"};
  };
  EXPECT_EQ(run(settings, "h", {.verb = Verb::ListRooms}, world), ExitCode::Unreachable);
  EXPECT_NE(err.str().find("is not an Atrium server"), std::string::npos);
}

TEST(Text, from_a_server_cannot_drive_the_terminal) {
  EXPECT_EQ(clean("a\x1b[2Jb\n"), "a?[2Jb?");
}

TEST(Advice, exists_for_every_code_that_is_sent) {
  for (const openapi::ErrorRow& row : openapi::error_rows())
    if (row.never.empty()) EXPECT_FALSE(advice(row.code).empty()) << row.code;
}

}  // namespace
}  // namespace atrium::atriumctl
