// One vocabulary in two spellings: the domain's enumerations and structures, and the protocol's
// messages.  Private to the adapter: includes generated code.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "adapters/signal/decode.h"
#include "adapters/signal/join_request.h"
#include "domain/effect.h"
#include "domain/types.h"
#include "livekit_signal.pb.h"

namespace atrium::signal {

pb::TrackType to_pb(domain::TrackKind kind);
pb::TrackSource to_pb(domain::TrackSource source);
pb::ParticipantInfo::State to_pb(domain::ParticipantState state);
pb::DisconnectReason to_pb(domain::LeaveReason reason);
pb::LeaveRequest::Action to_pb(domain::LeaveAction action);
pb::RequestResponse::Reason to_pb(domain::RequestOutcome outcome);

void fill(const domain::TrackView& view, pb::TrackInfo& info);
void fill(const domain::ParticipantView& view, pb::ParticipantInfo& info);
void fill(const domain::RoomView& view, pb::Room& room);
void fill(const domain::TrackView& view, pb::AddTrackRequest& request);  // as it was asked for

domain::TrackSource from_pb(pb::TrackSource source);
domain::VideoQuality from_pb(pb::VideoQuality quality);

// "js", "node", …; "unknown" for numbers that have no name here.
std::string sdk_name(pb::ClientInfo::Sdk sdk);
// "CAP_PACKET_TRAILER", or the number as text; and back.  nullopt for neither.
std::string capability_name(int number);
std::optional<int> capability_number(std::string_view name);

// Parts that both a frame and a join_request hold.
Result<ClientMessage> decode_add_track(const pb::AddTrackRequest& request,
                                       const ParticipantSid& participant);
Result<SyncState> decode_sync_state(const pb::SyncState& state);
Result<ClientOffer> decode_offer(const pb::SessionDescription& description);

}  // namespace atrium::signal
