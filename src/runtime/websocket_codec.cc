#include "runtime/websocket_codec.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <functional>
#include <utility>

#include "base/limits.h"

namespace atrium::runtime {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using beast::error_code;

constexpr size_t kKeptBufferBytes =
    16'384;  // a larger message buffer is given back once it is empty

// MemoryStream: what Beast takes for a socket.  Writes collect in `output`; a read waits until bytes are fed.
class MemoryStream {
 public:
  using executor_type = asio::io_context::executor_type;
  explicit MemoryStream(executor_type executor) : executor_(executor) {}
  executor_type get_executor() const noexcept { return executor_; }

  void feed(std::string_view bytes) {
    input_.append(bytes);
    serve_waiting_read();
  }
  std::string take_output() { return std::exchange(output_, {}); }

  template <class MutableBuffers>
  size_t read_some(const MutableBuffers& buffers, error_code& ec) {
    ec = input_.empty() ? error_code(asio::error::would_block) : error_code();
    return copy_to(buffers);
  }
  template <class ConstBuffers>
  size_t write_some(const ConstBuffers& buffers, error_code& ec) {
    ec = {};
    return copy_from(buffers);
  }

  // Beast's concepts ask for these two; nothing calls them.
  template <class MutableBuffers>
  size_t read_some(const MutableBuffers& buffers) {
    return copy_to(buffers);
  }
  template <class ConstBuffers>
  size_t write_some(const ConstBuffers& buffers) {
    return copy_from(buffers);
  }

  template <class MutableBuffers, class Handler>
  auto async_read_some(const MutableBuffers& buffers, Handler&& handler) {
    return asio::async_initiate<Handler, void(error_code, size_t)>(
        [this](auto&& done, const MutableBuffers& where) {
          waiting_ = [this, where, done = std::forward<decltype(done)>(done)]() mutable {
            const size_t count = copy_to(where);
            asio::post(executor_, beast::bind_front_handler(std::move(done), error_code(), count));
          };
          serve_waiting_read();
        },
        handler, buffers);
  }
  template <class ConstBuffers, class Handler>
  auto async_write_some(const ConstBuffers& buffers, Handler&& handler) {
    return asio::async_initiate<Handler, void(error_code, size_t)>(
        [this](auto&& done, const ConstBuffers& what) {
          const size_t count = copy_from(what);
          asio::post(executor_, beast::bind_front_handler(std::forward<decltype(done)>(done),
                                                          error_code(), count));
        },
        handler, buffers);
  }

  // The socket under us is closed by its owner, not by Beast.
  template <class Handler>
  friend void async_teardown(beast::role_type, MemoryStream& stream, Handler&& handler) {
    asio::post(stream.executor_,
               beast::bind_front_handler(std::forward<Handler>(handler), error_code()));
  }
  friend void beast_close_socket(MemoryStream&) {}

 private:
  void serve_waiting_read() {
    if (!waiting_ || input_.empty()) return;
    auto read = std::exchange(waiting_, {});
    read();
  }
  template <class MutableBuffers>
  size_t copy_to(const MutableBuffers& buffers) {
    const size_t count = asio::buffer_copy(buffers, asio::buffer(std::as_const(input_)));
    input_.erase(0, count);
    return count;
  }
  template <class ConstBuffers>
  size_t copy_from(const ConstBuffers& buffers) {
    const size_t before = output_.size();
    output_.resize(before + asio::buffer_size(buffers));
    return asio::buffer_copy(asio::buffer(output_.data() + before, output_.size() - before),
                             buffers);
  }

  executor_type executor_;
  std::string input_, output_;
  std::move_only_function<void()> waiting_;
};

}  // namespace

struct WebSocketLoop::State {
  asio::io_context context{1};
};
WebSocketLoop::WebSocketLoop() : state_(std::make_unique<State>()) {}
WebSocketLoop::~WebSocketLoop() = default;

struct WebSocketCodec::State {
  explicit State(asio::io_context& context) : context(context), stream(context.get_executor()) {
    stream.read_message_max(static_cast<size_t>(limits::kSignalMessageBytesMax));
    stream.auto_fragment(false);
  }

  void read_next() {
    stream.async_read(buffer, [this](error_code ec, size_t) { on_read(ec); });
  }

  void on_read(error_code ec) {
    if (ec == asio::error::operation_aborted) return;
    if (ec) {
      end = ec == websocket::error::closed            ? End::ClosedByPeer
            : ec == websocket::error::message_too_big ? End::MessageTooLong
                                                      : End::ProtocolError;
      return;
    }
    const auto data = buffer.cdata();
    messages.push_back(
        {std::string(static_cast<const char*>(data.data()), data.size()), stream.got_binary()});
    buffer.consume(buffer.size());
    if (buffer.capacity() > kKeptBufferBytes) buffer.shrink_to_fit();
    read_next();
  }

  // Runs Beast's steps until each of them waits for bytes that have not come.
  void run() {
    context.restart();
    context.poll();
  }

  asio::io_context& context;
  websocket::stream<MemoryStream, false>
      stream;  // false: permessage-deflate is declined and not compiled in
  beast::flat_buffer buffer;
  std::vector<WebSocketMessage> messages;
  End end = End::None;
};

WebSocketCodec::WebSocketCodec(WebSocketLoop& loop)
    : state_(std::make_unique<State>(loop.state().context)) {}
WebSocketCodec::~WebSocketCodec() = default;

bool WebSocketCodec::accept(const node::HttpRequest& upgrade) {
  namespace http = boost::beast::http;
  http::request<http::empty_body> request;
  request.version(11);
  request.method(http::verb::get);
  request.target("/");
  for (const auto& [name, value] : upgrade.headers) {
    switch (http::string_to_field(name)) {
      case http::field::host:
      case http::field::connection:
      case http::field::upgrade:
      case http::field::sec_websocket_key:
      case http::field::sec_websocket_version:
        request.set(http::string_to_field(name), value);
        break;
      default:
        break;
    }
  }
  error_code ec;
  state_->stream.accept(request, ec);
  if (ec) {
    state_->end = End::ProtocolError;
    return false;
  }
  state_->read_next();
  state_->run();
  return true;
}

std::vector<WebSocketMessage> WebSocketCodec::feed(std::string_view bytes) {
  if (state_->end != End::None) return {};
  state_->stream.next_layer().feed(bytes);
  state_->run();
  return std::exchange(state_->messages, {});
}

std::string WebSocketCodec::take_output() {
  return state_->stream.next_layer().take_output();
}
WebSocketCodec::End WebSocketCodec::end() const {
  return state_->end;
}

}  // namespace atrium::runtime
