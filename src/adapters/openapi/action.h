// What an action is: a row of plain data and a few small functions.  Each file in actions/ defines
// the rows of one action and exports them as `std::span<const ActionRow> <file>_rows()`; CMake
// lists the files, so adding an action touches one.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "adapters/openapi/args.h"
#include "adapters/openapi/error_table.h"
#include "adapters/openapi/json.h"
#include "adapters/openapi/page_fields.h"
#include "base/crypto.h"
#include "base/ids.h"
#include "base/time.h"
#include "domain/audit.h"
#include "domain/history.h"
#include "domain/keyed_call.h"
#include "domain/registry.h"

namespace atrium::openapi {

// What an access key may do; each is given by itself.
enum class KeyScope : uint8_t {
  Read,  // look at rooms, users, bans, records, history
  Room,  // dismiss rooms, kick, send messages
  Ban,   // put and lift rules: rooms, users, addresses, streams, tokens
  App,   // make and change applications, read AppKeys
};
inline constexpr KeyScope kKeyScopes[] = {KeyScope::Read, KeyScope::Room, KeyScope::Ban,
                                          KeyScope::App};
std::string_view scope_name(KeyScope scope);  // as the configuration says it: "read"
// A set of scopes.
class KeyScopes {
 public:
  constexpr KeyScopes() = default;
  constexpr KeyScopes(std::initializer_list<KeyScope> scopes) {
    for (const KeyScope scope : scopes) add(scope);
  }
  static constexpr KeyScopes all() {
    KeyScopes scopes;
    for (const KeyScope scope : kKeyScopes) scopes.add(scope);
    return scopes;
  }
  constexpr void add(KeyScope scope) { bits_ |= 1u << static_cast<unsigned>(scope); }
  constexpr bool has(KeyScope scope) const {
    return (bits_ & 1u << static_cast<unsigned>(scope)) != 0;
  }
  friend constexpr bool operator==(const KeyScopes&, const KeyScopes&) = default;

 private:
  uint8_t bits_ = 0;
};

// Where the fields of a POST stand; those of a GET always stand in the query.
enum class FieldsIn : uint8_t { Body, Query };
// Whether an action is about one application, which its AppId names.
enum class AppUse : uint8_t { Required, Optional, None };
enum class Method : uint8_t {
  Get,
  Post
};  // Get: fields come from the query; Post: from a JSON body
enum class QuotaScope : uint8_t { Account, App };

// What an interval of a ban is clamped to, where it is not 0 (vendor-contract 1.3.3).
struct BanRange {
  int64_t least_s = 0, most_s = 0;
};

struct AccessKey {
  std::string id;       // "AKLT…"
  std::string secret;   // used as text
  std::string account;  // whose apps it may name and whose quota it uses
  KeyScopes scopes = KeyScopes::all();
};

struct ActionRow;

// What is remembered of a call until its answer comes.  A value: node keeps it under the WaiterId.
struct PendingCall {
  const ActionRow* action = nullptr;  // static storage; null when none was found
  std::string request_id;
  std::string action_name, version;    // as sent, made printable; empty when not sent
  std::string access_key;              // whose signature was good; for audit lines
  std::string account;                 // whose key that is
  std::optional<domain::CallKey> key;  // its Idempotency-Key, where it is a changing call
  Sha256 body_hash{};                  // of what the key stands for: query and body
  Sha256 content_hash{};               // of the body alone, once its signature was good
  bool is_dry_run = false;
  bool is_replay = false;                        // answered by an earlier call with the same key
  std::optional<uint8_t> replayed_outcome = {};  // of that call, as KeyedCall has it
  AppId app;
  RoomId room;
  OperationId operation;
  bool wants_receipt = false;
  bool names_user = false;    // of a ban: not a whole room
  bool was_banned = false;    // a rule of the same target was in force before
  std::optional<Wall> until;  // when what was ordered ends
  size_t page_limit = 0;      // of a paged question to the store
  size_t page_number = 0;     // of a question to history, from 1
  Position position = {};     // of a question about a growing list: where it starts
  Json known = {};            // of an answer: what the handler knew already
};

// The `Result` of the envelope, or why there is none.
using Answer = std::variant<Json, Refusal>;

// What a handler wants done before it can answer.  `call` of the context remembers what it needs
// afterwards.
struct ApplyCommand {
  domain::Command command;
};
struct FindRecord {
  OperationId operation;
};
// A page of the ban rules of an app, one more than `limit` of the page.
struct ListBanRules {
  AppId app;
  BanId after;
  size_t limit = 0;
};
struct ListLives {
  domain::HistoryQuery query;
};
struct ListVisitors {
  domain::HistoryQuery query;
};
struct FindEventsPage {
  domain::EventQuery query;
};
struct FindAuditPage {
  domain::AuditQuery query;
};
struct FindBulkPage {
  OperationId operation;
  size_t offset = 0, limit = 0;
};
// Those of events behind this cursor.
struct ListDeadLettersOf {
  WebhookId webhook;
  int64_t after_cursor = 0;
  size_t limit = 0;
};
struct FindBacklogs {};  // of all webhooks
// What only the store can answer.
using Question = std::variant<FindRecord, ListBanRules, ListLives, ListVisitors, FindEventsPage,
                              FindAuditPage, FindBulkPage, ListDeadLettersOf, FindBacklogs>;

// A change that concerns nothing but the store: dead letters wait again, one of them, or where `event` is empty all of
// the webhook.  The gateway gives the operation its id.
struct RedriveDeadLetters {
  OperationId operation;
  WebhookId webhook;
  EventId event;
};
// One request to a webhook, made up for the purpose, and what came of it.
struct TestDelivery {
  WebhookId webhook;
};
struct TestOutcome {
  int status = 0;   // HTTP; 0: there was no answer
  std::string why;  // it counts as failed; empty: it does not
  Duration took{};
};
using HandlerStep =
    std::variant<Json, Refusal, ApplyCommand, Question, RedriveDeadLetters, TestDelivery>;

struct ActionContext {
  const Args& args;
  const domain::App& app;  // an empty one where the action is about none
  const AccessKey& key;
  const domain::Registry& registry;
  WaiterId waiter;
  PendingCall& call;
  Now now;
  BanRange bans;
  std::string_view region;                       // as answers echo it
  Sha256 (*token_line)(std::string_view token);  // by what sessions know a token
};

using Handler = HandlerStep (*)(ActionContext&);
using DismissShaper = Answer (*)(const PendingCall&, const domain::DismissReply&);
using ActionShaper = Answer (*)(const PendingCall&, const domain::ActionReply&);
using BansShaper = Answer (*)(const PendingCall&, std::span<const domain::BanRule>);
using LivesShaper = Answer (*)(const PendingCall&, const domain::LivesPage&);
using VisitorsShaper = Answer (*)(const PendingCall&, const domain::VisitorsPage&);
using EventsShaper = Answer (*)(const PendingCall&, const domain::EventsPage&);
using AuditShaper = Answer (*)(const PendingCall&, const domain::AuditPage&);
using BulkShaper = Answer (*)(const PendingCall&,
                              const domain::BulkPage*);  // null: no such operation
using DeadLettersShaper = Answer (*)(const PendingCall&, std::span<const domain::DeadLetter>);
using BacklogsShaper = Answer (*)(const PendingCall&, std::span<const domain::WebhookBacklog>);
using TestShaper = Answer (*)(const PendingCall&, const TestOutcome&);
using RecordShaper = Answer (*)(const PendingCall&,
                                const domain::DismissalRecord*);  // null: no such record

struct ActionRow {
  std::string_view name;
  std::string_view version;
  Method method = Method::Post;
  uint32_t per_second = 1;  // quota; burst is one second's worth
  QuotaScope quota = QuotaScope::Account;
  std::string_view quota_name = {};  // actions that name the same share one quota; empty: its own
  KeyScope scope = KeyScope::Room;
  AppUse app = AppUse::Required;
  bool has_secrets = false;            // its Result must not be stored
  Unknown unknown = Unknown::Ignored;  // fields of a body; in a query they always are
  FieldsIn fields_in = FieldsIn::Body;
  std::span<const FieldRule> fields;  // AppId among them, unless `app` is None
  Handler handle = nullptr;
  DismissShaper on_dismissed = nullptr;  // for commands that a DismissReply answers
  ActionShaper on_applied =
      nullptr;                   // for commands that an ActionReply answers, and RedriveDeadLetters
  BansShaper on_bans = nullptr;  // for handlers that yield ListBanRules
  RecordShaper on_record = nullptr;             // for handlers that yield FindRecord
  LivesShaper on_lives = nullptr;               // for handlers that yield ListLives
  VisitorsShaper on_visitors = nullptr;         // for handlers that yield ListVisitors
  EventsShaper on_events = nullptr;             // FindEventsPage
  AuditShaper on_audit = nullptr;               // FindAuditPage
  BulkShaper on_bulk = nullptr;                 // FindBulkPage
  DeadLettersShaper on_dead_letters = nullptr;  // ListDeadLettersOf
  BacklogsShaper on_backlogs = nullptr;         // FindBacklogs
  TestShaper on_tested = nullptr;               // TestDelivery
};

inline constexpr std::string_view kVersion2020 = "2020-12-01";
inline constexpr std::string_view kVersion2023July = "2023-07-20";
inline constexpr std::string_view kVersion2023August = "2023-08-01";
inline constexpr std::string_view kVersion2023 = "2023-11-01";
inline constexpr std::string_view kVersionOwn = "2026-12-01";

// Whether it changes anything: the others are reads.
constexpr bool is_change(const ActionRow& row) {
  return row.on_dismissed != nullptr || row.on_applied != nullptr || row.on_tested != nullptr;
}

constexpr std::string_view quota_of(const ActionRow& row) {
  return row.quota_name.empty() ? row.name : row.quota_name;
}

// Every row of every file, in the order of file names.
std::span<const ActionRow* const> action_rows();
const ActionRow* find_action(std::string_view name, std::string_view version);

}  // namespace atrium::openapi
