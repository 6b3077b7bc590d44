// What tests of commands share that ask for what a whole server is needed for: a server whose answers are written down
// before, in front of which the real gateway judges each request.  Test code only.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <sstream>
#include <string>
#include <vector>

#include "adapters/openapi/gateway.h"
#include "apps/atriumctl/commands.h"
#include "base/seeded_secret_source.h"

namespace atrium::atriumctl {

class CannedServer : public testing::Test {
 protected:
  static constexpr char kCannedApp[] = "a7e100000000000000000001";

  CannedServer() {
    domain::App app;
    app.id = AppId(kCannedApp);
    app.account = "account-1";
    app.any_ids = true;
    registry.apply(domain::RestoreApps{{std::move(app)}}, now);
  }
  // The command takes its arguments from `run_it(settings, authority, command, world)`.
  template <typename Run, typename C>
  ExitCode go(Run run_it, const C& command) {
    out.str(""), err.str(""), asked.clear(), keys.clear();
    World world{.exchange = [this](const openapi::Request& request) { return serve(request); },
                .now = [this] { return now.wall; },
                .wait = [this](Duration span) { waited += span; },
                .out = out,
                .err = err,
                .in = in,
                .is_interrupted = [this] { return asked.size() >= interrupted_after; }};
    return run_it(settings, "localhost:7880", command, world);
  }
  // A request that names a field wrongly, or lacks one, is seen by the gateway, whatever is answered.
  Result<HttpReply> serve(const openapi::Request& request) {
    now.mono += 2s;  // quotas are not the matter here
    asked.push_back(request.method + " " + request.target + (request.body.empty() ? "" : " ") +
                    request.body);
    keys.emplace_back(request.header("Idempotency-Key"));
    const auto outcome = gateway.handle(request, WaiterId{1}, registry, now);
    if (const auto* response = std::get_if<openapi::Response>(&outcome)) {
      EXPECT_EQ(response->body.find("\"Code\":\"InvalidParameter\""), std::string::npos)
          << response->body;
      EXPECT_EQ(response->body.find("\"Code\":\"InvalidActionOrVersion"), std::string::npos)
          << response->body;
      EXPECT_EQ(response->body.find("\"Code\":\"MissingParameter"), std::string::npos)
          << response->body;
    }
    std::string result = "{}";
    if (!results.empty()) result = results.front(), results.pop_front();
    return HttpReply{.status = 200,
                     .headers = {},
                     .body = R"({"ResponseMetadata":{"RequestId":"r"},"Result":)" + result + "}"};
  }
  static openapi::Gateway make_gateway(SecretSource& secrets) {
    openapi::GatewayOptions options;
    options.keys = {{"AKLTmanager", "secret-1", "account-1", openapi::KeyScopes::all()}};
    return MUST(openapi::Gateway::create(std::move(options), secrets));
  }
  bool says(const std::string& text) const { return out.str().find(text) != std::string::npos; }
  bool warns(const std::string& text) const { return err.str().find(text) != std::string::npos; }
  static std::string own(const std::string& action) {
    return "/?Action=" + action + "&Version=2026-12-01";
  }
  static std::string post(const std::string& action, const std::string& fields) {
    return "POST " + own(action) + R"( {"AppId":")" + kCannedApp + "\"," + fields + "}";
  }
  static std::string get(const std::string& action, const std::string& query) {
    return "GET " + own(action) + "&AppId=" + kCannedApp + query;
  }

  Now now{.mono = {}, .wall = wall_from_unix_s(1'704'164'645)};
  SeededSecretSource secrets{1};
  domain::Registry registry{secrets, {}};
  openapi::Gateway gateway = make_gateway(secrets);
  Settings settings{.url = "http://localhost:7880",
                    .access_key = "AKLTmanager",
                    .secret = "secret-1",
                    .app = kCannedApp};
  std::ostringstream out, err;
  std::istringstream in;
  std::deque<std::string> results;       // of the next requests; then {}
  std::vector<std::string> asked, keys;  // by the last command
  size_t interrupted_after = SIZE_MAX;   // requests
  Duration waited{};
};

}  // namespace atrium::atriumctl
