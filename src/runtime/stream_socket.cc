#include "runtime/stream_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace atrium::runtime {
namespace {

bool is_not_now(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

}  // namespace

// --- StreamSocket --------------------------------------------------------------------------------

StreamSocket::Read StreamSocket::read(std::span<char> into, size_t& count) {
  ssize_t got = 0;
  do got = ::recv(descriptor_, into.data(), into.size(), MSG_DONTWAIT);
  while (got < 0 && errno == EINTR);
  if (got < 0) return is_not_now(errno) ? Read::NotNow : Read::Broken;
  count = static_cast<size_t>(got);
  return got == 0 ? Read::End : Read::Bytes;
}

std::optional<size_t> StreamSocket::write(std::span<iovec> parts) {
  msghdr header{};
  header.msg_iov = parts.data();
  header.msg_iovlen = parts.size();
  ssize_t written = 0;
  do written = ::sendmsg(descriptor_, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (written < 0 && errno == EINTR);
  if (written >= 0) return static_cast<size_t>(written);
  if (is_not_now(errno)) return 0;
  return std::nullopt;
}

std::optional<size_t> StreamSocket::write(std::string_view bytes) {
  // sendmsg() does not write to what it sends.
  iovec part{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  return write(std::span(&part, 1));
}

bool StreamSocket::end_output() {
  return ::shutdown(descriptor_, SHUT_WR) == 0;
}

void StreamSocket::close() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

void StreamSocket::reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  if (descriptor_ >= 0) ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

// --- StreamSockets -------------------------------------------------------------------------------

Result<StreamSockets> StreamSockets::create() {
  const int descriptor = ::epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) return fail(ErrorKind::Unavailable, "epoll_create1");
  return StreamSockets(descriptor);
}

StreamSockets::~StreamSockets() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool StreamSockets::add(const StreamSocket& socket, ConnectionId id) {
  epoll_event wanted{};
  wanted.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  wanted.data.u64 = id.value;
  return ::epoll_ctl(descriptor_, EPOLL_CTL_ADD, socket.descriptor(), &wanted) == 0;
}

std::span<const StreamSockets::Event> StreamSockets::take() {
  constexpr uint32_t kEnding = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
  const int count = ::epoll_wait(descriptor_, raw_.data(), static_cast<int>(raw_.size()), 0);
  const auto taken = static_cast<size_t>(std::max(count, 0));
  for (size_t i = 0; i < taken; ++i) {
    const uint32_t what = raw_[i].events;
    events_[i] = {.connection = ConnectionId{raw_[i].data.u64},
                  .is_readable = (what & (EPOLLIN | kEnding)) != 0,
                  .is_writable = (what & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0,
                  .is_ending = (what & kEnding) != 0};
  }
  return std::span(events_).first(taken);
}

}  // namespace atrium::runtime
