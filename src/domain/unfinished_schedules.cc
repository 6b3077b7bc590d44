// Stands in until the desk is there; removed with it.
#include "base/check.h"
#include "domain/core.h"

namespace atrium::domain {
void on(Core&, const ScheduleDismissal&) {
  CHECK(false);
}
void on(Core&, const ExtendDismissal&) {
  CHECK(false);
}
void on(Core&, const CancelDismissal&) {
  CHECK(false);
}
void on(Core&, const RestoreSchedules&) {
  CHECK(false);
}
void on(Core&, const SetRoomPolicy&) {
  CHECK(false);
}
void on(Core&, const RestorePolicies&) {
  CHECK(false);
}
void on_schedule_warning(Core&, const std::string&) {
  CHECK(false);
}
void on_schedule_due(Core&, const std::string&) {
  CHECK(false);
}
void on_schedule_orphaned(Core&, const std::string&) {
  CHECK(false);
}
void on_policy_due(Core&, const std::string&) {
  CHECK(false);
}
}  // namespace atrium::domain
