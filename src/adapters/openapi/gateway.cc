#include "adapters/openapi/gateway.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "adapters/openapi/id_rule.h"
#include "adapters/openapi/timestamps.h"
#include "adapters/openapi/verifier.h"
#include "base/check.h"
#include "base/crypto.h"
#include "base/limits.h"

namespace atrium::openapi {

struct Gateway::Call {
  const Request& request;
  PendingCall pending{};
  Target target{};
  Args args{};
  const AccessKey* key = nullptr;
  const domain::App* app = nullptr;
};

namespace {

// The envelope is written as text at once: every call has one.  `name` needs no escapes.
void add_member(std::string& object, std::string_view name, std::string_view text) {
  object.append(object.back() == '{' ? "\"" : ",\"").append(name).append("\":");
  append_quoted(object, text);
}

// The answer up to and without the brace that ends its metadata; Action and Version are echoed when they are known.
std::string begin_answer(const PendingCall& call, std::string_view region) {
  std::string out;
  out.reserve(512);
  out.append(R"({"ResponseMetadata":{)");
  add_member(out, "RequestId", call.request_id);
  if (!call.action_name.empty()) add_member(out, "Action", call.action_name);
  if (!call.version.empty()) add_member(out, "Version", call.version);
  add_member(out, "Service", kService);
  add_member(out, "Region", region);
  return out;
}

// For the audit.
CallTrace trace_of(const PendingCall& call) {
  return {.account = call.account,
          .access_key = call.access_key,
          .content_hash = call.content_hash,
          .action = call.action_name,
          .version = call.version,
          .app = call.app,
          .room = call.room,
          .changes = call.action != nullptr && is_change(*call.action),
          .is_dry_run = call.is_dry_run,
          .is_replay = call.is_replay};
}

Response json_response(int status, std::string body, const PendingCall& call) {
  Response out{.status = status, .body = std::move(body), .request_id = call.request_id};
  out.headers.reserve(4);
  out.headers.emplace_back("Content-Type", "application/json; charset=utf-8");
  out.headers.emplace_back("Cache-Control", "no-store");
  return out;
}

// What a repeated call is told beside the answer of the first.
void mark_replay(Response& response, const PendingCall& call) {
  if (call.is_replay) response.headers.emplace_back("Idempotency-Replayed", "true");
}

Refusal missing(std::string_view parameter) {
  return {ErrorCode::MissingParameter, "The request lacks the parameter " + std::string(parameter) +
                                           " in the query of the URL."};
}

Refusal body_too_long() {
  return {ErrorCode::SizeOverLimit,
          "The body must be at most " + std::to_string(limits::kHttpBodyBytesMax) + " bytes."};
}

// HTTP's own status for what HTTP itself was broken by.
constexpr int kContentTooLarge = 413;

std::optional<uint64_t> content_length(const Request& request) {
  const std::string_view text = request.header("Content-Length");
  uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error == std::errc::result_out_of_range) return UINT64_MAX;
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return length;
}

// `GET /` without query and Authorization: something to point a health check or a browser at.
std::optional<Response> plain_probe(const Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return std::nullopt;
  if (request.target != "/" || request.header_count("Authorization") > 0) return std::nullopt;
  return Response{.status = 200,
                  .headers = {{"Content-Type", "text/plain; charset=utf-8"},
                              {"Access-Control-Allow-Origin", "*"}},
                  .body = request.method == "HEAD" ? "" : "OK"};
}

std::string_view method_name(Method method) {
  return method == Method::Get ? "GET" : "POST";
}

std::string versions_of(std::string_view action) {
  std::string out;
  for (const ActionRow* row : action_rows())
    if (row->name == action) out += (out.empty() ? "" : ", ") + std::string(row->version);
  return out;
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

struct Fault {
  int status;
  ErrorCode code;
  std::string_view message;
};

Fault describe(FaultKind fault) {
  switch (fault) {
    case FaultKind::Malformed:
      return {400, ErrorCode::InvalidParameter, "The request is not HTTP/1.1."};
    case FaultKind::RequestLineTooLong:
      return {414, ErrorCode::SizeOverLimit, "The request line is too long."};
    case FaultKind::HeadersTooLong:
      return {431, ErrorCode::SizeOverLimit, "The headers are too long or too many."};
    case FaultKind::HeadTimeout:
      return {408, ErrorCode::MissingRequestInfo,
              "The request lacks the rest of its head: it did not come in time."};
    case FaultKind::BodyTimeout:
      return {408, ErrorCode::MissingRequestInfo,
              "The request lacks the rest of its body: it did not come in time."};
    case FaultKind::BodyTooLong:
      return {kContentTooLarge, ErrorCode::SizeOverLimit, "The body is too long."};
    case FaultKind::UnsupportedTransferEncoding:
      return {501, ErrorCode::InvalidParameter,
              "The transfer encoding is not supported; send Content-Length or chunked."};
    case FaultKind::Overloaded:
      return {503, ErrorCode::ServiceUnavailableTemp,
              "The server is busy or stopping; try again shortly."};
  }
  return {500, ErrorCode::InternalError, "Internal error."};
}

Refusal unreadable(std::string_view what) {
  return {ErrorCode::InternalError, "The stored " + std::string(what) + " could not be read."};
}

}  // namespace

namespace {

Result<void> check(const GatewayOptions& options) {
  if (options.public_hosts.size() > static_cast<size_t>(limits::kPublicHostsMax))
    return fail(ErrorKind::LimitExceeded, "too many public hosts");
  if (options.region.empty()) return malformed("the region is empty");
  std::set<std::string_view> ids;
  for (const AccessKey& key : options.keys) {
    if (key.id.empty() || key.secret.empty() || key.id.contains('/'))
      return malformed("an access key needs an id without '/' and a secret");
    if (!ids.insert(key.id).second)
      return fail(ErrorKind::Conflict, "an access key is named twice");
  }
  for (const auto& [name, per_second] : options.quotas)
    if (!is_quota(name) || per_second == 0 || per_second > limits::kQuotaPerSecondMax)
      return malformed("a quota names no action, or is out of its range");
  return {};
}

}  // namespace

bool is_quota(std::string_view name) {
  return std::ranges::any_of(action_rows(),
                             [name](const ActionRow* row) { return quota_of(*row) == name; });
}

Result<Gateway> Gateway::create(GatewayOptions options, SecretSource& secrets) {
  TRY(check(options));
  return Gateway(std::move(options), secrets);
}

Result<void> Gateway::reconfigure(GatewayOptions options) {
  TRY(check(options));
  options_ = std::move(options);
  index();
  return {};
}

Gateway::Gateway(GatewayOptions options, SecretSource& secrets)
    : options_(std::move(options)), secrets_(&secrets) {
  index();
}

// The map points into the vector of `options_`, whose elements a move of the gateway leaves where they are.
void Gateway::index() {
  options_.accepted_regions.insert(options_.accepted_regions.begin(), options_.region);
  keys_.clear();
  for (const AccessKey& key : options_.keys) keys_.emplace(key.id, &key);
  signing_keys_.clear();
}

std::optional<Response> Gateway::check_head(const Request& head, Now now) {
  if (auto probe = plain_probe(head)) return probe;
  Call call{.request = head};
  const bool is_too_long =
      content_length(head).value_or(0) > static_cast<uint64_t>(limits::kHttpBodyBytesMax);
  const auto refusal = read_target(call);
  if (!refusal && !is_too_long) return std::nullopt;
  call.pending.request_id = make_request_id(now.wall);
  if (refusal) return refuse(call.pending, *refusal);
  Response response = refuse(call.pending, body_too_long());
  response.status = kContentTooLarge;
  response.close = true;  // the body is still on its way and will not be read
  return response;
}

Outcome Gateway::handle(const Request& request, WaiterId waiter, const domain::Registry& registry,
                        Now now) {
  if (auto probe = plain_probe(request)) return *std::move(probe);
  Call call{.request = request};
  call.pending.request_id = make_request_id(now.wall);
  Outcome outcome = carry_out(call, waiter, registry, now);
  if (auto* response = std::get_if<Response>(&outcome)) response->trace = trace_of(call.pending);
  return outcome;
}

Outcome Gateway::carry_out(Call& call, WaiterId waiter, const domain::Registry& registry, Now now) {
  if (auto refusal = read_target(call)) return refuse(call.pending, *refusal);
  if (call.request.body.size() > static_cast<size_t>(limits::kHttpBodyBytesMax)) {
    Response response = refuse(call.pending, body_too_long());
    response.status = kContentTooLarge;
    return response;
  }
  if (auto refusal = authenticate(call, now)) return refuse(call.pending, *refusal);
  if (auto refusal = choose_action(call)) return refuse(call.pending, *refusal);
  if (auto refusal = read_arguments(call)) return refuse(call.pending, *refusal);
  if (auto refusal = find_app(call, registry)) return refuse(call.pending, *refusal);
  if (auto refusal = read_key(call)) return refuse(call.pending, *refusal);
  if (auto repeated = find_key(call, registry, now)) return *std::move(repeated);
  if (auto refusal = take_quota(call, 1, now)) return refuse(call.pending, *refusal);
  return run_handler(call, waiter, registry, now);
}

Gateway::Check Gateway::read_target(Call& call) const {
  auto target = parse_target(call.request.target);
  if (!target) return target.error();
  call.target = *std::move(target);
  call.pending.action_name = printable(call.target.find("Action").value_or(""));
  call.pending.version = printable(call.target.find("Version").value_or(""));
  if (call.target.path != "/")
    return Refusal{ErrorCode::ServiceNotFound,
                   "There is nothing at " + printable(call.target.path) + "; the path is /."};
  for (const char* name : {"Action", "Version"}) {
    if (call.target.find(name).value_or("").empty()) return missing(name);
    if (call.target.count(name) > 1)
      return Refusal{ErrorCode::InvalidParameter, std::string(name) + " was given twice."};
  }
  return std::nullopt;
}

// "20240102030405" and 18 hexadecimal digits in upper case.
std::string Gateway::make_request_id(Wall now) {
  constexpr char kHexDigits[] = "0123456789ABCDEF";
  if (const int64_t second = unix_s(now); request_stamp_.second != second) {
    request_stamp_ = {second, ""};
    append_digits(request_stamp_.text, now);
  }
  std::array<uint8_t, 9> random{};
  secrets_->fill(random);
  std::array<char, 2 * random.size()> digits{};
  for (size_t i = 0; i < random.size(); ++i) {
    digits[2 * i] = kHexDigits[random[i] >> 4];
    digits[2 * i + 1] = kHexDigits[random[i] & 15];
  }
  std::string out;
  out.reserve(request_stamp_.text.size() + digits.size());
  return out.append(request_stamp_.text).append(digits.data(), digits.size());
}

// Four of the five HMACs of a signature are about the scope, which is the same for a day.
const HmacSha256& Gateway::signing_key_of(const AccessKey& key, const CredentialScope& scope) {
  const auto known = signing_keys_.find(key.id);
  if (known != signing_keys_.end() && known->second.scope == scope) return known->second.key;
  DerivedKey derived{scope, signing_key(key.secret, scope)};
  return signing_keys_.insert_or_assign(key.id, std::move(derived)).first->second.key;
}

Gateway::Check Gateway::authenticate(Call& call, Now now) {
  const auto claim = read_claim(call.request, call.target);
  if (!claim) return claim.error();
  if (auto refusal = check_scope(*claim, options_.accepted_regions)) return refusal;
  if (claim->has_session_token)
    return Refusal{ErrorCode::InvalidSecretToken,
                   "X-Security-Token: this server issues no session tokens; sign with an access "
                   "key of its own."};
  const auto found = keys_.find(claim->access_key);
  if (found == keys_.end())
    return Refusal{ErrorCode::InvalidAccessKey,
                   "The access key " + printable(claim->access_key) + " does not exist here."};
  if (auto refusal = check_time(*claim, call.request, call.target, now)) return refusal;
  const Sha256 content_hash = sha256(as_bytes(call.request.body));
  if (!signature_matches(*claim, signing_key_of(*found->second, claim->scope), call.request,
                         call.target, options_.public_hosts, content_hash))
    return Refusal{ErrorCode::SignatureDoesNotMatch,
                   "The signature computed here differs: check the secret, and that nothing "
                   "changed the request."};
  call.key = found->second;
  call.pending.access_key = call.key->id;
  call.pending.account = call.key->account;
  call.pending.content_hash = content_hash;
  return std::nullopt;
}

Gateway::Check Gateway::choose_action(Call& call) const {
  const std::string_view name = *call.target.find("Action"), version = *call.target.find("Version");
  const ActionRow* action = find_action(name, version);
  if (action == nullptr) {
    const std::string served = versions_of(name);
    return Refusal{ErrorCode::InvalidActionOrVersion,
                   "There is no operation " + call.pending.action_name + " for version " +
                       call.pending.version +
                       (served.empty() ? "." : "; it is served in " + served + ".")};
  }
  call.pending.action = action;
  if (call.request.method != method_name(action->method)) {
    const std::string allowed(method_name(action->method));
    return Refusal{ErrorCode::MethodNotAllowed,
                   call.pending.action_name + " is asked with " + allowed + ".", 0, allowed};
  }
  if (!call.key->scopes.has(action->scope))
    return Refusal{ErrorCode::AccessDenied,
                   "The access key lacks the scope \"" + std::string(scope_name(action->scope)) +
                       "\"; it is not authorised for " + call.pending.action_name + "."};
  return std::nullopt;
}

Gateway::Check Gateway::read_arguments(Call& call) const {
  const ActionRow& action = *call.pending.action;
  if (action.method == Method::Get || action.fields_in == FieldsIn::Query) {
    auto args = Args::from_query(call.target.query, action.fields);
    if (!args) return args.error();
    call.args = *std::move(args);
    return std::nullopt;
  }
  if (is_blank(call.request.body))
    return Refusal{ErrorCode::BodyIsEmpty, "The body is empty; send a JSON object."};
  auto body = parse_json(call.request.body);
  if (!body)
    return Refusal{ErrorCode::Unmarshal, "The body cannot be read at byte " +
                                             std::to_string(body.error().offset) + ": " +
                                             body.error().what + "."};
  auto args = Args::from_body(*std::move(body), action.fields, action.unknown);
  if (!args) return args.error();
  call.args = *std::move(args);
  return std::nullopt;
}

Gateway::Check Gateway::find_app(Call& call, const domain::Registry& registry) const {
  static const domain::App kNone;
  const AppUse use = call.pending.action->app;
  const std::string_view id = use == AppUse::None ? std::string_view() : call.args.text("AppId");
  call.app = &kNone;
  call.pending.room = RoomId(call.args.text("RoomId"));
  if (id.empty() && use != AppUse::Required) return std::nullopt;
  const domain::App* found = registry.apps().find(AppId(id));
  if (found == nullptr && !looks_like_app_id(id))
    return Refusal{ErrorCode::IllegalAppId, "AppId must be 24 lower-case hexadecimal digits."};
  if (found == nullptr)
    return Refusal{ErrorCode::NotExistAppId, "There is no app " + printable(id) + "."};
  if (found->account != call.key->account)
    return Refusal{ErrorCode::AccountIdMismatch,
                   "Check owner failed: the app belongs to another account."};
  call.app = found;
  call.pending.app = call.app->id;
  return std::nullopt;
}

uint32_t Gateway::rate_of(const ActionRow& action) const {
  const auto own = options_.quotas.find(quota_of(action));
  return own == options_.quotas.end() ? action.per_second : own->second;
}

Duration Gateway::take_quota_of(const ActionRow& action, std::string_view account, const AppId& app,
                                uint32_t factor, Now now) {
  std::string_view name = quota_of(action);
  std::string replay_name;
  if (factor != 1) name = replay_name = "replay of " + std::string(name);
  const bool is_apps = action.quota == QuotaScope::App;
  const std::string_view owner = is_apps ? std::string_view(app.value) : account;
  const std::string_view member = is_apps ? std::string_view() : app.value;
  return quota_.take(owner, member, name, rate_of(action) * factor, now.mono);
}

Gateway::Check Gateway::take_quota(Call& call, uint32_t factor, Now now) {
  const ActionRow& action = *call.pending.action;
  const Duration wait = take_quota_of(action, call.key->account, call.app->id, factor, now);
  if (wait == Duration::zero()) return std::nullopt;
  Refusal refusal{ErrorCode::QpsOverLimit, call.pending.action_name + " is limited to " +
                                               std::to_string(rate_of(action) * factor) +
                                               " requests per second."};
  refusal.retry_after_s =
      std::max<int64_t>(1, std::chrono::ceil<std::chrono::seconds>(wait).count());
  return refusal;
}

Duration Gateway::take_quota_of(std::string_view quota, const domain::App& app, Now now) {
  const auto row = std::ranges::find_if(
      action_rows(), [quota](const ActionRow* one) { return quota_of(*one) == quota; });
  CHECK(row != action_rows().end());
  return take_quota_of(**row, app.account, app.id, 1, now);
}

// --- Idempotency-Key -------------------------------------------------------------------------------------------------

// The header of a call that changes something; of reads it says nothing.
Gateway::Check Gateway::read_key(Call& call) const {
  constexpr const char* kHeader = "Idempotency-Key";
  const size_t count = call.request.header_count(kHeader);
  if (count == 0 || !is_change(*call.pending.action)) return std::nullopt;
  const std::string_view key = call.request.header(kHeader);
  const auto is_printable = [](char c) { return c >= ' ' && c <= '~'; };
  if (count > 1 || key.empty() || key.size() > static_cast<size_t>(limits::kCallKeyBytesMax) ||
      !std::ranges::all_of(key, is_printable))
    return Refusal{ErrorCode::InvalidParameter,
                   "The header Idempotency-Key must be given once, as 1 to " +
                       std::to_string(limits::kCallKeyBytesMax) + " printable ASCII characters."};
  call.pending.key = domain::CallKey{call.key->account, std::string(call.pending.action->name),
                                     std::string(call.pending.action->version), std::string(key)};
  std::string text;
  for (const auto& [name, value] : call.target.query)
    if (!name.starts_with("X-")) text += percent_encode(name) + "=" + percent_encode(value) + "&";
  call.pending.body_hash = sha256(as_bytes(text + "\n" + call.request.body));
  return std::nullopt;
}

std::optional<Outcome> Gateway::find_key(Call& call, const domain::Registry& registry, Now now) {
  if (!call.pending.key) return std::nullopt;
  const auto verdict = call_keys_.look(*call.pending.key, call.pending.body_hash, now.wall);
  switch (verdict) {
    case CallKeys::Verdict::New:
      return std::nullopt;
    case CallKeys::Verdict::Running:
    case CallKeys::Verdict::Done:
      break;
    case CallKeys::Verdict::OtherBody:
      return refuse(call.pending, {ErrorCode::IdempotencyKeyReuse,
                                   "The Idempotency-Key was used for another request to this "
                                   "action; take a new one."});
    case CallKeys::Verdict::Full:
      return refuse(call.pending,
                    {ErrorCode::QpsOverLimit,
                     "At most " + std::to_string(limits::kCallKeysPerAccountMax) +
                         " Idempotency-Keys of an account are remembered for " +
                         std::to_string(limits::kCallKeyKeepHours) + " hours; call without one.",
                     limits::kRetryAfterS});
  }
  if (auto refusal = take_quota(call, limits::kReplayQuotaFactor, now))
    return refuse(call.pending, *refusal);
  call.pending.is_replay = true;
  if (verdict == CallKeys::Verdict::Running) return RepeatedCall{std::move(call.pending)};
  return replay(call, registry, now);
}

Outcome Gateway::replay(Call& call, const domain::Registry& registry, Now now) {
  const domain::KeyedCall& row = *call_keys_.find(*call.pending.key);
  const ActionRow& action = *call.pending.action;
  // Without an outcome the row was written with the effect and names an app at most; an AppId of digits is JSON, too.
  if (row.outcome && !action.has_secrets && !row.subject.empty())
    if (const auto result = parse_json(row.subject)) return answer(call.pending, *result);
  // The handler leaves in the call what an answer is shaped by; what it asks for is not done again.
  ActionContext context = context_of(call, WaiterId{}, registry, now);
  if (const HandlerStep step = action.handle(context);
      const auto* refusal = std::get_if<Refusal>(&step))
    return refuse(call.pending, *refusal);
  const bool is_action =
      row.outcome.value_or(0) >= domain::kOutcomeOfAction || action.on_dismissed == nullptr;
  if (!is_action) return replay_dismissal(call, row, registry);
  const domain::App* app = registry.apps().find(AppId(row.subject));
  if (action.has_secrets && app == nullptr)
    return refuse(call.pending, {ErrorCode::InternalError, "What the first call made is gone."});
  const auto outcome = row.outcome ? *row.outcome - domain::kOutcomeOfAction : 0;
  return on_action_reply(
      call.pending, {.waiter = {},
                     .outcome = static_cast<domain::ActionOutcome>(outcome),
                     .operation = row.operation,
                     .app = app == nullptr ? nullptr : std::make_shared<const domain::App>(*app)});
}

Outcome Gateway::replay_dismissal(Call& call, const domain::KeyedCall& row,
                                  const domain::Registry& registry) const {
  call.pending.replayed_outcome = row.outcome;
  call.pending.operation = row.operation;
  auto record = registry.find_operation(row.operation);
  if (!record && !row.operation.empty())
    return StoreCall{FindRecord{row.operation}, std::move(call.pending)};
  return on_dismiss_reply(call.pending,
                          {.waiter = {},
                           .outcome = static_cast<domain::DismissOutcome>(row.outcome.value_or(0)),
                           .record = std::move(record)});
}

void Gateway::restore_calls(std::span<const domain::KeyedCall> calls) {
  for (const domain::KeyedCall& row : calls) call_keys_.finish(row);
}

domain::KeyedCall Gateway::keyed_call(const PendingCall& call, const OperationId& operation,
                                      uint8_t outcome, const Response& response, Wall now) const {
  domain::KeyedCall row{.key = *call.key,
                        .body_hash = call.body_hash,
                        .operation = operation,
                        .outcome = outcome,
                        .at = now};
  const bool has_record = call.action->on_dismissed != nullptr && !operation.empty();
  if (call.action->has_secrets || has_record || response.error) return row;
  if (const auto body = parse_json(response.body))
    if (const Json* result = body->find("Result")) row.subject = to_text(*result);
  return row;
}

void Gateway::finish_call(const domain::KeyedCall& row) {
  call_keys_.finish(row);
}

void Gateway::drop_call(const PendingCall& call) {
  if (call.key) call_keys_.drop(*call.key);
}

Response Gateway::repeat(const PendingCall& call, const Response& first) const {
  const auto body = parse_json(first.body);
  const Json* meta = body ? body->find("ResponseMetadata") : nullptr;
  if (meta == nullptr) return on_abandoned(call);
  Json::Object metadata_of_this = *meta->if_object();
  for (auto& [name, value] : metadata_of_this)
    if (name == "RequestId") value = call.request_id;
  Json::Object out{{"ResponseMetadata", std::move(metadata_of_this)}};
  if (const Json* result = body->find("Result")) out.emplace_back("Result", *result);
  Response response = first;
  response.body = to_text(Json(std::move(out)));
  response.request_id = call.request_id;
  mark_replay(response, call);
  return response;
}

ActionContext Gateway::context_of(Call& call, WaiterId waiter, const domain::Registry& registry,
                                  Now now) const {
  return {.args = call.args,
          .app = *call.app,
          .key = *call.key,
          .registry = registry,
          .waiter = waiter,
          .call = call.pending,
          .now = now,
          .bans = options_.bans,
          .region = options_.region,
          .token_line = options_.token_line};
}

Outcome Gateway::run_handler(Call& call, WaiterId waiter, const domain::Registry& registry,
                             Now now) {
  ActionContext context = context_of(call, waiter, registry, now);
  HandlerStep step = call.pending.action->handle(context);
  if (auto* result = std::get_if<Json>(&step)) return answer(call.pending, std::move(*result));
  if (auto* refusal = std::get_if<Refusal>(&step)) return refuse(call.pending, *refusal);
  const bool is_kept =
      !std::holds_alternative<Question>(step) && !std::holds_alternative<TestDelivery>(step);
  if (call.pending.key && is_kept)
    call_keys_.begin(*call.pending.key, call.pending.body_hash, now.wall);
  if (auto* apply = std::get_if<ApplyCommand>(&step))
    return Outcome(std::in_place_type<DomainCall>, std::move(apply->command),
                   std::move(call.pending));
  if (auto* test = std::get_if<TestDelivery>(&step))
    return TestCall{std::move(*test), std::move(call.pending)};
  if (auto* redrive = std::get_if<RedriveDeadLetters>(&step)) {
    redrive->operation = OperationId(secrets_->sid("OP_"));
    call.pending.operation = redrive->operation;
    return RedriveCall{std::move(*redrive), std::move(call.pending)};
  }
  return StoreCall{std::get<Question>(std::move(step)), std::move(call.pending)};
}

Response Gateway::on_dismiss_reply(const PendingCall& call,
                                   const domain::DismissReply& reply) const {
  CHECK(call.action != nullptr && call.action->on_dismissed != nullptr);
  return answer(call, call.action->on_dismissed(call, reply));
}

Response Gateway::on_action_reply(const PendingCall& call, const domain::ActionReply& reply) const {
  CHECK(call.action != nullptr && call.action->on_applied != nullptr);
  const std::string operation =
      reply.operation.empty() ? "" : " Operation " + reply.operation.value + ".";
  switch (reply.outcome) {
    case domain::ActionOutcome::RecordFailed:
      return refuse(call, {ErrorCode::InternalError,
                           "It could not be stored and does not hold; who was to leave has left." +
                               operation});
    case domain::ActionOutcome::Unfinished:
      return refuse(call, {ErrorCode::InternalError,
                           "It is not confirmed yet that it is stored and everybody gone; it goes "
                           "on." +
                               operation});
    case domain::ActionOutcome::TooManyBans:
      return refuse(call,
                    {ErrorCode::SizeOverLimit, "There are " + std::to_string(limits::kBansMax) +
                                                   " ban rules already; lift some first."});
    case domain::ActionOutcome::TooManyApps:
      return refuse(call, {ErrorCode::SizeOverLimit,
                           "An account has at most " + std::to_string(limits::kAppsPerAccountMax) +
                               " apps, and an app " + std::to_string(limits::kApiKeysPerAppMax) +
                               " API keys."});
    case domain::ActionOutcome::Exists:
      return refuse(call, {ErrorCode::InvalidParameter,
                           "The AppId, the API key or the callback's BusinessId is taken; choose "
                           "another one."});
    case domain::ActionOutcome::NoSuchRoom:
      return refuse(call, {ErrorCode::NoSuchRoom,
                           "The room has no current session, or it is not the one that is meant; "
                           "nothing was done."});
    case domain::ActionOutcome::TooMany:  // the row says of what
    case domain::ActionOutcome::TooLate:
    case domain::ActionOutcome::Done:
    case domain::ActionOutcome::NotThere:
      break;
  }
  return answer(call, call.action->on_applied(call, reply));
}

Response Gateway::on_ban_rules(const PendingCall& call, bool is_ok,
                               std::span<const domain::BanRule> rules) const {
  CHECK(call.action != nullptr && call.action->on_bans != nullptr);
  if (!is_ok) return refuse(call, unreadable("rules"));
  return answer(call, call.action->on_bans(call, rules));
}

Response Gateway::on_store_answer(const PendingCall& call, const StoreAnswer& found) const {
  CHECK(call.action != nullptr);
  if (!found.ok)
    return refuse(call, {ErrorCode::InternalError,
                         "The stored records could not be read; nothing was changed."});
  if (call.is_replay)
    return on_dismiss_reply(
        call, {.waiter = {},
               .outcome = static_cast<domain::DismissOutcome>(call.replayed_outcome.value_or(0)),
               .record = found.record});
  CHECK(call.action->on_record != nullptr);
  return answer(call, call.action->on_record(call, found.record ? &*found.record : nullptr));
}

Response Gateway::on_lives(const PendingCall& call, const domain::LivesPage* page) const {
  CHECK(call.action != nullptr && call.action->on_lives != nullptr);
  if (page == nullptr) return refuse(call, unreadable("history"));
  return answer(call, call.action->on_lives(call, *page));
}

Response Gateway::on_visitors(const PendingCall& call, const domain::VisitorsPage* page) const {
  CHECK(call.action != nullptr && call.action->on_visitors != nullptr);
  if (page == nullptr) return refuse(call, unreadable("history"));
  return answer(call, call.action->on_visitors(call, *page));
}

Response Gateway::on_unstored_key(const PendingCall& call) const {
  return refuse(call, {ErrorCode::InternalError,
                       "It was carried out, but the Idempotency-Key could not be stored: it does "
                       "not protect a repetition."});
}

Response Gateway::trace(const PendingCall& call) const {
  Response response{.request_id = call.request_id, .trace = trace_of(call)};
  mark_replay(response, call);
  return response;
}

Response Gateway::on_events(const PendingCall& call, const domain::EventsPage* page) const {
  CHECK(call.action != nullptr && call.action->on_events != nullptr);
  if (page == nullptr) return refuse(call, unreadable("events"));
  return answer(call, call.action->on_events(call, *page));
}

Response Gateway::on_audit(const PendingCall& call, const domain::AuditPage* page) const {
  CHECK(call.action != nullptr && call.action->on_audit != nullptr);
  if (page == nullptr) return refuse(call, unreadable("audit records"));
  return answer(call, call.action->on_audit(call, *page));
}

Response Gateway::on_bulk(const PendingCall& call, bool is_ok, const domain::BulkPage* page) const {
  CHECK(call.action != nullptr && call.action->on_bulk != nullptr);
  if (!is_ok) return refuse(call, unreadable("records"));
  return answer(call, call.action->on_bulk(call, page));
}

Response Gateway::on_dead_letters(const PendingCall& call, bool is_ok,
                                  std::span<const domain::DeadLetter> letters) const {
  CHECK(call.action != nullptr && call.action->on_dead_letters != nullptr);
  if (!is_ok) return refuse(call, unreadable("dead letters"));
  return answer(call, call.action->on_dead_letters(call, letters));
}

Response Gateway::on_backlogs(const PendingCall& call, bool is_ok,
                              std::span<const domain::WebhookBacklog> backlogs) const {
  CHECK(call.action != nullptr && call.action->on_backlogs != nullptr);
  if (!is_ok) return refuse(call, unreadable("deliveries"));
  return answer(call, call.action->on_backlogs(call, backlogs));
}

Response Gateway::on_tested(const PendingCall& call, const TestOutcome& outcome) const {
  CHECK(call.action != nullptr && call.action->on_tested != nullptr);
  return answer(call, call.action->on_tested(call, outcome));
}

Response Gateway::on_abandoned(const PendingCall& call) const {
  const Fault fault = describe(FaultKind::Overloaded);
  return refuse(call, {fault.code, std::string(fault.message), limits::kRetryAfterS});
}

Response Gateway::fault_response(const Request& head, FaultKind kind, Now now) {
  const Fault fault = describe(kind);
  PendingCall call;
  call.request_id = make_request_id(now.wall);
  if (const auto target = parse_target(head.target)) {
    call.action_name = printable(target->find("Action").value_or(""));
    call.version = printable(target->find("Version").value_or(""));
  }
  const bool is_passing = kind == FaultKind::Overloaded;
  Response response =
      refuse(call, {fault.code, std::string(fault.message), is_passing ? limits::kRetryAfterS : 0});
  response.status = fault.status;
  response.close = !is_passing;
  return response;
}

Response Gateway::answer(const PendingCall& call, const Answer& result) const {
  if (const auto* refusal = std::get_if<Refusal>(&result)) return refuse(call, *refusal);
  std::string body = begin_answer(call, options_.region);
  body.append(R"(},"Result":)");
  append_text(body, std::get<Json>(result));
  body.push_back('}');
  Response response = json_response(200, std::move(body), call);
  mark_replay(response, call);
  return response;
}

Response Gateway::refuse(const PendingCall& call, const Refusal& refusal) const {
  const ErrorRow& row = error_row(refusal.code);
  std::string body = begin_answer(call, options_.region);
  body.append(R"(,"Error":{)");
  add_member(body, "Code", row.code);
  add_member(body, "Message", refusal.message);
  if (row.is_gateway()) body.append(R"(,"CodeN":)").append(std::to_string(row.code_n));
  body.append("}}}");
  const bool as_200 = options_.business_errors_200 && !row.is_gateway() && call.action != nullptr &&
                      call.action->version == kVersion2020;
  Response response = json_response(as_200 ? 200 : row.http, std::move(body), call);
  response.error = refusal.code;
  if (refusal.retry_after_s > 0)
    response.headers.emplace_back("Retry-After", std::to_string(refusal.retry_after_s));
  if (!refusal.allow.empty()) response.headers.emplace_back("Allow", refusal.allow);
  mark_replay(response, call);
  return response;
}

}  // namespace atrium::openapi
