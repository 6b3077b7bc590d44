// The words of the domain: people, tracks, permissions and what others may see of them.
// No SSRC, no SDP, no JSON in here (DESIGN: include table).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "base/ids.h"
#include "base/ip_prefix.h"
#include "base/time.h"

namespace atrium::domain {

// The vendor's client-visible codes that we send (vendor-contract 5.1).  Values are wire numbers.
enum class ClientCode : int16_t {
  InvalidToken = -1000,
  JoinRoom = -1001,
  NoPublishPermission = -1002,
  NoSubscribePermission = -1003,
  DuplicateLogin = -1004,
  KickedOut = -1006,
  RoomIdIllegal = -1007,
  TokenExpired = -1009,
  UpdateTokenWithInvalidToken = -1010,
  RoomDismiss = -1011,
  RoomForbidden = -1025,
  UserForbidden = -1026,
};

enum class TrackKind : uint8_t { Audio, Video };
enum class TrackSource : uint8_t { Unknown, Camera, Microphone, ScreenShare, ScreenShareAudio };
enum class VideoQuality : uint8_t { Low, Medium, High, Off };
enum class ParticipantState : uint8_t { Joining, Joined, Active, Disconnected };

// Why somebody left, as others and events see it.
enum class LeaveReason : uint8_t {
  None,
  UserLeave,       // own leave
  ConnectionLost,  // signalling and media gone, grace over
  DuplicateLogin,  // displaced by the same user
  KickedByAdmin,
  RoomDismissed,
  TokenExpired,
  JoinTimeout,  // transport never came up
  RoomClosed,   // empty-room end
  ServerShutdown,
  MediaFailure,   // ICE/DTLS failed; the client is asked to reconnect
  StateMismatch,  // client is asked to reconnect from scratch
};

struct Permissions {
  bool can_publish = true;
  bool can_subscribe = true;
  bool can_publish_data = true;
  bool can_update_metadata = false;
  bool hidden = false;
  std::vector<TrackSource> publish_sources;  // empty = all
  friend bool operator==(const Permissions&, const Permissions&) = default;
};

// Why somebody was removed or a life ended: the same object in the client's notice, in events, in history and in the
// audit.  Only `why` is there where nobody ordered it.
struct Reason {
  LeaveReason why = LeaveReason::None;
  int32_t number = 0;     // the client code, -1011; 0: none
  std::string name = {};  // of the code: "ROOM_DISMISS"
  std::string text = {};  // the caller's `Reason`, or a sentence of ours
  OperationId operation = {};
  std::string operator_id = {};  // access key id, or what ordered it: "policy", "schedule"
  friend bool operator==(const Reason&, const Reason&) = default;
};

enum class TokenKind : uint8_t { Vendor001, Jwt };

// What somebody joined with, as the client says.  Web is a browser, on whatever system.
enum class DeviceKind : uint8_t { Unknown, Android, Ios, Mac, Windows, Linux, Harmony, Web };

// All of it is what the client says of itself; nothing is decided by it.
struct ClientDevice {
  DeviceKind kind = DeviceKind::Unknown;
  std::string model = {};    // "iPhone15,2"
  std::string sdk = {};      // "js 2.23.0"
  std::string network = {};  // "wifi"
  friend bool operator==(const ClientDevice&, const ClientDevice&) = default;
};

// Somebody with a verified token who wants in, or back in.
struct Joiner {
  AppId app;
  RoomId room;
  UserId user;
  std::string name;
  std::string metadata;
  std::map<std::string, std::string> attributes;
  Permissions permissions;
  TokenKind token_kind = TokenKind::Jwt;
  Sha256 token_hash{};
  std::optional<Wall> removed_at;       // 001 only: the token's expireAt
  std::optional<Wall> publish_until;    // 001 only: privilege 0's own expiry
  std::optional<Wall> subscribe_until;  // 001 only: privilege 4's own expiry
  bool auto_subscribe = true;
  bool adaptive_stream = false;
  int32_t protocol = 0;         // client's signalling version
  int32_t client_protocol = 0;  // relayed to others
  std::vector<std::string> capabilities;
  ClientDevice device;
  std::optional<IpAddress> address;  // where it comes from, as the signalling door saw it
};

// Whom a ban rule is about: a room (everybody in it), a user in that room, a user in every room of the app, or
// whoever comes from an address range.  At least one is given; `ip` stands alone.  With `token` (the hash of its text)
// the rule keeps nobody out: who joined `room` as `user` with that token may not publish.
struct BanTarget {
  std::optional<RoomId> room;
  std::optional<UserId> user;
  std::optional<IpPrefix> ip;
  std::optional<Sha256> token = std::nullopt;
  friend bool operator==(const BanTarget&, const BanTarget&) = default;
};
struct BanRule {
  BanId id;
  AppId app;
  BanTarget target;
  std::string operator_id;  // access key id of the caller
  std::string reason;       // the caller's `Reason`
  Wall created_at{}, expires_at{};
  friend bool operator==(const BanRule&, const BanRule&) = default;
};

// A LiveKit API key of an application: named in a JWT's `iss`.
struct ApiKey {
  std::string key, secret;
  bool management = false;  // may call RoomService, as far as a token's grants say
  friend bool operator==(const ApiKey&, const ApiKey&) = default;
};
// A customer's application: whose rooms and users are one space of names, and whose tokens open its doors.
struct App {
  AppId id;             // 24 lower-case hex digits
  std::string account;  // whose access keys may manage it
  std::string name;     // for people
  bool enabled = true;
  bool any_ids = false;                    // ids = "any" (DESIGN section 4)
  std::string primary_key, secondary_key;  // AppKeys, used as text; an empty one signs nothing
  // Besides the AppId itself, which is always an API key with either AppKey as its secret.
  std::vector<ApiKey> api_keys;
  Wall created_at{};
  friend bool operator==(const App&, const App&) = default;
};

// Who asks for a management action, for the record.
struct ActionOrigin {
  std::string operator_id;  // access key id
  std::string request_id;
  std::string reason;  // the caller's `Reason`
};

struct VideoLayer {
  VideoQuality quality = VideoQuality::High;
  uint32_t width = 0, height = 0, bitrate_bps = 0;
  std::string rid;
  friend bool operator==(const VideoLayer&, const VideoLayer&) = default;
};

// One publication, as asked for by add_track and completed when its section is negotiated.
struct TrackView {
  TrackSid sid;
  TrackKind kind = TrackKind::Audio;
  TrackSource source = TrackSource::Unknown;
  std::string cid;  // the client's own id of it
  std::string name;
  std::string stream;
  std::string preferred_codec;  // "vp8", as the client asked; empty: ours to choose
  std::string mime;             // "audio/opus", "video/VP8"; filled when live
  std::string mid;              // filled when live
  bool muted = false;
  bool simulcast = false;
  bool disable_dtx = false;
  bool disable_red = false;
  bool stereo = false;
  uint8_t encryption = 0;  // client's enum, passed through
  uint32_t width = 0, height = 0;
  std::vector<VideoLayer> layers;
  std::vector<uint8_t> audio_features;  // client's enum, passed through
  bool live = false;                    // announced to others
  uint32_t version = 1;
  friend bool operator==(const TrackView&, const TrackView&) = default;
};

struct ParticipantView {
  ParticipantSid sid;
  UserId user;
  std::string name;
  std::string metadata;
  std::map<std::string, std::string> attributes;
  Permissions permissions;
  ParticipantState state = ParticipantState::Joining;
  LeaveReason leave_reason = LeaveReason::None;
  Wall joined_at{};
  uint32_t version = 1;  // strictly increasing per session
  bool is_publisher = false;
  int32_t client_protocol = 0;
  std::vector<std::string> capabilities;
  DeviceKind device = DeviceKind::Unknown;  // for the management API alone
  std::vector<TrackView> tracks;            // live ones only
  friend bool operator==(const ParticipantView&, const ParticipantView&) = default;
};

struct RoomView {
  AppId app;
  RoomId room;
  RoomSid sid;
  uint64_t epoch = 0;  // counts the lives of this process
  Wall created_at{};
  std::string metadata;
  uint32_t num_participants = 0;  // visible
  uint32_t num_hidden = 0;
  uint32_t num_publishers = 0;
  uint32_t num_tracks = 0;
  bool dismissing = false;
  uint32_t max_participants = 0;  // 0: no bound of its own
  // How long it stays without anybody: before the first joined, and after the last left.
  Duration empty_timeout{}, departure_timeout{};
};

// Who was not told in time is told when they come back (DESIGN section 1).
struct Tombstone {
  AppId app;
  RoomId room;
  RoomSid room_sid;
  ParticipantSid participant;
  UserId user;
  Sha256 token_hash{};
  OperationId operation;
  ClientCode code = ClientCode::RoomDismiss;
  Wall expires_at{};
  // A fresh join with the same token is refused once: it may be the same client's next attempt.  Not stored: after a
  // restart nobody knows who had heard, so all refuse.
  bool refuses_join = true;
  // As those heard it who were there; the caller's words, empty: our sentence for the code.
  std::string text{};
  std::string operator_id{};
  friend bool operator==(const Tombstone&, const Tombstone&) = default;
};

enum class DismissalState : uint8_t {
  Running,
  Done,
  Failed,       // record not written, or media cut not confirmed
  Interrupted,  // found unfinished when the store was opened
};

// Why a session could not be told before its transport was closed.
enum class NotNotifiedReason : uint8_t {
  Connecting,      // no join sent yet
  Reconnecting,    // signalling lost at the fence
  Unacknowledged,  // notice not acknowledged in time; the leave was still written
  NotWritable,     // its socket took no bytes in time
};

struct NotNotified {
  UserId user;
  ParticipantSid participant;
  NotNotifiedReason reason = NotNotifiedReason::Connecting;
  friend bool operator==(const NotNotified&, const NotNotified&) = default;
};

// The operation as a backend may read it.  Fields that are not known are nullopt, never invented.
struct DismissalRecord {
  OperationId operation;
  AppId app;
  RoomId room;
  RoomSid room_sid;
  uint64_t epoch = 0;
  DismissalState state = DismissalState::Running;
  std::string operator_id;  // access key id of the caller
  std::string request_id;
  std::string reason;   // the caller's `Reason`
  std::string failure;  // when Failed: what
  // What its users are told: RoomDismiss, or KickedOut where a ban of the room ended it.
  ClientCode code = ClientCode::RoomDismiss;
  std::optional<Wall> forbidden_until;  // the room's name is closed till then
  Wall accepted_at{};
  std::optional<Wall> fenced_at, media_cut_at, notified_at, closed_at;
  // Spans on the mono clock from accept, in microseconds; for metrics and receipts.
  std::optional<int64_t> fenced_us, media_cut_us, notified_us, closed_us;
  uint32_t users_at_fence = 0;
  std::optional<uint32_t> notified;      // told, acknowledged or leave written
  std::optional<uint32_t> not_notified;  // exact, while names are bounded
  std::vector<NotNotified> not_notified_names;
  std::optional<uint64_t>
      packets_after_cut;  // media or client data that left the shard after the cut: must be 0
  std::optional<uint32_t> transports_at_fence, transports_closed;
};

}  // namespace atrium::domain
