// Signalling connections and management calls: ordered and delayed both ways, cut by faults.
#include <algorithm>
#include <cstdio>

#include "adapters/openapi/signer.h"
#include "sim/world.h"

namespace atrium::sim {
namespace {
constexpr Duration kLatencyMin = std::chrono::milliseconds(3),
                   kLatencyMax = std::chrono::milliseconds(25);
constexpr uint16_t kNoCloseFrame = 1006;  // RFC 6455 section 7.1.5
constexpr std::string_view kAppId = "a7e100000000000000000001";
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
  at(between(kLatencyMin, kLatencyMax), [this, id, request] {
    const auto found = connections_.find(id);
    if (found == connections_.end() || found->second.is_cut) return;
    if (auto response = control_->on_head(request, now()))
      respond(id, std::move(*response));
    else
      control_->on_request(id, request, now());
    after_control();
  });
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
    connections_.erase(found);
    control_->on_closed(id, now());
    after_control();
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
  at(between(Duration(1), std::chrono::milliseconds(2'000)), [this, id] {
    const auto known = connections_.find(id);
    if (known == connections_.end() || known->second.is_closing) return;
    connections_.erase(known);
    control_->on_closed(id, now());
    after_control();
  });
}

// --- node::HttpPort: the server's end, called within a turn of control -------------------------

void World::accept_websocket(ConnectionId id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  found->second.is_accepted = true;
  deliver_down(id, [](Session& session) { session.is_dialling = false; });
}

void World::send(ConnectionId id, std::shared_ptr<const std::string> message) {
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
    at(Duration(1), [this, id] {
      control_->on_websocket_closed_out(id, false, now());
      after_control();
    });
    return;
  }
  if (last != nullptr) send(id, last);
  deliver_down(id, [this, id, code](Session& session) { lose(session, id, code); });
  found->second.is_closing = true;
  at(between(Duration(50), std::chrono::milliseconds(5)), [this, id] {
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
    const size_t room = found->second.room;
    connections_.erase(found);
    // The life's end is looked at when the turn that answered is over.
    at(Duration(0), [this, room, status = response.status, body = std::move(response.body)] {
      on_answer(body, status, room);
    });
    return;
  }
  ++outcome_.statistics.refusals;
  deliver_down(id, [this](Session& session) {
    session.connection.reset();
    finish(session);
  });
  connections_.erase(id);
}

// --- management calls --------------------------------------------------------------------------

void World::call_api(size_t room) {
  ++outcome_.statistics.dismissals;
  const ConnectionId id{next_connection_++};
  connections_[id] = {.session = nullptr, .room = room};
  openapi::Request request;
  request.method = "POST";
  request.target = "/?Action=DismissRoom&Version=2020-12-01";
  request.headers = {{"Host", "sim"}, {"Content-Type", "application/json"}};
  request.body = R"({"AppId":")" + std::string(kAppId) + R"(","RoomId":"room)" +
                 std::to_string(room) + R"(","Receipt":true})";
  openapi::sign_request(request, {.access_key = "AKsim", .secret = "secret"}, now().wall);
  node::HttpRequest http;
  http.method = request.method;
  http.target = request.target;
  http.headers = request.headers;
  http.body = request.body;
  at(between(kLatencyMin, kLatencyMax), [this, id, http] {
    if (auto response = control_->on_head(http, now()))
      respond(id, std::move(*response));
    else
      control_->on_request(id, http, now());
    after_control();
  });
}

void World::on_answer(const std::string& body, int status, size_t room) {
  note("answer", as_bytes(body));
  static constexpr std::string_view kField = R"("RoomSessionId":")";
  const size_t at_field = body.find(kField);
  if (options_.is_verbose) std::printf("  answer %d %s\n", status, body.c_str());
  if (status != 200 || at_field == std::string::npos) return;
  const size_t begin = at_field + kField.size();
  const RoomSid room_sid(body.substr(begin, body.find('"', begin) - begin));
  ++outcome_.statistics.successes;
  checkers_.saw_success(room_sid);
  checkers_.check_answer(room_sid, control_->registry(), AppId(std::string(kAppId)),
                         RoomId("room" + std::to_string(room)));
}

}  // namespace atrium::sim
