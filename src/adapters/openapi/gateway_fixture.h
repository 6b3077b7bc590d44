// What the gateway's tests share: a gateway with two accounts and an empty registry, signed calls, readers of answers,
// golden files.  Test code only.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "adapters/openapi/gateway.h"
#include "adapters/openapi/signer.h"
#include "base/limits.h"
#include "base/seeded_secret_source.h"

namespace atrium::openapi {
inline constexpr char kOwnApp[] = "a7e100000000000000000001";
inline constexpr char kWideApp[] = "a7e100000000000000000002";
inline constexpr char kForeignApp[] = "b7e100000000000000000001";
inline constexpr char kOperation[] = "OP_abcdefghijklmnopq";
inline const Now kNow{.mono = Mono(std::chrono::hours(1)),
                      .wall = wall_from_unix_ms(1'704'164'645'678)};

inline GatewayOptions make_options() {
  GatewayOptions options;
  options.keys = {{"AKLTmanager", "secret-1", "account-1", KeyScopes::all()},
                  {"AKLTreader", "secret-2", "account-1", {KeyScope::Read}}};
  return options;
}

inline domain::App make_app(const char* id, const char* account, bool any_ids = false) {
  domain::App app;
  app.id = AppId(id);
  app.account = account;
  app.name = "app";
  app.any_ids = any_ids;
  app.primary_key = "primary-key";
  app.secondary_key = "secondary-key";
  app.created_at = kNow.wall;
  return app;
}

inline Gateway make_gateway(GatewayOptions options, SecretSource& secrets) {
  return MUST(Gateway::create(std::move(options), secrets));
}

inline std::string url(std::string_view action, std::string_view version,
                       std::string_view more = "") {
  return "/?Action=" + std::string(action) + "&Version=" + std::string(version) + std::string(more);
}

class GatewayTest : public testing::Test {
 protected:
  GatewayTest() {
    registry.apply(
        domain::RestoreApps{{make_app(kOwnApp, "account-1"), make_app(kWideApp, "account-1", true),
                             make_app(kForeignApp, "account-2")}},
        now);
  }
  Request unsigned_request(std::string method, std::string target, std::string body) {
    return {.method = std::move(method),
            .target = std::move(target),
            .headers = {{"Host", "localhost:7880"}, {"Content-Type", "application/json"}},
            .body = std::move(body)};
  }
  Request signed_request(std::string method, std::string target, std::string body,
                         SigningKey key = {"AKLTmanager", "secret-1"}) {
    Request request = unsigned_request(std::move(method), std::move(target), std::move(body));
    sign_request(request, key, now.wall);
    return request;
  }
  Outcome send(const Request& request) {
    return gateway.handle(request, WaiterId{7}, registry, now);
  }
  Response ask(const Request& request) {
    Outcome outcome = send(request);
    Response* response = std::get_if<Response>(&outcome);
    EXPECT_NE(response, nullptr) << "the call waits for something";
    return response == nullptr ? Response{} : *response;
  }
  Response post(std::string_view action, std::string_view version, std::string body) {
    return ask(signed_request("POST", url(action, version), std::move(body)));
  }
  void join(const char* room, const char* user, bool hidden = false, const char* app = kOwnApp) {
    domain::Join command{.connection = ConnectionId{++connections}, .joiner = {}};
    command.joiner.app = AppId(app);
    command.joiner.room = RoomId(room);
    command.joiner.user = UserId(user);
    command.joiner.permissions.hidden = hidden;
    registry.apply(std::move(command), now);
  }

  Now now = kNow;
  uint64_t connections = 0;
  SeededSecretSource secrets{1};
  SeededSecretSource sids{2};
  domain::Registry registry{sids, {}};
  Gateway gateway = make_gateway(make_options(), secrets);
};

inline Json body_of(const Response& response) {
  auto json = parse_json(response.body);
  EXPECT_TRUE(json.has_value()) << response.body;
  return json ? *json : Json();
}

inline const Json& at(const Json& json, std::initializer_list<std::string_view> path) {
  static const Json kNothing;
  const Json* found = &json;
  for (const std::string_view name : path) {
    found = found->find(name);
    if (found == nullptr) return kNothing;
  }
  return *found;
}

inline std::string text_at(const Json& json, std::initializer_list<std::string_view> path) {
  const std::string* text = at(json, path).if_text();
  return text == nullptr ? "" : *text;
}

inline std::string code_of(const Response& response) {
  return text_at(body_of(response), {"ResponseMetadata", "Error", "Code"});
}
inline std::string message_of(const Response& response) {
  return text_at(body_of(response), {"ResponseMetadata", "Error", "Message"});
}
inline std::string result_of(const Response& response) {
  return to_text(at(body_of(response), {"Result"}));
}
inline std::string header_of(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers)
    if (key == name) return value;
  return "";
}

inline std::string own_body(std::string_view more = "") {
  return R"({"AppId":")" + std::string(kOwnApp) + R"(","RoomId":"room-1")" + std::string(more) +
         "}";
}

// Actions of our own version, asked about kOwnApp: `fields` follow the AppId, each with its comma or ampersand.
class OwnActionsTest : public GatewayTest {
 protected:
  static std::string body(std::string_view fields) {
    return R"({"AppId":")" + std::string(kOwnApp) + "\"" + std::string(fields) + "}";
  }
  static Request post_of(std::string_view action, std::string_view fields, Now now) {
    Request request{.method = "POST",
                    .target = url(action, kVersionOwn),
                    .headers = {{"Host", "localhost:7880"}},
                    .body = body(fields)};
    sign_request(request, {"AKLTmanager", "secret-1"}, now.wall);
    return request;
  }
  static Request get_of(std::string_view action, std::string_view fields, Now now) {
    const std::string query = "&AppId=" + std::string(kOwnApp) + std::string(fields);
    Request request{.method = "GET",
                    .target = url(action, kVersionOwn, query),
                    .headers = {{"Host", "localhost:7880"}},
                    .body = ""};
    sign_request(request, {"AKLTmanager", "secret-1"}, now.wall);
    return request;
  }
  // The command that a POST becomes; a call that is answered at once fails the test.
  template <typename T>
  T command(std::string_view action, std::string_view fields) {
    outcome = send(post_of(action, fields, now));
    auto* call = std::get_if<DomainCall>(&outcome);
    EXPECT_NE(call, nullptr) << fields << " " << refused_with();
    auto* found = call == nullptr ? nullptr : std::get_if<T>(&call->command);
    EXPECT_NE(found, nullptr);
    return found == nullptr ? T{} : *found;
  }
  // The question to the store that a GET becomes, likewise.
  template <typename T>
  T question(std::string_view action, std::string_view fields) {
    outcome = send(get_of(action, fields, now));
    auto* call = std::get_if<StoreCall>(&outcome);
    EXPECT_NE(call, nullptr) << fields << " " << refused_with();
    auto* found = call == nullptr ? nullptr : std::get_if<T>(&call->question);
    EXPECT_NE(found, nullptr);
    return found == nullptr ? T{} : *found;
  }
  std::string refused_with() {
    const Response* response = std::get_if<Response>(&outcome);
    return response == nullptr ? "" : response->body;
  }
  // What waits since the latest command() or question().
  const PendingCall& waiting() {
    if (const auto* call = std::get_if<StoreCall>(&outcome)) return call->call;
    if (const auto* call = std::get_if<RedriveCall>(&outcome)) return call->call;
    if (const auto* call = std::get_if<TestCall>(&outcome)) return call->call;
    return std::get<DomainCall>(outcome).call;
  }
  Response replied(const domain::ActionReply& reply) {
    return gateway.on_action_reply(waiting(), reply);
  }
  std::string refusal(std::string_view action, std::string_view fields) {
    return message_of(ask(post_of(action, fields, now)));
  }
  Response get(std::string_view action, std::string_view fields) {
    return ask(get_of(action, fields, now));
  }

  Outcome outcome;
};

// Compares with a file of testdata/.  To renew all: ATRIUM_RENEW_GOLDENS=1 openapi_test; then read
// the diff.
inline void expect_golden(const std::string& name, const Response& response) {
  const std::string path =
      std::string(ATRIUM_SOURCE_DIR) + "/src/adapters/openapi/testdata/" + name + ".http";
  std::string text = "HTTP/1.1 " + std::to_string(response.status) + "\n";
  for (const auto& [key, value] : response.headers) text += key + ": " + value + "\n";
  text += "\n" + response.body + "\n";
  if (std::getenv("ATRIUM_RENEW_GOLDENS") != nullptr) std::ofstream(path) << text;
  std::ifstream file(path);
  const std::string golden((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(text, golden) << "golden " << name;
}

}  // namespace atrium::openapi
