// The methods of RoomService: a row of plain data and two small functions each.  Private to the adapter.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string_view>

#include "adapters/twirp/service.h"
#include "domain/registry.h"

namespace atrium::twirp {

struct ReadContext {
  std::string_view body;
  const domain::App& app;
  const domain::Registry& registry;
  WaiterId waiter;
  PendingCall& call;  // remembers what the answer needs
};

// What is to be done, or why not; nothing where the method only looks.
using Step = std::expected<std::optional<domain::Command>, Refusal>;

enum class Grant : uint8_t { RoomCreate, RoomList, RoomAdmin };

struct Method {
  std::string_view name;
  Grant grant;  // RoomAdmin: for the room that the request names
  // The quota of the management action that does the same, or whose cost is the same (openapi::quota_of()).
  std::string_view quota;
  Step (*read)(ReadContext& context);
  // What the caller is told: of a change once it is done.
  Response (*answer)(const PendingCall& call, const domain::Registry& registry);
};

std::span<const Method> methods();
// Known to the protocol, not to this server.
bool is_unserved(std::string_view method);

}  // namespace atrium::twirp
