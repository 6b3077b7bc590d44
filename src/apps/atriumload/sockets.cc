#include "apps/atriumload/sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "runtime/sockaddr.h"

#ifndef UDP_GRO
#define UDP_GRO 104  // linux/udp.h, since 5.0
#endif

namespace atrium::load {
namespace {

constexpr int kReceiveBufferBytes = 1 << 20;  // a second of one video and more
constexpr size_t kBatch = 16;
constexpr size_t kGroBytes = 65'536, kPlainBytes = 2'048;

void set_option(int descriptor, int level, int name, int value) {
  // Best effort: what is not granted shows in the counters.
  [[maybe_unused]] const int rc = ::setsockopt(descriptor, level, name, &value, sizeof value);
}

int open_socket(const SocketAddress& to, int type) {
  return ::socket(to.ip.is_v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int connect_to(int descriptor, const SocketAddress& to) {
  const auto address = runtime::to_sockaddr(to, runtime::AddressForm::Plain);
  return ::connect(descriptor, address.get(), address.size);
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    reset();
    number_ = other.release();
  }
  return *this;
}
void Descriptor::reset() {
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}
int Descriptor::release() {
  return std::exchange(number_, -1);
}

Descriptor open_tcp(const SocketAddress& server) {
  Descriptor socket(open_socket(server, SOCK_STREAM));
  if (!socket) return socket;
  set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  if (connect_to(socket.get(), server) != 0 && errno != EINPROGRESS) socket.reset();
  return socket;
}

Descriptor open_udp(const SocketAddress& remote, bool gro) {
  Descriptor socket(open_socket(remote, SOCK_DGRAM));
  if (!socket) return socket;
  set_option(socket.get(), SOL_SOCKET, SO_RCVBUF, kReceiveBufferBytes);
  set_option(socket.get(), SOL_SOCKET, SO_RXQ_OVFL, 1);
  set_option(socket.get(), SOL_SOCKET, SO_TIMESTAMPNS, 1);
  if (gro) set_option(socket.get(), IPPROTO_UDP, UDP_GRO, 1);
  if (connect_to(socket.get(), remote) != 0) socket.reset();
  return socket;
}

bool is_reachable(const SocketAddress& server, Duration timeout) {
  const Descriptor socket = open_tcp(server);
  if (!socket) return false;
  pollfd waiting{socket.get(), POLLOUT, 0};
  if (::poll(&waiting, 1, static_cast<int>(timeout / 1ms)) != 1) return false;
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

TcpRead read_tcp(int descriptor, std::span<char> room, std::string_view& bytes) {
  const ssize_t count = ::recv(descriptor, room.data(), room.size(), MSG_DONTWAIT);
  if (count > 0) {
    bytes = {room.data(), static_cast<size_t>(count)};
    return TcpRead::Bytes;
  }
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return TcpRead::Nothing;
  return TcpRead::End;
}

bool write_tcp(int descriptor, std::string& output) {
  const ssize_t count =
      ::send(descriptor, output.data(), output.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count < 0)
    return errno == EAGAIN || errno == EINTR || errno == ENOTCONN || errno == EINPROGRESS;
  output.erase(0, static_cast<size_t>(count));
  return true;
}

void shut_down(int descriptor) {
  // Fails where the other side is gone already, which a read tells as well.
  [[maybe_unused]] const int rc = ::shutdown(descriptor, SHUT_WR);
}

// --- datagrams

struct DatagramReader::State {
  explicit State(size_t bytes) : buffer_bytes(bytes), room(bytes * kBatch) {}
  struct alignas(cmsghdr) ControlRoom {
    std::array<std::byte, CMSG_SPACE(sizeof(timespec)) + CMSG_SPACE(sizeof(int)) +
                              CMSG_SPACE(sizeof(uint32_t))>
        bytes;
  };
  const size_t buffer_bytes;
  Bytes room;
  std::array<mmsghdr, kBatch> headers{};
  std::array<iovec, kBatch> parts{};
  std::array<ControlRoom, kBatch> controls{};
};
void DatagramReader::Free::operator()(State* state) const {
  delete state;
}

namespace {

struct Arrival {
  uint64_t at_us = 0;
  size_t segment = 0;  // bytes; 0: one datagram alone
  uint32_t overflow = 0;
};

template <typename T>
T value_of(const cmsghdr* at) {
  T value{};
  std::memcpy(&value, CMSG_DATA(at), sizeof value);
  return value;
}

Arrival read_control(msghdr& header, Arrival arrival) {
  for (cmsghdr* at = CMSG_FIRSTHDR(&header); at != nullptr; at = CMSG_NXTHDR(&header, at)) {
    if (at->cmsg_level == SOL_SOCKET && at->cmsg_type == SCM_TIMESTAMPNS) {
      const auto time = value_of<timespec>(at);
      arrival.at_us = static_cast<uint64_t>(time.tv_sec) * 1'000'000u +
                      static_cast<uint64_t>(time.tv_nsec) / 1'000u;
    } else if (at->cmsg_level == SOL_SOCKET && at->cmsg_type == SO_RXQ_OVFL) {
      arrival.overflow = value_of<uint32_t>(at);
    } else if (at->cmsg_level == IPPROTO_UDP && at->cmsg_type == UDP_GRO) {
      arrival.segment = static_cast<size_t>(value_of<int>(at));
    }
  }
  return arrival;
}

}  // namespace

DatagramReader::DatagramReader(bool gro) : state_(new State(gro ? kGroBytes : kPlainBytes)) {}

void DatagramReader::read(int descriptor, uint32_t& overflow, uint64_t now_us,
                          const Visitor& visit) {
  State& s = *state_;
  for (size_t i = 0; i < kBatch; ++i) {
    s.parts[i] = {s.room.data() + i * s.buffer_bytes, s.buffer_bytes};
    s.headers[i].msg_hdr = {nullptr, 0, &s.parts[i], 1, &s.controls[i], sizeof s.controls[i], 0};
  }
  const int count = ::recvmmsg(descriptor, s.headers.data(), kBatch, MSG_DONTWAIT, nullptr);
  for (size_t i = 0; i < static_cast<size_t>(std::max(count, 0)); ++i) {
    const Arrival arrival =
        read_control(s.headers[i].msg_hdr, {.at_us = now_us, .overflow = overflow});
    overflow = arrival.overflow;
    ByteSpan rest = ByteSpan(s.room).subspan(i * s.buffer_bytes, s.headers[i].msg_len);
    while (!rest.empty()) {
      const size_t size =
          arrival.segment == 0 ? rest.size() : std::min(arrival.segment, rest.size());
      visit(rest.first(size), arrival.at_us);
      rest = rest.subspan(size);
    }
  }
}

size_t send_batch(int descriptor, const SendBatch& batch) {
  std::array<mmsghdr, SendBatch::kPacketsMax> headers{};
  std::array<iovec, SendBatch::kPacketsMax> parts{};
  for (size_t i = 0; i < batch.size(); ++i) {
    // The kernel only reads from it; iovec has one pointer type for both directions.
    parts[i] = {const_cast<uint8_t*>(batch[i].data()), batch[i].size()};
    headers[i].msg_hdr.msg_iov = &parts[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  size_t done = 0;
  while (done < batch.size()) {
    const int count =
        ::sendmmsg(descriptor, headers.data() + done, static_cast<unsigned>(batch.size() - done),
                   MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count <= 0) break;
    done += static_cast<size_t>(count);
  }
  return batch.size() - done;
}

bool send_datagram(int descriptor, ByteView datagram) {
  return ::send(descriptor, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

}  // namespace atrium::load
