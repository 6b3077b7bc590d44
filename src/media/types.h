// The words between the node and the media core.  Commands say what the control side decided; reports say what the
// packets showed.  Values only: they cross threads in rings.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/shared_bytes.h"
#include "base/socket_address.h"
#include "base/time.h"

namespace atrium::media {

enum class Kind : uint8_t { Audio, Video };
enum class Codec : uint8_t { Opus, Vp8, Vp9, H264, Av1, Red, Unknown };

// Local ids (RFC 8285) of the extensions that one m-section, or a whole BUNDLE, uses; 0 = not negotiated.
struct ExtensionIds {
  uint8_t mid = 0, rid = 0, repaired_rid = 0, transport_seq = 0, abs_send_time = 0, audio_level = 0;
  friend bool operator==(const ExtensionIds&, const ExtensionIds&) = default;
};

struct IceCredentials {
  std::string ufrag, password;
  friend bool operator==(const IceCredentials&, const IceCredentials&) = default;
};

struct DtlsFingerprint {
  std::array<uint8_t, 32> sha256{};
  friend bool operator==(const DtlsFingerprint&, const DtlsFingerprint&) = default;
};

// --- commands: control → shard -------------------------------------------------------------------------------------
// A life exists from its first transport on; its transports' data messages reach only each other.
struct OpenTransport {
  TransportId transport;
  LifeId life;
  std::string participant_sid, identity;  // stamped on the data packets it sends
  bool hidden = false;
  bool can_publish_data = true;
  IceCredentials local, remote;
  DtlsFingerprint remote_fingerprint;
  bool dtls_client =
      false;  // false: we are the server (always, for atriumd); true: the dialling role of src/client
  // The dialling role alone: where to send checks, and from where (unspecified: whatever the socket has).
  std::vector<SocketAddress> remote_candidates = {};
  SocketAddress local_address = {};
  // The dialling role alone: RTP, RTCP and data messages are not routed but reported (RtpReceived, DataReceived).
  bool deliver_to_owner = false;
  // false for the publishing connection of a client with two: what others send reaches it on the other one.
  bool receives_data = true;
  // Media and user data wait until AdmitPath names the address that TransportUp or PathChanged reported.
  bool needs_admission = false;
};
// ICE restart (RFC 8445 section 9): new credentials; the DTLS association and all streams stay.
struct RestartIce {
  TransportId transport;
  IceCredentials local, remote;
};
struct AdmitPath {
  TransportId transport;
  IpAddress ip;
};
struct SetDataPermission {
  TransportId transport;
  bool can_publish_data = true;
};

// One m-section that its peer sends on.
struct AddUplink {
  TransportId transport;
  TrackId track;
  Kind kind = Kind::Audio;
  Codec codec = Codec::Opus;
  uint8_t payload_type = 0;
  uint8_t rtx_payload_type = 0;  // 0 = none
  uint8_t red_payload_type = 0;  // 0 = none
  uint32_t clock_rate = 48'000;
  std::string mid;
  ExtensionIds extensions;
  bool nack = false, pli = false, transport_cc = false;
  std::optional<uint32_t> ssrc, rtx_ssrc;  // from a=ssrc lines; otherwise latched by mid/rid
  std::vector<std::string> rids;           // simulcast, lowest first; empty = one stream
};
struct RemoveUplink {
  TrackId track;
};
struct SetUplinkMuted {
  TrackId track;
  bool muted = false;
};

// One m-section on which the peer receives `track`.  SSRCs are given by the node and never used twice under one
// transport's keys.
struct AddForward {
  TransportId transport;
  TrackId track;
  uint8_t payload_type = 0;
  uint8_t rtx_payload_type = 0;  // 0 = no retransmission downstream
  std::string mid;
  ExtensionIds extensions;
  uint32_t ssrc = 0, rtx_ssrc = 0;
  std::string cname;
  bool paused = false;
};
struct RemoveForward {
  TransportId transport;
  TrackId track;
};
struct PauseForward {
  TransportId transport;
  TrackId track;
  bool paused = false;
  uint8_t layer = 2;
};

// DataPacket bytes (already encoded by the node) for one transport's `_reliable`; the notice asks for a report.
struct SendReliable {
  TransportId transport;
  SharedBytes data_packet;
  bool ends_with_cut = false;  // a backend's words, which are no part of a removal
};
struct CutTransport {
  TransportId transport;
  Bytes notice;
};  // no further media or data in or out; then NoticeAcked
struct CloseTransport {
  TransportId transport;
};  // answered by TransportClosed
// In the same turn: forwards nothing more of this life, empties queues and pacer, writes the notice on each open
// `_reliable`.  Answered by LifeCut, then one NoticeAcked per transport.
struct CutLife {
  LifeId life;
  Bytes notice;
};
struct CloseLife {
  LifeId life;
};  // tears transports down, a bounded number per turn; answered by LifeClosed
// Tests only (atriumd --fault late_send): lets one media packet of each life out after its cut, or one user message.
struct PlantLateSend {
  bool data = false;
};
// The dialling role alone: one plaintext RTP or compound RTCP packet (told apart as RFC 5761 says), protected and
// sent.
struct InjectRtp {
  TransportId transport;
  Bytes packet;
};

using Command =
    std::variant<OpenTransport, RestartIce, AdmitPath, SetDataPermission, AddUplink, RemoveUplink,
                 SetUplinkMuted, AddForward, RemoveForward, PauseForward, SendReliable,
                 CutTransport, CloseTransport, CutLife, CloseLife, PlantLateSend, InjectRtp>;

// --- reports: shard → control --------------------------------------------------------------------------------------
struct TransportUp {
  TransportId transport;
  SocketAddress remote;
};  // DTLS finished on a nominated pair
// Another nominated pair, after TransportUp.
struct PathChanged {
  TransportId transport;
  SocketAddress remote;
};
enum class DownReason : uint8_t { ConsentLost, DtlsFailed, FingerprintMismatch, DtlsClosed };
struct TransportDown {
  TransportId transport;
  DownReason reason = DownReason::ConsentLost;
};
struct ReliableChannel {
  TransportId transport;
  bool open = false;
};
enum class NoticeOutcome : uint8_t { Acknowledged, NoChannel };
struct NoticeDone {
  TransportId transport;
  NoticeOutcome outcome = NoticeOutcome::Acknowledged;
};
struct LifeCut {
  LifeId life;
  Mono at{};
  Wall wall_at{};
  uint64_t packets_forwarded = 0;
  uint32_t transports = 0;  // standing at the cut; LifeClosed counts them down
};
struct TransportClosed {
  TransportId transport;
};
struct LifeClosed {
  LifeId life;
  uint32_t transports_closed = 0;
  uint64_t packets_after_cut = 0;  // counted where datagrams leave the shard
};
struct UplinkStarted {
  TrackId track;
};  // first valid RTP packet
// A client's message to the server alone (topic atrium.token).
struct ServerMessage {
  TransportId transport;
  std::string topic;
  Bytes payload;
};
struct AudioLevel {
  TrackId track;
  uint8_t level_dbov = 127;
};  // 0 loudest, 127 silence (RFC 6464)
// Only for transports with deliver_to_owner.
struct RtpReceived {
  TransportId transport;
  Bytes packet;
};  // decrypted RTP or RTCP
struct DataReceived {
  TransportId transport;
  bool reliable = true;
  Bytes message;
};

using Report = std::variant<TransportUp, PathChanged, TransportDown, ReliableChannel, NoticeDone,
                            LifeCut, TransportClosed, LifeClosed, UplinkStarted, ServerMessage,
                            AudioLevel, RtpReceived, DataReceived>;

}  // namespace atrium::media
