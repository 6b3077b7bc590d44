// Grants: what a token allows and for how long, and what a participant may say about itself.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "domain/core.h"
#include "domain/notices.h"

namespace atrium::domain {
namespace {

constexpr char kTopicTokenWillExpire[] = "atrium.token_will_expire";
constexpr char kTopicError[] = "atrium.error";

void say_error(Core& core, const ParticipantSid& participant, ClientCode code) {
  core.out.put(SendServerData{participant, kTopicError, error_payload(code)});
}

bool has_passed(const std::optional<Wall>& expiry, Now now) {
  return expiry && *expiry <= now.wall;
}

void end_forbidden_publications(Core& core, Room& room, Participant& participant) {
  std::vector<TrackSid> forbidden;
  for (const auto& [sid, publication] : participant.publications)
    if (!participant.can_publish(publication.view.source)) forbidden.push_back(sid);
  for (const TrackSid& track : forbidden)
    unpublish(core, room, participant, track, UnpublishedBy::Server);
}

// What follows from permissions that are not what they were.
void permissions_changed(Core& core, Room& room, Participant& participant,
                         const Permissions& before) {
  const Permissions after = participant.effective_permissions();
  if (after == before) return;
  if (after.can_publish_data != before.can_publish_data)
    core.out.put(SetDataPermission{participant.sid(), after.can_publish_data});
  end_forbidden_publications(core, room, participant);
  if (after.can_subscribe != before.can_subscribe) settle_subscriber(core, room, participant);
  policy_meets_participant(core, room, participant);
  announce_change(core, room, participant, Audience::Everybody);
}

void take_grants(Core& core, Room& room, Participant& participant, Joiner& joiner) {
  const Permissions before = participant.effective_permissions();
  if (!participant.has_ordered_permissions)
    participant.joiner.permissions = std::move(joiner.permissions);
  participant.joiner.token_hash = joiner.token_hash;
  participant.joiner.removed_at = joiner.removed_at;
  participant.joiner.publish_until = joiner.publish_until;
  participant.joiner.subscribe_until = joiner.subscribe_until;
  start_token_clocks(core, participant);
  permissions_changed(core, room, participant, before);
}

// nullopt never expires, so nothing is later.
bool is_later(const std::optional<Wall>& a, const std::optional<Wall>& b) {
  if (!a || !b) return !a && b;
  return *a > *b;
}

const char* excess_of(const Participant& participant, const Description& described,
                      const std::map<std::string, std::string>& attributes) {
  if (described.name && described.name->size() > static_cast<size_t>(limits::kNameBytesMax))
    return "name too long";
  if (described.metadata &&
      described.metadata->size() > static_cast<size_t>(limits::kMetadataBytesMax))
    return "metadata too long";
  const bool grows = attributes_bytes(attributes) > attributes_bytes(participant.joiner.attributes);
  if (grows && attributes_bytes(attributes) > static_cast<size_t>(limits::kAttributesBytesMax))
    return "attributes too long";
  return nullptr;
}

std::map<std::string, std::string> merged(std::map<std::string, std::string> attributes,
                                          const std::map<std::string, std::string>& changes) {
  for (const auto& [key, value] : changes) {
    if (value.empty()) {
      attributes.erase(key);
    } else {
      attributes[key] = value;
    }
  }
  return attributes;
}

}  // namespace

size_t attributes_bytes(const std::map<std::string, std::string>& attributes) {
  size_t total = 0;
  for (const auto& [key, value] : attributes) total += key.size() + value.size();
  return total;
}

const char* describe(Participant& participant, Description described) {
  std::map<std::string, std::string> attributes =
      merged(participant.joiner.attributes, described.attributes);
  if (const char* excess = excess_of(participant, described, attributes)) return excess;
  if (described.name) participant.joiner.name = std::move(*described.name);
  if (described.metadata) participant.joiner.metadata = std::move(*described.metadata);
  participant.joiner.attributes = std::move(attributes);
  return nullptr;
}

void order_permissions(Core& core, Room& room, Participant& participant, Permissions permissions) {
  const Permissions before = participant.effective_permissions();
  participant.joiner.permissions = std::move(permissions);
  participant.has_ordered_permissions = true;
  permissions_changed(core, room, participant, before);
}

void on(Core& core, UpdateMetadata& command) {
  auto [room, participant] = core.find_present(command.participant);
  if (participant == nullptr) return;
  const auto answer = [&](RequestOutcome outcome, const char* message) {
    core.out.put(RequestAnswer{.participant = command.participant,
                               .kind = RequestKind::UpdateMetadata,
                               .outcome = outcome,
                               .request_id = command.request_id,
                               .message = message,
                               .track = {}});
  };
  if (!participant->joiner.permissions.can_update_metadata)
    return answer(RequestOutcome::NotAllowed, "no permission to change one's own metadata");
  if (const char* excess = describe(*participant, {.name = std::move(command.name),
                                                   .metadata = std::move(command.metadata),
                                                   .attributes = std::move(command.attributes)}))
    return answer(RequestOutcome::LimitExceeded, excess);
  announce_change(core, *room, *participant, Audience::Everybody);
  answer(RequestOutcome::Ok, "");
}

void on(Core& core, RenewToken& command) {
  auto [room, participant] = core.find_present(command.participant);
  if (participant == nullptr) return;
  const Joiner& offered = command.joiner;
  const bool fits = room->name() == name_of(offered) && participant->user() == offered.user &&
                    participant->joiner.token_kind == offered.token_kind &&
                    !has_passed(offered.removed_at, core.now);
  if (!fits) return say_error(core, command.participant, ClientCode::UpdateTokenWithInvalidToken);
  take_grants(core, *room, *participant, command.joiner);
}

void renew_if_newer(Core& core, Room& room, Participant& participant, Joiner& joiner) {
  const bool are_001 = joiner.token_kind == TokenKind::Vendor001 &&
                       participant.joiner.token_kind == TokenKind::Vendor001;
  if (are_001 && is_later(joiner.removed_at, participant.joiner.removed_at))
    take_grants(core, room, participant, joiner);
}

void start_token_clocks(Core& core, Participant& participant) {
  const Joiner& joiner = participant.joiner;
  const auto arm = [&](TimerKind kind, const std::optional<Wall>& expiry, Duration ahead) {
    const Mono deadline = expiry ? deadline_of(*expiry, core.now) : kNever;
    const Mono at = deadline == kNever ? kNever : std::max(core.now.mono, deadline - ahead);
    core.timers.arm(kind, participant.sid().value, at);
  };
  participant.is_token_warning_due = false;
  participant.is_publish_expired = has_passed(joiner.publish_until, core.now);
  participant.is_subscribe_expired = has_passed(joiner.subscribe_until, core.now);
  const Bans::InForce* limit = core.bans.limit_of(joiner.app, joiner.token_hash);
  participant.is_publish_limited = limit != nullptr;
  arm(TimerKind::PublishLimit, limit ? std::optional(limit->expires_at) : std::nullopt, Duration{});
  arm(TimerKind::TokenExpiry, joiner.removed_at, Duration{});
  arm(TimerKind::TokenWarning, joiner.removed_at, limit_ms(limits::kTokenWillExpireMs));
  arm(TimerKind::PublishExpiry,
      participant.is_publish_expired ? std::nullopt : joiner.publish_until, Duration{});
  arm(TimerKind::SubscribeExpiry,
      participant.is_subscribe_expired ? std::nullopt : joiner.subscribe_until, Duration{});
}

void on_token_expired(Core& core, const std::string& participant) {
  auto [room, found] = core.find_present(ParticipantSid(participant));
  if (found == nullptr) return;
  remove_participant(core, *room, found->sid(),
                     {.reason = LeaveReason::TokenExpired,
                      .farewell = Farewell::Notice,
                      .action = LeaveAction::Disconnect,
                      .code = ClientCode::TokenExpired});
}

void on_token_warning_due(Core& core, const std::string& participant) {
  auto [room, found] = core.find_present(ParticipantSid(participant));
  if (found == nullptr || !found->joiner.removed_at) return;
  found->is_token_warning_due = !found->is_notice_channel_open;
  if (found->is_notice_channel_open)
    core.out.put(SendServerData{found->sid(), kTopicTokenWillExpire,
                                token_will_expire_payload(*found->joiner.removed_at)});
}

void on_publish_expired(Core& core, const std::string& participant) {
  auto [room, found] = core.find_present(ParticipantSid(participant));
  if (found == nullptr) return;
  const Permissions before = found->effective_permissions();
  found->is_publish_expired = true;
  say_error(core, found->sid(), ClientCode::NoPublishPermission);
  permissions_changed(core, *room, *found, before);
}

void on_subscribe_expired(Core& core, const std::string& participant) {
  auto [room, found] = core.find_present(ParticipantSid(participant));
  if (found == nullptr) return;
  const Permissions before = found->effective_permissions();
  found->is_subscribe_expired = true;
  say_error(core, found->sid(), ClientCode::NoSubscribePermission);
  permissions_changed(core, *room, *found, before);
}

void limit_publishing(Core& core, Room& room, Participant& participant, Wall until) {
  const Permissions before = participant.effective_permissions();
  participant.is_publish_limited = true;
  core.timers.arm(TimerKind::PublishLimit, participant.sid().value, deadline_of(until, core.now));
  say_error(core, participant.sid(), ClientCode::NoPublishPermission);
  permissions_changed(core, room, participant, before);
}

void on_publish_limit_over(Core& core, const std::string& participant) {
  auto [room, found] = core.find_present(ParticipantSid(participant));
  if (found == nullptr) return;
  const Permissions before = found->effective_permissions();
  found->is_publish_limited = false;
  permissions_changed(core, *room, *found, before);
}

}  // namespace atrium::domain
