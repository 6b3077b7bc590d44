#include "domain/participant.h"

#include <algorithm>
#include <utility>

namespace atrium::domain {

void SubscriberRules::replace(const SubscriptionPermission& command) {
  all_ = command.all;
  by_participant_.clear();
  by_user_.clear();
  if (all_) return;
  for (const SubscriptionPermission::Entry& entry : command.entries) {
    if (entry.participant.empty() && entry.user.empty()) continue;
    Rule& rule =
        entry.participant.empty() ? by_user_[entry.user] : by_participant_[entry.participant];
    rule.all_tracks = rule.all_tracks || entry.all_tracks;
    rule.tracks.insert(entry.tracks.begin(), entry.tracks.end());
  }
}

bool SubscriberRules::allows(const ParticipantSid& subscriber, const UserId& user,
                             const TrackSid& track) const {
  if (all_) return true;
  auto by_participant = by_participant_.find(subscriber);
  if (by_participant != by_participant_.end() && by_participant->second.covers(track)) return true;
  auto by_user = by_user_.find(user);
  return by_user != by_user_.end() && by_user->second.covers(track);
}

Participant::Participant(ParticipantSid participant_sid, ConnectionId first_connection, Joiner from,
                         Now now)
    : joiner(std::move(from)),
      connection(first_connection),
      sid_(std::move(participant_sid)),
      joined_mono_(now.mono),
      joined_at_(now.wall),
      hidden_(joiner.permissions.hidden) {}

void Participant::changed() {
  ++version_;
  cached_view_.reset();
}

bool Participant::can_publish(TrackSource source) const {
  const std::vector<TrackSource>& sources = joiner.permissions.publish_sources;
  return can_publish() && (sources.empty() || std::ranges::find(sources, source) != sources.end());
}

bool Participant::has_live_track() const {
  return std::ranges::any_of(publications,
                             [](const auto& entry) { return entry.second.view.live; });
}

Permissions Participant::effective_permissions() const {
  Permissions permissions = joiner.permissions;
  permissions.can_publish = can_publish();
  permissions.can_subscribe = can_subscribe();
  permissions.can_publish_data =
      permissions.can_publish_data && !is_publish_expired && !is_publish_limited;
  permissions.hidden = hidden_;
  return permissions;
}

ParticipantView Participant::view() const {
  ParticipantView out{.sid = sid_,
                      .user = joiner.user,
                      .name = joiner.name,
                      .metadata = joiner.metadata,
                      .attributes = joiner.attributes,
                      .permissions = effective_permissions(),
                      .state = state,
                      .leave_reason = LeaveReason::None,
                      .joined_at = joined_at_,
                      .version = version_,
                      .is_publisher = has_live_track(),
                      .client_protocol = joiner.client_protocol,
                      .capabilities = joiner.capabilities,
                      .device = joiner.device.kind,
                      .tracks = {}};
  for (const auto& [sid, publication] : publications)
    if (publication.view.live) out.tracks.push_back(publication.view);
  return out;
}

std::shared_ptr<const ParticipantView> Participant::shared_view() const {
  if (!cached_view_) cached_view_ = std::make_shared<const ParticipantView>(view());
  return cached_view_;
}

std::shared_ptr<const ParticipantView> Participant::departed_view(LeaveReason reason) const {
  ParticipantView last = view();
  last.state = ParticipantState::Disconnected;
  last.leave_reason = reason;
  last.version = version_ + 1;
  last.is_publisher = false;
  last.tracks.clear();
  return std::make_shared<const ParticipantView>(std::move(last));
}

}  // namespace atrium::domain
