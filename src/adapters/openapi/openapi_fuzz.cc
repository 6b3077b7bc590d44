// Any request through the whole gateway.  The input is a request as text: method, target, headers,
// an empty line, the body; a first line "sign" has it signed with a good key, so that what lies
// behind the signature is searched too.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "adapters/openapi/gateway.h"
#include "adapters/openapi/signer.h"
#include "base/check.h"
#include "base/seeded_secret_source.h"

namespace atrium::openapi {
namespace {

std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  return line;
}

Request read_request(std::string_view text) {
  Request request;
  request.method = take_line(text);
  request.target = take_line(text);
  for (std::string_view line = take_line(text); !line.empty(); line = take_line(text)) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    request.headers.emplace_back(line.substr(0, colon), line.substr(colon + 1));
  }
  request.body = text;
  return request;
}

GatewayOptions options() {
  GatewayOptions out;
  out.keys = {{"AKLTfuzz", "secret", "account-1", KeyScopes::all()}};
  out.public_hosts = {"rtc.example.com"};
  return out;
}

// An answer is an envelope, and an error exactly when its status says so; or it is the plain
// probe's.
void check_answer(const Response& response) {
  CHECK(response.status >= 200 && response.status < 600);
  CHECK((response.status >= 400) == response.error.has_value());
  if (response.body.empty() || response.body == "OK") return;
  const auto json = parse_json(response.body);
  CHECK(json.has_value());
  const Json* metadata = json->find("ResponseMetadata");
  CHECK(metadata != nullptr && metadata->find("RequestId") != nullptr);
  CHECK((metadata->find("Error") != nullptr) == response.error.has_value());
  CHECK((json->find("Result") != nullptr) != response.error.has_value());
}

// As the store would answer; a question to history is within its bounds, whatever was asked.
Response answer_of_store(const Gateway& gateway, const StoreCall& call) {
  const auto check = [](const domain::HistoryQuery& query) {
    CHECK(query.limit >= 1 && query.limit <= size_t{limits::kHistoryPageMax});
    CHECK(query.users.size() <= size_t{limits::kHistoryUsersAskedMax});
    CHECK(query.until - query.from <= std::chrono::seconds(limits::kHistoryWindowS));
  };
  if (std::holds_alternative<ListBanRules>(call.question))
    return gateway.on_ban_rules(call.call, true, {});
  if (const auto* lives = std::get_if<ListLives>(&call.question)) {
    check(lives->query);
    const domain::LivesPage page{.total = 2, .lives = {{}}};
    return gateway.on_lives(call.call, &page);
  }
  if (const auto* visitors = std::get_if<ListVisitors>(&call.question)) {
    check(visitors->query);
    const domain::VisitorsPage page{.total = 2, .visitors = {{}}};
    return gateway.on_visitors(call.call, &page);
  }
  return gateway.on_store_answer(call.call, {.ok = true, .record = {}});
}

void run(std::string_view text) {
  constexpr std::string_view kSign = "sign\n";
  const bool is_signed = text.starts_with(kSign);
  if (is_signed) text.remove_prefix(kSign.size());
  const Now now{.mono = {}, .wall = wall_from_unix_s(1'704'164'645)};
  Request request = read_request(text);
  if (is_signed && parse_target(request.target))
    sign_request(request, {"AKLTfuzz", "secret"}, now.wall);

  SeededSecretSource secrets(1);
  domain::Registry registry(secrets, {});
  domain::App own, other;
  own.id = AppId("a7e100000000000000000001"), own.account = "account-1", own.any_ids = true;
  other.id = AppId("b7e100000000000000000001"), other.account = "account-2";
  registry.apply(domain::RestoreApps{{own, other}}, now);
  Gateway gateway = MUST(Gateway::create(options(), secrets));
  if (const auto early = gateway.check_head(request, now)) check_answer(*early);
  check_answer(gateway.fault_response(request, FaultKind::HeadersTooLong, now));
  const Outcome outcome = gateway.handle(request, WaiterId{1}, registry, now);
  if (const auto* response = std::get_if<Response>(&outcome)) return check_answer(*response);
  CHECK(is_signed);  // nobody gets this far without the secret
  if (const auto* call = std::get_if<DomainCall>(&outcome)) {
    const WaiterId waiter{1};
    if (call->call.action->on_applied != nullptr)
      check_answer(
          gateway.on_action_reply(call->call, {waiter, domain::ActionOutcome::Done, OperationId(),
                                               std::make_shared<const domain::App>(own)}));
    if (call->call.action->on_dismissed != nullptr)
      check_answer(gateway.on_dismiss_reply(
          call->call,
          {.waiter = waiter, .outcome = domain::DismissOutcome::NoSuchRoom, .record = {}}));
    return;
  }
  check_answer(answer_of_store(gateway, std::get<StoreCall>(outcome)));
}

}  // namespace
}  // namespace atrium::openapi

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  atrium::openapi::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
