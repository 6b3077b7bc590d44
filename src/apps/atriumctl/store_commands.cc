#include "apps/atriumctl/store_commands.h"

#include <filesystem>
#include <ostream>

#include "adapters/openapi/json.h"
#include "adapters/openapi/timestamps.h"
#include "adapters/store/backup.h"
#include "apps/atriumctl/show.h"
#include "runtime/directory_lock.h"
#include "runtime/durable_file.h"

namespace atrium::atriumctl {
namespace {

namespace fs = std::filesystem;
using openapi::Json;
using store::Inspection;
using store::Source;
using store::Verdict;

constexpr const char* kStoreName = "atrium.db";  // atriumd's, in its data directory
constexpr const char* kKeyName = "store.key";
constexpr int64_t kPercentShown = 10;

std::string store_in(const std::string& data_dir) {
  return (fs::path(data_dir) / kStoreName).string();
}

bool exists(const std::string& path) {
  std::error_code failure;
  return fs::exists(fs::symlink_status(path, failure));
}

// SQLite's files beside a database.
constexpr const char* kCompanions[] = {"-wal", "-shm", "-journal"};

void remove_whole(const std::string& path) {
  std::error_code ignored;
  fs::remove(path, ignored);
  for (const char* companion : kCompanions) fs::remove(path + companion, ignored);
}

// A store that a daemon has open has its log beside it.
Source source_of(const std::string& path) {
  return exists(path + "-wal") ? Source::Live : Source::Still;
}

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::Good:
      return "good";
    case Verdict::Damaged:
      return "damaged";
    case Verdict::Foreign:
      return "not a store";
    case Verdict::Newer:
      return "too new";
    case Verdict::Unreadable:
      return "unreadable";
  }
  return "";
}

const char* next_step(Verdict verdict) {
  switch (verdict) {
    case Verdict::Good:
      return "";
    case Verdict::Damaged:
      return "Do not build on it. Stop atriumd and put a good backup in its place: atriumctl store "
             "restore FILE --data-dir DIR. If this is a backup, take another one.";
    case Verdict::Foreign:
      return "Name the store of an Atrium server (atrium.db in its data directory) or a backup of "
             "one.";
    case Verdict::Newer:
      return "Use the version of Atrium that wrote it, or a newer one.";
    case Verdict::Unreadable:
      return "Check that the file is there and that you may read it; run this as the user that "
             "atriumd runs as.";
  }
  return "";
}

Json to_json(const std::string& file, const Inspection& seen) {
  Json::Object rows;
  for (const store::TableRows& one : seen.tables) rows.emplace_back(one.table, one.rows);
  Json::Array problems;
  for (const std::string& problem : seen.problems) problems.emplace_back(clean(problem));
  return Json::Object{{"File", file},
                      {"Verdict", name_of(seen.verdict)},
                      {"SchemaVersion", seen.schema_version},
                      {"Rows", std::move(rows)},
                      {"Problems", std::move(problems)}};
}

class StoreRun {
 public:
  StoreRun(Output output, const StoreCommand& command, World& world)
      : output_(output), command_(command), out_(world.out), err_(world.err), world_(world) {}

  ExitCode check();
  ExitCode backup();
  ExitCode restore();

 private:
  ExitCode refuse(const std::string& what, const std::string& next) const {
    if (output_ == Output::Json) out_ << openapi::to_text(Json::Object{{"Error", what}}) << "\n";
    err_ << "atriumctl: " << what << ".\n" << next << "\n";
    return ExitCode::Refused;
  }
  ExitCode refuse_bad(const std::string& file, const Inspection& seen) const;
  void tell(Json json, const std::string& text) const {
    out_ << (output_ == Output::Json ? openapi::to_text(json) : text) << "\n";
  }
  void show_rows(const Inspection& seen) const;
  // Copies and checks; what is left on failure is taken away again.
  bool copy_checked(const std::string& from, Source source, const std::string& to,
                    Inspection& seen) const;
  bool keep_former(const std::string& store, std::string& kept) const;

  const Output output_;
  const StoreCommand& command_;
  std::ostream& out_;
  std::ostream& err_;
  World& world_;
};

ExitCode StoreRun::refuse_bad(const std::string& file, const Inspection& seen) const {
  if (output_ == Output::Json) out_ << openapi::to_text(to_json(file, seen)) << "\n";
  err_ << "atriumctl: " << file << ": " << name_of(seen.verdict) << ".\n";
  for (const std::string& problem : seen.problems) err_ << "  " << clean(problem) << "\n";
  err_ << next_step(seen.verdict) << "\n";
  return ExitCode::Refused;
}

void StoreRun::show_rows(const Inspection& seen) const {
  if (output_ == Output::Json) return;
  for (const store::TableRows& one : seen.tables)
    out_ << "  " << clean(one.table) << ": " << one.rows << "\n";
}

ExitCode StoreRun::check() {
  const bool is_named = !command_.file.empty();
  const std::string file = is_named ? command_.file : store_in(command_.data_dir);
  const Inspection seen = store::inspect_store(file, is_named ? source_of(file) : Source::Live);
  if (seen.verdict != Verdict::Good) return refuse_bad(file, seen);
  tell(to_json(file, seen),
       file + ": good, schema version " + std::to_string(seen.schema_version) + ".");
  show_rows(seen);
  return ExitCode::Ok;
}

bool StoreRun::copy_checked(const std::string& from, Source source, const std::string& to,
                            Inspection& seen) const {
  int64_t shown = 0;
  const auto show_progress = [&](store::CopyProgress progress) {
    if (output_ == Output::Json || progress.pages_total == 0) return;
    const int64_t percent =
        100 * (progress.pages_total - progress.pages_left) / progress.pages_total;
    if (percent < shown + kPercentShown) return;
    shown = percent - percent % kPercentShown;
    err_ << "copied " << shown << " %\n";
  };
  remove_whole(to);  // of a run that was cut short
  Result<void> done = runtime::make_private_file(to);
  if (done) done = store::copy_store(from, source, to, show_progress);
  if (done)
    seen = store::inspect_store(to, Source::Still);
  else
    seen = {.verdict =
                done.error().kind == ErrorKind::Malformed ? Verdict::Damaged : Verdict::Unreadable,
            .problems = {done.error().what}};
  if (seen.verdict == Verdict::Good) return true;
  remove_whole(to);
  return false;
}

ExitCode StoreRun::backup() {
  const std::string from = store_in(command_.data_dir);
  const std::string& to = command_.file;
  if (!exists(from))
    return refuse("there is no store in " + command_.data_dir,
                  "Name atriumd's data directory with --data-dir.");
  for (const char* part : {"", "-wal", "-shm"}) {
    std::error_code failure;
    if (fs::equivalent(from + part, to, failure) || to == from + part)
      return refuse(to + " is the store itself", "Name another file.");
  }
  if (exists(to) && !command_.force)
    return refuse(to + " is there already", "Name another file, or overwrite it with --force.");
  const std::string unfinished = to + ".tmp";
  Inspection seen;
  if (!copy_checked(from, Source::Live, unfinished, seen)) return refuse_bad(from, seen);
  const auto existing = command_.force ? runtime::Existing::Replace : runtime::Existing::Keep;
  if (const auto placed = runtime::put_in_place(unfinished, to, existing); !placed) {
    remove_whole(unfinished);
    return refuse(to + ": " + placed.error().what, "Nothing was changed.");
  }
  tell(to_json(to, seen),
       "The store in " + command_.data_dir + " is backed up in " + to + ", and the copy is good.");
  show_rows(seen);
  if (output_ == Output::Text && exists((fs::path(command_.data_dir) / kKeyName).string()))
    out_ << "AppKeys in it are sealed: keep " << kKeyName << " too, in another place.\n";
  return ExitCode::Ok;
}

// The store that is replaced stays under another name, with what its log held.
bool StoreRun::keep_former(const std::string& store, std::string& kept) const {
  if (!exists(store)) return true;
  kept = store + ".before-restore-" + openapi::basic_time(world_.now());
  if (exists(kept)) return false;
  // A damaged store is evidence and not touched: its log is kept beside it, under the name that SQLite looks for.  The
  // log must not stay: the new file would be changed by it.
  const bool is_folded = store::inspect_store(store, source_of(store)).verdict == Verdict::Good &&
                         store::fold_log(store).has_value();
  std::error_code failure;
  // A second name first, so that there is a store at any moment.
  fs::create_hard_link(store, kept, failure);
  if (failure) fs::copy_file(store, kept, failure);
  if (failure) return false;
  for (const char* companion : kCompanions) {
    if (!exists(store + companion)) continue;
    fs::rename(store + companion, kept + companion, failure);
    if (failure) return false;
  }
  if (!is_folded) err_ << "atriumctl: the former store is damaged; it is kept as it was.\n";
  return true;
}

ExitCode StoreRun::restore() {
  const std::string& from = command_.file;
  const std::string to = store_in(command_.data_dir);
  const std::string unfinished = to + ".restore";
  std::error_code failure;
  if (fs::equivalent(from, to, failure))
    return refuse(from + " is the store itself", "Name a backup.");
  if (!exists(from)) return refuse("there is no file " + from, "Name a backup.");
  fs::create_directories(command_.data_dir, failure);
  const auto lock = runtime::DirectoryLock::take(command_.data_dir);
  if (!lock && lock.error().kind == ErrorKind::Conflict)
    return refuse("atriumd is running on " + command_.data_dir +
                      ", and a running server's store cannot be replaced",
                  "Stop it first (SIGTERM), restore, start it again. Nothing was changed.");
  if (!lock) return refuse(command_.data_dir + ": " + lock.error().what, "Nothing was changed.");
  Inspection seen;
  if (!copy_checked(from, source_of(from), unfinished, seen)) return refuse_bad(from, seen);
  std::string kept;
  if (exists(to) && !runtime::take_owner_and_mode(to, unfinished)) {
    remove_whole(unfinished);
    return refuse("the owner of " + to + " cannot be given to the new store",
                  "Run this as the user that atriumd runs as. Nothing was changed.");
  }
  if (!keep_former(to, kept)) {
    remove_whole(unfinished);
    return refuse("the store that is there cannot be kept as " + kept,
                  "It is still in place. Make room, or wait a second, and try again.");
  }
  if (const auto placed = runtime::put_in_place(unfinished, to, runtime::Existing::Replace);
      !placed)
    return refuse(to + ": " + placed.error().what, "The former store is " + kept + ".");
  const bool has_key = exists((fs::path(command_.data_dir) / kKeyName).string());
  Json json = to_json(to, seen);
  auto& members = std::get<Json::Object>(json.value);
  members.emplace_back("Kept", kept.empty() ? Json() : Json(kept));
  members.emplace_back("HasKey", has_key);
  tell(std::move(json), from + " is now the store in " + command_.data_dir + ".");
  show_rows(seen);
  if (output_ == Output::Json) return ExitCode::Ok;
  if (!kept.empty()) out_ << "The store that it replaced is kept as " << kept << "\n";
  if (!has_key)
    out_ << "There is no " << kKeyName << " in " << command_.data_dir
         << ". If the backup has apps whose AppKeys are sealed, put that server's key file there\n"
            "before you start atriumd.\n";
  return ExitCode::Ok;
}

}  // namespace

ExitCode run_store(Output output, const StoreCommand& command, World& world) {
  StoreRun run(output, command, world);
  switch (command.verb) {
    case StoreVerb::Backup:
      return run.backup();
    case StoreVerb::Restore:
      return run.restore();
    case StoreVerb::Check:
      return run.check();
    case StoreVerb::None:
      break;
  }
  return ExitCode::Usage;
}

}  // namespace atrium::atriumctl
