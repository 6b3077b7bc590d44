// LiveKit's webhook (livekit-protocol 7.2): the body, proto-JSON of livekit.WebhookEvent, and the JWT that signs it.
// The body has that message's fields and no others, since some receivers refuse unknown ones; what is ours stands in
// the JWT's claim "atrium".  Pure.
#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "domain/event.h"
#include "domain/types.h"
#include "domain/webhook.h"

namespace atrium::webhook {

// The key that signs for this webhook: its own, or of its app the one that it names, or the AppId with an AppKey.
// Nullopt: the app has no such key any more.
std::optional<domain::ApiKey> livekit_key(const domain::Webhook& webhook, const domain::App& app);

// Room creation is told by room_started alone: no other event knows it.
std::string livekit_body(const domain::Event& event);

// The text of the header Authorization: HS256, `iss` the key, `sha256` of exactly this body, valid for five minutes
// from `now`; claim "atrium": sequence, and the reason where it has more to say than disconnectReason.
std::string livekit_authorization(const domain::StoredEvent& event, std::string_view body,
                                  const domain::ApiKey& key, Wall now);

}  // namespace atrium::webhook
