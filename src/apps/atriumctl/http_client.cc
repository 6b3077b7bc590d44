#include "apps/atriumctl/http_client.h"

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <charconv>

#include "base/limits.h"

namespace atrium::atriumctl {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr auto kReplyBytesMax = static_cast<size_t>(limits::kControlReplyBytesMax);

// A chunked body as far as it was received.  nullopt: more is needed.
Result<std::optional<std::string>> parse_chunks(std::string_view text) {
  std::string body;
  while (true) {
    const size_t line_end = text.find("\r\n");
    if (line_end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text.substr(0, line_end);
    const std::string_view digits = line.substr(0, line.find(';'));
    size_t length = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), length, 16);
    if (error != std::errc() || end != digits.data() + digits.size() || length > kReplyBytesMax)
      return malformed("a chunk has no length");
    text.remove_prefix(line_end + 2);
    if (length == 0) return body;
    if (text.size() < length + 2) return std::nullopt;
    body.append(text.substr(0, length));
    if (text.substr(length, 2) != "\r\n") return malformed("a chunk does not end with its length");
    text.remove_prefix(length + 2);
  }
}

Result<HttpReply> parse_head(std::string_view head) {
  HttpReply reply;
  const std::string_view status_line = head.substr(0, head.find("\r\n"));
  if (!status_line.starts_with("HTTP/1.") || status_line.size() < 12)
    return malformed("the answer is not HTTP/1.x");
  const std::string_view digits = status_line.substr(9, 3);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), reply.status);
  if (error != std::errc() || end != digits.data() + 3 || reply.status < 100)
    return malformed("the answer has no status");
  head.remove_prefix(std::min(head.size(), status_line.size() + 2));
  while (!head.empty()) {
    const size_t line_end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, line_end);
    head.remove_prefix(std::min(head.size(), line_end + 2));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos)
      return malformed("the answer has a line that is no header");
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    reply.headers.emplace_back(line.substr(0, colon), value);
  }
  return reply;
}

// A socket and the one deadline of everything done with it.
class Socket {
 public:
  explicit Socket(Duration timeout) : deadline_(std::chrono::steady_clock::now() + timeout) {}

  Result<void> open(const Endpoint& endpoint) {
    tcp::resolver resolver(io_);
    tcp::resolver::results_type found;
    boost::system::error_code failed;
    resolver.async_resolve(endpoint.host, endpoint.port,
                           [&](boost::system::error_code error, auto results) {
                             failed = error;
                             found = std::move(results);
                           });
    if (!run([&] { resolver.cancel(); }))
      return fail(ErrorKind::Unavailable, "the host name was not resolved in time");
    if (failed) return fail(ErrorKind::Unavailable, "there is no host of this name");
    asio::async_connect(socket_, found, [&](boost::system::error_code error, const tcp::endpoint&) {
      failed = error;
    });
    if (!run([&] { close(); }))
      return fail(ErrorKind::Unavailable, "the connection was not made in time");
    if (failed) return fail(ErrorKind::Unavailable, "nobody accepts connections there");
    return {};
  }

  Result<void> write(const std::string& text) {
    boost::system::error_code failed;
    asio::async_write(socket_, asio::buffer(text),
                      [&](boost::system::error_code error, size_t) { failed = error; });
    if (!run([&] { close(); }))
      return fail(ErrorKind::Unavailable, "the request was not taken in time");
    if (failed)
      return fail(ErrorKind::Unavailable, "the connection broke while the request was sent");
    return {};
  }

  // Appends what comes next; false at the end of the stream.
  Result<bool> read_some(std::string& into) {
    boost::system::error_code failed;
    size_t count = 0;
    socket_.async_read_some(asio::buffer(chunk_),
                            [&](boost::system::error_code error, size_t received) {
                              failed = error;
                              count = received;
                            });
    if (!run([&] { close(); }))
      return fail(ErrorKind::Unavailable, "no complete answer came in time");
    into.append(chunk_.data(), count);
    if (failed == asio::error::eof) return false;
    if (failed)
      return fail(ErrorKind::Unavailable, "the connection broke while the answer was read");
    return true;
  }

 private:
  void close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }
  // Runs what was started until it is done.  false: it was cancelled at the deadline.
  template <typename Cancel>
  bool run(Cancel cancel) {
    io_.restart();
    io_.run_until(deadline_);
    if (io_.stopped()) return true;
    cancel();
    io_.run();
    return false;
  }

  std::chrono::steady_clock::time_point deadline_;
  asio::io_context io_{1};
  tcp::socket socket_{io_};
  std::array<char, 16'384> chunk_{};
};

// A socket, with TLS over it where the URL says so.
class Connection {
 public:
  explicit Connection(Duration timeout) : socket_(timeout) {}

  Result<void> open(const Endpoint& endpoint, const Trust& trust) {
    if (endpoint.is_tls) tls_.emplace(TRY(TlsClient::create(endpoint.host, trust)));
    TRY(socket_.open(endpoint));
    if (!tls_) return {};
    std::string nothing;  // an HTTP server does not speak first
    TRY(socket_.write(tls_->take_pending()));
    while (!tls_->is_established()) {
      const bool more = TRY(read_some(nothing));
      if (!more && !tls_->is_established())
        return fail(ErrorKind::Unavailable,
                    "it closed the connection in the TLS handshake; the server's log says why");
    }
    return {};
  }

  Result<void> write(const std::string& text) {
    if (!tls_) return socket_.write(text);
    TRY(tls_->write(text));
    return socket_.write(tls_->take_pending());
  }

  // Appends what comes next; false at the end of the stream.
  Result<bool> read_some(std::string& into) {
    if (!tls_) return socket_.read_some(into);
    std::string bytes;
    const bool is_open = TRY(socket_.read_some(bytes));
    // Whoever cut the connection must not decide where the answer ends: only TLS's own end counts.
    if (!is_open && tls_->is_established())
      return fail(ErrorKind::Unavailable, "the connection broke while the answer was read");
    const Result<bool> more = tls_->feed(bytes, into);
    // An alert is a courtesy: when it cannot be sent, what is wrong is still what feed() says.
    const Result<void> sent = socket_.write(tls_->take_pending());
    if (more && !sent) return std::unexpected(sent.error());
    return more ? Result<bool>(*more && is_open) : more;
  }

 private:
  Socket socket_;
  std::optional<TlsClient> tls_;
};

std::string_view default_port(bool is_tls) {
  return is_tls ? "443" : "80";
}

}  // namespace

std::string Endpoint::authority() const {
  const std::string bracketed = host.contains(':') ? "[" + host + "]" : host;
  return port == default_port(is_tls) ? bracketed : bracketed + ":" + port;
}

Result<Endpoint> parse_endpoint(std::string_view url) {
  constexpr std::string_view kPlain = "http://", kTls = "https://";
  const bool is_tls = url.starts_with(kTls);
  if (!is_tls && !url.starts_with(kPlain))
    return malformed("a URL is like http://127.0.0.1:7880 or https://rtc.example");
  url.remove_prefix(is_tls ? kTls.size() : kPlain.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  Endpoint out{.host = {}, .port = std::string(default_port(is_tls)), .is_tls = is_tls};
  const size_t bracket = url.starts_with('[') ? url.find(']') : std::string_view::npos;
  const size_t colon = url.find(':', bracket == std::string_view::npos ? 0 : bracket);
  std::string_view host = url.substr(0, colon);
  if (colon != std::string_view::npos) out.port = url.substr(colon + 1);
  if (bracket != std::string_view::npos && host.size() == bracket + 1)
    host = host.substr(1, host.size() - 2);
  out.host = host;
  const bool is_port = !out.port.empty() && out.port.size() <= 5 &&
                       out.port.find_first_not_of("0123456789") == std::string::npos;
  if (out.host.empty() || out.host.find_first_of("/?#@[] ") != std::string::npos || !is_port)
    return malformed("a URL is like http://127.0.0.1:7880 or https://rtc.example, without a path");
  return out;
}

std::string_view HttpReply::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (openapi::equals_ignoring_case(key, name)) return value;
  return {};
}

Result<std::optional<HttpReply>> parse_reply(std::string_view received, bool at_end) {
  const size_t head_end = received.find("\r\n\r\n");
  if (head_end == std::string_view::npos) {
    if (at_end) return malformed("the connection was closed without an answer");
    return std::nullopt;
  }
  HttpReply reply = TRY(parse_head(received.substr(0, head_end)));
  const std::string_view body = received.substr(head_end + 4);
  if (openapi::equals_ignoring_case(reply.header("Transfer-Encoding"), "chunked")) {
    std::optional<std::string> joined = TRY(parse_chunks(body));
    if (!joined && at_end) return malformed("the answer ends too early");
    if (!joined) return std::nullopt;
    reply.body = *std::move(joined);
    return reply;
  }
  const std::string_view length_text = reply.header("Content-Length");
  if (length_text.empty()) {
    if (!at_end) return std::nullopt;
    reply.body = body;
    return reply;
  }
  size_t length = 0;
  const auto [end, error] =
      std::from_chars(length_text.data(), length_text.data() + length_text.size(), length);
  if (error != std::errc() || end != length_text.data() + length_text.size())
    return malformed("the answer has no proper Content-Length");
  if (length > kReplyBytesMax) return fail(ErrorKind::LimitExceeded, "the answer is too long");
  if (body.size() < length && at_end) return malformed("the answer ends too early");
  if (body.size() < length) return std::nullopt;
  reply.body = body.substr(0, length);
  return reply;
}

std::string request_text(const openapi::Request& request) {
  std::string out = request.method + " " + request.target + " HTTP/1.1\r\n";
  for (const auto& [name, value] : request.headers) out += name + ": " + value + "\r\n";
  out += "Content-Length: " + std::to_string(request.body.size()) + "\r\nConnection: close\r\n\r\n";
  return out + request.body;
}

Result<HttpReply> exchange(const Endpoint& endpoint, const openapi::Request& request,
                           const Trust& trust, Duration timeout) {
  Connection connection(timeout);
  TRY(connection.open(endpoint, trust));
  TRY(connection.write(request_text(request)));
  std::string received;
  while (true) {
    const bool more = TRY(connection.read_some(received));
    if (received.size() > kReplyBytesMax)
      return fail(ErrorKind::LimitExceeded, "the answer is too long");
    std::optional<HttpReply> reply = TRY(parse_reply(received, !more));
    if (reply) return *std::move(reply);
  }
}

void wait_for(Duration duration) {
  asio::io_context io;
  asio::steady_timer timer(io, duration);
  timer.wait();
}

}  // namespace atrium::atriumctl
