// The vectors of vendor-contract 8.1 and 8.2: signatures made by the vendor's own SDKs.
#include "adapters/openapi/verifier.h"

#include <gtest/gtest.h>

#include "adapters/openapi/signer.h"
#include "adapters/openapi/timestamps.h"
#include "base/crypto.h"

namespace atrium::openapi {
namespace {

constexpr char kAccessKey[] = "AKLTtestaccesskeyid0001";
constexpr char kSecret[] = "c2VjcmV0LWtleS1mb3ItdmVjdG9ycw==";
constexpr char kDate[] = "20240102T030405Z";
constexpr char kBody[] = R"({"AppId":"123456781234567812345678","RoomId":"room-1"})";
constexpr char kBodyHash[] = "fedc716ec5d3ce8b1158c0dea99fe27f4933fa53391521d3689c348269570447";
constexpr char kEmptyHash[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kToken[] = "STS2eyJ0ZXN0IjoidG9rZW4ifQ==";
constexpr char kDismiss[] = "/?Action=DismissRoom&Version=2020-12-01";

Headers with_authorization(Headers headers, std::string_view signed_headers,
                           std::string_view signature) {
  headers.emplace_back("X-Date", kDate);
  headers.emplace_back("Authorization", "HMAC-SHA256 Credential=" + std::string(kAccessKey) +
                                            "/20240102/cn-north-1/rtc/request, SignedHeaders=" +
                                            std::string(signed_headers) +
                                            ", Signature=" + std::string(signature));
  return headers;
}

Request dismissal(Headers headers, std::string_view signed_headers, std::string_view signature) {
  return {.method = "POST",
          .target = kDismiss,
          .headers = with_authorization(std::move(headers), signed_headers, signature),
          .body = kBody};
}

Request query(std::string target, Headers headers, std::string_view signed_headers,
              std::string_view signature) {
  return {.method = "GET",
          .target = std::move(target),
          .headers = with_authorization(std::move(headers), signed_headers, signature),
          .body = ""};
}

bool matches(const Request& request, std::vector<std::string> public_hosts = {}) {
  const auto target = parse_target(request.target);
  if (!target) return false;
  const auto claim = read_claim(request, *target);
  return claim && signature_matches(*claim, signing_key(kSecret, claim->scope), request, *target,
                                    public_hosts);
}

const std::pair<std::string, std::string> kHost{"Host", "rtc.volcengineapi.com"};
const std::pair<std::string, std::string> kJsonType{"Content-Type", "application/json"};
const std::pair<std::string, std::string> kSentHash{"X-Content-Sha256", kBodyHash};

Request s1() {
  return dismissal({kSentHash, {"Content-Type", "application/json; charset=utf-8"}, kHost},
                   "x-content-sha256;x-date",
                   "b4449f75c521d27b9f901fea77ae630612f71887deb0810b9548eb86380fdc91");
}

TEST(Signature, s1_of_the_node_sdk_matches) {
  EXPECT_TRUE(matches(s1()));
}

TEST(Signature, s2_of_the_go_and_python_sdks_matches) {
  EXPECT_TRUE(
      matches(dismissal({kJsonType, kHost, kSentHash}, "content-type;host;x-content-sha256;x-date",
                        "547960272779b83d66f2119c36908506c3739960f7333a5683507b01be3b341d")));
}

constexpr char kAwkward[] =
    "/?Action=GetRoomOnlineUsers&AppId=123456781234567812345678&RoomId=room%20a%2Bb%40c_d.e~f*g(h)&"
    "Version=2023-11-01";

TEST(Signature, s3_with_a_session_token_and_characters_left_bare_in_the_url_matches) {
  EXPECT_TRUE(matches(query(kAwkward, {{"X-Security-Token", kToken}}, "x-date;x-security-token",
                            "e522b8e4c80420175da36e987145cbeb5ba335a3965b81d98ca8b7c2b7af7ec2")));
}

TEST(Signature, s3b_of_the_python_sdk_matches) {
  EXPECT_TRUE(matches(query(kAwkward,
                            {kHost, {"X-Content-Sha256", kEmptyHash}, {"X-Security-Token", kToken}},
                            "host;x-content-sha256;x-date;x-security-token",
                            "a6fa8621b6ed423c5e1d7d9c9c9dc343e5f8886ed796d62b9cc878286b8ffa1a")));
}

TEST(Signature, s3_matches_with_spaces_sent_as_plus) {
  std::string target = kAwkward;
  target.replace(target.find("%20"), 3, "+");
  EXPECT_TRUE(matches(query(target, {{"X-Security-Token", kToken}}, "x-date;x-security-token",
                            "e522b8e4c80420175da36e987145cbeb5ba335a3965b81d98ca8b7c2b7af7ec2")));
}

TEST(Signature, s4_of_the_java_sdk_which_signs_only_the_date_matches) {
  EXPECT_TRUE(matches(
      dismissal({}, "x-date", "d65a99c2fd9ba183961ddc25a24e0b066ef2f6048e843fdcdbf8f8ee50e7ccc0")));
}

TEST(Signature, s5_with_unsorted_headers_matches) {
  EXPECT_TRUE(
      matches(dismissal({kHost, kSentHash, kJsonType}, "host;x-date;x-content-sha256;content-type",
                        "ad3f00e8ff658488a198f25cca1e080f29ba70aa4f3033ca7c6c5d910e85c822")));
}

TEST(Signature, s6_of_the_php_sdk_matches) {
  EXPECT_TRUE(matches(dismissal(
      {kHost}, "host;x-date", "669dec684369c54502fcb2e05609128354045604ec8b57e1feb4d7458f32a048")));
}

TEST(Signature, s7_of_the_node_sdk_with_a_host_matches) {
  EXPECT_TRUE(
      matches(dismissal({kHost, kSentHash}, "host;x-content-sha256;x-date",
                        "d72753ea6d7502021ee9a661cb05e9648dbb1cd80a9101053814cc4e8fd2313d")));
}

constexpr char kRepeated[] =
    "/?Action=GetRoomUsersProperty&Version=2023-11-01&AppId=123456781234567812345678&RoomId=room-1&"
    "UserIds=u2&UserIds=u1";

TEST(Signature, repeated_values_match_when_the_signer_sorted_them) {
  EXPECT_TRUE(matches(query(kRepeated, {}, "x-date",
                            "ee4009327c9df9d33c12ae6024f5f1590a0376185c985d1be6d548c3964e22c9")));
}

TEST(Signature, repeated_values_match_when_the_signer_kept_their_order) {
  EXPECT_TRUE(matches(query(kRepeated, {kHost, {"X-Content-Sha256", kEmptyHash}},
                            "host;x-content-sha256;x-date",
                            "6451b63d9a3b246503ac925ac761030c09cb2fa739e892b5d956de8560741fa2")));
}

constexpr char kPresigned[] =
    "/?Action=GetRoomOnlineUsers&AppId=123456781234567812345678&RoomId=room-1&Version=2023-11-01"
    "&X-Algorithm=HMAC-SHA256&X-Credential=AKLTtestaccesskeyid0001%2F20240102%2Fcn-north-1%2Frtc%"
    "2Frequest"
    "&X-Date=20240102T030405Z&X-NotSignBody=&X-SignedHeaders=";
constexpr char kNodeList[] =
    "&X-SignedQueries=Action;AppId;RoomId;Version;X-Algorithm;X-Credential;X-Date;X-NotSignBody;X-"
    "SignedHeaders";

Request presigned(std::string target) {
  return {.method = "GET", .target = std::move(target), .headers = {kHost}, .body = ""};
}

std::string q1() {
  return std::string(kPresigned) + kNodeList +
         "&X-Signature=09a77b261479dd8cab1b5c8ebc40c8f8e1685e93fb93d7ede57c53cb92827ae2";
}

TEST(Presigned, q1_of_the_node_sdk_matches) {
  EXPECT_TRUE(matches(presigned(q1())));
}

TEST(Presigned, q2_which_lists_its_own_list_matches) {
  EXPECT_TRUE(matches(
      presigned(std::string(kPresigned) + kNodeList + ";X-SignedQueries" +
                "&X-Signature=130f1e47c1ac9d377cae65c8f9518fa55d3baed7dbac491946fcc9bf209e3b4f")));
}

TEST(Presigned, q3_with_a_listed_token_matches) {
  EXPECT_TRUE(matches(presigned(
      std::string(kPresigned) + "&X-Security-Token=STS2eyJ0ZXN0IjoidG9rZW4ifQ%3D%3D" + kNodeList +
      ";X-Security-Token&X-Signature="
      "587a8b9fe371a645b79a5f92d64c69a487085eeef99949fcf9ddd3589adadc8a")));
}

TEST(Presigned, q3_with_an_unlisted_but_signed_token_matches) {
  EXPECT_TRUE(matches(presigned(
      std::string(kPresigned) + "&X-Security-Token=STS2eyJ0ZXN0IjoidG9rZW4ifQ%3D%3D" + kNodeList +
      ";X-SignedQueries&X-Signature="
      "df00478c5b52fec62515d7dbb080582877d66209c26e6f46b618a8a87667a392")));
}

TEST(Presigned, a_parameter_outside_the_list_is_refused) {
  const Request request = presigned(q1() + "&Extra=1");
  const auto target = parse_target(request.target);
  const auto claim = read_claim(request, *target);
  ASSERT_FALSE(claim.has_value());
  EXPECT_EQ(claim.error().code, ErrorCode::InvalidAuthorization);
}

TEST(Presigned, a_second_value_of_a_listed_parameter_breaks_the_signature) {
  EXPECT_FALSE(matches(presigned(q1() + "&RoomId=room-2")));
}

TEST(Presigned, is_refused_for_post) {
  Request request = presigned(q1());
  request.method = "POST";
  const auto claim = read_claim(request, *parse_target(request.target));
  ASSERT_FALSE(claim.has_value());
  EXPECT_EQ(claim.error().code, ErrorCode::InvalidAuthorization);
}

TEST(Signature, no_single_bit_of_the_signature_can_be_wrong) {
  Request request = s1();
  request.headers.back().second.back() ^= 1;
  EXPECT_FALSE(matches(request));
}

TEST(Signature, a_changed_body_does_not_match) {
  Request request = s1();
  request.body.back() = ' ';
  EXPECT_FALSE(matches(request));
}

TEST(Signature, a_wrong_content_hash_does_not_match_even_if_it_is_not_signed) {
  Request request =
      dismissal({}, "x-date", "d65a99c2fd9ba183961ddc25a24e0b066ef2f6048e843fdcdbf8f8ee50e7ccc0");
  EXPECT_TRUE(matches(request));
  request.headers.emplace_back("X-Content-Sha256", kEmptyHash);
  EXPECT_FALSE(matches(request));
}

TEST(Signature, a_changed_query_or_method_does_not_match) {
  Request request = s1();
  request.target += "&x=1";
  EXPECT_FALSE(matches(request));
  request = s1();
  request.method = "PUT";
  EXPECT_FALSE(matches(request));
}

TEST(Signature, the_order_of_query_parameters_does_not_matter) {
  Request request = s1();
  request.target = "?Version=2020-12-01&Action=DismissRoom";
  EXPECT_TRUE(matches(request));
}

TEST(Signature, a_host_hidden_by_a_proxy_matches_only_when_it_is_configured) {
  Request request = dismissal({{"Host", "10.0.0.7:7880"}}, "host;x-date",
                              "669dec684369c54502fcb2e05609128354045604ec8b57e1feb4d7458f32a048");
  EXPECT_FALSE(matches(request));
  EXPECT_TRUE(matches(request, {"rtc.volcengineapi.com"}));
}

TEST(Signature, a_default_port_in_host_is_forgiven) {
  EXPECT_TRUE(
      matches(dismissal({{"Host", "rtc.volcengineapi.com:443"}}, "host;x-date",
                        "669dec684369c54502fcb2e05609128354045604ec8b57e1feb4d7458f32a048")));
  EXPECT_FALSE(
      matches(dismissal({{"Host", "rtc.volcengineapi.com:444"}}, "host;x-date",
                        "669dec684369c54502fcb2e05609128354045604ec8b57e1feb4d7458f32a048")));
}

// Signs a header as a Node signer does, collapsing inner blanks, and sends it as it was.
TEST(Signature, white_space_inside_a_header_may_have_been_collapsed_by_the_signer) {
  Request request{.method = "POST",
                  .target = kDismiss,
                  .headers = {{"Host", "h"}, {"X-Note", "a b"}},
                  .body = kBody};
  sign_request(request, {kAccessKey, kSecret}, *parse_basic_time(kDate));
  EXPECT_TRUE(matches(request));
  request.headers[1].second = "  a  \t b ";
  EXPECT_TRUE(matches(request));
  request.headers[1].second = "ab";
  EXPECT_FALSE(matches(request));
}

TEST(Signature, a_listed_header_that_was_not_sent_does_not_match) {
  Request request = s1();
  std::erase_if(request.headers,
                [](const auto& header) { return header.first == "X-Content-Sha256"; });
  EXPECT_FALSE(matches(request));
}

TEST(Signer, produces_the_go_sdks_signature) {
  Request request{
      .method = "POST", .target = kDismiss, .headers = {kJsonType, kHost}, .body = kBody};
  sign_request(request, {kAccessKey, kSecret}, *parse_basic_time(kDate));
  EXPECT_TRUE(
      request.header("Authorization")
          .ends_with("SignedHeaders=content-type;host;x-content-sha256;x-date, "
                     "Signature=547960272779b83d66f2119c36908506c3739960f7333a5683507b01be3b341d"));
}

// --- what is refused before a secret is needed ---

ErrorCode claim_error(Headers headers, std::string target = kDismiss) {
  const Request request{
      .method = "POST", .target = std::move(target), .headers = std::move(headers), .body = ""};
  const auto claim = read_claim(request, *parse_target(request.target));
  EXPECT_FALSE(claim.has_value());
  return claim ? ErrorCode::UndefinedError : claim.error().code;
}

ErrorCode authorization_error(std::string authorization) {
  return claim_error({{"X-Date", kDate}, {"Authorization", std::move(authorization)}});
}

TEST(Claim, without_any_credentials_is_a_missing_token) {
  EXPECT_EQ(claim_error({}), ErrorCode::MissingAuthenticationToken);
}

TEST(Claim, of_another_scheme_or_shape_is_an_invalid_authorization) {
  EXPECT_EQ(authorization_error(""), ErrorCode::InvalidAuthorization);
  EXPECT_EQ(authorization_error("Bearer abc"), ErrorCode::InvalidAuthorization);
  EXPECT_EQ(authorization_error("HMAC-SHA256Credential=a/b/c/d/request"),
            ErrorCode::InvalidAuthorization);
  EXPECT_EQ(authorization_error("HMAC-SHA256 nonsense"), ErrorCode::InvalidAuthorization);
  EXPECT_EQ(authorization_error(
                "HMAC-SHA256 Credential=a/b/c/d/request, Credential=a/b/c/d/request, Signature=x"),
            ErrorCode::InvalidAuthorization);
  EXPECT_EQ(authorization_error("HMAC-SHA256 Credential=a/b/c/d/request, Other=1, Signature=x"),
            ErrorCode::InvalidAuthorization);
}

TEST(Claim, without_a_signature_is_a_missing_signature) {
  EXPECT_EQ(authorization_error("HMAC-SHA256 Credential=a/b/c/d/request, SignedHeaders=x-date"),
            ErrorCode::MissingSignature);
}

TEST(Claim, with_a_credential_that_is_not_five_parts_is_an_invalid_credential) {
  for (const char* credential : {"", "a", "a/b/c/d", "a/b/c/d/aws4_request", "a/b/c/d/request/",
                                 "a/b/c/d/e/request", "a//c/d/request"})
    EXPECT_EQ(authorization_error(std::string("HMAC-SHA256 Credential=") + credential +
                                  ", SignedHeaders=x-date, Signature=x"),
              ErrorCode::InvalidCredential)
        << credential;
}

TEST(Claim, must_sign_the_date) {
  EXPECT_EQ(authorization_error(
                "HMAC-SHA256 Credential=a/b/c/d/request, SignedHeaders=host, Signature=x"),
            ErrorCode::InvalidAuthorization);
}

// Otherwise a caller without a good signature could have gigabytes hashed: 9,000 times "host;" beside a long Host.
TEST(Claim, names_each_signed_header_once_and_not_too_many) {
  EXPECT_EQ(authorization_error("HMAC-SHA256 Credential=a/b/c/d/request, "
                                "SignedHeaders=host;x-date;Host, Signature=x"),
            ErrorCode::InvalidAuthorization);
  std::string many = "x-date", twice = "host";
  for (int i = 0; i < 200; ++i) many += ";h" + std::to_string(i), twice += "%3Bhost";
  EXPECT_EQ(authorization_error("HMAC-SHA256 Credential=a/b/c/d/request, SignedHeaders=" + many +
                                ", Signature=x"),
            ErrorCode::InvalidAuthorization);
  const std::string target =
      "/?X-Algorithm=HMAC-SHA256&X-Credential=a%2Fb%2Fc%2Fd%2Frequest&X-Date=20240102T030405Z"
      "&X-Signature=x&X-SignedQueries=X-Algorithm%3BX-Credential%3BX-Date%3BX-SignedHeaders"
      "&X-SignedHeaders=" +
      twice;
  const auto parsed = parse_target(target);
  ASSERT_TRUE(parsed.has_value());
  const auto claim =
      read_claim({.method = "GET", .target = target, .headers = {}, .body = {}}, *parsed);
  ASSERT_FALSE(claim.has_value());
  EXPECT_EQ(claim.error().code, ErrorCode::InvalidAuthorization);
}

TEST(Claim, with_a_header_sent_twice_is_ambiguous) {
  EXPECT_EQ(
      claim_error({{"X-Date", kDate},
                   {"x-date", kDate},
                   {"Authorization",
                    "HMAC-SHA256 Credential=a/b/c/d/request, SignedHeaders=x-date, Signature=x"}}),
      ErrorCode::InvalidAuthorization);
}

SignatureClaim claim_for(std::string region, std::string service, std::string day) {
  SignatureClaim claim;
  claim.scope = {std::move(day), std::move(region), std::move(service)};
  claim.date = kDate;
  claim.header_names = {"x-date"};
  return claim;
}

TEST(Scope, must_name_our_service_a_region_of_ours_and_the_day_of_the_date) {
  const std::vector<std::string> regions{"cn-north-1", "ap-singapore-1"};
  EXPECT_FALSE(check_scope(claim_for("cn-north-1", "rtc", "20240102"), regions).has_value());
  EXPECT_FALSE(check_scope(claim_for("ap-singapore-1", "rtc", "20240102"), regions).has_value());
  EXPECT_EQ(check_scope(claim_for("us-east-1", "rtc", "20240102"), regions)->code,
            ErrorCode::InvalidCredential);
  EXPECT_EQ(check_scope(claim_for("cn-north-1", "iam", "20240102"), regions)->code,
            ErrorCode::InvalidCredential);
  EXPECT_EQ(check_scope(claim_for("cn-north-1", "rtc", "20240103"), regions)->code,
            ErrorCode::InvalidCredential);
}

// --- time ---

std::optional<ErrorCode> time_error(int64_t seconds_after, std::string target = kDismiss,
                                    Headers headers = {},
                                    std::vector<std::string> signed_names = {"x-date"}) {
  SignatureClaim claim = claim_for("cn-north-1", "rtc", "20240102");
  claim.header_names = std::move(signed_names);
  const Request request{
      .method = "POST", .target = target, .headers = std::move(headers), .body = ""};
  const Now now{.mono = {}, .wall = *parse_basic_time(kDate) + std::chrono::seconds(seconds_after)};
  const auto refusal = check_time(claim, request, *parse_target(target), now);
  if (!refusal) return std::nullopt;
  return refusal->code;
}

TEST(SignatureTime, lasts_fifteen_minutes_and_may_be_five_ahead) {
  EXPECT_EQ(time_error(0), std::nullopt);
  EXPECT_EQ(time_error(900), std::nullopt);
  EXPECT_EQ(time_error(901), ErrorCode::InvalidTimestamp);
  EXPECT_EQ(time_error(-300), std::nullopt);
  EXPECT_EQ(time_error(-301), ErrorCode::InvalidTimestamp);
}

TEST(SignatureTime, follows_x_expires_in_the_query) {
  EXPECT_EQ(time_error(11, std::string(kDismiss) + "&X-Expires=10"), ErrorCode::InvalidTimestamp);
  EXPECT_EQ(time_error(3600, std::string(kDismiss) + "&X-Expires=3600"), std::nullopt);
}

TEST(SignatureTime, takes_an_x_expires_out_of_range_for_none) {
  for (const char* value : {"0", "-1", "3601", "99999999999999999999", "1e3", "", "10s"}) {
    EXPECT_EQ(time_error(900, std::string(kDismiss) + "&X-Expires=" + value), std::nullopt)
        << value;
    EXPECT_EQ(time_error(901, std::string(kDismiss) + "&X-Expires=" + value),
              ErrorCode::InvalidTimestamp)
        << value;
  }
}

TEST(SignatureTime, follows_an_x_expires_header_only_when_it_is_signed) {
  EXPECT_EQ(time_error(1000, kDismiss, {{"X-Expires", "3600"}}), ErrorCode::InvalidTimestamp);
  EXPECT_EQ(time_error(1000, kDismiss, {{"X-Expires", "3600"}}, {"x-date", "x-expires"}),
            std::nullopt);
}

TEST(SignatureTime, needs_a_date_that_exists) {
  SignatureClaim claim = claim_for("cn-north-1", "rtc", "20240102");
  const Request request{.method = "POST", .target = kDismiss, .headers = {}, .body = ""};
  const Target target = *parse_target(kDismiss);
  claim.date = "";
  EXPECT_EQ(check_time(claim, request, target, {})->code, ErrorCode::MissingRequestInfo);
  for (const char* date : {"20240102", "2024-01-02T03:04:05Z", "20240230T000000Z",
                           "20240102T240000Z", "20240102T030405+", "20240102T0304056"}) {
    claim.date = date;
    EXPECT_EQ(check_time(claim, request, target, {})->code, ErrorCode::InvalidTimestamp) << date;
  }
}

}  // namespace
}  // namespace atrium::openapi
