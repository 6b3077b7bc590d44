#include "runtime/udp_socket.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/limits.h"
#include "runtime/clock.h"
#include "runtime/loop_wait.h"
#include "runtime/sockaddr.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103  // linux/udp.h, since 4.18
#endif

namespace atrium::runtime {
namespace {

constexpr size_t kBatch = static_cast<size_t>(limits::kDatagramsPerTurnMax);
constexpr size_t kBufferBytes =
    2'048;  // a datagram of kDatagramBytesMax and the room to see that one is longer
constexpr size_t kSegmentsMax = 64;            // UDP_MAX_SEGMENTS of the kernel
constexpr size_t kSegmentedBytesMax = 60'000;  // one IP datagram before it is cut up
constexpr size_t kPartsMax = 1'024;            // datagrams of one sendmmsg
constexpr int kRefusalsInARow = 16;            // then UDP_SEGMENT is given up: the device cannot

// Room for an address (in6_pktinfo is the larger one), and the queue overflow count or the segment size.
struct alignas(cmsghdr) ControlRoom {
  std::array<std::byte, CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(uint32_t))> bytes;
};
static_assert(sizeof(in6_pktinfo) >= sizeof(in_pktinfo));

struct Received {
  std::array<mmsghdr, kBatch> headers{};
  std::array<iovec, kBatch> parts{};
  std::array<sockaddr_in6, kBatch> names{};
  std::array<ControlRoom, kBatch> controls{};
  std::array<std::array<uint8_t, kBufferBytes>, kBatch> buffers{};
  std::array<node::ShardDatagram, kBatch> datagrams{};
};

struct Outgoing {
  std::array<mmsghdr, kBatch> headers{};
  std::array<KernelAddress, kBatch> names{};
  std::array<ControlRoom, kBatch> controls{};
  std::array<size_t, kBatch> bytes{};
  std::array<iovec, kPartsMax> parts{};
  size_t messages = 0;
  size_t parts_used = 0;
};

struct Arrival {
  std::optional<IpAddress> local;
  std::optional<uint32_t> overflow;
};

Arrival read_control(msghdr& header) {
  Arrival out;
  for (cmsghdr* at = CMSG_FIRSTHDR(&header); at != nullptr; at = CMSG_NXTHDR(&header, at)) {
    if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(at), sizeof info);
      out.local = from_in6(info.ipi6_addr);
    } else if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(at), sizeof info);
      out.local = from_in4(info.ipi_addr);
    } else if (at->cmsg_level == SOL_SOCKET && at->cmsg_type == SO_RXQ_OVFL) {
      uint32_t count = 0;
      std::memcpy(&count, CMSG_DATA(at), sizeof count);
      out.overflow = count;
    }
  }
  return out;
}

class ControlWriter {
 public:
  ControlWriter(msghdr& header, ControlRoom& room) : header_(header), room_(room) {
    header_.msg_control = room.bytes.data();
    header_.msg_controllen = 0;
  }
  template <typename T>
  void add(int level, int type, const T& value) {
    auto* at = reinterpret_cast<cmsghdr*>(room_.bytes.data() + header_.msg_controllen);
    at->cmsg_level = level;
    at->cmsg_type = type;
    at->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(at), &value, sizeof value);
    header_.msg_controllen += CMSG_SPACE(sizeof value);
  }
  void add_source(const IpAddress& local, bool is_v6_socket) {
    if (local == IpAddress{.is_v6 = local.is_v6, .bytes = {}})
      return;  // unspecified: the kernel chooses
    if (is_v6_socket) {
      in6_pktinfo info{};
      info.ipi6_addr = to_in6(local);
      add(IPPROTO_IPV6, IPV6_PKTINFO, info);
    } else {
      in_pktinfo info{};
      std::memcpy(&info.ipi_spec_dst.s_addr, local.bytes.data(), 4);
      add(IPPROTO_IP, IP_PKTINFO, info);
    }
  }
  void finish() {
    if (header_.msg_controllen == 0) header_.msg_control = nullptr;
  }

 private:
  msghdr& header_;
  ControlRoom& room_;
};

// How many datagrams from `from` on fit one segmented send: equal sizes, the last may be shorter.
size_t segment_count(std::span<const ByteView> datagrams, size_t from, size_t room) {
  const size_t size = datagrams[from].size();
  size_t count = 1, bytes = size;
  while (from + count < datagrams.size() && count < std::min(kSegmentsMax, room)) {
    const size_t next = datagrams[from + count].size();
    if (next > size || next == 0 || bytes + next > kSegmentedBytesMax) break;
    ++count;
    bytes += next;
    if (next < size) break;
  }
  return count;
}

void set_option(int descriptor, int level, int name, int value) {
  // Best effort: what is not granted shows in counters, and does not keep the server from starting.
  [[maybe_unused]] const int rc = ::setsockopt(descriptor, level, name, &value, sizeof value);
}

}  // namespace

struct UdpSocket::State {
  explicit State(UdpTally& counters) : tally(counters) {}

  void add_message(const FiveTuple& path, std::span<const ByteView> datagrams);
  void flush();
  bool wait_until_writable();
  void send_singly(size_t message);
  void refuse(size_t message, int error);
  void count_sent(size_t message);

  // given
  UdpTally& tally;
  int descriptor = -1;
  uint16_t port = 0;
  bool is_v6 = false;
  // owned
  Received received;
  Outgoing out;
  // derived
  uint32_t last_overflow = 0;
  Duration wait_left{};
  bool may_segment = true;
  int refusals_in_a_row = 0;
};

UdpSocket::UdpSocket(std::unique_ptr<State> state) : state_(std::move(state)) {}
UdpSocket::~UdpSocket() {
  if (state_->descriptor >= 0) ::close(state_->descriptor);
}

namespace {

// The wildcard of both families, or of IPv4 alone where the machine has no IPv6.
int open_descriptor(const UdpShardOptions& options, bool& is_v6) {
  is_v6 = !options.bind || options.bind->is_v6;
  int descriptor =
      ::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor >= 0 || options.bind) return descriptor;
  is_v6 = false;
  return ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

void set_options(int descriptor, bool is_v6) {
  const int wanted = static_cast<int>(limits::kUdpSocketBufferBytes);
  for (const auto& [force, plain] :
       {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, {SO_SNDBUFFORCE, SO_SNDBUF}}) {
    if (::setsockopt(descriptor, SOL_SOCKET, force, &wanted, sizeof wanted) != 0)
      set_option(descriptor, SOL_SOCKET, plain, wanted);
  }
  set_option(descriptor, SOL_SOCKET, SO_RXQ_OVFL, 1);
  if (is_v6)
    set_option(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  else
    set_option(descriptor, IPPROTO_IP, IP_PKTINFO, 1);
}

bool bind_to(int descriptor, bool is_v6, const UdpShardOptions& options) {
  if (is_v6) set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, options.bind ? 1 : 0);
  SocketAddress local{options.bind.value_or(IpAddress{.is_v6 = is_v6, .bytes = {}}), options.port};
  const KernelAddress address = to_sockaddr(local, AddressForm::Plain);
  return ::bind(descriptor, address.get(), address.size) == 0;
}

}  // namespace

Result<std::unique_ptr<UdpSocket>> UdpSocket::open(const UdpShardOptions& options,
                                                   UdpTally& tally) {
  auto state = std::make_unique<State>(tally);
  state->descriptor = open_descriptor(options, state->is_v6);
  if (state->descriptor < 0) return fail(ErrorKind::Unavailable, "socket(UDP)");
  bool is_bound = bind_to(state->descriptor, state->is_v6, options);
  if (!is_bound && errno == EADDRNOTAVAIL && !options.bind) {
    // IPv6 is compiled in but switched off.
    ::close(state->descriptor);
    state->is_v6 = false;
    state->descriptor = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    is_bound = state->descriptor >= 0 && bind_to(state->descriptor, false, options);
  }
  auto socket = std::unique_ptr<UdpSocket>(new UdpSocket(std::move(state)));
  if (!is_bound)
    return fail(ErrorKind::Unavailable, errno == EADDRINUSE ? "UDP port is in use" : "bind(UDP)");
  State& made = *socket->state_;
  set_options(made.descriptor, made.is_v6);
  KernelAddress bound;
  bound.size = sizeof bound.storage;
  if (::getsockname(made.descriptor, reinterpret_cast<sockaddr*>(&bound.storage), &bound.size) == 0)
    if (auto address = from_sockaddr(bound.get())) made.port = address->port;
  return socket;
}

std::span<node::ShardDatagram> UdpSocket::receive() {
  State& s = *state_;
  Received& r = s.received;
  for (size_t i = 0; i < kBatch; ++i) {
    r.parts[i] = {r.buffers[i].data(), kBufferBytes};
    r.headers[i].msg_hdr = {
        &r.names[i], sizeof r.names[i], &r.parts[i], 1, &r.controls[i], sizeof r.controls[i], 0};
  }
  const int count = ::recvmmsg(s.descriptor, r.headers.data(), kBatch, MSG_DONTWAIT, nullptr);
  size_t kept = 0;
  for (size_t i = 0; i < static_cast<size_t>(std::max(count, 0)); ++i) {
    const size_t size = r.headers[i].msg_len;
    const Arrival arrival = read_control(r.headers[i].msg_hdr);
    if (arrival.overflow && *arrival.overflow != s.last_overflow) {
      UdpTally::add(s.tally.dropped_kernel_queue, *arrival.overflow - s.last_overflow);
      s.last_overflow = *arrival.overflow;
    }
    UdpTally::add(s.tally.received_datagrams, 1);
    UdpTally::add(s.tally.received_bytes, size);
    if (size > static_cast<size_t>(limits::kDatagramBytesMax)) {
      UdpTally::add(s.tally.dropped_oversize, 1);
      continue;
    }
    const auto remote = from_sockaddr(reinterpret_cast<const sockaddr*>(&r.names[i]));
    if (!remote || !arrival.local) {
      UdpTally::add(s.tally.dropped_no_address, 1);
      continue;
    }
    r.datagrams[kept++] = {{{*arrival.local, s.port}, *remote}, {r.buffers[i].data(), size}};
  }
  return {r.datagrams.data(), kept};
}

void UdpSocket::begin_turn() {
  state_->wait_left = std::chrono::milliseconds(limits::kUdpSendWaitMs);
}

void UdpSocket::send(std::span<const node::ShardSendRun> runs) {
  State& s = *state_;
  for (const node::ShardSendRun& run : runs) {
    for (size_t i = 0; i < run.datagrams.size();) {
      const size_t size = run.datagrams[i].size();
      if (size == 0 || size > static_cast<size_t>(limits::kDatagramBytesMax)) {
        UdpTally::add(s.tally.dropped_oversize, 1);
        ++i;
        continue;
      }
      if (s.out.messages == kBatch || s.out.parts_used == kPartsMax) s.flush();
      const size_t room = kPartsMax - s.out.parts_used;
      const size_t count = s.may_segment ? segment_count(run.datagrams, i, room) : 1;
      s.add_message(run.path, run.datagrams.subspan(i, count));
      i += count;
    }
  }
  s.flush();
}

void UdpSocket::State::add_message(const FiveTuple& path, std::span<const ByteView> datagrams) {
  const size_t at = out.messages++;
  msghdr& header = out.headers[at].msg_hdr;
  out.names[at] = to_sockaddr(path.remote, is_v6 ? AddressForm::MappedToV6 : AddressForm::Plain);
  header = {};
  header.msg_name = &out.names[at].storage;
  header.msg_namelen = out.names[at].size;
  header.msg_iov = &out.parts[out.parts_used];
  header.msg_iovlen = datagrams.size();
  out.bytes[at] = 0;
  for (const ByteView datagram : datagrams) {
    // The kernel only reads from it; iovec has one pointer type for both directions.
    out.parts[out.parts_used++] = {const_cast<uint8_t*>(datagram.data()), datagram.size()};
    out.bytes[at] += datagram.size();
  }
  ControlWriter control(header, out.controls[at]);
  control.add_source(path.local.ip, is_v6);
  if (datagrams.size() > 1)
    control.add(IPPROTO_UDP, UDP_SEGMENT, static_cast<uint16_t>(datagrams.front().size()));
  control.finish();
}

void UdpSocket::State::flush() {
  size_t done = 0;
  while (done < out.messages) {
    const int count = ::sendmmsg(descriptor, out.headers.data() + done,
                                 static_cast<unsigned>(out.messages - done), MSG_DONTWAIT);
    UdpTally::add(tally.send_calls, 1);
    if (count > 0) {
      for (int i = 0; i < count; ++i) count_sent(done++);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (wait_until_writable()) continue;
      for (; done < out.messages; ++done)
        UdpTally::add(tally.dropped_send_full, out.headers[done].msg_hdr.msg_iovlen);
      break;
    }
    refuse(done++, errno);
  }
  out.messages = out.parts_used = 0;
}

void UdpSocket::State::count_sent(size_t message) {
  const size_t datagrams = out.headers[message].msg_hdr.msg_iovlen;
  UdpTally::add(tally.sent_datagrams, datagrams);
  UdpTally::add(tally.sent_bytes, out.bytes[message]);
  if (datagrams < 2) return;
  UdpTally::add(tally.segmented_sends, 1);
  refusals_in_a_row = 0;
}

// One wait budget per turn: a shard that stands still for one full socket stands still for all its calls.
bool UdpSocket::State::wait_until_writable() {
  if (wait_left <= Duration::zero()) return false;
  const Mono before = read_clock().mono;
  pollfd waiting{descriptor, POLLOUT, 0};
  const auto timeout = time_until(before + wait_left, before);
  const int ready = ::ppoll(&waiting, 1, &*timeout, nullptr);
  // At least a step, so that a socket that says "writable" and is not cannot hold us.
  wait_left -= std::max(read_clock().mono - before, Duration(100us));
  return ready > 0;
}

// The kernel refused this one message: `error` is about it, not about the socket.
void UdpSocket::State::refuse(size_t message, int error) {
  const size_t datagrams = out.headers[message].msg_hdr.msg_iovlen;
  const bool is_segmentation =
      error == EINVAL || error == EIO || error == EMSGSIZE || error == EOPNOTSUPP;
  if (datagrams < 2 || !is_segmentation) {
    UdpTally::add(tally.dropped_send_refused, datagrams);
    return;
  }
  UdpTally::add(tally.segmentation_refused, 1);
  if (++refusals_in_a_row >= kRefusalsInARow) may_segment = false;
  send_singly(message);
}

void UdpSocket::State::send_singly(size_t message) {
  msghdr header = out.headers[message].msg_hdr;
  // UDP_SEGMENT was written last: without it the control data just ends earlier.
  header.msg_controllen -= CMSG_SPACE(sizeof(uint16_t));
  if (header.msg_controllen == 0) header.msg_control = nullptr;
  const iovec* parts = header.msg_iov;
  const size_t count = header.msg_iovlen;
  header.msg_iovlen = 1;
  for (size_t i = 0; i < count; ++i) {
    header.msg_iov = const_cast<iovec*>(parts + i);
    ssize_t sent = ::sendmsg(descriptor, &header, MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && wait_until_writable())
      sent = ::sendmsg(descriptor, &header, MSG_DONTWAIT);
    if (sent >= 0) {
      UdpTally::add(tally.sent_datagrams, 1);
      UdpTally::add(tally.sent_bytes, static_cast<uint64_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      UdpTally::add(tally.dropped_send_full, 1);
    } else {
      UdpTally::add(tally.dropped_send_refused, 1);
    }
  }
}

int UdpSocket::descriptor() const {
  return state_->descriptor;
}
uint16_t UdpSocket::port() const {
  return state_->port;
}
bool UdpSocket::is_dual_stack() const {
  return state_->is_v6;
}

}  // namespace atrium::runtime
