// Who was not told is told on return, once at the front door, always at the back door.
#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

class TombstonesTest : public RegistryTest {
 protected:
  // A user whose room was dismissed while it was reconnecting.
  Person missed_the_dismissal(const std::string& user) {
    const Person person = enter(user);
    lose_signal(person);
    const OperationId operation = only<PersistDismissal>(dismiss()).record.operation;
    stored(operation);
    cut(person.room_sid);
    closed(person.room_sid);
    stored(operation);
    return person;
  }
  static Tombstone stored_tombstone(const std::string& user, Wall expires_at) {
    return {.app = AppId(kApp),
            .room = RoomId(kRoom),
            .room_sid = RoomSid("RM_former"),
            .participant = ParticipantSid("PA_" + user),
            .user = UserId(user),
            .token_hash = token(user + "@" + kRoom),
            .operation = OperationId("OP_former"),
            .code = ClientCode::RoomDismiss,
            .expires_at = expires_at};
  }
};

TEST_F(TombstonesTest, resume_meets_the_code_and_the_operation) {
  const Person ann = missed_the_dismissal("ann");
  const Notice notice = only<ResumeMeetsTombstone>(resume(ann)).notice;
  EXPECT_EQ(notice.code, ClientCode::RoomDismiss);
  EXPECT_EQ(notice.name, "ROOM_DISMISS");
  EXPECT_FALSE(notice.operation.empty());
}

TEST_F(TombstonesTest, answer_to_a_resume_may_get_lost_so_it_is_given_again) {
  const Person ann = missed_the_dismissal("ann");
  resume(ann);
  EXPECT_EQ(count_of<ResumeMeetsTombstone>(resume(ann)), 1u);
}

TEST_F(TombstonesTest, same_token_is_refused_once) {
  missed_the_dismissal("ann");
  const JoinRefused refused = only<JoinRefused>(apply(Join{new_connection(), joiner("ann")}));
  EXPECT_EQ(refused.code, ClientCode::RoomDismiss);
  EXPECT_FALSE(refused.retry_later);
  EXPECT_EQ(count_of<JoinAccepted>(apply(Join{new_connection(), joiner("ann")})), 1u);
}

TEST_F(TombstonesTest, refused_join_does_not_use_up_the_answer_to_a_resume) {
  const Person ann = missed_the_dismissal("ann");
  apply(Join{new_connection(), joiner("ann")});
  EXPECT_EQ(count_of<ResumeMeetsTombstone>(resume(ann)), 1u);
}

TEST_F(TombstonesTest, another_token_of_the_user_may_join_at_once) {
  missed_the_dismissal("ann");
  Joiner fresh = joiner("ann");
  fresh.token_hash = token("another");
  EXPECT_EQ(count_of<JoinAccepted>(apply(Join{new_connection(), fresh})), 1u);
}

TEST_F(TombstonesTest, same_token_is_free_for_other_rooms_and_users) {
  missed_the_dismissal("ann");
  Joiner elsewhere = joiner("ann", "room2");
  elsewhere.token_hash = joiner("ann").token_hash;
  EXPECT_EQ(count_of<JoinAccepted>(apply(Join{new_connection(), elsewhere})), 1u);
  Joiner other = joiner("bob");
  other.token_hash = joiner("ann").token_hash;
  EXPECT_EQ(count_of<JoinAccepted>(apply(Join{new_connection(), other})), 1u);
}

TEST_F(TombstonesTest, resume_with_anothers_token_learns_nothing) {
  const Person ann = missed_the_dismissal("ann");
  EXPECT_EQ(count_of<ResumeUnknown>(apply(Resume{new_connection(), ann.sid, joiner("bob")})), 1u);
}

TEST_F(TombstonesTest, tombstones_expire) {
  const Person ann = missed_the_dismissal("ann");
  after(60s);
  EXPECT_EQ(registry_.counts().tombstones, 0u);
  EXPECT_EQ(count_of<ResumeUnknown>(resume(ann)), 1u);
  EXPECT_EQ(count_of<JoinAccepted>(apply(Join{new_connection(), joiner("ann")})), 1u);
}

TEST_F(TombstonesTest, refused_join_displaces_nobody) {
  missed_the_dismissal("ann");
  Joiner fresh = joiner("ann");
  fresh.token_hash = token("another");
  const Person inside = enter(fresh);
  EXPECT_EQ(count_of<JoinRefused>(apply(Join{new_connection(), joiner("ann")})), 1u);
  EXPECT_TRUE(view_of(inside).has_value());
}

TEST_F(TombstonesTest, who_was_told_may_join_with_the_same_token) {
  const Person ann = enter("ann");
  dismiss();
  cut(ann.room_sid);
  apply(NoticeAcked{ann.sid});
  apply(LeaveWritten{ann.sid});
  EXPECT_EQ(count_of<JoinAccepted>(apply(Join{new_connection(), joiner("ann")})), 1u);
}

TEST_F(TombstonesTest, restart_keeps_them_for_what_is_left_of_their_time) {
  apply(RestoreTombstones{
      {stored_tombstone("ann", now_.wall + 10s), stored_tombstone("bob", now_.wall)}});
  EXPECT_EQ(registry_.counts().tombstones, 1u);
  EXPECT_EQ(count_of<ResumeMeetsTombstone>(
                apply(Resume{new_connection(), ParticipantSid("PA_ann"), joiner("ann")})),
            1u);
  after(10s);
  EXPECT_EQ(registry_.counts().tombstones, 0u);
}

TEST_F(TombstonesTest, wall_clock_set_back_before_a_restart_prolongs_nothing) {
  apply(RestoreTombstones{{stored_tombstone("ann", now_.wall + std::chrono::hours(3))}});
  after(60s);
  EXPECT_EQ(registry_.counts().tombstones, 0u);
}

TEST_F(TombstonesTest, table_is_bounded_and_the_soonest_to_expire_goes_first) {
  RestoreTombstones many;
  for (int64_t i = 0; i < limits::kTombstonesMax; ++i)
    many.tombstones.push_back(stored_tombstone("u" + std::to_string(i), now_.wall + 20s));
  many.tombstones.push_back(stored_tombstone("soon", now_.wall + 10s));
  many.tombstones.push_back(stored_tombstone("last", now_.wall + 20s));
  registry_.apply(std::move(many), now_);
  EXPECT_EQ(registry_.counts().tombstones, static_cast<uint64_t>(limits::kTombstonesMax));
  EXPECT_EQ(count_of<ResumeUnknown>(
                apply(Resume{new_connection(), ParticipantSid("PA_soon"), joiner("soon")})),
            1u);
  EXPECT_EQ(count_of<ResumeMeetsTombstone>(
                apply(Resume{new_connection(), ParticipantSid("PA_last"), joiner("last")})),
            1u);
}

}  // namespace
}  // namespace atrium::domain
