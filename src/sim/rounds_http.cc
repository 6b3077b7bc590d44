// Users' connections: what is said to them is looked at where the server says it.
#include "base/crypto.h"
#include "sim/rounds.h"

namespace atrium::sim {
namespace {

constexpr Duration kLatencyMin = std::chrono::milliseconds(1),
                   kLatencyMax = std::chrono::milliseconds(30);
constexpr uint64_t kFieldJoin = 1, kFieldReconnect = 19;  // livekit_signal.proto
constexpr uint16_t kCloseOfNotices = 4'000;

// A protobuf varint; advances.
uint64_t take_varint(std::string_view& text) {
  uint64_t out = 0;
  for (int shift = 0; !text.empty() && shift < 64; shift += 7) {
    const auto byte = static_cast<uint8_t>(text.front());
    text.remove_prefix(1);
    out |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) break;
  }
  return out;
}

uint64_t first_field(std::string_view message) {
  return take_varint(message) >> 3;
}

// The first length-delimited field of this number; empty: there is none.
std::string_view find_field(std::string_view message, uint64_t number) {
  while (!message.empty()) {
    const uint64_t tag = take_varint(message);
    const uint64_t length = take_varint(message);  // of a varint field its value
    if ((tag & 7) != 2) continue;
    const std::string_view value = message.substr(0, length);
    if (tag >> 3 == number) return value;
    message.remove_prefix(value.size());
  }
  return {};
}

}  // namespace

std::string Rounds::make_token(size_t name, size_t user) {
  const std::string hidden = user == 0 ? R"(,"hidden":true)" : "";
  const std::string claims = R"({"iss":"devkey","jti":")" + std::to_string(next_token_++) +
                             R"(","sub":")" + user_of(user) +
                             R"(","exp":4102444800,"video":{"roomJoin":true,"room":")" +
                             room_of(name) + "\"" + hidden + "}}";
  const std::string text =
      base64url(as_bytes(R"({"alg":"HS256","typ":"JWT"})")) + "." + base64url(as_bytes(claims));
  return text + "." + base64url(hmac_sha256(as_bytes("secret"), as_bytes(text)));
}

void Rounds::dial(size_t name, size_t user, bool is_resume) {
  const ConnectionId id{next_connection_++};
  Place& place = names_[name].places[user];
  if (!is_resume) place = {.connection = {}, .who = {}, .token = make_token(name, user)};
  place.connection = id;
  connections_[id] = {.is_resume = is_resume, .name = name, .user = user, .who = place.who};
  node::HttpRequest request;
  request.method = "GET";
  // JoinRequest{reconnect: true, participant_sid: …} in its wrapping.
  const std::string again =
      "\x38\x01\x4a" + std::string(1, static_cast<char>(place.who.value.size())) + place.who.value;
  const std::string wrapped = "\x12" + std::string(1, static_cast<char>(again.size())) + again;
  request.target = "/rtc/v1?access_token=" + place.token +
                   "&join_request=" + (is_resume ? base64url(as_bytes(wrapped)) : offer_);
  request.headers = {{"Host", "sim"}};
  request.is_websocket_upgrade = true;
  request.peer = {*IpAddress::parse("198.51.100.7"), 40'000};
  at_this_boot(between(kLatencyMin, kLatencyMax), [this, id, request, name, user, is_resume] {
    if (!connections_.contains(id)) return;
    const auto known =
        control_->registry().find_user(AppId(kApp), RoomId(room_of(name)), UserId(user_of(user)));
    if (known != nullptr && !is_resume) book_.excuse(known->sid, Exit::Replaced);
    if (auto response = control_->on_head(request, true, now()))
      respond(id, std::move(*response));
    else
      control_->on_request(id, request, now());
  });
}

// The network fails under it; the server notices later.
void Rounds::lose(ConnectionId id) {
  at_this_boot(some_delay(), [this, id] {
    const auto known = connections_.find(id);
    if (known == connections_.end() || known->second.is_closing) return;
    connections_.erase(known);
    control_->on_closed(id, now());
  });
}

// --- node::HttpPort: the server's end, called within a turn of control -------------------------

void Rounds::accept_websocket(ConnectionId) {}

void Rounds::on_first_word(ConnectionId id, Connection& connection, std::string_view message) {
  const std::string_view join = find_field(message, kFieldJoin);
  const std::string_view room = find_field(join, 1), participant = find_field(join, 2);
  connection.who = ParticipantSid(find_field(participant, 1));
  const RoomSid life(find_field(room, 1));
  if (connection.who.empty() || life.empty()) return book_.fail("a join names nobody, or no life");
  Place& place = names_[connection.name].places[connection.user];
  if (place.connection == id) place.who = connection.who;
  book_.let_in(connection.who,
               {RoomId(room_of(connection.name)), UserId(user_of(connection.user)), life}, mono_);
}

void Rounds::send(ConnectionId id, std::shared_ptr<const std::string> message) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  if (first_field(*message) == kFieldJoin) on_first_word(id, found->second, *message);
  if (first_field(*message) == kFieldReconnect) ++outcome_.figures.resumes;
}

void Rounds::close_websocket(ConnectionId id, std::shared_ptr<const std::string>, uint16_t code) {
  const auto found = connections_.find(id);
  const bool is_known = found != connections_.end();
  if (is_known) {
    found->second.is_closing = true;
    const ParticipantSid who = found->second.who;
    ++outcome_.figures.words;
    if (code >= kCloseOfNotices)
      book_.saw_words(who, static_cast<domain::ClientCode>(3'000 - code), {});
    else
      book_.saw_sent_away(who);
  }
  at_this_boot(some_delay(), [this, id, is_known] {
    forget(id);
    control_->on_websocket_closed_out(id, is_known && !one_in(20), now());
  });
}

void Rounds::drop(ConnectionId id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  const Connection gone = found->second;
  connections_.erase(found);
  const Place& place = names_[gone.name].places[gone.user];
  if (place.connection == id && !gone.is_closing && !gone.who.empty())
    book_.saw_sent_away(gone.who);
}

void Rounds::respond(ConnectionId id, node::HttpResponse response) {
  if (auto call = calls_.extract(id)) {
    connections_.erase(id);
    Answer answer{response.status, std::move(response.body)};
    for (const auto& [name, value] : response.headers)
      answer.is_replay |= name == "Idempotency-Replayed";
    return at(Duration(0), [this, call = std::move(call.mapped()), answer = std::move(answer)] {
      on_answer(call, answer);
    });
  }
  forget(id);
}

void Rounds::forget(ConnectionId id) {
  const auto gone = connections_.extract(id);
  if (gone.empty() || gone.mapped().is_call) return;
  Place& place = names_[gone.mapped().name].places[gone.mapped().user];
  if (place.connection == id) place.connection.reset();
}

}  // namespace atrium::sim
