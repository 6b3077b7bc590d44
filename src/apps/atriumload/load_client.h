// LoadClient: one client of a run, whatever the server: its driver, peer connections, streams sent and checked.
// Owner: Worker.  One thread.  What enters: bytes of its sockets, time.  What leaves: bytes for its sockets, SCTP
// words.
// Does not: open sockets, decide when to join or leave, know a server's signalling.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/atriumload/driver.h"
#include "apps/atriumload/media_source.h"
#include "apps/atriumload/pattern.h"
#include "apps/atriumload/run_state.h"
#include "apps/atriumload/tally.h"

namespace atrium::load {

// SRTP packets of one frame, all for one link.  Its memory is used again and again.
class SendBatch {
 public:
  static constexpr size_t kPacketsMax = 128, kBytesMax = 1'500;
  SendBatch() : room_(kPacketsMax * kBytesMax) { sizes_.reserve(kPacketsMax); }
  bool is_full() const { return sizes_.size() == kPacketsMax; }
  ByteSpan reserve() { return ByteSpan(room_).subspan(sizes_.size() * kBytesMax, kBytesMax); }
  void commit(size_t bytes) { sizes_.push_back(bytes); }
  size_t size() const { return sizes_.size(); }
  ByteView operator[](size_t index) const {
    return ByteView(room_).subspan(index * kBytesMax, sizes_[index]);
  }
  void clear() { sizes_.clear(); }

 private:
  Bytes room_;
  std::vector<size_t> sizes_;
};

class LoadClient {
 public:
  enum class Stage : uint8_t { Joining, Present, Failed, Ended };
  struct Given {
    Person person;
    uint32_t number = 0;      // of the run, from 0 on
    TransportId transport{};  // of its link 0, which is the one with data channels
    bool verifies = true;     // decrypts and compares media
    bool sends_data = false;
    std::shared_ptr<const media::CertificateKey> certificate;
  };

  // Settings, run, tally and secrets outlive the client.
  LoadClient(Given given, const Settings& settings, RunState& run, Tally& tally,
             SecretSource& secrets, Now now);
  ~LoadClient();

  // --- the signalling connection
  void on_tcp_bytes(std::string_view bytes, Now now);
  void on_tcp_end(Now now);
  std::string take_tcp_output();
  // Whether the connection is to be ended once the output is gone.
  bool wants_hang_up() const { return hangs_up_; }
  void leave(Now now);
  void end_room() { driver_->end_room(); }

  // --- datagrams: `link` below kLinksMax; a link's socket is connected to `to`
  struct NewLink {
    uint8_t link = 0;
    SocketAddress to;
  };
  std::vector<NewLink> take_new_links();
  // `arrived_us`: wall clock, as near to the wire as is known.
  void on_datagram(uint8_t link, ByteSpan datagram, uint64_t arrived_us, Now now);
  std::vector<client::PeerLink::Outgoing> take_datagrams(uint8_t link);
  // Media begins now, for this client as for all.
  void begin_media(Now now);
  // One frame that is due, into an empty batch; the link that it is for, or nullopt when none is due.
  std::optional<uint8_t> take_frame(Now now, SendBatch& batch);

  // --- SCTP
  std::vector<media::SctpCommand> take_sctp();
  void on_sctp(media::SctpEvent event, Now now);

  void on_deadline(Now now);
  Mono next_deadline() const;

  Stage stage() const { return stage_; }
  uint64_t lost_so_far() const;  // packets of media; 0 once finished, which counts them
  const Given& given() const { return given_; }
  // Once, at its end: what its streams lost.  `counts_tails`: publishers have sent all that they will, and nobody was
  // taken out of the room before.
  void finish(bool counts_tails);

 private:
  struct Link {
    std::optional<client::PeerLink> peer;
    SocketAddress to;
    std::array<PayloadUse, 128> uses{};
    bool is_up = false;
    uint64_t bad_counted = 0;
    uint16_t transport_seq = 0;
  };
  struct Stream {
    SequenceCheck check;
    uint32_t source = 0;
    bool by_pattern = false;
    uint64_t highest_ext_seq = 0;
  };

  void take_events(Now now);
  void on(LinkOpened& opened, Now now);
  void on(SendGranted& granted, Now now);
  void on(const PayloadNamed& named, Now now);
  void on(const SignalJoined& joined, Now now);
  void on(const EndTold& told, Now now);
  void on(const DriverFailed& failed, Now now);
  void on(const RoomEnded& ended, Now now);
  void after_link(Link& link, Now now);
  void on_rtp(uint8_t link, ByteSpan datagram, uint64_t arrived_us, Now now);
  void check_header(ByteView datagram, const Link& link);
  void check_pattern(ByteView plain, const Link& link, uint64_t arrived_us);
  void count(Arrived arrived);
  Stream& stream_of(uint32_t ssrc);
  void on_rtcp(ByteView compound);
  void on_data(ByteView message, Now now);
  void send_data(Now now);
  Mono first_frame_at(Now now);
  void check_complete(Now now);
  void fail(const std::string& why);
  void note_end(std::optional<uint64_t>& sign, uint64_t at_us);
  bool is_sending() const;
  void count_dismissal();

  // given
  const Given given_;
  const Settings& settings_;
  RunState& run_;
  Tally& tally_;
  SecretSource& secrets_;
  const Now began_;
  // owned
  std::unique_ptr<Driver> driver_;
  client::WebSocketLink socket_;
  std::array<Link, kLinksMax> links_;
  std::vector<NewLink> new_links_;
  std::vector<MediaSource> sources_;
  std::vector<MediaSource::Packet> frame_;
  std::vector<uint32_t> ssrcs_;
  std::vector<Stream> streams_;  // beside ssrcs_
  std::map<uint32_t, SequenceCheck> data_streams_;
  std::vector<media::SctpCommand> sctp_;
  // derived
  Stage stage_ = Stage::Joining;
  bool is_signalled_ = false, is_data_ready_ = false, is_open_ = false;
  bool hangs_up_ = false, is_leaving_ = false, says_goodbye_ = false, is_finished_ = false;
  Mono next_data_ = kNever;
  uint64_t data_seq_ = 0;
  uint64_t arrived_us_ = 0;  // of the datagram at hand
  // signs of the end, wall clock
  std::optional<uint64_t> noticed_us_, told_us_, closed_us_, last_media_us_;
  uint64_t media_after_notice_ = 0, data_after_notice_ = 0;
};

}  // namespace atrium::load
