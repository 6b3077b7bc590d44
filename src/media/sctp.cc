// SCTP over usrsctp.  usrsctp is C, global, and calls back while it works.  So the callbacks below
// only put down what happened (a packet among the events, an association that can be read); it is
// looked at once usrsctp has returned. Data is read from sockets, not taken by usrsctp's receive
// callback: with that one (0.9.5) nobody says that the peer gave a message up after its delivery
// had begun (RFC 3758). An association's AF_CONN address is its transport's number, never a
// pointer: a late packet or timer finds nothing rather than freed memory.
#include "media/sctp.h"

#include <usrsctp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "media/sctp_dcep.h"
#include "media/sctp_packet.h"

namespace atrium::media {
namespace {

constexpr size_t kMessageBytesMax = static_cast<size_t>(limits::kDataMessageBytesMax);
// A backend's message is larger than what we take from a client: it has its own limit, a topic and a frame.
constexpr size_t kOutgoingBytesMax =
    static_cast<size_t>(limits::kMessageRoomBytesMax + limits::kIdBytesMax);
static_assert(kOutgoingBytesMax < static_cast<size_t>(limits::kSctpSocketBufferBytes),
              "usrsctp takes a message whole or not at all");
// usrsctp's path MTU leaves out the SCTP common header.
constexpr uint32_t kPathMtu = static_cast<uint32_t>(limits::kSctpPacketBytesMax) - 12;

void* address_of(TransportId transport) {
  return reinterpret_cast<void*>(transport.value);
}
TransportId transport_of(const void* address) {
  return {reinterpret_cast<uint64_t>(address)};
}

sockaddr_conn socket_address(TransportId transport) {
  sockaddr_conn out{};
  out.sconn_family = AF_CONN;
  out.sconn_port = htons(sctp_inner_port(transport));
  out.sconn_addr = address_of(transport);
  return out;
}

// One read: a piece of a message, or a notification.
struct Piece {
  ByteView bytes;
  uint16_t stream = 0;
  uint32_t ppid = 0;
  bool is_notification = false;
  bool is_last = false;
};

struct Partial {
  Bytes bytes;
  bool is_discarding = false;  // up to its end
};

struct Channel {
  DcepOpen opening;
  DataLabel label = DataLabel::Other;
  bool is_open = false;  // ours wait for the peer's ACK
};

struct Outgoing {
  uint16_t stream = 0;
  uint32_t ppid = 0;
  bool is_notice = false;
  SharedBytes message;
  bool is_control() const { return ppid == kPpidDcep; }
};

struct Association {
  explicit Association(SctpOpen open)
      : transport(open.transport), is_dtls_client(open.is_dtls_client) {}

  // given
  TransportId transport;
  bool is_dtls_client;
  // owned
  struct socket* socket = nullptr;
  std::map<uint16_t, Channel> channels;  // by stream, at most kSctpStreamsMax
  std::map<uint16_t, Partial> partials;  // likewise
  std::deque<Outgoing> queue;            // waiting for room in usrsctp
  std::vector<DataLabel> wanted_opens;   // before the association is up; at most one of a label
  std::set<uint16_t> wanted_resets;
  // derived
  bool is_up = false;
  bool is_first_init_kept = false;
  size_t partial_bytes = 0;
  size_t queued_bytes = 0;
  uint32_t unacknowledged_notices = 0;
  std::array<std::optional<uint16_t>, 3> stream_by_label;  // the newest open channel of each

  std::optional<uint16_t>& stream_of(DataLabel label) {
    return stream_by_label[static_cast<size_t>(label)];
  }
  bool is_blocked() const { return !queue.empty() || !wanted_resets.empty(); }
};

template <typename T>
bool set_option(struct socket* socket, int level, int name, const T& value) {
  return usrsctp_setsockopt(socket, level, name, &value, sizeof(value)) == 0;
}

bool set_events(struct socket* socket) {
  for (uint16_t type : {SCTP_ASSOC_CHANGE, SCTP_SENDER_DRY_EVENT, SCTP_STREAM_RESET_EVENT,
                        SCTP_PARTIAL_DELIVERY_EVENT, SCTP_SHUTDOWN_EVENT}) {
    sctp_event event{};
    event.se_assoc_id = SCTP_ALL_ASSOC;
    event.se_type = type;
    event.se_on = 1;
    if (!set_option(socket, IPPROTO_SCTP, SCTP_EVENT, event)) return false;
  }
  return true;
}

bool set_options(struct socket* socket) {
  linger no_linger{};
  no_linger.l_onoff = 1;  // close frees at once; its ABORT is not let out (SctpClose)
  const int on = 1;
  const int buffer = static_cast<int>(limits::kSctpSocketBufferBytes);
  // A message within the limit comes in one piece; a larger one comes in several, none of which is kept.
  const auto whole_message = static_cast<uint32_t>(limits::kDataMessageBytesMax) + 1;
  sctp_initmsg init{};
  init.sinit_num_ostreams = static_cast<uint16_t>(limits::kSctpStreamsMax);
  init.sinit_max_instreams = static_cast<uint16_t>(limits::kSctpStreamsMax);
  sctp_assoc_value resets{};
  resets.assoc_id = SCTP_ALL_ASSOC;
  resets.assoc_value = SCTP_ENABLE_RESET_STREAM_REQ | SCTP_ENABLE_CHANGE_ASSOC_REQ;
  return usrsctp_set_non_blocking(socket, 1) == 0 &&
         set_option(socket, SOL_SOCKET, SO_LINGER, no_linger) &&
         set_option(socket, SOL_SOCKET, SO_SNDBUF, buffer) &&
         set_option(socket, SOL_SOCKET, SO_RCVBUF, buffer) &&
         set_option(socket, IPPROTO_SCTP, SCTP_PARTIAL_DELIVERY_POINT, whole_message) &&
         set_option(socket, IPPROTO_SCTP, SCTP_NODELAY, on) &&
         set_option(socket, IPPROTO_SCTP, SCTP_RECVRCVINFO, on) &&
         set_option(socket, IPPROTO_SCTP, SCTP_INITMSG, init) &&
         set_option(socket, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, resets) && set_events(socket);
}

// ICE consent watches the path, so heartbeats would only be traffic.
bool set_path(struct socket* socket, const sockaddr_conn& peer) {
  sctp_paddrparams path{};
  std::memcpy(&path.spp_address, &peer, sizeof(peer));
  path.spp_flags = SPP_PMTUD_DISABLE | SPP_HB_DISABLE;
  path.spp_pathmtu = kPathMtu;
  return set_option(socket, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, path);
}

// usrsctp's process-wide numbers, all in milliseconds where a time.
void tune() {
  usrsctp_sysctl_set_sctp_ecn_enable(0);     // DTLS hides the IP header
  usrsctp_sysctl_set_sctp_auth_enable(0);    // and authenticates
  usrsctp_sysctl_set_sctp_asconf_enable(0);  // one address, for good
  usrsctp_sysctl_set_sctp_auto_asconf(0);
  usrsctp_sysctl_set_sctp_blackhole(2);  // no ABORT to packets that fit nothing
  usrsctp_sysctl_set_sctp_pr_enable(1);
  usrsctp_sysctl_set_sctp_initial_cwnd(10);  // RFC 6928
  usrsctp_sysctl_set_sctp_delayed_sack_time_default(20);
  // A notice has limits::kNoticeAckMs; the default minimum of a second would spend it on one lost packet.
  usrsctp_sysctl_set_sctp_rto_min_default(100);
  usrsctp_sysctl_set_sctp_rto_initial_default(500);
  usrsctp_sysctl_set_sctp_init_rto_max_default(3'000);
  usrsctp_sysctl_set_sctp_rto_max_default(5'000);
  // Outlast limits::kIceConsentMs: ICE decides when a path is gone.
  usrsctp_sysctl_set_sctp_init_rtx_max_default(20);
  usrsctp_sysctl_set_sctp_assoc_rtx_max_default(20);
  usrsctp_sysctl_set_sctp_path_rtx_max_default(20);
  usrsctp_sysctl_set_sctp_path_pf_threshold(20);
}

int send_now(Association& association, const Outgoing& out) {
  const auto channel = association.channels.find(out.stream);
  sctp_sendv_spa how{};
  how.sendv_flags = SCTP_SEND_SNDINFO_VALID;
  how.sendv_sndinfo.snd_sid = out.stream;
  how.sendv_sndinfo.snd_ppid = htonl(out.ppid);
  if (channel != association.channels.end() && !out.is_control()) {
    const DcepOpen& opening = channel->second.opening;
    if (opening.is_unordered) how.sendv_sndinfo.snd_flags = SCTP_UNORDERED;
    if (opening.reliability != DcepReliability::Reliable) {
      how.sendv_flags |= SCTP_SEND_PRINFO_VALID;
      how.sendv_prinfo.pr_policy = opening.reliability == DcepReliability::LimitedRetransmits
                                       ? SCTP_PR_SCTP_RTX
                                       : SCTP_PR_SCTP_TTL;
      how.sendv_prinfo.pr_value = opening.reliability_parameter;
    }
  }
  // RFC 7053: the peer acknowledges the notice at once instead of after its delay of up to 200 ms, which is all the
  // time
  // that the dismissal gives it.
  if (out.is_notice) how.sendv_sndinfo.snd_flags |= SCTP_SACK_IMMEDIATELY;
  const ssize_t sent = usrsctp_sendv(association.socket, out.message.data(), out.message.size(),
                                     nullptr, 0, &how, sizeof(how), SCTP_SENDV_SPA, 0);
  return sent >= 0 ? 0 : errno;
}

bool is_retriable(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

struct SctpWorld::State {
  // usrsctp's output callback has no user pointer that could carry it.
  static inline State* current = nullptr;

  std::unordered_map<uint64_t, Association> associations;
  std::set<uint64_t> blocked;  // associations that have something to try again
  std::set<uint64_t> readable;
  std::vector<SctpEvent> events;
  Bytes read_buffer = Bytes(kMessageBytesMax + 1);
  SctpCounters counters;
  Mono last_tick{}, last_active{};

  // callbacks of usrsctp
  static int on_output(void* address, void* data, size_t size, uint8_t tos, uint8_t set_df);
  static void on_readable(struct socket* socket, void* user, int);

  // commands
  void on(SctpOpen& open, Now now);
  void on(SctpPacketIn& in, Now now);
  void on(SctpSend& send, Now now);
  void on(SctpClose& close, Now now);
  void on(SctpOpenChannel& open, Now now);
  // usrsctp's clock is as old as its last tick, and what happens now may start a timer.
  void tick_if_due(Now now);
  // A tick looks at the timers of every association, so it is made more seldom the more there are.
  int64_t tick_ms() const {
    const auto thousands = static_cast<int64_t>(associations.size()) / 1'000;
    return limits::kSctpTickMs * std::clamp<int64_t>(thousands / 2 + 1, 1, 3);
  }
  bool is_quiet() const {
    return last_tick >= last_active + std::chrono::milliseconds(limits::kSctpQuietAfterMs);
  }
  Association* find(TransportId transport);
  bool connect(Association& association);

  // what usrsctp said
  void settle();  // until nothing is readable
  void read_all(Association& association);
  void retry(uint64_t transport);
  void on_piece(Association& association, const Piece& piece);
  void on_message(Association& association, uint16_t stream, uint32_t ppid, Bytes message);
  void on_dcep(Association& association, uint16_t stream, ByteView message);
  void on_notification(Association& association, ByteView bytes);
  void on_association_change(Association& association, const sctp_assoc_change& change);
  void on_stream_reset(Association& association, ByteView bytes);

  // channels
  void open_ours(Association& association, DataLabel label);
  void set_open(Association& association, uint16_t stream);
  void close_channel(Association& association, uint16_t stream);
  void lose_channels(Association& association);
  void finish_notices(Association& association, bool acknowledged);

  // the way out
  void enqueue(Association& association, Outgoing out);
  void flush(Association& association);
  void flush_resets(Association& association);
  void drop_queue_before_notice(Association& association);
};

// --- callbacks -----------------------------------------------------

int SctpWorld::State::on_output(void* address, void* data, size_t size, uint8_t, uint8_t) {
  const TransportId transport = transport_of(address);
  if (current == nullptr || size < kSctpCommonHeader) return 0;
  const auto at = current->associations.find(transport.value);
  if (at == current->associations.end()) return 0;
  const ByteView said(static_cast<const uint8_t*>(data), size);
  // WebRTC's peers begin both, and the collision (RFC 9260 section 5.2.1) costs four packets more than one beginning.
  // So the DTLS server's INIT stays here; if the peer has not begun meanwhile, the retransmission timer repeats it.
  if (!at->second.is_dtls_client && is_sctp_init(said) &&
      !std::exchange(at->second.is_first_init_kept, true))
    return 0;
  Bytes packet(said.begin(), said.end());
  make_sctp_outer(packet);
  current->events.emplace_back(SctpPacketOut{transport, std::move(packet)});
  ++current->counters.packets_out;
  return 0;
}

void SctpWorld::State::on_readable(struct socket*, void* user, int) {
  if (current != nullptr) current->readable.insert(transport_of(user).value);
}

// --- commands -----------------------------------------------------

Association* SctpWorld::State::find(TransportId transport) {
  const auto at = associations.find(transport.value);
  if (at != associations.end()) return &at->second;
  ++counters.dropped_unknown_transport;
  return nullptr;
}

bool SctpWorld::State::connect(Association& association) {
  const sockaddr_conn both = socket_address(association.transport);
  association.socket =
      usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, nullptr, nullptr, 0, nullptr);
  if (association.socket == nullptr || !set_options(association.socket)) return false;
  if (usrsctp_set_upcall(association.socket, on_readable, address_of(association.transport)) != 0)
    return false;
  sockaddr_conn local = both, remote = both;
  if (usrsctp_bind(association.socket, reinterpret_cast<sockaddr*>(&local), sizeof(local)) != 0)
    return false;
  const int result =
      usrsctp_connect(association.socket, reinterpret_cast<sockaddr*>(&remote), sizeof(remote));
  return (result == 0 || errno == EINPROGRESS) && set_path(association.socket, both);
}

void SctpWorld::State::on(SctpOpen& open, Now now) {
  if (open.transport.value == 0 || associations.contains(open.transport.value)) {
    ++counters.open_failed;
    return;
  }
  if (associations.empty()) last_tick = now.mono;
  Association& association = associations.try_emplace(open.transport.value, open).first->second;
  usrsctp_register_address(address_of(open.transport));
  if (connect(association)) return;
  ++counters.open_failed;
  SctpClose close{open.transport};
  on(close, now);
}

void SctpWorld::State::on(SctpPacketIn& in, Now) {
  if (find(in.transport) == nullptr) return;
  ++counters.packets_in;
  if (!make_sctp_inner(in.packet, in.transport)) {
    ++counters.dropped_bad_packet;
    return;
  }
  usrsctp_conninput(address_of(in.transport), in.packet.data(), in.packet.size(), 0);
  readable.insert(in.transport.value);  // not left to the upcall alone
}

void SctpWorld::State::on(SctpSend& send, Now) {
  Association* association = find(send.transport);
  const auto stream = association == nullptr || send.label == DataLabel::Other
                          ? std::nullopt
                          : association->stream_of(send.label);
  if (!stream || send.message.size() > kOutgoingBytesMax) {
    ++(stream ? counters.dropped_oversize_out : counters.dropped_no_channel_out);
    if (send.is_notice) events.emplace_back(SctpNoticeDone{send.transport, false});
    return;
  }
  if (send.is_notice) drop_queue_before_notice(*association);
  Outgoing out{.stream = *stream,
               .ppid = kPpidBinary,
               .is_notice = send.is_notice,
               .message = std::move(send.message)};
  if (out.message.empty()) {  // RFC 8831 section 6.6
    out.message = Bytes{0};
    out.ppid = kPpidBinaryEmpty;
  }
  const bool is_full = association->queued_bytes + out.message.size() >
                       static_cast<size_t>(limits::kSctpSendQueueBytesMax);
  if (is_full && !send.is_notice) {
    ++(send.label == DataLabel::Lossy ? counters.dropped_queue_full_lossy
                                      : counters.dropped_queue_full_reliable);
    return;
  }
  enqueue(*association, std::move(out));
}

// Forgotten before it is closed: what usrsctp still says in closing (an ABORT) belongs to nobody and is dropped.
void SctpWorld::State::on(SctpClose& close, Now) {
  const auto node = associations.extract(close.transport.value);
  blocked.erase(close.transport.value);
  if (!node.empty()) {
    if (node.mapped().socket != nullptr) usrsctp_close(node.mapped().socket);
    usrsctp_deregister_address(address_of(close.transport));
  }
  events.emplace_back(SctpClosed{close.transport});
}

void SctpWorld::State::on(SctpOpenChannel& open, Now) {
  Association* association = find(open.transport);
  if (association == nullptr || open.label == DataLabel::Other) return;
  if (association->is_up) return open_ours(*association, open.label);
  if (std::ranges::find(association->wanted_opens, open.label) == association->wanted_opens.end())
    association->wanted_opens.push_back(open.label);
}

// --- what usrsctp said -----------------------------------------------------

// What is read may be answered, and answering may make further things readable; each round uses up what one packet or
// timer brought.
void SctpWorld::State::settle() {
  while (!readable.empty()) {
    for (const uint64_t transport : std::exchange(readable, {})) {
      const auto at = associations.find(transport);
      if (at != associations.end()) read_all(at->second);
    }
  }
}

void SctpWorld::State::read_all(Association& association) {
  while (true) {
    sctp_rcvinfo info{};
    socklen_t address_size = 0;
    auto info_size = static_cast<socklen_t>(sizeof(info));
    unsigned int info_type = 0;
    int flags = 0;
    const ssize_t size =
        usrsctp_recvv(association.socket, read_buffer.data(), read_buffer.size(), nullptr,
                      &address_size, &info, &info_size, &info_type, &flags);
    if (size <= 0) return;
    const bool is_notification = (flags & MSG_NOTIFICATION) != 0;
    if (!is_notification && info_type != SCTP_RECVV_RCVINFO) continue;
    on_piece(association, {.bytes = ByteView(read_buffer).first(static_cast<size_t>(size)),
                           .stream = info.rcv_sid,
                           .ppid = ntohl(info.rcv_ppid),
                           .is_notification = is_notification,
                           .is_last = (flags & MSG_EOR) != 0});
  }
}

void SctpWorld::State::retry(uint64_t transport) {
  if (blocked.erase(transport) == 0) return;
  Association& association = associations.at(transport);
  flush(association);
  if (association.is_blocked()) blocked.insert(transport);
  settle();
}

void SctpWorld::State::on_piece(Association& association, const Piece& piece) {
  if (piece.is_notification) return on_notification(association, piece.bytes);
  Partial& partial = association.partials[piece.stream];
  if (!partial.is_discarding) {
    const bool is_oversize = partial.bytes.size() + piece.bytes.size() > kMessageBytesMax;
    const bool is_full = association.partial_bytes + piece.bytes.size() >
                         static_cast<size_t>(limits::kSctpReassemblyBytesMax);
    if (is_oversize || is_full) {
      ++(is_oversize ? counters.dropped_oversize_in : counters.dropped_reassembly_full);
      association.partial_bytes -= partial.bytes.size();
      partial = {.bytes = {}, .is_discarding = true};
    } else {
      association.partial_bytes += piece.bytes.size();
      partial.bytes.insert(partial.bytes.end(), piece.bytes.begin(), piece.bytes.end());
    }
  }
  if (!piece.is_last) return;
  Partial whole = std::move(partial);
  association.partials.erase(piece.stream);
  association.partial_bytes -= whole.bytes.size();
  if (!whole.is_discarding)
    on_message(association, piece.stream, piece.ppid, std::move(whole.bytes));
}

void SctpWorld::State::on_message(Association& association, uint16_t stream, uint32_t ppid,
                                  Bytes message) {
  switch (ppid) {
    case kPpidDcep:
      return on_dcep(association, stream, message);
    case kPpidString:
    case kPpidBinary:
      break;
    case kPpidStringEmpty:
    case kPpidBinaryEmpty:
      message.clear();
      break;
    default:
      ++counters.dropped_bad_ppid;
      return;
  }
  const auto channel = association.channels.find(stream);
  if (channel == association.channels.end()) {
    ++counters.dropped_no_channel_in;
    return;
  }
  ++counters.messages_in;
  events.emplace_back(
      SctpMessage{association.transport, channel->second.label, std::move(message)});
}

void SctpWorld::State::on_dcep(Association& association, uint16_t stream, ByteView message) {
  auto parsed = parse_dcep(message);
  const auto known = association.channels.find(stream);
  const bool is_known = known != association.channels.end();
  const bool is_open = parsed && std::holds_alternative<DcepOpen>(*parsed);
  // An OPEN names a free stream; an ACK names one that waits.
  if (!parsed || is_open == is_known || (is_known && known->second.is_open)) {
    ++counters.dropped_bad_dcep;
    return;
  }
  if (is_open) {
    Channel channel{.opening = std::move(std::get<DcepOpen>(*parsed))};
    channel.label = data_label(channel.opening.label);
    association.channels.emplace(stream, std::move(channel));
    enqueue(association, {.stream = stream, .ppid = kPpidDcep, .message = write_dcep(DcepAck{})});
  }
  set_open(association, stream);
}

void SctpWorld::State::on_notification(Association& association, ByteView bytes) {
  sctp_notification notification{};
  std::memcpy(&notification, bytes.data(), std::min(bytes.size(), sizeof(notification)));
  switch (notification.sn_header.sn_type) {
    case SCTP_ASSOC_CHANGE:
      return on_association_change(association, notification.sn_assoc_change);
    case SCTP_SHUTDOWN_EVENT:
      return lose_channels(association);
    // Every notice counted here was handed to usrsctp before it found its queues empty.
    case SCTP_SENDER_DRY_EVENT:
      return finish_notices(association, true);
    case SCTP_STREAM_RESET_EVENT:
      return on_stream_reset(association, bytes);
    case SCTP_PARTIAL_DELIVERY_EVENT: {
      // The sender gave the message up midway (RFC 3758).
      const auto partial = association.partials.find(
          static_cast<uint16_t>(notification.sn_pdapi_event.pdapi_stream));
      if (partial == association.partials.end()) return;
      association.partial_bytes -= partial->second.bytes.size();
      association.partials.erase(partial);
      return;
    }
    default:
      return;
  }
}

void SctpWorld::State::on_association_change(Association& association,
                                             const sctp_assoc_change& change) {
  switch (change.sac_state) {
    case SCTP_COMM_UP:
      association.is_up = true;
      for (DataLabel label : std::exchange(association.wanted_opens, {}))
        open_ours(association, label);
      return;
    case SCTP_RESTART:
      return lose_channels(association);  // the peer began anew, and opens its channels anew
    case SCTP_COMM_LOST:
    case SCTP_SHUTDOWN_COMP:
    case SCTP_CANT_STR_ASSOC:
      association.is_up = false;
      return lose_channels(association);
    default:
      return;
  }
}

// RFC 8831 section 6.7: a peer closes a channel by resetting its stream, and we answer by resetting ours.
void SctpWorld::State::on_stream_reset(Association& association, ByteView bytes) {
  constexpr size_t kHeader = sizeof(sctp_stream_reset_event);
  sctp_stream_reset_event event{};
  std::memcpy(&event, bytes.data(), std::min(bytes.size(), kHeader));
  if ((event.strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN) == 0) return;
  if ((event.strreset_flags & (SCTP_STREAM_RESET_DENIED | SCTP_STREAM_RESET_FAILED)) != 0) return;
  std::set<uint16_t> streams;
  for (size_t at = kHeader; at + 2 <= std::min<size_t>(bytes.size(), event.strreset_length);
       at += 2) {
    uint16_t stream = 0;  // host order: usrsctp's notification, not the wire
    std::memcpy(&stream, bytes.data() + at, sizeof(stream));
    streams.insert(stream);
  }
  if (streams.empty())
    for (const auto& [stream, channel] : association.channels) streams.insert(stream);
  for (const uint16_t stream : streams) {
    if (!association.channels.contains(stream)) continue;
    close_channel(association, stream);
    association.wanted_resets.insert(stream);
  }
  flush(association);
  if (association.is_blocked()) blocked.insert(association.transport.value);
}

// --- channels -----------------------------------------------------

// RFC 8832 section 6: the DTLS client takes even streams, the server odd ones.
void SctpWorld::State::open_ours(Association& association, DataLabel label) {
  uint16_t stream = association.is_dtls_client ? 0 : 1;
  while (association.channels.contains(stream)) stream = static_cast<uint16_t>(stream + 2);
  if (stream >= limits::kSctpStreamsMax) {
    ++counters.open_failed;
    return;
  }
  Channel channel{.opening = dcep_open_for(label), .label = label};
  Bytes message = write_dcep(channel.opening);
  association.channels.emplace(stream, std::move(channel));
  enqueue(association, {.stream = stream, .ppid = kPpidDcep, .message = std::move(message)});
}

// A client that opens a second channel of a label has given the first one up: the newest is used.
void SctpWorld::State::set_open(Association& association, uint16_t stream) {
  Channel& channel = association.channels.at(stream);
  channel.is_open = true;
  auto& newest = association.stream_of(channel.label);
  if (!newest) events.emplace_back(SctpChannelOpen{association.transport, channel.label, true});
  newest = stream;
}

void SctpWorld::State::close_channel(Association& association, uint16_t stream) {
  const auto at = association.channels.find(stream);
  const DataLabel label = at->second.label;
  association.channels.erase(at);
  auto& newest = association.stream_of(label);
  if (newest != stream) return;
  newest.reset();
  events.emplace_back(SctpChannelOpen{association.transport, label, false});
}

void SctpWorld::State::lose_channels(Association& association) {
  while (!association.channels.empty())
    close_channel(association, association.channels.begin()->first);
  association.partials.clear();
  association.partial_bytes = 0;
  for (const Outgoing& out : association.queue)
    association.unacknowledged_notices += out.is_notice ? 1 : 0;
  association.queue.clear();
  association.queued_bytes = 0;
  association.wanted_resets.clear();
  finish_notices(association, false);
}

void SctpWorld::State::finish_notices(Association& association, bool acknowledged) {
  for (; association.unacknowledged_notices > 0; --association.unacknowledged_notices)
    events.emplace_back(SctpNoticeDone{association.transport, acknowledged});
}

// --- the way out -----------------------------------------------------

void SctpWorld::State::enqueue(Association& association, Outgoing out) {
  association.queued_bytes += out.message.size();
  association.queue.push_back(std::move(out));
  flush(association);
  if (association.is_blocked()) blocked.insert(association.transport.value);
}

void SctpWorld::State::flush(Association& association) {
  while (!association.queue.empty()) {
    const Outgoing& out = association.queue.front();
    const int error = send_now(association, out);
    if (is_retriable(error)) break;
    if (error == 0 && !out.is_control()) ++counters.messages_out;
    if (error == 0 && out.is_notice) ++association.unacknowledged_notices;
    if (error != 0) {
      ++counters.dropped_send_failed;
      if (out.is_notice) events.emplace_back(SctpNoticeDone{association.transport, false});
    }
    association.queued_bytes -= out.message.size();
    association.queue.pop_front();
  }
  flush_resets(association);
}

// usrsctp takes one request at a time; the others wait for its answer.
void SctpWorld::State::flush_resets(Association& association) {
  if (association.wanted_resets.empty()) return;
  const size_t count = association.wanted_resets.size();
  const size_t size = sizeof(sctp_reset_streams) + count * sizeof(uint16_t);
  std::vector<uint32_t> memory((size + 3) / 4);  // aligned for the struct with its trailing list
  auto* request = reinterpret_cast<sctp_reset_streams*>(memory.data());
  request->srs_assoc_id = SCTP_ALL_ASSOC;
  request->srs_flags = SCTP_STREAM_RESET_OUTGOING;
  request->srs_number_streams = static_cast<uint16_t>(count);
  std::ranges::copy(association.wanted_resets, request->srs_stream_list);
  const int result = usrsctp_setsockopt(association.socket, IPPROTO_SCTP, SCTP_RESET_STREAMS,
                                        request, static_cast<socklen_t>(size));
  if (result != 0 && (is_retriable(errno) || errno == EALREADY || errno == EINPROGRESS)) return;
  association.wanted_resets.clear();
}

void SctpWorld::State::drop_queue_before_notice(Association& association) {
  const auto is_overtaken = [](const Outgoing& out) { return !out.is_control() && !out.is_notice; };
  for (const Outgoing& out : association.queue)
    if (is_overtaken(out)) association.queued_bytes -= out.message.size();
  counters.dropped_before_notice += std::erase_if(association.queue, is_overtaken);
}

// --- the world -----------------------------------------------------

SctpWorld::SctpWorld() : state_(std::make_unique<State>()) {
  CHECK(State::current == nullptr);
  usrsctp_init_nothreads(0, State::on_output, nullptr);
  usrsctp_enable_crc32c_offload();  // media/sctp_packet.h
  tune();
  State::current = state_.get();
}

SctpWorld::~SctpWorld() {
  while (!state_->associations.empty()) {
    SctpClose close{{state_->associations.begin()->first}};
    state_->on(close, {});
  }
  // Sockets that something still refers to are freed by a timer.
  for (int tries = 0; usrsctp_finish() != 0 && tries < 1'000; ++tries) usrsctp_handle_timers(10);
  State::current = nullptr;
}

void SctpWorld::on_command(SctpCommand command, Now now) {
  const uint64_t transport =
      std::visit([](const auto& each) { return each.transport.value; }, command);
  const auto* packet = std::get_if<SctpPacketIn>(&command);
  if (packet == nullptr || !is_sctp_heartbeat(packet->packet)) {
    state_->tick_if_due(now);
    state_->last_active = now.mono;
  }
  std::visit([&](auto& each) { state_->on(each, now); }, command);
  state_->settle();
  state_->retry(transport);  // an acknowledgement may have made room
}

void SctpWorld::State::tick_if_due(Now now) {
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now.mono - last_tick);
  if (elapsed.count() < tick_ms() || associations.empty()) return;
  last_tick += elapsed;  // the part of a millisecond counts next time
  const uint64_t packets = counters.packets_out;
  usrsctp_handle_timers(static_cast<uint32_t>(elapsed.count()));
  if (counters.packets_out != packets) last_active = now.mono;
  settle();
  for (const uint64_t transport : std::set(blocked)) retry(transport);
}

void SctpWorld::on_deadline(Now now) {
  if (now.mono >= next_deadline()) state_->tick_if_due(now);
}

Mono SctpWorld::next_deadline() const {
  if (state_->associations.empty()) return kNever;
  const int64_t tick = state_->is_quiet() ? limits::kSctpQuietTickMs : state_->tick_ms();
  return state_->last_tick + std::chrono::milliseconds(tick);
}

std::vector<SctpEvent> SctpWorld::take_events() {
  return std::exchange(state_->events, {});
}
size_t SctpWorld::associations() const {
  return state_->associations.size();
}
const SctpCounters& SctpWorld::counters() const {
  return state_->counters;
}

}  // namespace atrium::media
