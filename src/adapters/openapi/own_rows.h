// Rows of our own version, as most of its actions have them: quotas count per account, and a change refuses fields that
// it does not know.
#pragma once

#include "adapters/openapi/action.h"

namespace atrium::openapi {

// POST, with the fields in a JSON body.
constexpr ActionRow own_change(std::string_view name, KeyScope scope, uint32_t per_second,
                               std::span<const FieldRule> fields, Handler handle) {
  return {.name = name,
          .version = kVersionOwn,
          .method = Method::Post,
          .per_second = per_second,
          .quota = QuotaScope::Account,
          .scope = scope,
          .unknown = Unknown::Refused,
          .fields = fields,
          .handle = handle};
}
// GET, with the fields in the query.
constexpr ActionRow own_read(std::string_view name, uint32_t per_second,
                             std::span<const FieldRule> fields, Handler handle) {
  return {.name = name,
          .version = kVersionOwn,
          .method = Method::Get,
          .per_second = per_second,
          .quota = QuotaScope::Account,
          .scope = KeyScope::Read,
          .fields = fields,
          .handle = handle};
}
// A read that is asked by POST, as the first of our actions are.
constexpr ActionRow own_read_by_post(std::string_view name, std::span<const FieldRule> fields,
                                     Handler handle) {
  constexpr uint32_t kPerSecond = 20;
  return own_change(name, KeyScope::Read, kPerSecond, fields, handle);
}

constexpr ActionRow answered_by(ActionRow row, ActionShaper shaper) {
  row.on_applied = shaper;
  return row;
}
constexpr ActionRow answered_by(ActionRow row, TestShaper shaper) {
  row.on_tested = shaper;
  return row;
}
constexpr ActionRow answered_by(ActionRow row, RecordShaper shaper) {
  row.on_record = shaper;
  return row;
}
constexpr ActionRow answered_by(ActionRow row, BansShaper shaper) {
  row.on_bans = shaper;
  return row;
}
constexpr ActionRow answered_by(ActionRow row, EventsShaper shaper) {
  row.on_events = shaper;
  return row;
}
constexpr ActionRow answered_by(ActionRow row, AuditShaper shaper) {
  row.on_audit = shaper;
  return row;
}
constexpr ActionRow answered_by(ActionRow row, BulkShaper shaper) {
  row.on_bulk = shaper;
  return row;
}
constexpr ActionRow answered_by(ActionRow row, DeadLettersShaper shaper) {
  row.on_dead_letters = shaper;
  return row;
}
constexpr ActionRow answered_by(ActionRow row, BacklogsShaper shaper) {
  row.on_backlogs = shaper;
  return row;
}

}  // namespace atrium::openapi
