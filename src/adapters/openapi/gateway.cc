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

std::string make_request_id(SecretSource& secrets, Wall now) {
  std::array<uint8_t, 9> random{};
  secrets.fill(random);
  std::string digits = hex(random);
  for (char& c : digits)
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
  std::string date = basic_time(now);
  std::erase_if(date, [](char c) { return c == 'T' || c == 'Z'; });
  return date + digits;
}

Response json_response(int status, const Json& body, std::string request_id) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json; charset=utf-8"},
                      {"Cache-Control", "no-store"}},
          .body = to_text(body),
          .request_id = std::move(request_id)};
}

// Action and Version are echoed when they are known.
Json::Object metadata(const PendingCall& call, std::string_view region) {
  Json::Object out{{"RequestId", call.request_id}};
  if (!call.action_name.empty()) out.emplace_back("Action", call.action_name);
  if (!call.version.empty()) out.emplace_back("Version", call.version);
  out.emplace_back("Service", kService);
  out.emplace_back("Region", region);
  return out;
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
}

std::optional<Response> Gateway::check_head(const Request& head, Now now) {
  if (auto probe = plain_probe(head)) return probe;
  Call call{.request = head};
  call.pending.request_id = make_request_id(*secrets_, now.wall);
  if (auto refusal = read_target(call)) return refuse(call.pending, *refusal);
  if (content_length(head).value_or(0) <= static_cast<uint64_t>(limits::kHttpBodyBytesMax))
    return std::nullopt;
  Response response = refuse(call.pending, body_too_long());
  response.status = kContentTooLarge;
  response.close = true;  // the body is still on its way and will not be read
  return response;
}

Outcome Gateway::handle(const Request& request, WaiterId waiter, const domain::Registry& registry,
                        Now now) {
  if (auto probe = plain_probe(request)) return *std::move(probe);
  Call call{.request = request};
  call.pending.request_id = make_request_id(*secrets_, now.wall);
  if (auto refusal = read_target(call)) return refuse(call.pending, *refusal);
  if (request.body.size() > static_cast<size_t>(limits::kHttpBodyBytesMax)) {
    Response response = refuse(call.pending, body_too_long());
    response.status = kContentTooLarge;
    return response;
  }
  if (auto refusal = authenticate(call, now)) return refuse(call.pending, *refusal);
  if (auto refusal = choose_action(call)) return refuse(call.pending, *refusal);
  if (auto refusal = read_arguments(call)) return refuse(call.pending, *refusal);
  if (auto refusal = find_app(call, registry)) return refuse(call.pending, *refusal);
  if (auto refusal = take_quota(call, now)) return refuse(call.pending, *refusal);
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

Gateway::Check Gateway::authenticate(Call& call, Now now) const {
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
  if (!signature_matches(*claim, found->second->secret, call.request, call.target,
                         options_.public_hosts))
    return Refusal{ErrorCode::SignatureDoesNotMatch,
                   "The signature computed here differs: check the secret, and that nothing "
                   "changed the request."};
  call.key = found->second;
  call.pending.access_key = call.key->id;
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
  const auto body = parse_json(call.request.body);
  if (!body)
    return Refusal{ErrorCode::Unmarshal, "The body cannot be read at byte " +
                                             std::to_string(body.error().offset) + ": " +
                                             body.error().what + "."};
  auto args = Args::from_body(*body, action.fields, action.unknown);
  if (!args) return args.error();
  call.args = *std::move(args);
  return std::nullopt;
}

Gateway::Check Gateway::find_app(Call& call, const domain::Registry& registry) const {
  static const domain::App kNone;
  const AppUse use = call.pending.action->app;
  const std::string_view id = use == AppUse::None ? std::string_view() : call.args.text("AppId");
  call.app = &kNone;
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

Gateway::Check Gateway::take_quota(Call& call, Now now) {
  const ActionRow& action = *call.pending.action;
  const bool is_apps = action.quota == QuotaScope::App;
  const std::string_view owner = is_apps ? call.app->id.value : call.key->account;
  const std::string_view member = is_apps ? std::string_view() : call.app->id.value;
  const Duration wait = quota_.take(owner, member, quota_of(action), rate_of(action), now.mono);
  if (wait == Duration::zero()) return std::nullopt;
  Refusal refusal{ErrorCode::QpsOverLimit, call.pending.action_name + " is limited to " +
                                               std::to_string(rate_of(action)) +
                                               " requests per second."};
  refusal.retry_after_s =
      std::max<int64_t>(1, std::chrono::ceil<std::chrono::seconds>(wait).count());
  return refusal;
}

Outcome Gateway::run_handler(Call& call, WaiterId waiter, const domain::Registry& registry,
                             Now now) {
  ActionContext context{.args = call.args,
                        .app = *call.app,
                        .key = *call.key,
                        .registry = registry,
                        .waiter = waiter,
                        .call = call.pending,
                        .now = now,
                        .bans = options_.bans,
                        .token_line = options_.token_line};
  HandlerStep step = call.pending.action->handle(context);
  if (auto* result = std::get_if<Json>(&step)) return answer(call.pending, std::move(*result));
  if (auto* refusal = std::get_if<Refusal>(&step)) return refuse(call.pending, *refusal);
  if (auto* apply = std::get_if<ApplyCommand>(&step))
    return DomainCall{std::move(apply->command), std::move(call.pending)};
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
    case domain::ActionOutcome::Done:
    case domain::ActionOutcome::NotThere:
    case domain::ActionOutcome::NoSuchRoom:
    case domain::ActionOutcome::TooLate:
    case domain::ActionOutcome::TooMany:
      break;
  }
  return answer(call, call.action->on_applied(call, reply));
}

Response Gateway::on_ban_rules(const PendingCall& call, bool is_ok,
                               std::span<const domain::BanRule> rules) const {
  CHECK(call.action != nullptr && call.action->on_bans != nullptr);
  if (!is_ok)
    return refuse(call, unreadable("rules"));
  return answer(call, call.action->on_bans(call, rules));
}

Response Gateway::on_store_answer(const PendingCall& call, const StoreAnswer& found) const {
  CHECK(call.action != nullptr && call.action->on_record != nullptr);
  if (!found.ok)
    return refuse(call, {ErrorCode::InternalError,
                         "The stored records could not be read; nothing was changed."});
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

Response Gateway::on_redriven(const PendingCall& call, bool is_ok) const {
  CHECK(call.action != nullptr && call.action->on_redriven != nullptr);
  if (!is_ok)
    return refuse(call, {ErrorCode::InternalError,
                         "It could not be stored and nothing was changed. Operation " +
                             call.operation.value + "."});
  return answer(call, call.action->on_redriven(call));
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
  call.request_id = make_request_id(*secrets_, now.wall);
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
  const Json body = Json::Object{{"ResponseMetadata", metadata(call, options_.region)},
                                 {"Result", std::get<Json>(result)}};
  return json_response(200, body, call.request_id);
}

Response Gateway::refuse(const PendingCall& call, const Refusal& refusal) const {
  const ErrorRow& row = error_row(refusal.code);
  Json::Object error{{"Code", row.code}, {"Message", refusal.message}};
  if (row.is_gateway()) error.emplace_back("CodeN", row.code_n);
  Json::Object meta = metadata(call, options_.region);
  meta.emplace_back("Error", std::move(error));
  const bool as_200 = options_.business_errors_200 && !row.is_gateway() && call.action != nullptr &&
                      call.action->version == kVersion2020;
  Response response =
      json_response(as_200 ? 200 : row.http, Json::Object{{"ResponseMetadata", std::move(meta)}},
                    call.request_id);
  response.error = refusal.code;
  if (refusal.retry_after_s > 0)
    response.headers.emplace_back("Retry-After", std::to_string(refusal.retry_after_s));
  if (!refusal.allow.empty()) response.headers.emplace_back("Allow", refusal.allow);
  return response;
}

}  // namespace atrium::openapi
