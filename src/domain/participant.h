// Participant: one session of a user in one life, with its publications and what it holds about others' tracks.
// Owner: Room.  Known from outside by its sid alone.  Does not: emit effects; decides nothing about others.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>

#include "domain/command.h"
#include "domain/types.h"

namespace atrium::domain {

struct Publication {
  TrackView view;
  bool had_subscriber = false;      // TrackSubscribed was said
  bool is_muted_by_client = false;  // view.muted: this, or a stream ban
};

// What a subscriber holds about one live track.
struct Subscription {
  std::optional<bool> choice;     // asked for by hand; nullopt: as auto_subscribe says
  bool is_forwarding = false;     // StartForward is in force
  bool was_told_refused = false;  // SubscriptionAllowed{false} was said
  bool is_paused = false;
  VideoQuality quality = VideoQuality::High;
};

// Who may subscribe to a publisher's tracks, as its last SubscriptionPermission said.
class SubscriberRules {
 public:
  void replace(const SubscriptionPermission& command);
  bool allows(const ParticipantSid& subscriber, const UserId& user, const TrackSid& track) const;
  bool allows_everybody() const { return all_; }

 private:
  struct Rule {
    bool all_tracks = false;
    std::set<TrackSid> tracks;
    bool covers(const TrackSid& track) const { return all_tracks || tracks.contains(track); }
  };
  bool all_ = true;
  std::map<ParticipantSid, Rule> by_participant_;
  std::map<UserId, Rule> by_user_;
};

class Participant {
 public:
  Participant(ParticipantSid participant_sid, ConnectionId first_connection, Joiner from, Now now);

  // --- what may change, each followed by changed() where others can see it ----------------------
  Joiner joiner;                           // as of the newest token
  std::optional<ConnectionId> connection;  // nullopt: signalling is lost
  ParticipantState state = ParticipantState::Joining;
  bool is_join_sent = false;  // from here on others know of it, and it subscribes
  bool is_transport_up = false;
  std::optional<IpAddress> media_address;  // where its packets come from, as far as known
  bool is_notice_channel_open = false;
  bool is_token_warning_due = false;     // waits for the notice channel
  bool is_publish_expired = false;       // privilege 0 of a 001 token ran out
  bool is_publish_limited = false;       // by a rule about its token (LimitToken)
  bool is_subscribe_expired = false;     // privilege 4 did
  bool has_ordered_permissions = false;  // by a backend: a renewed token does not change them
  std::map<TrackSid, Publication> publications;
  std::map<TrackSid, Subscription> subscriptions;
  SubscriberRules subscriber_rules;
  // The same user's former sid, of whose departure the others were not told because this session goes on for it.
  std::shared_ptr<const ParticipantView> continues;

  // Others may see something new: the version goes up, the next shared_view() is made anew.
  void changed();

  const ParticipantSid& sid() const { return sid_; }
  const UserId& user() const { return joiner.user; }
  Mono joined_mono() const { return joined_mono_; }
  Wall joined_at() const { return joined_at_; }
  bool is_hidden() const { return hidden_; }
  bool is_announced() const { return is_join_sent && !hidden_; }
  bool can_be_told() const { return is_join_sent && connection.has_value(); }
  bool can_subscribe() const { return joiner.permissions.can_subscribe && !is_subscribe_expired; }
  bool can_publish() const {
    return joiner.permissions.can_publish && !is_publish_expired && !is_publish_limited && !hidden_;
  }
  bool can_publish(TrackSource source) const;
  bool has_live_track() const;
  Permissions effective_permissions() const;

  ParticipantView view() const;
  std::shared_ptr<const ParticipantView> shared_view() const;  // one copy per version
  // How it looks once it has left.
  std::shared_ptr<const ParticipantView> departed_view(LeaveReason reason) const;

 private:
  ParticipantSid sid_;
  Mono joined_mono_;
  Wall joined_at_;
  bool hidden_;  // for good: a renewed token does not make a session visible
  uint32_t version_ = 1;
  mutable std::shared_ptr<const ParticipantView> cached_view_;
};

}  // namespace atrium::domain
