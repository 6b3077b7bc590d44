// sqlite_commits: how many single rows SQLite commits durably a second on this disk, one transaction each, with the
// settings of Atrium's store (WAL, synchronous=FULL).  Exit codes: 0, 1 SQLite refused, 2 usage.
#include <sqlite3.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace {

int refused(sqlite3* database) {
  std::fprintf(stderr, "sqlite_commits: %s\n", sqlite3_errmsg(database));
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"sqlite_commits: durable single-row transactions a second"};
  std::string file;
  int64_t commits = 2'000;
  app.add_option("--file", file, "the database, made anew")->required();
  app.add_option("--commits", commits, "how many")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  for (const char* part : {"", "-wal", "-shm"}) std::remove((file + part).c_str());
  sqlite3* database = nullptr;
  if (sqlite3_open(file.c_str(), &database) != SQLITE_OK) return refused(database);
  constexpr const char* kSetUp =
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE rows (id INTEGER PRIMARY "
      "KEY, body TEXT) STRICT";
  if (sqlite3_exec(database, kSetUp, nullptr, nullptr, nullptr) != SQLITE_OK)
    return refused(database);
  sqlite3_stmt* insert = nullptr;
  if (sqlite3_prepare_v2(database, "INSERT INTO rows (body) VALUES (?)", -1, &insert, nullptr) !=
      SQLITE_OK)
    return refused(database);
  const std::string body(500, 'x');  // about a dismissal's record
  const auto began = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < commits; ++i) {
    sqlite3_bind_text(insert, 1, body.data(), static_cast<int>(body.size()), SQLITE_STATIC);
    if (sqlite3_step(insert) != SQLITE_DONE) return refused(database);
    sqlite3_reset(insert);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  sqlite3_finalize(insert);
  sqlite3_close(database);
  std::printf("{\"commits\": %lld, \"commits_per_second\": %.1f}\n",
              static_cast<long long>(commits), static_cast<double>(commits) / took.count());
  return 0;
}
