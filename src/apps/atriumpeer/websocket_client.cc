#include "websocket_client.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "runtime/sockaddr.h"

namespace atrium::atriumpeer {
namespace {

int connect_to(const SocketAddress& server) {
  const int descriptor =
      ::socket(server.ip.is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  const auto address = runtime::to_sockaddr(server, runtime::AddressForm::Plain);
  if (::connect(descriptor, address.get(), address.size) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

}  // namespace

Result<std::variant<std::unique_ptr<WebSocketClient>, Refusal>> WebSocketClient::open(
    const SocketAddress& server, std::string_view target, SecretSource& secrets) {
  const int descriptor = connect_to(server);
  if (descriptor < 0) return fail(ErrorKind::Unavailable, "nobody listens there");
  std::unique_ptr<WebSocketClient> client(
      new WebSocketClient(descriptor, {server.text(), std::string(target)}, secrets));
  if (!client->flush()) return fail(ErrorKind::Unavailable, "the server hung up");
  while (client->early_.empty()) {
    client->read(0);
    client->early_ = client->link_.take_frames();
  }
  Frame& first = client->early_.front();
  if (first.kind == Frame::Kind::Refused) return Refusal{first.code, std::move(first.message)};
  if (first.kind != Frame::Kind::Open) return fail(ErrorKind::Unavailable, "the answer is no HTTP");
  client->early_.erase(client->early_.begin());
  return client;
}

WebSocketClient::~WebSocketClient() {
  ::close(descriptor_);
}

bool WebSocketClient::flush() {
  const std::string output = link_.take_output();
  std::string_view data = output;
  while (!data.empty()) {
    const ssize_t sent = ::send(descriptor_, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    data.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

void WebSocketClient::read(int flags) {
  std::array<char, 65'536> chunk;
  const ssize_t count = ::recv(descriptor_, chunk.data(), chunk.size(), flags);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return link_.on_end();
  link_.on_bytes({chunk.data(), static_cast<size_t>(count)});
}

std::vector<Frame> WebSocketClient::receive() {
  std::vector<Frame> out = std::exchange(early_, {});
  read(MSG_DONTWAIT);
  for (Frame& frame : link_.take_frames()) out.push_back(std::move(frame));
  flush();
  return out;
}

}  // namespace atrium::atriumpeer
