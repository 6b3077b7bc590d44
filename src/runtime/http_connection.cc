#include "runtime/http_connection.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/limits.h"
#include "runtime/clock.h"
#include "runtime/proxy_header.h"

namespace atrium::runtime {
namespace {

constexpr size_t kPartsPerWrite = 64;
constexpr char kTlsHandshakeRecord = 0x16;  // RFC 8446 section 5.1
constexpr size_t kKeptInputBytes = 4'096;   // a larger input buffer is given back once it was read

}  // namespace

HttpConnection::HttpConnection(ConnectionHost& host, ConnectionId id, StreamSocket socket,
                               const Entrance& entrance)
    : host_(host),
      id_(id),
      has_tls_(entrance.has_tls),
      socket_(std::move(socket)),
      reader_(entrance.listener, entrance.peer),
      phase_(entrance.has_proxy_header ? Phase::ProxyHeader : Phase::Head) {}

void HttpConnection::start(Now now) {
  if (phase_ == Phase::ProxyHeader)
    host_.set_deadline(*this, now.mono + host_.times.proxy_header);
  else
    begin_tls_or_http(now);
  await_read();
}

void HttpConnection::begin_tls_or_http(Now now) {
  phase_ = has_tls_ ? Phase::TlsHandshake : Phase::Head;
  host_.set_deadline(*this, now.mono + host_.times.idle);
}

void HttpConnection::await_read() {
  if (is_read_awaited_) return;
  is_read_awaited_ = true;
  if (is_readable_) host_.look_again(id_);
}

// --- reading -------------------------------------------------------------------------------------

void HttpConnection::on_event(const StreamSockets::Event& event, Now now) {
  is_readable_ |= event.is_readable;
  is_ending_ |= event.is_ending;
  if (event.is_writable && is_write_awaited_) {
    is_write_awaited_ = false;
    flush(now);
  }
  if (event.is_readable) read_if_awaited(now);
}

void HttpConnection::read_if_awaited(Now now) {
  if (std::exchange(is_read_awaited_, false)) read(now);
}

void HttpConnection::read(Now now) {
  // Not while an answer is due: a client that pipelines waits in its own kernel.
  if (phase_ == Phase::Pending || phase_ == Phase::Answering || phase_ == Phase::Gone) return;
  size_t count = 0;
  switch (socket_.read(host_.scratch, count)) {
    case StreamSocket::Read::NotNow:
      is_readable_ = false;
      return await_read();
    case StreamSocket::Read::End:
      return on_end_of_input();
    case StreamSocket::Read::Broken:
      return end(Farewell::Reset);
    case StreamSocket::Read::Bytes:
      break;
  }
  // Less than there was room for is all there was (epoll(7)), unless the end waits behind it.
  if (count < host_.scratch.size() && !is_ending_) is_readable_ = false;

  on_bytes({host_.scratch.data(), count}, now);
  count_unfinished();
  const bool is_unfinished = phase_ == Phase::Head || phase_ == Phase::Body;
  if (is_unfinished && host_.unfinished_bytes > host_.unfinished_bytes_max) {
    answer_fault(node::HttpFault::Overloaded, now);
    count_unfinished();
  }
  const bool wants_more =
      phase_ != Phase::Pending && phase_ != Phase::Answering && phase_ != Phase::Gone;
  if (wants_more) await_read();
}

void HttpConnection::on_bytes(std::string_view bytes, Now now) {
  switch (phase_) {
    case Phase::ProxyHeader:
      return on_proxy_bytes(bytes, now);
    case Phase::TlsHandshake:
    case Phase::Head:
    case Phase::Body:
    case Phase::WebSocket:
      return has_tls_ ? on_tls_bytes(bytes, now) : on_plain_bytes(bytes, now);
    case Phase::Draining:
      drained_bytes_ += bytes.size();
      if (drained_bytes_ > static_cast<size_t>(limits::kHttpLingerBytesMax)) end(Farewell::Reset);
      return;
    default:
      return;  // ClosingOut: thrown away
  }
}

void HttpConnection::on_proxy_bytes(std::string_view bytes, Now now) {
  in_.append(bytes);
  const ProxyHeader header = parse_proxy_header(in_);
  if (header.step == ProxyHeader::Step::NeedMore) return;
  if (header.step == ProxyHeader::Step::Malformed) {
    ++host_.counters.proxy_headers_refused;
    return end(Farewell::Reset);
  }
  if (header.source) reader_.set_client(*header.source);
  const std::string rest = std::exchange(in_, {}).substr(header.size);
  begin_tls_or_http(now);
  if (!rest.empty()) on_bytes(rest, now);
}

void HttpConnection::on_tls_bytes(std::string_view bytes, Now now) {
  if (!tls_) {
    if (bytes.front() != kTlsHandshakeRecord) return answer_without_tls(now);
    tls_ = std::make_unique<TlsSession>(host_.tls);
    host_.set_deadline(*this, now.mono + host_.times.tls_handshake);
  }
  host_.plain.clear();
  const TlsSession::Input input = tls_->feed(bytes, host_.plain);
  if (!tls_->pending().empty()) mark_dirty();
  if (phase_ == Phase::TlsHandshake && tls_->is_established()) {
    ++host_.counters.tls_handshakes;
    phase_ = Phase::Head;
    host_.set_deadline(*this, now.mono + host_.times.idle);
  }
  if (!host_.plain.empty()) on_plain_bytes(host_.plain, now);
  if (input == TlsSession::Input::Failed) return on_tls_failed(now);
  if (input == TlsSession::Input::Open) return;
  is_input_over_ = true;  // what is being answered is still answered
  if (phase_ == Phase::Head || phase_ == Phase::Body || phase_ == Phase::WebSocket)
    end(Farewell::Close);
}

// Our alert is written, then the connection ends as after an answer.
void HttpConnection::on_tls_failed(Now now) {
  if (phase_ == Phase::Gone) return;
  ++host_.counters.tls_failures;
  report_end();
  in_.clear();
  out_.clear();
  keep_alive_ = false;
  phase_ = Phase::Answering;
  host_.set_deadline(*this, now.mono + host_.times.write);
  mark_dirty();
}

void HttpConnection::on_plain_bytes(std::string_view bytes, Now now) {
  if (phase_ == Phase::WebSocket) return on_websocket_bytes(bytes, now);
  in_.append(bytes);
  advance(now);
}

// Brings the host's sum up to date with what this connection holds of a request that is not complete.
void HttpConnection::count_unfinished() {
  size_t held = 0;
  if (phase_ == Phase::Head) held = in_.size();
  if (phase_ == Phase::Body) held = in_.size() + reader_.request().body.size();
  host_.unfinished_bytes += held - unfinished_bytes_;
  unfinished_bytes_ = held;
}

void HttpConnection::on_end_of_input() {
  has_fin_ = true;
  if (phase_ == Phase::ProxyHeader && !in_.empty()) ++host_.counters.proxy_headers_refused;
  // The last frames still have their chance to be written; everything else is over.
  if (phase_ != Phase::ClosingOut) end(Farewell::Close);
}

void HttpConnection::advance(Now now) {
  while (phase_ == Phase::Head || phase_ == Phase::Body) {
    switch (reader_.read(in_)) {
      case HttpRequestReader::Step::NeedMore:
        if (phase_ == Phase::Head && !in_.empty() && !is_head_begun_) {
          is_head_begun_ = true;
          host_.set_deadline(*this, now.mono + host_.times.head);
        }
        return;
      case HttpRequestReader::Step::Head:
        on_head(now);
        break;
      case HttpRequestReader::Step::Complete:
        hand_over(now);
        break;
      case HttpRequestReader::Step::Fault:
        answer_fault(reader_.fault(), now);
        break;
    }
  }
}

void HttpConnection::on_head(Now now) {
  is_answer_to_head_ = reader_.request().method == "HEAD";
  if (auto early = host_.handler->on_head(reader_.request(), reader_.has_come(in_), now)) {
    // A body that is here already is skipped, so that the connection can go on; one that is still on its way is not
    // worth waiting for.
    const bool is_consumed = reader_.read(in_) == HttpRequestReader::Step::Complete;
    return answer(*early, is_consumed && reader_.wants_keep_alive(), now);
  }
  if (reader_.is_body_too_long()) return answer_fault(node::HttpFault::BodyTooLong, now);
  phase_ = Phase::Body;
  host_.set_deadline(*this, now.mono + host_.times.body);
  if (reader_.has_body() && reader_.expects_continue() && in_.empty())
    enqueue("HTTP/1.1 100 Continue\r\n\r\n");
}

void HttpConnection::hand_over(Now now) {
  keep_alive_ = reader_.wants_keep_alive();
  give_back_input();
  if (reader_.request().is_websocket_upgrade) {
    codec_ = std::make_unique<WebSocketCodec>(host_.websocket_loop);
    if (!codec_->accept(reader_.request())) {
      codec_.reset();
      return answer_fault(node::HttpFault::Malformed, now);
    }
  }
  phase_ = Phase::Pending;
  is_named_ = true;
  ++host_.counters.requests;
  host_.set_deadline(*this, kNever);
  node::HttpRequest request = reader_.take_request();
  request.arrived = now.mono;
  host_.handler->on_request(id_, std::move(request), read_clock());
}

// A join's head is 20 kB, and its connection then stays for hours.  By swapping: assigning an empty string keeps the
// memory.
void HttpConnection::give_back_input() {
  if (in_.empty() && in_.capacity() > kKeptInputBytes) std::string().swap(in_);
}

void HttpConnection::on_websocket_bytes(std::string_view bytes, Now now) {
  last_heard_ = now.mono;
  auto messages = codec_->feed(bytes);
  if (std::string output = codec_->take_output(); !output.empty()) enqueue(std::move(output));
  const auto how = codec_->end();
  for (const WebSocketMessage& message : messages) {
    // A message's handler may have closed this connection: what came behind it is not looked at.
    if (phase_ != Phase::WebSocket) return;
    host_.handler->on_websocket_message(id_, message.data, message.is_binary, now);
  }
  if (phase_ != Phase::WebSocket || how == WebSocketCodec::End::None) return;
  if (how != WebSocketCodec::End::ClosedByPeer) ++host_.counters.websocket_protocol_errors;
  // Beast has queued the close frame that answers; when it is written, on_all_written() drains.
  codec_.reset();
  report_closed();
  phase_ = Phase::ClosingOut;
  host_.set_deadline(*this, now.mono + host_.times.close_write);
  mark_dirty();  // in case that nothing waits
}

// --- time ----------------------------------------------------------------------------------------

void HttpConnection::on_deadline(Now now) {
  switch (phase_) {
    case Phase::ProxyHeader:
      ++host_.counters.proxy_headers_refused;
      return end(Farewell::Close);
    case Phase::TlsHandshake:
      if (tls_) ++host_.counters.tls_failures;
      return end(Farewell::Close);
    case Phase::Head:
      if (!is_head_begun_) return end(Farewell::Close);
      answer_fault(node::HttpFault::HeadTimeout, now);
      return count_unfinished();
    case Phase::Body:
      answer_fault(node::HttpFault::BodyTimeout, now);
      return count_unfinished();
    case Phase::WebSocket:
      return on_websocket_deadline(now);
    case Phase::Draining:
      return end(is_reset_after_drain_ ? Farewell::Reset : Farewell::Close);
    default:
      return end(Farewell::Reset);
  }
}

void HttpConnection::on_websocket_deadline(Now now) {
  if (now.mono - last_heard_ >= host_.times.silence) {
    ++host_.counters.websocket_silence_cuts;
    return end(Farewell::Reset);
  }
  enqueue(ping_frame());
  host_.set_deadline(*this, now.mono + host_.times.ping);
}

// --- verbs of the port -----------------------------------------------------------------------------

void HttpConnection::respond(node::HttpResponse response, Now now) {
  if (phase_ != Phase::Pending) return;
  codec_.reset();
  answer(response, keep_alive_, now);
}

void HttpConnection::accept_websocket(Now now) {
  if (phase_ != Phase::Pending || !codec_) return;
  phase_ = Phase::WebSocket;
  last_heard_ = now.mono;
  ++host_.counters.websockets;
  enqueue(codec_->take_output());
  host_.set_deadline(*this, now.mono + host_.times.ping);
  await_read();
}

void HttpConnection::send(std::shared_ptr<const std::string> message) {
  if (phase_ != Phase::WebSocket || !message) return;
  const size_t size = message->size();
  if (out_.bytes() + size > static_cast<size_t>(limits::kSignalQueueBytesMax)) {
    ++host_.counters.websocket_queue_cuts;
    return end(Farewell::Reset);
  }
  enqueue(frame_header(FrameKind::Binary, size), std::move(message));
}

void HttpConnection::close_websocket(const std::shared_ptr<const std::string>& last, uint16_t code,
                                     Now now) {
  if (phase_ != Phase::WebSocket) {
    report_closed_out(false);
    return end(Farewell::Reset);
  }
  // One piece, so that one write carries both: a client that sees the close has seen the message.
  std::string farewell;
  if (last) farewell = frame_header(FrameKind::Binary, last->size()) + *last;
  farewell += close_frame(code);
  codec_.reset();
  phase_ = Phase::ClosingOut;
  host_.set_deadline(*this, now.mono + host_.times.close_write);
  enqueue(std::move(farewell));
}

// --- writing ---------------------------------------------------------------------------------------

void HttpConnection::answer_fault(node::HttpFault fault, Now now) {
  ++host_.counters.faults;
  in_.clear();
  answer(host_.handler->on_fault(reader_.request(), fault, now), false, now);
}

void HttpConnection::answer(const node::HttpResponse& response, bool keep_alive, Now now) {
  keep_alive_ = keep_alive && !response.close;
  phase_ = Phase::Answering;
  host_.set_deadline(*this, now.mono + host_.times.write);
  std::string bytes =
      response_head(response, {.date = host_.date(now.wall), .keep_alive = keep_alive_});
  if (!is_answer_to_head_ && response.status != 204 && response.status != 304)
    bytes += response.body;
  enqueue(std::move(bytes));
}

// Somebody typed http:// where https:// was meant.
void HttpConnection::answer_without_tls(Now now) {
  ++host_.counters.tls_missing;
  answer({.status = 400,
          .headers = {{"Content-Type", "text/plain"}},
          .body = "This port speaks TLS: https:// and wss:// alone.\n",
          .close = true},
         false, now);
}

void HttpConnection::enqueue(std::string own, std::shared_ptr<const std::string> shared) {
  out_.push(std::move(own), std::move(shared));
  mark_dirty();
}

void HttpConnection::mark_dirty() {
  if (is_dirty_) return;
  is_dirty_ = true;
  host_.mark_dirty(id_);
}

void HttpConnection::flush(Now now) {
  is_dirty_ = false;
  // Frames that came right behind the upgrade, before it was accepted.
  if (phase_ == Phase::WebSocket && !in_.empty()) on_websocket_bytes(std::exchange(in_, {}), now);
  if (phase_ == Phase::Gone || is_write_awaited_) return;
  if (!write_some()) return end(Farewell::Reset);
  if (is_all_written()) return on_all_written(now);
  if (out_.bytes() > static_cast<size_t>(limits::kSignalQueueBytesMax) &&
      phase_ == Phase::WebSocket) {
    ++host_.counters.websocket_queue_cuts;
    return end(Farewell::Reset);
  }
  is_write_awaited_ = true;
}

bool HttpConnection::write_some() {
  return tls_ ? write_encrypted() : write_plain();
}

bool HttpConnection::write_plain() {
  while (!out_.empty()) {
    std::array<iovec, kPartsPerWrite> parts;
    const auto written = socket_.write(std::span(parts).first(out_.gather(parts)));
    if (!written || *written == 0) return written.has_value();
    out_.consume(*written);
  }
  return true;
}

bool HttpConnection::write_encrypted() {
  while (true) {
    while (!out_.empty() && tls_->has_room()) {
      const auto record = std::span(host_.scratch).first(TlsSession::kPlainBytesMax);
      if (!tls_->write({record.data(), out_.take(record)})) return false;
    }
    if (out_.empty() && is_last_word()) tls_->close();
    const std::string_view pending = tls_->pending();
    if (pending.empty()) return true;
    const auto written = socket_.write(pending);
    if (!written || *written == 0) return written.has_value();
    tls_->consume(*written);
  }
}

bool HttpConnection::is_last_word() const {
  return phase_ == Phase::ClosingOut || (phase_ == Phase::Answering && !keep_alive_);
}

bool HttpConnection::is_all_written() const {
  return out_.empty() && (!tls_ || tls_->pending().empty());
}

void HttpConnection::on_all_written(Now now) {
  switch (phase_) {
    case Phase::Answering:
      if (!keep_alive_) return begin_drain(now, host_.times.linger);
      phase_ = Phase::Head;
      is_head_begun_ = is_answer_to_head_ = false;
      reader_.next_request();
      give_back_input();
      host_.set_deadline(*this, now.mono + host_.times.idle);
      advance(now);
      if (phase_ != Phase::Head && phase_ != Phase::Body) return;
      return is_input_over_ ? end(Farewell::Close) : await_read();
    case Phase::ClosingOut:
      is_reset_after_drain_ = true;
      report_closed_out(true);
      return begin_drain(now, host_.times.close_drain);
    default:
      return;
  }
}

// --- the end -----------------------------------------------------------------------------------------

// Our side is shut; what the client still sends is thrown away, since closing a socket with unread
// bytes would reset the connection and could take the last answer out of the client's hands.
void HttpConnection::begin_drain(Now now, Duration longest) {
  if (has_fin_) return end(Farewell::Close);
  in_.clear();
  give_back_input();
  phase_ = Phase::Draining;
  if (!socket_.end_output()) return end(Farewell::Reset);
  host_.set_deadline(*this, now.mono + longest);
  await_read();
}

void HttpConnection::report_closed() {
  if (is_reported_ || !is_named_) return;
  is_reported_ = true;
  host_.report({.connection = id_});
}

void HttpConnection::report_closed_out(bool written) {
  if (is_reported_ || !is_named_) return;
  is_reported_ = true;
  host_.report({.connection = id_, .is_closed_out = true, .written = written});
}

// Who asked for the close is answered as such, however the connection ends.
void HttpConnection::report_end() {
  if (phase_ == Phase::ClosingOut)
    report_closed_out(false);
  else
    report_closed();
}

// Without waiting: the connection ends now, and what does not fit into the kernel is lost.
void HttpConnection::say_tls_goodbye() {
  tls_->close();
  const std::string_view bytes = tls_->pending();
  if (!bytes.empty()) static_cast<void>(socket_.write(bytes));
}

void HttpConnection::end(Farewell farewell) {
  if (phase_ == Phase::Gone) return;
  report_end();
  phase_ = Phase::Gone;
  count_unfinished();
  if (farewell == Farewell::Reset) {
    reset();
  } else {
    if (tls_) say_tls_goodbye();
    socket_.close();
  }
  host_.set_deadline(*this, kNever);
  host_.remove(*this);
}

void HttpConnection::reset() {
  socket_.reset();
}

}  // namespace atrium::runtime
