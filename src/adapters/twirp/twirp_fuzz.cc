// Any method with any body, in both forms, from a caller who may do everything: what is refused is refused in words,
// what passes names a legal room.
#include <cstdint>
#include <string>
#include <variant>

#include "adapters/twirp/service.h"
#include "base/check.h"
#include "base/seeded_secret_source.h"
#include "domain/id_rule.h"

using namespace atrium;

namespace {

constexpr std::string_view kMethods[] = {
    "CreateRoom",          "ListRooms",         "DeleteRoom",         "ListParticipants",
    "GetParticipant",      "RemoveParticipant", "MutePublishedTrack", "UpdateParticipant",
    "UpdateSubscriptions", "SendData",          "UpdateRoomMetadata", "MoveParticipant"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  SeededSecretSource secrets{1};
  domain::Registry registry(secrets, {});
  domain::App app;
  app.id = AppId("a7e100000000000000000001");
  registry.apply(domain::RestoreApps{{app}}, {});
  const twirp::Caller caller{.app = app.id,
                             .api_key = "key",
                             .is_management = true,
                             .room_create = true,
                             .room_list = true,
                             .room_admin = true,
                             .room = RoomId("room1")};
  const std::string path =
      "/twirp/livekit.RoomService/" + std::string(kMethods[data[0] % std::size(kMethods)]);
  const twirp::Request request{
      .method = "POST",
      .path = path,
      .content_type = data[1] % 2 == 0 ? "application/json" : "application/protobuf",
      .body = {reinterpret_cast<const char*>(data) + 2, size - 2},
      .request_id = "RQ_1"};
  const auto outcome = twirp::read(request, caller, registry, WaiterId{1});
  if (const auto* refused = std::get_if<twirp::Response>(&outcome)) {
    CHECK(refused->status >= 400 && !refused->error.empty());
    return 0;
  }
  const auto& call = std::get<twirp::Call>(outcome);
  CHECK(call.pending.room.empty() || domain::is_legal_id(call.pending.room.value, false));
  if (!call.command) CHECK(!twirp::answer(call.pending, registry).body.empty() || data[1] % 2 == 1);
  return 0;
}
