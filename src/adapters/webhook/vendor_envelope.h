// The vendor's callback (vendor-contract 6): the body that is posted and its signature.  Pure; what a try needs anew
// (nonce, signature) is drawn from the SecretSource that is given, everything else depends on the event alone.
#pragma once

#include <string>
#include <string_view>

#include "base/secret_source.h"
#include "domain/event.h"
#include "domain/webhook.h"

namespace atrium::webhook {

// The eight values that are signed (6.3).
struct SignedValues {
  std::string_view event_type, event_data, event_time, event_id, app_id, version, nonce, secret;
};
// Sorted in byte order, joined, SHA-256, lower-case hex.
std::string vendor_signature(const SignedValues& values);

// The JSON text in EventData.  Of UserLeft the `Reason` is one of the vendor's words:
//   userLeave             UserLeave
//   connectionLost        ConnectionLost; also JoinTimeout, MediaFailure, StateMismatch, ServerShutdown, for which the
//                         vendor has no word: to a backend, the user was lost
//   userDuplicateLogin    DuplicateLogin
//   kickedByAdmin         KickedByAdmin
//   roomDismissByAdmin    RoomDismissed
//   onUserTokenDidExpire  TokenExpired
//   userLeave             None and RoomClosed, which no departure has
// `ReasonDetail`, ours, is there where the reason has more than that word (domain::Reason).
std::string vendor_event_data(const domain::Event& event);

// The whole body.  The dialect must have a word for the event (domain::event_name).
std::string vendor_body(const domain::StoredEvent& event, const domain::Webhook& webhook,
                        SecretSource& secrets);

}  // namespace atrium::webhook
