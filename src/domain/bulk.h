// BulkDismissal: many lives dismissed by one call.  Which ones is settled when the call is accepted; later lives of the
// same names are not touched.  Plain data; the store keeps it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/types.h"

namespace atrium::domain {

// Which lives of an app: all that are given must hold.
struct BulkFilter {
  std::optional<std::vector<RoomId>> rooms = {};  // these names; absent: any
  std::string prefix = {};                        // of the name
  std::optional<Duration> older_than = {};
  std::optional<uint32_t> users_at_most = {};  // present, the invisible ones included
};

struct BulkItem {
  RoomId room;
  RoomSid room_sid;  // empty: the room had no life when the call was accepted
  friend bool operator==(const BulkItem&, const BulkItem&) = default;
};

struct BulkDismissal {
  OperationId operation;  // "OP_…", of the whole; each room's dismissal has its own
  AppId app;
  std::string operator_id, request_id, reason;
  Wall accepted_at{};
  std::optional<Wall> finished_at = {};
  uint32_t per_second = 0;      // pace
  std::vector<BulkItem> items;  // at most kBulkRoomsMax
  friend bool operator==(const BulkDismissal&, const BulkDismissal&) = default;
};

// What became of one of them, as the store tells it.
enum class BulkItemState : uint8_t { Waiting, Running, Dismissed, Failed, NotThere };
struct BulkItemResult {
  BulkItem item;
  BulkItemState state = BulkItemState::Waiting;
  std::optional<OperationId> operation = {};  // of its dismissal
};
struct BulkPage {
  BulkDismissal bulk;  // without items
  uint32_t total = 0;
  size_t offset = 0;
  std::vector<BulkItemResult> items;
};

}  // namespace atrium::domain
