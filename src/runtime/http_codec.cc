#include "runtime/http_codec.h"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/status.hpp>
#include <utility>

#include "base/limits.h"

namespace atrium::runtime {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

constexpr size_t kLongLine = 1'024;  // bytes
constexpr size_t kUsualHeaders = 12;
constexpr size_t kUsualHeadBytes = 512;  // of a response

std::string text(string_view view) {
  return std::string(view.data(), view.size());
}

// Fills a node::HttpRequest straight from Beast's events, so that no second container of fields is made.
class EventParser final : public http::basic_parser<true> {
 public:
  explicit EventParser(node::HttpRequest& out) : out_(out) {
    header_limit(static_cast<uint32_t>(limits::kHttpHeaderBytesMax));
    body_limit(boost::none);  // looked at after the head, see HttpRequestReader::is_body_too_long
    eager(false);
  }

  // What is parsed has "/" in its place, so its length is taken off what the head may have.
  void set_target(std::string target) {
    header_limit(static_cast<uint32_t>(limits::kHttpHeaderBytesMax) -
                 static_cast<uint32_t>(target.size()) + 1);
    out_.target = std::move(target);
    is_target_known_ = true;
  }

  bool has_too_many_headers() const { return has_too_many_headers_; }
  bool is_framing_refused() const { return is_framing_refused_; }
  bool is_upgrade() const { return upgrade() && names_websocket_ && out_.method == "GET"; }
  bool has_websocket_fields() const { return has_version_13_ && has_key_; }
  bool has_one_host() const { return hosts_ == 1; }
  bool expects_continue() const { return expects_continue_; }
  int version() const { return version_; }

 private:
  void on_request_impl(http::verb, string_view method, string_view target, int version,
                       error_code&) override {
    out_.method = text(method);
    if (!is_target_known_) out_.target = text(target);
    version_ = version;
  }
  void on_response_impl(int, string_view, int, error_code&) override {}

  void on_field_impl(http::field name, string_view name_string, string_view value,
                     error_code& ec) override {
    if (is_head_done_) return;  // trailer fields carry nothing that we serve
    if (out_.headers.size() >= static_cast<size_t>(limits::kHttpHeadersMax)) {
      has_too_many_headers_ = true;
      ec = http::error::header_limit;
      return;
    }
    if (out_.headers.empty()) out_.headers.reserve(kUsualHeaders);
    out_.headers.emplace_back(text(name_string), text(value));
    note(name, value, ec);
  }

  void note(http::field name, string_view value, error_code& ec) {
    switch (name) {
      case http::field::host:
        ++hosts_;
        break;
      case http::field::expect:
        expects_continue_ = boost::beast::iequals(value, "100-continue");
        break;
      case http::field::upgrade:
        names_websocket_ = http::token_list{value}.exists("websocket");
        break;
      case http::field::sec_websocket_version:
        has_version_13_ = value == "13";
        break;
      case http::field::sec_websocket_key:
        has_key_ = value.size() == 24;
        break;
      case http::field::transfer_encoding:
        // RFC 9112 section 6.1: a coding we cannot undo must not be taken for a body of ours.
        if (boost::beast::iequals(value, "chunked") && !is_chunked_seen_) {
          is_chunked_seen_ = true;
          break;
        }
        is_framing_refused_ = true;
        ec = http::error::bad_transfer_encoding;
        break;
      default:
        break;
    }
  }

  void on_header_impl(error_code&) override { is_head_done_ = true; }
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code&) override {
    out_.body.append(body.data(), body.size());
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code&) override {
    out_.body.append(body.data(), body.size());
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  node::HttpRequest& out_;
  int version_ = 0;
  int hosts_ = 0;
  bool is_target_known_ = false;
  bool is_head_done_ = false;
  bool has_too_many_headers_ = false;
  bool is_framing_refused_ = false;
  bool is_chunked_seen_ = false;
  bool names_websocket_ = false;
  bool has_version_13_ = false;
  bool has_key_ = false;
  bool expects_continue_ = false;
};

// Without a branch for each character, so that many are looked at in one step.
bool is_printable_field(std::string_view value) {
  bool is_printable = true;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    is_printable &= ((byte >= 0x20) | (c == '\t')) & (byte != 0x7f);
  }
  return is_printable;
}

// Characters that stand for themselves in a target, whatever it is: none of them is looked at again.
bool is_visible_ascii(std::string_view text) {
  bool is_visible = true;
  for (const char c : text) is_visible &= c > ' ' && c < '\x7f';
  return is_visible;
}

}  // namespace

struct HttpRequestReader::State {
  State(node::Listener listener, SocketAddress peer) : listener(listener), peer(peer) { reset(); }

  void reset() {
    request = node::HttpRequest{};
    request.listener = listener;
    request.peer = peer;
    request.is_proxied = is_proxied;
    parser.emplace(request);
    line_scanned = 0;
    is_line_seen = is_head_told = false;
  }

  Step stop(node::HttpFault why) {
    fault = why;
    return Step::Fault;
  }

  // nullopt: the request line is within its bound so far.
  std::optional<Step> check_line(std::string& buffer);
  void take_long_target(std::string& buffer);
  Step read_head(std::string& buffer);
  Step finish_head();
  Step read_body(std::string& buffer);

  // given
  node::Listener listener;
  SocketAddress peer;
  bool is_proxied = false;
  // owned
  node::HttpRequest request;
  std::optional<EventParser> parser;
  node::HttpFault fault = node::HttpFault::Malformed;
  size_t line_scanned = 0;
  bool is_line_seen = false;
  bool is_head_told = false;
};

std::optional<HttpRequestReader::Step> HttpRequestReader::State::check_line(std::string& buffer) {
  if (is_line_seen) return std::nullopt;
  // RFC 9112 section 2.2: an empty line before the request line is forgiven.
  while (buffer.starts_with("\r\n")) buffer.erase(0, 2), line_scanned = 0;
  const size_t end = buffer.find('\n', line_scanned);
  const size_t length = end == buffer.npos ? buffer.size() : end;
  if (length > static_cast<size_t>(limits::kHttpRequestLineBytesMax))
    return stop(node::HttpFault::RequestLineTooLong);
  line_scanned = length;
  if (end == buffer.npos) return Step::NeedMore;
  is_line_seen = true;
  take_long_target(buffer);
  return std::nullopt;
}

// Beast looks at a target one character after the other.  A client's join has its offer in there, 20 kB of it, so a
// long target that is plainly one is taken out beforehand.
void HttpRequestReader::State::take_long_target(std::string& buffer) {
  if (line_scanned <= kLongLine) return;
  const size_t begin = buffer.find(' ') + 1, end = buffer.find(' ', begin);
  if (begin > line_scanned || end > line_scanned || buffer[begin] != '/') return;
  const std::string_view target = std::string_view(buffer).substr(begin, end - begin);
  if (target.size() <= 1 || !is_visible_ascii(target)) return;
  parser->set_target(std::string(target));
  buffer.erase(begin + 1, target.size() - 1);
}

HttpRequestReader::Step HttpRequestReader::State::read_head(std::string& buffer) {
  if (auto step = check_line(buffer)) return *step;
  while (!parser->is_header_done()) {
    error_code ec;
    const size_t taken = parser->put({buffer.data(), buffer.size()}, ec);
    buffer.erase(0, taken);
    if (ec == http::error::need_more) {
      if (buffer.size() < static_cast<size_t>(limits::kHttpHeaderBytesMax)) return Step::NeedMore;
      ec = http::error::header_limit;
    }
    if (!ec) continue;
    if (parser->is_framing_refused()) return stop(node::HttpFault::UnsupportedTransferEncoding);
    if (ec == http::error::header_limit || parser->has_too_many_headers())
      return stop(node::HttpFault::HeadersTooLong);
    return stop(node::HttpFault::Malformed);
  }
  return finish_head();
}

HttpRequestReader::Step HttpRequestReader::State::finish_head() {
  is_head_told = true;
  const bool is_1_1 = parser->version() == 11;
  if (!is_1_1 && parser->version() != 10) return stop(node::HttpFault::Malformed);
  if (is_1_1 && !parser->has_one_host()) return stop(node::HttpFault::Malformed);
  if (!is_1_1 && parser->chunked()) return stop(node::HttpFault::UnsupportedTransferEncoding);
  request.is_websocket_upgrade = is_1_1 && parser->is_upgrade();
  if (request.is_websocket_upgrade && (!parser->has_websocket_fields() || !parser->is_done()))
    return stop(node::HttpFault::Malformed);
  if (!parser->is_done() && !parser->content_length())
    parser->body_limit(static_cast<uint64_t>(limits::kHttpBodyBytesMax));
  return Step::Head;
}

HttpRequestReader::Step HttpRequestReader::State::read_body(std::string& buffer) {
  size_t used = 0;
  Step step = Step::NeedMore;
  while (step == Step::NeedMore) {
    if (parser->is_done()) {
      step = Step::Complete;
      break;
    }
    if (used == buffer.size()) break;
    error_code ec;
    used += parser->put({buffer.data() + used, buffer.size() - used}, ec);
    if (ec == http::error::need_more) {
      // A chunk's head or the trailer is incomplete: bounded like any other head.
      if (buffer.size() - used >= static_cast<size_t>(limits::kHttpHeaderBytesMax))
        step = stop(node::HttpFault::HeadersTooLong);
      break;
    }
    if (ec == http::error::body_limit)
      step = stop(node::HttpFault::BodyTooLong);
    else if (ec)
      step = stop(node::HttpFault::Malformed);
  }
  buffer.erase(0, used);
  return step;
}

HttpRequestReader::HttpRequestReader(node::Listener listener, SocketAddress peer)
    : state_(std::make_unique<State>(listener, peer)) {}
HttpRequestReader::~HttpRequestReader() = default;

void HttpRequestReader::set_client(SocketAddress client) {
  state_->peer = client;
  state_->is_proxied = true;
  state_->request.peer = client;
  state_->request.is_proxied = true;
}

HttpRequestReader::Step HttpRequestReader::read(std::string& buffer) {
  if (state_->is_head_told) return state_->read_body(buffer);
  return buffer.empty() ? Step::NeedMore : state_->read_head(buffer);
}

void HttpRequestReader::next_request() {
  state_->reset();
}
const node::HttpRequest& HttpRequestReader::request() const {
  return state_->request;
}
node::HttpRequest HttpRequestReader::take_request() {
  return std::move(state_->request);
}
node::HttpFault HttpRequestReader::fault() const {
  return state_->fault;
}
bool HttpRequestReader::has_body() const {
  return !state_->parser->is_done();
}
bool HttpRequestReader::has_come(std::string_view buffer) const {
  const auto length = state_->parser->content_length();
  return !has_body() || (length && *length <= buffer.size());
}
bool HttpRequestReader::is_body_too_long() const {
  const auto length = state_->parser->content_length();
  return length && *length > static_cast<uint64_t>(limits::kHttpBodyBytesMax);
}
bool HttpRequestReader::wants_keep_alive() const {
  return state_->parser->version() == 11 && state_->parser->keep_alive();
}
bool HttpRequestReader::expects_continue() const {
  return state_->parser->version() == 11 && state_->parser->expects_continue();
}

std::string response_head(const node::HttpResponse& response, const ResponseFraming& framing) {
  const int status = response.status;
  const string_view reason =
      http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)));
  std::string out;
  out.reserve(kUsualHeadBytes + response.body.size());  // which is appended to it as a rule
  out.append("HTTP/1.1 ").append(std::to_string(status)).append(" ");
  out.append(reason.data(), reason.size()).append("\r\n");
  for (const auto& [name, value] : response.headers) {
    if (!is_printable_field(name) || !is_printable_field(value)) continue;
    out.append(name).append(": ").append(value).append("\r\n");
  }
  out.append("Date: ").append(framing.date);
  // RFC 9110 section 8.6: no Content-Length with 1xx and 204.
  if (status >= 200 && status != 204)
    out += "\r\nContent-Length: " + std::to_string(response.body.size());
  if (!framing.keep_alive) out += "\r\nConnection: close";
  out += "\r\n\r\n";
  return out;
}

std::string frame_header(FrameKind kind, size_t payload_size) {
  std::string out(1, static_cast<char>(0x80 | static_cast<uint8_t>(kind)));
  if (payload_size < 126) {
    out.push_back(static_cast<char>(payload_size));
    return out;
  }
  const int width = payload_size <= 0xffff ? 2 : 8;
  out.push_back(static_cast<char>(width == 2 ? 126 : 127));
  for (int i = width; i-- > 0;)
    out.push_back(static_cast<char>(static_cast<uint64_t>(payload_size) >> (8 * i)));
  return out;
}

std::string close_frame(uint16_t code) {
  std::string out = frame_header(FrameKind::Close, 2);
  out.push_back(static_cast<char>(code >> 8));
  out.push_back(static_cast<char>(code));
  return out;
}

std::string ping_frame() {
  return frame_header(FrameKind::Ping, 0);
}

}  // namespace atrium::runtime
