// TlsClient: the client's side of TLS 1.2 and 1.3 (RFC 5246, RFC 8446) on one connection, with the server's certificate
// and name (RFC 6125) checked.  Pimpl: OpenSSL is seen by tls_client.cc alone.  Bytes in, bytes out: no socket.
// Does not: resume, have a certificate of its own.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace atrium::atriumctl {

struct Trust {
  std::string ca_file{};     // PEM; empty: the authorities that this system trusts
  bool is_insecure = false;  // whoever answers is believed
};

class TlsClient {
 public:
  // `host`: the name or address in the URL.  Unauthorised when the CA's file cannot be used.
  static Result<TlsClient> create(const std::string& host, const Trust& trust);
  TlsClient(TlsClient&&) noexcept;
  ~TlsClient();

  // Takes all of `bytes`, appends what the server said.  False once it said that nothing more comes.  Unauthorised when
  // its certificate is not to be believed (what is pending() then is the alert), Malformed when it does not speak TLS.
  Result<bool> feed(std::string_view bytes, std::string& plain);
  bool is_established() const;
  // Only when established.
  Result<void> write(std::string_view plain);
  // What is to be sent; it is so once.
  std::string take_pending();

 private:
  struct State;
  explicit TlsClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace atrium::atriumctl
