// What a dialling client says and hears over its WebSocket.
#include <algorithm>
#include <utility>

#include "base/crypto.h"
#include "client/dial_client.h"
#include "livekit_signal.pb.h"

namespace atrium::client {
namespace {

namespace pb = atrium::signal::pb;

constexpr int kProtocol = 16;
constexpr auto kPingEvery = std::chrono::seconds(5);
constexpr const char* kMicrophone = "mic";
constexpr const char* kCamera = "cam";

std::string percent_encode(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
    if (is_plain) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
}

std::string serialise(const pb::SignalRequest& request) {
  return request.SerializeAsString();
}

}  // namespace

std::string DialClient::upgrade_target() {
  is_signalling_ = false;
  signals_.clear();
  pb::WrappedJoinRequest wrapped;
  wrapped.set_join_request(join_request());
  return options_.path_prefix + "/rtc/v1?access_token=" + percent_encode(options_.token) +
         "&join_request=" + base64url(as_bytes(wrapped.SerializeAsString()));
}

std::string DialClient::join_request() {
  pb::JoinRequest request;
  request.mutable_client_info()->set_sdk(pb::ClientInfo::CPP);
  request.mutable_client_info()->set_version("0.1.0");
  request.mutable_client_info()->set_protocol(kProtocol);
  request.mutable_connection_settings()->set_auto_subscribe(options_.auto_subscribe);
  if (is_resuming_) {
    request.set_reconnect(true);
    request.set_reconnect_reason(pb::RR_SIGNAL_DISCONNECTED);
    request.set_participant_sid(participant_sid_);
  } else {
    is_offer_outstanding_ = true;
    ++counters_.offers;
    request.mutable_publisher_offer()->set_type("offer");
    request.mutable_publisher_offer()->set_sdp(offering_.create_offer(local_));
    request.mutable_publisher_offer()->set_id(++offer_id_);
  }
  return request.SerializeAsString();
}

// One offer at a time: what changes meanwhile goes into the next one.
void DialClient::send_offer() {
  if (!is_signalling_ || is_offer_outstanding_) {
    needs_offer_ = true;
    return;
  }
  needs_offer_ = false;
  is_offer_outstanding_ = true;
  ++counters_.offers;
  pb::SignalRequest request;
  request.mutable_offer()->set_type("offer");
  request.mutable_offer()->set_sdp(offering_.create_offer(local_));
  request.mutable_offer()->set_id(++offer_id_);
  signals_.push_back(serialise(request));
}

// Asks for the publications that are wanted and not granted yet.
void DialClient::announce_tracks() {
  const auto announce = [&](const char* cid, pb::TrackType type, pb::TrackSource source) {
    if (published_.contains(cid)) return;
    pb::SignalRequest request;
    pb::AddTrackRequest& track = *request.mutable_add_track();
    track.set_cid(cid);
    track.set_name(cid);
    track.set_type(type);
    track.set_source(source);
    if (type == pb::VIDEO) {
      track.set_width(320);
      track.set_height(240);
    }
    signals_.push_back(serialise(request));
  };
  if (options_.publish_audio) announce(kMicrophone, pb::AUDIO, pb::MICROPHONE);
  if (options_.publish_video) announce(kCamera, pb::VIDEO, pb::CAMERA);
}

void DialClient::unpublish_video() {
  if (!offering_.stop_send(kCamera)) return;
  send_offer();
}

void DialClient::leave() {
  pb::SignalRequest request;
  request.mutable_leave()->set_reason(pb::CLIENT_INITIATED);
  request.mutable_leave()->set_action(pb::LeaveRequest::DISCONNECT);
  signals_.push_back(serialise(request));
}

void DialClient::send_ping(Now now) {
  ping_at_ = now.mono + kPingEvery;
  pb::SignalRequest request;
  request.mutable_ping_req()->set_timestamp(unix_ms(now.wall));
  signals_.push_back(serialise(request));
}

std::vector<std::string> DialClient::take_signal_messages() {
  return std::exchange(signals_, {});
}

void DialClient::on_signal_closed(uint16_t code) {
  is_signalling_ = is_offer_outstanding_ = false;
  ping_at_ = kNever;
  events_.push_back(Closed{code});
  if (code >= 4000) see_end();
}

struct DialClient::Words {
  DialClient& client;
  Now now;

  void on(const pb::JoinResponse& join) {
    client.is_signalling_ = true;
    client.ping_at_ = now.mono + kPingEvery;
    client.participant_sid_ = join.participant().sid();
    client.identity_ = join.participant().identity();
    client.room_sid_ = join.room().sid();
    client.events_.push_back(Joined{client.participant_sid_, client.room_sid_, client.identity_});
    client.announce_tracks();
  }

  // Everything that was in flight is lost: say what we have, ask again, restart ICE.
  void on(const pb::ReconnectResponse&) {
    client.is_signalling_ = true;
    client.ping_at_ = now.mono + kPingEvery;
    client.is_resuming_ = client.is_offer_outstanding_ = false;
    client.events_.push_back(Resumed{});
    pb::SignalRequest request;
    for (const auto& [cid, sid] : client.published_) {
      auto* track = request.mutable_sync_state()->add_publish_tracks();
      track->set_cid(cid);
      track->mutable_track()->set_sid(sid);
    }
    client.signals_.push_back(serialise(request));
    client.announce_tracks();
    if (client.has_transport_) {
      client.renew_credentials();
      client.restarts_ice_ = true;
    }
    client.send_offer();
  }

  void on(const pb::TrackPublishedResponse& published) {
    const bool is_new =
        client.published_.insert_or_assign(published.cid(), published.track().sid()).second;
    const auto kind =
        published.track().type() == pb::VIDEO ? negotiation::Kind::Video : negotiation::Kind::Audio;
    if (is_new && !client.offering_.add_send(kind, published.cid())) {
      client.events_.push_back(Refused{"no room for a section"});
      return;
    }
    client.send_offer();
  }

  void on(const pb::MediaSectionsRequirement& wanted) {
    client.offering_.add_receive_sections(wanted.num_audios(), wanted.num_videos());
    client.send_offer();
  }

  void on(const pb::LeaveRequest& leave) {
    client.events_.push_back(Leave{leave.reason(), static_cast<LeaveAction>(leave.action())});
    if (leave.action() == pb::LeaveRequest::DISCONNECT) client.see_end();
  }
};

void DialClient::on_signal_message(std::string_view message, Now now) {
  pb::SignalResponse response;
  if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    events_.push_back(Refused{"a frame that is no SignalResponse"});
    return;
  }
  Words words{*this, now};
  switch (response.message_case()) {
    case pb::SignalResponse::kJoin:
      words.on(response.join());
      break;
    case pb::SignalResponse::kReconnect:
      words.on(response.reconnect());
      break;
    case pb::SignalResponse::kAnswer:
      on_answer(response.answer().sdp(), response.answer().id(), now);
      break;
    case pb::SignalResponse::kTrackPublished:
      words.on(response.track_published());
      break;
    case pb::SignalResponse::kMediaSectionsRequirement:
      words.on(response.media_sections_requirement());
      break;
    case pb::SignalResponse::kLeave:
      words.on(response.leave());
      break;
    case pb::SignalResponse::kPongResp:
      ++counters_.pongs;
      break;
    default:
      break;  // state of others, which nothing here depends on
  }
}

}  // namespace atrium::client
