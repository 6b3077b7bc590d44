#include "adapters/twirp/methods.h"

#include <algorithm>
#include <array>
#include <set>

#include "adapters/twirp/words.h"
#include "base/limits.h"
#include "domain/id_rule.h"

namespace atrium::twirp {
namespace {

using Check = std::optional<Refusal>;

std::unexpected<Refusal> no(Refusal refusal) {
  return std::unexpected(std::move(refusal));
}
Refusal invalid(std::string message) {
  return {Code::InvalidArgument, std::move(message)};
}

// --- pieces of requests --------------------------------------------------------------------------

Check check_id(std::string_view field, std::string_view id, const domain::App& app) {
  if (id.empty()) return invalid(std::string(field) + ": is required");
  if (domain::is_legal_id(id, app.any_ids)) return std::nullopt;
  return invalid(std::string(field) +
                 (app.any_ids ? ": must be 1 to " + std::to_string(limits::kIdBytesMax) +
                                    " bytes of UTF-8 without control characters"
                              : ": must be 1 to 128 characters of a-z, A-Z, 0-9, @, _, . and -"));
}

Check check_length(std::string_view field, size_t bytes, int64_t most) {
  if (std::cmp_less_equal(bytes, most)) return std::nullopt;
  return invalid(std::string(field) + ": must be at most " + std::to_string(most) + " bytes");
}

Check check_count(std::string_view field, size_t count, int64_t most) {
  if (std::cmp_less_equal(count, most)) return std::nullopt;
  return invalid(std::string(field) + ": must be at most " + std::to_string(most));
}

// The room that the request is about.
Check take_room(ReadContext& context, std::string_view field, std::string_view room) {
  if (auto refusal = check_id(field, room, context.app)) return refusal;
  context.call.room = RoomId(room);
  return std::nullopt;
}

// The same, where the token must be for just this room.
Check take_own_room(ReadContext& context, std::string_view room) {
  if (auto refusal = take_room(context, "room", room)) return refusal;
  if (context.call.caller.room == context.call.room) return std::nullopt;
  return Refusal{Code::Unauthenticated,
                 "permissions denied: the token grants roomAdmin for another room"};
}

Check take_user(ReadContext& context, std::string_view room, std::string_view identity) {
  if (auto refusal = take_own_room(context, room)) return refusal;
  if (auto refusal = check_id("identity", identity, context.app)) return refusal;
  context.call.user = UserId(identity);
  return std::nullopt;
}

domain::ActionOrigin origin_of(const PendingCall& call) {
  return {.operator_id = call.caller.api_key, .request_id = call.request_id, .reason = {}};
}

// 0: as the server does.
std::optional<Duration> timeout_of(uint32_t seconds) {
  if (seconds == 0) return std::nullopt;
  return std::chrono::seconds(seconds);
}

// --- pieces of answers ---------------------------------------------------------------------------

Refusal no_such_room() {
  return {Code::NotFound, "requested room does not exist"};
}
Refusal no_such_participant() {
  return {Code::NotFound, "participant does not exist"};
}
// When nobody of that name is in the room.
Refusal who_is_missing(const PendingCall& call, const domain::Registry& registry) {
  return registry.find_room(call.caller.app, call.room) ? no_such_participant() : no_such_room();
}
Response too_long(const char* what) {
  return refuse({Code::ResourceExhausted, std::string(what) + ": the answer would be longer than " +
                                              std::to_string(limits::kTwirpAnswerBytesMax) +
                                              " bytes"});
}
bool is_too_long(size_t bytes) {
  return std::cmp_greater(bytes, limits::kTwirpAnswerBytesMax);
}

Response nothing(const PendingCall& call, const domain::Registry&) {
  return write(call.form, pb::SendDataResponse());  // all of the empty answers look the same
}

Response current_room(const PendingCall& call, const domain::Registry& registry) {
  const auto view = registry.find_room(call.caller.app, call.room);
  if (!view) return refuse(no_such_room());
  pb::Room room;
  fill(*view, room);
  return write(call.form, room);
}

Response current_participant(const PendingCall& call, const domain::Registry& registry) {
  const auto view = registry.find_user(call.caller.app, call.room, call.user);
  if (view == nullptr) return refuse(who_is_missing(call, registry));
  pb::ParticipantInfo info;
  fill(*view, info);
  return write(call.form, info);
}

// --- rooms ---------------------------------------------------------------------------------------

// The reference server's default for rooms that a backend made and nobody joined yet.  Ours would be gone before the
// backend has handed out its tokens.
constexpr uint32_t kEmptyTimeoutS = 300;

Check check_room_options(const pb::CreateRoomRequest& request) {
  if (request.has_egress() || request.agents_size() > 0 || !request.room_preset().empty())
    return Refusal{Code::Unimplemented, "egress, agents and room_preset are not served"};
  if (request.empty_timeout() > limits::kRoomTimeoutSMax)
    return invalid("empty_timeout: must be at most " + std::to_string(limits::kRoomTimeoutSMax) +
                   " seconds");
  if (request.departure_timeout() > limits::kRoomTimeoutSMax)
    return invalid("departure_timeout: must be at most " +
                   std::to_string(limits::kRoomTimeoutSMax) + " seconds");
  return check_length("metadata", request.metadata().size(), limits::kMetadataBytesMax);
}

Step create_room(ReadContext& context) {
  pb::CreateRoomRequest request;
  if (auto refusal = read(context.call.form, context.body, request)) return no(*refusal);
  if (auto refusal = take_room(context, "name", request.name())) return no(*refusal);
  if (auto refusal = check_room_options(request)) return no(*refusal);
  if (!context.app.enabled)
    return no({Code::FailedPrecondition, "the application is disabled: nobody could join"});
  const uint32_t empty_timeout =
      request.empty_timeout() == 0 ? kEmptyTimeoutS : request.empty_timeout();
  return domain::OpenRoom{.waiter = context.waiter,
                          .app = context.app.id,
                          .room = context.call.room,
                          .empty_timeout = timeout_of(empty_timeout),
                          .departure_timeout = timeout_of(request.departure_timeout()),
                          .max_participants = request.max_participants(),
                          .metadata = request.metadata(),
                          .origin = origin_of(context.call)};
}

Step list_rooms(ReadContext& context) {
  pb::ListRoomsRequest request;
  if (auto refusal = read(context.call.form, context.body, request)) return no(*refusal);
  for (const std::string& name : request.names()) {
    if (auto refusal = check_id("names", name, context.app)) return no(*refusal);
    context.call.rooms.emplace_back(name);
  }
  return std::nullopt;
}

Response listed_rooms(const PendingCall& call, const domain::Registry& registry) {
  constexpr size_t kBatch = limits::kPageMax;
  pb::ListRoomsResponse response;
  size_t bytes = 0;
  const auto add = [&](const domain::RoomView& view) {
    fill(view, *response.add_rooms());
    bytes += response.rooms(response.rooms_size() - 1).ByteSizeLong();
    return !is_too_long(bytes);
  };
  if (!call.rooms.empty()) {
    for (const RoomId& name : std::set(call.rooms.begin(), call.rooms.end()))
      if (const auto view = registry.find_room(call.caller.app, name); view && !add(*view))
        return too_long("names");
    return write(call.form, response);
  }
  RoomId after;
  for (bool has_more = true; has_more;) {
    const auto batch = registry.list_rooms(call.caller.app, after, kBatch);
    for (const domain::RoomView& view : batch)
      if (!add(view)) return too_long("rooms");
    has_more = batch.size() == kBatch;
    if (has_more) after = batch.back().room;
  }
  return write(call.form, response);
}

Step delete_room(ReadContext& context) {
  pb::DeleteRoomRequest request;
  if (auto refusal = read(context.call.form, context.body, request)) return no(*refusal);
  if (auto refusal = take_room(context, "room", request.room())) return no(*refusal);
  return domain::DismissRoom{.waiter = context.waiter,
                             .app = context.app.id,
                             .room = context.call.room,
                             .operator_id = context.call.caller.api_key,
                             .request_id = context.call.request_id,
                             .reason = {}};
}

Step update_room_metadata(ReadContext& context) {
  pb::UpdateRoomMetadataRequest request;
  if (auto refusal = read(context.call.form, context.body, request)) return no(*refusal);
  if (auto refusal = take_own_room(context, request.room())) return no(*refusal);
  if (auto refusal = check_length("metadata", request.metadata().size(), limits::kMetadataBytesMax))
    return no(*refusal);
  return domain::ChangeRoomMetadata{.waiter = context.waiter,
                                    .app = context.app.id,
                                    .room = context.call.room,
                                    .metadata = request.metadata(),
                                    .origin = origin_of(context.call)};
}

// --- participants --------------------------------------------------------------------------------

Step list_participants(ReadContext& context) {
  pb::ListParticipantsRequest request;
  if (auto refusal = read(context.call.form, context.body, request)) return no(*refusal);
  if (auto refusal = take_own_room(context, request.room())) return no(*refusal);
  return std::nullopt;
}

// Nobody is in a room that does not exist: an empty list, as the reference server has it.
Response listed_participants(const PendingCall& call, const domain::Registry& registry) {
  pb::ListParticipantsResponse response;
  const auto room = registry.find_room(call.caller.app, call.room);
  if (!room) return write(call.form, response);
  size_t bytes = 0;
  for (const auto& view : registry.participants(room->sid)) {
    pb::ParticipantInfo& info = *response.add_participants();
    fill(*view, info);
    bytes += info.ByteSizeLong();
    if (is_too_long(bytes)) return too_long("participants");
  }
  return write(call.form, response);
}

Step get_participant(ReadContext& context) {
  pb::RoomParticipantIdentity request;
  if (auto refusal = read(context.call.form, context.body, request)) return no(*refusal);
  if (auto refusal = take_user(context, request.room(), request.identity())) return no(*refusal);
  return std::nullopt;
}

Step remove_participant(ReadContext& context) {
  pb::RoomParticipantIdentity request;
  if (auto refusal = read(context.call.form, context.body, request)) return no(*refusal);
  if (auto refusal = take_user(context, request.room(), request.identity())) return no(*refusal);
  // To the registry a kick of nobody is done.
  if (!context.registry.find_user(context.app.id, context.call.room, context.call.user))
    return no(who_is_missing(context.call, context.registry));
  return domain::RemoveUser{.waiter = context.waiter,
                            .app = context.app.id,
                            .room = context.call.room,
                            .user = context.call.user,
                            .origin = origin_of(context.call)};
}

Step update_participant(ReadContext& context) {
  pb::UpdateParticipantRequest request;
  if (auto refusal = read(context.call.form, context.body, request)) return no(*refusal);
  if (auto refusal = take_user(context, request.room(), request.identity())) return no(*refusal);
  if (auto refusal = check_length("name", request.name().size(), limits::kNameBytesMax))
    return no(*refusal);
  if (auto refusal = check_length("metadata", request.metadata().size(), limits::kMetadataBytesMax))
    return no(*refusal);
  domain::ChangeParticipant command{.waiter = context.waiter,
                                    .app = context.app.id,
                                    .room = context.call.room,
                                    .user = context.call.user,
                                    .name = {},
                                    .metadata = {},
                                    .attributes = {},
                                    .permissions = {},
                                    .origin = origin_of(context.call)};
  if (!request.name().empty()) command.name = request.name();
  if (!request.metadata().empty()) command.metadata = request.metadata();
  command.attributes.insert(request.attributes().begin(), request.attributes().end());
  if (request.has_permission()) command.permissions = read_permissions(request.permission());
  return command;
}

// --- tracks --------------------------------------------------------------------------------------

Step mute_published_track(ReadContext& context) {
  pb::MuteRoomTrackRequest request;
  if (auto refusal = read(context.call.form, context.body, request)) return no(*refusal);
  if (auto refusal = take_user(context, request.room(), request.identity())) return no(*refusal);
  if (request.track_sid().empty()) return no(invalid("track_sid: is required"));
  if (!request.muted())
    return no({Code::FailedPrecondition, "remote unmute is not enabled: users unmute themselves"});
  context.call.track = TrackSid(request.track_sid());
  return domain::MuteByServer{.waiter = context.waiter,
                              .app = context.app.id,
                              .room = context.call.room,
                              .user = context.call.user,
                              .track = context.call.track,
                              .muted = true,
                              .origin = origin_of(context.call)};
}

Response muted_track(const PendingCall& call, const domain::Registry& registry) {
  const auto view = registry.find_user(call.caller.app, call.room, call.user);
  if (view == nullptr) return refuse(no_such_participant());
  const auto track = std::ranges::find(view->tracks, call.track, &domain::TrackView::sid);
  if (track == view->tracks.end()) return refuse({Code::NotFound, "track does not exist"});
  pb::MuteRoomTrackResponse response;
  fill(*track, *response.mutable_track());
  return write(call.form, response);
}

Step update_subscriptions(ReadContext& context) {
  pb::UpdateSubscriptionsRequest request;
  if (auto refusal = read(context.call.form, context.body, request)) return no(*refusal);
  if (auto refusal = take_user(context, request.room(), request.identity())) return no(*refusal);
  domain::SubscribeByServer command{.waiter = context.waiter,
                                    .app = context.app.id,
                                    .room = context.call.room,
                                    .user = context.call.user,
                                    .tracks = {},
                                    .subscribe = request.subscribe(),
                                    .origin = origin_of(context.call)};
  for (const std::string& sid : request.track_sids()) command.tracks.emplace_back(sid);
  for (const pb::ParticipantTracks& one : request.participant_tracks())
    for (const std::string& sid : one.track_sids()) command.tracks.emplace_back(sid);
  if (auto refusal = check_count("track_sids", command.tracks.size(), limits::kTracksPerRoomMax))
    return no(*refusal);
  return command;
}

// --- data ----------------------------------------------------------------------------------------

// Whom the message is for; nullopt: everybody in the room.  Sids that name nobody are nobody.
std::optional<std::vector<UserId>> addressees(const ReadContext& context, const RoomSid& room,
                                              const pb::SendDataRequest& request) {
  if (request.destination_identities().empty() && request.destination_sids().empty())
    return std::nullopt;
  std::vector<UserId> out;
  for (const std::string& identity : request.destination_identities()) out.emplace_back(identity);
  if (request.destination_sids().empty()) return out;
  const std::set<std::string_view> sids(request.destination_sids().begin(),
                                        request.destination_sids().end());
  for (const auto& view : context.registry.participants(room))
    if (sids.contains(view->sid.value)) out.push_back(view->user);
  return out;
}

Check check_data(const pb::SendDataRequest& request) {
  constexpr std::string_view kOurTopics = "atrium.";
  if (auto refusal = check_length("data", request.data().size(), limits::kMessageRoomBytesMax))
    return refusal;
  if (auto refusal = check_length("topic", request.topic().size(), limits::kIdBytesMax))
    return refusal;
  if (request.topic().starts_with(kOurTopics))
    return invalid("topic: those that begin with \"atrium.\" are the server's own");
  return check_count("destination_identities and destination_sids",
                     static_cast<size_t>(request.destination_identities_size()) +
                         static_cast<size_t>(request.destination_sids_size()),
                     limits::kParticipantsPerRoomMax);
}

Step send_data(ReadContext& context) {
  pb::SendDataRequest request;
  if (auto refusal = read(context.call.form, context.body, request)) return no(*refusal);
  if (auto refusal = take_own_room(context, request.room())) return no(*refusal);
  if (auto refusal = check_data(request)) return no(*refusal);
  const auto room = context.registry.find_room(context.app.id, context.call.room);
  if (!room) return no(no_such_room());
  const ByteView data = as_bytes(request.data());
  return domain::SendMessage{.waiter = context.waiter,
                             .app = context.app.id,
                             .room = context.call.room,
                             .users = addressees(context, room->sid, request),
                             .from = {},
                             .is_binary = true,
                             .payload = Bytes(data.begin(), data.end()),
                             .topic = request.topic(),
                             .is_lossy = request.kind() == pb::SendDataRequest::LOSSY};
}

// -------------------------------------------------------------------------------------------------

constexpr auto kMethods = std::to_array<Method>({
    {"CreateRoom", Grant::RoomCreate, "messages", create_room, current_room},
    {"ListRooms", Grant::RoomList, "ListRooms", list_rooms, listed_rooms},
    {"DeleteRoom", Grant::RoomCreate, "DismissRoom", delete_room, nothing},
    {"ListParticipants", Grant::RoomAdmin, "GetRoomOnlineUsers", list_participants,
     listed_participants},
    {"GetParticipant", Grant::RoomAdmin, "GetRoomOnlineUsers", get_participant,
     current_participant},
    {"RemoveParticipant", Grant::RoomAdmin, "KickUser", remove_participant, nothing},
    {"MutePublishedTrack", Grant::RoomAdmin, "BanUserStream", mute_published_track, muted_track},
    {"UpdateParticipant", Grant::RoomAdmin, "messages", update_participant, current_participant},
    {"UpdateSubscriptions", Grant::RoomAdmin, "messages", update_subscriptions, nothing},
    {"SendData", Grant::RoomAdmin, "messages", send_data, nothing},
    {"UpdateRoomMetadata", Grant::RoomAdmin, "messages", update_room_metadata, current_room},
});

constexpr std::array<std::string_view, 3> kUnserved{"ForwardParticipant", "MoveParticipant",
                                                    "PerformRpc"};

}  // namespace

std::span<const Method> methods() {
  return kMethods;
}

bool is_unserved(std::string_view method) {
  return std::ranges::find(kUnserved, method) != kUnserved.end();
}

}  // namespace atrium::twirp
