#include "apps/atriumload/dismissal.h"

#include "adapters/openapi/json.h"
#include "adapters/openapi/signer.h"
#include "apps/atriumctl/http_client.h"
#include "runtime/clock.h"

namespace atrium::load {
namespace {

constexpr auto kTimeout = std::chrono::seconds(30);

}  // namespace

Result<DismissAnswer> dismiss_room(const Settings& settings, const std::string& room) {
  const auto endpoint = TRY(atriumctl::parse_endpoint(settings.management_url));
  openapi::Request request{
      .method = "POST",
      .target = "/?Action=DismissRoom&Version=2020-12-01",
      .headers = {{"Host", endpoint.authority()}, {"Content-Type", "application/json"}},
      .body = openapi::to_text(
          openapi::Json(openapi::Json::Object{{"AppId", settings.app_id}, {"RoomId", room}}))};
  const Now before = runtime::read_clock();
  openapi::sign_request(request, {settings.access_key, settings.secret_key}, before.wall);
  const auto reply = TRY(atriumctl::exchange(endpoint, request, {}, kTimeout));
  DismissAnswer answer{.status = reply.status, .took = runtime::read_clock().mono - before.mono};
  const auto body = openapi::parse_json(reply.body);
  const openapi::Json* metadata = body ? body->find("ResponseMetadata") : nullptr;
  const openapi::Json* error = metadata == nullptr ? nullptr : metadata->find("Error");
  const openapi::Json* code = error == nullptr ? nullptr : error->find("Code");
  if (code != nullptr && code->if_text() != nullptr) answer.code = *code->if_text();
  return answer;
}

}  // namespace atrium::load
