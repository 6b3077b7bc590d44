// The descriptors of one client: a TCP connection, and connected UDP sockets read in batches.  Owner: Worker.
// Kernel interfaces: recvmmsg(2), sendmmsg(2), UDP_GRO, SO_TIMESTAMPNS, SO_RXQ_OVFL.
// Does not: wait.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "apps/atriumload/load_client.h"
#include "base/bytes.h"
#include "base/socket_address.h"

namespace atrium::load {

// Owns it; -1: none.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { reset(); }
  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }
  void reset();

 private:
  int release();
  int number_ = -1;
};

// Connects without waiting: writable once it is, or failed.
Descriptor open_tcp(const SocketAddress& server);
// Connected, so that only `remote` reaches it.
Descriptor open_udp(const SocketAddress& remote, bool gro);
// Whether `server` takes a TCP connection; waits at most `timeout`.
bool is_reachable(const SocketAddress& server, Duration timeout);

// What one read of a TCP connection came to.
enum class TcpRead : uint8_t { Bytes, Nothing, End };
TcpRead read_tcp(int descriptor, std::span<char> room, std::string_view& bytes);
// Writes from the front of `output`; false: the connection is gone.
bool write_tcp(int descriptor, std::string& output);
// Says that nothing more comes.
void shut_down(int descriptor);

// One per worker: buffers of a read.
class DatagramReader {
 public:
  explicit DatagramReader(bool gro);
  // Each datagram that waits in one read; `arrived_us` by the kernel's clock (wall).
  using Visitor = std::function<void(ByteSpan datagram, uint64_t arrived_us)>;
  // `overflow`: how many datagrams the socket had no room for, as it has told so far.
  void read(int descriptor, uint32_t& overflow, uint64_t now_us, const Visitor& visit);

 private:
  struct State;
  struct Free {
    void operator()(State* state) const;
  };
  std::unique_ptr<State, Free> state_;
};

// The batch in one call where the kernel permits; how many it did not take.
size_t send_batch(int descriptor, const SendBatch& batch);
bool send_datagram(int descriptor, ByteView datagram);

}  // namespace atrium::load
