// Webhooks as the store keeps them: written, read again, changed, dropped; the secret sealed.
#include "adapters/store/webhooks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "adapters/store/store.h"
#include "base/seeded_secret_source.h"

namespace atrium::store {
namespace {

namespace fs = std::filesystem;

const Now kNow{.mono = Mono(std::chrono::seconds(1)), .wall = wall_from_unix_ms(1'800'000'000'123)};
constexpr char kSecret[] = "a secret that stands in no file";

class WebhooksTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() / ("atrium_webhooks_" + std::string(test->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  Store open() {
    StoreOptions options;
    options.sealing.key.fill(1);
    options.sealing.nonces = &nonces_;
    return MUST(Store::open((folder_ / "atrium.db").string(), std::move(options), kNow));
  }
  static bool put(Store& store, domain::Webhook webhook, bool is_dropped = false) {
    WriteRequest request(PutWebhook{OperationId("OP_1"), std::move(webhook), is_dropped});
    return store.apply_batch({&request, 1}).at(0).has_value();
  }
  static domain::Webhook a_webhook() {
    return {.id = WebhookId("WH_1"),
            .app = AppId("app"),
            .business = "school",
            .dialect = domain::WebhookDialect::Vendor,
            .url = "https://backend.example/events",
            .secret = kSecret,
            .api_key = "",
            .events = {"UserJoinRoom", "RoomDestroy"},
            .enabled = true,
            .shows_secret = true,
            .created_at = kNow.wall,
            .updated_at = kNow.wall + std::chrono::seconds(5)};
  }

  SeededSecretSource nonces_{1};
  fs::path folder_;
};

TEST_F(WebhooksTest, what_was_written_is_read_again_by_the_next_process) {
  domain::Webhook own = a_webhook();
  own.id = WebhookId("WH_2");
  own.dialect = domain::WebhookDialect::LiveKit;
  own.business = own.secret = "";
  own.api_key = "key";
  own.events = {};
  own.enabled = own.shows_secret = false;
  {
    Store store = open();
    ASSERT_TRUE(put(store, a_webhook()));
    ASSERT_TRUE(put(store, own));
  }
  Store store = open();
  EXPECT_THAT(MUST(store.load_webhooks()), testing::ElementsAre(a_webhook(), own));
}

TEST_F(WebhooksTest, a_change_takes_the_place_of_what_was_and_a_drop_leaves_nothing) {
  Store store = open();
  ASSERT_TRUE(put(store, a_webhook()));
  domain::Webhook changed = a_webhook();
  changed.secret = "another";
  changed.shows_secret = false;
  ASSERT_TRUE(put(store, changed));
  EXPECT_THAT(MUST(store.load_webhooks()), testing::ElementsAre(changed));
  ASSERT_TRUE(put(store, changed, true));
  EXPECT_THAT(MUST(store.load_webhooks()), testing::IsEmpty());
}

TEST_F(WebhooksTest, the_secret_stands_in_no_file) {
  {
    Store store = open();
    ASSERT_TRUE(put(store, a_webhook()));
  }
  for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    EXPECT_EQ(bytes.find(kSecret), std::string::npos) << entry.path();
  }
}

}  // namespace
}  // namespace atrium::store
