// TlsSession: the server's side of TLS 1.2 and 1.3 (RFC 5246, RFC 8446) on one connection, and its certificate.
// Owner: HttpConnection; the context is shared by all sessions that began with it.  Thread: control.
// Pimpl: OpenSSL is seen by tls_session.cc alone.  Bytes in, bytes out: no socket.
// Does not: renegotiate, compress, ask clients for certificates, take early data, or speak HTTP/2 (ALPN is http/1.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "base/limits.h"

namespace atrium::runtime {

struct TlsFiles {
  std::string certificate;  // PEM: the server's own certificate first, then what leads to its root
  std::string key;          // PEM, not encrypted
};

class TlsContext {
 public:
  // The problem is one line that names the file and what is wrong with it; never what is in a key file.
  static std::expected<std::shared_ptr<const TlsContext>, std::string> load(const TlsFiles& files);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  int64_t expires_unix_s() const;  // the server's own certificate

 private:
  friend class TlsSession;
  struct State;
  explicit TlsContext(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class TlsSession {
 public:
  // The most that one write() takes.
  static constexpr size_t kPlainBytesMax = 16'384;  // RFC 8446 section 5.1: one record

  // Where the client's side stands after its bytes were read.
  enum class Input : uint8_t {
    Open,    // handshake or data go on
    Closed,  // close_notify: nothing more comes, but we may still write
    Failed,  // not TLS, an alert, or broken records: pending() holds our alert, nothing else goes
  };

  explicit TlsSession(std::shared_ptr<const TlsContext> context);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // All of `bytes` is taken; what the client said is appended to `plain`.
  Input feed(std::string_view bytes, std::string& plain);
  bool is_established() const;  // the handshake is complete

  // Whether pending() has room for one more write of any size.
  bool has_room() const;
  // Encrypts at most kPlainBytesMax; only when established and with room.  False: broken.
  bool write(std::string_view plain);
  // Queues close_notify, once.
  void close();

  // What is to be sent, at most limits::kTlsBufferBytesMax.  Valid until the next call of another member.
  std::string_view pending() const;
  void consume(size_t size);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace atrium::runtime
