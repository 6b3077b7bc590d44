// The rules that every message to a client keeps (docs/protocol/signalling.md, "what must never be
// sent").  A native SDK aborts its whole process, and a browser SDK drops updates or gives up, when
// one is broken.  Private to the adapter.
#pragma once

#include <string_view>

#include "base/result.h"
#include "livekit_signal.pb.h"

namespace atrium::signal {

inline constexpr std::string_view kParticipantPrefix = "PA_", kTrackPrefix = "TR_",
                                  kRoomPrefix = "RM_";

// Prefix and at least 12 base-62 characters.
bool is_sid(std::string_view text, std::string_view prefix);

// Internal, naming the rule, when `response` must not be sent.
Result<void> check_outgoing(const pb::SignalResponse& response);

}  // namespace atrium::signal
