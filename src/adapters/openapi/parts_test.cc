// The small parts: query, JSON, arguments, ids, times, quota, error table, action table.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "adapters/openapi/action.h"
#include "adapters/openapi/args.h"
#include "adapters/openapi/canonical.h"
#include "adapters/openapi/id_rule.h"
#include "adapters/openapi/json.h"
#include "adapters/openapi/message.h"
#include "adapters/openapi/query.h"
#include "adapters/openapi/quota.h"
#include "adapters/openapi/results.h"
#include "adapters/openapi/timestamps.h"
#include "base/limits.h"

namespace atrium::openapi {
namespace {

// --- query ---

TEST(Query, is_decoded_once_in_arrival_order) {
  const auto target = parse_target("/a%20b?x=1&y=a+b%2Bc&x=%E4%B8%AD&empty=&bare&&#fragment");
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(target->path, "/a b");
  EXPECT_EQ(
      target->query,
      (QueryItems{{"x", "1"}, {"y", "a b+c"}, {"x", "\xe4\xb8\xad"}, {"empty", ""}, {"bare", ""}}));
  EXPECT_EQ(target->find("x"), "1");
  EXPECT_EQ(target->count("x"), 2u);
  EXPECT_FALSE(target->find("X").has_value());
}

TEST(Query, without_a_path_has_the_root_as_path) {
  EXPECT_EQ(parse_target("?a=b")->path, "/");
}

TEST(Query, with_a_broken_escape_is_refused) {
  for (const char* text : {"/?a=%", "/?a=%1", "/?a=%zz", "/?%4=1", "/%", "/?a=%-1"})
    EXPECT_FALSE(parse_target(text).has_value()) << text;
}

TEST(Query, has_a_bound_on_its_items) {
  std::string text = "/?";
  for (int64_t i = 0; i < limits::kQueryItemsMax; ++i) text += "a=1&";
  EXPECT_TRUE(parse_target(text).has_value());
  EXPECT_FALSE(parse_target(text + "b=1").has_value());
}

TEST(Query, every_truncation_is_parsed_or_refused) {
  const std::string text = "/p%41th?Action=a%20b&Version=%E4%B8%AD&c=+&d";
  for (size_t length = 0; length <= text.size(); ++length) {
    const auto target = parse_target(std::string_view(text).substr(0, length));
    if (!target) EXPECT_EQ(target.error().code, ErrorCode::InvalidParameter);
  }
}

TEST(Query, encoding_and_decoding_meet) {
  std::string every_byte;
  for (int i = 0; i < 256; ++i) every_byte.push_back(static_cast<char>(i));
  EXPECT_EQ(parse_target("/?v=" + percent_encode(every_byte))->query[0].second, every_byte);
  EXPECT_EQ(percent_encode("aZ09-_.~"), "aZ09-_.~");
  EXPECT_EQ(percent_encode(" *+/"), "%20%2A%2B%2F");
  EXPECT_EQ(percent_encode_path("/a b"), "/a%20b");
  std::string out = "a";
  append_percent_encoded(out, "+b");
  EXPECT_EQ(out, "a%2Bb");
}

TEST(Query, texts_compare_as_they_are_encoded) {
  std::vector<std::string> texts{"", "a", "ab", "a ", "a~b", "~", "~~"};
  for (int i = 0; i < 256; ++i) texts.push_back(std::string("a") + static_cast<char>(i));
  for (const std::string& a : texts)
    for (const std::string& b : texts)
      ASSERT_EQ(is_less_encoded(a, b), percent_encode(a) < percent_encode(b)) << a << " " << b;
}

TEST(CanonicalQuery, is_sorted_by_the_raw_name_and_keeps_an_equals_sign) {
  EXPECT_EQ(canonical_query({{"b", ""}, {"a", "2"}, {"a", "1"}}, RepeatedValues::InOrder),
            "a=2&a=1&b=");
  EXPECT_EQ(canonical_query({{"b", ""}, {"a", "2"}, {"a", "1"}}, RepeatedValues::Sorted),
            "a=1&a=2&b=");
  EXPECT_EQ(canonical_query({{"[", "1"}, {"A", "2"}}, RepeatedValues::InOrder), "A=2&%5B=1");
}

TEST(CanonicalQuery, has_a_second_form_where_repeated_values_are_not_in_order) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(canonical_queries({}), Texts{""});
  EXPECT_EQ(canonical_queries({{"b", "1"}, {"a", "2"}}), Texts{"a=2&b=1"});
  EXPECT_EQ(canonical_queries({{"a", "1"}, {"b", ""}, {"a", "2"}}), Texts{"a=1&a=2&b="});
  EXPECT_EQ(canonical_queries({{"a", "2"}, {"b", ""}, {"a", "1"}}),
            (Texts{"a=2&a=1&b=", "a=1&a=2&b="}));
}

// --- JSON ---

std::string nested(int64_t levels) {
  return std::string(static_cast<size_t>(levels), '[') +
         std::string(static_cast<size_t>(levels), ']');
}

TEST(JsonText, round_trips_and_keeps_the_order_of_names) {
  const std::string text =
      R"({"z":1,"a":[true,false,null,-5,18446744073709551615,1.5E0],"s":"\"\\\n\u4e2d"})";
  const auto json = parse_json(text);
  ASSERT_TRUE(json.has_value());
  EXPECT_EQ(to_text(*json),
            R"({"z":1,"a":[true,false,null,-5,18446744073709551615,1.5E0],"s":"\"\\\n)"
            "\xe4\xb8\xad\"}");
}

TEST(JsonText, deeper_than_the_limit_is_refused) {
  EXPECT_TRUE(parse_json(nested(limits::kJsonDepthMax)).has_value());
  const auto deeper = parse_json(nested(limits::kJsonDepthMax + 1));
  ASSERT_FALSE(deeper.has_value());
  EXPECT_EQ(deeper.error().what, "it is nested too deeply");
}

TEST(JsonText, with_a_name_twice_is_refused_at_any_depth) {
  EXPECT_FALSE(parse_json(R"({"AppId":"1","AppId":"2"})").has_value());
  EXPECT_FALSE(parse_json(R"({"x":[{"a":1,"b":2,"a":3}]})").has_value());
  EXPECT_TRUE(parse_json(R"({"x":{"a":1},"y":{"a":1}})").has_value());
}

TEST(JsonText, with_names_that_differ_only_in_case_is_refused) {
  const auto json = parse_json(R"({"AppId":"1","RoomId":"r","appid":"2"})");
  ASSERT_FALSE(json.has_value());
  EXPECT_EQ(json.error().what, "the name 'AppId' stands twice in one object");
}

TEST(JsonText, with_an_escaped_name_is_the_same_name) {
  EXPECT_FALSE(parse_json(R"({"AppId":"1","\u0041ppId":"2"})").has_value());
}

TEST(JsonText, that_is_not_strict_json_is_refused) {
  for (const char* text : {"{", "{}x", "{'a':1}", "{\"a\":1,}", "// c\n{}", "nul", "\"\x80\"",
                           R"("\ud800")", "01", "+1", "\xef\xbb\xbf{}"})
    EXPECT_FALSE(parse_json(text).has_value()) << text;
}

TEST(JsonText, tells_where_it_broke) {
  EXPECT_EQ(parse_json(R"({"a":1,x})").error().offset, 7u);
}

TEST(JsonText, every_truncation_is_refused) {
  const std::string text =
      R"({"AppId":"a","n":[1,{"b":"\u00e9\ud83d\ude00"}],"t":true,"d":-1.5e3})";
  ASSERT_TRUE(parse_json(text).has_value());
  for (size_t length = 0; length < text.size(); ++length)
    EXPECT_FALSE(parse_json(std::string_view(text).substr(0, length)).has_value()) << length;
}

// --- arguments ---

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"Limit", FieldType::Integer, FieldUse::Optional, ""},
    {"Flag", FieldType::Boolean, FieldUse::Optional, ""},
    {"Old", FieldType::Text, FieldUse::Refused, "no longer."},
});

std::string body_error(const char* text, Unknown unknown = Unknown::Ignored) {
  const auto args = Args::from_body(*parse_json(text), kFields, unknown);
  return args ? "" : args.error().message;
}

TEST(Arguments, are_matched_without_regard_to_case) {
  const auto args = Args::from_body(*parse_json(R"({"APPID":"a","limit":7,"fLAG":true})"), kFields,
                                    Unknown::Refused);
  ASSERT_TRUE(args.has_value());
  EXPECT_EQ(args->text("AppId"), "a");
  EXPECT_EQ(args->integer("Limit"), 7);
  EXPECT_TRUE(args->flag("Flag"));
}

TEST(Arguments, name_what_is_missing_wrong_refused_or_unknown) {
  EXPECT_EQ(body_error("{}"), "AppId is missing.");
  EXPECT_EQ(body_error(R"({"AppId":null})"), "AppId is missing.");
  EXPECT_EQ(body_error(R"({"AppId":5})"), "AppId must be a string.");
  EXPECT_EQ(body_error(R"({"AppId":"a","Limit":"5"})"), "Limit must be an integer.");
  EXPECT_EQ(body_error(R"({"AppId":"a","Limit":5.5})"), "Limit must be an integer.");
  EXPECT_EQ(body_error(R"({"AppId":"a","Flag":1})"), "Flag must be true or false.");
  EXPECT_EQ(body_error(R"({"AppId":"a","old":null})"), "Old: no longer.");
  EXPECT_EQ(body_error(R"({"AppId":"a","New":1})"), "");
  EXPECT_EQ(body_error(R"({"AppId":"a","New":1})", Unknown::Refused),
            "New is not a field of this action.");
  EXPECT_EQ(body_error("[]"), "The body must be a JSON object.");
}

TEST(Arguments, of_a_query_are_typed_and_may_not_be_repeated) {
  const auto args = Args::from_query(
      {{"appid", "a"}, {"Limit", "-3"}, {"Flag", "true"}, {"Action", "x"}}, kFields);
  ASSERT_TRUE(args.has_value());
  EXPECT_EQ(args->integer("Limit"), -3);
  EXPECT_TRUE(args->flag("Flag"));
  EXPECT_EQ(Args::from_query({{"AppId", "a"}, {"AppID", "b"}}, kFields).error().message,
            "AppId was given twice.");
  EXPECT_EQ(Args::from_query({{"AppId", "a"}, {"Limit", "3x"}}, kFields).error().message,
            "Limit must be an integer.");
}

TEST(Arguments, that_are_absent_read_as_nothing) {
  const auto args = Args::from_body(*parse_json(R"({"AppId":"a"})"), kFields, Unknown::Ignored);
  EXPECT_FALSE(args->has("Limit"));
  EXPECT_EQ(args->integer("Limit"), std::nullopt);
  EXPECT_FALSE(args->flag("Flag"));
  EXPECT_EQ(args->text("Nothing"), "");
}

TEST(Arguments, that_are_lists_are_arrays_in_a_body_and_repeated_names_in_a_query) {
  constexpr auto fields =
      std::to_array<FieldRule>({{"Ids", FieldType::TextList, FieldUse::Required, ""}});
  const std::vector<std::string_view> both{"b", "a"};
  const auto body = Args::from_body(*parse_json(R"({"ids":["b","a"]})"), fields, Unknown::Refused);
  ASSERT_TRUE(body.has_value());
  EXPECT_EQ(body->texts("Ids"), both);
  const auto query = Args::from_query({{"Ids", "b"}, {"x", "1"}, {"IDS", "a"}}, fields);
  ASSERT_TRUE(query.has_value());
  EXPECT_EQ(query->texts("Ids"), both);
  EXPECT_TRUE(query->texts("Nothing").empty());
  EXPECT_EQ(Args::from_query({}, fields).error().message, "Ids is missing.");
  for (const char* wrong : {R"({"Ids":"a"})", R"({"Ids":["a",1]})", R"({"Ids":[["a"]]})"})
    EXPECT_EQ(Args::from_body(*parse_json(wrong), fields, Unknown::Ignored).error().message,
              "Ids must be a list of strings.")
        << wrong;
}

// --- ids ---

TEST(Ids, of_the_vendor_are_128_of_a_small_alphabet) {
  EXPECT_TRUE(is_legal_id("aZ09@_.-", false));
  EXPECT_TRUE(is_legal_id(std::string(128, 'a'), false));
  EXPECT_FALSE(is_legal_id(std::string(129, 'a'), false));
  for (const char* id : {"", "a b", "a/b", "\xe4\xb8\xad", "a\n", "*"})
    EXPECT_FALSE(is_legal_id(id, false)) << id;
}

TEST(Ids, of_any_kind_are_utf8_without_control_characters) {
  for (const char* id : {"a b/*", "\xe4\xb8\xad", "\xf0\x9f\x98\x80"})
    EXPECT_TRUE(is_legal_id(id, true)) << id;
  EXPECT_TRUE(is_legal_id(std::string(256, 'a'), true));
  EXPECT_FALSE(is_legal_id(std::string(257, 'a'), true));
  for (const char* id : {"", "a\n", "\x7f", "\xc2\x80", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                         "\xf4\x90\x80\x80", "\xff", "\xe4\xb8", "\x80"})
    EXPECT_FALSE(is_legal_id(id, true)) << id;
}

TEST(Ids, of_apps_and_operations_have_a_shape) {
  EXPECT_TRUE(looks_like_app_id("a7e100000000000000000001"));
  EXPECT_FALSE(looks_like_app_id("a7e10000000000000000001"));
  EXPECT_FALSE(looks_like_app_id("a7e1000000000000000000-1"));
  EXPECT_TRUE(looks_like_operation_id("OP_0123456789abcdefG"));
  EXPECT_FALSE(looks_like_operation_id("RM_0123456789abcdefG"));
  EXPECT_FALSE(looks_like_operation_id("OP_0123456789abcdef"));
}

// --- time and quota ---

TEST(Timestamps, are_written_and_read_back) {
  const Wall time = wall_from_unix_ms(1'704'164'645'678);
  EXPECT_EQ(basic_time(time), "20240102T030405Z");
  EXPECT_EQ(extended_time_ms(time), "2024-01-02T03:04:05.678Z");
  EXPECT_EQ(parse_basic_time("20240102T030405Z"), wall_from_unix_s(1'704'164'645));
  EXPECT_EQ(parse_basic_time("20240229T235959Z"), wall_from_unix_s(1'709'251'199));
  EXPECT_FALSE(parse_basic_time("20230229T000000Z").has_value());
}

TEST(Timestamps, of_any_year_have_at_least_four_digits) {
  const auto day = [](int year) {
    return Wall(std::chrono::sys_days(std::chrono::year(year) / 12 / 31).time_since_epoch());
  };
  EXPECT_EQ(basic_time(day(1)), "00011231T000000Z");
  EXPECT_EQ(basic_time(day(9999)), "99991231T000000Z");
  EXPECT_EQ(basic_time(day(12345)), "123451231T000000Z");
  EXPECT_EQ(rfc3339_s(day(-1)), "-001-12-31T00:00:00Z");
  EXPECT_EQ(extended_time_ms(wall_from_unix_ms(-1)), "1969-12-31T23:59:59.999Z");
  std::string out = "at ";
  append_digits(out, wall_from_unix_ms(1'704'164'645'678));
  EXPECT_EQ(out, "at 20240102030405");
}

TEST(QuotaBuckets, hold_one_seconds_worth_and_refill) {
  Quota quota;
  const Mono start{};
  for (int i = 0; i < 20; ++i) EXPECT_EQ(quota.take("a", "", "x", 20, start), 0us) << i;
  EXPECT_EQ(quota.take("a", "", "x", 20, start), 50ms);
  EXPECT_EQ(quota.take("a", "", "x", 20, start + 49ms), 1ms);
  EXPECT_EQ(quota.take("a", "", "x", 20, start + 50ms), 0us);
  EXPECT_GT(quota.take("a", "", "x", 20, start + 50ms), 0us);
}

TEST(QuotaBuckets, of_other_owners_and_actions_are_apart) {
  Quota quota;
  EXPECT_EQ(quota.take("a", "", "x", 1, {}), 0us);
  EXPECT_NE(quota.take("a", "", "x", 1, {}), 0us);
  EXPECT_EQ(quota.take("b", "", "x", 1, {}), 0us);
  EXPECT_EQ(quota.take("a", "", "y", 1, {}), 0us);
}

TEST(QuotaBuckets, never_save_up_more_than_one_second) {
  Quota quota;
  EXPECT_EQ(quota.take("a", "", "x", 2, {}), 0us);
  const Mono later = Mono{} + 3600s;
  EXPECT_EQ(quota.take("a", "", "x", 2, later), 0us);
  EXPECT_EQ(quota.take("a", "", "x", 2, later), 0us);
  EXPECT_NE(quota.take("a", "", "x", 2, later), 0us);
}

TEST(QuotaBuckets, are_bounded_and_full_ones_are_forgotten) {
  Quota quota;
  const Mono start{};
  for (int64_t i = 0; i < limits::kQuotaBucketsMax / 2; ++i)
    ASSERT_EQ(quota.take(std::to_string(i), "", "x", 1, start), 0us);
  EXPECT_NE(quota.take("one more", "", "x", 1, start), 0us);
  EXPECT_EQ(quota.take("one more", "", "x", 1, start + 1s), 0us);
  EXPECT_EQ(quota.size(), 2u);
}

// Takes a token for each of new owners until the quota has as many buckets as it may.
void fill(Quota& quota, const std::string& prefix, Mono now) {
  while (quota.size() < static_cast<size_t>(limits::kQuotaBucketsMax))
    ASSERT_EQ(quota.take(prefix + std::to_string(quota.size()), "", "x", 1, now), 0us);
}

// Making room for one more member must not forget the very buckets that it is to belong to.
TEST(QuotaBuckets, of_a_member_that_comes_at_the_bound_belong_to_its_owners) {
  Quota quota;
  const Mono start{};
  const auto ask = [&quota](const char* owner, const char* member, Mono now) {
    EXPECT_EQ(quota.take(owner, member, "x", 2, now), 0us) << owner << member;
  };
  // What "a" has in all is in debt: it is remembered for longer than its members are.
  ask("a", "1", start), ask("a", "1", start), ask("a", "2", start);
  ask("b", "1", start), ask("b", "2", start);
  fill(quota, "first ", start);
  ask("c", "1", start + 1s), ask("c", "2", start + 1s);
  fill(quota, "second ", start + 1s);
  ask("a", "3", start + 2s);
  EXPECT_EQ(quota.size(), 2u);
}

// One app of an account asks a hundred times as often as it may; the other keeps to its part.
TEST(QuotaBuckets, app_within_its_part_is_never_refused_because_of_another) {
  Quota quota;
  Mono now{};
  int greedy_served = 0, modest_refused = 0, modest_asked = 0;
  for (int ms = 0; ms < 10'000; ++ms, now += 1ms) {
    for (int i = 0; i < 4; ++i)
      greedy_served += quota.take("account", "greedy", "x", 40, now) == 0us ? 1 : 0;
    if (ms % 50 != 25) continue;  // 20 a second: half of 40
    ++modest_asked;
    modest_refused += quota.take("account", "modest", "x", 40, now) == 0us ? 0 : 1;
  }
  EXPECT_EQ(modest_asked, 200);
  EXPECT_EQ(modest_refused, 0);
  EXPECT_GE(greedy_served, 10 * 20);
  EXPECT_LE(greedy_served + modest_asked, 10 * 40 + 3 * 40) << "all together keep to the rate";
}

TEST(QuotaBuckets, what_one_app_leaves_another_may_have) {
  Quota quota;
  Mono now{};
  int served = 0;
  EXPECT_EQ(quota.take("account", "quiet", "x", 40, now), 0us);
  for (int ms = 0; ms < 10'000; ++ms, now += 1ms)
    served += quota.take("account", "busy", "x", 40, now) == 0us ? 1 : 0;
  EXPECT_GE(served, 10 * 40 - 1);
}

// --- tables ---

TEST(ErrorTable, names_each_code_and_number_once) {
  std::set<std::string_view> codes;
  std::set<uint32_t> numbers;
  for (const ErrorRow& row : error_rows()) {
    EXPECT_TRUE(codes.insert(row.code).second) << row.code;
    if (row.is_gateway()) EXPECT_TRUE(numbers.insert(row.code_n).second) << row.code;
    EXPECT_EQ(find_error(row.code), row.name);
    EXPECT_EQ(&error_row(row.name), &row);
  }
  EXPECT_EQ(find_error("NoSuchCode"), std::nullopt);
}

// DESIGN section 4: the status follows from the first word of a business code.
TEST(ErrorTable, gives_business_codes_the_status_of_their_family) {
  for (const ErrorRow& row : error_rows()) {
    if (row.is_gateway()) continue;
    const std::string_view family = row.code.substr(0, row.code.find('.'));
    const int wanted = family == "InvalidParameter"    ? 400
                       : family == "AccessDenied"      ? 403
                       : family == "FlowLimitExceeded" ? 429
                                                       : 500;
    EXPECT_EQ(row.http, wanted) << row.code;
  }
}

TEST(ActionTable, names_each_action_and_version_once_and_completely) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const ActionRow* row : action_rows()) {
    EXPECT_TRUE(seen.emplace(row->name, row->version).second) << row->name;
    EXPECT_EQ(find_action(row->name, row->version), row);
    EXPECT_NE(row->handle, nullptr);
    EXPECT_GT(row->per_second, 0u);
    const bool names_app = std::ranges::any_of(row->fields, [](const FieldRule& rule) {
      return rule.name == "AppId" && rule.use == FieldUse::Required && rule.type == FieldType::Text;
    });
    EXPECT_EQ(names_app, row->app == AppUse::Required) << row->name;
    for (const ActionRow* other : action_rows())
      if (quota_of(*other) == quota_of(*row)) {
        EXPECT_EQ(other->per_second, row->per_second) << row->name << " and " << other->name;
        EXPECT_EQ(other->quota, row->quota) << row->name << " and " << other->name;
      }
  }
  EXPECT_GE(seen.size(), 7u);
}

TEST(Messages, show_only_what_is_printable_of_what_a_peer_sent) {
  EXPECT_EQ(printable("a\n\xff\x7f~"), "a???~");
  EXPECT_EQ(printable(std::string(200, 'a')), std::string(128, 'a') + "...");
}

TEST(Messages, find_headers_in_any_case) {
  const Request request{
      .method = "", .target = "", .headers = {{"X-Date", "1"}, {"x-date", "2"}}, .body = ""};
  EXPECT_EQ(request.header("X-DATE"), "1");
  EXPECT_EQ(request.header_count("x-Date"), 2u);
  EXPECT_EQ(request.header("Host"), "");
}

// --- results ---

TEST(Receipts, leave_out_what_is_not_known) {
  domain::DismissalRecord record;
  record.operation = OperationId("OP_1");
  record.room = RoomId("r");
  record.room_sid = RoomSid("RM_1");
  record.operator_id = "AK";
  record.request_id = "id";
  record.accepted_at = wall_from_unix_ms(1'704'164'645'678);
  record.users_at_fence = 2;
  EXPECT_EQ(
      to_text(receipt_json(record)),
      R"({"RoomExists":true,"OperationId":"OP_1","RoomId":"r","RoomSessionId":"RM_1","State":"running",)"
      R"("Operator":"AK","RequestId":"id","AcceptedAt":"2024-01-02T03:04:05.678Z","ElapsedMicroseconds":{},)"
      R"("UsersAtFence":2})");
}

TEST(Receipts, of_a_complete_record_tell_everything) {
  domain::DismissalRecord record;
  const Wall at = wall_from_unix_s(1'704'164'645);
  record.operation = OperationId("OP_1");
  record.state = domain::DismissalState::Done;
  record.reason = "over";
  record.accepted_at = at;
  record.fenced_at = record.media_cut_at = record.notified_at = record.closed_at = at + 1s;
  record.fenced_us = 1, record.media_cut_us = 2, record.notified_us = 3, record.closed_us = 4;
  record.users_at_fence = 2, record.notified = 1, record.not_notified = 1;
  record.not_notified_names = {
      {UserId("u"), ParticipantSid("PA_1"), domain::NotNotifiedReason::Reconnecting}};
  record.packets_after_cut = 0, record.transports_at_fence = 2, record.transports_closed = 2;
  const Json receipt = receipt_json(record);
  EXPECT_EQ(to_text(*receipt.find("ElapsedMicroseconds")),
            R"({"Fenced":1,"MediaCut":2,"Notified":3,"Closed":4})");
  EXPECT_EQ(to_text(*receipt.find("NotNotifiedUsers")),
            R"([{"UserId":"u","Reason":"reconnecting"}])");
  EXPECT_EQ(to_text(*receipt.find("PacketsAfterCut")), "0");
  EXPECT_EQ(to_text(*receipt.find("ClosedAt")), R"("2024-01-02T03:04:06.000Z")");
  EXPECT_EQ(to_text(*receipt.find("State")), R"("done")");
}

TEST(Pages, walk_a_list_without_missing_or_repeating) {
  const std::vector<std::string_view> keys{"a", "b", "c", "d", "e"};
  std::string walked;
  Page page{.limit = 2, .after = ""};
  while (true) {
    Json::Object out;
    add_page(out, "Items", keys, page, [&](size_t i) { return Json(keys[i]); });
    const Json result = std::move(out);
    walked += to_text(*result.find("Items"));
    const Json* next = result.find("NextCursor");
    if (next == nullptr) break;
    const std::string body = R"({"AppId":"a","Limit":2,"Cursor":)" + to_text(*next) + "}";
    constexpr auto fields =
        std::to_array<FieldRule>({{"Limit", FieldType::Integer, FieldUse::Optional, ""},
                                  {"Cursor", FieldType::Text, FieldUse::Optional, ""}});
    page = *read_page(*Args::from_body(*parse_json(body), fields, Unknown::Ignored));
  }
  EXPECT_EQ(walked, R"(["a","b"]["c","d"]["e"])");
}

}  // namespace
}  // namespace atrium::openapi
