// Identifiers as types, so that a name is never taken for a life.  Strings of the customer's: AppId, RoomId, UserId.
// Ours: RoomSid (one life of a room), ParticipantSid, TrackSid, OperationId, BanId, EventId, ScheduleId, WebhookId:
// prefix + 17 base-62 characters.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace atrium {

template <typename Tag>
struct StringId {
  std::string value;
  StringId() = default;
  explicit StringId(std::string v) : value(std::move(v)) {}
  explicit StringId(std::string_view v) : value(v) {}
  explicit StringId(const char* v) : value(v) {}
  bool empty() const { return value.empty(); }
  friend auto operator<=>(const StringId&, const StringId&) = default;
  friend bool operator==(const StringId&, const StringId&) = default;
};

using AppId = StringId<struct AppIdTag>;
using RoomId = StringId<struct RoomIdTag>;
using UserId = StringId<struct UserIdTag>;  // LiveKit calls it identity
using RoomSid = StringId<struct RoomSidTag>;
using ParticipantSid = StringId<struct ParticipantSidTag>;
using TrackSid = StringId<struct TrackSidTag>;
using OperationId = StringId<struct OperationIdTag>;
using BanId = StringId<struct BanIdTag>;
using EventId = StringId<struct EventIdTag>;
using ScheduleId = StringId<struct ScheduleIdTag>;
using WebhookId = StringId<struct WebhookIdTag>;

// Small numbers that name something inside one process.  Never reused while the process lives.
template <typename Tag>
struct NumberId {
  uint64_t value = 0;
  friend auto operator<=>(const NumberId&, const NumberId&) = default;
  friend bool operator==(const NumberId&, const NumberId&) = default;
};

using ConnectionId = NumberId<struct ConnectionIdTag>;  // one HTTP or WebSocket connection
using TransportId = NumberId<struct TransportIdTag>;  // one ICE/DTLS transport on a shard; 0 = none
using LifeId = NumberId<struct LifeIdTag>;            // a room life as the media core knows it
using TrackId = NumberId<struct TrackIdTag>;          // an uplink track as the media core knows it
using WaiterId = NumberId<struct WaiterIdTag>;        // who waits for a reply; given by the caller

}  // namespace atrium

template <typename Tag>
struct std::hash<atrium::StringId<Tag>> {
  size_t operator()(const atrium::StringId<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.value);
  }
};
template <typename Tag>
struct std::hash<atrium::NumberId<Tag>> {
  size_t operator()(const atrium::NumberId<Tag>& id) const noexcept {
    return std::hash<uint64_t>{}(id.value);
  }
};
