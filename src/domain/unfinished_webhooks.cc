// Stands in until the desk is there; removed with it.
#include "base/check.h"
#include "domain/core.h"

namespace atrium::domain {
void on(Core&, const PutWebhook&) {
  CHECK(false);
}
void on(Core&, const DropWebhook&) {
  CHECK(false);
}
void on(Core&, const RestoreWebhooks&) {
  CHECK(false);
}
}  // namespace atrium::domain
