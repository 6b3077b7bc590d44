#include "domain/effect_text.h"

#include <sstream>
#include <string_view>
#include <type_traits>
#include <variant>

namespace atrium::domain {
namespace {

// Space-separated fields after the effect's name.
class Line {
 public:
  explicit Line(std::string_view name) { out_ << name; }

  Line& text(std::string_view key, std::string_view value) {
    out_ << ' ' << key << '=' << value;
    return *this;
  }
  template <typename T>
  Line& number(std::string_view key, T value) {
    out_ << ' ' << key << '=' << static_cast<int64_t>(value);
    return *this;
  }
  template <typename Tag>
  Line& id(std::string_view key, const StringId<Tag>& value) {
    return text(key, value.value);
  }
  template <typename T>
  Line& maybe(std::string_view key, const std::optional<T>& value) {
    return value ? number(key, *value) : *this;
  }
  Line& maybe_wall(std::string_view key, const std::optional<Wall>& value) {
    return value ? wall(key, *value) : *this;
  }
  Line& wall(std::string_view key, Wall value) {
    return number(key, value.time_since_epoch().count());
  }
  template <typename Range, typename Write>
  Line& list(std::string_view key, const Range& range, Write write) {
    out_ << ' ' << key << "=[";
    const char* separator = "";
    for (const auto& one : range) {
      out_ << separator << write(one);
      separator = ",";
    }
    out_ << ']';
    return *this;
  }
  std::string str() const { return out_.str(); }

 private:
  std::ostringstream out_;
};

std::string sid_text(const ParticipantSid& sid) {
  return sid.value;
}

std::string track_text(const TrackView& track) {
  return Line(track.sid.value)
      .number("kind", track.kind)
      .number("source", track.source)
      .text("cid", track.cid)
      .text("name", track.name)
      .text("mime", track.mime)
      .text("mid", track.mid)
      .number("muted", track.muted)
      .number("live", track.live)
      .number("width", track.width)
      .number("height", track.height)
      .number("version", track.version)
      .str();
}

std::string participant_text(const ParticipantView& view) {
  const Permissions& may = view.permissions;
  return Line(view.sid.value)
      .id("user", view.user)
      .number("state", view.state)
      .number("reason", view.leave_reason)
      .number("version", view.version)
      .text("name", view.name)
      .text("metadata", view.metadata)
      .list("attributes", view.attributes,
            [](const auto& one) { return one.first + ":" + one.second; })
      .number("may", may.can_publish | may.can_subscribe << 1 | may.can_publish_data << 2 |
                         may.hidden << 3)
      .list("tracks", view.tracks, track_text)
      .str();
}

std::string shared_text(const std::shared_ptr<const ParticipantView>& view) {
  return participant_text(*view);
}

std::string room_text(const RoomView& room) {
  return Line(room.sid.value)
      .id("name", room.room)
      .number("epoch", room.epoch)
      .number("visible", room.num_participants)
      .number("hidden", room.num_hidden)
      .number("publishers", room.num_publishers)
      .number("tracks", room.num_tracks)
      .number("metadata_bytes", room.metadata.size())
      .str();
}

std::string tombstone_text(const Tombstone& one) {
  return Line(one.participant.value)
      .id("user", one.user)
      .id("operation", one.operation)
      .number("code", one.code)
      .wall("expires_at", one.expires_at)
      .str();
}

std::string ban_text(const BanRule& rule) {
  return Line(rule.id.value)
      .text("room", rule.target.room ? rule.target.room->value : "")
      .text("user", rule.target.user ? rule.target.user->value : "")
      .text("ip", rule.target.ip ? rule.target.ip->text() : "")
      .wall("expires_at", rule.expires_at)
      .str();
}

std::string record_text(const DismissalRecord& record) {
  return Line(record.operation.value)
      .id("room_sid", record.room_sid)
      .number("state", record.state)
      .text("failure", record.failure)
      .text("operator", record.operator_id)
      .maybe("fenced_us", record.fenced_us)
      .maybe("media_cut_us", record.media_cut_us)
      .maybe("notified_us", record.notified_us)
      .maybe("closed_us", record.closed_us)
      .maybe_wall("media_cut_at", record.media_cut_at)
      .maybe_wall("closed_at", record.closed_at)
      .number("users", record.users_at_fence)
      .maybe("notified", record.notified)
      .maybe("not_notified", record.not_notified)
      .list("names", record.not_notified_names,
            [](const NotNotified& one) {
              return one.participant.value + ":" + std::to_string(static_cast<int>(one.reason));
            })
      .maybe("packets_after_cut", record.packets_after_cut)
      .maybe("transports_at_fence", record.transports_at_fence)
      .maybe("transports_closed", record.transports_closed)
      .str();
}

std::string reason_text(const Reason& reason) {
  return std::to_string(static_cast<int>(reason.why)) + ":" + std::to_string(reason.number) + ":" +
         reason.text + ":" + reason.operation.value + ":" + reason.operator_id;
}
std::string event_text(const Event& event) {
  return event.id.value + ":" + std::to_string(static_cast<int>(event.kind)) + ":" +
         event.participant.value + ":" + reason_text(event.reason);
}
std::string schedule_text(const Schedule& schedule) {
  return schedule.id.value + ":" + schedule.room_sid.value + ":" +
         std::to_string(schedule.due_at.time_since_epoch().count());
}

// --- persist ------------------------------------------------------------------------------------
std::string write(const PersistDismissal& e) {
  return Line("PersistDismissal")
      .text("record", record_text(e.record))
      .list("tombstones", e.tombstones, tombstone_text)
      .number("await", e.await)
      .list("precautions", e.precautions, tombstone_text)
      .list("told", e.told, [](const ParticipantSid& sid) { return sid.value; })
      .list("bans", e.bans, ban_text)
      .list("events", e.events, event_text)
      .str();
}
std::string write(const PersistBans& e) {
  return Line("PersistBans")
      .id("operation", e.operation)
      .list("put", e.put, ban_text)
      .list("drop", e.drop, [](const BanId& id) { return id.value; })
      .list("tombstones", e.tombstones, tombstone_text)
      .str();
}
std::string write(const PersistApp& e) {
  return Line("PersistApp")
      .id("operation", e.operation)
      .id("app", e.app.id)
      .number("enabled", e.app.enabled)
      .number("is_new", e.is_new)
      .str();
}
std::string write(const PersistSchedules& e) {
  return Line("PersistSchedules")
      .id("operation", e.operation)
      .list("put", e.put, schedule_text)
      .list("drop", e.drop, [](const ScheduleId& id) { return id.value; })
      .str();
}
std::string write(const PersistPolicy& e) {
  return Line("PersistPolicy")
      .id("operation", e.operation)
      .id("app", e.app)
      .id("room", e.room)
      .number("is_set", e.policy.has_value())
      .str();
}
std::string write(const PersistWebhook& e) {
  return Line("PersistWebhook")
      .id("operation", e.operation)
      .id("webhook", e.webhook.id)
      .number("is_dropped", e.is_dropped)
      .str();
}
std::string write(const PersistBulk& e) {
  return Line("PersistBulk")
      .id("operation", e.bulk.operation)
      .list("items", e.bulk.items, [](const BulkItem& item) { return item.room_sid.value; })
      .maybe_wall("finished_at", e.bulk.finished_at)
      .str();
}
std::string write(const ReleaseEvents& e) {
  return Line("ReleaseEvents").id("operation", e.operation).str();
}
std::string write(const PersistTombstones& e) {
  return Line("PersistTombstones").list("tombstones", e.tombstones, tombstone_text).str();
}

// --- media --------------------------------------------------------------------------------------
std::string write(const CutRoom& e) {
  return Line("CutRoom").id("room_sid", e.room_sid).number("code", e.notice.code).str();
}
std::string write(const CloseRoom& e) {
  return Line("CloseRoom").id("room_sid", e.room_sid).str();
}
std::string write(const CutParticipant& e) {
  return Line("CutParticipant")
      .id("participant", e.participant)
      .number("code", e.notice.code)
      .str();
}
std::string write(const CloseParticipant& e) {
  return Line("CloseParticipant").id("participant", e.participant).str();
}
std::string write(const StartForward& e) {
  return Line("StartForward")
      .id("subscriber", e.subscriber)
      .id("publisher", e.publisher)
      .id("track", e.track)
      .number("kind", e.kind)
      .str();
}
std::string write(const StopForward& e) {
  return Line("StopForward").id("subscriber", e.subscriber).id("track", e.track).str();
}
std::string write(const PauseForward& e) {
  return Line("PauseForward")
      .id("subscriber", e.subscriber)
      .id("track", e.track)
      .number("paused", e.paused)
      .number("quality", e.quality)
      .str();
}
std::string write(const PauseTrack& e) {
  return Line("PauseTrack")
      .id("publisher", e.publisher)
      .id("track", e.track)
      .number("muted", e.muted)
      .str();
}
std::string write(const StopTrack& e) {
  return Line("StopTrack").id("publisher", e.publisher).id("track", e.track).str();
}
std::string write(const AdmitAddress& e) {
  return Line("AdmitAddress")
      .id("participant", e.participant)
      .text("address", e.address.text())
      .str();
}
std::string write(const SetDataPermission& e) {
  return Line("SetDataPermission")
      .id("participant", e.participant)
      .number("can_publish_data", e.can_publish_data)
      .str();
}

// --- signal -------------------------------------------------------------------------------------
std::string write(const JoinAccepted& e) {
  return Line("JoinAccepted")
      .number("connection", e.connection.value)
      .text("self", participant_text(e.self))
      .text("room", room_text(e.room))
      .list("others", e.others, shared_text)
      .str();
}
std::string write(const JoinRefused& e) {
  return Line("JoinRefused")
      .number("connection", e.connection.value)
      .number("code", e.code)
      .number("retry_later", e.retry_later)
      .text("message", e.message)
      .str();
}
std::string write(const ResumeAccepted& e) {
  Line line("ResumeAccepted");
  line.number("connection", e.connection.value);
  if (e.former) line.number("former", e.former->value);
  return line.text("self", participant_text(e.self))
      .text("room", room_text(e.room))
      .list("others", e.others, shared_text)
      .list("departed", e.departed, shared_text)
      .str();
}
std::string write(const ResumeMeetsTombstone& e) {
  return Line("ResumeMeetsTombstone")
      .number("connection", e.connection.value)
      .number("code", e.notice.code)
      .id("operation", e.notice.operation)
      .str();
}
std::string write(const ResumeUnknown& e) {
  return Line("ResumeUnknown").number("connection", e.connection.value).str();
}
std::string write(const ParticipantUpdate& e) {
  return Line("ParticipantUpdate")
      .list("recipients", e.recipients, sid_text)
      .list("participants", e.participants, shared_text)
      .str();
}
std::string write(const RoomUpdate& e) {
  return Line("RoomUpdate")
      .list("recipients", e.recipients, sid_text)
      .text("room", room_text(e.room))
      .str();
}
std::string write(const TrackPublished& e) {
  return Line("TrackPublished")
      .id("participant", e.participant)
      .text("track", track_text(e.track))
      .str();
}
std::string write(const RequestAnswer& e) {
  return Line("RequestAnswer")
      .id("participant", e.participant)
      .number("kind", e.kind)
      .number("outcome", e.outcome)
      .number("request_id", e.request_id)
      .text("message", e.message)
      .text("track", track_text(e.track))
      .str();
}
std::string write(const TrackSubscribed& e) {
  return Line("TrackSubscribed").id("publisher", e.publisher).id("track", e.track).str();
}
std::string write(const TrackUnpublished& e) {
  return Line("TrackUnpublished").id("participant", e.participant).id("track", e.track).str();
}
std::string write(const TrackMuted& e) {
  return Line("TrackMuted")
      .id("participant", e.participant)
      .id("track", e.track)
      .number("muted", e.muted)
      .str();
}
std::string write(const SubscriptionFailed& e) {
  return Line("SubscriptionFailed").id("participant", e.participant).id("track", e.track).str();
}
std::string write(const SubscriptionAllowed& e) {
  return Line("SubscriptionAllowed")
      .id("participant", e.participant)
      .id("publisher", e.publisher)
      .id("track", e.track)
      .number("allowed", e.allowed)
      .str();
}
std::string write(const SendLeave& e) {
  return Line("SendLeave")
      .id("participant", e.participant)
      .number("reason", e.reason)
      .number("action", e.action)
      .number("close_code", e.close_code)
      .str();
}
std::string write(const SendServerData& e) {
  return Line("SendServerData")
      .id("participant", e.participant)
      .text("topic", e.topic)
      .text("json", e.json)
      .str();
}
std::string write(const SendStreamBan& e) {
  return Line("SendStreamBan")
      .list("recipients", e.recipients, [](const ParticipantSid& sid) { return sid.value; })
      .id("user", e.user)
      .number("audio", e.audio)
      .number("video", e.video)
      .str();
}
std::string write(const SendCountdown& e) {
  return Line("SendCountdown")
      .list("recipients", e.recipients, sid_text)
      .number("cause", e.countdown.cause)
      .number("is_called_off", e.countdown.is_called_off)
      .id("schedule", e.countdown.schedule)
      .wall("due_at", e.countdown.due_at)
      .number("remaining_us", e.countdown.remaining.count())
      .str();
}
std::string write(const DeliverMessage& e) {
  return Line("DeliverMessage")
      .list("recipients", e.recipients, sid_text)
      .text("topic", e.topic)
      .text("payload", hex(sha256(e.payload)))
      .number("lossy", e.is_lossy)
      .str();
}
std::string write(const DropConnection& e) {
  return Line("DropConnection").number("connection", e.connection.value).str();
}

// --- event, reply, forget -----------------------------------------------------------------------
std::string write(const Event& e) {
  return Line("Event")
      .number("kind", e.kind)
      .id("app", e.app)
      .id("room", e.room)
      .id("room_sid", e.room_sid)
      .id("participant", e.participant)
      .id("user", e.user)
      .id("track", e.track)
      .text("reason", reason_text(e.reason))
      .id("id", e.id)
      .wall("at", e.at)
      .number("stayed_us", e.stayed.count())
      .number("hidden", e.hidden)
      .number("device", e.with.kind)
      .text("sdk", e.with.sdk)
      .str();
}
std::string write(const DismissReply& e) {
  return Line("DismissReply")
      .number("waiter", e.waiter.value)
      .number("outcome", e.outcome)
      .text("record", e.record ? record_text(*e.record) : "none")
      .str();
}
std::string write(const ActionReply& e) {
  return Line("ActionReply")
      .number("waiter", e.waiter.value)
      .number("outcome", e.outcome)
      .id("operation", e.operation)
      .str();
}
std::string write(const LifeForgotten& e) {
  return Line("LifeForgotten").id("room_sid", e.room_sid).str();
}
std::string write(const ParticipantForgotten& e) {
  return Line("ParticipantForgotten").id("participant", e.participant).str();
}

}  // namespace

std::string effect_text(const Effect& effect) {
  return std::visit([](const auto& one) { return write(one); }, effect);
}

std::string effects_text(const Effects& effects) {
  std::string out;
  for (const Effect& effect : effects) out += effect_text(effect) + '\n';
  return out;
}

}  // namespace atrium::domain
