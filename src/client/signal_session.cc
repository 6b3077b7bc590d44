#include "client/signal_session.h"

#include <utility>

#include "base/crypto.h"
#include "client/browser_offer.h"
#include "livekit_signal.pb.h"

namespace atrium::client {
namespace {

namespace pb = atrium::signal::pb;

constexpr int kProtocol = 16;
constexpr uint32_t kFirstSections =
    3;  // recvonly sections of each kind in the first offer, as the SDKs have it
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

SignalSession::SignalSession(SignalOptions options, SecretSource& secrets)
    : options_(std::move(options)), secrets_(secrets), offering_(secrets, secrets.base62(16)) {
  local_.fingerprint_sha256 = options_.fingerprint_sha256;
  renew_credentials();
  offering_.add_receive_sections(kFirstSections, kFirstSections);
  offering_.add_data_section();
}

void SignalSession::renew_credentials() {
  local_.ice_ufrag = secrets_.base62(8);  // RFC 8445 section 5.3
  local_.ice_password = secrets_.base62(24);
}

std::string SignalSession::upgrade_target() {
  is_signalling_ = false;
  messages_.clear();
  pb::WrappedJoinRequest wrapped;
  wrapped.set_join_request(join_request());
  return options_.path_prefix + "/rtc/v1?access_token=" + percent_encode(options_.token) +
         "&join_request=" + base64url(as_bytes(wrapped.SerializeAsString()));
}

std::string SignalSession::join_request() {
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
    request.mutable_publisher_offer()->set_sdp(create_offer());
    request.mutable_publisher_offer()->set_id(++offer_id_);
  }
  return request.SerializeAsString();
}

std::string SignalSession::create_offer() {
  std::string offer = offering_.create_offer(local_);
  return options_.offers_like_browser ? like_browser(offer) : offer;
}

// One offer at a time: what changes meanwhile goes into the next one.
void SignalSession::send_offer() {
  if (!is_signalling_ || is_offer_outstanding_) {
    needs_offer_ = true;
    return;
  }
  needs_offer_ = false;
  is_offer_outstanding_ = true;
  ++counters_.offers;
  pb::SignalRequest request;
  request.mutable_offer()->set_type("offer");
  request.mutable_offer()->set_sdp(create_offer());
  request.mutable_offer()->set_id(++offer_id_);
  messages_.push_back(serialise(request));
}

// Asks for the publications that are wanted and not granted yet.
void SignalSession::announce_tracks() {
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
    messages_.push_back(serialise(request));
  };
  if (options_.publish_audio) announce(kMicrophone, pb::AUDIO, pb::MICROPHONE);
  if (options_.publish_video) announce(kCamera, pb::VIDEO, pb::CAMERA);
}

void SignalSession::unpublish_video() {
  if (!offering_.stop_send(kCamera)) return;
  send_offer();
}

void SignalSession::leave() {
  pb::SignalRequest request;
  request.mutable_leave()->set_reason(pb::CLIENT_INITIATED);
  request.mutable_leave()->set_action(pb::LeaveRequest::DISCONNECT);
  messages_.push_back(serialise(request));
}

void SignalSession::send_ping(Now now) {
  ping_at_ = now.mono + kPingEvery;
  pb::SignalRequest request;
  request.mutable_ping_req()->set_timestamp(unix_ms(now.wall));
  messages_.push_back(serialise(request));
}

void SignalSession::on_deadline(Now now) {
  if (ping_at_ <= now.mono) send_ping(now);
}

void SignalSession::on_answer(std::string_view sdp, uint32_t id) {
  if (id != offer_id_) return;  // to an offer that a later one replaced
  is_offer_outstanding_ = false;
  ++counters_.answers;
  auto outcome = offering_.on_answer(sdp);
  if (!outcome) {
    events_.push_back(Refused{outcome.error().what});
    return;
  }
  const bool is_first = !std::exchange(has_transport_, true);
  events_.push_back(Answered{std::move(*outcome), local_.ice_ufrag, local_.ice_password, is_first,
                             std::exchange(restarts_ice_, false) && !is_first});
  if (needs_offer_) send_offer();
}

std::vector<SignalEvent> SignalSession::take_events() {
  return std::exchange(events_, {});
}

std::vector<std::string> SignalSession::take_messages() {
  return std::exchange(messages_, {});
}

void SignalSession::on_closed(uint16_t code) {
  is_signalling_ = is_offer_outstanding_ = false;
  ping_at_ = kNever;
  events_.push_back(Closed{code});
}

struct SignalSession::Words {
  SignalSession& session;
  Now now;

  void on(const pb::JoinResponse& join) {
    session.is_signalling_ = true;
    session.ping_at_ = now.mono + kPingEvery;
    session.participant_sid_ = join.participant().sid();
    session.identity_ = join.participant().identity();
    session.room_sid_ = join.room().sid();
    session.events_.push_back(
        Joined{session.participant_sid_, session.room_sid_, session.identity_});
    session.announce_tracks();
  }

  // Everything that was in flight is lost: say what we have, ask again, restart ICE.
  void on(const pb::ReconnectResponse&) {
    session.is_signalling_ = true;
    session.ping_at_ = now.mono + kPingEvery;
    session.is_resuming_ = session.is_offer_outstanding_ = false;
    session.events_.push_back(Resumed{});
    pb::SignalRequest request;
    for (const auto& [cid, sid] : session.published_) {
      auto* track = request.mutable_sync_state()->add_publish_tracks();
      track->set_cid(cid);
      track->mutable_track()->set_sid(sid);
    }
    session.messages_.push_back(serialise(request));
    session.announce_tracks();
    if (session.has_transport_) {
      session.renew_credentials();
      session.restarts_ice_ = true;
    }
    session.send_offer();
  }

  void on(const pb::TrackPublishedResponse& published) {
    const bool is_new =
        session.published_.insert_or_assign(published.cid(), published.track().sid()).second;
    const auto kind =
        published.track().type() == pb::VIDEO ? negotiation::Kind::Video : negotiation::Kind::Audio;
    if (is_new && !session.offering_.add_send(kind, published.cid())) {
      session.events_.push_back(Refused{"no room for a section"});
      return;
    }
    session.send_offer();
  }

  void on(const pb::MediaSectionsRequirement& wanted) {
    session.offering_.add_receive_sections(wanted.num_audios(), wanted.num_videos());
    session.send_offer();
  }

  void on(const pb::LeaveRequest& leave) {
    session.events_.push_back(Leave{leave.reason(), static_cast<LeaveAction>(leave.action())});
  }
};

namespace {

// Whether anything in the frame is for us: what tells of others is most of what a large room says, and is not decoded.
bool tells_of_others(std::string_view message) {
  switch (message.empty() ? 0 : static_cast<uint8_t>(message.front()) >> 3) {
    case pb::SignalResponse::kUpdateFieldNumber:
    case pb::SignalResponse::kSpeakersChangedFieldNumber:
    case pb::SignalResponse::kConnectionQualityFieldNumber:
      return true;
    default:
      return false;
  }
}

}  // namespace

void SignalSession::on_message(std::string_view message, Now now) {
  if (tells_of_others(message)) return;
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
      on_answer(response.answer().sdp(), response.answer().id());
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
