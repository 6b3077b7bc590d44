#include "runtime/connection_host.h"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <ctime>

#include "base/log.h"
#include "runtime/clock.h"
#include "runtime/http_connection.h"

namespace atrium::runtime {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int kRoundsPerTurn = 16;

}  // namespace

ConnectionHost::ConnectionHost() = default;
ConnectionHost::~ConnectionHost() {
  for (auto& [id, connection] : connections_) connection->reset();
}

HttpConnection* ConnectionHost::find(ConnectionId id) {
  const auto at = connections_.find(id);
  return at == connections_.end() ? nullptr : at->second.get();
}

Result<void> ConnectionHost::open() {
  sockets_.emplace(TRY(StreamSockets::create()));
  error_code ec;
  sockets_ready_.assign(::dup(sockets_->descriptor()), ec);  // Asio closes what it is given
  if (ec) return fail(ErrorKind::Unavailable, "epoll's descriptor");
  return {};
}

HttpConnection* ConnectionHost::add(std::unique_ptr<HttpConnection> connection) {
  const ConnectionId id = connection->id();
  if (!sockets_->add(connection->socket(), id)) return nullptr;
  return connections_.emplace(id, std::move(connection)).first->second.get();
}

void ConnectionHost::remove(HttpConnection& connection) {
  if (connection.looked_at_ != kNever) deadlines_.erase({connection.looked_at_, connection.id()});
  auto node = connections_.extract(connection.id());
  if (node) graveyard_.push_back(std::move(node.mapped()));
}

// A deadline moves several times in each request and is hardly ever reached.  So an entry stays where it is when its
// deadline moves further away, and is put right when its time comes.
void ConnectionHost::set_deadline(HttpConnection& connection, Mono at) {
  connection.deadline_ = at;
  if (at >= connection.looked_at_) return;
  if (connection.looked_at_ != kNever) deadlines_.erase({connection.looked_at_, connection.id()});
  connection.looked_at_ = at;
  deadlines_.insert({at, connection.id()});
}

void ConnectionHost::await_sockets() {
  sockets_ready_.async_wait(asio::posix::stream_descriptor::wait_read, [this](error_code ec) {
    if (ec) return;
    take_events();
    await_sockets();  // where more is ready than one call takes, this is readable at once
  });
}

void ConnectionHost::take_events() {
  for (const StreamSockets::Event& event : sockets_->take())
    if (HttpConnection* connection = find(event.connection))
      connection->on_event(event, read_clock());
  settle_soon();
}

void ConnectionHost::look_again(ConnectionId id) {
  to_look_at_.push_back(id);
  if (to_look_at_.size() > 1) return;
  asio::post(context, [this] {
    for (ConnectionId one : std::exchange(to_look_at_, {}))
      if (HttpConnection* connection = find(one)) connection->read_if_awaited(read_clock());
    settle_soon();
  });
}

std::string_view ConnectionHost::date(Wall wall) {
  const int64_t second = unix_s(wall);
  if (second != date_second_) {
    date_second_ = second;
    const time_t time = static_cast<time_t>(second);
    tm broken_down{};
    ::gmtime_r(&time, &broken_down);
    char text[40];
    // The process keeps the "C" locale, whose names of days and months are those of RFC 9110.
    date_.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &broken_down));
  }
  return date_;
}

void ConnectionHost::arm_timer() {
  Mono next = handler->next_deadline();
  if (!deadlines_.empty()) next = std::min(next, deadlines_.begin()->first);
  if (next == armed_) return;
  armed_ = next;
  if (next == kNever) {
    timer_.cancel();
    return;
  }
  const Mono now = read_clock().mono;
  timer_.expires_after(next > now ? next - now : Duration::zero());
  timer_.async_wait([this](error_code ec) {
    if (!ec) on_timer();
  });
}

void ConnectionHost::on_timer() {
  armed_ = kNever;
  const Now now = read_clock();
  if (handler->next_deadline() <= now.mono) handler->on_deadline(now);
  while (!deadlines_.empty() && deadlines_.begin()->first <= now.mono) {
    HttpConnection* connection = find(deadlines_.begin()->second);
    deadlines_.erase(deadlines_.begin());
    if (connection == nullptr) continue;
    connection->looked_at_ = kNever;
    const Mono deadline = std::exchange(connection->deadline_, kNever);
    if (deadline > now.mono)
      set_deadline(*connection, deadline);
    else
      connection->on_deadline(now);
  }
  settle();
}

void ConnectionHost::turn_into_closed_out(ConnectionId id) {
  for (Report& report : reports_)
    if (report.connection == id) report.is_closed_out = true;
}

// Answers to all that is readable now are written one after the other: a client that is busy reading the first is not
// woken anew for each.
void ConnectionHost::settle_soon() {
  if (std::exchange(is_settle_due_, true)) return;
  asio::post(context, [this] {
    is_settle_due_ = false;
    settle();
  });
}

void ConnectionHost::settle() {
  flush_log();  // before anybody hears of what it says
  for (int round = 0; round < kRoundsPerTurn && !(dirty_.empty() && reports_.empty()); ++round) {
    const Now now = read_clock();
    for (ConnectionId id : std::exchange(dirty_, {}))
      if (HttpConnection* connection = find(id)) connection->flush(now);
    // In place: what is still to be told can change its kind (turn_into_closed_out) or grow meanwhile.
    for (size_t i = 0; i < reports_.size(); ++i) deliver(reports_[i]);
    reports_.clear();
  }
  graveyard_.clear();
  if (!dirty_.empty() || !reports_.empty()) settle_soon();
  flush_log();
  arm_timer();
  if (handler->is_finished()) context.stop();
}

void ConnectionHost::deliver(Report report) {
  const Now now = read_clock();
  if (report.is_closed_out)
    handler->on_websocket_closed_out(report.connection, report.written, now);
  else
    handler->on_closed(report.connection, now);
}

}  // namespace atrium::runtime
