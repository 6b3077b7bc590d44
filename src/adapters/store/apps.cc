#include "adapters/store/apps.h"

#include <map>
#include <string>

#include "adapters/store/rows.h"

namespace atrium::store {
namespace {

constexpr const char* kInsertSql = "INSERT INTO apps VALUES (?,?,?,?,?,?,?,?)";
constexpr const char* kUpdateSql =
    "INSERT INTO apps VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET "
    "account = excluded.account, name = excluded.name, enabled = excluded.enabled, "
    "any_ids = excluded.any_ids, primary_key = excluded.primary_key, "
    "secondary_key = excluded.secondary_key";
constexpr const char* kDropKeysSql = "DELETE FROM api_keys WHERE app = ?";
constexpr const char* kPutKeySql = "INSERT INTO api_keys VALUES (?,?,?,?)";
constexpr const char* kAllSql = "SELECT * FROM apps";
constexpr const char* kAllKeysSql = "SELECT * FROM api_keys ORDER BY api_key";

constexpr std::string_view kPrimary = "primary", kSecondary = "secondary";

// A sealed value opens in the place alone that it was sealed for.
std::string context_of(const AppId& app, std::string_view what) {
  return app.value + "/" + std::string(what);
}

}  // namespace

Result<AppTable> AppTable::create(Database& database, Sealing sealing) {
  std::vector<Statement> statements;
  for (const char* sql : {kInsertSql, kUpdateSql, kDropKeysSql, kPutKeySql, kAllSql, kAllKeysSql})
    statements.push_back(TRY(Statement::prepare(database, sql)));
  return AppTable(sealing, std::move(statements));
}

AppTable::AppTable(Sealing sealing, std::vector<Statement> statements)
    : sealing_(sealing),
      insert_(std::move(statements[0])),
      update_(std::move(statements[1])),
      drop_keys_(std::move(statements[2])),
      put_key_(std::move(statements[3])),
      all_(std::move(statements[4])),
      all_keys_(std::move(statements[5])) {}

Bytes AppTable::sealed(const domain::App& app, std::string_view what, std::string_view secret) {
  SealingNonce nonce;
  sealing_.nonces->fill(nonce);
  return seal(sealing_.key, nonce, context_of(app.id, what), as_bytes(secret));
}

Result<std::string> AppTable::unsealed(const AppId& app, std::string_view what,
                                       ByteView secret) const {
  const auto plain = unseal(sealing_.key, context_of(app, what), secret);
  if (!plain) return malformed("the store's key does not open the AppKeys in it");
  return std::string(as_text(*plain));
}

Result<void> AppTable::put(const domain::App& app, bool is_new) {
  const Bytes primary = sealed(app, kPrimary, app.primary_key);
  const Bytes secondary = sealed(app, kSecondary, app.secondary_key);
  Statement& statement = is_new ? insert_ : update_;
  statement.start()
      .put(app.id.value)
      .put(app.account)
      .put(app.name)
      .put(static_cast<int64_t>(app.enabled))
      .put(static_cast<int64_t>(app.any_ids))
      .put(primary)
      .put(secondary)
      .put(unix_us(app.created_at));
  TRY(statement.finish());
  TRY(drop_keys_.start().put(app.id.value).finish());
  for (const domain::ApiKey& key : app.api_keys) {
    const Bytes secret = sealed(app, key.key, key.secret);
    put_key_.start().put(key.key).put(app.id.value).put(secret);
    TRY(put_key_.put(static_cast<int64_t>(key.management)).finish());
  }
  return {};
}

Result<std::vector<domain::App>> AppTable::load() {
  std::map<std::string, domain::App> apps;
  all_.start();
  while (TRY(all_.step())) {
    domain::App app;
    app.id = AppId(all_.text());
    app.account = all_.text();
    app.name = all_.text();
    app.enabled = all_.number() != 0;
    app.any_ids = all_.number() != 0;
    app.primary_key = TRY(unsealed(app.id, kPrimary, all_.bytes()));
    app.secondary_key = TRY(unsealed(app.id, kSecondary, all_.bytes()));
    app.created_at = wall_from_unix_us(all_.number());
    apps.emplace(app.id.value, std::move(app));
  }
  all_keys_.start();
  while (TRY(all_keys_.step())) {
    domain::ApiKey key{.key = all_keys_.text(), .secret = {}, .management = false};
    const auto owner = apps.find(all_keys_.text());
    if (owner == apps.end()) return malformed("an API key in the store has no app");
    key.secret = TRY(unsealed(owner->second.id, key.key, all_keys_.bytes()));
    key.management = all_keys_.number() != 0;
    owner->second.api_keys.push_back(std::move(key));
  }
  std::vector<domain::App> out;
  for (auto& [id, app] : apps) out.push_back(std::move(app));
  return out;
}

}  // namespace atrium::store
