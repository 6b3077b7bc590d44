// What a webhook calls an event, and which events it wants.  Pure; the store asks before it writes a delivery
// (adapters/store/events.h), the encoder when it writes a body (adapters/webhook).
#pragma once

#include <string_view>

#include "domain/event.h"
#include "domain/webhook.h"

namespace atrium::domain {

// "UserJoinRoom", "room_started".  Empty: the dialect has no word for it (the vendor's has none for tracks).
// RoomStarted is "RoomCreate" in the vendor's: an extension, see wants().
std::string_view event_name(WebhookDialect dialect, const Event& event);

// True: the webhook names this event, or names none and its dialect has the event without an extension.  Whether it is
// enabled and of the same app is another question.
bool wants(const Webhook& webhook, const Event& event);

}  // namespace atrium::domain
