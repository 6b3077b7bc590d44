// What users and faults do, and what is looked at when they are done.
#include <algorithm>
#include <cstdio>

#include "base/check.h"
#include "base/crypto.h"
#include "sim/world.h"

namespace atrium::sim {
namespace {

constexpr Duration kReceivedLately = std::chrono::milliseconds(1'500);
constexpr Duration kDeafGoesOn = std::chrono::seconds(2);
constexpr Duration kRejoinAfter = std::chrono::milliseconds(300);

}  // namespace

std::string World::make_token(const std::string& user, const std::string& room) const {
  const std::string claims = R"({"iss":"devkey","sub":")" + user +
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
  session.is_deaf = one_in(6);
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
    if (data->topic == "atrium.error" && data->sender.empty()) session.facts.was_told = true;
    ++outcome_.statistics.data;
  } else if (const auto* leave = std::get_if<client::Leave>(&event)) {
    if (leave->action == client::LeaveAction::Disconnect) session.facts.was_told = true;
    if (leave->action == client::LeaveAction::Reconnect) session.wants_restart = true;
  } else if (const auto* closed = std::get_if<client::Closed>(&event)) {
    if (closed->code >= 4000) session.facts.was_told = true;
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
    call_api(below(options_.rooms));
  else if (choice < 6)
    wall_offset_ += std::chrono::seconds(static_cast<int64_t>(below(121)) - 60);
  else if (choice < 8)
    disk_fails_until_ = mono_ + between(Duration(0), std::chrono::milliseconds(500));
  else
    act_of_user(users_[below(users_.size())]);
  at(between(Duration(1), std::chrono::milliseconds(120)), [this] { act(); });
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
  disk_fails_until_ = {};
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

// --- what is looked at -------------------------------------------------------------------------

// For whoever looks for the reason.
void World::print_reception(const Session& session, const std::string& track) const {
  const client::Counters& counters = session.client->counters();
  std::printf("  %s waits for %s: %llu offers, %llu answers\n",
              session.facts.participant.value.c_str(), track.c_str(),
              static_cast<unsigned long long>(counters.offers),
              static_cast<unsigned long long>(counters.answers));
  for (const auto& section : session.client->sections())
    std::printf("    section %s %s sends %d receives %d ssrc %u track %s\n", section.mid.c_str(),
                section.codec.c_str(), section.sending, section.receiving, section.remote_ssrc,
                section.remote_track.c_str());
  for (const auto& [ssrc, stream] : session.client->streams())
    std::printf("    stream %u of %s: %llu packets, last %lld ms ago\n", ssrc, stream.track.c_str(),
                static_cast<unsigned long long>(stream.packets),
                static_cast<long long>((mono_ - stream.last_at).count() / 1'000));
}

void World::check_liveness() {
  const auto is_live = [](const Session* session) {
    return session != nullptr && !session->client->is_ended() && session->client->is_connected();
  };
  for (const User& subscriber : users_) {
    const Session* session = subscriber.session;
    if (session != nullptr && !session->client->is_ended() && !is_live(session))
      checkers_.fail(subscriber.session->facts.name +
                     " is not connected though the faults stopped");
    if (!is_live(subscriber.session)) continue;
    const auto& streams = subscriber.session->client->streams();
    for (const User& publisher : users_) {
      if (&publisher == &subscriber || !is_live(publisher.session)) continue;
      if (publisher.session->facts.room_sid != subscriber.session->facts.room_sid) continue;
      for (const auto& section : publisher.session->client->sections()) {
        if (!section.sending) continue;
        const auto sid = publisher.session->client->published().find(section.cid);
        if (sid == publisher.session->client->published().end()) continue;
        ++outcome_.statistics.streams_checked;
        const bool receives = std::ranges::any_of(streams, [&](const auto& entry) {
          return entry.second.track == sid->second && !entry.second.is_repair &&
                 mono_ - entry.second.last_at < kReceivedLately;
        });
        checkers_.check_receives(subscriber.session->facts.name,
                                 publisher.session->facts.name + "'s " + section.cid, receives);
        if (!receives && options_.is_verbose) print_reception(*subscriber.session, sid->second);
      }
    }
  }
}

void World::check_end() {
  std::vector<SessionFacts> facts;
  for (auto& [port, session] : sessions_) {
    session->facts.has_tombstone = tombstones_.contains(session->facts.participant);
    if (session->facts.was_told) ++outcome_.statistics.told;
    facts.push_back(session->facts);
  }
  checkers_.check_told(facts);
  checkers_.check_empty(control_->registry().counts(), connections_.size());
  for (auto& shard : shards_) {
    node::ShardCommand question = node::TakeSnapshot{};
    if (!shard->commands.try_send(question)) checkers_.fail("a shard's ring is full at the end");
  }
  run_until(mono_ + std::chrono::milliseconds(10));
  if (bugs_found() != 0) checkers_.fail("BUG was reached");
}

}  // namespace atrium::sim
