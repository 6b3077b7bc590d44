// Webhooks: in force when the store has them, bounded, and each app's own.
#include "base/limits.h"
#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

class WebhooksTest : public RegistryTest {
 protected:
  static Webhook wanted(const std::string& url = "https://a.example/hook",
                        const std::string& app = kApp) {
    Webhook webhook;
    webhook.app = AppId(app);
    webhook.dialect = WebhookDialect::LiveKit;
    webhook.url = url;
    return webhook;
  }
  static Webhook callback(const std::string& business) {
    Webhook webhook = wanted();
    webhook.dialect = WebhookDialect::Vendor;
    webhook.business = business;
    return webhook;
  }
  Effects put(Webhook webhook) {
    return apply(PutWebhook{WaiterId{++waiter_}, std::move(webhook)});
  }
  Effects drop(const WebhookId& webhook, const std::string& app = kApp) {
    return apply(DropWebhook{WaiterId{++waiter_}, AppId(app), webhook});
  }
  Effects store_all(const Effects& effects, bool is_ok = true) {
    return stored(only<PersistWebhook>(effects).operation, is_ok);
  }
  Webhook made(Webhook webhook) {
    return *only<ActionReply>(store_all(put(std::move(webhook)))).webhook;
  }
  ActionOutcome outcome(const Effects& effects) { return only<ActionReply>(effects).outcome; }
  const Webhooks& known() const { return registry_.webhooks(); }

  uint64_t waiter_ = 100;
};

TEST_F(WebhooksTest, new_one_gets_an_id_and_is_in_force_once_it_is_stored) {
  const Effects asked = put(wanted());
  EXPECT_TRUE(all_of<ActionReply>(asked).empty());
  const Webhook written = only<PersistWebhook>(asked).webhook;
  EXPECT_EQ(written.id.value.substr(0, 3), "WH_");
  EXPECT_EQ(written.created_at, now_.wall);
  EXPECT_EQ(written.updated_at, now_.wall);
  EXPECT_TRUE(known().list(AppId(kApp)).empty()) << "not stored yet";
  const ActionReply reply = only<ActionReply>(store_all(asked));
  EXPECT_EQ(reply.outcome, ActionOutcome::Done);
  ASSERT_NE(reply.webhook, nullptr);
  EXPECT_EQ(*reply.webhook, written);
  ASSERT_NE(known().find(written.id), nullptr);
  EXPECT_EQ(*known().find(written.id), written);
}

TEST_F(WebhooksTest, one_that_the_store_refuses_is_not_there_and_takes_no_place) {
  EXPECT_EQ(outcome(store_all(put(wanted()), false)), ActionOutcome::RecordFailed);
  EXPECT_EQ(known().size(), 0u);
}

TEST_F(WebhooksTest, change_holds_once_it_is_stored_and_keeps_when_it_was_made) {
  Webhook webhook = made(wanted());
  const Wall made_at = now_.wall;
  after(5s);
  webhook.url = "https://b.example/";
  const Effects asked = put(webhook);
  EXPECT_EQ(known().find(webhook.id)->url, "https://a.example/hook");
  store_all(asked);
  EXPECT_EQ(known().find(webhook.id)->url, "https://b.example/");
  EXPECT_EQ(known().find(webhook.id)->created_at, made_at);
  EXPECT_EQ(known().find(webhook.id)->updated_at, now_.wall);
}

TEST_F(WebhooksTest, change_that_the_store_refuses_leaves_it_as_it_was) {
  Webhook webhook = made(wanted());
  webhook.url = "https://b.example/";
  EXPECT_EQ(outcome(store_all(put(webhook), false)), ActionOutcome::RecordFailed);
  ASSERT_NE(known().find(webhook.id), nullptr);
  EXPECT_EQ(known().find(webhook.id)->url, "https://a.example/hook");
}

TEST_F(WebhooksTest, one_of_another_app_cannot_be_changed_or_dropped) {
  Webhook webhook = made(wanted());
  webhook.app = AppId("app2");
  const Effects stolen = put(webhook);
  EXPECT_EQ(outcome(stolen), ActionOutcome::NotThere);
  EXPECT_EQ(count_of<PersistWebhook>(stolen), 0u);
  EXPECT_EQ(outcome(drop(webhook.id, "app2")), ActionOutcome::NotThere);
  EXPECT_EQ(known().find(webhook.id)->app, AppId(kApp));
}

TEST_F(WebhooksTest, dropped_one_is_gone_when_the_store_let_it_go) {
  const Webhook webhook = made(wanted());
  const Effects asked = drop(webhook.id);
  EXPECT_TRUE(only<PersistWebhook>(asked).is_dropped);
  EXPECT_NE(known().find(webhook.id), nullptr);
  EXPECT_EQ(outcome(put(webhook)), ActionOutcome::NotThere) << "it is on its way out";
  EXPECT_EQ(outcome(drop(webhook.id)), ActionOutcome::NotThere);
  EXPECT_EQ(outcome(store_all(asked)), ActionOutcome::Done);
  EXPECT_EQ(known().find(webhook.id), nullptr);
  EXPECT_EQ(known().size(), 0u);
}

TEST_F(WebhooksTest, one_that_the_store_keeps_can_be_dropped_again) {
  const Webhook webhook = made(wanted());
  EXPECT_EQ(outcome(store_all(drop(webhook.id), false)), ActionOutcome::RecordFailed);
  ASSERT_NE(known().find(webhook.id), nullptr);
  EXPECT_EQ(outcome(store_all(drop(webhook.id))), ActionOutcome::Done);
}

TEST_F(WebhooksTest, drop_behind_a_change_on_its_way_wins) {
  const Webhook webhook = made(wanted());
  const Effects changed = put(webhook), dropped = drop(webhook.id);
  store_all(changed);
  store_all(dropped);
  EXPECT_EQ(known().size(), 0u);
}

TEST_F(WebhooksTest, an_app_has_no_more_than_its_limit_and_those_on_their_way_count) {
  std::vector<Effects> asked;
  for (int i = 0; i < limits::kWebhooksPerAppMax; ++i) asked.push_back(put(wanted()));
  EXPECT_EQ(outcome(put(wanted())), ActionOutcome::TooMany);
  made(wanted("https://a.example/", "app2"));
  store_all(asked.front(), false);
  made(wanted());
  EXPECT_EQ(outcome(put(wanted())), ActionOutcome::TooMany);
}

TEST_F(WebhooksTest, all_apps_together_have_no_more_than_their_limit) {
  RestoreWebhooks command;
  for (int i = 0; i < limits::kWebhooksMax; ++i) {
    command.webhooks.push_back(wanted("https://a.example/", "app-" + std::to_string(i)));
    command.webhooks.back().id = WebhookId("WH_" + std::to_string(i));
  }
  apply(std::move(command));
  EXPECT_EQ(outcome(put(wanted())), ActionOutcome::TooMany);
  store_all(drop(WebhookId("WH_7"), "app-7"));
  made(wanted());
}

TEST_F(WebhooksTest, a_business_id_has_one_callback_even_while_it_is_on_its_way) {
  const Effects first = put(callback("b"));
  EXPECT_EQ(outcome(put(callback("b"))), ActionOutcome::Exists);
  store_all(first);
  EXPECT_EQ(outcome(put(callback("b"))), ActionOutcome::Exists);
  made(callback(""));
  made(wanted());
  ASSERT_NE(known().find_callback(AppId(kApp), "b"), nullptr);
  Webhook same = *known().find_callback(AppId(kApp), "b");
  EXPECT_EQ(outcome(store_all(put(same))), ActionOutcome::Done) << "it may keep its own";
  same.business = "";
  same.dialect = WebhookDialect::LiveKit;
  const Webhook kept = *only<ActionReply>(store_all(put(same))).webhook;
  EXPECT_EQ(kept.business, "b") << "it stays what it was made for";
  EXPECT_EQ(kept.dialect, WebhookDialect::Vendor);
}

TEST_F(WebhooksTest, what_was_restored_is_in_force_and_listed_by_id) {
  Webhook one = wanted(), two = wanted();
  one.id = WebhookId("WH_1"), two.id = WebhookId("WH_2");
  apply(RestoreWebhooks{{two, one}});
  const auto listed = known().list(AppId(kApp));
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed[0]->id, WebhookId("WH_1"));
  EXPECT_EQ(known().count(AppId("app2")), 0u);
}

}  // namespace
}  // namespace atrium::domain
