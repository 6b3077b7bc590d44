// Two associations of one world talk to each other over a network of the test's making.
#include "media/sctp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "base/limits.h"
#include "base/seeded_secret_source.h"
#include "media/library_clock_testing.h"

namespace atrium::media {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr TransportId kServer{1};
constexpr TransportId kClient{2};  // the DTLS client, which opens the channels

TransportId other(TransportId transport) {
  return transport == kServer ? kClient : kServer;
}

class Sctp : public testing::Test {
 protected:
  using Packets = std::vector<SctpPacketOut>;

  void send(SctpCommand command) {
    world_->on_command(std::move(command), clock_.now());
    collect();
  }
  void collect() {
    for (SctpEvent& event : world_->take_events()) {
      if (auto* out = std::get_if<SctpPacketOut>(&event)) {
        largest_packet_ = std::max(largest_packet_, out->packet.size());
        wire_.push_back(std::move(*out));
      } else {
        events_.push_back(std::move(event));
      }
    }
  }
  // Delivers what is under way and lets time pass, for so long.
  void run(Duration length) {
    const Mono end = clock_.now().mono + length;
    while (clock_.now().mono < end) {
      deliver();
      clock_.advance(10ms);
      world_->on_deadline(clock_.now());
      collect();
    }
  }
  // Without time passing.
  void deliver() {
    for (int round = 0; round < 200 && !wire_.empty(); ++round)
      for (SctpPacketOut& out : bend_(std::exchange(wire_, {})))
        send(SctpPacketIn{other(out.transport), std::move(out.packet)});
  }
  void connect() {
    send(SctpOpen{kServer, false});
    send(SctpOpen{kClient, true});
    send(SctpOpenChannel{kClient, DataLabel::Reliable});
    send(SctpOpenChannel{kClient, DataLabel::Lossy});
    run(200ms);
  }
  void connected() {
    connect();
    ASSERT_EQ(all<SctpChannelOpen>().size(), 4u);
    events_.clear();
  }
  template <typename T>
  std::vector<T> all() const {
    std::vector<T> out;
    for (const SctpEvent& event : events_)
      if (const auto* one = std::get_if<T>(&event)) out.push_back(*one);
    return out;
  }
  std::vector<Bytes> messages_at(TransportId transport) const {
    std::vector<Bytes> out;
    for (const SctpMessage& message : all<SctpMessage>())
      if (message.transport == transport) out.push_back(message.message);
    return out;
  }
  // All that is delivered from now on is in seen_, too.
  void watch() {
    bend_ = [this](Packets packets) {
      seen_.insert(seen_.end(), packets.begin(), packets.end());
      return packets;
    };
  }
  void lose_one_in(uint64_t n) {
    bend_ = [this, n](Packets packets) {
      std::erase_if(packets, [&](const auto&) { return random_.next() % n == 0; });
      return packets;
    };
  }

  LibraryClock clock_;
  SeededSecretSource random_{42};
  std::optional<SctpWorld> world_{std::in_place};
  std::vector<SctpEvent> events_;
  Packets wire_, seen_;
  size_t largest_packet_ = 0;
  std::function<Packets(Packets)> bend_ = [](Packets packets) { return packets; };
};

Bytes message_of(size_t size) {
  Bytes out(size);
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<uint8_t>(i * 31 + (i >> 8));
  return out;
}

TEST_F(Sctp, both_channels_open_at_both_ends) {
  connect();
  std::vector<std::pair<uint64_t, DataLabel>> opened;
  for (const auto& event : all<SctpChannelOpen>()) {
    EXPECT_TRUE(event.open);
    opened.emplace_back(event.transport.value, event.label);
  }
  EXPECT_THAT(opened, testing::UnorderedElementsAre(
                          std::pair(1, DataLabel::Reliable), std::pair(1, DataLabel::Lossy),
                          std::pair(2, DataLabel::Reliable), std::pair(2, DataLabel::Lossy)));
}

TEST_F(Sctp, one_end_begins_and_the_other_only_if_that_fails) {
  watch();
  connect();
  const auto inits_of = [&](TransportId transport) {
    return std::ranges::count_if(seen_, [&](const SctpPacketOut& out) {
      return out.transport == transport && out.packet.at(12) == 1;
    });
  };
  EXPECT_EQ(inits_of(kClient), 1);
  EXPECT_EQ(inits_of(kServer), 0);
  EXPECT_EQ(all<SctpChannelOpen>().size(), 4u);
}

TEST_F(Sctp, server_begins_when_the_client_is_not_heard) {
  bend_ = [](Packets packets) {
    std::erase_if(packets, [](const SctpPacketOut& out) {
      return out.transport == kClient && out.packet.at(12) == 1;
    });
    return packets;
  };
  connect();
  EXPECT_THAT(all<SctpChannelOpen>(), IsEmpty());
  run(500ms);
  EXPECT_EQ(all<SctpChannelOpen>().size(), 4u);
}

TEST_F(Sctp, all_associations_are_between_the_same_ports_on_the_wire) {
  watch();
  connected();
  for (const SctpPacketOut& out : seen_)
    EXPECT_EQ(Bytes(out.packet.begin(), out.packet.begin() + 4), (Bytes{0x13, 0x88, 0x13, 0x88}));
}

TEST_F(Sctp, packet_with_another_port_or_a_wrong_checksum_is_dropped) {
  connected();
  Packets waiting;
  bend_ = [&](Packets packets) {
    waiting.insert(waiting.end(), packets.begin(), packets.end());
    return Packets{};
  };
  send(SctpSend{kClient, DataLabel::Reliable, message_of(10)});
  deliver();
  ASSERT_EQ(waiting.size(), 1u);
  const uint64_t before = world_->counters().dropped_bad_packet;
  for (size_t at = 0; at < waiting[0].packet.size(); ++at) {
    Bytes bad = waiting[0].packet;
    bad[at] ^= 0x04;
    send(SctpPacketIn{kServer, bad});
  }
  for (size_t size = 0; size < 12; ++size)
    send(SctpPacketIn{kServer,
                      Bytes(waiting[0].packet.begin(),
                            waiting[0].packet.begin() + static_cast<std::ptrdiff_t>(size))});
  EXPECT_EQ(world_->counters().dropped_bad_packet - before, waiting[0].packet.size() + 12);
  EXPECT_THAT(messages_at(kServer), IsEmpty());
  send(SctpPacketIn{kServer, waiting[0].packet});
  EXPECT_THAT(messages_at(kServer), ElementsAre(message_of(10)));
}

// Their ports inside are the same, as those of many thousand are.
TEST_F(Sctp, associations_whose_numbers_differ_by_all_ports_do_not_meet) {
  constexpr uint64_t kPorts = 65'536 - 1'024;
  connected();
  const TransportId far_server{kServer.value + kPorts}, far_client{kClient.value + kPorts};
  send(SctpOpen{far_server, false});
  send(SctpOpen{far_client, true});
  send(SctpOpenChannel{far_client, DataLabel::Reliable});
  bend_ = [&](Packets packets) {
    for (SctpPacketOut& out : packets) {
      const TransportId to = out.transport == far_server   ? far_client
                             : out.transport == far_client ? far_server
                                                           : other(out.transport);
      send(SctpPacketIn{to, std::move(out.packet)});
    }
    return Packets{};
  };
  run(200ms);
  EXPECT_EQ(all<SctpChannelOpen>().size(), 2u);
  send(SctpSend{far_client, DataLabel::Reliable, message_of(7)});
  send(SctpSend{kClient, DataLabel::Reliable, message_of(8)});
  run(100ms);
  EXPECT_THAT(messages_at(far_server), ElementsAre(message_of(7)));
  EXPECT_THAT(messages_at(kServer), ElementsAre(message_of(8)));
}

TEST_F(Sctp, messages_arrive_both_ways_with_their_label) {
  connected();
  send(SctpSend{kClient, DataLabel::Reliable, message_of(10)});
  send(SctpSend{kServer, DataLabel::Lossy, message_of(20)});
  send(SctpSend{kServer, DataLabel::Reliable, {}});
  deliver();
  const auto messages = all<SctpMessage>();
  ASSERT_EQ(messages.size(), 3u);
  for (const SctpMessage& message : messages)
    EXPECT_EQ(message.label, message.message.size() == 20 ? DataLabel::Lossy : DataLabel::Reliable);
  EXPECT_THAT(messages_at(kServer), ElementsAre(message_of(10)));
  EXPECT_THAT(messages_at(kClient), testing::UnorderedElementsAre(message_of(20), Bytes()));
}

TEST_F(Sctp, largest_message_arrives_whole_in_packets_that_fit_the_mtu) {
  connected();
  send(SctpSend{kClient, DataLabel::Reliable, message_of(60'000)});
  send(SctpSend{kClient, DataLabel::Reliable, message_of(65'535)});
  run(500ms);
  EXPECT_THAT(messages_at(kServer), ElementsAre(message_of(60'000), message_of(65'535)));
  EXPECT_LE(largest_packet_, static_cast<size_t>(limits::kSctpPacketBytesMax));
  EXPECT_GT(largest_packet_, 1'100u);
}

TEST_F(Sctp, everything_reliable_arrives_in_order_over_a_lossy_reordering_network) {
  lose_one_in(10);
  const auto lossy = bend_;
  bend_ = [this, lossy](Packets packets) {
    packets = lossy(std::move(packets));
    if (packets.size() > 1 && random_.next() % 3 == 0) std::swap(packets.front(), packets.back());
    return packets;
  };
  connect();
  run(5s);
  for (size_t n = 1; n <= 100; ++n)
    send(SctpSend{kClient, DataLabel::Reliable, message_of(n * 50)});
  run(20s);
  const auto messages = messages_at(kServer);
  ASSERT_EQ(messages.size(), 100u);
  for (size_t n = 1; n <= 100; ++n) EXPECT_EQ(messages[n - 1].size(), n * 50);
}

TEST_F(Sctp, lossy_messages_are_not_repeated) {
  connected();
  lose_one_in(4);
  for (int n = 0; n < 200; ++n) {
    send(SctpSend{kClient, DataLabel::Lossy, message_of(100)});
    run(10ms);
  }
  bend_ = [](Packets packets) { return packets; };
  run(5s);
  const size_t arrived = messages_at(kServer).size();
  EXPECT_GT(arrived, 80u);
  EXPECT_LT(arrived, 200u);
}

TEST_F(Sctp, notice_is_done_once_the_peer_acknowledged_it_and_not_before) {
  connected();
  send(SctpSend{kServer, DataLabel::Reliable, message_of(50), true});
  EXPECT_THAT(all<SctpNoticeDone>(), IsEmpty());
  ASSERT_EQ(wire_.size(), 1u);
  deliver();
  clock_.advance(10ms);
  ASSERT_EQ(messages_at(kClient).size(), 1u);
  run(50ms);  // the delayed acknowledgement
  const auto done = all<SctpNoticeDone>();
  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(done[0].transport, kServer);
  EXPECT_TRUE(done[0].acknowledged);
}

TEST_F(Sctp, notice_is_not_done_while_its_packets_are_lost_and_is_repeated_within_200_ms) {
  connected();
  // A few round trips, so that the retransmission timer knows the path.
  for (int n = 0; n < 10; ++n) {
    send(SctpSend{kServer, DataLabel::Reliable, message_of(10)});
    run(50ms);
  }
  bend_ = [](Packets) { return Packets(); };
  send(SctpSend{kServer, DataLabel::Reliable, message_of(50), true});
  deliver();
  bend_ = [](Packets packets) { return packets; };
  run(90ms);
  EXPECT_THAT(all<SctpNoticeDone>(), IsEmpty());
  run(110ms);
  EXPECT_EQ(all<SctpNoticeDone>().size(), 1u);
}

TEST_F(Sctp, after_a_quiet_time_it_looks_seldom_and_a_lost_notice_is_repeated_as_soon) {
  connected();
  // A few round trips, so that the retransmission timer knows the path.
  for (int n = 0; n < 10; ++n) {
    send(SctpSend{kServer, DataLabel::Reliable, message_of(10)});
    run(50ms);
  }
  run(3s);
  const Duration sleeps = world_->next_deadline() - clock_.now().mono;
  EXPECT_GT(sleeps, std::chrono::milliseconds(limits::kSctpTickMs)) << "nobody says anything";
  run(sleeps / 2);  // usrsctp's clock is old when the notice comes
  bend_ = [](Packets) { return Packets(); };
  send(SctpSend{kServer, DataLabel::Reliable, message_of(50), true});
  deliver();
  bend_ = [](Packets packets) { return packets; };
  run(90ms);
  EXPECT_THAT(all<SctpNoticeDone>(), IsEmpty());
  run(110ms);
  EXPECT_EQ(all<SctpNoticeDone>().size(), 1u);
}

TEST_F(Sctp, many_associations_are_looked_at_more_seldom) {
  const auto pause = [this] { return world_->next_deadline() - clock_.now().mono; };
  connected();
  send(SctpSend{kServer, DataLabel::Reliable, message_of(10)});
  EXPECT_LE(pause(), std::chrono::milliseconds(limits::kSctpTickMs));
  for (uint64_t n = 1'000; n < 3'000; ++n) send(SctpOpen{TransportId{n}, false});
  run(1s);
  send(SctpSend{kServer, DataLabel::Reliable, message_of(10)});
  EXPECT_EQ(pause(), std::chrono::milliseconds(2 * limits::kSctpTickMs));
}

TEST_F(Sctp, notice_overtakes_what_waits_and_is_done_after_what_was_sent) {
  connected();
  bend_ = [](Packets) { return Packets(); };
  for (int n = 0; n < 20; ++n) send(SctpSend{kServer, DataLabel::Reliable, message_of(30'000)});
  deliver();
  send(SctpSend{kServer, DataLabel::Reliable, message_of(50), true});
  EXPECT_GT(world_->counters().dropped_before_notice, 10u);
  EXPECT_THAT(all<SctpNoticeDone>(), IsEmpty());
  bend_ = [](Packets packets) { return packets; };
  run(5s);
  EXPECT_EQ(all<SctpNoticeDone>().size(), 1u);
  const auto messages = messages_at(kClient);
  ASSERT_FALSE(messages.empty());
  EXPECT_EQ(messages.back().size(), 50u);
  EXPECT_EQ(messages.size() - 1 + world_->counters().dropped_before_notice, 20u);
}

TEST_F(Sctp, notice_without_a_channel_is_done_at_once_unacknowledged) {
  send(SctpOpen{kServer, false});
  send(SctpSend{kServer, DataLabel::Reliable, message_of(50), true});
  send(SctpSend{TransportId{77}, DataLabel::Reliable, message_of(50), true});
  const auto done = all<SctpNoticeDone>();
  ASSERT_EQ(done.size(), 2u);
  EXPECT_FALSE(done[0].acknowledged);
  EXPECT_FALSE(done[1].acknowledged);
}

TEST_F(Sctp, close_sends_nothing_and_is_answered) {
  connected();
  send(SctpSend{kServer, DataLabel::Reliable, message_of(500)});
  wire_.clear();
  send(SctpClose{kServer});
  EXPECT_THAT(wire_, IsEmpty());
  EXPECT_EQ(all<SctpClosed>().size(), 1u);
  EXPECT_EQ(world_->associations(), 1u);
  run(300ms);
  for (const SctpPacketOut& out : wire_) EXPECT_EQ(out.transport, kClient);
  send(SctpClose{kServer});  // unknown by now: still answered
  EXPECT_EQ(all<SctpClosed>().size(), 2u);
  send(SctpClose{kClient});
  EXPECT_EQ(world_->next_deadline(), kNever);
}

TEST_F(Sctp, packets_for_unknown_transports_are_counted_and_unanswered) {
  send(SctpPacketIn{TransportId{9}, message_of(100)});
  EXPECT_THAT(wire_, IsEmpty());
  EXPECT_EQ(world_->counters().dropped_unknown_transport, 1u);
}

TEST_F(Sctp, garbage_is_ignored_by_a_live_association) {
  connected();
  for (size_t size = 0; size < 200; ++size) send(SctpPacketIn{kServer, message_of(size)});
  send(SctpSend{kClient, DataLabel::Reliable, message_of(10)});
  deliver();
  EXPECT_EQ(messages_at(kServer).size(), 1u);
}

TEST_F(Sctp, send_queue_is_bounded_and_what_fits_arrives) {
  connected();
  for (int n = 0; n < 60; ++n) send(SctpSend{kClient, DataLabel::Reliable, message_of(30'000)});
  for (int n = 0; n < 60; ++n) send(SctpSend{kClient, DataLabel::Lossy, message_of(30'000)});
  const SctpCounters& counters = world_->counters();
  EXPECT_GT(counters.dropped_queue_full_reliable, 0u);
  EXPECT_EQ(counters.dropped_queue_full_lossy, 60u);
  run(5s);
  EXPECT_EQ(messages_at(kServer).size() + counters.dropped_queue_full_reliable, 60u);
}

TEST_F(Sctp, outgoing_message_beyond_the_limit_is_dropped) {
  connected();
  send(SctpSend{kClient, DataLabel::Reliable, message_of(65'793)});
  EXPECT_EQ(world_->counters().dropped_oversize_out, 1u);
  EXPECT_THAT(wire_, IsEmpty());
}

// A backend's message of 64 KiB with its topic and frame.  Its receiver here takes no more than a server does, and
// counts it once it is there.
TEST_F(Sctp, outgoing_message_may_be_larger_than_what_is_taken) {
  connected();
  send(SctpSend{kServer, DataLabel::Reliable, message_of(65'792)});
  send(SctpSend{kServer, DataLabel::Reliable, message_of(10)});
  run(1s);
  EXPECT_EQ(world_->counters().dropped_oversize_out, 0u);
  EXPECT_EQ(world_->counters().dropped_oversize_in, 1u);
  EXPECT_THAT(messages_at(kClient), ElementsAre(message_of(10)));
}

TEST_F(Sctp, second_world_after_the_first_works) {
  connected();
  world_.reset();
  wire_.clear(), events_.clear();
  world_.emplace();
  connect();
  EXPECT_EQ(all<SctpChannelOpen>().size(), 4u);
}

TEST_F(Sctp, four_hundred_associations_come_up_in_one_world) {
  const auto peer = [](TransportId transport) { return TransportId{transport.value ^ 1}; };
  for (uint64_t n = 2; n < 802; ++n) send(SctpOpen{TransportId{n}, n % 2 == 1});
  for (uint64_t n = 3; n < 802; n += 2) send(SctpOpenChannel{TransportId{n}, DataLabel::Reliable});
  for (int round = 0; round < 50; ++round) {
    for (SctpPacketOut& out : std::exchange(wire_, {}))
      send(SctpPacketIn{peer(out.transport), std::move(out.packet)});
    clock_.advance(10ms);
    world_->on_deadline(clock_.now());
    collect();
  }
  EXPECT_EQ(all<SctpChannelOpen>().size(), 800u);
}

}  // namespace
}  // namespace atrium::media
