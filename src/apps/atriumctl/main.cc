// atriumctl: the operator's command line.  Speaks the management API (Version 2026-12-01), signed
// like any backend; `reload` and `drain` ask the operator's listener, `store` and `audit verify` work on the files of a
// server beside it.
#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <iostream>
#include <string>

#include "apps/atriumctl/app_commands.h"
#include "apps/atriumctl/audit_commands.h"
#include "apps/atriumctl/bulk_commands.h"
#include "apps/atriumctl/commands.h"
#include "apps/atriumctl/http_client.h"
#include "apps/atriumctl/operator_commands.h"
#include "apps/atriumctl/record_commands.h"
#include "apps/atriumctl/schedule_commands.h"
#include "apps/atriumctl/store_commands.h"
#include "apps/atriumctl/webhook_commands.h"

namespace atrium::atriumctl {
namespace {

constexpr char kFooter[] =
    "Exit codes: 0 done; 1 refused, or what was asked for does not exist or is not good; 2 usage; "
    "3 the server cannot be reached; 4 the audit log was tampered with; 5 too late: the countdown "
    "had run out.\n"
    "Examples:\n"
    "  atriumctl --dev room list\n"
    "  atriumctl room dismiss lobby --app a7e100000000000000000001 --reason 'end of the lesson'\n"
    "  atriumctl room dismiss lobby --if-session RM_... -o json\n"
    "  atriumctl room dismiss-many --prefix lesson- --older-than 7200 --dry-run\n"
    "  atriumctl room schedule lobby --after 600 --warn-before 300,60\n"
    "  atriumctl events tail --room lobby --follow\n"
    "  atriumctl app create lessons --url https://rtc.example\n"
    "  atriumctl store backup atrium-monday.db --data-dir /var/lib/atrium\n"
    "  atriumctl audit verify --data-dir /var/lib/atrium\n";

// The account and app of `atriumd --dev`: public, so not a secret.
void use_development_keys(Settings& settings) {
  settings.access_key = "AKLTdevaccesskey000000000001";
  settings.secret = "ZGV2LXNlY3JldC1rZXk=";
  settings.app = "a7e100000000000000000001";
}

struct CommandLine {
  CLI::App app{"Looks at and ends rooms of an Atrium server; makes its apps; takes care of it.",
               "atriumctl"};
  Settings settings;
  Command command;
  AppCommand app_command;
  OperatorCommand operator_command;
  StoreCommand store_command;
  AuditCommand audit_command;
  BulkCommand bulk_command;
  ScheduleCommand schedule_command;
  RecordCommand record_command;
  WebhookCommand webhook_command;
  Trust trust;
  bool dev = false;
  double timeout_s = 10;
  std::string output = "text";

  CommandLine() {
    app.footer(kFooter);
    app.require_subcommand(1);
    app.fallthrough();
    add_settings();
    add_room_commands();
    add_dismissal_commands();
    add_user_commands();
    add_ban_commands();
    add_app_commands();
    add_operator_commands();
    add_store_commands();
    add_audit_commands();
    add_history_commands();
    add_policy_commands();
    add_event_commands();
    add_webhook_commands();
  }

  void add_settings() {
    app.add_option("--url", settings.url, "the server, http:// or https://")
        ->envname("ATRIUM_URL")
        ->default_val("http://127.0.0.1:7880");
    CLI::Option* ca = app.add_option("--ca", trust.ca_file,
                                     "PEM file of the authority that signs the server's "
                                     "certificate, in place of those that this system trusts")
                          ->envname("ATRIUM_CA");
    app.add_flag("--insecure", trust.is_insecure,
                 "believe whoever answers at an https:// URL: anybody in between can read and "
                 "change all that is said")
        ->excludes(ca);
    app.add_option("--access-key", settings.access_key, "access key id")
        ->envname("ATRIUM_ACCESS_KEY");
    app.add_option("--secret", settings.secret,
                   "its secret; better in ATRIUM_SECRET_KEY, since others can read command lines")
        ->envname("ATRIUM_SECRET_KEY");
    app.add_option("--app", settings.app, "AppId")->envname("ATRIUM_APP_ID");
    app.add_option("--region", settings.region, "region of the signature")->capture_default_str();
    app.add_flag("--dev", dev, "use the public keys and app of a server started with --dev");
    app.add_option("--timeout", timeout_s, "seconds to wait for each answer")
        ->capture_default_str()
        ->check(CLI::Range(0.1, 600.0));
    app.add_option("-o,--output", output, "text, for people, or json, for programs")
        ->capture_default_str()
        ->check(CLI::IsMember({"text", "json"}));
  }

  void choose(CLI::App* subcommand, Verb verb) {
    subcommand->callback([this, verb] { command.verb = verb; });
  }

  void add_room_commands() {
    CLI::App* room = app.add_subcommand("room", "rooms that are live now")->require_subcommand(1);
    CLI::App* dismiss =
        room->add_subcommand("dismiss", "end a room: everybody is out when this returns");
    dismiss->add_option("room", command.subject, "RoomId")->required();
    dismiss->add_option("--reason", command.reason, "kept with the record, at most 1024 bytes");
    dismiss->add_option("--if-session,--if-sid", command.if_session,
                        "only if this is the room's current session (RM_...)");
    dismiss->add_flag("--dry-run", command.dry_run,
                      "say what would be dismissed, and dismiss nothing");
    dismiss->add_flag("--receipt", command.whole_receipt, "show the whole receipt");
    add_idempotency_key(dismiss, command.idempotency_key);
    choose(dismiss, Verb::DismissRoom);
    choose(room->add_subcommand("list", "all live rooms of the app"), Verb::ListRooms);
    CLI::App* show = room->add_subcommand("show", "one room and who is in it");
    show->add_option("room", command.subject, "RoomId")->required();
    choose(show, Verb::ShowRoom);
    add_bulk_commands(room);
    add_schedule_commands(room);
  }

  static void add_idempotency_key(CLI::App* to, std::string& key) {
    to->add_option("--idempotency-key", key,
                   "1 to 128 printable characters: who asks again with the same key within 24 "
                   "hours gets the answer "
                   "of the first time, and nothing is done twice");
  }

  void add_bulk_commands(CLI::App* room) {
    CLI::App* many =
        room->add_subcommand("dismiss-many",
                             "end the rooms that all of --rooms, --prefix, --older-than and "
                             "--users-at-most, as far as given, mean now; "
                             "returns when it is accepted");
    many->add_option("--rooms", bulk_command.rooms, "RoomIds, with commas between them")
        ->delimiter(',')
        ->allow_extra_args(false);
    CLI::Option* prefix =
        many->add_option("--prefix", bulk_command.prefix, "how their RoomIds begin");
    many->add_option("--older-than", bulk_command.older_than_s,
                     "seconds since they began, at least");
    many->add_option("--users-at-most", bulk_command.users_at_most, "how many are in them");
    many->add_flag("--all", bulk_command.all, "every room of the app")->excludes(prefix);
    many->add_option("--per-second", bulk_command.per_second, "how many rooms a second");
    many->add_option("--reason", bulk_command.reason, "kept with the records, at most 1024 bytes");
    many->add_flag("--dry-run", bulk_command.dry_run,
                   "say what would be dismissed, and dismiss nothing");
    add_idempotency_key(many, bulk_command.idempotency_key);
    many->callback([this] { bulk_command.verb = BulkVerb::Dismiss; });
    CLI::App* status =
        room->add_subcommand("dismiss-many-status", "what became of each room of a dismiss-many");
    status->add_option("operation", bulk_command.operation, "operation id (OP_...)")->required();
    status->callback([this] { bulk_command.verb = BulkVerb::Status; });
  }

  CLI::App* add_schedule_command(CLI::App* parent, const char* name, const char* help,
                                 ScheduleVerb verb) {
    CLI::App* added = parent->add_subcommand(name, help);
    added->callback([this, verb] { schedule_command.verb = verb; });
    return added;
  }

  void add_warnings(CLI::App* to) {
    to->add_option("--warn-before", schedule_command.warn_before_s,
                   "seconds before the end at which its users are told, as 60,10; at most 8")
        ->delimiter(',')
        ->allow_extra_args(false);
  }

  void add_schedule_commands(CLI::App* room) {
    constexpr char kAt[] = "when: RFC 3339, as 2006-01-02T15:04:05+08:00";
    CLI::App* add = add_schedule_command(
        room, "schedule", "end a room's current session after a countdown that its users see",
        ScheduleVerb::Add);
    add->add_option("room", schedule_command.room, "RoomId")->required();
    CLI::Option* at = add->add_option("--at", schedule_command.at, kAt);
    add->add_option("--after", schedule_command.after_s, "in so many seconds")->excludes(at);
    add->add_option("--reason", schedule_command.reason,
                    "kept with the record, at most 1024 bytes");
    add->add_option("--if-session", schedule_command.if_session,
                    "only if this is the room's current session (RM_...)");
    add->add_flag("--refuse-joins", schedule_command.refuse_joins,
                  "let nobody in while it counts down");
    add_warnings(add);
    add_idempotency_key(add, schedule_command.idempotency_key);
    CLI::App* extend = add_schedule_command(
        room, "extend", "move the end of a countdown. Exit code 5: it had run out already",
        ScheduleVerb::Extend);
    extend->add_option("schedule", schedule_command.schedule, "schedule id (SD_...)")->required();
    CLI::Option* to = extend->add_option("--at", schedule_command.at, kAt);
    extend->add_option("--by", schedule_command.by_s, "seconds later; negative: earlier")
        ->excludes(to);
    add_idempotency_key(extend, schedule_command.idempotency_key);
    CLI::App* cancel = add_schedule_command(
        room, "cancel", "take a countdown back. Exit code 5: it had run out already",
        ScheduleVerb::Cancel);
    cancel->add_option("schedule", schedule_command.schedule, "schedule id (SD_...)")->required();
    add_idempotency_key(cancel, schedule_command.idempotency_key);
    add_schedule_command(room, "schedules", "all rooms that count down", ScheduleVerb::List);
  }

  void add_policy_commands() {
    CLI::App* policy = app.add_subcommand("policy", "when the sessions of a room end by themselves")
                           ->require_subcommand(1);
    const auto add = [&](const char* name, const char* help, ScheduleVerb verb) {
      CLI::App* added = add_schedule_command(policy, name, help, verb);
      added->add_option("room", schedule_command.room, "RoomId")->required();
      return added;
    };
    CLI::App* set = add("set", "in place of any earlier one", ScheduleVerb::SetPolicy);
    set->add_option("--end-at", schedule_command.at, "RFC 3339, as 2006-01-02T15:04:05+08:00");
    set->add_option("--max-duration", schedule_command.max_duration_s,
                    "seconds since the session began");
    set->add_option("--idle", schedule_command.idle_s, "seconds in which nothing happened there");
    CLI::Option* left = set->add_option("--last-host-left", schedule_command.last_host_left_s,
                                        "seconds without any of its hosts");
    set->add_option("--hosts", schedule_command.hosts,
                    "UserIds of the hosts, with commas between them")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->needs(left);
    add_warnings(set);
    set->add_option("--reason", schedule_command.reason,
                    "kept with the records, at most 1024 bytes");
    add_idempotency_key(set, schedule_command.idempotency_key);
    add("get", "the policy of a room. Exit code 1: it has none", ScheduleVerb::GetPolicy);
    add_idempotency_key(add("clear", "let the room go on without end", ScheduleVerb::ClearPolicy),
                        schedule_command.idempotency_key);
  }

  void add_event_commands() {
    CLI::App* events =
        app.add_subcommand("events", "what happened in the rooms of an app")->require_subcommand(1);
    CLI::App* tail = events->add_subcommand(
        "tail",
        "one line for each event, oldest first: of the last 7 days, where nothing else is said");
    tail->add_option("--room", record_command.room, "RoomId; this room alone");
    tail->add_option("--after", record_command.after,
                     "a Cursor of an earlier event (-o json); what came behind it");
    tail->add_option("--since", record_command.since, "RFC 3339, as 2006-01-02T15:04:05+08:00");
    tail->add_flag("--follow", record_command.follow,
                   "go on with what happens, until interrupted (Ctrl-C)");
    tail->callback([this] { record_command.verb = RecordVerb::TailEvents; });
  }

  void add_audit_list(CLI::App* audit) {
    CLI::App* list = audit->add_subcommand("list",
                                           "who asked for what, oldest first, one line each: of "
                                           "the app, where one is named, else of the account");
    list->add_option("--since", record_command.since,
                     "RFC 3339; a day ago when neither this nor --operation is given");
    list->add_option("--until", record_command.until, "RFC 3339; now when not given");
    list->add_option("--operation", record_command.operation,
                     "operation id (OP_...); its records alone");
    list->add_option("--action", record_command.action, "as DismissRoom; this action alone");
    list->add_flag("--all-apps", record_command.all_apps,
                   "of the whole account, whatever --app says");
    list->callback([this] { record_command.verb = RecordVerb::ListAudit; });
  }

  void add_webhook_settings(CLI::App* to) {
    to->add_option("--secret-file", webhook_command.secret_file,
                   "dialect vendor: file with the secret that signs; - is standard input");
    to->add_option("--api-key", webhook_command.api_key,
                   "dialect livekit: which API key of the app signs");
    to->add_option("--events", webhook_command.events, "these alone, with commas between them")
        ->delimiter(',')
        ->allow_extra_args(false);
  }

  void add_webhook_commands() {
    CLI::App* webhooks =
        app.add_subcommand("webhook", "where the events of an app are sent")->require_subcommand(1);
    const auto add = [&](const char* name, const char* help, WebhookVerb verb) {
      CLI::App* added = webhooks->add_subcommand(name, help);
      added->callback([this, verb] { webhook_command.verb = verb; });
      if (verb != WebhookVerb::Add && verb != WebhookVerb::List)
        added->add_option("webhook", webhook_command.webhook, "webhook id (WH_...)")->required();
      return added;
    };
    CLI::App* made = add("add", "send events to a URL", WebhookVerb::Add);
    made->add_option("url", webhook_command.url, "http:// or https://")->required();
    made->add_option("--dialect", webhook_command.dialect,
                     "how events are written and signed: vendor or livekit")
        ->required()
        ->check(CLI::IsMember({"vendor", "livekit"}));
    made->add_option("--business-id", webhook_command.business,
                     "dialect vendor: the BusinessId it belongs to");
    made->add_flag("--disabled", webhook_command.disable, "send nothing until it is enabled");
    add_webhook_settings(made);
    add("list", "all of the app, and what waits for each", WebhookVerb::List);
    CLI::App* update = add("update", "change what is given, and nothing else", WebhookVerb::Update);
    update->add_option("--to", webhook_command.url, "its new URL");
    add_webhook_settings(update);
    update->add_flag("--all-events", webhook_command.all_events, "send every event again")
        ->excludes(update->get_option("--events"));
    CLI::Option* enable = update->add_flag("--enable", webhook_command.enable, "send again");
    update->add_flag("--disable", webhook_command.disable, "send nothing")->excludes(enable);
    add("remove", "send nothing there any more", WebhookVerb::Remove);
    add("test", "send it a test event now. Exit code 1: it did not take it", WebhookVerb::Test);
    add("dead", "events that it never got", WebhookVerb::Dead);
    add("redrive", "try its dead letters again", WebhookVerb::Redrive)
        ->add_option("--event", webhook_command.event, "this alone (EV_...)");
  }

  void add_user_commands() {
    CLI::App* user = app.add_subcommand("user", "users in rooms")->require_subcommand(1);
    CLI::App* kick = user->add_subcommand("kick", "take a user out of a room; no ban follows");
    kick->add_option("user", command.subject, "UserId")->required();
    kick->add_option("--room", command.room, "RoomId")->required();
    kick->add_option("--reason", command.reason, "kept with the record, at most 1024 bytes");
    choose(kick, Verb::KickUser);
  }

  void add_ban_commands() {
    CLI::App* ban = app.add_subcommand("ban", "rules that keep people out")->require_subcommand(1);
    CLI::App* add = ban->add_subcommand(
        "add", "evict and keep out: a room, a user in a room, a user everywhere, or an address");
    add->add_option("--room", command.room, "RoomId; without --user the whole room, which ends");
    add->add_option("--user", command.user, "UserId; without --room in every room of the app");
    add->add_option("--ip", command.ip, "address or range, as 192.0.2.0/24; stands alone");
    add->add_option("--for", command.seconds, "seconds; 0 evicts and keeps nobody out")->required();
    add->add_option("--reason", command.reason, "kept with the rule, at most 1024 bytes");
    choose(add, Verb::AddBan);
    choose(ban->add_subcommand("list", "all rules in force"), Verb::ListBans);
    CLI::App* lift = ban->add_subcommand("lift", "end a rule before its time");
    lift->add_option("rule", command.subject, "rule id (BN_...)")->required();
    choose(lift, Verb::LiftBan);
  }

  CLI::App* add_app_command(CLI::App* parent, const char* name, const char* help, AppVerb verb) {
    CLI::App* added = parent->add_subcommand(name, help);
    added->callback([this, verb] { app_command.verb = verb; });
    return added;
  }

  void add_app_settings(CLI::App* to, const char* key_help, const char* secondary_help) {
    to->add_option("--app-key-file", app_command.app_key_file, key_help);
    to->add_option("--secondary-app-key-file", app_command.secondary_app_key_file, secondary_help);
    to->add_option("--ids", app_command.ids,
                   "vendor: RoomIds and UserIds as the vendor allows them; any: as LiveKit does")
        ->check(CLI::IsMember({"vendor", "any"}));
  }

  void add_app_commands() {
    CLI::App* apps =
        app.add_subcommand("app", "applications of the account")->require_subcommand(1);
    CLI::App* create = add_app_command(
        apps, "create", "make one; its AppKeys are shown once, and are secrets", AppVerb::Create);
    create->add_option("name", app_command.name, "1 to 24 letters, digits and _")->required();
    create->add_option("--id", app_command.app, "AppId of an app that moves in; else a new one");
    add_app_settings(create, "file with the AppKey of an app that moves in; - is standard input",
                     "the same of its SecondaryAppKey");
    add_app_command(apps, "list", "all apps of the account", AppVerb::List)
        ->add_flag("--show-keys", app_command.show_keys, "with their AppKeys, which are secrets");
    const auto add = [&](const char* name, const char* help, AppVerb verb) {
      CLI::App* added = add_app_command(apps, name, help, verb);
      added->add_option("appid", app_command.app, "AppId")->required();
      return added;
    };
    add("show", "one app, without its secrets", AppVerb::Show);
    add("enable", "let its tokens in again", AppVerb::Enable);
    add("disable", "end its live rooms and let nobody in", AppVerb::Disable);
    CLI::App* update = add("update", "change what is given, and nothing else", AppVerb::Update);
    update->add_option("--name", app_command.name, "1 to 24 letters, digits and _");
    add_app_settings(update, "file with its new AppKey; - is standard input",
                     "file with its new SecondaryAppKey; - is standard input");
    add_app_key_commands(apps);
  }

  void add_app_key_commands(CLI::App* apps) {
    CLI::App* key = apps->add_subcommand("key", "LiveKit API keys of an app besides its AppId")
                        ->require_subcommand(1);
    const auto add = [&](const char* name, const char* help, AppVerb verb) {
      CLI::App* added = add_app_command(key, name, help, verb);
      added->add_option("appid", app_command.app, "AppId")->required();
      added->add_option("key", app_command.api_key, "the API key's name")->required();
      return added;
    };
    CLI::App* added = add("add", "a key that signs tokens for this app", AppVerb::AddKey);
    added
        ->add_option("--secret-file", app_command.secret_file,
                     "file with its secret; - is standard input")
        ->required();
    added->add_flag("--management", app_command.management,
                    "its tokens may call LiveKit's RoomService, too");
    add("delete", "refuse its tokens from now on", AppVerb::DeleteKey);
  }

  CLI::App* add_operator_command(CLI::App* parent, const char* name, const char* help,
                                 OperatorVerb verb) {
    CLI::App* added = parent->add_subcommand(name, help);
    added
        ->add_option("--operator", operator_command.url,
                     "the operator's listener, on the server's own host")
        ->envname("ATRIUM_OPERATOR_URL")
        ->capture_default_str();
    added->callback([this, verb] { operator_command.verb = verb; });
    return added;
  }

  void add_operator_commands() {
    add_operator_command(&app, "reload",
                         "read configuration and certificate again, without a restart. Exit code "
                         "1: something is wrong with them, and nothing was changed",
                         OperatorVerb::Reload);
    CLI::App* drain =
        app.add_subcommand("drain", "take a server out of service")->require_subcommand(1);
    add_operator_command(drain, "start", "refuse new joins; calls go on", OperatorVerb::StartDrain);
    add_operator_command(drain, "stop", "let new joins in again", OperatorVerb::StopDrain);
  }

  CLI::App* add_store_command(CLI::App* store, const char* name, const char* help, StoreVerb verb) {
    CLI::App* added = store->add_subcommand(name, help);
    CLI::Option* data_dir =
        added->add_option("--data-dir", store_command.data_dir, "atriumd's data directory")
            ->envname("ATRIUM_STORE_DATA_DIR");
    if (verb == StoreVerb::Restore)
      data_dir->required();  // what is replaced is named, not guessed
    else
      data_dir->capture_default_str();
    added->callback([this, verb] { store_command.verb = verb; });
    return added;
  }

  void add_store_commands() {
    CLI::App* store =
        app.add_subcommand("store", "the files of a server: run it on the server's machine")
            ->require_subcommand(1);
    CLI::App* backup = add_store_command(
        store, "backup",
        "a copy of the store as it is now; a running server goes on and is not slowed. The copy "
        "is checked before it gets its name. It does not hold the key file (store.key)",
        StoreVerb::Backup);
    backup->add_option("file", store_command.file, "where to")->required();
    backup->add_flag("--force", store_command.force, "overwrite the file");
    CLI::App* restore = add_store_command(
        store, "restore",
        "put a backup in the place of the store. The server must be stopped; the store that is "
        "replaced is kept under another name",
        StoreVerb::Restore);
    restore->add_option("file", store_command.file, "a backup")->required();
    CLI::App* check = add_store_command(
        store, "check",
        "look a store or a backup through; a running server is not disturbed. Exit code 0: good, "
        "1: damaged, or not a store of this version",
        StoreVerb::Check);
    check->add_option("file", store_command.file,
                      "a store or backup; without it the store in --data-dir");
  }

  void add_audit_commands() {
    CLI::App* audit =
        app.add_subcommand("audit", "the record of who asked for what")->require_subcommand(1);
    CLI::App* verify = audit->add_subcommand(
        "verify",
        "look through the audit log in a server's store, on the server's machine; a running server "
        "is not disturbed. Names the first record that was altered, removed, put in or cut off. "
        "Exit code 0: intact, 4: tampered with, 1: something could not be read");
    verify->add_option("--data-dir", audit_command.data_dir, "atriumd's data directory")
        ->envname("ATRIUM_STORE_DATA_DIR")
        ->capture_default_str();
    verify->add_option("--audit-key", audit_command.key_file,
                       "file with the key of the log; without it audit.key in --data-dir")
        ->envname("ATRIUM_STORE_AUDIT_KEY_FILE");
    verify->add_option("--checkpoints", audit_command.checkpoints,
                       "file with checkpoints, as one shipped to another machine; may be given "
                       "more than once. Without it audit.checkpoints in --data-dir")
        ->envname("ATRIUM_STORE_AUDIT_CHECKPOINTS_FILE");
    verify->callback([this] { audit_command.verb = AuditVerb::Verify; });
    add_audit_list(audit);
  }

  void add_history_commands() {
    CLI::App* history =
        app.add_subcommand("history", "rooms and users of the last 14 days")->require_subcommand(1);
    const auto add = [&](const char* name, const char* what, Verb verb) {
      CLI::App* list = history->add_subcommand(name, what);
      list->add_option("--room", command.room, "RoomId; this room alone");
      list->add_option("--from", command.from,
                       "RFC 3339, as 2006-01-02T15:04:05+08:00; a day ago when not given");
      list->add_option("--to", command.to, "likewise; now when not given; at most a day later");
      choose(list, verb);
      return list;
    };
    add("rooms", "rooms that began in this time, and when they ended", Verb::ListLives);
    add("users", "users who came in this time, and when they left", Verb::ListVisitors)
        ->add_option("--user", command.user, "UserId, or up to ten with commas; these alone");
  }

  void add_dismissal_commands() {
    CLI::App* dismissal =
        app.add_subcommand("dismissal", "what became of a dismissal")->require_subcommand(1);
    CLI::App* show = dismissal->add_subcommand("show", "the receipt of an operation");
    show->add_option("operation", command.subject, "operation id (OP_...)")->required();
    choose(show, Verb::ShowDismissal);
  }
};

volatile std::sig_atomic_t interrupted = 0;

// The first SIGINT lets a command without end finish what it has begun; a second one ends the process.
void finish_on_interrupt() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
}

// The commands that ask the management API.
ExitCode run_managing(CommandLine& line, const std::string& authority, World& world) {
  if (line.app_command.verb != AppVerb::None)
    return run_app(line.settings, authority, line.app_command, world);
  if (line.bulk_command.verb != BulkVerb::None)
    return run_bulk(line.settings, authority, line.bulk_command, world);
  if (line.schedule_command.verb != ScheduleVerb::None)
    return run_schedule(line.settings, authority, line.schedule_command, world);
  if (line.webhook_command.verb != WebhookVerb::None)
    return run_webhook(line.settings, authority, line.webhook_command, world);
  if (line.record_command.verb == RecordVerb::None)
    return run(line.settings, authority, line.command, world);
  if (line.record_command.follow) finish_on_interrupt();
  return run_records(line.settings, authority, line.record_command, world);
}

ExitCode run_command_line(CommandLine& line) {
  if (line.dev) use_development_keys(line.settings);
  line.settings.output = line.output == "json" ? Output::Json : Output::Text;
  const bool is_operator = line.operator_command.verb != OperatorVerb::None;
  const std::string& url = is_operator ? line.operator_command.url : line.settings.url;
  const Result<Endpoint> endpoint = parse_endpoint(url);
  const auto timeout =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(line.timeout_s));
  World world{.exchange =
                  [&](const openapi::Request& request) {
                    return exchange(*endpoint, request, line.trust, timeout);
                  },
              .now =
                  [] {
                    return Wall(std::chrono::duration_cast<Duration>(
                        std::chrono::system_clock::now().time_since_epoch()));
                  },
              .wait = wait_for,
              .out = std::cout,
              .err = std::cerr,
              .in = std::cin,
              .is_interrupted = [] { return interrupted != 0; }};
  if (line.store_command.verb != StoreVerb::None)
    return run_store(line.settings.output, line.store_command, world);
  if (line.audit_command.verb != AuditVerb::None)
    return run_audit(line.settings.output, line.audit_command, world);
  if (!endpoint) {
    std::cerr << "atriumctl: " << (is_operator ? "--operator " : "--url ") << url << ": "
              << endpoint.error().message() << ".\n";
    return ExitCode::Usage;
  }
  if (line.trust.is_insecure && endpoint->is_tls)
    std::cerr << "atriumctl: --insecure: the server's certificate is not looked at.\n";
  const std::string authority = endpoint->authority();
  if (is_operator)
    return run_operator(line.settings.output, authority, line.operator_command, world);
  return run_managing(line, authority, world);
}

}  // namespace
}  // namespace atrium::atriumctl

int main(int argc, char** argv) {
  atrium::atriumctl::CommandLine line;
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return line.app.exit(error) == 0 ? 0 : static_cast<int>(atrium::atriumctl::ExitCode::Usage);
  }
  return static_cast<int>(atrium::atriumctl::run_command_line(line));
}
