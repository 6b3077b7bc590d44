// Applications: made, changed, switched off; what the store refuses is taken back.
#include "base/limits.h"
#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

class AppsTest : public RegistryTest {
 protected:
  static constexpr const char* kId = "a7e100000000000000000009";

  Effects create(const std::string& id = "", const std::string& account = "acc") {
    CreateApp command{.waiter = WaiterId{++waiter_}, .app = {}};
    command.app.id = AppId(id);
    command.app.account = account;
    command.app.name = "app";
    return apply(std::move(command));
  }
  Effects store_all(const Effects& effects, bool is_ok = true) {
    return stored(only<PersistApp>(effects).operation, is_ok);
  }
  ChangeApp change_of(const char* app) {
    ChangeApp command;
    command.waiter = WaiterId{++waiter_};
    command.app = AppId(app);
    return command;
  }
  Effects enable(const char* app, bool is_enabled) {
    ChangeApp command = change_of(app);
    command.enabled = is_enabled;
    return apply(std::move(command));
  }
  Effects add_key(const char* app, ApiKey key) {
    ChangeApp command = change_of(app);
    command.add_key = std::move(key);
    return apply(std::move(command));
  }
  Effects knock_in_vain(const std::string& user) {
    return apply(Join{new_connection(), joiner(user)});
  }
  const App* find(const std::string& id) const { return registry_.apps().find(AppId(id)); }
  App known_app(const char* id = kApp) {
    App app;
    app.id = AppId(id);
    app.account = "acc";
    app.primary_key = "key";
    return app;
  }

  uint64_t waiter_ = 100;
};

TEST_F(AppsTest, new_one_gets_id_and_keys_and_can_be_used_once_it_is_stored) {
  const Effects made = create();
  EXPECT_TRUE(all_of<ActionReply>(made).empty());
  const PersistApp write = only<PersistApp>(made);
  EXPECT_TRUE(write.is_new);
  EXPECT_EQ(write.app.id.value.size(), 24u);
  EXPECT_EQ(write.app.primary_key.size(), 32u);
  EXPECT_NE(write.app.primary_key, write.app.secondary_key);
  EXPECT_EQ(find(write.app.id.value), nullptr) << "not stored yet";
  const ActionReply reply = only<ActionReply>(store_all(made));
  EXPECT_EQ(reply.outcome, ActionOutcome::Done);
  ASSERT_NE(reply.app, nullptr);
  EXPECT_EQ(*reply.app, write.app);
  ASSERT_NE(find(write.app.id.value), nullptr);
}

TEST_F(AppsTest, one_that_the_store_refuses_is_not_there_and_its_id_is_free) {
  const Effects made = create(kId);
  EXPECT_EQ(only<ActionReply>(create(kId)).outcome, ActionOutcome::Exists) << "on its way";
  EXPECT_EQ(only<ActionReply>(store_all(made, false)).outcome, ActionOutcome::RecordFailed);
  EXPECT_EQ(find(kId), nullptr);
  store_all(create(kId));
  EXPECT_NE(find(kId), nullptr);
}

TEST_F(AppsTest, an_account_has_no_more_than_its_limit_and_another_has_its_own) {
  for (int i = 0; i < limits::kAppsPerAccountMax; ++i) store_all(create());
  EXPECT_EQ(only<ActionReply>(create()).outcome, ActionOutcome::TooManyApps);
  store_all(create("", "other"));
  EXPECT_EQ(registry_.apps().list("acc").size(), size_t{limits::kAppsPerAccountMax});
  EXPECT_EQ(registry_.apps().list("other").size(), 1u);
}

TEST_F(AppsTest, switched_off_ends_its_rooms_as_dismissals_and_lets_nobody_in) {
  apply(RestoreApps{{known_app()}});
  const Person ann = enter("ann"), bob = enter(joiner("bob", "other-room"));
  const Effects off = enable(kApp, false);
  EXPECT_EQ(count_of<CutRoom>(off), 2u);
  EXPECT_EQ(count_of<PersistDismissal>(off), 2u);
  for (const CutRoom& cut : all_of<CutRoom>(off))
    EXPECT_EQ(cut.notice.code, ClientCode::RoomDismiss);
  EXPECT_EQ(only<JoinRefused>(knock_in_vain("eve")).code, ClientCode::JoinRoom);
  EXPECT_TRUE(all_of<ActionReply>(store_all(off)).empty()) << "people are not gone yet";
  cut(ann.room_sid), cut(bob.room_sid);
  after(2s);
  closed(ann.room_sid);
  EXPECT_EQ(only<ActionReply>(closed(bob.room_sid)).outcome, ActionOutcome::Done);
  EXPECT_EQ(only<JoinRefused>(knock_in_vain("eve")).code, ClientCode::JoinRoom);

  const Effects on = enable(kApp, true);
  EXPECT_EQ(only<ActionReply>(store_all(on)).outcome, ActionOutcome::Done);
  enter("eve");
}

TEST_F(AppsTest, another_app_goes_on_when_one_is_switched_off) {
  apply(RestoreApps{{known_app(), known_app(kId)}});
  enter("ann");
  const Effects off = enable(kId, false);
  EXPECT_EQ(count_of<CutRoom>(off), 0u);
  EXPECT_EQ(only<ActionReply>(store_all(off)).outcome, ActionOutcome::Done);
  enter("bob");
}

TEST_F(AppsTest, switched_off_is_taken_back_when_it_cannot_be_stored) {
  apply(RestoreApps{{known_app()}});
  const Effects off = enable(kApp, false);
  EXPECT_FALSE(find(kApp)->enabled);
  EXPECT_EQ(only<ActionReply>(store_all(off, false)).outcome, ActionOutcome::RecordFailed);
  EXPECT_TRUE(find(kApp)->enabled);
}

TEST_F(AppsTest, same_status_again_is_done_at_once_and_writes_nothing) {
  apply(RestoreApps{{known_app()}});
  const Effects again = enable(kApp, true);
  EXPECT_EQ(only<ActionReply>(again).outcome, ActionOutcome::Done);
  EXPECT_EQ(count_of<PersistApp>(again), 0u);
}

TEST_F(AppsTest, api_keys_belong_to_one_app_until_they_are_dropped) {
  apply(RestoreApps{{known_app(), known_app(kId)}});
  store_all(add_key(kApp, {"alias", "s"}));
  ASSERT_TRUE(registry_.apps().find_api_key("alias"));
  EXPECT_EQ(registry_.apps().find_api_key("alias")->app->id, AppId(kApp));
  EXPECT_EQ(registry_.apps().find_api_key("alias")->secret, "s");
  EXPECT_EQ(only<ActionReply>(add_key(kId, {"alias", "t"})).outcome, ActionOutcome::Exists);
  ChangeApp drop = change_of(kApp);
  drop.drop_key = "alias";
  store_all(apply(std::move(drop)));
  EXPECT_FALSE(registry_.apps().find_api_key("alias"));
  store_all(add_key(kId, {"alias", "t"}));
  EXPECT_EQ(registry_.apps().find_api_key("alias")->app->id, AppId(kId));
}

TEST_F(AppsTest, what_is_not_there_cannot_be_changed) {
  EXPECT_EQ(only<ActionReply>(enable(kId, false)).outcome, ActionOutcome::NotThere);
}

}  // namespace
}  // namespace atrium::domain
