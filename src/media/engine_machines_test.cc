// The small machines of the media core, one at a time, with a hand-fed clock.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/seeded_secret_source.h"
#include "media/deadline_heap.h"
#include "media/engine_counters.h"
#include "media/ice_lite.h"
#include "media/layer_selection.h"
#include "media/nack.h"
#include "media/pacer.h"
#include "media/packet_history.h"
#include "media/publisher_clock.h"
#include "media/rtx.h"
#include "media/sequence_rewriter.h"
#include "media/twcc.h"
#include "media/uplink_stream.h"
#include "media/video_payload.h"

namespace atrium::media {
namespace {

Mono at(int64_t ms) {
  return Mono(std::chrono::milliseconds(1'000'000 + ms));
}

// --- sequence rewriting --------------------------------------------------------------------------------------------

TEST(SequenceRewriter, keeps_gaps_that_are_loss_and_closes_those_that_were_chosen) {
  SequenceRewriter numbers(99);
  numbers.start_at(1'000);
  EXPECT_EQ(numbers.map(1'000), 100u);
  EXPECT_EQ(numbers.map(1'002), 102u);
  numbers.skip(1'003);
  EXPECT_EQ(numbers.map(1'004), 103u);
  EXPECT_EQ(numbers.map(1'001), 101u);  // the lost one comes late
}

TEST(SequenceRewriter, a_run_of_chosen_gaps_takes_one_boundary) {
  SequenceRewriter numbers(0);
  numbers.start_at(10);
  EXPECT_EQ(numbers.map(10), 1u);
  for (uint64_t src = 12; src < 112; ++src) numbers.skip(src);
  EXPECT_EQ(numbers.map(112), 3u);
  EXPECT_EQ(numbers.map(11), 2u);
}

TEST(SequenceRewriter, refuses_what_is_older_than_the_start_and_continues_after_a_restart) {
  SequenceRewriter numbers(0);
  numbers.start_at(10);
  EXPECT_EQ(numbers.map(10), 1u);
  EXPECT_EQ(numbers.map(9), std::nullopt);
  numbers.start_at(5'000'000);
  EXPECT_EQ(numbers.map(5'000'000), 2u);
  EXPECT_EQ(numbers.map(11), std::nullopt);
}

TEST(SequenceRewriter, a_skip_that_comes_after_later_packets_changes_nothing) {
  SequenceRewriter numbers(0);
  numbers.start_at(10);
  EXPECT_EQ(numbers.map(12), 3u);
  numbers.skip(11);
  EXPECT_EQ(numbers.map(13), 4u);
}

// --- NACK ----------------------------------------------------------------------------------------------------------

class Nacks : public testing::Test {
 protected:
  std::vector<uint16_t> due(int64_t ms) {
    std::array<uint16_t, 256> seqs;
    const size_t count = nack_.take_due(at(ms), seqs, gave_up_);
    return {seqs.begin(), seqs.begin() + static_cast<ptrdiff_t>(count)};
  }
  NackGenerator nack_;
  size_t gave_up_ = 0;
};

TEST_F(Nacks, asks_10_ms_after_the_gap_and_not_for_what_was_only_reordered) {
  nack_.on_packet(100, at(0));
  nack_.on_packet(103, at(0));
  nack_.on_packet(101, at(5));
  EXPECT_EQ(nack_.next_deadline(), at(10));
  EXPECT_THAT(due(9), testing::IsEmpty());
  EXPECT_THAT(due(10), testing::ElementsAre(102));
}

TEST_F(Nacks, repeats_at_intervals_and_then_gives_up) {
  nack_.on_packet(100, at(0));
  nack_.on_packet(102, at(0));
  int asked = 0;
  for (int64_t ms = 0; ms < 2'000; ms += 10) asked += static_cast<int>(due(ms).size());
  EXPECT_EQ(asked, limits::kNackRetriesMax);
  EXPECT_EQ(gave_up_, 1u);
  EXPECT_EQ(nack_.missing(), 0u);
  EXPECT_EQ(nack_.next_deadline(), kNever);
}

TEST_F(Nacks, a_gap_beyond_repair_asks_for_nothing_and_says_so) {
  nack_.on_packet(100, at(0));
  EXPECT_EQ(nack_.on_packet(1'000, at(0)), NackGenerator::Verdict::GaveUp);
  EXPECT_THAT(due(100), testing::IsEmpty());
}

TEST_F(Nacks, a_key_frame_makes_older_packets_needless) {
  nack_.on_packet(100, at(0));
  nack_.on_packet(103, at(0));
  nack_.on_packet(106, at(0));
  nack_.forget_before(104);
  EXPECT_THAT(due(50), testing::ElementsAre(104, 105));
}

// --- transport-wide feedback ---------------------------------------------------------------------------------------

std::vector<uint16_t> received_of(ByteView compound) {
  std::vector<uint16_t> seqs;
  auto reader = wire::RtcpReader::create(compound);
  while (reader) {
    const auto packet = reader->next();
    if (!packet) break;
    auto view = wire::TwccView::create(*packet);
    while (view) {
      const auto arrival = view->next_received();
      if (!arrival) break;
      seqs.push_back(arrival->transport_seq);
    }
  }
  return seqs;
}

TEST(Twcc, reports_each_arrival_once_across_a_wrap_and_late_ones_again) {
  TwccCollector twcc;
  for (int i = 0; i < 10; ++i) twcc.on_packet(static_cast<uint16_t>(65'530 + i), 1, at(i));
  EXPECT_EQ(twcc.next_deadline(), at(50));
  Bytes room(1'200);
  ByteWriter first(room);
  EXPECT_TRUE(twcc.write_feedback(first, 9, at(50)));
  EXPECT_EQ(received_of(first.written()).size(), 10u);
  EXPECT_EQ(twcc.next_deadline(), kNever);
  EXPECT_FALSE(twcc.write_feedback(first, 9, at(60)));
  twcc.on_packet(5, 1, at(70));
  twcc.on_packet(5, 1, at(71));
  ByteWriter second(room);
  EXPECT_TRUE(twcc.write_feedback(second, 9, at(120)));
  EXPECT_THAT(received_of(second.written()), testing::ElementsAre(5));
}

TEST(Twcc, a_burst_longer_than_its_memory_keeps_the_newest) {
  TwccCollector twcc;
  for (int i = 0; i < 2'000; ++i) twcc.on_packet(static_cast<uint16_t>(i), 1, at(0));
  Bytes room(1'200);
  std::vector<uint16_t> seqs;
  for (int calls = 0; calls < 10 && twcc.has_news(); ++calls) {
    ByteWriter writer(room);
    twcc.write_feedback(writer, 9, at(50));
    const auto some = received_of(writer.written());
    seqs.insert(seqs.end(), some.begin(), some.end());
  }
  ASSERT_EQ(seqs.size(), static_cast<size_t>(limits::kTwccPacketsMax));
  EXPECT_EQ(seqs.back(), 1'999);
}

// --- history, pacer, heap ------------------------------------------------------------------------------------------

TEST(PacketHistory, gives_back_what_was_stored_until_it_is_overwritten) {
  PacketHistory history(1'000);
  for (uint64_t seq = 1; seq <= 20; ++seq) {
    StoredPacket packet;
    packet.ext_seq = seq;
    history.store(packet, Bytes(90, static_cast<uint8_t>(seq)));
  }
  EXPECT_EQ(history.find(5), nullptr);
  const StoredPacket* newest = history.find(20);
  ASSERT_NE(newest, nullptr);
  EXPECT_EQ(history.payload(*newest).size(), 90u);
  EXPECT_EQ(history.payload(*newest)[89], 20);
  const StoredPacket* older = history.find(12);
  ASSERT_NE(older, nullptr);
  EXPECT_EQ(history.payload(*older)[0], 12);
  EXPECT_EQ(history.find(20 + limits::kRtpHistoryPackets), nullptr);
}

TEST(Pacer, drops_one_life_and_keeps_the_order_of_the_others) {
  Pacer pacer;
  for (uint64_t n = 0; n < 6; ++n) {
    QueuedPacket packet;
    packet.life = LifeId{n % 2};
    packet.ext_seq = n;
    ASSERT_TRUE(pacer.push(packet));
  }
  EXPECT_EQ(pacer.drop_if([](const QueuedPacket& packet) { return packet.life == LifeId{0}; }), 3u);
  std::vector<uint64_t> left;
  for (; !pacer.is_empty(); pacer.pop()) left.push_back(pacer.front().ext_seq);
  EXPECT_THAT(left, testing::ElementsAre(1, 3, 5));
}

TEST(Pacer, refuses_what_is_beyond_its_bound) {
  Pacer pacer;
  for (int64_t n = 0; n < limits::kForwardQueueMax; ++n) ASSERT_TRUE(pacer.push({}));
  EXPECT_FALSE(pacer.push({}));
}

TEST(DeadlineHeap, gives_the_earliest_however_deadlines_move) {
  struct Item {
    Mono deadline = kNever;
    size_t heap_index = kNotInHeap;
  };
  std::vector<Item> items(200);
  DeadlineHeap<Item> heap;
  SeededSecretSource random(3);
  for (int step = 0; step < 5'000; ++step) {
    Item& item = items[random.next() % items.size()];
    const uint64_t choice = random.next() % 4;
    const Mono when = at(static_cast<int64_t>(random.next() % 1'000));
    if (choice == 0) heap.remove(item);
    if (choice == 1) heap.bring_forward(item, when);
    if (choice >= 2) heap.set(item, when);
    Mono earliest = kNever;
    for (const Item& each : items)
      if (each.heap_index != kNotInHeap) earliest = std::min(earliest, each.deadline);
    ASSERT_EQ(heap.earliest(), earliest);
  }
}

// --- small things --------------------------------------------------------------------------------------------------

TEST(LayerSelection, takes_the_highest_live_layer_not_above_the_wanted_one) {
  EXPECT_EQ(select_layer(0b111, 2), 2);
  EXPECT_EQ(select_layer(0b111, 1), 1);
  EXPECT_EQ(select_layer(0b101, 1), 0);
  EXPECT_EQ(select_layer(0b100, 0), 2);
  EXPECT_EQ(select_layer(0, 2), kNoLayer);
}

TEST(PublisherClock, follows_a_step_at_once_and_jitter_slowly) {
  PublisherClock clock;
  EXPECT_EQ(clock.theirs(5), std::nullopt);
  constexpr uint64_t kSecond = uint64_t{1} << 32;
  clock.on_sender_report(100 * kSecond, 500 * kSecond);
  EXPECT_EQ(clock.theirs(600 * kSecond), 200 * kSecond);
  clock.on_sender_report(101 * kSecond, 501 * kSecond + kSecond / 10);  // 100 ms late
  const auto theirs = static_cast<int64_t>(*clock.theirs(600 * kSecond) - 200 * kSecond);
  EXPECT_LT(std::abs(theirs), static_cast<int64_t>(kSecond / 100));
  clock.on_sender_report(9'000 * kSecond, 600 * kSecond);
  EXPECT_EQ(clock.theirs(600 * kSecond), 9'000 * kSecond);
}

// A publisher chooses its NTP times; offsets at both ends of the range are neighbours on the circle of 2^64.
TEST(PublisherClock, takes_reports_of_opposite_extremes) {
  constexpr uint64_t kHalf = uint64_t{1} << 63;
  PublisherClock clock;
  clock.on_sender_report(kHalf, 0);      // the offset is the lowest number
  clock.on_sender_report(kHalf + 1, 0);  // the highest: one step away, and no jump
  EXPECT_EQ(clock.theirs(0), kHalf);
  clock.on_sender_report(0, 0);  // as far away as can be: followed at once
  EXPECT_EQ(clock.theirs(7), 7u);
  clock.on_sender_report(kHalf, 0);
  EXPECT_EQ(clock.theirs(0), kHalf);
  PublisherClock near_the_end;
  near_the_end.on_sender_report(kHalf + 1, 0);
  near_the_end.on_sender_report(kHalf - 1'000, 0);  // smoothed across the end of the range
  EXPECT_LE(*near_the_end.theirs(0) - (kHalf - 1'000), 1'001u);
}

TEST(Red, every_truncation_is_refused_or_sound) {
  const Bytes red{0x80 | 111, 0x0f, 0x00, 0x02, 111, 0xde, 0xad, 0x42, 0x43};
  for (size_t size = 0; size < red.size(); ++size) {
    const auto primary = primary_of_red(ByteView(red).first(size));
    EXPECT_EQ(primary.has_value(), size == 8) << size;
  }
}

TEST(VideoPayload, finds_key_frames_of_every_codec_and_survives_every_truncation) {
  const Bytes h264_idr{0x65, 1}, h264_p{0x41, 1}, h264_fu{0x7c, 0x85, 1},
      h264_fu_rest{0x7c, 0x05, 1};
  const Bytes h264_stap{0x78, 0, 2, 0x67, 1, 0, 1, 0x68};
  const Bytes vp9_key{0x88, 5, 1}, vp9_inter{0xc8, 5, 1}, av1_key{0x18, 1}, av1_rest{0x10, 1};
  EXPECT_TRUE(read_video_payload(Codec::H264, h264_idr)->starts_key_frame);
  EXPECT_FALSE(read_video_payload(Codec::H264, h264_p)->starts_key_frame);
  EXPECT_TRUE(read_video_payload(Codec::H264, h264_fu)->starts_key_frame);
  EXPECT_FALSE(read_video_payload(Codec::H264, h264_fu_rest)->starts_key_frame);
  EXPECT_TRUE(read_video_payload(Codec::H264, h264_stap)->starts_key_frame);
  EXPECT_TRUE(read_video_payload(Codec::Vp9, vp9_key)->starts_key_frame);
  EXPECT_FALSE(read_video_payload(Codec::Vp9, vp9_inter)->starts_key_frame);
  EXPECT_TRUE(read_video_payload(Codec::Av1, av1_key)->starts_key_frame);
  EXPECT_FALSE(read_video_payload(Codec::Av1, av1_rest)->starts_key_frame);
  for (const Codec codec : {Codec::Vp8, Codec::H264, Codec::Vp9, Codec::Av1})
    EXPECT_FALSE(read_video_payload(codec, {}).has_value());
}

TEST(UplinkStream, tells_duplicates_and_old_packets_from_fresh_ones) {
  UplinkStream stream(1, 90'000, 10'000);
  const auto store = [&](uint64_t ext_seq) {
    StoredPacket packet;
    packet.ext_seq = ext_seq;
    stream.history().store(packet, {});
  };
  const auto first = stream.on_packet(65'535, 0, false, at(0));
  store(first.ext_seq);
  const auto second = stream.on_packet(0, 0, false, at(1));
  store(second.ext_seq);
  EXPECT_EQ(second.ext_seq, first.ext_seq + 1);
  EXPECT_EQ(stream.on_packet(65'535, 0, false, at(2)).arrival, UplinkStream::Arrival::Duplicate);
  stream.on_packet(2'000, 0, false, at(3));
  EXPECT_EQ(stream.on_packet(900, 0, false, at(4)).arrival, UplinkStream::Arrival::TooOld);
}

TEST(DropReasons, have_names_and_descriptions) {
  EXPECT_STREQ(name(DropReason::WaitingForKeyFrame), "WaitingForKeyFrame");
  for (size_t i = 0; i < kDropReasons; ++i)
    EXPECT_STRNE(description(static_cast<DropReason>(i)), "");
}

// --- ICE -----------------------------------------------------------------------------------------------------------

class IceLite : public testing::Test {
 protected:
  struct Asked {
    IceAgent::Answer answer;
    wire::StunClass reply_class = wire::StunClass::Request;
    std::optional<wire::StunErrorCode> error;
    bool was_authentic = false;
  };
  static FiveTuple path(uint16_t port) {
    return {{*IpAddress::parse("192.0.2.1"), 7'882}, {*IpAddress::parse("198.51.100.1"), port}};
  }
  Asked ask(const wire::StunBindingRequest& request, uint16_t port,
            std::string_view password = "server-password") {
    Asked asked;
    std::array<uint8_t, wire::kStunWriteBytesMax> bytes, reply;
    const auto written = wire::write_binding_request(bytes, request, password).value();
    const auto message = wire::parse_stun(written).value();
    asked.was_authentic = agent_.is_authentic(message);
    if (!asked.was_authentic) return asked;
    asked.answer = agent_.on_request(message, path(port), at(port), reply);
    const auto answer = wire::parse_stun(ByteView(reply).first(asked.answer.reply_bytes)).value();
    asked.reply_class = answer.message_class;
    asked.error = answer.error;
    return asked;
  }
  static wire::StunBindingRequest request(bool nominates) {
    wire::StunBindingRequest made;
    made.username = "server:client";
    made.use_candidate = nominates;
    return made;
  }
  IceAgent agent_{{"server", "server-password"}, {"client", "client-password"}};
};

TEST_F(IceLite, answers_checks_and_follows_the_latest_nomination) {
  EXPECT_EQ(ask(request(false), 1).reply_class, wire::StunClass::SuccessResponse);
  EXPECT_FALSE(agent_.has_nominated());
  ASSERT_NE(agent_.send_path(), nullptr);
  EXPECT_TRUE(ask(request(true), 2).answer.selected_changed);
  EXPECT_EQ(agent_.send_path()->remote.port, 2);
  EXPECT_FALSE(ask(request(true), 2).answer.selected_changed);
  EXPECT_TRUE(ask(request(true), 1).answer.selected_changed);
  EXPECT_EQ(agent_.send_path()->remote.port, 1);
}

TEST_F(IceLite, refuses_other_passwords_and_other_users) {
  EXPECT_FALSE(ask(request(true), 1, "another-password").was_authentic);
  wire::StunBindingRequest other = request(true);
  other.username = "server:somebody";
  EXPECT_FALSE(ask(other, 1).was_authentic);
}

TEST_F(IceLite, a_peer_that_thinks_it_is_controlled_gets_487) {
  wire::StunBindingRequest controlled = request(false);
  controlled.is_controlling = false;
  const Asked asked = ask(controlled, 1);
  ASSERT_TRUE(asked.error.has_value());
  EXPECT_EQ(asked.error->code, wire::kStunRoleConflict);
  EXPECT_FALSE(agent_.consented_at().has_value());
}

TEST_F(IceLite, forgets_the_oldest_path_but_never_the_nominated_one) {
  ask(request(true), 1);
  for (uint16_t port = 2; port <= limits::kTuplesPerTransportMax; ++port) ask(request(false), port);
  const Asked asked = ask(request(false), 100);
  ASSERT_TRUE(asked.answer.forgotten.has_value());
  EXPECT_EQ(asked.answer.forgotten->remote.port, 2);
  EXPECT_TRUE(agent_.knows(path(1)));
}

TEST_F(IceLite, a_restart_ends_the_old_credentials_at_the_first_nomination_under_new_ones) {
  ask(request(true), 1);
  agent_.restart({"server2", "server-password2"}, {"client2", "client-password2"}, Now{at(0), {}});
  EXPECT_TRUE(ask(request(false), 1).was_authentic);
  wire::StunBindingRequest fresh = request(true);
  fresh.username = "server2:client2";
  const Asked asked = ask(fresh, 9, "server-password2");
  EXPECT_EQ(asked.answer.retired_ufrag, "server");
  EXPECT_EQ(agent_.send_path()->remote.port, 9);
  EXPECT_FALSE(ask(request(true), 1).was_authentic);
}

TEST_F(IceLite, a_second_restart_before_any_nomination_keeps_the_credentials_that_work) {
  ask(request(true), 1);
  agent_.restart({"server2", "p2"}, {"client2", "c2"}, Now{at(0), {}});
  EXPECT_EQ(agent_.restart({"server3", "p3"}, {"client3", "c3"}, Now{at(0), {}}), "server2");
  EXPECT_TRUE(ask(request(false), 1).was_authentic);
}

}  // namespace
}  // namespace atrium::media
