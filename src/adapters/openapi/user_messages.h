// What the actions that send messages to people share (vendor-contract 1.4): the fields that all have, their checks,
// their one quota, the answer.  Each action's own: whom it means, and how long a message may be.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string_view>

#include "adapters/openapi/action.h"
#include "domain/command.h"

namespace atrium::openapi {

// From, Binary and Message into a command without addressees.  IllegalFrom, SizeOverLimit; InvalidParameter for Base64
// that is none.
std::expected<domain::SendMessage, Refusal> read_message(const ActionContext& context,
                                                         int64_t bytes_max);
// IllegalFrom: a backend that speaks under the id of a user who is there would be taken for that user.  `room` absent:
// who is in any room of the app.
std::optional<Refusal> check_sender(const ActionContext& context,
                                    const std::optional<RoomId>& room);
// IllegalTo.
std::optional<Refusal> check_addressee(std::string_view id, const domain::App& app);

// {"Message":"success"} in every version: the exception to the rule of message_json (vendor-contract 1.3).
Answer message_sent(const PendingCall& call, const domain::ActionReply& reply);

constexpr ActionRow message_row(std::string_view name, std::string_view version,
                                std::span<const FieldRule> fields, Handler handle) {
  return {.name = name,
          .version = version,
          .method = Method::Post,
          .per_second = 500,
          .quota = QuotaScope::Account,
          .quota_name = "messages",
          .scope = KeyScope::Room,
          .unknown = Unknown::Ignored,
          .fields = fields,
          .handle = handle,
          .on_applied = message_sent};
}

}  // namespace atrium::openapi
