// Gateway: the management API (vendor-contract 1 to 3).  Request in; out comes an answer, a domain
// command whose reply completes it, or a question to the store.  Owner: node, control thread. Pure:
// no clock, no socket, no storage. The checks run in the order of DESIGN section 4.  Does not:
// apply commands, wait, count connections.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "adapters/openapi/action.h"
#include "adapters/openapi/call_keys.h"
#include "adapters/openapi/canonical.h"
#include "adapters/openapi/error_table.h"
#include "adapters/openapi/message.h"
#include "adapters/openapi/query.h"
#include "adapters/openapi/quota.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/secret_source.h"
#include "base/time.h"
#include "domain/registry.h"

namespace atrium::openapi {

struct GatewayOptions {
  std::vector<AccessKey> keys;                // at least one; ids are unique
  std::string region = "cn-north-1";          // echoed in answers; always accepted in a credential
  std::vector<std::string> accepted_regions;  // accepted in a credential besides it
  // Host values that a proxy may have hidden; at most kPublicHostsMax.
  std::vector<std::string> public_hosts;
  bool business_errors_200 = false;  // Version 2020-12-01 answers business errors with HTTP 200
  BanRange bans{limits::kBanSecondsMinChina, limits::kBanSecondsMaxChina};
  // By what sessions know a token: the hash of its text, or of the one that it descends from.
  Sha256 (*token_line)(std::string_view token) = [](std::string_view token) {
    return sha256(as_bytes(token));
  };
  // Calls per second that replace an action's own quota, by quota_of(); 1…kQuotaPerSecondMax.
  std::map<std::string, uint32_t, std::less<>> quotas = {};
};
// Whether an action counts against a quota of this name.
bool is_quota(std::string_view name);

// To be applied to the registry in this same turn, before any other command; the DismissReply for
// `waiter` then goes to on_dismiss_reply.
struct DomainCall {
  domain::Command command;
  PendingCall call;
};
// The store is to be asked; its answer goes to the member that its question names.
struct StoreCall {
  Question question;
  PendingCall call;
};
// To be written by the store and nothing else; answered, by an ActionReply that says Done or RecordFailed, in
// on_action_reply.
struct RedriveCall {
  RedriveDeadLetters redrive;
  PendingCall call;
};
// To be sent; what came of it goes to on_tested.
struct TestCall {
  TestDelivery test;
  PendingCall call;
};
// An earlier call with the same Idempotency-Key is running: its answer is this call's, too, by repeat().
struct RepeatedCall {
  PendingCall call;
};
using Outcome = std::variant<Response, DomainCall, StoreCall, RedriveCall, TestCall, RepeatedCall>;

struct StoreAnswer {
  bool ok = false;  // false: the store could not be read
  std::optional<domain::DismissalRecord> record;
};

// What the HTTP server or node refused before a handler could run.
enum class FaultKind : uint8_t {
  Malformed,
  RequestLineTooLong,
  HeadersTooLong,
  HeadTimeout,
  BodyTimeout,
  BodyTooLong,
  UnsupportedTransferEncoding,
  Overloaded,  // node holds as many unanswered calls as it may, or is draining: 503 with
               // Retry-After
};

class Gateway {
 public:
  // Refuses keys named twice, keys without id or secret, quotas of no action, and too many public hosts.
  // `secrets` gives the request ids and must outlive the gateway.
  static Result<Gateway> create(GatewayOptions options, SecretSource& secrets);
  // The same, while it runs: calls that wait are not touched.  Refused as a whole, or taken as a whole.
  Result<void> reconfigure(GatewayOptions options);
  Gateway(Gateway&&) = default;
  Gateway& operator=(Gateway&&) = default;

  // What can be said before the body is read.  nullopt: read it.  Also answers the plain probe `GET
  // /`.
  std::optional<Response> check_head(const Request& head, Now now);
  // The whole request.  `waiter` is put into the command of a DomainCall.
  Outcome handle(const Request& request, WaiterId waiter, const domain::Registry& registry,
                 Now now);

  // The second half of a call that had to wait.
  Response on_dismiss_reply(const PendingCall& call, const domain::DismissReply& reply) const;
  Response on_action_reply(const PendingCall& call, const domain::ActionReply& reply) const;
  Response on_store_answer(const PendingCall& call, const StoreAnswer& answer) const;
  // `is_ok` false: the store could not be read.
  Response on_ban_rules(const PendingCall& call, bool is_ok,
                        std::span<const domain::BanRule> rules) const;
  // Null: the store could not be read.
  Response on_lives(const PendingCall& call, const domain::LivesPage* page) const;
  Response on_visitors(const PendingCall& call, const domain::VisitorsPage* page) const;
  Response on_events(const PendingCall& call, const domain::EventsPage* page) const;
  Response on_audit(const PendingCall& call, const domain::AuditPage* page) const;
  // Null pages: there is no such operation.
  Response on_bulk(const PendingCall& call, bool is_ok, const domain::BulkPage* page) const;
  Response on_dead_letters(const PendingCall& call, bool is_ok,
                           std::span<const domain::DeadLetter> letters) const;
  Response on_backlogs(const PendingCall& call, bool is_ok,
                       std::span<const domain::WebhookBacklog> backlogs) const;
  Response on_tested(const PendingCall& call, const TestOutcome& outcome) const;
  // --- calls with an Idempotency-Key
  // At start, from the store.
  void restore_calls(std::span<const domain::KeyedCall> calls);
  // What the store is to keep of a call that was carried out and answered so; `outcome` as KeyedCall has it.
  domain::KeyedCall keyed_call(const PendingCall& call, const OperationId& operation,
                               uint8_t outcome, const Response& response, Wall now) const;
  // The row is in the store, and the call answered.
  void finish_call(const domain::KeyedCall& row);
  // The call did nothing: its key may be used again.
  void drop_call(const PendingCall& call);
  // `first`, which was given to an earlier call with the same key, in the words of this one.
  Response repeat(const PendingCall& call, const Response& first) const;

  // It was carried out, but its key could not be stored.
  Response on_unstored_key(const PendingCall& call) const;
  // What is known of a call that waits, as an answer would say it.
  Response trace(const PendingCall& call) const;
  // A call that waits and will get no answer, since node is stopping or its queue to the store is
  // full.
  Response on_abandoned(const PendingCall& call) const;

  // For calls that come by another door (RoomService) and count as the action does whose quota is named so.
  // 0: there was room; otherwise the time until there is.
  Duration take_quota_of(std::string_view quota, const domain::App& app, Now now);

  // `head` may be incomplete or empty.
  Response fault_response(const Request& head, FaultKind fault, Now now);

 private:
  struct Call;  // one request on its way through the checks
  using Check = std::optional<Refusal>;

  Gateway(GatewayOptions options, SecretSource& secrets);
  void index();
  std::string make_request_id(Wall now);
  Outcome carry_out(Call& call, WaiterId waiter, const domain::Registry& registry, Now now);
  Check read_target(Call& call) const;
  Check authenticate(Call& call, Now now);
  const HmacSha256& signing_key_of(const AccessKey& key, const CredentialScope& scope);
  Check choose_action(Call& call) const;
  Check read_arguments(Call& call) const;
  Check find_app(Call& call, const domain::Registry& registry) const;
  uint32_t rate_of(const ActionRow& action) const;
  Check read_key(Call& call) const;
  // nullopt: it is a new call.
  std::optional<Outcome> find_key(Call& call, const domain::Registry& registry, Now now);
  Outcome replay(Call& call, const domain::Registry& registry, Now now);
  Outcome replay_dismissal(Call& call, const domain::KeyedCall& row,
                           const domain::Registry& registry) const;
  Check take_quota(Call& call, uint32_t factor, Now now);
  // `factor`: of the action's own rate; calls with another one than 1 are counted by themselves.
  Duration take_quota_of(const ActionRow& action, std::string_view account, const AppId& app,
                         uint32_t factor, Now now);
  ActionContext context_of(Call& call, WaiterId waiter, const domain::Registry& registry,
                           Now now) const;
  Outcome run_handler(Call& call, WaiterId waiter, const domain::Registry& registry, Now now);
  Response answer(const PendingCall& call, const Answer& result) const;
  Response refuse(const PendingCall& call, const Refusal& refusal) const;

  // given
  GatewayOptions options_;
  SecretSource* secrets_;
  // derived
  std::map<std::string, const AccessKey*, std::less<>> keys_;
  // The latest of each access key; by its id.
  struct DerivedKey {
    CredentialScope scope;
    HmacSha256 key;
  };
  std::map<std::string, DerivedKey, std::less<>> signing_keys_;
  // What the request ids of one second begin with.
  struct RequestStamp {
    int64_t second = 0;  // since 1970
    std::string text = "19700101000000";
  };
  RequestStamp request_stamp_;
  // owned
  Quota quota_;
  CallKeys call_keys_;
};

}  // namespace atrium::openapi
