// Webhooks as the store keeps them: written, read again, changed, dropped; the secret sealed.
#include "adapters/store/webhooks.h"

#include <gmock/gmock.h>

#include <fstream>

#include "adapters/store/store_fixture.h"

namespace atrium::store {
namespace {

using domain::Webhook;
using testing::ElementsAre;
using testing::IsEmpty;

class WebhookTableTest : public StoreFixture {
 protected:
  static Webhook full() {
    return {.id = WebhookId("WH_1"),
            .app = AppId("app"),
            .business = "business",
            .dialect = domain::WebhookDialect::LiveKit,
            .url = "https://backend.example/events",
            .secret = "the secret of it",
            .api_key = "devkey",
            .events = {"room_started", "room_finished", "a\"b,c"},
            .enabled = false,
            .shows_secret = true,
            .created_at = kStoreStart,
            .updated_at = kStoreStart + 1s};
  }
  bool put(Webhook webhook, bool is_dropped = false) {
    return write(PutWebhook{OperationId("OP_1"), std::move(webhook), is_dropped});
  }
  size_t waiting(const char* id = "WH_1") {
    const auto runs = MUST(store->next_deliveries(WebhookId(id), {}, {}));
    return runs.empty() ? 0 : runs[0].deliveries.size();
  }
};

TEST_F(WebhookTableTest, one_comes_back_as_it_was_and_is_replaced_whole) {
  ASSERT_TRUE(put(full()));
  restart();
  EXPECT_THAT(MUST(store->load_webhooks()), ElementsAre(full()));
  Webhook other = full();
  other.events.clear();
  other.secret = "another";
  other.enabled = true;
  ASSERT_TRUE(put(other));
  EXPECT_THAT(MUST(store->load_webhooks()), ElementsAre(other));
  ASSERT_TRUE(put(other, true));
  EXPECT_THAT(MUST(store->load_webhooks()), IsEmpty());
}

TEST_F(WebhookTableTest, its_secret_is_not_in_the_file_and_opens_with_its_key_alone) {
  ASSERT_TRUE(put(full()));
  store.reset();
  std::ifstream in(path(), std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  EXPECT_NE(bytes.find("backend.example"), std::string::npos) << "it is the file";
  EXPECT_EQ(bytes.find("the secret of it"), std::string::npos);
  options.sealing.key.fill(9);
  restart();
  EXPECT_FALSE(store->load_webhooks());
}

TEST_F(WebhookTableTest, what_is_written_next_waits_for_who_is_there_then) {
  ASSERT_TRUE(write({joined(1)}));
  Webhook webhook = full();
  webhook.events = {"participant_joined"};
  webhook.enabled = true;
  ASSERT_TRUE(put(webhook));
  ASSERT_TRUE(write({joined(2), event(3, "room", domain::EventKind::RoomEnded)}));
  EXPECT_EQ(waiting(), 1u) << "neither what was before, nor what it does not name";
  webhook.enabled = false;
  ASSERT_TRUE(put(webhook));
  ASSERT_TRUE(write({joined(4)}));
  EXPECT_EQ(waiting(), 1u) << "what waited, waits";
  webhook.enabled = true;
  webhook.app = AppId("another");
  webhook.id = WebhookId("WH_2");
  ASSERT_TRUE(put(webhook));
  ASSERT_TRUE(write({joined(5)}));
  EXPECT_EQ(waiting("WH_2"), 0u) << "of another app";
}

// An event of the same request has read who is there: what it saw was undone with it, for want of room.
TEST_F(WebhookTableTest, a_webhook_whose_write_was_undone_gets_nothing) {
  store.reset();
  options.pages_max = static_cast<int64_t>(std::filesystem::file_size(path()) / 4'096) + 16;
  restart();
  Webhook webhook = full();
  webhook.events.clear();
  webhook.enabled = true;
  WriteRequest request(PutWebhook{OperationId("OP_1"), webhook, false});
  request.events = {event(1, "room", domain::EventKind::RoomStarted)};
  request.calls.push_back({.key = {}, .operation = {}, .subject = std::string(200'000, 'x')});
  ASSERT_FALSE(write(std::move(request)));
  ASSERT_TRUE(write({event(2, "room", domain::EventKind::RoomEnded)}));
  EXPECT_EQ(waiting(), 0u);
  EXPECT_THAT(MUST(store->load_webhooks()), IsEmpty());
  ASSERT_TRUE(put(webhook));
  ASSERT_TRUE(write({event(3, "room", domain::EventKind::RoomStarted)}));
  EXPECT_EQ(waiting(), 1u);
}

}  // namespace
}  // namespace atrium::store
