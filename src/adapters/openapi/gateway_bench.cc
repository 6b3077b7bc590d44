// gateway_bench [calls]: signed reads, calls with a bad signature, and dismissals of rooms that are not there, through
// the gateway alone.  For callgrind, which collects inside measured_*() (bench/instructions): it reads no clock.
// Exit code 1: an answer was not the expected one.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <variant>

#include "adapters/openapi/gateway.h"
#include "adapters/openapi/signer.h"
#include "base/seeded_secret_source.h"

namespace atrium::openapi {
namespace {

constexpr char kApp[] = "a7e100000000000000000001";
constexpr uint32_t kNoLimit = 1'000'000;

GatewayOptions options() {
  GatewayOptions out;
  out.keys = {{"AKLTbench", "secret-1", "account-1", KeyScopes::all()}};
  out.quotas = {{"DismissRoom", kNoLimit}, {"GetRoomOnlineUsers", kNoLimit}};
  return out;
}

Gateway make_gateway(SecretSource& secrets) {
  return MUST(Gateway::create(options(), secrets));
}

class Bench {
 public:
  Bench() {
    domain::App app;
    app.id = AppId(kApp);
    app.account = "account-1";
    app.primary_key = "primary-key";
    registry_.apply(domain::RestoreApps{{app}}, now_);
  }
  static Request read(const std::string& secret, Wall at) {
    Request out{.method = "GET",
                .target = std::string("/?Action=GetRoomOnlineUsers&Version=2023-11-01&AppId=") +
                          kApp + "&RoomId=nobody",
                .headers = {{"Host", "localhost:7880"}},
                .body = {}};
    sign_request(out, {"AKLTbench", secret}, at);
    return out;
  }
  static Request dismissal(Wall at) {
    Request out{.method = "POST",
                .target = "/?Action=DismissRoom&Version=2020-12-01",
                .headers = {{"Host", "localhost:7880"}, {"Content-Type", "application/json"}},
                .body = std::string(R"({"AppId":")") + kApp + R"(","RoomId":"nobody"})"};
    sign_request(out, {"AKLTbench", "secret-1"}, at);
    return out;
  }
  Wall wall() const { return now_.wall; }
  [[gnu::noinline]] bool measured_read(const Request& read) { return status_of(read) == 200; }
  [[gnu::noinline]] bool measured_refusal(const Request& forged) {
    return status_of(forged) == 401;
  }
  [[gnu::noinline]] bool measured_dismissal(const Request& dismissal) {
    Outcome outcome = gateway_.handle(dismissal, WaiterId{++waiter_}, registry_, now_);
    auto* call = std::get_if<DomainCall>(&outcome);
    if (call == nullptr) return false;
    for (const domain::Effect& effect : registry_.apply(std::move(call->command), now_))
      if (const auto* reply = std::get_if<domain::DismissReply>(&effect))
        return gateway_.on_dismiss_reply(call->call, *reply).status == 200;
    return false;
  }

 private:
  int status_of(const Request& request) {
    Outcome outcome = gateway_.handle(request, WaiterId{++waiter_}, registry_, now_);
    const auto* response = std::get_if<Response>(&outcome);
    return response == nullptr ? 0 : response->status;
  }

  SeededSecretSource secrets_{1};
  Gateway gateway_ = make_gateway(secrets_);
  domain::Registry registry_{secrets_, {}};
  Now now_{Mono(std::chrono::hours(1)), wall_from_unix_s(1'800'000'000)};
  uint64_t waiter_ = 0;
};

}  // namespace
}  // namespace atrium::openapi

int main(int argc, char** argv) {
  const uint64_t calls = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100;
  atrium::openapi::Bench bench;
  const auto read = bench.read("secret-1", bench.wall());
  const auto forged = bench.read("another", bench.wall());
  const auto dismissal = bench.dismissal(bench.wall());
  bool is_good = true;
  for (uint64_t i = 0; i < calls; ++i)
    is_good = bench.measured_read(read) && bench.measured_refusal(forged) &&
              bench.measured_dismissal(dismissal) && is_good;
  std::printf("%llu reads, refusals and dismissals of unknown rooms%s\n",
              static_cast<unsigned long long>(calls), is_good ? "" : ", not all answered so");
  return is_good ? 0 : 1;
}
