// What is looked at when the faults have stopped, and when everybody has left.
#include <algorithm>
#include <cstdio>

#include "base/check.h"
#include "sim/world.h"

namespace atrium::sim {
namespace {

constexpr Duration kReceivedLately = std::chrono::milliseconds(1'500);

}  // namespace

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
    for (const User& publisher : users_) {
      if (&publisher == &subscriber || !is_live(publisher.session)) continue;
      if (publisher.session->facts.room_sid == subscriber.session->facts.room_sid)
        check_reception(subscriber, publisher);
    }
  }
}

void World::check_reception(const User& subscriber, const User& publisher) {
  const auto& streams = subscriber.session->client->streams();
  const auto& published = publisher.session->client->published();
  const bool is_limited = limited_.contains(publisher.session->token);
  if (!is_limited && perhaps_limited_.contains(publisher.session->token)) return;
  for (const auto& section : publisher.session->client->sections()) {
    const auto sid = published.find(section.cid);
    if (!section.sending || sid == published.end()) continue;
    ++outcome_.statistics.streams_checked;
    const bool receives = std::ranges::any_of(streams, [&](const auto& entry) {
      return entry.second.track == sid->second && !entry.second.is_repair &&
             mono_ - entry.second.last_at < kReceivedLately;
    });
    const std::string track = publisher.session->facts.name + "'s " + section.cid;
    if (is_limited)
      checkers_.check_receives_not(subscriber.session->facts.name, track, receives);
    else
      checkers_.check_receives(subscriber.session->facts.name, track, receives);
    if (receives == is_limited && options_.is_verbose)
      print_reception(*subscriber.session, sid->second);
  }
}

void World::check_end() {
  outcome_.statistics.disk_failures = disk_.failures();
  std::vector<SessionFacts> facts;
  for (auto& [port, session] : sessions_) {
    session->facts.has_tombstone = tombstones_.contains(session->facts.participant);
    if (session->facts.was_told) ++outcome_.statistics.told;
    facts.push_back(session->facts);
  }
  checkers_.check_told(facts);
  checkers_.check_removed(facts);
  if (!is_up()) return checkers_.fail("the node did not come back");
  checkers_.check_empty(control_->registry().counts(), connections_.size());
  for (auto& shard : shards_) {
    node::ShardCommand question = node::TakeSnapshot{};
    if (!shard->commands.try_send(question)) checkers_.fail("a shard's ring is full at the end");
  }
  run_until(mono_ + std::chrono::milliseconds(10));
  if (bugs_found() != 0) checkers_.fail("BUG was reached");
}

}  // namespace atrium::sim
