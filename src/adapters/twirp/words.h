// One vocabulary in two spellings: the domain's views and RoomService's messages.  Private to the adapter: includes
// generated code.
#pragma once

#include "domain/types.h"
#include "twirp_livekit_room_service.pb.h"

namespace atrium::twirp {

void fill(const domain::RoomView& view, pb::Room& room);
void fill(const domain::ParticipantView& view, pb::ParticipantInfo& info);
void fill(const domain::TrackView& view, pb::TrackInfo& info);

// All of what it says, and nothing of what a participant had; visibility is not changed by it.
domain::Permissions read_permissions(const pb::ParticipantPermission& permission);

}  // namespace atrium::twirp
