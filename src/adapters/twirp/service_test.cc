// RoomService in both forms: routes, who may call, what a call asks the registry for, and what its caller is told.
#include "adapters/twirp/service.h"

#include <gtest/gtest.h>

#include <utility>

#include "adapters/twirp/words.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "base/seeded_secret_source.h"

namespace atrium::twirp {
namespace {

constexpr const char* kApp = "a7e100000000000000000001";
constexpr const char* kRoom = "room1";

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest() {
    domain::App app;
    app.id = AppId(kApp);
    app.account = "acme";
    apply(domain::RestoreApps{{app}});
  }

  static Caller everything() {
    return {.app = AppId(kApp),
            .api_key = "devkey",
            .is_management = true,
            .room_create = true,
            .room_list = true,
            .room_admin = true,
            .room = RoomId(kRoom)};
  }

  domain::Effects apply(domain::Command command) {
    return registry_.apply(std::move(command), now_);
  }
  ParticipantSid enter(const std::string& user) {
    domain::Joiner joiner;
    joiner.app = AppId(kApp);
    joiner.room = RoomId(kRoom);
    joiner.user = UserId(user);
    joiner.name = user;
    joiner.attributes = {{"k", "v"}};
    joiner.token_hash = sha256(as_bytes(user));
    for (const domain::Effect& effect : apply(domain::Join{ConnectionId{++next_}, joiner}))
      if (const auto* accepted = std::get_if<domain::JoinAccepted>(&effect)) {
        const ParticipantSid sid = accepted->self.sid;
        apply(domain::JoinSent{sid});
        apply(domain::TransportUp{sid});
        return sid;
      }
    ADD_FAILURE() << user << " was refused";
    return {};
  }
  TrackSid publish(const ParticipantSid& publisher) {
    domain::TrackView track;
    track.cid = "mic";
    track.source = domain::TrackSource::Microphone;
    TrackSid sid;
    for (const domain::Effect& effect : apply(domain::AddTrack{publisher, track}))
      if (const auto* published = std::get_if<domain::TrackPublished>(&effect))
        sid = published->track.sid;
    apply(domain::TrackLive{publisher, sid, "audio/opus", "0"});
    return sid;
  }

  std::variant<Response, Call> read(std::string_view method, std::string_view body,
                                    const CallerOutcome& caller = everything(),
                                    std::string_view type = "application/json;charset=UTF-8") {
    const std::string path = "/twirp/livekit.RoomService/" + std::string(method);
    return twirp::read(
        {.method = "POST", .path = path, .content_type = type, .body = body, .request_id = "RQ_1"},
        caller, registry_, WaiterId{7});
  }
  Response refused(std::string_view method, std::string_view body,
                   const CallerOutcome& caller = everything()) {
    auto outcome = read(method, body, caller);
    if (auto* response = std::get_if<Response>(&outcome)) return *std::move(response);
    ADD_FAILURE() << method << " was not refused";
    return {};
  }
  // Reads, applies and answers, as node does.
  Response go(std::string_view method, std::string_view body,
              std::string_view type = "application/json") {
    auto outcome = read(method, body, everything(), type);
    if (auto* response = std::get_if<Response>(&outcome)) return *std::move(response);
    Call call = std::get<Call>(std::move(outcome));
    if (!call.command) return answer(call.pending, registry_);
    for (const domain::Effect& effect : apply(*std::move(call.command))) {
      if (const auto* reply = std::get_if<domain::ActionReply>(&effect))
        return on_applied(call.pending, *reply, registry_);
      if (const auto* reply = std::get_if<domain::DismissReply>(&effect))
        return on_dismissed(call.pending, *reply, registry_);
    }
    ADD_FAILURE() << method << " was not answered at once";
    return {};
  }
  template <typename T>
  T command_of(std::string_view method, std::string_view body) {
    auto outcome = read(method, body);
    if (const auto* response = std::get_if<Response>(&outcome)) {
      ADD_FAILURE() << response->body;
      return {};
    }
    auto& command = std::get<Call>(outcome).command;
    if (!command || !std::holds_alternative<T>(*command)) {
      ADD_FAILURE() << method << " asks for something else";
      return {};
    }
    return std::get<T>(std::move(*command));
  }

  SeededSecretSource secrets_{1};
  domain::Registry registry_{secrets_, {}};
  const Now now_{Mono(std::chrono::seconds(1'000)), wall_from_unix_s(1'700'000'000)};
  uint64_t next_ = 0;
};

std::string_view type_of(const Response& response) {
  for (const auto& [name, value] : response.headers)
    if (name == "Content-Type") return value;
  return "";
}

// --- routes --------------------------------------------------------------------------------------

TEST_F(ServiceTest, unknown_routes_are_bad_routes_and_unserved_methods_unimplemented) {
  const auto at = [&](std::string_view method, std::string_view path) {
    return std::get<Response>(twirp::read({.method = method,
                                           .path = path,
                                           .content_type = "application/json",
                                           .body = "{}",
                                           .request_id = {}},
                                          everything(), registry_, WaiterId{1}));
  };
  for (const char* path :
       {"/twirp/livekit.Egress/ListEgress", "/twirp/livekit.RoomService/Nope",
        "/twirp/livekit.RoomService/", "/twirp/livekit.RoomService", "/twirp/"}) {
    EXPECT_EQ(at("POST", path).status, 404) << path;
    EXPECT_EQ(at("POST", path).error, "bad_route") << path;
  }
  EXPECT_EQ(at("GET", "/twirp/livekit.RoomService/ListRooms").error, "bad_route");
  EXPECT_EQ(at("POST", "/twirp/livekit.RoomService/MoveParticipant").status, 501);
  EXPECT_EQ(at("POST", "/twirp/livekit.RoomService/ForwardParticipant").error, "unimplemented");
  EXPECT_EQ(at("POST", "/twirp/livekit.RoomService/PerformRpc").error, "unimplemented");
}

TEST_F(ServiceTest, content_type_chooses_the_form_and_no_other_is_taken) {
  EXPECT_TRUE(
      std::holds_alternative<Call>(read("ListRooms", "{}", everything(), "Application/JSON")));
  EXPECT_TRUE(
      std::holds_alternative<Call>(read("ListRooms", "", everything(), "application/protobuf")));
  const auto text = read("ListRooms", "{}", everything(), "text/plain");
  EXPECT_EQ(std::get<Response>(text).error, "bad_route");
}

TEST_F(ServiceTest, errors_are_json_of_exactly_that_type) {
  const Response response = refused("ListRooms", "[]");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, R"({"code":"malformed","msg":"the json request could not be decoded"})");
  EXPECT_EQ(type_of(response), "application/json");
}

TEST_F(ServiceTest, broken_and_deep_bodies_are_malformed_in_both_forms) {
  std::string deep = R"({"names":)";
  deep.append(100, '[').append(100, ']').append("}");
  for (const std::string& body : {std::string("{"), std::string("{'names':[]}"), deep,
                                  std::string(R"({"names":"x"} {})"), std::string("")})
    EXPECT_EQ(refused("ListRooms", body).error, "malformed") << body.substr(0, 40);
  const auto cut =
      read("ListRooms", std::string("\x0a\x05roo", 5), everything(), "application/protobuf");
  EXPECT_EQ(std::get<Response>(cut).error, "malformed");
}

// --- callers -------------------------------------------------------------------------------------

TEST_F(ServiceTest, without_a_token_nobody_is_served) {
  const Response response =
      refused("ListRooms", "{}", std::unexpected(std::string("A token is required.")));
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(response.body, R"({"code":"unauthenticated","msg":"A token is required."})");
}

TEST_F(ServiceTest, a_key_without_management_is_denied_whatever_its_token_grants) {
  Caller caller = everything();
  caller.is_management = false;
  const Response response = refused("ListRooms", "{}", caller);
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(response.error, "permission_denied");
}

TEST_F(ServiceTest, each_method_needs_its_grant) {
  Caller none = everything();
  none.room_create = none.room_list = none.room_admin = false;
  for (const char* method :
       {"CreateRoom", "ListRooms", "DeleteRoom", "ListParticipants", "GetParticipant",
        "RemoveParticipant", "MutePublishedTrack", "UpdateParticipant", "UpdateSubscriptions",
        "SendData", "UpdateRoomMetadata"}) {
    const Response response =
        refused(method, R"({"name":"room1","room":"room1","identity":"ann"})", none);
    EXPECT_EQ(response.error, "unauthenticated") << method;
  }
  Caller lists = none;
  lists.room_list = true;
  EXPECT_TRUE(std::holds_alternative<Call>(read("ListRooms", "{}", lists)));
  EXPECT_EQ(refused("DeleteRoom", R"({"room":"room1"})", lists).error, "unauthenticated");
}

TEST_F(ServiceTest, room_admin_is_for_just_the_room_of_the_token) {
  enter("ann");
  EXPECT_TRUE(std::holds_alternative<Call>(read("ListParticipants", R"({"room":"room1"})")));
  EXPECT_EQ(refused("ListParticipants", R"({"room":"room"})").error, "unauthenticated");
  Caller nowhere = everything();
  nowhere.room = RoomId();
  EXPECT_EQ(refused("ListParticipants", R"({"room":"room1"})", nowhere).error, "unauthenticated");
}

TEST_F(ServiceTest, ids_keep_the_rule_of_their_app_and_the_refusal_names_the_field) {
  const Response spaced = refused("CreateRoom", R"({"name":"a room"})");
  EXPECT_EQ(spaced.error, "invalid_argument");
  EXPECT_TRUE(spaced.body.contains("name: must be")) << spaced.body;
  EXPECT_TRUE(refused("DeleteRoom", "{}").body.contains("room: is required"));
  EXPECT_TRUE(refused("GetParticipant", R"({"room":"room1","identity":"a b"})")
                  .body.contains("identity: must be"));
  EXPECT_TRUE(refused("ListRooms", R"({"names":["ok","not ok"]})").body.contains("names: must be"));
  domain::ChangeApp widen{.waiter = {}, .app = AppId(kApp), .any_ids = true};
  apply(widen);
  EXPECT_TRUE(std::holds_alternative<Call>(read("CreateRoom", R"({"name":"a room"})")));
}

// --- rooms ---------------------------------------------------------------------------------------

TEST_F(ServiceTest, room_is_created_with_what_was_asked_for_and_shown) {
  const Response created =
      go("CreateRoom", R"({"name":"room1","emptyTimeout":60,"departure_timeout":30,)"
                       R"("maxParticipants":5,"metadata":"about cats","nodeId":"x"})");
  EXPECT_EQ(created.status, 200) << created.body;
  EXPECT_EQ(type_of(created), "application/json");
  for (const char* part :
       {R"("name":"room1")", R"("empty_timeout":60)", R"("departure_timeout":30)",
        R"("max_participants":5)", R"("metadata":"about cats")", R"("num_participants":0)",
        R"("creation_time":"1700000000")"})
    EXPECT_TRUE(created.body.contains(part)) << part << " in " << created.body;
  EXPECT_EQ(registry_.find_room(AppId(kApp), RoomId(kRoom))->max_participants, 5u);
}

TEST_F(ServiceTest, the_same_room_again_is_the_same_room) {
  pb::CreateRoomRequest request;
  request.set_name(kRoom);
  const Response first = go("CreateRoom", request.SerializeAsString(), "application/protobuf");
  request.set_metadata("other");
  const Response second = go("CreateRoom", request.SerializeAsString(), "application/protobuf");
  EXPECT_EQ(type_of(first), "application/protobuf");
  pb::Room room;
  ASSERT_TRUE(room.ParseFromString(first.body));
  EXPECT_EQ(room.name(), kRoom);
  EXPECT_EQ(room.empty_timeout(), 300u);
  EXPECT_EQ(first.body, second.body);
}

TEST_F(ServiceTest, what_a_room_cannot_be_created_with_is_refused_by_name) {
  EXPECT_EQ(refused("CreateRoom", R"({"name":"room1","egress":{"room":{}}})").status, 501);
  EXPECT_EQ(refused("CreateRoom", R"({"name":"room1","agents":[{"agentName":"a"}]})").status, 501);
  EXPECT_EQ(refused("CreateRoom", R"({"name":"room1","room_preset":"p"})").status, 501);
  EXPECT_TRUE(refused("CreateRoom", R"({"name":"room1","empty_timeout":604801})")
                  .body.contains("empty_timeout: must be at most 604800"));
  EXPECT_TRUE(refused("CreateRoom", R"({"name":"room1","departure_timeout":604801})")
                  .body.contains("departure_timeout"));
}

TEST_F(ServiceTest, disabled_app_gets_no_new_room) {
  apply(domain::ChangeApp{.waiter = {}, .app = AppId(kApp), .enabled = false});
  EXPECT_EQ(refused("CreateRoom", R"({"name":"room1"})").status, 412);
}

TEST_F(ServiceTest, rooms_are_listed_all_or_by_name) {
  EXPECT_EQ(go("ListRooms", "{}").body, R"({"rooms":[]})");
  go("CreateRoom", R"({"name":"b"})");
  go("CreateRoom", R"({"name":"a"})");
  pb::ListRoomsResponse all;
  ASSERT_TRUE(all.ParseFromString(go("ListRooms", "", "application/protobuf").body));
  ASSERT_EQ(all.rooms_size(), 2);
  EXPECT_EQ(all.rooms(0).name(), "a");
  const Response named = go("ListRooms", R"({"names":["b","c","b"]})");
  EXPECT_TRUE(named.body.contains(R"("name":"b")"));
  EXPECT_FALSE(named.body.contains(R"("name":"a")"));
  EXPECT_EQ(named.body.find(R"("name":"b")"), named.body.rfind(R"("name":"b")"));
}

TEST_F(ServiceTest, more_rooms_than_one_page_of_the_registry_are_all_listed) {
  for (int i = 0; i <= limits::kPageMax; ++i)
    go("CreateRoom", R"({"name":"r)" + std::to_string(i) + R"("})");
  pb::ListRoomsResponse all;
  ASSERT_TRUE(all.ParseFromString(go("ListRooms", "", "application/protobuf").body));
  EXPECT_EQ(all.rooms_size(), limits::kPageMax + 1);
}

TEST_F(ServiceTest, an_answer_beyond_its_bound_is_refused) {
  const std::string metadata(250'000, 'x');
  for (int i = 0; i < 70; ++i)
    go("CreateRoom",
       R"({"name":"r)" + std::to_string(i) + R"(","metadata":")" + metadata + R"("})");
  const Response response = go("ListRooms", "{}");
  EXPECT_EQ(response.error, "resource_exhausted");
  EXPECT_TRUE(response.body.contains(std::to_string(limits::kTwirpAnswerBytesMax)));
}

TEST_F(ServiceTest, deleting_a_room_is_dismissing_it) {
  const auto command = command_of<domain::DismissRoom>("DeleteRoom", R"({"room":"room1"})");
  EXPECT_EQ(command.waiter, WaiterId{7});
  EXPECT_EQ(command.app, AppId(kApp));
  EXPECT_EQ(command.room, RoomId(kRoom));
  EXPECT_EQ(command.operator_id, "devkey");
  EXPECT_EQ(command.request_id, "RQ_1");
  const Response unknown = go("DeleteRoom", R"({"room":"room1"})");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.body, R"({"code":"not_found","msg":"requested room does not exist"})");
}

TEST_F(ServiceTest, dismissal_that_is_not_known_to_be_over_is_internal_and_names_its_operation) {
  auto call = std::get<Call>(read("DeleteRoom", R"({"room":"room1"})"));
  domain::DismissReply reply{
      .waiter = WaiterId{7}, .outcome = domain::DismissOutcome::Done, .record = {}};
  EXPECT_EQ(on_dismissed(call.pending, reply, registry_).body, "{}");
  reply.outcome = domain::DismissOutcome::Unfinished;
  reply.record.emplace();
  reply.record->operation = OperationId("OP_1");
  const Response response = on_dismissed(call.pending, reply, registry_);
  EXPECT_EQ(response.status, 500);
  EXPECT_TRUE(response.body.contains(R"("meta":{"operation":"OP_1"})")) << response.body;
}

TEST_F(ServiceTest, rooms_metadata_is_changed_and_the_room_shown) {
  enter("ann");
  const Response changed = go("UpdateRoomMetadata", R"({"room":"room1","metadata":"new"})");
  EXPECT_TRUE(changed.body.contains(R"("metadata":"new")")) << changed.body;
  EXPECT_TRUE(changed.body.contains(R"("num_participants":1)")) << changed.body;
}

// --- participants and tracks ---------------------------------------------------------------------

TEST_F(ServiceTest, participants_are_listed_and_found) {
  EXPECT_EQ(go("ListParticipants", R"({"room":"room1"})").body, R"({"participants":[]})");
  const TrackSid track = publish(enter("ann"));
  const Response listed = go("ListParticipants", R"({"room":"room1"})");
  for (const std::string& part :
       {std::string(R"("identity":"ann")"), std::string(R"("state":"ACTIVE")"),
        std::string(R"("attributes":{"k":"v"})"), R"("sid":")" + track.value + R"(")",
        std::string(R"("source":"MICROPHONE")"), std::string(R"("can_publish":true)")})
    EXPECT_TRUE(listed.body.contains(part)) << part << " in " << listed.body;
  EXPECT_TRUE(go("GetParticipant", R"({"room":"room1","identity":"ann"})")
                  .body.contains(R"("identity":"ann")"));
}

TEST_F(ServiceTest, who_and_what_is_not_there_is_not_found_in_the_reference_servers_words) {
  const std::string nobody = R"({"room":"room1","identity":"bob","trackSid":"TR_x","muted":true})";
  for (const char* method :
       {"GetParticipant", "RemoveParticipant", "MutePublishedTrack", "UpdateParticipant",
        "UpdateSubscriptions", "UpdateRoomMetadata", "SendData"}) {
    const Response response = go(method, nobody);
    EXPECT_EQ(response.body, R"({"code":"not_found","msg":"requested room does not exist"})")
        << method;
  }
  enter("ann");
  for (const char* method : {"GetParticipant", "RemoveParticipant", "MutePublishedTrack",
                             "UpdateParticipant", "UpdateSubscriptions"})
    EXPECT_EQ(go(method, nobody).body, R"({"code":"not_found","msg":"participant does not exist"})")
        << method;
  EXPECT_EQ(go("MutePublishedTrack",
               R"({"room":"room1","identity":"ann","trackSid":"TR_x","muted":true})")
                .body,
            R"({"code":"not_found","msg":"track does not exist"})");
}

TEST_F(ServiceTest, removing_a_participant_is_kicking_the_user) {
  enter("ann");
  const auto command = command_of<domain::RemoveUser>(
      "RemoveParticipant", R"({"room":"room1","identity":"ann","revokeTokenTs":"17"})");
  EXPECT_EQ(command.user, UserId("ann"));
  EXPECT_EQ(command.origin.operator_id, "devkey");
  EXPECT_EQ(command.origin.request_id, "RQ_1");
}

TEST_F(ServiceTest, participant_is_changed_as_far_as_the_request_says) {
  enter("ann");
  const Response changed =
      go("UpdateParticipant",
         R"({"room":"room1","identity":"ann","attributes":{"k":"","new":"1"},)"
         R"("permission":{"canSubscribe":true,"canPublish":true,"canPublishSources":["CAMERA"]}})");
  for (const char* part : {R"("name":"ann")", R"("attributes":{"new":"1"})",
                           R"("can_publish_sources":["CAMERA"])", R"("can_publish_data":false)"})
    EXPECT_TRUE(changed.body.contains(part)) << part << " in " << changed.body;
  const auto untouched = command_of<domain::ChangeParticipant>(
      "UpdateParticipant", R"({"room":"room1","identity":"ann"})");
  EXPECT_FALSE(untouched.name || untouched.metadata || untouched.permissions);
  const std::string long_name(static_cast<size_t>(limits::kNameBytesMax) + 1, 'x');
  EXPECT_TRUE(refused("UpdateParticipant",
                      R"({"room":"room1","identity":"ann","name":")" + long_name + R"("})")
                  .body.contains("name: must be at most 256 bytes"));
}

TEST_F(ServiceTest, attributes_beyond_their_bound_are_refused) {
  enter("ann");
  const std::string value(static_cast<size_t>(limits::kAttributesBytesMax), 'x');
  const Response response =
      go("UpdateParticipant",
         R"({"room":"room1","identity":"ann","attributes":{"a":")" + value + R"("}})");
  EXPECT_EQ(response.error, "resource_exhausted");
  EXPECT_TRUE(response.body.contains("65536")) << response.body;
}

TEST_F(ServiceTest, track_is_muted_and_never_unmuted_from_here) {
  const TrackSid track = publish(enter("ann"));
  const std::string body =
      R"({"room":"room1","identity":"ann","track_sid":")" + track.value + R"(","muted":)";
  const Response muted = go("MutePublishedTrack", body + "true}");
  EXPECT_TRUE(muted.body.starts_with(R"({"track":{)")) << muted.body;
  EXPECT_TRUE(muted.body.contains(R"("muted":true)")) << muted.body;
  const Response unmuted = refused("MutePublishedTrack", body + "false}");
  EXPECT_EQ(unmuted.status, 412);
  EXPECT_EQ(unmuted.error, "failed_precondition");
}

TEST_F(ServiceTest, subscriptions_may_be_named_by_track_or_by_participant) {
  const auto command = command_of<domain::SubscribeByServer>(
      "UpdateSubscriptions",
      R"({"room":"room1","identity":"ann","trackSids":["TR_a"],)"
      R"("participantTracks":[{"participantSid":"PA_b","trackSids":["TR_b","TR_c"]}]})");
  EXPECT_EQ(command.tracks, (std::vector{TrackSid("TR_a"), TrackSid("TR_b"), TrackSid("TR_c")}));
  EXPECT_FALSE(command.subscribe);
}

// --- data ----------------------------------------------------------------------------------------

TEST_F(ServiceTest, data_goes_to_all_or_to_whom_it_names) {
  const ParticipantSid ann = enter("ann");
  const auto to_all = command_of<domain::SendMessage>(
      "SendData", R"({"room":"room1","data":"aGk=","kind":"LOSSY","topic":"chat"})");
  EXPECT_EQ(as_text(to_all.payload), "hi");
  EXPECT_EQ(to_all.topic, "chat");
  EXPECT_TRUE(to_all.is_lossy);
  EXPECT_FALSE(to_all.users.has_value());
  const auto to_some = command_of<domain::SendMessage>(
      "SendData", R"({"room":"room1","data":"aGk=","destinationIdentities":["bob"],)"
                  R"("destinationSids":[")" +
                      ann.value + R"("]})");
  EXPECT_EQ(to_some.users, (std::vector{UserId("bob"), UserId("ann")}));
  EXPECT_FALSE(to_some.is_lossy);
  EXPECT_EQ(to_some.topic, "") << "no topic is not the vendor's topic";
  const auto to_nobody = command_of<domain::SendMessage>(
      "SendData", R"({"room":"room1","data":"aGk=","destinationSids":["PA_x"]})");
  ASSERT_TRUE(to_nobody.users.has_value()) << "not everybody";
  EXPECT_TRUE(to_nobody.users->empty());
  EXPECT_EQ(go("SendData", R"({"room":"room1","data":"aGk="})").body, "{}");
}

TEST_F(ServiceTest, nobody_speaks_in_the_servers_name) {
  enter("ann");
  const Response response =
      refused("SendData", R"({"room":"room1","data":"aGk=","topic":"atrium.room_dismiss"})");
  EXPECT_EQ(response.error, "invalid_argument");
  EXPECT_TRUE(response.body.contains("topic: ")) << response.body;
}

TEST_F(ServiceTest, data_beyond_its_bound_is_refused) {
  enter("ann");
  const std::string data(static_cast<size_t>(limits::kMessageRoomBytesMax) + 1, 'x');
  const Response response =
      refused("SendData", R"({"room":"room1","data":")" + base64(as_bytes(data)) + R"("})");
  EXPECT_TRUE(response.body.contains("data: must be at most 65536 bytes")) << response.body;
}

// --- quotas and audit ----------------------------------------------------------------------------

TEST_F(ServiceTest, calls_count_as_the_management_action_that_does_the_same) {
  enter("ann");
  const auto quota = [&](std::string_view method) {
    return quota_of(std::get<Call>(read(method, R"({"room":"room1","identity":"ann"})")).pending);
  };
  EXPECT_EQ(quota("DeleteRoom"), "DismissRoom");
  EXPECT_EQ(quota("RemoveParticipant"), "KickUser");
  EXPECT_EQ(quota("SendData"), "messages");
  EXPECT_EQ(quota("ListParticipants"), "GetRoomOnlineUsers");
  const Response over = over_quota(std::chrono::milliseconds(20));
  EXPECT_EQ(over.status, 429);
  EXPECT_EQ(over.headers.back(), (std::pair<std::string, std::string>("Retry-After", "1")));
}

TEST_F(ServiceTest, audit_names_door_key_action_and_room) {
  const auto call = std::get<Call>(read("DeleteRoom", R"({"room":"room1"})"));
  const domain::AuditEntry entry = audit_entry(call.pending);
  EXPECT_EQ(entry.door, domain::AuditDoor::Twirp);
  EXPECT_EQ(entry.action, "RoomService.DeleteRoom");
  EXPECT_EQ(entry.access_key, "devkey");
  EXPECT_EQ(entry.room, RoomId(kRoom));
  EXPECT_EQ(entry.request_id, "RQ_1");
}

}  // namespace
}  // namespace atrium::twirp
