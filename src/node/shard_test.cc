#include "node/shard.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/seeded_secret_source.h"
#include "media/dtls.h"
#include "node/tight_ring_testing.h"
#include "wire/data_packet.h"

namespace atrium::node {
namespace {

using namespace std::chrono_literals;
using media::DataLabel;
using media::DropReason;
using testing::TightRing;

constexpr LifeId kLife{1}, kOtherLife{2};

Bytes packet_of(std::string_view text) {
  return wire::build_user_packet(wire::DataKind::Reliable, "chat", as_bytes(text), {});
}

// Two lives of two people each, with open channels; no DTLS, since SCTP's events come as values.
class ShardTest : public ::testing::Test {
 protected:
  ShardTest() {
    for (uint64_t n = 1; n <= 4; ++n) {
      media::OpenTransport open;
      open.transport = TransportId{n};
      open.life = n <= 2 ? kLife : kOtherLife;
      open.participant_sid = open.local.ufrag = open.identity = "PA_" + std::to_string(n);
      command(open);
    }
    shard_.on_wake(now_);
    for (uint64_t n = 1; n <= 4; ++n)
      for (const DataLabel label : {DataLabel::Reliable, DataLabel::Lossy})
        from_sctp_.values.push_back(media::SctpChannelOpen{TransportId{n}, label, true});
    shard_.on_wake(now_);
  }

  void command(media::Command what) { commands_.values.push_back(std::move(what)); }
  void cut(LifeId life) {
    urgent_.values.push_back(media::Command(media::CutLife{life, packet_of("the notice")}));
  }
  void say(uint64_t from, std::string_view text, DataLabel label = DataLabel::Reliable) {
    from_sctp_.values.push_back(media::SctpMessage{TransportId{from}, label, packet_of(text)});
    shard_.on_wake(now_);
  }
  // What the sctp thread was given, as "2:text", or "2!text" for a notice.
  std::vector<std::string> given_to_sctp() {
    std::vector<std::string> out;
    media::SctpCommand value;
    while (to_sctp_.try_receive(value)) {
      const auto* send = std::get_if<media::SctpSend>(&value);
      if (send == nullptr) continue;
      const auto packet = wire::parse_data_packet(send->message);
      out.push_back(std::to_string(send->transport.value) + (send->is_notice ? "!" : ":") +
                    std::string(as_text(packet.value().payload)));
    }
    return out;
  }
  media::EngineCounters counters() {
    commands_.values.push_back(TakeSnapshot{});
    shard_.on_wake(now_);
    media::EngineCounters out;
    for (const ShardReport& report : reports_.values)
      if (const auto* snapshot = std::get_if<ShardSnapshot>(&report)) out = snapshot->counters;
    return out;
  }
  // The place of the first report of this kind, and the report.
  template <typename T>
  std::optional<std::pair<size_t, T>> report() const {
    for (size_t i = 0; i < reports_.values.size(); ++i)
      if (const auto* one = std::get_if<media::Report>(&reports_.values[i]))
        if (const T* match = std::get_if<T>(one)) return std::pair(i, *match);
    return std::nullopt;
  }

  const Now now_{Mono(1000s), wall_from_unix_s(1'795'386'900)};
  SeededSecretSource secrets_{5};
  TightRing<ShardCommand> commands_, urgent_;
  TightRing<ShardReport> reports_;
  TightRing<media::SctpCommand> to_sctp_;
  TightRing<media::SctpEvent> from_sctp_;
  SocketDrops socket_;
  Shard shard_{secrets_,
               {.shard = 0, .certificate = media::make_certificate()},
               {commands_, urgent_, reports_, to_sctp_, from_sctp_, [this] { return socket_; }}};
};

// --- user data and the cut ---------------------------------------------------------------------

TEST_F(ShardTest, user_messages_that_wait_for_the_sctp_thread_do_not_outlive_the_cut) {
  to_sctp_.room = 0;
  say(1, "to my life");
  say(3, "to the other");
  command(media::SendReliable{TransportId{2}, packet_of("from the server")});
  shard_.on_wake(now_);
  cut(kLife);
  shard_.on_wake(now_);
  to_sctp_.room = 1'000;
  shard_.on_deadline(now_);
  EXPECT_EQ(given_to_sctp(), (std::vector<std::string>{"4:to the other", "2:from the server",
                                                       "1!the notice", "2!the notice"}));
  EXPECT_EQ(counters().dropped(DropReason::TransportCut), 1u);
  EXPECT_EQ(counters().packets_after_cut, 0u);
}

// What the server says of its own accord may belong to the removal; a backend's message does not.
TEST_F(ShardTest, a_backends_message_that_waits_for_the_sctp_thread_does_not_outlive_the_cut) {
  to_sctp_.room = 0;
  command(media::SendReliable{TransportId{2}, packet_of("the backend's"), true});
  command(media::SendReliable{TransportId{4}, packet_of("to the other"), true});
  shard_.on_wake(now_);
  cut(kLife);
  shard_.on_wake(now_);
  command(media::SendReliable{TransportId{2}, packet_of("too late"), true});
  shard_.on_wake(now_);
  to_sctp_.room = 1'000;
  shard_.on_deadline(now_);
  EXPECT_EQ(given_to_sctp(),
            (std::vector<std::string>{"4:to the other", "1!the notice", "2!the notice"}));
  EXPECT_EQ(counters().dropped(DropReason::TransportCut), 2u);
  EXPECT_EQ(counters().packets_after_cut, 0u);
}

TEST_F(ShardTest, messages_that_find_too_many_waiting_are_dropped_and_the_notice_is_not) {
  to_sctp_.room = 0;
  const SharedBytes packet(packet_of("again and again"));
  for (size_t i = 0; i < kMessagesWaitingMax + 3; ++i) {
    command(media::SendReliable{TransportId{2}, packet, true});
    if (i % 100 == 0) shard_.on_wake(now_);
  }
  shard_.on_wake(now_);
  command(media::CutTransport{TransportId{1}, packet_of("the notice")});
  shard_.on_wake(now_);
  to_sctp_.room = 2 * kMessagesWaitingMax;
  shard_.on_deadline(now_);
  EXPECT_EQ(counters().dropped(DropReason::SctpRingFull), 3u);
  const auto given = given_to_sctp();
  ASSERT_EQ(given.size(), kMessagesWaitingMax + 1);
  EXPECT_EQ(given.back(), "1!the notice");
}

TEST_F(ShardTest, user_messages_that_wait_for_one_person_do_not_outlive_its_cut) {
  to_sctp_.room = 0;
  say(1, "to two");
  say(2, "to one");
  command(media::CutTransport{TransportId{2}, packet_of("the notice")});
  shard_.on_wake(now_);
  to_sctp_.room = 1'000;
  shard_.on_deadline(now_);
  EXPECT_EQ(given_to_sctp(), (std::vector<std::string>{"1:to one", "2!the notice"}));
}

TEST_F(ShardTest, a_user_message_that_goes_to_sctp_after_the_cut_is_counted_when_it_goes) {
  command(media::PlantLateSend{.data = true});
  cut(kLife);
  shard_.on_wake(now_);
  given_to_sctp();
  to_sctp_.room = 0;
  say(1, "too late");
  say(1, "even later");
  EXPECT_EQ(counters().packets_after_cut, 0u);
  to_sctp_.room = 1'000;
  shard_.on_deadline(now_);
  EXPECT_EQ(given_to_sctp(), (std::vector<std::string>{"2:too late"}));
  EXPECT_EQ(counters().packets_after_cut, 1u);
  command(media::CloseLife{kLife});
  shard_.on_deadline(now_);
  const auto closed = report<media::LifeClosed>();
  ASSERT_TRUE(closed.has_value());
  EXPECT_EQ(closed->second.packets_after_cut, 1u);
}

// --- lanes -------------------------------------------------------------------------------------

// As a shard that was stalled finds them; nobody of this life ever came to the shard, so that its close ends it
// at once.
TEST_F(ShardTest, a_cut_and_a_close_that_are_found_together_are_taken_in_their_order) {
  constexpr LifeId kEmpty{7};
  command(media::CloseLife{kEmpty});
  cut(kEmpty);
  shard_.on_wake(now_);
  const auto life_cut = report<media::LifeCut>();
  const auto closed = report<media::LifeClosed>();
  ASSERT_TRUE(life_cut.has_value() && closed.has_value());
  EXPECT_LT(life_cut->first, closed->first);
  EXPECT_EQ(counters().lives, 2u);  // those of the fixture
}

TEST_F(ShardTest, a_cut_that_comes_after_the_close_is_answered_and_leaves_no_life) {
  command(media::CloseLife{kLife});
  shard_.on_deadline(now_);
  cut(kLife);
  shard_.on_wake(now_);
  EXPECT_TRUE(report<media::LifeCut>().has_value());
  EXPECT_EQ(counters().lives, 1u);
}

// --- drops that the operator sees --------------------------------------------------------------

TEST_F(ShardTest, a_lossy_message_that_finds_the_ring_full_is_counted) {
  to_sctp_.room = 0;
  say(1, "waits");
  say(1, "is dropped", DataLabel::Lossy);
  to_sctp_.room = 1'000;
  shard_.on_deadline(now_);
  EXPECT_EQ(given_to_sctp(), (std::vector<std::string>{"2:waits"}));
  EXPECT_EQ(counters().dropped(DropReason::SctpRingFull), 1u);
}

TEST_F(ShardTest, what_the_socket_dropped_is_in_the_snapshot) {
  socket_ = {.kernel_queue = 1, .oversize = 2, .no_address = 3, .send_full = 4, .send_refused = 5};
  EXPECT_EQ(counters().dropped(DropReason::SocketQueueFull), 1u);
  EXPECT_EQ(counters().dropped(DropReason::DatagramTooLong), 2u);
  EXPECT_EQ(counters().dropped(DropReason::SocketNoAddress), 3u);
  EXPECT_EQ(counters().dropped(DropReason::SocketSendFull), 4u);
  EXPECT_EQ(counters().dropped(DropReason::SocketSendRefused), 5u);
}

}  // namespace
}  // namespace atrium::node
