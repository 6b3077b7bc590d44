// An offer with all that a browser says beside it must be read by the server as the offer without.
#include "client/browser_offer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/seeded_secret_source.h"
#include "negotiation/offer.h"
#include "negotiation/session.h"
#include "wire/sdp.h"

namespace atrium::client {
namespace {

const std::string kFingerprint =
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:"
    "FF";

class BrowserOfferTest : public ::testing::Test {
 protected:
  BrowserOfferTest() : offering_(secrets_, "cname") {
    offering_.add_receive_sections(3, 3);
    offering_.add_data_section();
  }
  std::string offer() {
    return like_browser(
        offering_.create_offer({"ufrag123", "password0123456789abcdef", kFingerprint, {}}));
  }

  SeededSecretSource secrets_{8};
  negotiation::OfferingSession offering_;
};

TEST_F(BrowserOfferTest, is_as_large_as_those_of_the_sdks) {
  EXPECT_GE(offer().size(), 14'000u);
  EXPECT_LE(offer().size(), 18'500u);
}

TEST_F(BrowserOfferTest, is_sound_and_no_payload_type_stands_twice_in_a_section) {
  const auto parsed = wire::parse_sdp(offer());
  ASSERT_TRUE(parsed) << parsed.error().what;
  ASSERT_EQ(parsed->sections.size(), 7u);
  for (const wire::SdpSection& section : parsed->sections) {
    std::set<int> types, extensions;
    for (const wire::SdpCodec& codec : section.codecs) {
      EXPECT_TRUE(types.insert(codec.payload_type).second) << int{codec.payload_type};
      EXPECT_FALSE(codec.name.empty()) << int{codec.payload_type};
    }
    for (const wire::SdpExtmap& extension : section.extmaps)
      EXPECT_TRUE(extensions.insert(extension.id).second) << extension.id;
    if (section.kind == wire::SdpKind::Video) EXPECT_GT(types.size(), 30u);
  }
}

TEST_F(BrowserOfferTest, the_server_answers_with_the_codecs_that_are_used) {
  ASSERT_TRUE(offering_.add_send(negotiation::Kind::Video, "cam"));
  negotiation::Session server(secrets_, "server");
  const auto answer =
      server.on_offer(offer(), 1, {"sufrag12", "spassword0123456789abcde", kFingerprint, {}});
  ASSERT_TRUE(answer) << answer.error().what;
  const auto outcome = offering_.on_answer(answer->sdp);
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_EQ(outcome->sections.size(),
            std::ranges::count_if(outcome->sections, [](const auto& section) {
              return section.codec == "opus" || section.codec == "VP8";
            }));
}

}  // namespace
}  // namespace atrium::client
