// StreamSocket: one connected TCP socket that never blocks.  StreamSockets: which of many may be read or written, by an
// edge-triggered epoll set (epoll(7)): a socket that is waited for again and again costs no system call for it, which
// Asio's waits do (docs/decisions/benchmarks.md).  Thread: any one.  Does not: know what is sent.
#pragma once

#include <sys/epoll.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "base/ids.h"
#include "base/result.h"

namespace atrium::runtime {

class StreamSocket {
 public:
  enum class Read : uint8_t { Bytes, NotNow, End, Broken };

  // Takes the descriptor over, which must be non-blocking.
  explicit StreamSocket(int descriptor) : descriptor_(descriptor) {}
  StreamSocket(StreamSocket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  StreamSocket& operator=(StreamSocket&&) = delete;
  ~StreamSocket() { close(); }

  // Bytes: `count` of them, at least one.
  Read read(std::span<char> into, size_t& count);
  // How many bytes the kernel took; 0: it has no room now; none: the connection is broken.
  std::optional<size_t> write(std::span<iovec> parts);
  std::optional<size_t> write(std::string_view bytes);
  bool end_output();  // FIN; false: the connection is broken
  void close();
  void reset();  // RST

  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

class StreamSockets {
 public:
  struct Event {
    ConnectionId connection;
    bool is_readable = false;
    bool is_writable = false;
    bool is_ending =
        false;  // the peer sent FIN or the connection broke: reading goes on until it says which
  };
  static constexpr size_t kEventsMax = 256;

  static Result<StreamSockets> create();
  StreamSockets(StreamSockets&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  StreamSockets& operator=(StreamSockets&&) = delete;
  ~StreamSockets();

  // Until it is closed.  False: the kernel has no room for it.
  bool add(const StreamSocket& socket, ConnectionId id);
  // What changed since the last call, at most kEventsMax; more may be left.  The span is good until the next call.
  std::span<const Event> take();
  int descriptor() const { return descriptor_; }  // readable while something is to be taken

 private:
  explicit StreamSockets(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
  std::array<epoll_event, kEventsMax> raw_{};
  std::array<Event, kEventsMax> events_{};
};

}  // namespace atrium::runtime
