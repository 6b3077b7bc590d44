// The notice's first step (DESIGN section 1): what a removed user's data channel is told on topic `atrium.error`.
// Names, sentences and close codes of the codes are the domain's (domain/notices.h).
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "domain/effect.h"

namespace atrium::signal {

inline constexpr std::string_view kErrorTopic = "atrium.error";

// {"code":-1011,"name":"ROOM_DISMISS","message":…,"operationId":…,"forbiddenTime":<unix ms>}; the last two where known.
std::string notice_json(const domain::Notice& notice);
// The same as a reliable DataPacket without sender, ready for a `_reliable` channel.
Bytes notice_packet(const domain::Notice& notice);
// Topic atrium.stream_banned, {"userId","audio","video"}: what of that user is banned now.
Bytes stream_ban_packet(const UserId& user, bool audio, bool video);
// Topics atrium.dismissal_scheduled and atrium.dismissal_cancelled,
// {"scheduleId","dueAt":<unix ms>,"remainingMs","reason","refusesJoins"}; atrium.room_ends and
// atrium.room_ends_cancelled, {"cause","dueAt","remainingMs","reason"}.
Bytes countdown_packet(const domain::Countdown& countdown);
// Any JSON of the server's on a topic of its own, as DataPacket (domain::SendServerData).
Bytes server_data_packet(std::string_view topic, std::string_view json);

// Why the session ends, in LeaveReason's words: -1011 RoomDismissed, -1004 DuplicateLogin, -1009
// TokenExpired, else Kicked.
domain::LeaveReason leave_reason(domain::ClientCode code);

}  // namespace atrium::signal
