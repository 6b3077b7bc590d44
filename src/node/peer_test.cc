#include "node/peer.h"

#include <gtest/gtest.h>

#include "base/seeded_secret_source.h"
#include "negotiation/offer_builder.h"
#include "node/control_fixture.h"

namespace atrium::node::testing {
namespace {

const TrackSid kFar("TR_far");

// One subscriber's peer between a client that offers and a shard that records.
class PeerTest : public ::testing::Test {
 protected:
  PeerTest() {
    tracks_[kFar] = {.id = TrackId{77},
                     .publisher = ParticipantSid("PA_far"),
                     .kind = domain::TrackKind::Video,
                     .codec = "VP8",
                     .stream = ""};
    offer_.video(wire::SdpDirection::RecvOnly);
  }
  void want() { peer_.want_send({kFar, "PA_far", "", negotiation::Kind::Video, "VP8"}); }
  void offered() {
    const auto outcome = peer_.on_offer(offer_.text(), ++offer_id_, tracks_, {});
    ASSERT_TRUE(outcome) << outcome.error().what;
  }
  // What the shard was told about forwarding since the last call.
  template <typename T>
  std::vector<T> taken() {
    std::vector<T> out;
    for (ShardCommand& value : commands_.values) {
      auto* command = std::get_if<media::Command>(&value);
      if (command == nullptr) continue;
      if (auto* match = std::get_if<T>(command)) out.push_back(*match);
    }
    commands_.values.clear();
    return out;
  }

  SeededSecretSource secrets_{3};
  TightRing<ShardCommand> commands_, urgent_;
  TightRing<ShardReport> reports_;
  MediaPlane media_{{ShardEnds{commands_, urgent_, reports_, 7882}}};
  Peer peer_{media_, secrets_, media_.open_life(RoomSid("RM_1")),
             PeerOptions{.participant = ParticipantSid("PA_me"),
                         .room_sid = RoomSid("RM_1"),
                         .user = UserId("me"),
                         .fingerprint = negotiation::OfferBuilder::fingerprint('B'),
                         .candidates = {}}};
  TrackTable tracks_;
  negotiation::OfferBuilder offer_;
  uint32_t offer_id_ = 0;
};

TEST_F(PeerTest, who_unsubscribes_and_subscribes_again_before_its_next_offer_gets_the_track_again) {
  want();
  offered();
  const auto first = taken<media::AddForward>();
  ASSERT_EQ(first.size(), 1u);
  peer_.stop_send(kFar);
  want();
  ASSERT_EQ(taken<media::RemoveForward>().size(), 1u);
  EXPECT_TRUE(peer_.take_requirement().has_value());
  offered();  // the section rests for one round
  EXPECT_TRUE(taken<media::AddForward>().empty());
  EXPECT_TRUE(peer_.take_requirement().has_value());
  offered();
  const auto again = taken<media::AddForward>();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].track, first[0].track);
  EXPECT_NE(again[0].ssrc, first[0].ssrc);
}

// --- messages of a backend ---------------------------------------------------------------------

TEST_F(PeerTest, a_message_is_shared_not_copied_and_ends_with_the_cut) {
  const SharedBytes packet(Bytes(100, 7));
  EXPECT_EQ(peer_.send_message(packet), Peer::MessageFate::NotConnected);
  offer_.data();
  offered();
  taken<media::OpenTransport>();
  EXPECT_EQ(peer_.send_message(packet), Peer::MessageFate::Sent);
  const auto sent = taken<media::SendReliable>();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].data_packet.data(), packet.data());
  EXPECT_TRUE(sent[0].ends_with_cut);
}

TEST_F(PeerTest, a_message_longer_than_the_clients_last_offer_takes_is_not_sent) {
  const size_t data = offer_.data();
  offer_.at(data).max_message_size = 100;
  offered();
  EXPECT_EQ(peer_.send_message(Bytes(100)), Peer::MessageFate::Sent);
  EXPECT_EQ(peer_.send_message(Bytes(101)), Peer::MessageFate::TooLongForClient);
  offer_.at(data).max_message_size = 0;  // any length
  offered();
  EXPECT_EQ(peer_.send_message(Bytes(101)), Peer::MessageFate::Sent);
  EXPECT_EQ(taken<media::SendReliable>().size(), 2u);
}

TEST_F(PeerTest, messages_that_find_too_many_waiting_are_dropped_and_commands_are_not) {
  offer_.data();
  offered();
  commands_.values.clear();
  commands_.room = 0;
  const SharedBytes packet(Bytes(10));
  for (size_t i = 0; i < kMessagesWaitingMax; ++i)
    ASSERT_EQ(peer_.send_message(packet), Peer::MessageFate::Sent) << i;
  EXPECT_EQ(peer_.send_message(packet), Peer::MessageFate::Backlog);
  peer_.close_transport();
  commands_.room = SIZE_MAX;
  media_.flush();
  EXPECT_EQ(media_.lost_commands(), 0u);
  ASSERT_EQ(commands_.values.size(), kMessagesWaitingMax + 1);
  EXPECT_EQ(taken<media::CloseTransport>().size(), 1u);
}

}  // namespace
}  // namespace atrium::node::testing
