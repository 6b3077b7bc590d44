#include "adapters/store/webhooks.h"

#include <string>

#include "adapters/store/rows.h"

namespace atrium::store {
namespace {

constexpr const char* kPutSql = "INSERT OR REPLACE INTO webhooks VALUES (?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kDropSql = "DELETE FROM webhooks WHERE id = ?";
constexpr const char* kAllSql = "SELECT * FROM webhooks ORDER BY id";
constexpr const char* kEnabledSql =
    "SELECT id, dialect, events FROM webhooks WHERE app = ? AND enabled = 1 ORDER BY id";

// A sealed value opens in the place alone that it was sealed for.
std::string context_of(const WebhookId& id) {
  return id.value + "/secret";
}

}  // namespace

Result<WebhookTable> WebhookTable::create(Database& database, Sealing sealing) {
  const auto prepare = [&](const char* sql) { return Statement::prepare(database, sql); };
  return WebhookTable(Statements{.put = TRY(prepare(kPutSql)),
                                 .drop = TRY(prepare(kDropSql)),
                                 .all = TRY(prepare(kAllSql)),
                                 .enabled = TRY(prepare(kEnabledSql))},
                      sealing);
}

Result<void> WebhookTable::put(const domain::Webhook& webhook) {
  enabled_.erase(webhook.app);
  SealingNonce nonce;
  sealing_.nonces->fill(nonce);
  const Bytes secret = seal(sealing_.key, nonce, context_of(webhook.id), as_bytes(webhook.secret));
  const std::string events = list_text(webhook.events);
  return statements_.put.start()
      .put(webhook.id.value)
      .put(webhook.app.value)
      .put(webhook.business)
      .put(static_cast<int64_t>(webhook.dialect))
      .put(webhook.url)
      .put(secret)
      .put(webhook.api_key)
      .put(events)
      .put(static_cast<int64_t>(webhook.enabled))
      .put(unix_us(webhook.created_at))
      .put(unix_us(webhook.updated_at))
      .put(static_cast<int64_t>(webhook.shows_secret))
      .finish();
}

Result<void> WebhookTable::drop(const domain::Webhook& webhook) {
  enabled_.erase(webhook.app);
  return statements_.drop.start().put(webhook.id.value).finish();
}

Result<std::vector<domain::Webhook>> WebhookTable::load() {
  std::vector<domain::Webhook> webhooks;
  Statement& row = statements_.all.start();
  while (TRY(row.step())) {
    domain::Webhook& webhook = webhooks.emplace_back();
    webhook.id = WebhookId(row.text());
    webhook.app = AppId(row.text());
    webhook.business = row.text();
    webhook.dialect = static_cast<domain::WebhookDialect>(row.number());
    webhook.url = row.text();
    const auto secret = unseal(sealing_.key, context_of(webhook.id), row.bytes());
    if (!secret) return malformed("the store's key does not open the webhooks' secrets in it");
    webhook.secret = std::string(as_text(*secret));
    webhook.api_key = row.text();
    webhook.events = TRY(texts_of(row.text()));
    webhook.enabled = row.number() != 0;
    webhook.created_at = wall_from_unix_us(row.number());
    webhook.updated_at = wall_from_unix_us(row.number());
    webhook.shows_secret = row.number() != 0;
  }
  return webhooks;
}

Result<const std::vector<domain::Webhook>*> WebhookTable::enabled_of(const AppId& app) {
  if (const auto known = enabled_.find(app); known != enabled_.end()) return &known->second;
  std::vector<domain::Webhook> webhooks;
  Statement& row = statements_.enabled.start().put(app.value);
  while (TRY(row.step())) {
    domain::Webhook& webhook = webhooks.emplace_back();
    webhook.id = WebhookId(row.text());
    webhook.app = app;
    webhook.dialect = static_cast<domain::WebhookDialect>(row.number());
    webhook.events = TRY(texts_of(row.text()));
  }
  return &enabled_.emplace(app, std::move(webhooks)).first->second;
}

}  // namespace atrium::store
