// Atrium by LiveKit's signalling: one peer connection, offers by the client, the end told by data, leave and close.
#include <utility>

#include "apps/atriumload/driver.h"
#include "apps/atriumload/tokens.h"
#include "client/signal_session.h"
#include "client/user_data.h"
#include "wire/data_packet.h"

namespace atrium::load {
namespace {

constexpr auto kTokenValid = std::chrono::hours(6);
constexpr const char* kTopic = "load";

std::string make_token(const Settings& settings, const Person& person, SecretSource& secrets,
                       Now now) {
  const bool publishes = person.publishes_audio || person.publishes_video;
  const TokenSubject subject{.room = person.room,
                             .user = person.user,
                             .can_publish = true,
                             .hidden = settings.hidden && !publishes};
  if (settings.token_kind == TokenKind::Jwt)
    return make_jwt(settings.api_key, settings.api_secret, subject, now.wall, kTokenValid);
  return make_vendor_token(settings.app_id, settings.app_key, subject, now.wall, kTokenValid,
                           secrets.u32());
}

class LiveKitDriver final : public Driver {
 public:
  LiveKitDriver(const Settings& settings, const Person& person, SecretSource& secrets, Now now)
      : session_({.path_prefix = settings.path_prefix,
                  .token = make_token(settings, person, secrets, now),
                  .publish_audio = person.publishes_audio,
                  .publish_video = person.publishes_video,
                  .fingerprint_sha256 = person.fingerprint,
                  .offers_like_browser = settings.full_offer},
                 secrets) {}

  client::WebSocketDial dial(const std::string& host) override {
    return {host, session_.upgrade_target()};
  }
  bool sends_text() const override { return false; }
  std::vector<std::string> take_messages() override { return session_.take_messages(); }
  void on_deadline(Now now) override { session_.on_deadline(now); }
  Mono next_deadline() const override { return session_.next_deadline(); }
  void leave() override { session_.leave(); }
  std::vector<DriverEvent> take_events() override { return std::exchange(events_, {}); }

  void on_message(std::string_view message, Now now) override {
    session_.on_message(message, now);
    for (client::SignalEvent& event : session_.take_events())
      std::visit([this](auto& one) { on(one); }, event);
  }

  bool has_data() const override { return true; }
  Bytes data_message(ByteView payload) const override {
    return wire::build_user_packet(wire::DataKind::Reliable, kTopic, payload);
  }
  DataRead read_data(ByteView message) const override {
    const auto read = client::read_user_data(message);
    if (!read) return {};
    if (client::is_removal(*read)) return {.is_removal = true};
    return {.payload = read->topic == kTopic ? read->payload : ByteView{}};
  }

 private:
  void on(const client::Joined&) { events_.push_back(SignalJoined{}); }
  void on(const client::Resumed&) {}
  void on(const client::Closed&) {}  // the WebSocket's owner sees it too
  void on(const client::Leave& leave) { events_.push_back(EndTold{leave.reason}); }
  void on(const client::Refused& refused) { events_.push_back(DriverFailed{refused.what}); }
  void on(client::Answered& answered) {
    negotiation::AnsweredTransport& remote = answered.outcome.transport;
    if (answered.is_first)
      events_.push_back(
          LinkOpened{0,
                     {.local = {answered.ice_ufrag, answered.ice_password},
                      .remote = {remote.ice_ufrag, remote.ice_password},
                      .fingerprint = client::read_fingerprint(remote.fingerprint_sha256),
                      .candidates = std::move(remote.candidates)}});
    for (const negotiation::AnsweredSection& section : answered.outcome.sections) {
      if (section.sending)
        events_.push_back(SendGranted{0, section.kind, section.mid, section.ssrc,
                                      section.payload_type, section.extensions,
                                      section.transport_cc});
      if (!section.receiving) continue;
      const auto use = section.kind == Kind::Audio ? PayloadUse::Audio : PayloadUse::Video;
      events_.push_back(PayloadNamed{0, section.payload_type, use});
      if (section.rtx_payload_type != 0)
        events_.push_back(PayloadNamed{0, section.rtx_payload_type, PayloadUse::Repair});
    }
  }

  client::SignalSession session_;
  std::vector<DriverEvent> events_;
};

}  // namespace

std::unique_ptr<Driver> make_livekit_driver(const Settings& settings, const Person& person,
                                            SecretSource& secrets, Now now) {
  return std::make_unique<LiveKitDriver>(settings, person, secrets, now);
}

}  // namespace atrium::load
