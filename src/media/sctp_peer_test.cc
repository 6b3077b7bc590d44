// One association against a hand-made peer: what honest ends never do, and what the wire must show.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/limits.h"
#include "media/library_clock_testing.h"
#include "media/sctp.h"
#include "media/sctp_dcep.h"
#include "media/sctp_scripted_peer_testing.h"

namespace atrium::media {
namespace {

using testing::IsEmpty;

constexpr TransportId kTransport{5};

class SctpPeer : public testing::Test {
 protected:
  SctpPeer() {
    command(SctpOpen{kTransport, false});
    run(700ms);  // it does not begin, so we do, after 500 ms
  }
  void command(SctpCommand one) {
    world_->on_command(std::move(one), clock_.now());
    collect();
  }
  void collect() {
    for (SctpEvent& event : world_->take_events()) {
      if (auto* out = std::get_if<SctpPacketOut>(&event))
        to_peer_.push_back(std::move(out->packet));
      else
        events_.push_back(std::move(event));
    }
  }
  void say(std::vector<Bytes> packets) {
    for (Bytes& packet : packets) command(SctpPacketIn{kTransport, std::move(packet)});
  }
  void say(Bytes packet) { command(SctpPacketIn{kTransport, std::move(packet)}); }
  void run(Duration length) {
    const Mono end = clock_.now().mono + length;
    while (clock_.now().mono < end) {
      for (int round = 0; round < 100 && !to_peer_.empty(); ++round)
        for (const Bytes& packet : std::exchange(to_peer_, {})) say(peer_.on_packet(packet));
      clock_.advance(10ms);
      world_->on_deadline(clock_.now());
      collect();
    }
  }
  void open(uint16_t stream, std::string label) {
    say(peer_.message(stream, kPpidDcep, write_dcep(DcepOpen{.label = std::move(label)})));
    run(50ms);
  }
  template <typename T>
  std::vector<T> all() const {
    std::vector<T> out;
    for (const SctpEvent& event : events_)
      if (const auto* one = std::get_if<T>(&event)) out.push_back(*one);
    return out;
  }
  const SctpCounters& counters() const { return world_->counters(); }

  LibraryClock clock_;
  std::optional<SctpWorld> world_{std::in_place};
  ScriptedSctpPeer peer_;
  std::vector<SctpEvent> events_;
  std::vector<Bytes> to_peer_;
};

TEST_F(SctpPeer, channel_of_the_peer_is_acknowledged_on_its_stream) {
  ASSERT_TRUE(peer_.is_up());
  open(0, "_reliable");
  ASSERT_EQ(peer_.received().size(), 1u);
  EXPECT_EQ(peer_.received()[0].stream, 0);
  EXPECT_EQ(peer_.received()[0].ppid, kPpidDcep);
  EXPECT_EQ(peer_.received()[0].payload, Bytes{0x02});
  const auto opened = all<SctpChannelOpen>();
  ASSERT_EQ(opened.size(), 1u);
  EXPECT_EQ(opened[0].label, DataLabel::Reliable);
}

TEST_F(SctpPeer, message_beyond_the_limit_is_dropped_and_its_channel_stays_open) {
  open(0, "_reliable");
  for (const size_t size : {65'536, 100'000}) {
    say(peer_.message(0, kPpidBinary, Bytes(size)));
    run(100ms);
  }
  EXPECT_EQ(counters().dropped_oversize_in, 2u);
  EXPECT_THAT(all<SctpMessage>(), IsEmpty());
  say(peer_.message(0, kPpidBinary, Bytes(65'535)));
  run(100ms);
  ASSERT_EQ(all<SctpMessage>().size(), 1u);
  EXPECT_EQ(all<SctpMessage>()[0].message.size(), 65'535u);
  EXPECT_EQ(all<SctpChannelOpen>().size(), 1u);
}

TEST_F(SctpPeer, reset_stream_closes_its_channel_resets_ours_and_may_be_opened_again) {
  open(0, "_reliable");
  say(peer_.reset(0));
  collect();
  const bool has_answer =
      std::ranges::any_of(to_peer_, [](const Bytes& packet) { return packet.at(12) == 130; });
  EXPECT_TRUE(has_answer);
  run(100ms);
  auto opened = all<SctpChannelOpen>();
  ASSERT_EQ(opened.size(), 2u);
  EXPECT_FALSE(opened[1].open);
  command(SctpSend{kTransport, DataLabel::Reliable, Bytes(10), true});
  ASSERT_EQ(all<SctpNoticeDone>().size(), 1u);
  EXPECT_FALSE(all<SctpNoticeDone>()[0].acknowledged);
  open(0, "_reliable");
  opened = all<SctpChannelOpen>();
  ASSERT_EQ(opened.size(), 3u);
  EXPECT_TRUE(opened[2].open);
}

TEST_F(SctpPeer, newest_channel_of_a_label_is_used) {
  open(0, "_reliable");
  open(2, "_reliable");
  command(SctpSend{kTransport, DataLabel::Reliable, Bytes(10)});
  run(50ms);
  EXPECT_EQ(peer_.received().back().stream, 2);
  EXPECT_EQ(all<SctpChannelOpen>().size(), 1u);
  say(peer_.reset(0));
  run(50ms);
  EXPECT_EQ(all<SctpChannelOpen>().size(), 1u);  // the older one was not in use
}

TEST_F(SctpPeer, abort_closes_the_channels_and_fails_a_waiting_notice) {
  open(0, "_reliable");
  command(SctpSend{kTransport, DataLabel::Reliable, Bytes(10), true});
  say(peer_.abort());
  const auto opened = all<SctpChannelOpen>();
  ASSERT_EQ(opened.size(), 2u);
  EXPECT_FALSE(opened[1].open);
  ASSERT_EQ(all<SctpNoticeDone>().size(), 1u);
  EXPECT_FALSE(all<SctpNoticeDone>()[0].acknowledged);
  command(SctpClose{kTransport});
  EXPECT_EQ(all<SctpClosed>().size(), 1u);
}

TEST_F(SctpPeer, other_labels_are_opened_and_their_messages_marked) {
  open(4, "chat");
  say(peer_.message(4, kPpidString, as_bytes("hi")));
  run(50ms);
  ASSERT_EQ(all<SctpMessage>().size(), 1u);
  EXPECT_EQ(all<SctpMessage>()[0].label, DataLabel::Other);
  EXPECT_EQ(as_text(all<SctpMessage>()[0].message), "hi");
}

TEST_F(SctpPeer, oddities_are_counted_and_close_nothing) {
  open(0, "_reliable");
  say(peer_.message(6, kPpidBinary, Bytes(3)));  // no channel
  say(peer_.message(0, 99, Bytes(3)));           // no such payload protocol
  say(peer_.message(0, kPpidDcep, write_dcep(DcepOpen{.label = "_reliable"})));  // opened twice
  say(peer_.message(0, kPpidDcep, Bytes{7, 7, 7}));                              // no DCEP
  say(peer_.message(8, kPpidDcep, write_dcep(DcepAck{})));                       // nobody asked
  run(50ms);
  EXPECT_EQ(counters().dropped_no_channel_in, 1u);
  EXPECT_EQ(counters().dropped_bad_ppid, 1u);
  EXPECT_EQ(counters().dropped_bad_dcep, 3u);
  say(peer_.message(0, kPpidBinary, Bytes(3)));
  EXPECT_EQ(all<SctpMessage>().size(), 1u);
}

TEST_F(SctpPeer, message_given_up_midway_leaves_nothing_in_the_next_one) {
  open(0, "_lossy");
  for (const size_t size : {60'000, 5'000}) {
    say(peer_.unfinished(0, kPpidBinary, Bytes(size, 0xaa)));
    run(50ms);
    say(peer_.forward(0));
    run(50ms);
    say(peer_.message(0, kPpidBinary, Bytes(2'000, 0xbb)));
    run(50ms);
  }
  ASSERT_EQ(all<SctpMessage>().size(), 2u);
  EXPECT_EQ(all<SctpMessage>()[0].message, Bytes(2'000, 0xbb));
  EXPECT_EQ(all<SctpMessage>()[1].message, Bytes(2'000, 0xbb));
}

// Beyond the limit usrsctp has begun to deliver; giving up then blocks that stream in usrsctp 0.9.5.  No other one.
TEST_F(SctpPeer, oversize_message_given_up_midway_harms_no_other_channel) {
  open(0, "_lossy");
  open(2, "_reliable");
  say(peer_.unfinished(0, kPpidBinary, Bytes(70'000, 0xaa)));
  run(50ms);
  say(peer_.forward(0));
  run(50ms);
  say(peer_.message(2, kPpidBinary, Bytes(2'000, 0xbb)));
  run(50ms);
  ASSERT_EQ(all<SctpMessage>().size(), 1u);
  EXPECT_EQ(all<SctpMessage>()[0].message, Bytes(2'000, 0xbb));
  EXPECT_EQ(all<SctpMessage>()[0].label, DataLabel::Reliable);
}

TEST_F(SctpPeer, unfinished_messages_on_all_streams_do_no_harm) {
  open(0, "_reliable");
  for (uint16_t stream = 1; stream < 128; ++stream)
    say(peer_.unfinished(stream, kPpidBinary, Bytes(9'000)));
  run(100ms);
  // usrsctp holds them within its receive buffer; the peer has only shut its own window.
  EXPECT_EQ(world_->associations(), 1u);
  EXPECT_THAT(all<SctpMessage>(), IsEmpty());
  command(SctpClose{kTransport});
  EXPECT_EQ(world_->associations(), 0u);
}

}  // namespace
}  // namespace atrium::media
