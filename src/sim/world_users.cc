// What users and faults do, and what is looked at when they are done.
#include <algorithm>
#include <cstdio>

#include "base/check.h"
#include "base/crypto.h"
#include "sim/world.h"

namespace atrium::sim {
namespace {

constexpr Duration kTroubleMost = std::chrono::seconds(2);
constexpr uint16_t kKickedOut = 4006;
constexpr int kParticipantRemoved = 4;  // livekit_signal.proto
constexpr Duration kDeafGoesOn = std::chrono::seconds(2);
constexpr Duration kRejoinAfter = std::chrono::milliseconds(300);

}  // namespace

std::string World::make_token(const std::string& user, const std::string& room) {
  const std::string number =
      std::to_string(one_in(2) ? 0 : next_port_);  // the same again, or another
  const std::string claims = R"({"iss":"devkey","jti":")" + number + R"(","sub":")" + user +
                             R"(","exp":4102444800,"video":{"roomJoin":true,"room":")" + room +
                             R"("}})";
  const std::string text =
      base64url(as_bytes(R"({"alg":"HS256","typ":"JWT"})")) + "." + base64url(as_bytes(claims));
  return text + "." + base64url(hmac_sha256(as_bytes("secret"), as_bytes(text)));
}

void World::make_users() {
  for (size_t i = 0; i < options_.users; ++i)
    users_.push_back({.name = "user" + std::to_string(i)});
}

void World::start(User& user) {
  user.room = below(options_.rooms);
  user.token = make_token(user.name, "room" + std::to_string(user.room));
  const uint16_t port = next_port_++;
  auto owned = std::make_unique<Session>();
  Session& session = *owned;
  session.port = port;
  session.user = static_cast<size_t>(&user - users_.data());
  session.token = user.token;
  session.is_deaf = one_in(6);
  session.facts.began = mono_;
  session.facts.who = {.user = user.name,
                       .room = "room" + std::to_string(user.room),
                       .ip = "198.51.100." + std::to_string(session.user)};
  session.facts.name = user.name + " on port " + std::to_string(port);
  session.client = std::make_unique<client::DialClient>(
      client::DialOptions{
          .token = user.token,
          .publish_audio = !one_in(4),
          .publish_video = one_in(2),
          .deaf = session.is_deaf,
          .transport = TransportId{port},
          .certificate = media::make_certificate(),
          .audio_pace = {.interval = std::chrono::milliseconds(100), .key_frame_every = 1},
          .video_pace = {.interval = std::chrono::milliseconds(200), .key_frame_every = 1'000}},
      chance_);
  sessions_[port] = std::move(owned);
  user.session = &session;
  ++outcome_.statistics.joins;
  dial(session);
}

// --- the client's outputs ----------------------------------------------------------------------

void World::pump(Session& session) {
  pump_sctp(session);
  for (std::string& message : session.client->take_signal_messages())
    send_up(session, std::move(message));
  do {
    for (const media::SendRun& run : session.client->drain(now()))
      for (const ByteView datagram : run.datagrams)
        send_to_server(session, run.path.remote, datagram);
  } while (session.client->has_more_to_send());
  for (const client::Event& event : session.client->take_events()) on_event(session, event);
}

void World::pump_sctp(Session& session) {
  while (true) {
    auto commands = session.client->take_sctp();
    for (media::SctpCommand& command : commands) session.sctp.on_command(std::move(command), now());
    auto events = session.sctp.take_events();
    for (media::SctpEvent& event : events) session.client->on_sctp(std::move(event), now());
    if (commands.empty() && events.empty()) return;
  }
}

void World::on_event(Session& session, const client::Event& event) {
  if (const auto* joined = std::get_if<client::Joined>(&event)) {
    session.facts.participant = ParticipantSid(joined->participant_sid);
    session.facts.room_sid = RoomSid(joined->room_sid);
  } else if (std::holds_alternative<client::Resumed>(event)) {
    ++outcome_.statistics.resumes;
  } else if (const auto* data = std::get_if<client::DataMessage>(&event)) {
    const bool is_notice = data->topic == "atrium.error" && data->sender.empty();
    const std::string text(data->payload.begin(), data->payload.end());
    if (is_notice && text.find("-1002") == text.npos) session.facts.was_told = true;
    if (is_notice && text.find("-1006") != text.npos) session.facts.has_heard_removal = true;
    ++outcome_.statistics.data;
  } else if (const auto* leave = std::get_if<client::Leave>(&event)) {
    if (leave->action == client::LeaveAction::Disconnect) session.facts.was_told = true;
    if (leave->reason == kParticipantRemoved) session.facts.has_heard_removal = true;
    if (leave->action == client::LeaveAction::Reconnect) session.wants_restart = true;
  } else if (const auto* closed = std::get_if<client::Closed>(&event)) {
    if (closed->code >= 4000) session.facts.was_told = true;
    if (closed->code == kKickedOut) session.facts.has_heard_removal = true;
  } else if (const auto* refused = std::get_if<client::Refused>(&event)) {
    checkers_.fail(session.facts.name + " cannot follow the server: " + refused->what);
  }
}

// Ended by the server: stays out.  Otherwise back to the same session, or from the beginning where that was ordered.
void World::on_end_of_connection(Session& session) {
  for (const client::Event& event : session.client->take_events()) on_event(session, event);
  if (session.facts.left_itself) return finish(session);
  if (session.client
          ->is_ended()) {  // a deaf client goes on sending for a while, an honest one is gone at once
    if (!session.is_deaf) return finish(session);
    return at(kDeafGoesOn, [this, &session] { finish(session); });
  }
  if (session.wants_restart || !session.client->can_resume()) {
    const size_t user = session.user;
    session.facts.left_itself = true;
    finish(session);
    at(kRejoinAfter, [this, user] {
      if (users_[user].session == nullptr && is_acting_) start(users_[user]);
    });
    return;
  }
  at(between(std::chrono::milliseconds(50), std::chrono::milliseconds(1'500)), [this, &session] {
    if (session.is_over || session.connection) return;
    session.client->begin_resume();
    dial(session);
  });
}

// The session's end at the client.  What remains are the facts.
void World::finish(Session& session) {
  if (session.is_over) return;
  if (users_[session.user].session == &session) users_[session.user].session = nullptr;
  session.is_over = true;
  at(Duration(1), [&session] { session.client.reset(); });
}

// --- what users and faults do ------------------------------------------------------------------

void World::act() {
  if (!is_acting_ || !has_faults_) return;
  const uint64_t choice = below(100);
  if (choice < 4)
    dismiss(below(options_.rooms));
  else if (choice < 8)
    act_of_fate();
  else if (choice < 14 && has_sanctions_)
    act_of_backend();
  else
    act_of_user(users_[below(users_.size())]);
  at(between(Duration(1), std::chrono::milliseconds(120)), [this] { act(); });
}

// Clocks step, disks fail, machines die.
void World::act_of_fate() {
  const uint64_t choice = below(100);
  if (choice < 35) {
    // A tombstone that a step of the clock ends too early is nobody's fault, so with restarts steps are small.
    const int64_t most = has_restarts_ ? 3 : 60;
    const auto to = static_cast<int64_t>(below(static_cast<uint64_t>(2 * most + 1))) - most;
    wall_offset_ = kWallBegin + std::chrono::seconds(to);
    checkers_.rules().wall_stepped(now());
  } else if (choice < 70) {
    disk_.set_trouble(trouble_);
    // What is asked for in such a time is what may be lost.
    for (uint64_t i = below(4); i > 0 && has_sanctions_; --i)
      at(between(Duration(0), kTroubleMost), [this] {
        if (is_acting_ && has_faults_) act_of_backend();
      });
    at(between(Duration(0), kTroubleMost), [this] {
      if (has_faults_) disk_.set_trouble(SimDisk::Trouble::None);
    });
  } else if (has_restarts_ && is_up()) {
    if (one_in(2)) return crash();
    disk_.crash_in(1 + below(40));
  }
}

void World::act_of_user(User& user) {
  if (user.session == nullptr) return start(user);
  Session& session = *user.session;
  if (session.client->is_ended()) return;
  const uint64_t choice = below(100);
  if (choice < 6 && session.connection && !session.is_dialling) {
    ++outcome_.statistics.leaves;
    session.client->leave();
    pump(session);
    session.facts.left_itself = true;
    close_by_client(session);
    finish(session);
  } else if (choice < 10) {
    if (session.connection) kill(*session.connection);
  } else if (choice < 13) {
    ++outcome_.statistics.blackouts;
    session.blackout_until = mono_ + between(Duration(0), std::chrono::seconds(6));
  } else if (choice < 15) {
    session.client->unpublish_video();
    pump(session);
  } else if (choice < 60) {
    session.client->send_data("chat", as_bytes(std::to_string(session.next_message++)), now());
    pump(session);
  } else if (choice < 62) {  // the same user from another device: the former one must go
    session.facts.left_itself = true;
    session.blackout_until = kNever;
    if (session.connection) kill(*session.connection);
    finish(session);
    start(user);
  }
}

void World::restore_peace() {
  has_faults_ = false;
  // Calls that go on shall not notice what the disk does.  A node that cannot start on it waits for its operator.
  const bool goes_on = is_quiet_troubled_ && is_up() && trouble_ != SimDisk::Trouble::None;
  disk_.set_trouble(goes_on ? trouble_ : SimDisk::Trouble::None);
  disk_.crash_in(0);
  for (User& user : users_)
    if (user.session != nullptr) user.session->blackout_until = {};
}

void World::everybody_leaves() {
  is_acting_ = false;
  for (User& user : users_) {
    if (user.session == nullptr) continue;
    Session& session = *user.session;
    session.client->leave();
    pump(session);
    session.facts.left_itself = true;
    close_by_client(session);
    finish(session);
  }
}

}  // namespace atrium::sim
