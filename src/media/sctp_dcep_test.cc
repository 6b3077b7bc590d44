#include "media/sctp_dcep.h"

#include <gtest/gtest.h>

namespace atrium::media {
namespace {

TEST(Dcep, open_round_trips) {
  const DcepOpen open{.reliability = DcepReliability::LimitedLifetime,
                      .is_unordered = true,
                      .reliability_parameter = 1'500,
                      .label = "_lossy"};
  const auto parsed = parse_dcep(write_dcep(open));
  ASSERT_TRUE(parsed);
  const auto& back = std::get<DcepOpen>(*parsed);
  EXPECT_EQ(back.reliability, open.reliability);
  EXPECT_EQ(back.is_unordered, true);
  EXPECT_EQ(back.reliability_parameter, 1'500u);
  EXPECT_EQ(back.label, "_lossy");
}

TEST(Dcep, ack_round_trips) {
  const auto parsed = parse_dcep(write_dcep(DcepAck{}));
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(std::holds_alternative<DcepAck>(*parsed));
}

TEST(Dcep, every_truncation_and_any_surplus_is_refused) {
  Bytes message = write_dcep(DcepOpen{.label = "_reliable"});
  for (size_t size = 0; size < message.size(); ++size)
    EXPECT_FALSE(parse_dcep(ByteView(message).first(size))) << size;
  message.push_back(0);
  EXPECT_FALSE(parse_dcep(message));
}

TEST(Dcep, unknown_types_are_refused) {
  Bytes message = write_dcep(DcepOpen{.label = "x"});
  message[1] = 0x03;
  EXPECT_FALSE(parse_dcep(message));
  message[1] = 0x00;
  message[0] = 0x07;
  EXPECT_FALSE(parse_dcep(message));
}

TEST(Dcep, protocol_is_skipped) {
  const auto parsed =
      parse_dcep(Bytes{3, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 3, 'a', 'b', 'p', 'q', 'r'});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(std::get<DcepOpen>(*parsed).label, "ab");
}

TEST(Dcep, labels_are_told_apart) {
  EXPECT_EQ(data_label("_reliable"), DataLabel::Reliable);
  EXPECT_EQ(data_label("_lossy"), DataLabel::Lossy);
  EXPECT_EQ(data_label("_reliable2"), DataLabel::Other);
  EXPECT_EQ(data_label(""), DataLabel::Other);
}

}  // namespace
}  // namespace atrium::media
