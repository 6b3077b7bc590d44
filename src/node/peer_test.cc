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

}  // namespace
}  // namespace atrium::node::testing
