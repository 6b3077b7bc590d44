// BanUserStream and UnbanUserStream (vendor-contract 1.3.5): a user goes on publishing and nobody gets its audio or
// video, until it is given back, the interval is over or the room ends.  Only kinds that are true are banned, or given
// back; no room is success.
#include <array>

#include "adapters/openapi/results.h"
#include "base/limits.h"

namespace atrium::openapi::actions {
namespace {

// The vendor's table; its prose says 10 s for the shortest one.
constexpr BanRange kRange{limits::kBanSecondsMinByteplus, limits::kBanSecondsMaxByteplus};

constexpr auto kFields2020 = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Required, ""},
    {"UserId", FieldType::Text, FieldUse::Required, ""},
    {"Token", FieldType::Text, FieldUse::Required,
     ""},  // the access key is proof enough: not looked at
    {"Video", FieldType::Boolean, FieldUse::Optional, ""},
    {"Audio", FieldType::Boolean, FieldUse::Optional, ""},
});
// Of UnbanUserStream an interval is ignored, as any unknown field.
constexpr auto kFields2023 = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Required, ""},
    {"UserId", FieldType::Text, FieldUse::Required, ""},
    {"Video", FieldType::Boolean, FieldUse::Optional, ""},
    {"Audio", FieldType::Boolean, FieldUse::Optional, ""},
    {"ForbiddenInterval", FieldType::Integer, FieldUse::Optional, ""},
});

template <bool is_banned>
HandlerStep set(ActionContext& context) {
  if (auto refusal = check_room_id(context.args, context.app)) return *refusal;
  if (auto refusal = check_user_id(context.args, context.app)) return *refusal;
  auto interval = read_interval(context.args, kRange);
  if (is_banned && !interval) return interval.error();
  const auto wanted = [&](const char* kind) {
    return context.args.flag(kind) ? std::optional(is_banned) : std::nullopt;
  };
  return ApplyCommand{domain::SetStreamBan{.waiter = context.waiter,
                                           .app = context.app.id,
                                           .room = RoomId(context.args.text("RoomId")),
                                           .user = UserId(context.args.text("UserId")),
                                           .audio = wanted("Audio"),
                                           .video = wanted("Video"),
                                           .interval = interval.value_or(Duration{})}};
}

constexpr ActionRow row(std::string_view name, std::string_view version,
                        std::span<const FieldRule> fields, Handler handle) {
  return {.name = name,
          .version = version,
          .method = Method::Post,
          .per_second = 60,
          .quota = QuotaScope::Account,
          .scope = KeyScope::Ban,
          .unknown = Unknown::Ignored,
          .fields = fields,
          .handle = handle,
          .on_applied = shape_success};
}

constexpr auto kRows =
    std::to_array<ActionRow>({row("BanUserStream", kVersion2020, kFields2020, set<true>),
                              row("BanUserStream", kVersion2023, kFields2023, set<true>),
                              row("UnbanUserStream", kVersion2020, kFields2020, set<false>),
                              row("UnbanUserStream", kVersion2023, kFields2023, set<false>)});

}  // namespace

std::span<const ActionRow> user_stream_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
