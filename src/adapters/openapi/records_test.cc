// ListEvents and ListAudit through the gateway: what they ask of the store, and how they show its answer.
#include <gmock/gmock.h>

#include "adapters/openapi/gateway_fixture.h"

namespace atrium::openapi {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

domain::Reason dismissed() {
  return {.why = domain::LeaveReason::RoomDismissed,
          .number = -1011,
          .name = "ROOM_DISMISS",
          .text = "the lesson is over",
          .operation = OperationId(kOperation),
          .operator_id = "AKLTmanager"};
}

domain::StoredEvent event(int64_t cursor, domain::EventKind kind) {
  domain::StoredEvent stored{.cursor = cursor, .sequence = cursor - 10, .event = {}};
  stored.event.id = EventId("EV_" + std::to_string(10'000'000'000'000'000 + cursor));
  stored.event.kind = kind;
  stored.event.app = AppId(kOwnApp);
  stored.event.room = RoomId("room-1");
  stored.event.room_sid = RoomSid("RM_abcdefghijklmnopq");
  stored.event.at = kNow.wall;
  if (kind == domain::EventKind::RoomStarted || kind == domain::EventKind::RoomEnded) return stored;
  stored.event.participant = ParticipantSid("PA_abcdefghijklmnopq");
  stored.event.user = UserId("ann");
  stored.event.with.kind = domain::DeviceKind::Web;
  return stored;
}

class RecordActionsTest : public OwnActionsTest {
 protected:
  std::string wrong(std::string_view action, std::string_view fields) {
    return message_of(get(action, fields));
  }
};

// --- events --------------------------------------------------------------------------------------

TEST_F(RecordActionsTest, events_are_asked_for_from_the_beginning_from_a_time_or_on_from_a_cursor) {
  const auto all = question<FindEventsPage>("ListEvents", "").query;
  EXPECT_EQ(all.app, AppId(kOwnApp));
  EXPECT_TRUE(all.room.empty());
  EXPECT_EQ(all.after_cursor, 0);
  EXPECT_FALSE(all.since.has_value());
  EXPECT_EQ(all.limit, 100u);
  const auto since =
      question<FindEventsPage>("ListEvents", "&RoomId=room-1&Since=2024-01-02T03:04:05Z&Limit=1000")
          .query;
  EXPECT_EQ(since.room, RoomId("room-1"));
  EXPECT_EQ(since.since, wall_from_unix_s(1'704'164'645));
  EXPECT_EQ(since.limit, 1'000u);
  // Nothing yet: the cursor remembers from when.
  const domain::EventsPage none{.events = {}, .oldest_cursor = 1};
  const std::string cursor =
      text_at(body_of(gateway.on_events(waiting(), &none)), {"Result", "NextCursor"});
  const auto on = question<FindEventsPage>("ListEvents", "&Cursor=" + cursor).query;
  EXPECT_EQ(on.since, since.since);
  EXPECT_EQ(on.after_cursor, 0);
}

TEST_F(RecordActionsTest, events_of_every_kind_are_shown_and_read_on_behind_the_last) {
  question<FindEventsPage>("ListEvents", "");
  using enum domain::EventKind;
  domain::EventsPage page{.events = {}, .oldest_cursor = 11};
  int64_t cursor = 10;
  for (const auto kind :
       {RoomStarted, UserJoined, TrackPublished, TrackUnpublished, UserLeft, RoomEnded})
    page.events.push_back(event(++cursor, kind));
  for (const size_t i : {2u, 3u}) {
    page.events[i].event.track = TrackSid("TR_abcdefghijklmnopq");
    page.events[i].event.track_kind = domain::TrackKind::Video;
    page.events[i].event.source = domain::TrackSource::Camera;
  }
  page.events[4].event.stayed = 90s + 1ms;
  page.events[4].event.reason = page.events[5].event.reason = dismissed();
  const Response response = gateway.on_events(waiting(), &page);
  expect_golden("list_events", response);
  const std::string next = text_at(body_of(response), {"Result", "NextCursor"});
  EXPECT_EQ(question<FindEventsPage>("ListEvents", "&Cursor=" + next).query.after_cursor, 16);
  EXPECT_EQ(code_of(gateway.on_events(waiting(), nullptr)), "InternalError");
}

TEST_F(RecordActionsTest, reader_who_comes_too_late_is_told_that_events_are_gone) {
  const domain::EventsPage page{.events = {event(20, domain::EventKind::RoomStarted)},
                                .oldest_cursor = 20};
  question<FindEventsPage>("ListEvents", "&Cursor=" + position_text({.after = 18}));
  const Response late = gateway.on_events(waiting(), &page);
  expect_golden("list_events_lost", late);
  const std::string oldest = text_at(body_of(late), {"Result", "OldestCursor"});
  EXPECT_EQ(question<FindEventsPage>("ListEvents", "&Cursor=" + oldest).query.after_cursor, 19);
  question<FindEventsPage>("ListEvents", "&Cursor=" + position_text({.after = 19}));
  EXPECT_EQ(result_of(gateway.on_events(waiting(), &page)).find("Lost"), std::string::npos)
      << "the next one is there";
  question<FindEventsPage>("ListEvents", "");
  EXPECT_EQ(result_of(gateway.on_events(waiting(), &page)).find("Lost"), std::string::npos)
      << "nothing had been read before";
}

TEST_F(RecordActionsTest, what_is_wrong_with_a_question_for_events_is_named) {
  for (const char* limit : {"&Limit=0", "&Limit=1001", "&Limit=-5"})
    EXPECT_EQ(wrong("ListEvents", limit), "Limit must be 1 to 1000.") << limit;
  EXPECT_EQ(wrong("ListEvents", "&Limit=many"), "Limit must be an integer.");
  EXPECT_THAT(wrong("ListEvents", "&Since=yesterday"), StartsWith("Since must be a time of RFC"));
  EXPECT_THAT(wrong("ListEvents", "&Cursor=%2A"), StartsWith("Cursor must be the NextCursor"));
  EXPECT_THAT(wrong("ListEvents", "&RoomId=a%20b"), StartsWith("RoomId must be"));
  EXPECT_EQ(wrong("ListEvents", "&Limit=1&Limit=2"), "Limit was given twice.");
}

// --- audit ---------------------------------------------------------------------------------------

TEST_F(RecordActionsTest, audit_is_asked_for_by_account_app_operation_action_and_time) {
  const auto all = question<FindAuditPage>("ListAudit", "").query;
  EXPECT_EQ(all.account, "account-1");
  EXPECT_EQ(all.app, AppId(kOwnApp));
  EXPECT_FALSE(all.operation || all.from || all.until);
  EXPECT_EQ(all.limit, 50u);
  const auto some =
      question<FindAuditPage>("ListAudit",
                              "&OperationId=OP_abcdefghijklmnopq&ActionName=DismissRoom"
                              "&Since=2024-01-02T03:04:05Z&Until=2024-01-02T04:04:05Z&Limit=1000")
          .query;
  EXPECT_EQ(some.operation, OperationId(kOperation));
  EXPECT_EQ(some.action, "DismissRoom");
  EXPECT_EQ(*some.until - *some.from, std::chrono::hours(1));
  EXPECT_EQ(some.limit, 1'000u);
}

TEST_F(RecordActionsTest, audit_of_the_whole_account_needs_no_app) {
  outcome = send(signed_request("GET", url("ListAudit", kVersionOwn), ""));
  const auto& query = std::get<FindAuditPage>(std::get<StoreCall>(outcome).question).query;
  EXPECT_EQ(query.account, "account-1");
  EXPECT_TRUE(query.app.empty());
}

TEST_F(RecordActionsTest, audit_records_are_shown_with_what_is_known_of_each) {
  question<FindAuditPage>("ListAudit", "");
  domain::AuditPage page;
  domain::StoredAudit& accepted = page.records.emplace_back();
  accepted.sequence = 41;
  accepted.mac.fill(0xab);
  accepted.entry = {.phase = domain::AuditPhase::Accepted,
                    .at = kNow.wall,
                    .account = "account-1",
                    .access_key = "AKLTmanager",
                    .action = "DismissRoom",
                    .version = "2026-12-01",
                    .app = AppId(kOwnApp),
                    .room = RoomId("room-1"),
                    .operation = OperationId(kOperation),
                    .request_id = "20240102030405000000000000000000",
                    .source = "192.0.2.7",
                    .body_hash = sha256(as_bytes("body")),
                    .is_dry_run = true,
                    .is_replay = true,
                    .reason = dismissed()};
  page.records.push_back(accepted);
  page.records[1].sequence = 42;
  page.records[1].entry.phase = domain::AuditPhase::Finished;
  page.records[1].entry.door = domain::AuditDoor::Timer;
  page.records[1].entry.status = 500;
  page.records[1].entry.outcome = "InternalError";
  domain::StoredAudit& counted = page.records.emplace_back();
  counted.sequence = 43;
  counted.entry = {.phase = domain::AuditPhase::Counted,
                   .door = domain::AuditDoor::Twirp,
                   .at = kNow.wall,
                   .source = "192.0.2.8",
                   .count = 12};
  page.looked_until = 43;
  page.has_more = true;
  const Response response = gateway.on_audit(waiting(), &page);
  expect_golden("list_audit", response);
  const std::string next = text_at(body_of(response), {"Result", "NextCursor"});
  EXPECT_EQ(question<FindAuditPage>("ListAudit", "&Cursor=" + next).query.after_sequence, 43);
  page.records.clear();
  EXPECT_EQ(text_at(body_of(gateway.on_audit(waiting(), &page)), {"Result", "NextCursor"}), next)
      << "nothing new: the same place";
  EXPECT_EQ(code_of(gateway.on_audit(waiting(), nullptr)), "InternalError");
}

TEST_F(RecordActionsTest, what_is_wrong_with_a_question_for_the_audit_is_named) {
  for (const char* limit : {"&Limit=0", "&Limit=1001"})
    EXPECT_EQ(wrong("ListAudit", limit), "Limit must be 1 to 1000.") << limit;
  EXPECT_EQ(wrong("ListAudit", "&OperationId=OP_1"),
            "OperationId must be OP_ and 17 letters and digits.");
  EXPECT_THAT(wrong("ListAudit", "&Since=1"), StartsWith("Since must be a time"));
  EXPECT_THAT(wrong("ListAudit", "&Until=1"), StartsWith("Until must be a time"));
  EXPECT_THAT(wrong("ListAudit", "&Cursor=!"), StartsWith("Cursor must be the NextCursor"));
  const std::string foreign = "&AppId=" + std::string(kForeignApp);
  EXPECT_EQ(code_of(ask(signed_request("GET", url("ListAudit", kVersionOwn, foreign), ""))),
            "InvalidParameter.AccountIdMismatch");
}

}  // namespace
}  // namespace atrium::openapi
