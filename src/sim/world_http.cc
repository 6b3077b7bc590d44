// Signalling connections: ordered and delayed both ways, cut by faults.
#include <algorithm>
#include <cstdlib>

#include "sim/world.h"

namespace atrium::sim {
namespace {
constexpr Duration kLatencyMin = std::chrono::milliseconds(3),
                   kLatencyMax = std::chrono::milliseconds(25);
constexpr uint16_t kNoCloseFrame = 1006;  // RFC 6455 section 7.1.5
constexpr uint16_t kResumeUnknown = 1000, kKickedOut = 4006;

// The number of the field that a SignalResponse consists of; protobuf's tag is a varint of at most two bytes here.
int field_of(std::string_view message) {
  if (message.empty()) return 0;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(message[i]); };
  if (byte(0) < 0x80 || message.size() < 2) return byte(0) >> 3;
  return ((byte(0) & 0x7f) | (byte(1) << 7)) >> 3;
}
constexpr int kFieldJoin = 1, kFieldLeave = 8, kFieldReconnect = 19;  // livekit_signal.proto

int code_of(const std::string& body) {
  const size_t at = body.find("\"code\":");
  return at == body.npos ? 0 : std::atoi(body.c_str() + at + 7);
}
}  // namespace

// Runs at the client's end after everything sent before, unless the network or the client's end is gone.
void World::deliver_down(ConnectionId id, std::function<void(Session&)> what) {
  const auto found = connections_.find(id);
  if (found == connections_.end() || found->second.session == nullptr) return;
  Connection& connection = found->second;
  connection.last_down =
      std::max(connection.last_down + Duration(1), mono_ + between(kLatencyMin, kLatencyMax));
  if (connection.is_cut) return;
  agenda_.emplace(connection.last_down,
                  [this, id, session = connection.session, what = std::move(what)] {
                    const auto known = connections_.find(id);
                    if (known != connections_.end() && known->second.is_cut) return;
                    if (session->is_over || session->connection != id) return;
                    what(*session);
                    if (!session->is_over) pump(*session);
                  });
}

void World::dial(Session& session) {
  const ConnectionId id{next_connection_++};
  session.connection = id;
  session.is_dialling = true;
  connections_[id] = {.session = &session};
  node::HttpRequest request;
  request.method = "GET";
  request.target = session.client->upgrade_target();
  request.headers = {{"Host", "sim"}};
  request.is_websocket_upgrade = true;
  request.peer = {address_of(session), session.port};
  at(between(kLatencyMin, kLatencyMax), [this, id, request] { this->request(id, request); });
}

void World::request(ConnectionId id, const node::HttpRequest& request) {
  const auto found = connections_.find(id);
  if (found == connections_.end() || found->second.is_cut) return;
  if (!is_up()) {  // nobody listens
    Session* session = found->second.session;
    connections_.erase(found);
    if (session != nullptr) return lose(*session, id, kNoCloseFrame);
    if (const auto call = calls_.extract(id)) end_unanswered(call.mapped(), CallEnd::Refused);
    return;
  }
  if (auto response = control_->on_head(request, true, now()))
    respond(id, std::move(*response));
  else
    control_->on_request(id, request, now());
  after_control();
}

void World::send_up(Session& session, std::string message) {
  if (!session.connection) return;
  const ConnectionId id = *session.connection;
  const auto found = connections_.find(id);
  if (found == connections_.end() || found->second.is_cut) return;
  Connection& connection = found->second;
  connection.last_up =
      std::max(connection.last_up + Duration(1), mono_ + between(kLatencyMin, kLatencyMax));
  agenda_.emplace(connection.last_up, [this, id, message = std::move(message)] {
    const auto known = connections_.find(id);
    if (known == connections_.end() || known->second.is_cut || known->second.is_closing) return;
    if (!is_up()) return;
    note("said", as_bytes(message));
    control_->on_websocket_message(id, message, true, now());
    after_control();
  });
}

// The client's end learns that its connection is gone.
void World::lose(Session& session, ConnectionId id, uint16_t code) {
  if (session.is_over || session.connection != id) return;
  note("lost", {});
  session.connection.reset();
  session.client->on_signal_closed(code);
  on_end_of_connection(session);
}

void World::end_at_server(ConnectionId id) {
  if (!is_up()) return;
  control_->on_closed(id, now());
  after_control();
}

void World::close_by_client(Session& session) {
  if (!session.connection) return;
  const ConnectionId id = *session.connection;
  session.connection.reset();
  const auto known = connections_.find(id);
  if (known == connections_.end()) return;
  // Behind everything that was said before.
  agenda_.emplace(std::max(known->second.last_up + Duration(1), mono_ + kLatencyMin), [this, id] {
    const auto found = connections_.find(id);
    if (found == connections_.end() || found->second.is_closing) return;
    if (found->second.session != nullptr) found->second.session->lost = mono_;
    connections_.erase(found);
    end_at_server(id);
  });
}

// The network fails under a connection; each end notices in its own time.
void World::kill(ConnectionId id) {
  const auto found = connections_.find(id);
  if (found == connections_.end() || found->second.is_cut || found->second.session == nullptr)
    return;
  ++outcome_.statistics.kills;
  found->second.is_cut = true;
  Session* session = found->second.session;
  at(between(Duration(1), std::chrono::milliseconds(2'000)),
     [this, id, session] { lose(*session, id, kNoCloseFrame); });
  at(between(Duration(1), std::chrono::milliseconds(2'000)), [this, id, session] {
    const auto known = connections_.find(id);
    if (known == connections_.end() || known->second.is_closing) return;
    session->lost = mono_;
    connections_.erase(known);
    end_at_server(id);
  });
}

// --- node::HttpPort: the server's end, called within a turn of control -------------------------

void World::accept_websocket(ConnectionId id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  found->second.accepted = mono_;
  deliver_down(id, [](Session& session) { session.is_dialling = false; });
}

// At the server's end, in the turn that says it.
void World::check_word(const Connection& connection, std::string_view message) {
  Session& session = *connection.session;
  const int field = field_of(message);
  if (field == kFieldLeave || field == kFieldReconnect) return;
  if (field == kFieldJoin) session.facts.joined = mono_;
  session.facts.is_in = true;
  session.lost = kNever;
  checkers_.check_admitted(session.facts, "signalling", connection.accepted, now());
  if (field == kFieldJoin) checkers_.rules().saw_let_in(session.facts.who, now());
}

void World::send(ConnectionId id, std::shared_ptr<const std::string> message) {
  if (const auto found = connections_.find(id); found != connections_.end())
    check_word(found->second, *message);
  deliver_down(id, [this, message](Session& session) {
    // Entries of protobuf's maps come in any order, so the bytes count without theirs.
    uint64_t sum = message->size();
    for (const char c : *message)
      sum += uint64_t{static_cast<uint8_t>(c)} * static_cast<uint8_t>(c);
    note("heard", as_bytes(std::to_string(sum)));
    session.client->on_signal_message(*message, now());
  });
}

void World::close_websocket(ConnectionId id, std::shared_ptr<const std::string> last,
                            uint16_t code) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) {  // its on_closed is on its way: answered by this instead
    at(Duration(1), [this, id, boot = boots_] {
      if (boot != boots_ || !is_up()) return;
      control_->on_websocket_closed_out(id, false, now());
      after_control();
    });
    return;
  }
  Session& session = *found->second.session;
  if (code == kKickedOut) checkers_.check_removal(session.facts);
  if (code == kResumeUnknown && last != nullptr) checkers_.check_sent_away(session.facts);
  if (last != nullptr) send(id, last);
  deliver_down(id, [this, id, code](Session& session) { lose(session, id, code); });
  found->second.is_closing = true;
  at(between(Duration(50), std::chrono::milliseconds(5)), [this, id, boot = boots_] {
    if (boot != boots_ || !is_up()) return;
    connections_.erase(id);
    control_->on_websocket_closed_out(id, true, now());
    after_control();
  });
}

void World::drop(ConnectionId id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  deliver_down(id, [this, id](Session& session) { lose(session, id, kNoCloseFrame); });
  connections_.erase(found);
}

void World::respond(ConnectionId id, node::HttpResponse response) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  if (found->second.session == nullptr) {
    connections_.erase(found);
    auto call = calls_.extract(id);
    // The life's end is looked at when the turn that answered is over.
    at(Duration(0), [this, call = std::move(call.mapped()), status = response.status,
                     body = std::move(response.body)] { on_answer(call, status, body); });
    return;
  }
  if (const int code = code_of(response.body); response.status == 403) {
    ++outcome_.statistics.kept_out;
    checkers_.check_refused(found->second.session->facts.who, code, now());
  }
  ++outcome_.statistics.refusals;
  deliver_down(id, [this](Session& session) {
    session.connection.reset();
    finish(session);
  });
  connections_.erase(id);
}

}  // namespace atrium::sim
