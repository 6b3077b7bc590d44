// Stands in until the desk is there; removed with it.
#include "base/check.h"
#include "domain/core.h"

namespace atrium::domain {
void on(Core&, const OpenRoom&) {
  CHECK(false);
}
void on(Core&, const ChangeRoomMetadata&) {
  CHECK(false);
}
void on(Core&, const ChangeParticipant&) {
  CHECK(false);
}
void on(Core&, const MuteByServer&) {
  CHECK(false);
}
void on(Core&, const SubscribeByServer&) {
  CHECK(false);
}
}  // namespace atrium::domain
