#include "adapters/signal/join_request.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "adapters/signal/gzip.h"
#include "adapters/signal/test_tokens.h"
#include "adapters/signal/test_views.h"
#include "base/limits.h"

namespace atrium::signal {
namespace {

using namespace testing;

// As @livekit/protocol 1.52.1 encodes them; the second one went through Node's gzip.
constexpr const char* kPlain =
    "En4KKggBEgYyLjIzLjAYESIFbWFjT1MqAjE0OgZDaHJvbWVCAzEzMGACagIBAhIECAEQARoLZnJvbSBjbGllbnQiBgoBax"
    "IBdioGCgJjMUACMi0KBW9m"
    "ZmVyEiJ2PTANCm89LSAxIDEgSU4gSVA0IDAuMC4wLjANCnM9LQ0KGAE=";
constexpr const char* kGzipped =
    "CAESjgEfiwgAAAAAAAAD49LiYBRiM9IzMtYzkBBUYs1NTPYP1mIyNLFic84oys9NdWI2NDZIYMpiYmQSYuFgFGCU4k4rys"
    "9VSM7JTM0rUWLjYswWYizT"
    "YuNiSjZ0YDLS5WLNT0tLLRJSKrM14OXKt9VVMFQwVPD0U_AMMFEw0ANDXq5iW11eLglGAENJc0p-AAAA";
constexpr const char* kResume = "EicKCwgMEgUxLjEuMBgROAFAAUoUUEFfMDEyMzQ1Njc4OWFiY2RlZmc=";

Result<JoinParameters> parse(std::string_view parameter) {
  return parse_join_parameters(
      parse_target("/rtc/v1?join_request=" + std::string(parameter)).value());
}
std::string wrapped(std::string_view inner, int compression) {
  pb::WrappedJoinRequest request;
  request.set_compression(static_cast<pb::WrappedJoinRequest::Compression>(compression));
  request.set_join_request(std::string(inner));
  return base64url(as_bytes(request.SerializeAsString()));
}
std::string gzip(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string in(text), out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(in.data()),
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data()),
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(Target, each_endpoint_has_its_path) {
  EXPECT_EQ(parse_target("/rtc/v1")->endpoint, Endpoint::Join);
  EXPECT_EQ(parse_target("/rtc/v1?a=b")->endpoint, Endpoint::Join);
  EXPECT_EQ(parse_target("/rtc/v1/validate?x")->endpoint, Endpoint::JoinValidate);
  EXPECT_EQ(parse_target("/rtc?x=y")->endpoint, Endpoint::DualJoin);
  EXPECT_EQ(parse_target("/rtc/validate")->endpoint, Endpoint::DualValidate);
  for (const char* other :
       {"", "/", "/rtc/", "/rtc/v1/", "/rtc/v2", "/RTC/v1", "/rtc/v1/validate/x", "rtc/v1", "/r/a"})
    EXPECT_FALSE(parse_target(other)) << other;
}

TEST(Target, a_room_in_the_path_is_decoded) {
  const auto target = parse_target("/r/room%201%2Fx/rtc/v1?q=1");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path_room, RoomId("room 1/x"));
  EXPECT_EQ(target->query, "q=1");
  EXPECT_FALSE(target->has_bad_prefix);
  EXPECT_FALSE(parse_target("/rtc/v1")->path_room);
}

TEST(Target, a_prefix_without_a_room_is_known_as_bad) {
  for (const char* text : {"/r//rtc/v1", "/r/%zz/rtc/v1/validate"}) {
    const auto target = parse_target(text);
    ASSERT_TRUE(target) << text;
    EXPECT_TRUE(target->has_bad_prefix) << text;
    EXPECT_FALSE(target->path_room);
  }
}

TEST(Target, the_token_comes_from_the_header_or_the_query) {
  const auto target = parse_target("/rtc/v1?access_token=a%2Bb%2F%3D&join_request=x").value();
  EXPECT_EQ(presented_token(target, ""), "a+b/=");
  EXPECT_EQ(presented_token(target, "Bearer 001+/="), "001+/=");
  EXPECT_EQ(presented_token(target, "bearer  x"), "x");
  EXPECT_EQ(presented_token(target, "Basic eA=="), "a+b/=");
  EXPECT_EQ(presented_token(parse_target("/rtc/v1").value(), ""), "");
  EXPECT_EQ(presented_token(parse_target("/rtc/v1").value(), "Bearer"), "");
}

TEST(JoinRequest, the_browsers_join_is_read_compressed_or_not) {
  for (const char* parameter : {kPlain, kGzipped}) {
    const auto join = parse(parameter);
    ASSERT_TRUE(join) << join.error().what;
    EXPECT_EQ(join->client.sdk, "js");
    EXPECT_EQ(join->client.version, "2.23.0");
    EXPECT_EQ(join->client.protocol, 17);
    EXPECT_EQ(join->client.client_protocol, 2);
    EXPECT_EQ(join->client.browser, "Chrome");
    EXPECT_EQ(join->client.capabilities,
              (std::vector<std::string>{"CAP_PACKET_TRAILER", "CAP_COMPRESSION_DEFLATE_RAW"}));
    EXPECT_TRUE(join->auto_subscribe);
    EXPECT_TRUE(join->adaptive_stream);
    EXPECT_EQ(join->metadata, "from client");
    EXPECT_EQ(join->attributes.at("k"), "v");
    ASSERT_TRUE(join->publisher_offer);
    EXPECT_EQ(join->publisher_offer->id, 1u);
    EXPECT_TRUE(join->publisher_offer->sdp.starts_with("v=0\r\n"));
    ASSERT_EQ(join->add_tracks.size(), 1u);
    EXPECT_EQ(join->add_tracks[0].track.cid, "c1");
    EXPECT_FALSE(join->is_reconnect);
  }
}

TEST(JoinRequest, padding_may_be_there_encoded_or_absent) {
  const std::string text = kResume;
  ASSERT_TRUE(text.ends_with("="));
  EXPECT_TRUE(parse(text));
  EXPECT_TRUE(parse(text.substr(0, text.size() - 1)));
  EXPECT_TRUE(parse(text.substr(0, text.size() - 1) + "%3D"));
}

TEST(JoinRequest, a_resume_names_who_it_was) {
  const auto join = parse(kResume);
  ASSERT_TRUE(join) << join.error().what;
  EXPECT_TRUE(join->is_reconnect);
  EXPECT_EQ(join->participant.value, kParticipant);
  EXPECT_EQ(join->reconnect_reason, ReconnectReason::SignalDisconnected);
  EXPECT_EQ(join->client.sdk, "node");
  EXPECT_FALSE(join->publisher_offer);
  EXPECT_TRUE(join->auto_subscribe);  // no settings: the default
}

TEST(JoinRequest, what_is_missing_or_damaged_is_malformed) {
  EXPECT_FALSE(parse_join_parameters(parse_target("/rtc/v1").value()));
  EXPECT_FALSE(parse(""));
  EXPECT_FALSE(parse("***"));
  EXPECT_FALSE(parse(base64url(as_bytes("\xff\xff"))));
  EXPECT_FALSE(parse(wrapped("\xff", 0)));
  EXPECT_FALSE(parse(wrapped("", 2)));
  pb::JoinRequest resume;
  resume.set_reconnect(true);
  EXPECT_FALSE(parse(wrapped(resume.SerializeAsString(), 0)));
  pb::JoinRequest offer;
  offer.mutable_publisher_offer()->set_type("answer");
  offer.mutable_publisher_offer()->set_sdp("v=0\r\n");
  EXPECT_FALSE(parse(wrapped(offer.SerializeAsString(), 0)));
}

TEST(JoinRequest, no_truncation_of_the_compressed_form_is_accepted) {
  const std::string whole = from_base64_text(kPlain);
  pb::WrappedJoinRequest request;
  ASSERT_TRUE(request.ParseFromString(whole));
  const std::string compressed = gzip(request.join_request());
  ASSERT_TRUE(parse(wrapped(compressed, 1)));
  for (size_t size = 0; size < compressed.size(); ++size)
    EXPECT_FALSE(parse(wrapped(compressed.substr(0, size), 1))) << size;
  EXPECT_FALSE(parse(wrapped(compressed + "x", 1)));
}

TEST(JoinRequest, a_bomb_is_stopped_at_the_bound) {
  const auto join = parse(wrapped(gzip(std::string(64 << 20, '\0')), 1));
  ASSERT_FALSE(join);
  EXPECT_EQ(join.error().kind, ErrorKind::LimitExceeded);
}

TEST(JoinRequest, many_small_parts_are_stopped_before_they_become_objects) {
  pb::JoinRequest request;
  for (int i = 0; i < 100'000; ++i) request.add_add_track_requests();
  const auto join = parse(wrapped(request.SerializeAsString(), 0));
  ASSERT_FALSE(join);
  EXPECT_EQ(join.error().kind, ErrorKind::LimitExceeded);
}

TEST(Gzip, round_trips_up_to_the_bound_exactly) {
  const std::string text(100'000, 'x');
  EXPECT_EQ(gunzip(gzip(text), 100'000).value_or(""), text);
  EXPECT_EQ(gunzip(gzip(text), 99'999).error().kind, ErrorKind::LimitExceeded);
  EXPECT_EQ(gunzip(gzip(""), 10).value_or("?"), "");
  EXPECT_FALSE(gunzip("", 10));
  EXPECT_FALSE(gunzip("plain text", 10));
}

VerifiedToken a_token() {
  return verify_token(kServerSdkJwt, vector_context(), {}, at_s(kServerSdkJwtNow)).value();
}

TEST(Joiner, joins_token_and_parameters) {
  const auto joiner = make_joiner(a_token(), parse(kPlain).value());
  EXPECT_EQ(joiner.app.value, kDevApp);
  EXPECT_EQ(joiner.user.value, "alice");
  EXPECT_EQ(joiner.name, "Alice");
  EXPECT_EQ(joiner.device.sdk, "js 2.23.0");
  EXPECT_EQ(joiner.protocol, 17);
  EXPECT_TRUE(joiner.adaptive_stream);
  EXPECT_EQ(joiner.token_hash, a_token().hash);
  EXPECT_FALSE(joiner.removed_at);  // a JWT's expiry ends no session
}

TEST(Joiner, says_of_its_device_what_is_short_enough_to_keep) {
  JoinParameters parameters;
  parameters.client.sdk = "swift";
  parameters.client.version = "2.1";
  parameters.client.device_model = "iPhone15,2";
  parameters.client.network = std::string(static_cast<size_t>(limits::kNameBytesMax) + 1, 'x');
  const auto device = make_joiner(a_token(), parameters).device;
  EXPECT_EQ(device.sdk, "swift 2.1");
  EXPECT_EQ(device.model, "iPhone15,2");
  EXPECT_EQ(device.network, "");
}

TEST(Joiner, the_device_is_what_the_client_says_of_itself) {
  using domain::DeviceKind;
  const auto device = [](const char* sdk, const char* os) {
    JoinParameters parameters;
    parameters.client.sdk = sdk;
    parameters.client.os = os;
    return make_joiner(a_token(), parameters).device.kind;
  };
  EXPECT_EQ(make_joiner(a_token(), parse(kPlain).value()).device.kind, DeviceKind::Web);
  EXPECT_EQ(device("js", "ios"), DeviceKind::Ios) << "React Native";
  EXPECT_EQ(device("js", "Mac OS"), DeviceKind::Web);
  EXPECT_EQ(device("unity-web", "Android"), DeviceKind::Web);
  EXPECT_EQ(device("swift", "macOS"), DeviceKind::Mac);
  EXPECT_EQ(device("swift", "iPadOS"), DeviceKind::Ios);
  EXPECT_EQ(device("cpp", "Darwin"), DeviceKind::Mac) << "not win";
  EXPECT_EQ(device("android", "Android 14 (Linux)"), DeviceKind::Android);
  EXPECT_EQ(device("rust", "Alpine Linux"), DeviceKind::Linux);
  EXPECT_EQ(device("unity", "Windows 11"), DeviceKind::Windows);
  EXPECT_EQ(device("cpp", "OpenHarmony"), DeviceKind::Harmony);
  EXPECT_EQ(device("rust", "Plan 9"), DeviceKind::Unknown);
  EXPECT_EQ(device("rust", ""), DeviceKind::Unknown);
}

TEST(Joiner, the_clients_metadata_needs_the_grant) {
  VerifiedToken token = a_token();
  const auto parameters = parse(kPlain).value();
  EXPECT_EQ(make_joiner(token, parameters).metadata, "from client");
  EXPECT_EQ(make_joiner(token, parameters).attributes,
            (std::map<std::string, std::string>{{"a", "b"}, {"k", "v"}}));
  token.permissions.can_update_metadata = false;
  EXPECT_EQ(make_joiner(token, parameters).metadata, R"({"m":1})");
  EXPECT_EQ(make_joiner(token, parameters).attributes.size(), 1u);
}

TEST(Joiner, a_vendor_tokens_expiry_ends_the_session) {
  const auto token = verify_token(kT1, vector_context(), {}, at_s(kVectorIssued)).value();
  const auto joiner = make_joiner(token, JoinParameters{});
  EXPECT_EQ(joiner.token_kind, domain::TokenKind::Vendor001);
  EXPECT_EQ(joiner.removed_at, wall_from_unix_s(kVectorExpires));
  EXPECT_EQ(joiner.publish_until, wall_from_unix_s(kVectorExpires));
  EXPECT_FALSE(joiner.subscribe_until);
}

}  // namespace
}  // namespace atrium::signal
