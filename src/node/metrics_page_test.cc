// What the page says of webhooks: the sums of all, and by name those that are furthest behind.
#include "node/metrics_page.h"

#include <gmock/gmock.h>

namespace atrium::node {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

WebhookFigures figures(int number, uint64_t waiting, Duration lag) {
  return {.webhook = WebhookId("WH_" + std::to_string(number)),
          .health = waiting == 0 ? webhook::WebhookHealth::Well : webhook::WebhookHealth::Probed,
          .waiting = waiting,
          .dead_letters = 2,
          .lag = lag};
}

TEST(MetricsPage, names_the_destinations_that_are_furthest_behind_and_counts_all) {
  MetricsInput input;
  for (int i = 0; i < 150; ++i) input.webhooks.push_back(figures(i, 10, std::chrono::seconds(i)));
  input.webhooks.push_back(figures(1'000, 0, 0s));
  input.deliveries = {.delivered = 7, .failed = 8, .dead = 9};
  const std::string page = metrics_text(input);
  EXPECT_THAT(page, HasSubstr("atrium_webhook_lag_seconds{webhook=\"WH_149\"} 149\n"));
  EXPECT_THAT(page, HasSubstr("atrium_webhook_lag_seconds{webhook=\"WH_50\"} 50\n"));
  EXPECT_THAT(page, Not(HasSubstr("{webhook=\"WH_49\"}")));
  EXPECT_THAT(page, Not(HasSubstr("WH_1000")));
  EXPECT_THAT(page, HasSubstr("atrium_webhook_waiting_events{webhook=\"WH_149\"} 10\n"));
  EXPECT_THAT(page, HasSubstr("atrium_webhooks{state=\"well\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("atrium_webhooks{state=\"probed\"} 150\n"));
  EXPECT_THAT(page, HasSubstr("atrium_webhook_dead_letters 302\n"));
  EXPECT_THAT(page, HasSubstr("atrium_webhook_deliveries_total{result=\"delivered\"} 7\n"));
  EXPECT_THAT(page, HasSubstr("atrium_webhook_deliveries_total{result=\"failed\"} 8\n"));
  EXPECT_THAT(page, HasSubstr("atrium_webhook_deliveries_total{result=\"dead\"} 9\n"));
}

}  // namespace
}  // namespace atrium::node
