// What a removed user is told, in which words and under which numbers (DESIGN section 1, vendor-contract 5.1).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "domain/effect.h"

namespace atrium::domain {

// The vendor's name of the code as its web SDK spells it: "ROOM_DISMISS".
std::string_view client_code_name(ClientCode code);
// One English sentence for people.
std::string_view client_code_message(ClientCode code);
// WebSocket close code of a removal: 3000 + |code|, so -1011 → 4011.
constexpr uint16_t close_code(ClientCode code) {
  return static_cast<uint16_t>(3000 - static_cast<int>(code));
}
// `text`: the caller's words; empty: our sentence.  Without a code only `why` is known.
Reason make_reason(LeaveReason why, std::optional<ClientCode> code, const std::string& text = {},
                   const OperationId& operation = {}, const std::string& operator_id = {});
Notice make_notice(const Reason& reason, std::optional<Wall> forbidden_until = {});
Notice make_notice(const Tombstone& tombstone);

// Payload of a server message on topic "atrium.error" about a privilege: {"code":-1002,"name":…,"message":…}.
std::string error_payload(ClientCode code);
// Payload of "atrium.token_will_expire": {"expiresAt":<unix ms>}.
std::string token_will_expire_payload(Wall expires_at);

}  // namespace atrium::domain
