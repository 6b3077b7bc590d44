// AppTable: applications in the store.  AppKeys and secrets are sealed: who has the file alone has no key.
// Owner: Store.
#pragma once

#include <string_view>
#include <vector>

#include "adapters/store/sqlite.h"
#include "base/secret_source.h"
#include "domain/types.h"

namespace atrium::store {

// What seals the secrets; `nonces` must outlive the table.
struct Sealing {
  SealingKey key{};
  SecretSource* nonces = nullptr;
};

class AppTable {
 public:
  static Result<AppTable> create(Database& database, Sealing sealing);

  // Replaces the whole application.  Conflict: a new one whose id is there, or an API key of another one.
  Result<void> put(const domain::App& app, bool is_new);
  // Malformed: the key does not open what is there.
  Result<std::vector<domain::App>> load();

 private:
  AppTable(Sealing sealing, std::vector<Statement> statements);
  Bytes sealed(const domain::App& app, std::string_view what, std::string_view secret);
  Result<std::string> unsealed(const AppId& app, std::string_view what, ByteView secret) const;

  Sealing sealing_;
  Statement insert_, update_, drop_keys_, put_key_, all_, all_keys_;
};

}  // namespace atrium::store
