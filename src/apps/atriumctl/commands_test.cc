// atriumctl's commands against the real gateway and registry, joined without sockets.
#include "apps/atriumctl/commands.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "adapters/openapi/gateway.h"
#include "apps/atriumctl/app_commands.h"
#include "apps/atriumctl/operator_commands.h"
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
    if (auto* call = std::get_if<openapi::DomainCall>(&outcome)) {
      if (!std::holds_alternative<domain::DismissRoom>(call->command))
        return reply_of(change_apps(std::move(*call)));
      const auto& dismissal = std::get<domain::DismissRoom>(call->command);
      reason = dismissal.reason;
      return reply_of(gateway.on_dismiss_reply(call->call, reply_to(dismissal)));
    }
    return reply_of(answer(std::get<openapi::StoreCall>(outcome)));
  }
  // The registry decides, and a willing store takes it.
  openapi::Response change_apps(openapi::DomainCall call) {
    domain::Effects effects = registry.apply(std::move(call.command), now);
    for (const domain::Effect& effect : domain::Effects(effects))
      if (const auto* write = std::get_if<domain::PersistApp>(&effect))
        effects = registry.apply(domain::RecordStored{write->operation, true}, now);
    for (const domain::Effect& effect : effects)
      if (const auto* reply = std::get_if<domain::ActionReply>(&effect))
        return gateway.on_action_reply(call.call, *reply);
    ADD_FAILURE() << "nobody answers";
    return {};
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
    if (room && command.if_session && *command.if_session != room->sid)
      return {
          .waiter = command.waiter, .outcome = domain::DismissOutcome::NotCurrent, .record = {}};
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
  World world() {
    out.str("");
    err.str("");
    return {.exchange = [this](const openapi::Request& request) { return serve(request); },
            .now = [this] { return now.wall; },
            .wait = [this](Duration duration) { waited += duration, now.mono += duration; },
            .out = out,
            .err = err,
            .in = in};
  }
  ExitCode go(Command command) {
    World made = world();
    return run(settings, "localhost:7880", command, made);
  }
  ExitCode go(AppCommand command) {
    World made = world();
    return run_app(settings, "localhost:7880", command, made);
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
  EXPECT_EQ(go(Command{.verb = Verb::DismissRoom, .subject = "lobby", .reason = "over"}),
            ExitCode::Ok);
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
  EXPECT_EQ(go(Command{.verb = Verb::DismissRoom, .subject = "lobby", .whole_receipt = true}),
            ExitCode::Ok);
  EXPECT_NE(out.str().find("not told: bob"), std::string::npos);
  EXPECT_NE(out.str().find("Notified after   not yet"), std::string::npos) << out.str();
}

TEST_F(CommandsTest, dismissing_a_room_that_is_not_there_succeeds_and_says_so) {
  EXPECT_EQ(go(Command{.verb = Verb::DismissRoom, .subject = "lobby"}), ExitCode::Ok);
  EXPECT_EQ(out.str(), "There is no room lobby now: nothing to dismiss.\n");
}

TEST_F(CommandsTest, a_dry_run_dismisses_nothing) {
  join("lobby", "anna");
  EXPECT_EQ(
      go(Command{.verb = Verb::DismissRoom, .subject = "lobby", .reason = "x", .dry_run = true}),
      ExitCode::Ok);
  EXPECT_EQ(reason, "");
  EXPECT_NE(out.str().find("Nothing was done."), std::string::npos);
}

TEST_F(CommandsTest, a_dismissal_of_another_session_does_nothing_and_says_so) {
  join("lobby", "anna");
  Command command{
      .verb = Verb::DismissRoom, .subject = "lobby", .if_session = "RM_abcdefghijklmnopq"};
  EXPECT_EQ(go(command), ExitCode::Ok) << err.str();
  EXPECT_EQ(
      out.str(),
      "Session RM_abcdefghijklmnopq is not the current one of room lobby: nothing was done.\n");
  command.dry_run = true;
  EXPECT_EQ(go(command), ExitCode::Ok);
  EXPECT_NE(out.str().find("is in another session now, RM_"), std::string::npos) << out.str();
  command.if_session = "other";
  EXPECT_EQ(go(command), ExitCode::Refused);
  EXPECT_NE(err.str().find("IfRoomSessionId"), std::string::npos) << err.str();
}

TEST_F(CommandsTest, json_output_is_the_result_or_the_metadata_with_the_error) {
  settings.output = Output::Json;
  EXPECT_EQ(go(Command{.verb = Verb::DismissRoom, .subject = "lobby"}), ExitCode::Ok);
  EXPECT_EQ(
      out.str(),
      "{\"Message\":\"success\",\"State\":\"no_such_room\",\"Receipt\":{\"RoomExists\":false}}\n");
  settings.secret = "wrong";
  EXPECT_EQ(go(Command{.verb = Verb::DismissRoom, .subject = "lobby"}), ExitCode::Refused);
  EXPECT_NE(out.str().find("\"Code\":\"SignatureDoesNotMatch\""), std::string::npos);
}

TEST_F(CommandsTest, rooms_are_listed_as_a_table) {
  EXPECT_EQ(go(Command{.verb = Verb::ListRooms}), ExitCode::Ok);
  EXPECT_EQ(out.str(), "No rooms are live now.\n");
  join("lobby", "anna");
  join("ward \xe4\xb8\xad", "bob");
  EXPECT_EQ(go(Command{.verb = Verb::ListRooms}), ExitCode::Ok);
  EXPECT_EQ(out.str().find("ROOM    SESSION"), 0u) << out.str();
  EXPECT_NE(out.str().find("lobby   RM_"), std::string::npos) << out.str();
}

TEST_F(CommandsTest, a_room_is_shown_with_all_its_users_page_by_page) {
  for (int i = 0; i < 501; ++i) join("lobby", "user-" + std::to_string(i));
  settings.output = Output::Json;
  EXPECT_EQ(go(Command{.verb = Verb::ShowRoom, .subject = "lobby"}), ExitCode::Ok);
  EXPECT_EQ(requests, 2);
  const auto result = openapi::parse_json(out.str());
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->find("Users")->if_array()->size(), 501u);
  EXPECT_EQ(result->find("NextCursor"), nullptr);
}

TEST_F(CommandsTest, a_room_that_is_not_there_is_an_exit_code) {
  EXPECT_EQ(go(Command{.verb = Verb::ShowRoom, .subject = "lobby"}), ExitCode::Refused);
  EXPECT_NE(err.str().find("there is no room lobby now"), std::string::npos);
}

TEST_F(CommandsTest, a_dismissal_is_looked_up_by_its_operation) {
  EXPECT_EQ(go(Command{.verb = Verb::ShowDismissal, .subject = "OP_abcdefghijklmnopq"}),
            ExitCode::Refused);
  EXPECT_NE(err.str().find("NotExistOperation"), std::string::npos);
  stored = record();
  EXPECT_EQ(go(Command{.verb = Verb::ShowDismissal, .subject = "OP_abcdefghijklmnopq"}),
            ExitCode::Ok);
  EXPECT_EQ(out.str().find("Dismissal of room lobby: done.\n"), 0u) << out.str();
}

TEST_F(CommandsTest, rooms_of_the_last_day_are_listed_page_by_page) {
  EXPECT_EQ(go(Command{.verb = Verb::ListLives}), ExitCode::Ok);
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
  EXPECT_EQ(go(Command{.verb = Verb::ListLives, .room = "lobby"}), ExitCode::Ok);
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
  EXPECT_EQ(go(Command{.verb = Verb::ListVisitors,
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
  EXPECT_EQ(go(Command{.verb = Verb::ListVisitors}), ExitCode::Ok);
  EXPECT_NE(out.str().find("present"), std::string::npos) << out.str();
}

TEST_F(CommandsTest, a_window_that_is_none_is_refused_with_advice) {
  EXPECT_EQ(go(Command{.verb = Verb::ListLives, .from = "yesterday"}), ExitCode::Refused);
  EXPECT_NE(err.str().find("StartTime"), std::string::npos) << err.str();
}

TEST_F(CommandsTest, a_call_over_quota_waits_as_long_as_it_was_told) {
  overloaded_times = 2;
  EXPECT_EQ(go(Command{.verb = Verb::ListRooms}), ExitCode::Ok);
  EXPECT_EQ(waited, Duration(4s));
  overloaded_times = 100;
  EXPECT_EQ(go(Command{.verb = Verb::ListRooms}), ExitCode::Unreachable);
}

TEST_F(CommandsTest, what_is_missing_is_a_matter_of_usage) {
  settings.app = "";
  EXPECT_EQ(go(Command{.verb = Verb::ListRooms}), ExitCode::Usage);
  EXPECT_NE(err.str().find("--app"), std::string::npos);
  settings.secret = "";
  EXPECT_EQ(go(Command{.verb = Verb::ListRooms}), ExitCode::Usage);
  EXPECT_NE(err.str().find("ATRIUM_SECRET_KEY"), std::string::npos);
  EXPECT_EQ(requests, 0);
}

constexpr char kMoved[] = "0123456789abcdef01234567";

class AppCommandsTest : public CommandsTest {
 protected:
  AppCommandsTest() {
    settings.app = "";  // apps are named by each command
    std::string name = (std::filesystem::temp_directory_path() / "atrium-ctl-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
  }
  ~AppCommandsTest() override { std::filesystem::remove_all(folder); }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(folder + "/" + name) << text;
    return folder + "/" + name;
  }
  ExitCode create_moved() {
    return go(AppCommand{.verb = AppVerb::Create,
                         .app = kMoved,
                         .name = "moved",
                         .ids = "any",
                         .app_key_file = file("a", "old primary\n")});
  }
  const domain::App& moved() const { return *registry.apps().find(AppId(kMoved)); }

  std::string folder;
};

TEST_F(AppCommandsTest, an_app_is_made_and_its_keys_are_called_secrets) {
  EXPECT_EQ(go(AppCommand{.verb = AppVerb::Create, .name = "lessons"}), ExitCode::Ok) << err.str();
  EXPECT_EQ(out.str().find("App lessons is made"), 0u) << out.str();
  EXPECT_NE(out.str().find("AppKeys are secrets"), std::string::npos);
  const auto apps = registry.apps().list("account-1");
  ASSERT_EQ(apps.size(), 2u);
  for (const domain::App* app : apps) {
    if (app->id == AppId(kApp)) continue;
    EXPECT_NE(out.str().find(app->id.value), std::string::npos);
    EXPECT_NE(out.str().find(app->primary_key), std::string::npos);
    EXPECT_NE(out.str().find(app->secondary_key), std::string::npos);
  }
}

TEST_F(AppCommandsTest, an_app_moves_in_with_keys_from_a_file_and_standard_input) {
  in.str("old secondary\r\n");
  EXPECT_EQ(go(AppCommand{.verb = AppVerb::Create,
                          .app = kMoved,
                          .name = "moved",
                          .ids = "any",
                          .app_key_file = file("a", "old primary\n"),
                          .secondary_app_key_file = "-"}),
            ExitCode::Ok)
      << err.str();
  EXPECT_EQ(moved().primary_key, "old primary");
  EXPECT_EQ(moved().secondary_key, "old secondary");
  EXPECT_TRUE(moved().any_ids);
  EXPECT_EQ(create_moved(), ExitCode::Refused) << "the AppId is taken";
}

TEST_F(AppCommandsTest, a_key_that_cannot_be_read_is_a_matter_of_usage_and_asks_no_server) {
  for (const std::string& bad :
       {folder + "/missing", file("empty", "\n"), file("long", std::string(5'000, 'x')), folder}) {
    EXPECT_EQ(go(AppCommand{.verb = AppVerb::Create, .name = "a", .app_key_file = bad}),
              ExitCode::Usage)
        << bad;
    EXPECT_NE(err.str().find("--app-key-file"), std::string::npos);
    EXPECT_EQ(err.str().find(folder), std::string::npos) << "the name may be the secret itself";
  }
  EXPECT_EQ(go(AppCommand{.verb = AppVerb::Create,
                          .name = "a",
                          .app_key_file = "-",
                          .secondary_app_key_file = "-"}),
            ExitCode::Usage);
  EXPECT_EQ(go(AppCommand{.verb = AppVerb::Update, .app = kApp}), ExitCode::Usage);
  EXPECT_NE(err.str().find("--app-key-file"), std::string::npos);
  EXPECT_EQ(requests, 0);
}

TEST_F(AppCommandsTest, a_list_shows_all_pages_and_no_key_unless_asked) {
  for (int i = 0; i < 99; ++i) {
    now.mono += 1s;
    ASSERT_EQ(go(AppCommand{.verb = AppVerb::Create, .name = "app_" + std::to_string(i)}),
              ExitCode::Ok)
        << err.str();
  }
  const std::string key = registry.apps().list("account-1").back()->primary_key;
  for (const Output output : {Output::Text, Output::Json}) {
    settings.output = output;
    now.mono += 2s, requests = 0;
    EXPECT_EQ(go(AppCommand{.verb = AppVerb::List}), ExitCode::Ok);
    EXPECT_EQ(requests, 2) << "a whole page may not be the last";
    EXPECT_NE(out.str().find("app_98"), std::string::npos);
    EXPECT_EQ(out.str().find(key), std::string::npos);
    EXPECT_EQ(go(AppCommand{.verb = AppVerb::List, .show_keys = true}), ExitCode::Ok);
    EXPECT_NE(out.str().find(key), std::string::npos);
  }
  EXPECT_EQ(openapi::parse_json(out.str())->find("AppList")->if_array()->size(), 100u);
}

TEST_F(AppCommandsTest, an_app_is_disabled_and_enabled) {
  EXPECT_EQ(go(AppCommand{.verb = AppVerb::Disable, .app = kApp}), ExitCode::Ok) << err.str();
  EXPECT_NE(out.str().find("live rooms have ended"), std::string::npos);
  EXPECT_FALSE(registry.apps().find(AppId(kApp))->enabled);
  EXPECT_EQ(go(AppCommand{.verb = AppVerb::List}), ExitCode::Ok);
  EXPECT_NE(out.str().find("disabled"), std::string::npos) << out.str();
  EXPECT_EQ(go(AppCommand{.verb = AppVerb::Enable, .app = kApp}), ExitCode::Ok);
  EXPECT_TRUE(registry.apps().find(AppId(kApp))->enabled);
  EXPECT_EQ(go(AppCommand{.verb = AppVerb::Disable, .app = kMoved}), ExitCode::Refused);
  EXPECT_FALSE(err.str().empty());
}

TEST_F(AppCommandsTest, an_app_is_changed_in_what_is_given_and_shown) {
  ASSERT_EQ(create_moved(), ExitCode::Ok) << err.str();
  EXPECT_EQ(go(AppCommand{.verb = AppVerb::Update,
                          .app = kMoved,
                          .name = "renamed",
                          .secondary_app_key_file = file("b", "new secondary")}),
            ExitCode::Ok)
      << err.str();
  EXPECT_EQ(moved().name, "renamed");
  EXPECT_EQ(moved().primary_key, "old primary");
  EXPECT_EQ(moved().secondary_key, "new secondary");
  EXPECT_TRUE(moved().any_ids);
  EXPECT_EQ(go(AppCommand{.verb = AppVerb::Show, .app = kMoved}), ExitCode::Ok) << err.str();
  EXPECT_NE(out.str().find("Name      renamed\n"), std::string::npos) << out.str();
  EXPECT_EQ(out.str().find("secondary"), std::string::npos) << "no secret is shown";
}

TEST_F(AppCommandsTest, api_keys_come_and_go) {
  EXPECT_EQ(go(AppCommand{.verb = AppVerb::AddKey,
                          .app = kApp,
                          .api_key = "APIx",
                          .secret_file = file("s", "hush\n")}),
            ExitCode::Ok)
      << err.str();
  const auto& keys = registry.apps().find(AppId(kApp))->api_keys;
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_EQ(keys[0].secret, "hush");
  EXPECT_EQ(out.str().find("hush"), std::string::npos);
  EXPECT_EQ(go(AppCommand{.verb = AppVerb::Show, .app = kApp}), ExitCode::Ok);
  EXPECT_NE(out.str().find("APIx"), std::string::npos);
  EXPECT_NE(out.str().find("Managing  none\n"), std::string::npos) << out.str();
  EXPECT_EQ(go(AppCommand{.verb = AppVerb::AddKey,
                          .app = kApp,
                          .api_key = "APIm",
                          .secret_file = file("s", "hush\n"),
                          .management = true}),
            ExitCode::Ok);
  EXPECT_TRUE(registry.apps().find_api_key("APIm")->management);
  EXPECT_EQ(go(AppCommand{.verb = AppVerb::DeleteKey, .app = kApp, .api_key = "APIm"}),
            ExitCode::Ok);
  EXPECT_EQ(go(AppCommand{.verb = AppVerb::DeleteKey, .app = kApp, .api_key = "APIx"}),
            ExitCode::Ok);
  EXPECT_TRUE(registry.apps().find(AppId(kApp))->api_keys.empty());
}

class OperatorCommandsTest : public CommandsTest {
 protected:
  ExitCode ask(OperatorVerb verb, Result<HttpReply> reply, Output output = Output::Text) {
    World made = world();
    made.exchange = [&](const openapi::Request& request) {
      asked = request.method + " " + request.target;
      return reply;
    };
    return run_operator(output, "localhost:7889", {.verb = verb}, made);
  }
  static HttpReply reply(int status, std::string body) {
    return {.status = status, .headers = {}, .body = std::move(body)};
  }
  std::string asked;
};

TEST_F(OperatorCommandsTest, ask_the_listener_and_show_its_lines) {
  const std::string lines = "reloaded\nneeds a restart: http.listen\n";
  EXPECT_EQ(ask(OperatorVerb::Reload, reply(200, lines)), ExitCode::Ok);
  EXPECT_EQ(asked, "POST /reload");
  EXPECT_EQ(out.str(), lines);
  EXPECT_EQ(ask(OperatorVerb::Reload, reply(200, lines), Output::Json), ExitCode::Ok);
  EXPECT_EQ(out.str(),
            "{\"Done\":true,\"Lines\":[\"reloaded\",\"needs a restart: http.listen\"]}\n");
  EXPECT_EQ(ask(OperatorVerb::StartDrain, reply(200, "draining\n")), ExitCode::Ok);
  EXPECT_EQ(asked, "POST /drain");
  EXPECT_EQ(ask(OperatorVerb::StopDrain, reply(200, "serving\n")), ExitCode::Ok);
  EXPECT_EQ(asked, "DELETE /drain");
}

TEST_F(OperatorCommandsTest, tell_what_is_wrong_and_who_does_not_answer) {
  EXPECT_EQ(ask(OperatorVerb::Reload, reply(422, "not reloaded: x\n")), ExitCode::Refused);
  EXPECT_EQ(out.str(), "");
  EXPECT_EQ(err.str().find("atriumctl: not reloaded: x\nNothing was changed."), 0u) << err.str();
  EXPECT_EQ(ask(OperatorVerb::StopDrain, reply(409, "stopping\n")), ExitCode::Refused);
  EXPECT_EQ(ask(OperatorVerb::Reload, reply(404, "")), ExitCode::Unreachable);
  EXPECT_NE(err.str().find("--operator"), std::string::npos);
  EXPECT_EQ(ask(OperatorVerb::Reload, fail(ErrorKind::Unavailable, "nobody")),
            ExitCode::Unreachable);
  EXPECT_NE(err.str().find("ATRIUM_OPERATOR_URL"), std::string::npos);
  EXPECT_EQ(ask(OperatorVerb::Reload, fail(ErrorKind::Unauthorised, "its certificate …")),
            ExitCode::Unreachable);
  EXPECT_EQ(err.str().find("ATRIUM_OPERATOR_URL"), std::string::npos) << "it runs";
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
