// Offers captured from Chromium, and offers in the manner of Firefox and of native clients
// (src/wire/corpus/sdp). The full answers are kept as goldens.  To renew them: RENEW_GOLDENS=1
// build/dev/bin/negotiation_test
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/seeded_secret_source.h"
#include "negotiation/session.h"
#include "wire/sdp.h"

namespace atrium::negotiation {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

const std::string kSource = ATRIUM_SOURCE_DIR;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
std::string offer_of(const std::string& name) {
  return read_file(kSource + "/src/wire/corpus/sdp/" + name);
}

void expect_golden(const std::string& name, const std::string& actual) {
  const std::string path = kSource + "/src/negotiation/goldens/" + name;
  if (std::getenv("RENEW_GOLDENS") != nullptr) std::ofstream(path, std::ios::binary) << actual;
  EXPECT_EQ(read_file(path), actual) << "differs from " << name;
}

PendingTrack pending(const char* sid, Kind kind, const char* cid) {
  PendingTrack track;
  track.sid = TrackSid(sid);
  track.kind = kind;
  track.cid = cid;
  return track;
}

struct Call {
  SeededSecretSource secrets{3};
  Session session{secrets, "atrium"};
  LocalTransport local{.ice_ufrag = "srvrufrg",
                       .ice_password = "serverpasswordserverpasswd",
                       .fingerprint_sha256 =
                           "0B:1C:2D:3E:4F:50:61:72:83:94:A5:B6:C7:D8:E9:FA:"
                           "0B:1C:2D:3E:4F:50:61:72:83:94:A5:B6:C7:D8:E9:FA",
                       .candidates = {{.ip = *IpAddress::parse("192.0.2.10"), .port = 7882}}};

  AnswerResult answer(const std::string& sample) {
    auto result = session.on_offer(offer_of(sample), 1, local);
    EXPECT_TRUE(result) << (result ? "" : result.error().what);
    return result.value_or(AnswerResult{});
  }
};

TEST(ChromiumOffer, placeholders_and_two_subscriptions_get_the_golden_answer) {
  Call call;
  call.session.want_send({TrackSid("TR_voice"), "PA_far", "", Kind::Audio, "opus"});
  call.session.want_send({TrackSid("TR_face"), "PA_far", "", Kind::Video, "VP8"});
  expect_golden("chromium_placeholders.answer.sdp", call.answer("chromium_placeholders.sdp").sdp);
}

TEST(ChromiumOffer, publishing_after_the_placeholders_gets_the_golden_answer) {
  Call call;
  call.answer("chromium_placeholders.sdp");
  call.session.add_pending_track(
      pending("TR_mic", Kind::Audio, "8e0181c7-9a4d-49a6-83f7-c9a818804e05"));
  call.session.add_pending_track(
      pending("TR_cam", Kind::Video, "fffd1707-09c1-4853-b416-837f402084c5"));
  call.session.add_pending_track(
      pending("TR_screen", Kind::Video, "f9a77f93-f961-471d-a021-d2a3d5610659"));
  AnswerResult result = call.answer("chromium_publish.sdp");
  ASSERT_THAT(result.uplinks_added, SizeIs(3));
  EXPECT_EQ(result.uplinks_added[0].track.value, "TR_mic");
  EXPECT_THAT(result.uplinks_added[1].rids, ElementsAre("q", "h", "f"));
  EXPECT_EQ(result.uplinks_added[2].ssrc, 4241912821u);
  EXPECT_EQ(result.uplinks_added[2].rtx_ssrc, 67431638u);
  expect_golden("chromium_publish.answer.sdp", result.sdp);
}

TEST(FirefoxOffer, bundle_only_sections_braced_ids_and_one_way_extensions_are_understood) {
  Call call;
  call.session.add_pending_track(
      pending("TR_mic", Kind::Audio, "{5e2a9f14-1c7d-4c0b-90c3-2d8f3b1a7e55}"));
  call.session.add_pending_track(
      pending("TR_cam", Kind::Video, "{c0ffee11-7b1e-4a0e-8f37-51e2f0a9d2b4}"));
  AnswerResult result = call.answer("firefox_publish.sdp");
  ASSERT_THAT(result.uplinks_added, SizeIs(2));
  EXPECT_EQ(result.uplinks_added[0].payload_type, 109);
  EXPECT_EQ(result.uplinks_added[1].payload_type, 120);
  EXPECT_EQ(result.uplinks_added[1].rtx_payload_type, 124);
  EXPECT_THAT(result.uplinks_added[1].rids, ElementsAre("q", "h", "f"));
  EXPECT_EQ(result.uplinks_added[1].extensions.rid, 8);
  EXPECT_TRUE(result.has_data_section);
  auto answer = wire::parse_sdp(result.sdp);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->sections[1].port, 9);
  for (const wire::SdpExtmap& extmap : answer->sections[1].extmaps)
    if (extmap.id == 8) EXPECT_EQ(extmap.direction, wire::SdpDirection::RecvOnly);
  // Firefox offers stereo of what it can play; the microphone itself was not announced as stereo.
  EXPECT_EQ(answer->sections[0].codecs[0].fmtp, "maxplaybackrate=48000;useinbandfec=1;usedtx=1");
}

TEST(NativeOffer, wildcard_feedback_and_paused_layers_are_understood) {
  Call call;
  call.session.add_pending_track(pending("TR_cam", Kind::Video, "lk-cam"));
  call.session.add_pending_track(pending("TR_mic", Kind::Audio, "lk_stream TR-local-mic"));
  call.session.want_send({TrackSid("TR_face"), "PA_far", "", Kind::Video, "VP8"});
  AnswerResult result = call.answer("native_publish.sdp");
  ASSERT_THAT(result.uplinks_added, SizeIs(2));
  EXPECT_EQ(result.uplinks_added[0].ssrc, 77120934u);
  EXPECT_TRUE(result.uplinks_added[1].nack);
  EXPECT_THAT(result.uplinks_added[1].rids, ElementsAre("q", "h", "f"));
  ASSERT_THAT(result.downlinks_added, SizeIs(1));
  EXPECT_EQ(result.downlinks_added[0].mid, "1");
  EXPECT_EQ(result.downlinks_added[0].rtx_payload_type, 97);
}

}  // namespace
}  // namespace atrium::negotiation
