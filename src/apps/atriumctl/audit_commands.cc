#include "apps/atriumctl/audit_commands.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <ostream>

#include "adapters/openapi/json.h"
#include "adapters/openapi/timestamps.h"
#include "adapters/store/audit_verify.h"
#include "apps/atriumctl/show.h"
#include "runtime/secret_file.h"

namespace atrium::atriumctl {
namespace {

namespace fs = std::filesystem;
using openapi::Json;
using store::AuditCheckpoints;
using store::AuditFault;
using store::AuditFinding;
using store::AuditReport;

constexpr const char* kStoreName = "atrium.db";  // atriumd's, in its data directory
constexpr const char* kKeyName = "audit.key";
constexpr const char* kCheckpointsName = "audit.checkpoints";

const char* name_of(AuditFault fault) {
  switch (fault) {
    case AuditFault::Altered:
      return "altered";
    case AuditFault::Missing:
      return "missing";
    case AuditFault::Inserted:
      return "inserted";
    case AuditFault::Replaced:
      return "replaced";
    case AuditFault::CutOff:
      return "cut off";
    case AuditFault::Unguarded:
      return "unguarded";
  }
  return "";
}

// All checkpoint files, one after the other.
struct Evidence {
  AuditCheckpoints lines;
  std::string damaged_file{};  // the first that has a damaged line
};

class AuditRun {
 public:
  AuditRun(Output output, const AuditCommand& command, World& world)
      : output_(output), command_(command), out_(world.out), err_(world.err) {}

  ExitCode verify();

 private:
  std::string in_data_dir(const char* name) const {
    return (fs::path(command_.data_dir) / name).string();
  }
  ExitCode refuse(const std::string& what, const std::string& next) const {
    if (output_ == Output::Json) out_ << openapi::to_text(Json::Object{{"Error", what}}) << "\n";
    err_ << "atriumctl: " << what << ".\n" << next << "\n";
    return ExitCode::Refused;
  }
  std::optional<store::AuditKey> read_key(ExitCode& failure) const;
  std::optional<Evidence> read_evidence(const store::AuditKey& key, ExitCode& failure) const;
  Result<AuditReport> look_through(store::Database& database, const store::AuditKey& key,
                                   int64_t at_least, const Evidence& evidence) const;
  void show(const AuditReport& report, const Evidence& evidence) const;
  void show_json(const AuditReport& report, const Evidence& evidence) const;
  void show_finding(const AuditReport& report, bool has_good_checkpoint) const;

  const Output output_;
  const AuditCommand& command_;
  std::ostream& out_;
  std::ostream& err_;
};

std::optional<store::AuditKey> AuditRun::read_key(ExitCode& failure) const {
  const std::string file = command_.key_file.empty() ? in_data_dir(kKeyName) : command_.key_file;
  const auto key = runtime::read_secret_key(file);
  if (key && *key) return **key;
  failure =
      refuse(file + ": " + (key ? "there is no such file" : key.error().what),
             "Name the key of the audit log with --audit-key. Without the key that the server "
             "wrote the log with nothing can be said about it.");
  return std::nullopt;
}

std::optional<Evidence> AuditRun::read_evidence(const store::AuditKey& key,
                                                ExitCode& failure) const {
  std::vector<std::string> files = command_.checkpoints;
  if (files.empty()) files.push_back(in_data_dir(kCheckpointsName));
  Evidence out;
  for (const std::string& file : files) {
    std::error_code ignored;
    // The server's own may have been removed, which says something about the log; one that is named must be there.
    if (command_.checkpoints.empty() && !fs::exists(file, ignored)) continue;
    std::ifstream in;
    if (fs::is_regular_file(file, ignored)) in.open(file, std::ios::binary);
    if (!in.is_open()) {
      failure = refuse(file + " cannot be read", "Name a checkpoint file with --checkpoints.");
      return std::nullopt;
    }
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    AuditCheckpoints lines = store::read_checkpoints(key, text);
    out.lines.found.insert(out.lines.found.end(), lines.found.begin(), lines.found.end());
    if (out.lines.damaged_count == 0 && lines.damaged_count > 0) {
      out.lines.first_damaged_line = lines.first_damaged_line;
      out.damaged_file = file;
    }
    out.lines.damaged_count += lines.damaged_count;
  }
  return out;
}

Result<AuditReport> AuditRun::look_through(store::Database& database, const store::AuditKey& key,
                                           int64_t at_least, const Evidence& evidence) const {
  const auto show_progress = [&](int64_t records) {
    if (output_ == Output::Text) err_ << "looked at " << records << " records\n";
  };
  return store::verify_audit(
      database, key, {.checkpoints = evidence.lines.found, .at_least = at_least}, show_progress);
}

void AuditRun::show_json(const AuditReport& report, const Evidence& evidence) const {
  Json finding;
  if (const auto& found = report.finding)
    finding = Json::Object{{"Fault", name_of(found->fault)},
                           {"Sequence", found->sequence},
                           {"SequenceUntil", found->until},
                           {"At", found->at ? Json(openapi::extended_time_ms(*found->at)) : Json()},
                           {"Detail", found->detail}};
  const bool is_intact = !report.finding && evidence.lines.damaged_count == 0;
  out_ << openapi::to_text(Json::Object{
              {"Verdict", is_intact ? "intact" : "tampered"},
              {"Finding", std::move(finding)},
              {"RecordsIntact", report.records},
              {"FirstSequence", report.first_sequence},
              {"LastSequence", report.last_sequence},
              {"ConfirmedSequence", report.confirmed_sequence},
              {"Checkpoints", std::ssize(evidence.lines.found)},
              {"DamagedCheckpoints", static_cast<int64_t>(evidence.lines.damaged_count)}})
       << "\n";
}

void AuditRun::show_finding(const AuditReport& report, bool has_good_checkpoint) const {
  const AuditFinding& found = *report.finding;
  err_ << "atriumctl: the audit log is not what the server wrote.\n"
       << (found.until > found.sequence ? "One of the records " : "Record ") << found.sequence;
  if (found.until > found.sequence) err_ << " to " << found.until;
  if (found.at) err_ << " of " << openapi::extended_time_ms(*found.at);
  err_ << " is the first that is wrong: " << name_of(found.fault) << "; " << found.detail << ".\n";
  if (found.against)
    err_ << "The checkpoint is of record " << found.against->sequence << ", made at "
         << openapi::extended_time_ms(found.against->at) << ".\n";
  err_ << report.records << " records before it are intact.\n";
  if (report.records == 0 && !has_good_checkpoint)
    err_ << "No record and no checkpoint fits this key: if it is not the key that this server "
            "wrote with, name the right one with --audit-key.\n";
  if (found.fault == AuditFault::Unguarded)
    err_ << "A server that was just started writes its checkpoint within a minute: try again.\n";
}

void AuditRun::show(const AuditReport& report, const Evidence& evidence) const {
  if (output_ == Output::Json) show_json(report, evidence);
  if (report.finding) show_finding(report, !evidence.lines.found.empty());
  if (evidence.lines.damaged_count > 0)
    err_ << "atriumctl: " << evidence.damaged_file << ": line " << evidence.lines.first_damaged_line
         << " is not one that the server wrote with this key; lines of this kind in all: "
         << evidence.lines.damaged_count << ".\n";
  if (output_ == Output::Json || report.finding) return;
  out_ << "All " << report.records << " records are as the server wrote them";
  if (report.records > 0) out_ << ", " << report.first_sequence << " to " << report.last_sequence;
  out_ << ".\n";
  if (const int64_t unconfirmed = report.last_sequence - report.confirmed_sequence; unconfirmed > 0)
    out_ << "The last " << unconfirmed
         << " are later than the last checkpoint: whether more followed them cannot be told.\n";
  if (report.bases_ahead > 0)
    out_ << "The first " << report.bases_ahead
         << " are due to be removed for their age; a purge was cut short.\n";
}

ExitCode AuditRun::verify() {
  ExitCode failure = ExitCode::Refused;
  const auto key = read_key(failure);
  if (!key) return failure;
  // What these checkpoints name must be in the log that is looked at after them.
  const auto before = read_evidence(*key, failure);
  if (!before) return failure;
  const std::string file = in_data_dir(kStoreName);
  auto database = store::Database::open_to_read(file, store::Source::Live);
  // The transaction's first read fixes what is looked at: a server beside it goes on.
  const Result<void> begun =
      database ? database->run(
                     "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; BEGIN; "
                     "SELECT count(*) FROM sqlite_schema")
               : std::unexpected(database.error());
  if (!begun)
    return refuse(file + ": " + begun.error().what,
                  "Name atriumd's data directory with --data-dir, and run this as the user that "
                  "atriumd runs as.");
  // Those of purges since: read after the transaction began, the base of its first record is among them.
  const auto evidence = read_evidence(*key, failure);
  if (!evidence) return failure;
  const auto report =
      look_through(*database, *key, store::newest_sequence(before->lines.found), *evidence);
  if (!report)
    return refuse(
        file + ": " + report.error().what,
        "Look the store through with: atriumctl store check --data-dir " + command_.data_dir);
  show(*report, *evidence);
  return report->finding || evidence->lines.damaged_count > 0 ? ExitCode::Tampered : ExitCode::Ok;
}

}  // namespace

ExitCode run_audit(Output output, const AuditCommand& command, World& world) {
  if (command.verb == AuditVerb::Verify) return AuditRun(output, command, world).verify();
  return ExitCode::Usage;
}

}  // namespace atrium::atriumctl
