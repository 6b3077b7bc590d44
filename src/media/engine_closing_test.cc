// Data and endings: who hears what on data channels, and what a cut and a close leave behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "media/engine.h"
#include "media/engine_media_testing.h"
#include "media/engine_world_testing.h"
#include "wire/data_packet.h"

namespace atrium::media {
namespace {

using namespace testing_world;

constexpr LifeId kLife{1}, kOtherLife{2};
constexpr TrackId kAudio{11}, kOtherAudio{21};
constexpr uint32_t kAudioSsrc = 0xaaaa, kDownAudio = 0x1000;

Bytes user_packet(std::string_view topic, std::string_view text,
                  std::initializer_list<std::string_view> destinations = {}) {
  return wire::build_user_packet(wire::DataKind::Reliable, topic, as_bytes(text), destinations);
}

class Lives : public testing::Test {
 protected:
  // Three people of one life with open channels; the first publishes audio to the second.
  void SetUp() override {
    for (uint64_t n = 1; n <= 3; ++n) people_.push_back(&world_.connect(n, kLife));
    for (Peer* peer : people_) open_channels(*peer);
    world_.command(opus_uplink(people_[0]->server_id, kAudio, kAudioSsrc));
    world_.command(forward_to(people_[1]->server_id, kAudio, kDownAudio, kOpus));
  }
  void open_channels(const Peer& peer) {
    for (const DataLabel label : {DataLabel::Reliable, DataLabel::Lossy})
      world_.sctp_event(SctpChannelOpen{peer.server_id, label, true});
  }
  void say(size_t from, Bytes message, DataLabel label = DataLabel::Reliable) {
    world_.sctp_event(SctpMessage{people_[from]->server_id, label, std::move(message)});
  }
  void send_audio(uint16_t seq, size_t from = 0) {
    world_.inject(*people_[from],
                  make_rtp({.seq = seq, .timestamp = seq * 960u, .ssrc = kAudioSsrc}));
  }
  // User messages handed to SCTP, by recipient.
  std::vector<uint64_t> recipients() const {
    std::vector<uint64_t> ids;
    for (const SctpSend& send : world_.sctp_commands<SctpSend>())
      if (!send.is_notice) ids.push_back(send.transport.value);
    std::ranges::sort(ids);
    return ids;
  }
  std::vector<NoticeOutcome> notices() const {
    std::vector<NoticeOutcome> outcomes;
    for (const NoticeDone& done : world_.reports<NoticeDone>()) outcomes.push_back(done.outcome);
    return outcomes;
  }

  EngineWorld world_;
  std::vector<Peer*> people_;
};

// --- data ----------------------------------------------------------------------------------------------------------

TEST_F(Lives, a_message_for_all_reaches_the_others_once_under_the_senders_true_name) {
  say(0, user_packet("chat", "hello"), DataLabel::Lossy);
  EXPECT_THAT(recipients(), testing::ElementsAre(2, 3));
  const SctpSend send = world_.sctp_commands<SctpSend>()[0];
  EXPECT_EQ(send.label, DataLabel::Lossy);
  const std::string bytes(as_text(send.message));
  EXPECT_THAT(bytes, testing::HasSubstr("PA_1"));
  EXPECT_THAT(bytes, testing::HasSubstr("user1"));
  EXPECT_THAT(bytes, testing::HasSubstr("hello"));
}

TEST_F(Lives, a_message_to_named_people_reaches_only_those_and_each_once) {
  say(0, user_packet("chat", "hello", {"user3", "user3", "nobody", "user1"}));
  EXPECT_THAT(recipients(), testing::ElementsAre(3));
}

TEST_F(Lives, two_connections_of_one_person_get_one_message_and_never_the_senders_own) {
  Peer& extra = world_.add_peer(9);
  OpenTransport open = world_.server_side(extra, kLife);
  open.participant_sid = "PA_2";
  open.identity = "user2";
  world_.server.on_command(open, world_.now());
  extra.engine.on_command(world_.client_side(extra), world_.now());
  world_.run(500ms);
  open_channels(extra);
  say(0, user_packet("chat", "hello"));
  EXPECT_EQ(recipients().size(), 2u);
  world_.server_sctp.clear();
  say(1, user_packet("chat", "hello"));
  EXPECT_THAT(recipients(), testing::ElementsAre(1, 3));
}

TEST_F(Lives, a_forged_notice_is_dropped_and_counted_and_a_token_goes_to_the_server_alone) {
  say(0, user_packet("atrium.error", "{\"code\":-1011}"));
  EXPECT_TRUE(recipients().empty());
  EXPECT_EQ(world_.drops(DropReason::DataReservedTopic), 1u);
  say(0, user_packet("atrium.token", "a new token"));
  EXPECT_TRUE(recipients().empty());
  const auto messages = world_.reports<ServerMessage>();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].topic, "atrium.token");
  EXPECT_EQ(as_text(messages[0].payload), "a new token");
}

// Each token costs the control thread a signature check.
TEST_F(Lives, tokens_of_one_client_are_heard_once_a_second) {
  for (int n = 0; n < 5; ++n) say(0, user_packet("atrium.token", "a new token"));
  say(1, user_packet("atrium.token", "another's"));
  EXPECT_EQ(world_.reports<ServerMessage>().size(), 2u);
  EXPECT_EQ(world_.drops(DropReason::TokenTooSoon), 4u);
  world_.run(1s);
  say(0, user_packet("atrium.token", "a new token"));
  EXPECT_EQ(world_.reports<ServerMessage>().size(), 3u);
}

TEST_F(Lives, who_may_not_publish_data_is_not_heard) {
  world_.command(SetDataPermission{people_[0]->server_id, false});
  say(0, user_packet("chat", "hello"));
  EXPECT_TRUE(recipients().empty());
  EXPECT_EQ(world_.drops(DropReason::DataNotPermitted), 1u);
}

TEST_F(Lives, what_is_no_data_packet_or_too_large_is_dropped_and_counted) {
  say(0, Bytes{0xff, 0xff, 0xff});
  say(0, Bytes(70'000, 0));
  EXPECT_TRUE(recipients().empty());
  EXPECT_EQ(world_.drops(DropReason::DataMalformed), 1u);
  EXPECT_EQ(world_.drops(DropReason::DataTooLarge), 1u);
}

TEST_F(Lives, another_life_hears_nothing) {
  const Peer& stranger = world_.connect(4, kOtherLife);
  open_channels(stranger);
  say(0, user_packet("chat", "hello", {"user4"}));
  say(0, user_packet("chat", "hello"));
  EXPECT_THAT(recipients(), testing::ElementsAre(2, 3));
}

// --- the cut -------------------------------------------------------------------------------------------------------

TEST_F(Lives, a_cut_stops_media_and_data_in_that_turn_and_writes_every_notice) {
  world_.sctp_event(SctpChannelOpen{people_[2]->server_id, DataLabel::Reliable, false});
  send_audio(1);
  world_.run(50ms);
  ASSERT_EQ(people_[1]->rtp.size(), 1u);
  world_.acknowledges_notices = false;
  world_.command(CutLife{kLife, user_packet("atrium.error", "-1011")});

  const auto cuts = world_.reports<LifeCut>();
  ASSERT_EQ(cuts.size(), 1u);
  EXPECT_EQ(cuts[0].at, world_.now().mono);
  EXPECT_EQ(cuts[0].wall_at, world_.now().wall);
  EXPECT_EQ(cuts[0].packets_forwarded, 1u);
  EXPECT_THAT(notices(), testing::ElementsAre(NoticeOutcome::NoChannel));
  EXPECT_EQ(std::ranges::count_if(world_.sctp_commands<SctpSend>(), &SctpSend::is_notice), 2);

  send_audio(2);
  say(0, user_packet("chat", "too late"));
  world_.run(50ms);
  EXPECT_EQ(people_[1]->rtp.size(), 1u);
  EXPECT_TRUE(recipients().empty());
  world_.sctp_event(SctpNoticeDone{people_[0]->server_id, true});
  world_.sctp_event(SctpNoticeDone{people_[1]->server_id, false});
  EXPECT_THAT(notices(), testing::ElementsAre(NoticeOutcome::NoChannel, NoticeOutcome::Acknowledged,
                                              NoticeOutcome::NoChannel));
}

TEST_F(Lives, packets_that_wait_for_encryption_at_the_cut_do_not_leave) {
  world_.drains_server = false;
  send_audio(1);
  world_.run(50ms);
  ASSERT_TRUE(world_.server.has_more_to_send());
  world_.command(CutLife{kLife, {}});
  EXPECT_FALSE(world_.server.has_more_to_send());
  EXPECT_EQ(world_.drops(DropReason::TransportCut), 1u);
  world_.drains_server = true;
  world_.command(CloseLife{kLife});
  world_.run(50ms);
  EXPECT_TRUE(people_[1]->rtp.empty());
  ASSERT_EQ(world_.reports<LifeClosed>().size(), 1u);
  EXPECT_EQ(world_.reports<LifeClosed>()[0].packets_after_cut, 0u);
}

TEST_F(Lives, a_close_ends_everything_and_counts_it) {
  world_.command(CutLife{kLife, user_packet("atrium.error", "-1011")});
  world_.command(CloseLife{kLife});
  world_.run(100ms);
  const auto closed = world_.reports<LifeClosed>();
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].transports_closed, 3u);
  EXPECT_EQ(closed[0].packets_after_cut, 0u);
  EXPECT_EQ(world_.sctp_commands<SctpClose>().size(), 3u);
  const EngineCounters& counters = world_.server.counters();
  EXPECT_EQ(counters.transports, 0u);
  EXPECT_EQ(counters.lives, 0u);
  EXPECT_EQ(counters.tracks, 0u);
  EXPECT_EQ(counters.forwarders, 0u);
  const uint64_t out = counters.datagrams_out;
  world_.run(5s);  // peers go on checking: nobody answers
  EXPECT_EQ(world_.server.counters().datagrams_out, out);
  EXPECT_GT(world_.drops(DropReason::StunUnknownUfrag), 0u);
}

TEST_F(Lives, a_life_is_closed_only_when_sctp_let_go_of_its_last_transport) {
  world_.answers_sctp_close = false;
  world_.command(CutLife{kLife, {}});
  world_.command(CloseLife{kLife});
  world_.run(100ms);
  EXPECT_TRUE(world_.reports<LifeClosed>().empty());
  for (const Peer* peer : people_) world_.sctp_event(SctpClosed{peer->server_id});
  EXPECT_EQ(world_.reports<LifeClosed>().size(), 1u);
}

TEST_F(Lives, a_cut_life_takes_nobody_in_while_another_goes_on) {
  world_.command(CutLife{kLife, {}});
  Peer& late = world_.add_peer(7);
  world_.command(world_.server_side(late, kLife));
  const auto closed = world_.reports<TransportClosed>();
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].transport, late.server_id);
  world_.command(RestartIce{people_[0]->server_id, {"x", "y"}, {"z", "w"}});
  EXPECT_EQ(world_.drops(DropReason::LifeIsCut), 2u);

  people_.push_back(&world_.connect(4, kOtherLife));
  people_.push_back(&world_.connect(5, kOtherLife));
  world_.command(opus_uplink(people_[3]->server_id, kOtherAudio, kAudioSsrc));
  world_.command(forward_to(people_[4]->server_id, kOtherAudio, kDownAudio, kOpus));
  send_audio(1, 3);
  world_.run(50ms);
  EXPECT_EQ(people_[4]->rtp.size(), 1u);
}

// A shard that was stalled may find the cut behind the close.
TEST_F(Lives, a_cut_of_a_life_that_is_closed_is_answered_and_leaves_nothing_behind) {
  world_.command(CloseLife{kLife});
  world_.run(100ms);
  ASSERT_EQ(world_.server.counters().lives, 0u);
  world_.command(CutLife{kLife, user_packet("atrium.error", "-1011")});
  ASSERT_EQ(world_.reports<LifeCut>().size(), 1u);
  EXPECT_EQ(world_.reports<LifeCut>()[0].transports, 0u);
  EXPECT_EQ(world_.server.counters().lives, 0u);
  Peer& late = world_.add_peer(7);
  world_.command(world_.server_side(late, kLife));
  EXPECT_EQ(world_.server.counters().transports, 0u);
  EXPECT_EQ(world_.drops(DropReason::LifeIsCut), 1u);
}

TEST_F(Lives, a_life_that_is_cut_before_its_first_transport_takes_nobody_in_until_it_is_closed) {
  constexpr LifeId kEmpty{9};
  world_.command(CutLife{kEmpty, {}});
  EXPECT_EQ(world_.reports<LifeCut>().size(), 1u);
  Peer& late = world_.add_peer(7);
  world_.command(world_.server_side(late, kEmpty));
  EXPECT_EQ(world_.drops(DropReason::LifeIsCut), 1u);
  world_.command(CloseLife{kEmpty});
  EXPECT_EQ(world_.reports<LifeClosed>().size(), 1u);
  EXPECT_EQ(world_.server.counters().lives, 1u);  // the fixture's
}

TEST_F(Lives, a_planted_late_packet_is_counted_once) {
  world_.command(PlantLateSend{});
  world_.command(CutLife{kLife, {}});
  for (uint16_t seq = 1; seq < 10; ++seq) send_audio(seq);
  world_.run(100ms);
  EXPECT_EQ(people_[1]->rtp.size(), 1u);
  world_.command(CloseLife{kLife});
  world_.run(100ms);
  ASSERT_EQ(world_.reports<LifeClosed>().size(), 1u);
  EXPECT_EQ(world_.reports<LifeClosed>()[0].packets_after_cut, 1u);
  EXPECT_EQ(world_.server.counters().packets_after_cut, 1u);
}

TEST_F(Lives, cutting_one_person_ends_what_it_sends_and_gets_and_nobody_elses) {
  world_.command(opus_uplink(people_[1]->server_id, kOtherAudio, kAudioSsrc));
  world_.command(forward_to(people_[2]->server_id, kOtherAudio, kDownAudio, kOpus));
  world_.command(forward_to(people_[2]->server_id, kAudio, kDownAudio + 1, kOpus));
  world_.command(CutTransport{people_[0]->server_id, user_packet("atrium.error", "-1006")});
  EXPECT_THAT(notices(), testing::ElementsAre(NoticeOutcome::Acknowledged));
  send_audio(1, 0);
  send_audio(1, 1);
  say(0, user_packet("chat", "still here"));
  world_.run(50ms);
  EXPECT_TRUE(recipients().empty());
  EXPECT_TRUE(people_[1]->rtp.empty());
  EXPECT_EQ(people_[2]->of_ssrc(kDownAudio).size(), 1u);
  EXPECT_TRUE(people_[2]->of_ssrc(kDownAudio + 1).empty());

  world_.command(CloseTransport{people_[0]->server_id});
  world_.run(50ms);
  ASSERT_EQ(world_.reports<TransportClosed>().size(), 1u);
  EXPECT_EQ(world_.server.counters().transports, 2u);
  EXPECT_TRUE(world_.reports<LifeClosed>().empty());
}

TEST_F(Lives, commands_for_what_is_gone_are_answered_or_counted) {
  world_.command(CloseTransport{TransportId{77}});
  world_.command(CloseLife{LifeId{77}});
  world_.command(CutTransport{TransportId{77}, {}});
  world_.command(RemoveUplink{TrackId{77}});
  EXPECT_EQ(world_.reports<TransportClosed>().size(), 1u);
  EXPECT_EQ(world_.reports<LifeClosed>().size(), 1u);
  EXPECT_THAT(notices(), testing::ElementsAre(NoticeOutcome::NoChannel));
  EXPECT_EQ(world_.drops(DropReason::CommandUnknownTarget), 3u);
}

// --- SCTP that ends on its own -------------------------------------------------------------------------------------

TEST_F(Lives, an_association_that_ended_is_not_opened_again_and_the_keys_stay) {
  world_.sctp_event(SctpClosed{people_[1]->server_id});
  people_[1]->engine.on_sctp(SctpPacketOut{people_[1]->id, Bytes(20, 7)}, world_.now());
  world_.run(50ms);
  EXPECT_EQ(world_.sctp_commands<SctpOpen>().size(), 3u);
  EXPECT_EQ(world_.server.counters().dtls_handshakes, 3u);
  send_audio(1);
  world_.run(50ms);
  EXPECT_EQ(people_[1]->rtp.size(), 1u);
}

// --- bounds --------------------------------------------------------------------------------------------------------

// So many tracks of one publisher, each forwarded to one subscriber.
void forward_tracks(EngineWorld& world, Peer& publisher, Peer& subscriber, uint32_t count) {
  for (uint32_t n = 0; n < count; ++n) {
    AddUplink uplink = opus_uplink(publisher.server_id, TrackId{n + 1}, 0x9000 + n);
    uplink.mid = std::to_string(n);
    world.command(uplink);
    world.command(forward_to(subscriber.server_id, TrackId{n + 1}, 0x100 + n, kOpus));
  }
}
void send_on_tracks(EngineWorld& world, Peer& publisher, uint32_t tracks, uint16_t packets) {
  for (uint16_t seq = 0; seq < packets; ++seq)
    for (uint32_t n = 0; n < tracks; ++n)
      world.inject(publisher, make_rtp({.seq = seq, .ssrc = 0x9000 + n}));
}

TEST(Turns, end_after_their_budget_of_encrypted_packets_and_go_on_in_the_next) {
  EngineWorld world;
  Peer& publisher = world.connect(1);
  Peer& subscriber = world.connect(2);
  constexpr uint32_t kTracks = 50, kPackets = 50;  // 2 500 outputs
  forward_tracks(world, publisher, subscriber, kTracks);
  world.drains_server = false;
  send_on_tracks(world, publisher, kTracks, kPackets);
  world.run(50ms);
  world.drains_server = true;
  world.settle();
  EXPECT_GE(world.largest_drain, 2'000u);
  EXPECT_LT(world.largest_drain, 2'100u);  // and a few control datagrams
  world.run(50ms);
  EXPECT_EQ(subscriber.rtp.size(), size_t{kTracks} * kPackets);
}

// One turn of the loop, fed by hand: datagrams, what is due, what leaves.
class OneTurn : public testing::Test {
 protected:
  struct Left {
    int media_at = -1;                // index of the first run with media
    int handshake_at = -1;            // of the first run with DTLS
    std::set<uint16_t> handshakes{};  // ports of the peers that got DTLS
  };
  // Everything of these kinds is kept instead of being delivered: of each peer the first so many.
  void hold(size_t most = 1) {
    world_.loss = [this, most](const EngineWorld::Passing& passing) {
      const bool is_dtls = passing.bytes[0] >= 20 && passing.bytes[0] < 64;
      if (!passing.to_server || (!is_dtls && !passing.is_media())) return false;
      auto& bytes = held_[passing.is_media()][passing.peer.port];
      if (bytes.size() < most) bytes.emplace_back(passing.bytes.begin(), passing.bytes.end());
      return true;
    };
  }
  // So many more peers, whose first DTLS datagrams are held.
  void begin_handshakes(uint64_t count) {
    for (uint64_t n = 3; n < 3 + count; ++n) {
      Peer& peer = world_.add_peer(n);
      world_.server.on_command(world_.server_side(peer, kLife), world_.now());
      peer.engine.on_command(world_.client_side(peer), world_.now());
    }
    world_.run(500ms);
  }
  Left turn(bool with_datagrams) {
    std::vector<Datagram> batch;
    for (auto& [is_media, by_port] : held_)  // handshakes first
      for (auto& [port, datagrams] : by_port)
        for (Bytes& bytes : datagrams)
          batch.push_back({{kServer, {address("198.51.100.7", port)}}, bytes});
    if (with_datagrams) world_.server.on_datagrams(batch, world_.now());
    if (world_.server.next_deadline() <= world_.now().mono) world_.server.on_deadline(world_.now());
    Left left;
    int index = 0;
    for (const SendRun& run : world_.server.drain(world_.now())) {
      for (const ByteView bytes : run.datagrams) {
        if (bytes[0] >= 128 && !wire::is_rtcp(bytes) && left.media_at < 0) left.media_at = index;
        if (bytes[0] < 20 || bytes[0] >= 64) continue;
        left.handshakes.insert(run.path.remote.port);
        if (left.handshake_at < 0) left.handshake_at = index;
      }
      ++index;
    }
    return left;
  }

  EngineWorld world_;
  std::map<bool, std::map<uint16_t, std::vector<Bytes>>> held_;  // by is_media, then by port
};

TEST_F(OneTurn, takes_one_handshake_step_and_that_after_media) {
  Peer& publisher = world_.connect(1);
  Peer& subscriber = world_.connect(2);
  world_.command(opus_uplink(publisher.server_id, kAudio, kAudioSsrc));
  world_.command(forward_to(subscriber.server_id, kAudio, kDownAudio, kOpus));
  hold();
  constexpr uint64_t kNewcomers = 8;
  begin_handshakes(kNewcomers);
  world_.inject(publisher, make_rtp({.seq = 1, .timestamp = 960, .ssrc = kAudioSsrc}));
  ASSERT_EQ(held_[false].size(), kNewcomers);
  ASSERT_EQ(held_[true].size(), 1u);

  const Left first = turn(true);
  EXPECT_EQ(first.handshakes.size(), 1u);
  ASSERT_GE(first.media_at, 0);
  EXPECT_GT(first.handshake_at, first.media_at);
  std::set<uint16_t> answered = first.handshakes;
  for (uint64_t n = 1; n < kNewcomers; ++n) {
    const Left next = turn(false);
    EXPECT_EQ(next.handshakes.size(), 1u);
    answered.insert(next.handshakes.begin(), next.handshakes.end());
  }
  EXPECT_EQ(answered.size(), kNewcomers);
  EXPECT_TRUE(turn(false).handshakes.empty());
}

// A shard that is busy all the time has long turns: with one step in each nobody would come in any more.
TEST_F(OneTurn, takes_more_handshake_steps_the_more_media_it_sends) {
  Peer& publisher = world_.connect(1);
  Peer& subscriber = world_.connect(2);
  constexpr uint32_t kTracks = 60, kPackets = 20;  // 1,200 outputs
  forward_tracks(world_, publisher, subscriber, kTracks);
  constexpr uint64_t kNewcomers = 8;
  hold(1);
  begin_handshakes(kNewcomers);
  ASSERT_EQ(held_[false].size(), kNewcomers);
  hold(size_t{kTracks} * kPackets);
  send_on_tracks(world_, publisher, kTracks, kPackets);
  ASSERT_EQ(held_[true].begin()->second.size(), size_t{kTracks} * kPackets);
  EXPECT_EQ(turn(true).handshakes.size(), 3u) << "one, and one for each five hundred outputs";
  EXPECT_EQ(turn(false).handshakes.size(), 1u) << "a quiet turn takes one again";
}

// A room of a thousand takes some milliseconds to send to: its cut does not wait for that.
TEST_F(OneTurn, leaves_in_pieces_and_a_cut_between_two_takes_back_what_is_left_of_its_life) {
  Peer& publisher = world_.connect(1, kLife);
  Peer& other_publisher = world_.connect(6, kOtherLife);
  Peer& other_listener = world_.connect(7, kOtherLife);
  world_.command(opus_uplink(publisher.server_id, kAudio, kAudioSsrc));
  world_.command(opus_uplink(other_publisher.server_id, kOtherAudio, kAudioSsrc));
  for (uint64_t n = 2; n <= 5; ++n)
    world_.command(forward_to(world_.connect(n, kLife).server_id, kAudio, kDownAudio, kOpus));
  world_.command(forward_to(other_listener.server_id, kOtherAudio, kDownAudio, kOpus));
  hold(2);
  for (uint16_t seq = 1; seq <= 2; ++seq)
    for (Peer* from : {&publisher, &other_publisher})
      world_.inject(*from, make_rtp({.seq = seq, .timestamp = seq * 960u, .ssrc = kAudioSsrc}));
  std::vector<Datagram> batch;
  for (auto& [port, datagrams] : held_[true])
    for (Bytes& bytes : datagrams)
      batch.push_back({{kServer, {address("198.51.100.7", port)}}, bytes});
  ASSERT_EQ(batch.size(), 4u);

  std::map<uint16_t, size_t> left;  // media, by the port that it went to
  const auto take_piece = [&] {
    const std::span<const SendRun> runs = world_.server.hand_out(1);
    for (const SendRun& run : runs)
      for (const ByteView bytes : run.datagrams)
        if (bytes[0] >= 128 && !wire::is_rtcp(bytes)) ++left[run.path.remote.port];
    return !runs.empty();
  };
  world_.server.on_datagrams(batch, world_.now());
  world_.server.forward(world_.now());
  while (left.empty() && take_piece()) continue;
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left.begin()->second, 2u) << "what one turn made for one peer is one run";
  EXPECT_NE(left.begin()->first, other_listener.socket.port);
  const uint16_t before_the_cut = left.begin()->first;

  world_.server.on_command(CutLife{kLife, {}}, world_.now());
  while (take_piece()) continue;
  EXPECT_EQ(left,
            (std::map<uint16_t, size_t>{{before_the_cut, 2}, {other_listener.socket.port, 2}}));
  EXPECT_EQ(world_.server.counters().packets_after_cut, 0u);
  EXPECT_EQ(world_.server.counters().dropped(DropReason::TransportCut), 6u);
  EXPECT_FALSE(take_piece());
}

TEST_F(OneTurn, closes_a_bounded_number_of_transports) {
  constexpr uint64_t kPeople = 150;
  for (uint64_t n = 1; n <= kPeople; ++n) {
    OpenTransport open;
    open.transport = TransportId{n};
    open.life = kLife;
    open.participant_sid = open.local.ufrag = "PA_" + std::to_string(n);
    world_.server.on_command(open, world_.now());
  }
  world_.server.on_command(CloseLife{kLife}, world_.now());
  held_[false][40'001] = {{0x40}};  // some datagram, so that the turn has all its parts
  turn(true);
  EXPECT_EQ(world_.server.counters().transports, kPeople - limits::kClosesPerTurnMax);
  turn(false);
  EXPECT_EQ(world_.server.counters().transports, kPeople - 2 * limits::kClosesPerTurnMax);
}

TEST(Turns, many_who_come_at_once_all_come_up) {
  EngineWorld world;
  for (uint64_t n = 1; n <= 8; ++n) {
    Peer& peer = world.add_peer(n);
    world.server.on_command(world.server_side(peer, kLife), world.now());
    peer.engine.on_command(world.client_side(peer), world.now());
  }
  world.run(3s);
  EXPECT_EQ(world.reports<TransportUp>().size(), 8u);
  EXPECT_EQ(world.server.counters().dtls_handshakes, 8u);
}

// --- the real SCTP -------------------------------------------------------------------------------------------------

TEST(RealSctp, carries_messages_between_two_people_and_the_notice_at_the_end) {
  EngineWorld world;
  SctpWorld sctp;
  world.real_sctp = &sctp;
  Peer& alice = world.connect(1, kLife);
  Peer& bob = world.connect(2, kLife);
  for (const Peer* peer : {&alice, &bob})
    sctp.on_command(SctpOpenChannel{peer->id, DataLabel::Reliable}, world.now());
  world.settle();
  world.run(2s);
  ASSERT_EQ(world.reports<ReliableChannel>().size(), 2u);
  sctp.on_command(SctpSend{alice.id, DataLabel::Reliable, user_packet("chat", "hello bob")},
                  world.now());
  world.settle();
  world.run(1s);
  ASSERT_EQ(bob.messages.size(), 1u);
  EXPECT_THAT(std::string(as_text(bob.messages[0])), testing::HasSubstr("hello bob"));
  EXPECT_TRUE(alice.messages.empty());

  world.command(CutLife{kLife, user_packet("atrium.error", "-1011")});
  world.run(1s);
  EXPECT_EQ(alice.messages.size(), 1u);
  EXPECT_EQ(bob.messages.size(), 2u);
  const auto done = world.reports<NoticeDone>();
  ASSERT_EQ(done.size(), 2u);
  EXPECT_EQ(done[0].outcome, NoticeOutcome::Acknowledged);
  world.command(CloseLife{kLife});
  world.run(1s);
  EXPECT_EQ(world.reports<LifeClosed>().size(), 1u);
}

}  // namespace
}  // namespace atrium::media
