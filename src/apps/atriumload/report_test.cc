// What is called a fault, and when the generator says that it was itself the limit.
#include "apps/atriumload/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atrium::load {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Found quiet_run() {
  Found found;
  found.measured = std::chrono::seconds(10);
  found.joining = std::chrono::seconds(1);
  found.worker_cpu_permille = {300};
  found.all.joins.started = found.all.joins.complete = 10;
  found.all.flow_end = {
      .rtp_sent = 100, .rtp_received = 1'000'000, .rtp_received_bytes = 1'000'000'000};
  found.server = ProcessUsage{.user_us = 1'500'000,
                              .system_us = 500'000,
                              .resident_bytes = 1,
                              .thread_us = {{"shard-0", 2'000'000}}};
  found.machine = {.busy = 60, .idle = 40};
  return found;
}

TEST(Report, a_sound_run_has_no_faults_and_no_limits) {
  const boost::json::object report = report_of({}, quiet_run());
  EXPECT_THAT(limits_of(quiet_run()), IsEmpty());
  EXPECT_THAT(faults_of({}, quiet_run()), IsEmpty());
  EXPECT_FALSE(report.at("generator_limited").as_bool());
}

TEST(Report, cpu_seconds_of_the_server_are_per_million_forwarded_packets) {
  const boost::json::object report = report_of({}, quiet_run());
  EXPECT_DOUBLE_EQ(report.at("server").at("cpu_s").as_double(), 2.0);
  EXPECT_DOUBLE_EQ(report.at("server").at("cpu_s_per_million_forwarded").as_double(), 2.0);
  EXPECT_DOUBLE_EQ(report.at("server").at("cpu_s_per_gigabit_forwarded").as_double(), 0.25);
  EXPECT_DOUBLE_EQ(report.at("server").at("threads_cpu_s").at("shard-0").as_double(), 2.0);
  EXPECT_DOUBLE_EQ(report.at("generator").at("machine_idle_percent").as_double(), 40.0);
}

TEST(Report, each_limit_of_the_generator_is_told) {
  Found found = quiet_run();
  found.worker_cpu_permille = {100, 980};
  EXPECT_THAT(limits_of(found), ElementsAre(HasSubstr("thread 1 of the generator was busy 98 %")));
  found = quiet_run();
  for (int i = 0; i < 98; ++i) found.all.generator.late_us.add(100);
  EXPECT_THAT(limits_of(found), IsEmpty());
  found.all.generator.late_us.add(30'000), found.all.generator.late_us.add(30'000);
  EXPECT_THAT(limits_of(found), ElementsAre(HasSubstr("late")));
  found = quiet_run();
  found.all.generator.socket_drops = 3;
  EXPECT_THAT(limits_of(found), ElementsAre(HasSubstr("3 datagrams found their socket full")));
  found = quiet_run();
  found.all.generator.send_drops = 1, found.all.generator.skipped_frames = 2;
  EXPECT_EQ(limits_of(found).size(), 2u);
  found = quiet_run();
  found.all.generator.turn_us.add(80'000);
  EXPECT_THAT(limits_of(found), ElementsAre(HasSubstr("turns")));
}

TEST(Report, damage_and_failed_joins_are_faults_and_loss_is_none) {
  Found found = quiet_run();
  found.all.quality.lost = 5;
  EXPECT_THAT(faults_of({}, found), IsEmpty());
  found.all.quality.corrupted = 1;
  found.all.joins.failed = 2;
  EXPECT_THAT(faults_of({}, found), ElementsAre(HasSubstr("2 joins failed"),
                                                HasSubstr("1 packets of media were corrupted")));
}

TEST(Report, to_be_sent_away_is_a_fault_unless_the_room_was_to_be_dismissed) {
  Found found = quiet_run();
  found.all.close_codes[4011] = 10;
  EXPECT_THAT(faults_of({}, found), ElementsAre(HasSubstr("10 clients were sent away")));
  Settings dismissal;
  dismissal.scenario = Scenario::Dismissal;
  EXPECT_THAT(faults_of(dismissal, found), IsEmpty());
  found.all.dismissal.silent = 1, found.all.dismissal.media_after_notice = 4;
  EXPECT_EQ(faults_of(dismissal, found).size(), 2u);
}

TEST(Report, the_table_has_the_numbers_of_the_json_and_says_loudly_whose_they_are) {
  Found found = quiet_run();
  found.all.generator.socket_drops = 7;
  const std::string table = table_of(report_of({}, found));
  EXPECT_THAT(table, HasSubstr("server.cpu_s_per_million_forwarded"));
  EXPECT_THAT(table, HasSubstr("THE GENERATOR WAS THE BOTTLENECK"));
  EXPECT_THAT(table, HasSubstr("7 datagrams found their socket full"));
}

TEST(Usage, threads_that_came_later_count_from_nothing) {
  const ProcessUsage before{
      .user_us = 10, .system_us = 1, .resident_bytes = 5, .thread_us = {{"a", 4}}};
  const ProcessUsage after{
      .user_us = 30, .system_us = 2, .resident_bytes = 7, .thread_us = {{"a", 9}, {"b", 3}}};
  const ProcessUsage used = between(before, after);
  EXPECT_EQ(used.user_us, 20u);
  EXPECT_EQ(used.resident_bytes, 7u);
  EXPECT_EQ(used.thread_us.at("a"), 5u);
  EXPECT_EQ(used.thread_us.at("b"), 3u);
}

TEST(Usage, nobody_is_nothing) {
  EXPECT_FALSE(read_process(-1));
}

}  // namespace
}  // namespace atrium::load
