// The gateway through its public verbs: envelope, order of checks, every code, every action.
#include "adapters/openapi/gateway.h"

#include <set>

#include "adapters/openapi/gateway_fixture.h"

namespace atrium::openapi {
namespace {

domain::DismissReply done_reply() {
  domain::DismissalRecord record;
  record.operation = OperationId(kOperation);
  record.app = AppId(kOwnApp);
  record.room = RoomId("room-1");
  record.room_sid = RoomSid("RM_abcdefghijklmnopq");
  record.state = domain::DismissalState::Done;
  record.operator_id = "AKLTmanager";
  record.request_id = "20240102030405000000000000000000";
  record.accepted_at = kNow.wall;
  record.fenced_at = record.media_cut_at = kNow.wall + 1ms;
  record.closed_at = kNow.wall + 20ms;
  record.fenced_us = 40, record.media_cut_us = 900, record.closed_us = 20'000;
  record.users_at_fence = 3, record.notified = 3, record.not_notified = 0,
  record.packets_after_cut = 0;
  return {.waiter = WaiterId{7}, .outcome = domain::DismissOutcome::Done, .record = record};
}

// --- DismissRoom, the vendor's ---

TEST_F(GatewayTest, dismiss_room_becomes_a_command_with_who_asked) {
  Outcome outcome = send(
      signed_request("POST", url("DismissRoom", "2020-12-01"), own_body(R"(,"Reason":"over")")));
  const auto* call = std::get_if<DomainCall>(&outcome);
  ASSERT_NE(call, nullptr);
  const auto* command = std::get_if<domain::DismissRoom>(&call->command);
  ASSERT_NE(command, nullptr);
  EXPECT_EQ(command->waiter, WaiterId{7});
  EXPECT_EQ(command->app, AppId(kOwnApp));
  EXPECT_EQ(command->room, RoomId("room-1"));
  EXPECT_EQ(command->operator_id, "AKLTmanager");
  EXPECT_EQ(command->request_id, call->call.request_id);
  EXPECT_EQ(command->reason, "over");
}

TEST_F(GatewayTest, dismiss_room_2020_answers_exactly_message_success) {
  Outcome outcome = send(signed_request("POST", url("DismissRoom", "2020-12-01"), own_body()));
  const Response response =
      gateway.on_dismiss_reply(std::get<DomainCall>(outcome).call, done_reply());
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(result_of(response), R"({"message":"success"})");
  expect_golden("dismiss_room_2020", response);
}

TEST_F(GatewayTest, dismiss_room_2020_adds_a_receipt_when_asked) {
  Outcome outcome = send(
      signed_request("POST", url("DismissRoom", "2020-12-01"), own_body(R"(,"receipt":true)")));
  expect_golden("dismiss_room_2020_receipt",
                gateway.on_dismiss_reply(std::get<DomainCall>(outcome).call, done_reply()));
}

TEST_F(GatewayTest, an_unknown_room_is_dismissed_with_success) {
  const domain::DismissReply reply{
      .waiter = WaiterId{7}, .outcome = domain::DismissOutcome::NoSuchRoom, .record = {}};
  Outcome vendor = send(
      signed_request("POST", url("DismissRoom", "2020-12-01"), own_body(R"(,"Receipt":true)")));
  EXPECT_EQ(result_of(gateway.on_dismiss_reply(std::get<DomainCall>(vendor).call, reply)),
            R"({"message":"success","Receipt":{"RoomExists":false}})");
  Outcome own = send(signed_request("POST", url("DismissRoom", "2026-12-01"), own_body()));
  EXPECT_EQ(result_of(gateway.on_dismiss_reply(std::get<DomainCall>(own).call, reply)),
            R"({"Message":"success","State":"no_such_room","Receipt":{"RoomExists":false}})");
}

TEST_F(GatewayTest, a_dismissal_that_failed_is_an_internal_error_with_the_operation) {
  Outcome outcome = send(signed_request("POST", url("DismissRoom", "2020-12-01"), own_body()));
  const PendingCall& call = std::get<DomainCall>(outcome).call;
  for (const auto failed :
       {domain::DismissOutcome::MediaCutUnconfirmed, domain::DismissOutcome::RecordFailed}) {
    domain::DismissReply reply = done_reply();
    reply.outcome = failed;
    const Response response = gateway.on_dismiss_reply(call, reply);
    EXPECT_EQ(response.status, 500);
    EXPECT_EQ(code_of(response), "InternalError");
    EXPECT_NE(message_of(response).find(kOperation), std::string::npos);
    EXPECT_TRUE(at(body_of(response), {"Result"}).is_null());
  }
}

TEST_F(GatewayTest, fields_that_would_change_what_is_dismissed_are_refused_by_name_in_2020) {
  EXPECT_EQ(
      message_of(post("DismissRoom", "2020-12-01", own_body(R"(,"DryRun":true)"))).substr(0, 7),
      "DryRun:");
  EXPECT_EQ(
      message_of(post("DismissRoom", "2020-12-01", own_body(R"(,"dryrun":false)"))).substr(0, 7),
      "DryRun:");
  EXPECT_EQ(message_of(post("DismissRoom", "2020-12-01", own_body(R"(,"IfRoomSessionId":"RM_1")")))
                .substr(0, 16),
            "IfRoomSessionId:");
  EXPECT_EQ(code_of(post("DismissRoom", "2020-12-01", own_body(R"(,"ForbiddenInterval":-1)"))),
            "InvalidParameter");
}

TEST_F(GatewayTest, unknown_fields_are_ignored_in_2020_and_refused_in_2026) {
  EXPECT_TRUE(std::holds_alternative<DomainCall>(send(signed_request(
      "POST", url("DismissRoom", "2020-12-01"), own_body(R"(,"Whatever":{"a":[1]})")))));
  const Response response = post("DismissRoom", "2026-12-01", own_body(R"(,"Whatever":1)"));
  EXPECT_EQ(code_of(response), "InvalidParameter");
  EXPECT_EQ(message_of(response), "Whatever is not a field of this action.");
}

TEST_F(GatewayTest, the_body_is_json_whatever_its_content_type) {
  for (const char* type :
       {"application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8"}) {
    Request request = unsigned_request("POST", url("DismissRoom", "2020-12-01"), own_body());
    request.headers[1].second = type;
    sign_request(request, {"AKLTmanager", "secret-1"}, now.wall);
    EXPECT_TRUE(std::holds_alternative<DomainCall>(send(request))) << type;
  }
}

TEST_F(GatewayTest, a_reason_has_a_bound) {
  const std::string longest(static_cast<size_t>(limits::kReasonBytesMax), 'r');
  EXPECT_TRUE(std::holds_alternative<DomainCall>(send(signed_request(
      "POST", url("DismissRoom", "2020-12-01"), own_body(R"(,"Reason":")" + longest + "\"")))));
  EXPECT_EQ(
      code_of(post("DismissRoom", "2020-12-01", own_body(R"(,"Reason":")" + longest + "r\""))),
      "InvalidParameter");
}

TEST_F(GatewayTest, room_ids_follow_the_rule_of_their_app) {
  const std::string wide = R"({"AppId":")" + std::string(kWideApp) + R"(","RoomId":"room / 中"})";
  const std::string narrow = R"({"AppId":")" + std::string(kOwnApp) + R"(","RoomId":"room / 中"})";
  EXPECT_TRUE(std::holds_alternative<DomainCall>(
      send(signed_request("POST", url("DismissRoom", "2020-12-01"), wide))));
  EXPECT_EQ(code_of(post("DismissRoom", "2020-12-01", narrow)), "InvalidParameter.IllegalRoomID");
}

// --- DismissRoom, ours ---

TEST_F(GatewayTest, dismiss_room_2026_answers_with_the_receipt) {
  Outcome outcome = send(signed_request("POST", url("DismissRoom", "2026-12-01"), own_body()));
  expect_golden("dismiss_room_2026",
                gateway.on_dismiss_reply(std::get<DomainCall>(outcome).call, done_reply()));
}

TEST_F(GatewayTest, a_dry_run_tells_what_would_be_dismissed_and_dismisses_nothing) {
  EXPECT_EQ(result_of(post("DismissRoom", "2026-12-01", own_body(R"(,"DryRun":true)"))),
            R"({"State":"dry_run","DryRun":true,"RoomExists":false,"WouldDismiss":false})");
  join("room-1", "anna");
  const std::string sid = registry.find_room(AppId(kOwnApp), RoomId("room-1"))->sid.value;
  const Response dry =
      post("DismissRoom", "2026-12-01",
           own_body(R"(,"DryRun":true,"IfRoomSessionId":")" + std::string(sid) + "\""));
  expect_golden("dismiss_room_2026_dry", dry);
  EXPECT_EQ(text_at(body_of(dry), {"Result", "Room", "RoomSessionId"}), sid);
  EXPECT_TRUE(registry.find_room(AppId(kOwnApp), RoomId("room-1")).has_value());
}

TEST_F(GatewayTest, a_dismissal_bound_to_a_session_spares_any_other) {
  const Response refused =
      post("DismissRoom", "2026-12-01", own_body(R"(,"IfRoomSessionId":"RM_other")"));
  EXPECT_EQ(code_of(refused), "InvalidParameter");
  EXPECT_NE(message_of(refused).find("IfRoomSessionId"), std::string::npos);
  const std::string sid = "RM_abcdefghijklmnopq";
  Outcome outcome = send(signed_request("POST", url("DismissRoom", "2026-12-01"),
                                        own_body(R"(,"IfRoomSessionId":")" + sid + "\"")));
  const auto& call = std::get<DomainCall>(outcome);
  EXPECT_EQ(std::get<domain::DismissRoom>(call.command).if_session, RoomSid(sid))
      << "the registry compares it, when nothing can come between";
  const domain::DismissReply reply{
      .waiter = WaiterId{7}, .outcome = domain::DismissOutcome::NotCurrent, .record = {}};
  expect_golden("dismiss_room_2026_not_current", gateway.on_dismiss_reply(call.call, reply));
}

// --- queries ---

std::string online_url(std::string_view version = "2023-11-01") {
  return url("GetRoomOnlineUsers", version, "&AppId=" + std::string(kOwnApp) + "&RoomId=room-1");
}

TEST_F(GatewayTest, online_users_of_an_absent_room_say_only_that) {
  for (const char* version : {"2023-08-01", "2023-11-01"})
    EXPECT_EQ(result_of(ask(signed_request("GET", online_url(version), ""))),
              R"({"RoomExists":false})");
}

TEST_F(GatewayTest, online_users_are_listed_by_id_and_by_visibility) {
  join("room-1", "zoe");
  join("room-1", "anna");
  join("room-1", "ghost", true);
  join("room-2", "else");
  EXPECT_EQ(
      result_of(ask(signed_request("GET", online_url(), ""))),
      R"({"TotalUser":3,"TotalInvisibleUser":1,"VisibleUserList":["anna","zoe"],"InvisibleUserList":["ghost"],)"
      R"("RoomExists":true})");
}

TEST_F(GatewayTest, rooms_are_listed_page_by_page) {
  join("b", "anna");
  join("a", "anna");
  join("c", "anna");
  join("d", "anna", false, kWideApp);
  const std::string app = R"({"AppId":")" + std::string(kOwnApp) + "\"";
  const Response page = post("ListRooms", "2026-12-01", app + R"(,"Limit":2})");
  expect_golden("list_rooms", page);
  const Json first = body_of(page);
  ASSERT_EQ(at(first, {"Result", "Rooms"}).if_array()->size(), 2u);
  EXPECT_EQ(text_at((*at(first, {"Result", "Rooms"}).if_array())[0], {"RoomId"}), "a");
  const std::string cursor = text_at(first, {"Result", "NextCursor"});
  const Json second =
      body_of(post("ListRooms", "2026-12-01", app + R"(,"Cursor":")" + cursor + "\"}"));
  ASSERT_EQ(at(second, {"Result", "Rooms"}).if_array()->size(), 1u);
  EXPECT_EQ(text_at((*at(second, {"Result", "Rooms"}).if_array())[0], {"RoomId"}), "c");
  EXPECT_TRUE(at(second, {"Result", "NextCursor"}).is_null());
}

TEST_F(GatewayTest, pages_have_a_largest_size_and_an_honest_cursor) {
  const std::string app = R"({"AppId":")" + std::string(kOwnApp) + "\"";
  for (const char* more :
       {R"(,"Limit":0})", R"(,"Limit":501})", R"(,"Limit":-1})", R"(,"Cursor":"***"})"})
    EXPECT_EQ(code_of(post("ListRooms", "2026-12-01", app + more)), "InvalidParameter") << more;
  EXPECT_EQ(result_of(post("ListRooms", "2026-12-01", app + R"(,"Limit":500})")),
            R"({"Rooms":[]})");
}

TEST_F(GatewayTest, a_room_is_shown_with_its_users) {
  EXPECT_EQ(result_of(post("GetRoom", "2026-12-01", own_body())), R"({"RoomExists":false})");
  join("room-1", "zoe");
  join("room-1", "anna");
  const Response page = post("GetRoom", "2026-12-01", own_body(R"(,"Limit":1)"));
  expect_golden("get_room", page);
  const Json body = body_of(page);
  EXPECT_EQ(text_at(body, {"Result", "Room", "RoomId"}), "room-1");
  ASSERT_EQ(at(body, {"Result", "Users"}).if_array()->size(), 1u);
  EXPECT_EQ(text_at((*at(body, {"Result", "Users"}).if_array())[0], {"UserId"}), "anna");
  EXPECT_NE(text_at(body, {"Result", "NextCursor"}), "");
}

std::string operation_body(std::string_view operation = kOperation) {
  return R"({"AppId":")" + std::string(kOwnApp) + R"(","OperationId":")" + std::string(operation) +
         "\"}";
}

TEST_F(GatewayTest, a_dismissal_the_registry_forgot_is_asked_of_the_store) {
  Outcome outcome =
      send(signed_request("POST", url("GetDismissal", "2026-12-01"), operation_body()));
  const auto* call = std::get_if<StoreCall>(&outcome);
  ASSERT_NE(call, nullptr);
  EXPECT_EQ(std::get<FindRecord>(call->question).operation, OperationId(kOperation));
  expect_golden("get_dismissal",
                gateway.on_store_answer(call->call, {.ok = true, .record = done_reply().record}));
}

TEST_F(GatewayTest, a_receipt_shows_all_that_can_be_known) {
  Outcome outcome =
      send(signed_request("POST", url("GetDismissal", "2026-12-01"), operation_body()));
  domain::DismissalRecord record = *done_reply().record;
  record.state = domain::DismissalState::Failed;
  record.reason = "the lesson is over";
  record.code = domain::ClientCode::KickedOut;
  record.forbidden_until = kNow.wall + 60s;
  record.failure = "media was not confirmed to have stopped";
  record.notified_at = kNow.wall + 5ms;
  record.notified_us = 5'000;
  record.notified = 1, record.not_notified = 2;
  record.not_notified_names = {
      {.user = UserId("ann"), .participant = {}, .reason = domain::NotNotifiedReason::Reconnecting},
      {.user = UserId("bob"), .participant = {}, .reason = domain::NotNotifiedReason::NotWritable}};
  record.transports_at_fence = record.transports_closed = 3;
  expect_golden("get_dismissal_full", gateway.on_store_answer(std::get<StoreCall>(outcome).call,
                                                              {.ok = true, .record = record}));
}

TEST_F(GatewayTest, a_dismissal_that_is_unknown_or_another_apps_does_not_exist) {
  Outcome outcome =
      send(signed_request("POST", url("GetDismissal", "2026-12-01"), operation_body()));
  const PendingCall& call = std::get<StoreCall>(outcome).call;
  EXPECT_EQ(code_of(gateway.on_store_answer(call, {.ok = true, .record = {}})),
            "InvalidParameter.NotExistOperation");
  domain::DismissalRecord foreign = *done_reply().record;
  foreign.app = AppId(kForeignApp);
  EXPECT_EQ(code_of(gateway.on_store_answer(call, {.ok = true, .record = foreign})),
            "InvalidParameter.NotExistOperation");
  EXPECT_EQ(code_of(gateway.on_store_answer(call, {.ok = false, .record = {}})), "InternalError");
  EXPECT_EQ(code_of(post("GetDismissal", "2026-12-01", operation_body("nonsense"))),
            "InvalidParameter");
}

TEST_F(GatewayTest, a_running_or_recent_dismissal_is_the_registrys_answer) {
  join("room-1", "anna");
  Outcome outcome = send(signed_request("POST", url("DismissRoom", "2026-12-01"), own_body()));
  std::string operation;
  for (const domain::Effect& effect : registry.apply(std::get<DomainCall>(outcome).command, now))
    if (const auto* persist = std::get_if<domain::PersistDismissal>(&effect))
      operation = persist->record.operation.value;
  ASSERT_NE(operation, "");
  const Json body = body_of(post("GetDismissal", "2026-12-01", operation_body(operation)));
  EXPECT_EQ(text_at(body, {"Result", "Receipt", "OperationId"}), operation);
  EXPECT_EQ(text_at(body, {"Result", "Receipt", "State"}), "running");
}

// --- envelope ---

TEST_F(GatewayTest, request_ids_are_a_time_and_eighteen_hex_digits_and_differ) {
  std::set<std::string> seen;
  for (int i = 0; i < 10; ++i) {
    const Response response = ask(signed_request("GET", online_url(), ""));
    const std::string id = text_at(body_of(response), {"ResponseMetadata", "RequestId"});
    EXPECT_EQ(id, response.request_id);
    EXPECT_EQ(id.size(), 32u);
    EXPECT_EQ(id.substr(0, 14), "20240102030405");
    EXPECT_EQ(id.find_first_not_of("0123456789ABCDEF"), std::string::npos);
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST_F(GatewayTest, only_gateway_errors_carry_a_number) {
  expect_golden("gateway_error",
                ask(unsigned_request("POST", url("DismissRoom", "2020-12-01"), own_body())));
  expect_golden("business_error", post("DismissRoom", "2020-12-01", "{}"));
}

TEST_F(GatewayTest, what_is_echoed_of_action_and_version_is_printable) {
  const Response response = ask(unsigned_request("POST", "/?Action=a%22%0a%ff&Version=1", ""));
  EXPECT_EQ(text_at(body_of(response), {"ResponseMetadata", "Action"}), "a\"??");
}

TEST_F(GatewayTest, business_errors_of_2020_alone_may_be_answered_with_200) {
  GatewayOptions options = make_options();
  options.business_errors_200 = true;
  gateway = make_gateway(std::move(options), secrets);
  const Response business = post("DismissRoom", "2020-12-01", "{}");
  EXPECT_EQ(business.status, 200);
  EXPECT_EQ(code_of(business), "InvalidParameter");
  EXPECT_EQ(post("DismissRoom", "2026-12-01", "{}").status, 400);
  EXPECT_EQ(ask(unsigned_request("POST", url("DismissRoom", "2020-12-01"), own_body())).status,
            401);
}

TEST_F(GatewayTest, the_plain_root_answers_probes) {
  for (const char* method : {"GET", "HEAD"}) {
    const Request probe{.method = method, .target = "/", .headers = {}, .body = ""};
    const auto at_head = gateway.check_head(probe, now);
    ASSERT_TRUE(at_head.has_value());
    EXPECT_EQ(at_head->status, 200);
    EXPECT_EQ(at_head->body, std::string(method) == "GET" ? "OK" : "");
    EXPECT_EQ(header_of(*at_head, "Access-Control-Allow-Origin"), "*");
    EXPECT_EQ(ask(probe).status, 200);
  }
  EXPECT_EQ(code_of(ask({.method = "POST", .target = "/", .headers = {}, .body = ""})),
            "MissingParameter");
  EXPECT_EQ(code_of(ask(
                {.method = "GET", .target = "/", .headers = {{"Authorization", "x"}}, .body = ""})),
            "MissingParameter");
}

// --- before the body ---

TEST_F(GatewayTest, a_body_that_is_announced_too_long_is_refused_before_it_is_read) {
  Request head = unsigned_request("POST", url("DismissRoom", "2020-12-01"), "");
  head.headers.emplace_back("Content-Length", std::to_string(limits::kHttpBodyBytesMax));
  EXPECT_FALSE(gateway.check_head(head, now).has_value());
  for (const char* length : {"262145", "99999999999999999999999"}) {
    head.headers.back().second = length;
    const auto response = gateway.check_head(head, now);
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->status, 413);
    EXPECT_EQ(code_of(*response), "InvalidParameter.SizeOverLimit");
    EXPECT_TRUE(response->close);
  }
}

TEST_F(GatewayTest, a_body_that_turns_out_too_long_is_refused_alike) {
  const std::string body(static_cast<size_t>(limits::kHttpBodyBytesMax) + 1, ' ');
  const Response response = ask(signed_request("POST", url("DismissRoom", "2020-12-01"), body));
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(code_of(response), "InvalidParameter.SizeOverLimit");
}

TEST_F(GatewayTest, faults_of_http_come_in_the_envelope_with_https_own_status) {
  const Request head{
      .method = "POST", .target = url("DismissRoom", "2020-12-01"), .headers = {}, .body = ""};
  const std::vector<std::pair<FaultKind, int>> wanted{{FaultKind::Malformed, 400},
                                                      {FaultKind::RequestLineTooLong, 414},
                                                      {FaultKind::HeadersTooLong, 431},
                                                      {FaultKind::HeadTimeout, 408},
                                                      {FaultKind::BodyTimeout, 408},
                                                      {FaultKind::BodyTooLong, 413},
                                                      {FaultKind::UnsupportedTransferEncoding, 501},
                                                      {FaultKind::Overloaded, 503}};
  for (const auto& [fault, status] : wanted) {
    const Response response = gateway.fault_response(head, fault, now);
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(text_at(body_of(response), {"ResponseMetadata", "Action"}), "DismissRoom");
    EXPECT_NE(code_of(response), "");
    EXPECT_EQ(response.close, fault != FaultKind::Overloaded);
  }
  EXPECT_NE(code_of(gateway.fault_response({}, FaultKind::Malformed, now)), "");
  EXPECT_EQ(header_of(gateway.fault_response(head, FaultKind::Overloaded, now), "Retry-After"),
            "1");
}

// --- quota ---

TEST_F(GatewayTest, a_call_over_quota_is_refused_with_the_time_to_wait) {
  for (int i = 0; i < 40; ++i)
    EXPECT_EQ(ask(signed_request("GET", online_url(), "")).status, 200) << i;
  const Response over =
      ask(signed_request("GET", online_url("2023-08-01"), ""));  // both versions share it
  EXPECT_EQ(over.status, 429);
  EXPECT_EQ(code_of(over), "FlowLimitExceeded.QPSOverLimit");
  EXPECT_EQ(header_of(over, "Retry-After"), "1");
  EXPECT_EQ(
      code_of(post("ListRooms", "2026-12-01", R"({"AppId":")" + std::string(kOwnApp) + "\"}")), "");
  now.mono += 25ms;
  EXPECT_EQ(ask(signed_request("GET", online_url(), "")).status, 200);
  EXPECT_EQ(ask(signed_request("GET", online_url(), "")).status, 429);
}

TEST_F(GatewayTest, refused_calls_use_no_quota) {
  for (int i = 0; i < 100; ++i) EXPECT_EQ(post("DismissRoom", "2020-12-01", "{}").status, 400);
  EXPECT_TRUE(std::holds_alternative<DomainCall>(
      send(signed_request("POST", url("DismissRoom", "2020-12-01"), own_body()))));
}

// --- order: of the faults of two neighbouring checks, the earlier answers ---

class CheckOrder : public GatewayTest {
 protected:
  static constexpr char kDismiss[] = "DismissRoom";
  const SigningKey reader{"AKLTreader", "secret-2"};
  const std::string too_long = std::string(static_cast<size_t>(limits::kHttpBodyBytesMax) + 1, 'x');
};

TEST_F(CheckOrder, action_and_version_before_body_length) {
  EXPECT_EQ(code_of(ask(unsigned_request("POST", "/?Version=2020-12-01", too_long))),
            "MissingParameter");
  EXPECT_EQ(code_of(ask(unsigned_request("POST", "/?Action=DismissRoom", too_long))),
            "MissingParameter");
}
TEST_F(CheckOrder, body_length_before_signature) {
  EXPECT_EQ(code_of(ask(unsigned_request("POST", url(kDismiss, "2020-12-01"), too_long))),
            "InvalidParameter.SizeOverLimit");
}
TEST_F(CheckOrder, signature_before_known_action) {
  EXPECT_EQ(code_of(ask(unsigned_request("POST", url("NoSuch", "2020-12-01"), "{}"))),
            "MissingAuthenticationToken");
}
TEST_F(CheckOrder, known_action_before_method) {
  EXPECT_EQ(code_of(ask(signed_request("PUT", url(kDismiss, "2023-11-01"), "{}"))),
            "InvalidActionOrVersion");
}
TEST_F(CheckOrder, method_before_key_scope) {
  const Response response = ask(signed_request("GET", url(kDismiss, "2020-12-01"), "", reader));
  EXPECT_EQ(code_of(response), "MethodNotAllowed");
  EXPECT_EQ(header_of(response, "Allow"), "POST");
}
TEST_F(CheckOrder, key_scope_before_json) {
  EXPECT_EQ(code_of(ask(signed_request("POST", url(kDismiss, "2020-12-01"), "{", reader))),
            "AccessDenied");
}
TEST_F(CheckOrder, json_before_known_app) {
  EXPECT_EQ(
      code_of(post(kDismiss, "2020-12-01", R"({"AppId":"c7e100000000000000000001","a":1,"A":2})")),
      "InvalidParameter.Unmarshal");
  EXPECT_EQ(code_of(post(kDismiss, "2020-12-01", R"({"AppId":"c7e100000000000000000001"})")),
            "InvalidParameter");
}
TEST_F(CheckOrder, known_app_before_its_owner) {
  // An app cannot be both unknown and another account's: the pair is shown by each alone.
  EXPECT_EQ(
      code_of(post(kDismiss, "2020-12-01", R"({"AppId":"c7e100000000000000000001","RoomId":"r"})")),
      "InvalidParameter.NotExistAppId");
  EXPECT_EQ(code_of(post(kDismiss, "2020-12-01", R"({"AppId":"nonsense","RoomId":"r"})")),
            "InvalidParameter.IllegalAppId");
}
TEST_F(CheckOrder, owner_of_the_app_before_quota) {
  for (int i = 0; i < 60; ++i)
    send(signed_request("POST", url(kDismiss, "2020-12-01"), own_body()));
  const std::string foreign = R"({"AppId":")" + std::string(kForeignApp) + R"(","RoomId":"r"})";
  EXPECT_EQ(code_of(post(kDismiss, "2020-12-01", own_body())), "FlowLimitExceeded.QPSOverLimit");
  EXPECT_EQ(code_of(post(kDismiss, "2020-12-01", foreign)), "InvalidParameter.AccountIdMismatch");
}
TEST_F(CheckOrder, quota_before_the_handlers_own_checks) {
  const std::string illegal =
      R"({"AppId":")" + std::string(kOwnApp) + R"(","RoomId":"no such / id"})";
  for (int i = 0; i < 60; ++i)
    EXPECT_EQ(code_of(post(kDismiss, "2020-12-01", illegal)), "InvalidParameter.IllegalRoomID");
  EXPECT_EQ(code_of(post(kDismiss, "2020-12-01", illegal)), "FlowLimitExceeded.QPSOverLimit");
}
TEST_F(CheckOrder, within_the_signature_form_then_scope_then_token_then_key_then_time_then_match) {
  Request request =
      signed_request("POST", url(kDismiss, "2020-12-01"), own_body(), {"AKLTnobody", "x", "mars"});
  request.headers.emplace_back("X-Security-Token", "token");
  now.wall += 1000s;
  EXPECT_EQ(code_of(ask(request)), "InvalidCredential");
  now = kNow;
  request = signed_request("POST", url(kDismiss, "2020-12-01"), own_body(), {"AKLTnobody", "x"});
  request.headers.emplace_back("X-Security-Token", "token");
  now.wall += 1000s;
  EXPECT_EQ(code_of(ask(request)), "InvalidSecretToken");
  request.headers.pop_back();
  EXPECT_EQ(code_of(ask(request)), "InvalidAccessKey");
  now = kNow;
  request =
      signed_request("POST", url(kDismiss, "2020-12-01"), own_body(), {"AKLTmanager", "wrong"});
  EXPECT_EQ(code_of(ask(request)), "SignatureDoesNotMatch");
  now.wall += 1000s;
  EXPECT_EQ(code_of(ask(request)), "InvalidTimestamp");
}

// --- every code marked SENT, and no other ---

std::string eleven_users_query() {
  std::string query = "&AppId=" + std::string(kOwnApp) + "&RoomId=room-1";
  for (int i = 0; i < 11; ++i) query += "&UserIds=u" + std::to_string(i);
  return query;
}

class CodesTest : public GatewayTest {
 protected:
  void note(const Response& response) { got.insert(code_of(response)); }
  void note(const Outcome& outcome) {
    if (const auto* response = std::get_if<Response>(&outcome)) return note(*response);
    const auto* call = std::get_if<DomainCall>(&outcome);
    if (call == nullptr) return;
    note(gateway.on_action_reply(
        call->call,
        {.waiter = WaiterId{7}, .outcome = domain::ActionOutcome::NotThere, .operation = {}}));
  }
  void ask_without_a_right();
  void ask_with_wrong_arguments();
  void ask_for_what_the_registry_refuses();

  std::set<std::string> got;
};

void CodesTest::ask_without_a_right() {
  const auto with_authorization = [&](std::string value, bool date = true) {
    Request request = unsigned_request("POST", url("DismissRoom", "2020-12-01"), own_body());
    if (date) request.headers.emplace_back("X-Date", "20240102T030405Z");
    request.headers.emplace_back("Authorization", std::move(value));
    return request;
  };
  note(ask(unsigned_request("GET", "/elsewhere", "")));
  note(ask(unsigned_request("POST", "/", "")));
  note(ask(unsigned_request("POST", url("DismissRoom", "2020-12-01"), "{}")));
  note(ask(with_authorization("Bearer x")));
  note(ask(with_authorization("HMAC-SHA256 Credential=a, SignedHeaders=x-date, Signature=b")));
  note(ask(with_authorization(
      "HMAC-SHA256 Credential=a/20240102/cn-north-1/rtc/request, SignedHeaders=x-date")));
  note(
      ask(with_authorization("HMAC-SHA256 Credential=AKLTmanager/20240102/cn-north-1/rtc/request, "
                             "SignedHeaders=x-date, Signature=b",
                             false)));
  note(
      ask(with_authorization("HMAC-SHA256 Credential=AKLTmanager/20240102/cn-north-1/rtc/request, "
                             "SignedHeaders=x-date, Signature=b")));
  note(
      ask(with_authorization("HMAC-SHA256 Credential=AKLTnobody/20240102/cn-north-1/rtc/request, "
                             "SignedHeaders=x-date, Signature=b")));
  Request request = signed_request("POST", url("DismissRoom", "2020-12-01"), own_body());
  request.headers.emplace_back("X-Security-Token", "token");
  note(ask(request));
  request = signed_request("POST", url("DismissRoom", "2020-12-01"), own_body());
  now.wall += 3600s;
  note(ask(request));
  now = kNow;
}

void CodesTest::ask_with_wrong_arguments() {
  const auto dismiss = [&](std::string body) {
    return post("DismissRoom", "2026-12-01", std::move(body));
  };
  note(ask(signed_request("POST", url("NoSuch", "2020-12-01"), "{}")));
  note(ask(signed_request("GET", url("DismissRoom", "2020-12-01"), "")));
  note(ask(signed_request("POST", url("DismissRoom", "2020-12-01"), own_body(),
                          {"AKLTreader", "secret-2"})));
  note(gateway.fault_response({}, FaultKind::Overloaded, now));
  note(gateway.fault_response({}, FaultKind::BodyTooLong, now));
  for (const std::string& body :
       {std::string(""), std::string("{"), std::string("{}"),
        std::string(R"({"AppId":"x","RoomId":"r"})"),
        std::string(R"({"AppId":"c7e100000000000000000001","RoomId":"r"})"),
        R"({"AppId":")" + std::string(kForeignApp) + R"(","RoomId":"r"})",
        R"({"AppId":")" + std::string(kOwnApp) + R"(","RoomId":""})",
        own_body(R"(,"IfRoomSessionId":"RM_x")")})
    note(dismiss(body));
}

void CodesTest::ask_for_what_the_registry_refuses() {
  Outcome outcome =
      send(signed_request("POST", url("GetDismissal", "2026-12-01"), operation_body()));
  note(gateway.on_store_answer(std::get<StoreCall>(outcome).call, {.ok = true, .record = {}}));
  note(gateway.on_store_answer(std::get<StoreCall>(outcome).call, {.ok = false, .record = {}}));
  outcome = send(signed_request("POST", url("ScheduleDismissal", "2026-12-01"),
                                own_body(R"(,"AfterSeconds":60)")));
  note(gateway.on_action_reply(
      std::get<DomainCall>(outcome).call,
      {.waiter = WaiterId{7}, .outcome = domain::ActionOutcome::NoSuchRoom, .operation = {}}));
  outcome = send(signed_request(
      "POST", url("CancelDismissal", "2026-12-01"),
      R"({"AppId":")" + std::string(kOwnApp) + R"(","ScheduleId":"SD_abcdefghijklmnopq"})"));
  note(gateway.on_action_reply(
      std::get<DomainCall>(outcome).call,
      {.waiter = WaiterId{7}, .outcome = domain::ActionOutcome::NotThere, .operation = {}}));
  outcome = send(signed_request("POST", url("DismissRooms", "2026-12-01"),
                                R"({"AppId":")" + std::string(kOwnApp) + R"(","Prefix":""})"));
  note(gateway.on_action_reply(
      std::get<DomainCall>(outcome).call,
      {.waiter = WaiterId{7}, .outcome = domain::ActionOutcome::TooMany, .operation = {}}));
  outcome = send(signed_request(
      "POST", url("UpdateWebhook", "2026-12-01"),
      R"({"AppId":")" + std::string(kOwnApp) + R"(","WebhookId":"WH_abcdefghijklmnopq"})"));
  note(outcome);
  for (const char* fields : {R"(,"DryRun":false)", R"(,"Reason":"other")"}) {
    Request request = signed_request("POST", url("DismissRoom", "2026-12-01"), own_body(fields));
    request.headers.emplace_back("Idempotency-Key", "k");
    outcome = send(request);
    if (const auto* response = std::get_if<Response>(&outcome)) note(*response);
  }
}

TEST_F(CodesTest, every_code_marked_sent_has_a_request_that_gets_it) {
  ask_without_a_right();
  ask_with_wrong_arguments();
  ask_for_what_the_registry_refuses();
  for (const char* fields : {R"(,"From":"a:b","To":["u"],"Binary":false,"Message":"m")",
                             R"(,"From":"a","To":[""],"Binary":false,"Message":"m")"})
    note(post("BatchSendRoomUnicast", "2020-12-01", own_body(fields)));
  note(ask(
      signed_request("GET", url("GetRoomUsersProperty", "2023-11-01", eleven_users_query()), "")));
  for (int i = 0; i < 41; ++i) note(ask(signed_request("GET", online_url(), "")));
  got.erase("");

  std::set<std::string> marked;
  for (const ErrorRow& row : error_rows())
    if (row.never.empty()) marked.emplace(row.code);
  EXPECT_EQ(got, marked);
}

// --- making one ---

TEST(GatewayOptionsTest, that_contradict_themselves_are_refused) {
  SeededSecretSource secrets(1);
  GatewayOptions options = make_options();
  options.keys.push_back(options.keys[0]);
  EXPECT_FALSE(Gateway::create(options, secrets).has_value());
  options = make_options();
  options.quotas = {{"NoSuchAction", 10}};
  EXPECT_FALSE(Gateway::create(options, secrets).has_value());
  options.quotas = {{"DismissRoom", 0}};
  EXPECT_FALSE(Gateway::create(options, secrets).has_value());
  options = make_options();
  options.keys[0].secret = "";
  EXPECT_FALSE(Gateway::create(options, secrets).has_value());
  options = make_options();
  options.public_hosts.resize(static_cast<size_t>(limits::kPublicHostsMax) + 1);
  EXPECT_FALSE(Gateway::create(options, secrets).has_value());
}

TEST_F(GatewayTest, a_moved_gateway_goes_on_knowing_its_keys) {
  Gateway moved = std::move(gateway);
  gateway = std::move(moved);
  EXPECT_EQ(ask(signed_request("GET", online_url(), "")).status, 200);
}

TEST_F(GatewayTest, a_presigned_url_is_served_for_get) {
  // A vector of the vendor's Node SDK, asked of a gateway that knows its key and app.
  GatewayOptions options;
  options.keys = {{"AKLTtestaccesskeyid0001",
                   "c2VjcmV0LWtleS1mb3ItdmVjdG9ycw==",
                   "account-1",
                   {KeyScope::Read}}};
  registry.apply(domain::RestoreApps{{make_app("123456781234567812345678", "account-1")}}, now);
  gateway = make_gateway(std::move(options), secrets);
  const Response response = ask(unsigned_request(
      "GET",
      "/?Action=GetRoomOnlineUsers&AppId=123456781234567812345678&RoomId=room-1&Version=2023-11-01"
      "&X-Algorithm=HMAC-SHA256&X-Credential=AKLTtestaccesskeyid0001%2F20240102%2Fcn-north-1%2Frtc%"
      "2Frequest"
      "&X-Date=20240102T030405Z&X-NotSignBody=&X-SignedHeaders="
      "&X-SignedQueries=Action;AppId;RoomId;Version;X-Algorithm;X-Credential;X-Date;X-NotSignBody;"
      "X-SignedHeaders"
      "&X-Signature=09a77b261479dd8cab1b5c8ebc40c8f8e1685e93fb93d7ede57c53cb92827ae2",
      ""));
  EXPECT_EQ(result_of(response), R"({"RoomExists":false})");
}

TEST_F(GatewayTest, a_call_that_will_get_no_answer_is_told_to_come_back) {
  Outcome outcome = send(signed_request("POST", url("DismissRoom", "2020-12-01"), own_body()));
  const Response response = gateway.on_abandoned(std::get<DomainCall>(outcome).call);
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(header_of(response, "Retry-After"), "1");
}

TEST_F(GatewayTest, trace_of_a_call_has_the_hash_of_its_body) {
  const Request refused = signed_request("POST", url("DismissRoom", kVersion2020), "{}");
  EXPECT_EQ(ask(refused).trace.content_hash, sha256(as_bytes(refused.body)));
  const Request waits = signed_request("POST", url("DismissRoom", kVersion2020), own_body());
  const Outcome outcome = send(waits);
  const auto* call = std::get_if<DomainCall>(&outcome);
  ASSERT_NE(call, nullptr);
  EXPECT_EQ(gateway.trace(call->call).trace.content_hash, sha256(as_bytes(waits.body)));
}

}  // namespace
}  // namespace atrium::openapi
