#include "wire/sdp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "base/limits.h"

namespace atrium::wire {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string sample(const std::string& name) {
  std::ifstream file(std::string(ATRIUM_SOURCE_DIR) + "/src/wire/corpus/sdp/" + name,
                     std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

SdpSession parsed(const std::string& text) {
  auto session = parse_sdp(text);
  EXPECT_TRUE(session) << (session ? "" : session.error().what);
  return session.value_or(SdpSession{});
}

const std::string kHead = "v=0\r\no=- 7 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
const std::string kAudio = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";

std::string with_line(const std::string& line) {
  return kHead + kAudio + line + "\r\n";
}

ErrorKind kind_of_error(const std::string& text) {
  auto session = parse_sdp(text);
  EXPECT_FALSE(session) << text;
  return session ? ErrorKind::Internal : session.error().kind;
}

TEST(SdpReader, reads_the_seven_placeholder_sections_of_chromium) {
  SdpSession session = parsed(sample("chromium_placeholders.sdp"));
  ASSERT_THAT(session.sections, SizeIs(7));
  EXPECT_THAT(session.bundle, ElementsAre("0", "1", "2", "3", "4", "5", "6"));
  EXPECT_TRUE(session.extmap_allow_mixed);
  EXPECT_FALSE(session.ice_lite);
  EXPECT_EQ(session.sections[0].kind, SdpKind::Audio);
  EXPECT_EQ(session.sections[0].direction, SdpDirection::RecvOnly);
  EXPECT_EQ(session.sections[0].codecs[0].name, "opus");
  EXPECT_EQ(session.sections[0].codecs[0].channels, 2);
  EXPECT_EQ(session.sections[0].codecs[0].fmtp, "minptime=10;useinbandfec=1");
  EXPECT_TRUE(session.sections[0].rtcp_mux);
  EXPECT_EQ(session.sections[5].kind, SdpKind::Video);
  EXPECT_EQ(session.sections[6].kind, SdpKind::Application);
  EXPECT_EQ(session.sections[6].sctp_port, 5000);
  EXPECT_THAT(session.sections[6].formats, ElementsAre("webrtc-datachannel"));
}

TEST(SdpReader, reads_feedback_and_retransmission_of_chromiums_vp8) {
  SdpSession session = parsed(sample("chromium_placeholders.sdp"));
  const SdpSection& video = session.sections[3];
  EXPECT_EQ(video.codecs[0].payload_type, 96);
  EXPECT_EQ(video.codecs[0].name, "VP8");
  EXPECT_EQ(video.codecs[0].clock_rate, 90'000u);
  EXPECT_THAT(video.codecs[0].feedback,
              ElementsAre("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"));
  EXPECT_EQ(fmtp_value(video.codecs[1].fmtp, "apt"), "96");
  EXPECT_EQ(video.transport.setup, SdpSetup::ActPass);
  EXPECT_EQ(video.transport.fingerprints[0].hash, "sha-256");
}

TEST(SdpReader, reads_simulcast_rids_and_sources_of_chromiums_sending_sections) {
  SdpSession session = parsed(sample("chromium_publish.sdp"));
  const SdpSection& simulcast = session.sections[8];
  EXPECT_EQ(simulcast.direction, SdpDirection::SendOnly);
  ASSERT_THAT(simulcast.simulcast.send, SizeIs(3));
  EXPECT_EQ(simulcast.simulcast.send[2][0].rid, "f");
  EXPECT_THAT(simulcast.rids, SizeIs(3));
  EXPECT_THAT(simulcast.ssrcs, IsEmpty());
  const SdpSection& single = session.sections[9];
  ASSERT_THAT(single.ssrc_groups, SizeIs(1));
  EXPECT_EQ(single.ssrc_groups[0].semantics, "FID");
  ASSERT_THAT(single.ssrcs, SizeIs(2));
  EXPECT_EQ(single.ssrcs[0].ssrc, single.ssrc_groups[0].ssrcs[0]);
  EXPECT_EQ(single.ssrcs[0].msid->stream, "-");
  EXPECT_EQ(single.msids[0].track, single.ssrcs[0].msid->track);
}

TEST(SdpReader, copies_session_level_lines_to_sections_that_lack_their_own) {
  SdpSession session = parsed(sample("session_level.sdp"));
  ASSERT_THAT(session.sections, SizeIs(3));
  EXPECT_TRUE(session.ice_lite);
  const SdpSection& audio = session.sections[0];
  EXPECT_EQ(audio.transport.ice_ufrag, "abcd");
  EXPECT_EQ(audio.transport.setup, SdpSetup::Active);
  EXPECT_THAT(audio.transport.fingerprints, SizeIs(2));
  EXPECT_EQ(audio.transport.fingerprints[0].hash, "sha-256");
  EXPECT_EQ(audio.direction, SdpDirection::RecvOnly);
  EXPECT_THAT(audio.extmaps, SizeIs(1));
  EXPECT_EQ(session.sections[1].direction, SdpDirection::Inactive);
  EXPECT_TRUE(is_rejected(session.sections[1]));
  EXPECT_EQ(session.sections[2].kind, SdpKind::Other);
}

TEST(SdpReader, a_bundle_only_section_with_port_0_is_not_rejected) {
  SdpSession session = parsed(sample("firefox_publish.sdp"));
  EXPECT_EQ(session.sections[1].port, 0);
  EXPECT_TRUE(session.sections[1].bundle_only);
  EXPECT_FALSE(is_rejected(session.sections[1]));
}

TEST(SdpReader, wildcard_feedback_holds_for_each_payload_type) {
  SdpSession session = parsed(sample("native_publish.sdp"));
  const SdpSection& video = session.sections[1];
  EXPECT_TRUE(has_feedback(video, video.codecs[0], "nack pli"));
  EXPECT_TRUE(has_feedback(video, video.codecs[2], "transport-cc"));
  EXPECT_FALSE(has_feedback(video, video.codecs[0], "ack"));
}

TEST(SdpReader, paused_and_alternative_layers_keep_their_marks) {
  SdpSession session = parsed(sample("native_publish.sdp"));
  const SdpSimulcast& simulcast = session.sections[4].simulcast;
  ASSERT_THAT(simulcast.send, SizeIs(3));
  ASSERT_THAT(simulcast.send[1], SizeIs(2));
  EXPECT_TRUE(simulcast.send[1][0].paused);
  EXPECT_EQ(simulcast.send[1][0].rid, "h");
  EXPECT_FALSE(simulcast.send[1][1].paused);
  EXPECT_THAT(simulcast.recv, SizeIs(1));
  EXPECT_EQ(session.sections[4].rids[0].restrictions, "pt=96;max-width=320");
}

TEST(SdpReader, candidates_keep_what_follows_their_type) {
  SdpSession session = parsed(sample("native_publish.sdp"));
  ASSERT_THAT(session.sections[0].candidates, SizeIs(3));
  const SdpCandidate& reflexive = session.sections[0].candidates[1];
  EXPECT_EQ(reflexive.type, "srflx");
  EXPECT_EQ(reflexive.port, 50321);
  EXPECT_EQ(reflexive.rest, "raddr 192.0.2.44 rport 50321 generation 0 network-id 1");
  EXPECT_EQ(session.sections[0].candidates[2].transport, "tcp");
}

TEST(SdpReader, extmaps_keep_direction_and_attributes) {
  SdpSession firefox = parsed(sample("firefox_publish.sdp"));
  EXPECT_EQ(firefox.sections[0].extmaps[1].direction, SdpDirection::RecvOnly);
  SdpSession native = parsed(sample("native_publish.sdp"));
  EXPECT_EQ(native.sections[0].extmaps[4].id, 21);
  EXPECT_EQ(native.sections[0].extmaps[4].attributes, "with attributes");
}

TEST(SdpReader, unknown_lines_and_attributes_change_nothing) {
  EXPECT_EQ(parsed(kHead + "z=0 0\r\na=new-thing:x\r\n" + kAudio + "a=other\r\nb=AS:1\r\n"),
            parsed(kHead + kAudio));
}

TEST(SdpReader, attributes_of_payload_types_outside_the_media_line_change_nothing) {
  EXPECT_EQ(parsed(with_line("a=rtpmap:96 VP8/90000\r\na=fmtp:96 x=1\r\na=rtcp-fb:96 nack")),
            parsed(kHead + kAudio));
}

TEST(SdpReader, a_payload_type_belongs_to_the_section_at_hand) {
  const std::string video = "m=video 9 UDP/TLS/RTP/SAVPF 96 111\r\n";
  const std::string data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
  SdpSession session = parsed(kHead + kAudio + "a=rtpmap:111 opus/48000/2\r\n" + video +
                              "a=rtpmap:111 rtx/90000\r\na=rtcp-fb:96 nack\r\n" + kAudio +
                              "a=rtpmap:96 VP8/90000\r\na=fmtp:111 x=1\r\n" + data +
                              "a=rtpmap:111 opus/48000/2\r\na=fmtp:96 x=1\r\n");
  ASSERT_THAT(session.sections, SizeIs(4));
  EXPECT_EQ(session.sections[0].codecs[0].name, "opus");
  EXPECT_EQ(session.sections[1].codecs[0].name, "");
  EXPECT_THAT(session.sections[1].codecs[0].feedback, ElementsAre("nack"));
  EXPECT_EQ(session.sections[1].codecs[1].name, "rtx");
  ASSERT_THAT(session.sections[2].codecs, SizeIs(1));
  EXPECT_EQ(session.sections[2].codecs[0],
            (SdpCodec{.payload_type = 111, .name = "", .clock_rate = 0, .fmtp = "x=1"}));
  EXPECT_THAT(session.sections[3].codecs, IsEmpty());
}

TEST(SdpReader, payload_types_before_the_first_section_mean_nothing) {
  EXPECT_EQ(parsed(kHead +
                   "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 x=1\r\na=rtcp-fb:111 nack\r\n"
                   "a=rtcp-fb:* nack\r\n" +
                   kAudio),
            parsed(kHead + kAudio));
  EXPECT_EQ(kind_of_error(kHead + "a=rtcp-fb:111\r\n" + kAudio), ErrorKind::Malformed);
}

TEST(SdpReader, every_payload_type_can_be_named) {
  std::string formats, lines;
  for (int type = 127; type >= 0; --type) {
    formats += " " + std::to_string(type);
    lines += "a=rtpmap:" + std::to_string(type) + " c" + std::to_string(type) + "/8000\r\n";
  }
  SdpSession session = parsed(kHead + "m=audio 9 UDP/TLS/RTP/SAVPF " + formats + "\r\n" + lines +
                              "a=rtpmap:128 no/1\r\na=rtpmap:255 no/1\r\na=rtpmap:256 no/1\r\n");
  ASSERT_THAT(session.sections[0].codecs, SizeIs(128));
  for (const SdpCodec& codec : session.sections[0].codecs)
    EXPECT_EQ(codec.name, "c" + std::to_string(codec.payload_type));
}

TEST(SdpReader, names_that_only_resemble_known_ones_change_nothing) {
  for (const char* line :
       {"a=rtpmaq:111 x", "a=Rtpmap:111 x", "a=rtcp-fc:111", "a=fmtq:111 x=1", "a=mie:0",
        "a=sendonlx", "a=recvonlyy", "a=rtcp-muy", "a=ice-litf", "a=extmap-allow-mixee", "a=rtpma",
        "a=rtpmap ", "a=", "a=:x", "a=bundle-onlz", "a=end-of-candidatez"})
    EXPECT_EQ(parsed(with_line(line)), parsed(kHead + kAudio)) << line;
}

TEST(SdpReader, what_follows_the_name_of_a_flag_is_not_read) {
  const SdpSection section = parsed(with_line("a=rtcp-mux:x\r\na=inactive: y")).sections[0];
  EXPECT_TRUE(section.rtcp_mux);
  EXPECT_EQ(section.direction, SdpDirection::Inactive);
}

TEST(SdpReader, spaces_around_words_mean_nothing) {
  EXPECT_EQ(parsed(kHead + "m=audio  9   UDP/TLS/RTP/SAVPF  111   \r\n" +
                   "a=rtpmap:  111  opus/48000/2  \r\na=fmtp: 111  x=1 \r\na=extmap: 1  urn:x \r\n"
                   "a=msid: s  t  \r\na=ssrc: 7  cname:c \r\n"),
            parsed(with_line("a=rtpmap:111 opus/48000/2\r\na=fmtp:111 x=1\r\na=extmap:1 urn:x\r\n"
                             "a=msid:s t\r\na=ssrc:7 cname:c")));
}

TEST(SdpReader, takes_bare_line_feeds) {
  std::string text = sample("chromium_publish.sdp");
  std::string bare = text;
  std::erase(bare, '\r');
  EXPECT_EQ(parsed(bare), parsed(text));
}

TEST(SdpReader, refuses_known_lines_that_do_not_parse) {
  const char* lines[] = {"a=mid:",
                         "a=mid:x y",
                         "a=mid:0\r\na=mid:1",
                         "a=ice-ufrag:abc",
                         "a=ice-pwd:short",
                         "a=setup:both",
                         "a=fingerprint:sha-256",
                         "a=fingerprint:sha-256 AB:C",
                         "a=fingerprint:sha-256 ZZ:11",
                         "a=rtpmap:111 opus",
                         "a=rtpmap:111 opus/0",
                         "a=rtpmap:111 opus/48000/x",
                         "a=rtcp-fb:111",
                         "a=extmap:0 urn:x",
                         "a=extmap:1/upward urn:x",
                         "a=extmap:1",
                         "a=extmap:70000 urn:x",
                         "a=msid:",
                         "a=ssrc:x cname:a",
                         "a=ssrc:1 cname:",
                         "a=ssrc:4294967296 cname:a",
                         "a=ssrc-group:FID",
                         "a=ssrc-group:FID 1 x",
                         "a=rid:q",
                         "a=rid:q sideways",
                         "a=rid:q! send",
                         "a=rid:q send\r\na=rid:q send",
                         "a=simulcast:send",
                         "a=simulcast:send q;;h",
                         "a=simulcast:send q send h",
                         "a=simulcast:up q",
                         "a=sctp-port:99999",
                         "a=max-message-size:-1",
                         "a=candidate:1 1 udp 5",
                         "a=candidate:1 1 udp 5 192.0.2.1 9 kind host",
                         "a=group:BUNDLE 0 0",
                         "nonsense",
                         "m=audio 9 UDP/TLS/RTP/SAVPF 128",
                         "m=audio 9 UDP/TLS/RTP/SAVPF 96 96",
                         "m=audio 70000 UDP/TLS/RTP/SAVPF 96",
                         "m=audio 9/2 UDP/TLS/RTP/SAVPF 96",
                         "m=audio 9 UDP/TLS/RTP/SAVPF",
                         "o=- 1 1 IN IP4 0.0.0.0",
                         "a=mid:\x01"};
  for (const char* line : lines)
    EXPECT_EQ(kind_of_error(with_line(line)), ErrorKind::Malformed) << line;
  EXPECT_EQ(kind_of_error(""), ErrorKind::Malformed);
  EXPECT_EQ(kind_of_error("v=1\r\n" + kHead), ErrorKind::Malformed);
  EXPECT_EQ(kind_of_error("v=0\r\ns=-\r\n"), ErrorKind::Malformed);
  EXPECT_EQ(kind_of_error("v=0\r\no=- x 1 IN IP4 0\r\n"), ErrorKind::Malformed);
}

TEST(SdpReader, refuses_a_carriage_return_inside_a_line) {
  EXPECT_EQ(kind_of_error(with_line("a=msid:a\rb c")), ErrorKind::Malformed);
  EXPECT_EQ(kind_of_error(with_line("a=x:y\r")), ErrorKind::Malformed);
}

std::string_view text_of_error(const std::string& text) {
  auto session = parse_sdp(text);
  return session ? "" : session.error().message();
}

TEST(SdpReader, refuses_control_characters_wherever_they_stand) {
  for (const char* control : {"\x01", "\x08", "\x0b", "\x0c", "\x1f", "\x7f", "\r"}) {
    const std::string lines[] = {"z=" + std::string(control) + "x\r\n",
                                 "a=long-name:with-a-long-value" + std::string(control) + "x\n",
                                 "a=x" + std::string(control) + "\r\n",
                                 "a=x" + std::string(control) + "\r"};
    for (const std::string& line : lines)
      EXPECT_EQ(text_of_error(kHead + kAudio + line), "sdp: control character") << line;
  }
  const std::string zero("a=x\0y", 6);
  EXPECT_EQ(text_of_error(with_line(zero)), "sdp: control character");
  EXPECT_EQ(text_of_error(kHead + "a=x\x01"), "sdp: control character");
}

TEST(SdpReader, takes_tabs_other_bytes_and_a_last_line_that_does_not_end) {
  for (const char* line : {"a=x:\ty", "a=x:\x80\xff", "a=x:\xc3\xa9", "a=x", "a=x\r"})
    EXPECT_EQ(parsed(kHead + kAudio + line), parsed(kHead + kAudio)) << line;
}

TEST(SdpReader, the_first_line_at_fault_is_the_one_reported) {
  EXPECT_EQ(text_of_error(with_line("a=mid:x y\r\na=x:\x01")), "sdp: a=mid");
  EXPECT_EQ(text_of_error(with_line("a=x:\x01\r\na=mid:x y")), "sdp: control character");
  EXPECT_EQ(text_of_error(with_line("\x01")), "sdp: line is not type=value");
}

std::string repeated(int64_t times, const std::string& line) {
  std::string out;
  for (int64_t i = 0; i < times; ++i) out += line;
  return out;
}

TEST(SdpReader, each_limit_of_the_table_is_kept_to_the_last_line) {
  using namespace limits;
  struct Row {
    int64_t limit;
    std::string line;
  };
  const Row rows[] = {{kSdpExtmapsMax, "a=extmap:1 urn:x\r\n"},
                      {kSdpFeedbackMax, "a=rtcp-fb:111 nack\r\n"},
                      {kSdpFeedbackMax, "a=rtcp-fb:* nack\r\n"},
                      {kSdpMsidsMax, "a=msid:a b\r\n"},
                      {kSdpSsrcGroupsMax, "a=ssrc-group:FID 1 2\r\n"},
                      {kSdpCandidatesMax, "a=candidate:1 1 udp 5 192.0.2.1 9 typ host\r\n"},
                      {kSdpFingerprintsMax, "a=fingerprint:sha-256 AB:CD\r\n"},
                      {kSdpSectionsMax - 1, "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"}};
  for (const Row& row : rows) {
    EXPECT_TRUE(parse_sdp(with_line(repeated(row.limit, row.line)))) << row.line;
    EXPECT_EQ(kind_of_error(with_line(repeated(row.limit + 1, row.line))), ErrorKind::LimitExceeded)
        << row.line;
  }
}

TEST(SdpReader, too_many_sources_rids_or_bytes_are_refused_by_limit) {
  std::string sources, rids;
  for (int64_t i = 0; i <= limits::kSdpSsrcsMax; ++i)
    sources += "a=ssrc:" + std::to_string(i) + " cname:x\r\n";
  for (int64_t i = 0; i <= limits::kSdpRidsMax; ++i)
    rids += "a=rid:" + std::to_string(i) + " send\r\n";
  EXPECT_EQ(kind_of_error(with_line(sources)), ErrorKind::LimitExceeded);
  EXPECT_EQ(kind_of_error(with_line(rids)), ErrorKind::LimitExceeded);
  auto bytes = [](int64_t count) { return std::string(static_cast<size_t>(count), 'x'); };
  EXPECT_EQ(kind_of_error(with_line("a=x:" + bytes(limits::kSdpLineBytesMax))),
            ErrorKind::LimitExceeded);
  EXPECT_EQ(kind_of_error(with_line("a=fmtp:111 " + bytes(limits::kSdpFmtpBytesMax))),
            ErrorKind::LimitExceeded);
  EXPECT_EQ(kind_of_error(with_line("a=extmap:1 " + bytes(limits::kSdpExtmapBytesMax + 1))),
            ErrorKind::LimitExceeded);
  EXPECT_EQ(kind_of_error(kHead + repeated(limits::kSdpLinesMax, "\r\n")),
            ErrorKind::LimitExceeded);
  EXPECT_EQ(kind_of_error(with_line(repeated(limits::kSdpBytesMax / 1000, bytes(1000) + "\n"))),
            ErrorKind::LimitExceeded);
}

class SdpRoundTrip : public ::testing::TestWithParam<const char*> {};

TEST_P(SdpRoundTrip, writing_and_reading_again_changes_nothing) {
  SdpSession session = parsed(sample(GetParam()));
  ASSERT_THAT(session.sections, ::testing::Not(IsEmpty()));
  std::string written = write_sdp(session);
  EXPECT_EQ(parsed(written), session);
  EXPECT_EQ(write_sdp(parsed(written)), written);
}

INSTANTIATE_TEST_SUITE_P(Samples, SdpRoundTrip,
                         ::testing::Values("chromium_placeholders.sdp", "chromium_publish.sdp",
                                           "firefox_publish.sdp", "native_publish.sdp",
                                           "session_level.sdp"));

class SdpTruncation : public ::testing::TestWithParam<const char*> {};

TEST_P(SdpTruncation, every_prefix_is_refused_or_survives_a_round_trip) {
  const std::string text = sample(GetParam());
  size_t accepted = 0;
  for (size_t length = 0; length < text.size(); ++length) {
    auto session = parse_sdp(std::string_view(text).substr(0, length));
    if (!session) continue;
    ++accepted;
    auto again = parse_sdp(write_sdp(*session));
    ASSERT_TRUE(again) << length;
    ASSERT_EQ(*again, *session) << length;
  }
  EXPECT_GT(accepted, 0u);
  EXPECT_LT(accepted, text.size());
}

INSTANTIATE_TEST_SUITE_P(Samples, SdpTruncation,
                         ::testing::Values("firefox_publish.sdp", "native_publish.sdp",
                                           "session_level.sdp"));

TEST(SdpQuestions, fmtp_values_are_found_without_regard_to_case_and_spaces) {
  EXPECT_EQ(fmtp_value("minptime=10; UseInbandFec=1", "useinbandfec"), "1");
  EXPECT_EQ(fmtp_value("111/111", "apt"), std::nullopt);
  EXPECT_EQ(fmtp_value("flag;x=1", "flag"), "");
  EXPECT_EQ(fmtp_value("", "x"), std::nullopt);
}

}  // namespace
}  // namespace atrium::wire
