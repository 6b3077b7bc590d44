// DialClient: a client of ours without sockets: it dials the signalling door, negotiates one peer connection,
// publishes
// synthetic tracks and counts what it is sent.  Owner: atriumpeer, atriumload, sim.  One thread.  livekit-protocol
// 1.4, 5.1-5.3.
// What enters: signalling frames, datagrams, SCTP events, time.  What leaves: the same words the other way, and
// events.
// Does not: open sockets, run SCTP itself (the owner has an SctpWorld), decide when to dial again.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/secret_source.h"
#include "base/time.h"
#include "client/rtp_source.h"
#include "client/signal_session.h"
#include "media/engine.h"
#include "media/sctp_port.h"
#include "negotiation/offer.h"

namespace atrium::client {

struct DialOptions {
  std::string path_prefix{};  // "" or "/r/<RoomId>", percent-encoded
  std::string token{};
  bool auto_subscribe = true;
  bool publish_audio = false, publish_video = false;
  // Goes on as if nothing had been said: leave, notice and close change nothing but the counters.
  bool deaf = false;
  TransportId transport{1};  // distinct among clients that share an SctpWorld
  std::shared_ptr<const media::CertificateKey> certificate{};
  RtpSource::Pace audio_pace{.interval = std::chrono::milliseconds(20), .key_frame_every = 1};
  RtpSource::Pace video_pace{.interval = std::chrono::milliseconds(33), .key_frame_every = 90};
};

// --- events
// ----------------------------------------------------------------------------------------------------------
struct Connected {};     // ICE and DTLS are up
struct Disconnected {};  // consent lost or DTLS failed; a resume restarts ICE
struct DataReady {};     // the `_reliable` channel is open
struct TrackReceived {
  std::string mid, track, stream;
  uint32_t ssrc = 0;
};
struct DataMessage {
  std::string topic;
  Bytes payload;
  std::string sender;
};  // sender: identity, empty = the server
using Event = std::variant<Joined, Resumed, Connected, Disconnected, DataReady, TrackReceived,
                           DataMessage, Leave, Closed, Refused>;

// One downlink SSRC.
struct Stream {
  std::string mid, track;
  bool is_repair = false;  // RFC 4588
  uint64_t packets = 0;
  uint64_t lost = 0;  // gaps seen; later repairs are not counted against them
  uint64_t highest_ext_seq = 0;
  Mono last_at{};
};
struct Counters {
  uint64_t rtp = 0, rtcp = 0, data_messages = 0;  // data: of users, not the server's notices
  // Since the first sign of the end: notice, leave or close.
  uint64_t after_leave_rtp = 0, after_leave_data = 0;
  uint64_t answers = 0, offers = 0, key_frames_asked = 0, repeats_asked = 0, pongs = 0;
};

class DialClient {
 public:
  // `secrets` outlives the client.
  DialClient(DialOptions options, SecretSource& secrets);
  ~DialClient();

  // The request-target of the upgrade: a fresh join, or after begin_resume() the way back to the same session.
  std::string upgrade_target();
  // The signalling connection is gone and a new one will be dialled for the same session.
  void begin_resume() { signal_.begin_resume(); }
  bool can_resume() const { return signal_.can_resume(); }

  // --- signalling: one frame each way
  void on_signal_message(std::string_view message, Now now);
  std::vector<std::string> take_signal_messages() { return signal_.take_messages(); }
  void on_signal_closed(uint16_t code);
  void leave() { signal_.leave(); }  // says goodbye; the owner then closes

  // --- datagrams: `path.local` is SocketAddress{} on both ways
  void on_datagrams(std::span<media::Datagram> batch, Now now);
  // Valid until the next call; call again while has_more_to_send().
  std::span<const media::SendRun> drain(Now now) { return engine_.drain(now); }
  bool has_more_to_send() const { return engine_.has_more_to_send(); }

  // --- SCTP passthrough
  std::vector<media::SctpCommand> take_sctp();
  void on_sctp(media::SctpEvent event, Now now);

  void on_deadline(Now now);
  Mono next_deadline() const;

  // False while the `_reliable` channel is closed.
  bool send_data(std::string_view topic, ByteView payload, Now now);
  // Ends a publication: its section becomes inactive with the next offer.
  void unpublish_video() { signal_.unpublish_video(); }

  std::vector<Event> take_events();
  const Counters& counters() const { return counters_; }
  const std::map<uint32_t, Stream>& streams() const { return streams_; }  // by SSRC
  const std::vector<negotiation::AnsweredSection>& sections() const { return sections_; }
  const std::map<std::string, std::string>& published() const {
    return signal_.published();
  }  // cid → TR_…, as granted
  const std::string& participant_sid() const { return signal_.participant_sid(); }
  const std::string& room_sid() const { return signal_.room_sid(); }
  bool is_connected() const { return is_connected_; }
  bool is_ended() const { return is_ended_; }  // a notice of removal, a leave or a close was seen

 private:
  void take_signal_events(Now now);
  void count_signals();
  void open_transport(const Answered& answered, Now now);
  void apply_sections(std::vector<negotiation::AnsweredSection> sections, Now now);
  bool name_stream(const negotiation::AnsweredSection& section, uint32_t ssrc, bool is_repair);
  void pump(Now now);  // takes the engine's reports and SCTP words
  void on_report(const media::Report& report, Now now);
  void on_rtp(const Bytes& packet, Now now);
  void on_rtcp(const Bytes& packet, Now now);
  void on_data(const Bytes& message);
  void ask_for_repeats(const Stream& stream, uint32_t ssrc, uint64_t from, uint64_t to, Now now);
  void send_due_rtp(Now now);
  void inject(Bytes packet, Now now);
  void see_end() { is_ended_ = true; }
  bool is_sending() const { return is_connected_ && (options_.deaf || !is_ended_); }

  // given
  const DialOptions options_;
  SecretSource& secrets_;
  // owned
  media::Engine engine_;
  SignalSession signal_;
  std::vector<media::SctpCommand> sctp_;
  std::vector<Event> events_;
  std::vector<RtpSource> sources_;
  std::vector<negotiation::AnsweredSection> sections_;
  std::map<uint32_t, Stream> streams_;
  Counters counters_;
  uint16_t transport_seq_ = 0;
  uint32_t rtcp_ssrc_ = 0;
  bool is_connected_ = false, is_data_ready_ = false, is_ended_ = false;
};

}  // namespace atrium::client
