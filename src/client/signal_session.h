// SignalSession: what a dialling client says and hears over its WebSocket: the join, one peer connection's offers and
// answers, publications, pings, the end.  Owner: DialClient, atriumload.  One thread.  livekit-protocol 1.4, 5.1-5.3.
// What enters: signalling frames, time.  What leaves: frames and events.
// Does not: touch packets (whoever owns it opens the transport that Answered describes), dial, or decide when to.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/secret_source.h"
#include "base/time.h"
#include "negotiation/offer.h"

namespace atrium::client {

// Numbers of the signalling protocol.
enum class LeaveAction : uint8_t { Disconnect = 0, Resume = 1, Reconnect = 2 };
inline constexpr int kReasonRoomDeleted = 5;

struct SignalOptions {
  std::string path_prefix{};  // "" or "/r/<RoomId>", percent-encoded
  std::string token{};
  bool auto_subscribe = true;
  bool publish_audio = false, publish_video = false;
  std::string fingerprint_sha256{};  // of our DTLS certificate, "AB:CD:…"
  bool offers_like_browser = false;  // see browser_offer.h
};

// --- events
struct Joined {
  std::string participant_sid, room_sid, identity;
};
struct Resumed {};
struct Leave {
  int reason = 0;
  LeaveAction action = LeaveAction::Disconnect;
};
struct Closed {
  uint16_t code = 0;
};  // of the WebSocket; 1006: without a close frame
struct Refused {
  std::string what;
};  // the server said something that we cannot follow
// The first one opens the transport; one that restarts ICE renews its credentials.
struct Answered {
  negotiation::AnswerOutcome outcome;
  std::string ice_ufrag, ice_password;  // ours
  bool is_first = false, restarts_ice = false;
};
using SignalEvent = std::variant<Joined, Resumed, Leave, Closed, Refused, Answered>;

struct SignalCounters {
  uint64_t answers = 0, offers = 0, pongs = 0;
};

class SignalSession {
 public:
  // `secrets` outlives the session.
  SignalSession(SignalOptions options, SecretSource& secrets);

  // The request-target of the upgrade: a fresh join, or after begin_resume() the way back to the same session.
  std::string upgrade_target();
  // The signalling connection is gone and a new one will be dialled for the same session.
  void begin_resume() { is_resuming_ = true; }
  bool can_resume() const { return !participant_sid_.empty(); }

  // One frame each way.
  void on_message(std::string_view message, Now now);
  std::vector<std::string> take_messages();
  void on_closed(uint16_t code);
  void leave();  // says goodbye; the owner then closes
  // Pings.
  void on_deadline(Now now);
  Mono next_deadline() const { return ping_at_; }
  // Ends a publication: its section becomes inactive with the next offer.
  void unpublish_video();

  std::vector<SignalEvent> take_events();
  const SignalCounters& counters() const { return counters_; }
  const std::map<std::string, std::string>& published() const {
    return published_;
  }  // cid → TR_…, as granted
  const std::string& participant_sid() const { return participant_sid_; }
  const std::string& room_sid() const { return room_sid_; }
  const std::string& identity() const { return identity_; }

 private:
  struct Words;  // one handler for each message of the server

  std::string join_request();
  std::string create_offer();
  void send_offer();
  void send_ping(Now now);
  void on_answer(std::string_view sdp, uint32_t id);
  void announce_tracks();
  void renew_credentials();

  // given
  const SignalOptions options_;
  SecretSource& secrets_;
  // owned
  negotiation::OfferingSession offering_;
  negotiation::LocalTransport local_;
  std::vector<std::string> messages_;
  std::vector<SignalEvent> events_;
  SignalCounters counters_;
  std::string participant_sid_, room_sid_, identity_;
  std::map<std::string, std::string> published_;
  uint32_t offer_id_ = 0;
  bool is_offer_outstanding_ = false, needs_offer_ = false;
  bool has_transport_ = false, restarts_ice_ = false;
  bool is_resuming_ = false, is_signalling_ = false;
  Mono ping_at_ = kNever;
};

}  // namespace atrium::client
