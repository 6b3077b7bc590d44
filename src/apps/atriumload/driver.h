// Driver: what one client says to one kind of server.  It knows the server's signalling and nothing of scenarios,
// media, measuring or sockets; these know no server.  Owner: LoadClient.  Thread: its worker's.  One file per server.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "apps/atriumload/settings.h"
#include "base/bytes.h"
#include "base/secret_source.h"
#include "base/time.h"
#include "client/peer_link.h"
#include "client/websocket_link.h"
#include "negotiation/session.h"

namespace atrium::load {

using negotiation::Kind;

inline constexpr uint8_t kLinksMax = 2;  // peer connections of one client

// Who this client is.
struct Person {
  std::string room{}, user{};
  uint64_t room_number = 0;  // of the run, from 0 on
  bool is_first = false;     // of its room: makes it where the server has rooms made
  bool publishes_audio = false, publishes_video = false;
  std::string fingerprint{};  // of our DTLS certificate, "AB:CD:…"
};

// --- what a driver finds out
struct LinkOpened {
  uint8_t link = 0;
  client::PeerLinkPlan plan;
};
struct SendGranted {
  uint8_t link = 0;
  Kind kind = Kind::Audio;
  std::string mid;
  uint32_t ssrc = 0;
  uint8_t payload_type = 0;
  negotiation::Extensions extensions;
  bool has_transport_seq = false;
};
enum class PayloadUse : uint8_t { None, Audio, Video, Repair };
struct PayloadNamed {
  uint8_t link = 0, payload_type = 0;
  PayloadUse use = PayloadUse::None;
};
struct SignalJoined {};  // the server took us in
// A sign of the end: the server's words, before its connection goes.
struct EndTold {
  int reason = 0;
};
struct DriverFailed {
  std::string what;  // without secrets
};
struct RoomEnded {};  // the answer to end_room()
using DriverEvent = std::variant<LinkOpened, SendGranted, PayloadNamed, SignalJoined, EndTold,
                                 DriverFailed, RoomEnded>;

// What a message on a data channel is.
struct DataRead {
  bool is_removal = false;  // the server's notice of our end
  ByteView payload{};       // of another client; empty: none of these
};

class Driver {
 public:
  virtual ~Driver() = default;
  // Once, before anything else.
  virtual client::WebSocketDial dial(const std::string& host) = 0;
  virtual void on_open(Now) {}
  virtual void on_message(std::string_view message, Now now) = 0;
  virtual std::vector<std::string> take_messages() = 0;
  virtual bool sends_text() const = 0;
  virtual void on_deadline(Now now) = 0;
  virtual Mono next_deadline() const = 0;
  virtual void leave() = 0;
  virtual std::vector<DriverEvent> take_events() = 0;
  // Data channels.
  virtual bool has_data() const = 0;
  virtual Bytes data_message(ByteView payload) const = 0;
  virtual DataRead read_data(ByteView message) const = 0;
  // Ends the room by the server's signalling; false: this server has its rooms ended elsewhere.
  virtual bool end_room() { return false; }
  // Whether a join is complete only with a peer connection.
  virtual bool wants_link() const { return true; }
};

std::unique_ptr<Driver> make_livekit_driver(const Settings& settings, const Person& person,
                                            SecretSource& secrets, Now now);
std::unique_ptr<Driver> make_janus_driver(const Settings& settings, const Person& person,
                                          SecretSource& secrets, Now now);

}  // namespace atrium::load
