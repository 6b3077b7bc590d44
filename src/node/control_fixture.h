// A control plane between fakes, for node's tests: an HTTP port that records, shards that answer when the test says
// so.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adapters/openapi/signer.h"
#include "base/crypto.h"
#include "base/seeded_secret_source.h"
#include "negotiation/offer.h"
#include "node/control.h"
#include "node/tight_ring_testing.h"

namespace atrium::node::testing {

class FakeHttp final : public HttpPort {
 public:
  struct Seen {
    std::vector<HttpResponse> responses;
    bool accepted = false, dropped = false;
    std::vector<std::string> messages;
    std::optional<uint16_t> close_code;
    std::string last;
  };
  void respond(ConnectionId connection, HttpResponse response) override {
    seen[connection].responses.push_back(std::move(response));
  }
  void accept_websocket(ConnectionId connection) override { seen[connection].accepted = true; }
  void send(ConnectionId connection, std::shared_ptr<const std::string> message) override {
    seen[connection].messages.push_back(*message);
  }
  void close_websocket(ConnectionId connection, std::shared_ptr<const std::string> last,
                       uint16_t code) override {
    seen[connection].close_code = code;
    if (last) seen[connection].last = *last;
  }
  void drop(ConnectionId connection) override { seen[connection].dropped = true; }
  size_t connection_count() const override { return open_connections.value_or(seen.size()); }
  std::optional<size_t> open_connections;
  std::map<ConnectionId, Seen> seen;
};

class NoFaults final : public FaultPort {
 public:
  void at_point(std::string_view) override {}
};

class ControlTest : public ::testing::Test {
 protected:
  static constexpr const char* kApp = "a7e100000000000000000001";

  ControlTest() : ControlTest(dev_config()) {}
  explicit ControlTest(Config config) {
    config.keys = {{"AKLTtest", "secret-key", "dev", openapi::KeyScopes::all()}};
    config.media_addresses = {{IpAddress::parse("127.0.0.1").value(), 0}};
    config.files["/demo/"] = {"text/html", "<p>demo</p>"};
    auto made = ControlPlane::create(std::move(config),
                                     ControlParts{http,
                                                  {ShardEnds{commands, urgent, reports, 7882}},
                                                  to_store,
                                                  from_store,
                                                  to_web,
                                                  from_web,
                                                  faults,
                                                  secrets,
                                                  "AA",
                                                  [] { return ProcessFigures{}; }});
    CHECK(made.has_value());
    control = std::move(*made);
    control->restore(std::vector<domain::Tombstone>(), now);
    domain::App app;
    app.id = AppId(kApp);
    app.account = "dev";
    app.primary_key = "app-key";
    app.api_keys = {{.key = "devkey", .secret = "secret", .management = true}};
    control->restore(std::vector<domain::App>{std::move(app)}, now);
  }

  static Config dev_config() {
    Config config;
    config.dev = true;
    return config;
  }
  void advance(Duration by) {
    now.mono += by;
    now.wall += by;
    while (control->next_deadline() <= now.mono) control->on_deadline(now);
  }
  ConnectionId connection() { return ConnectionId{next_connection++}; }

  static std::string jwt(const std::string& user, const std::string& room) {
    const std::string head = base64url(as_bytes(R"({"alg":"HS256","typ":"JWT"})"));
    const std::string claims =
        base64url(as_bytes(R"({"iss":"devkey","exp":4102444800,"sub":")" + user +
                           R"(","video":{"roomJoin":true,"room":")" + room + "\"}}"));
    const std::string body = head + "." + claims;
    return body + "." + base64url(hmac_sha256(as_bytes("secret"), as_bytes(body)));
  }
  // An upgrade of /rtc/v1 with the smallest join_request: WrappedJoinRequest{join_request: ""}.
  ConnectionId upgrade(const std::string& token, const std::string& join_request = "EgA%3D") {
    const ConnectionId id = connection();
    HttpRequest request;
    request.method = "GET";
    request.target = "/rtc/v1?access_token=" + token + "&join_request=" + join_request;
    request.is_websocket_upgrade = true;
    control->on_request(id, request, now);
    return id;
  }
  // One length-delimited protobuf field.
  static std::string field(int number, const std::string& value) {
    std::string out(1, static_cast<char>(number << 3 | 2));
    size_t left = value.size();
    for (; left >= 128; left >>= 7) out.push_back(static_cast<char>(left | 128));
    out.push_back(static_cast<char>(left));
    return out + value;
  }
  // A join_request that carries an offer with a data section, of a client that takes messages so long.
  std::string join_request_with_offer(const std::string& max_message_size = "262144") {
    negotiation::OfferingSession dialler(secrets, "cname");
    dialler.add_receive_sections(1, 1);
    dialler.add_data_section();
    negotiation::LocalTransport local{.ice_ufrag = secrets.base62(8),
                                      .ice_password = secrets.base62(24),
                                      .fingerprint_sha256 = "AB",
                                      .candidates = {}};
    for (int i = 1; i < 32; ++i) local.fingerprint_sha256 += ":AB";
    std::string sdp = dialler.create_offer(local);
    const std::string ours = "a=max-message-size:65535";
    sdp.replace(sdp.find(ours), ours.size(), "a=max-message-size:" + max_message_size);
    const std::string offer = field(1, "offer") + field(2, sdp);
    return base64url(as_bytes(field(2, field(6, offer))));
  }
  FakeHttp::Seen& get(const std::string& target, Listener listener = Listener::Public) {
    const ConnectionId id = connection();
    HttpRequest request;
    request.listener = listener;
    request.method = "GET";
    request.target = target;
    control->on_request(id, request, now);
    return http.seen[id];
  }
  // `key`: its Idempotency-Key; empty: none.
  ConnectionId api(const std::string& action, const std::string& version, const std::string& body,
                   const std::string& key = {}) {
    openapi::Request signed_request{
        "POST", "/?Action=" + action + "&Version=" + version, {{"Host", "atrium"}}, body, {}};
    if (!key.empty()) signed_request.headers.emplace_back("Idempotency-Key", key);
    openapi::sign_request(signed_request, {"AKLTtest", "secret-key"}, now.wall);
    const ConnectionId id = connection();
    HttpRequest request{
        Listener::Public, "POST", signed_request.target, signed_request.headers, body, {}, false};
    control->on_request(id, std::move(request), now);
    return id;
  }
  static std::string of_room(const std::string& room, const std::string& more = {}) {
    return std::string(R"({"AppId":")") + kApp + R"(","RoomId":")" + room + "\"" + more + "}";
  }
  ConnectionId dismiss(const std::string& room) {
    return api("DismissRoom", "2020-12-01", of_room(room));
  }
  std::string body_of(ConnectionId id) {
    auto& seen = http.seen[id];
    return seen.responses.empty() ? "" : seen.responses.back().body;
  }

  template <typename T>
  std::optional<T> next_command(TightRing<ShardCommand>& ring) {
    for (auto& value : ring.values) {
      auto* media_command = std::get_if<media::Command>(&value);
      if (media_command == nullptr) continue;
      if (auto* found = std::get_if<T>(media_command)) return *found;
    }
    return std::nullopt;
  }
  // All of this kind so far, and they are forgotten.
  template <typename T>
  std::vector<T> take_commands(TightRing<ShardCommand>& ring) {
    std::vector<T> out;
    for (auto& value : ring.values)
      if (auto* media_command = std::get_if<media::Command>(&value))
        if (auto* found = std::get_if<T>(media_command)) out.push_back(*found);
    ring.values.clear();
    return out;
  }
  void report(media::Report value) {
    reports.values.push_back(std::move(value));
    control->on_wake(now);
  }
  // The store writes what waits for it.
  void write_store(bool ok) {
    StoreRequest request;
    while (to_store.try_receive(request)) {
      if (auto* write = std::get_if<store::WriteRequest>(&request)) {
        writes.push_back(*write);
        if (auto* put = std::get_if<store::PutDismissal>(&write->what))
          from_store.values.push_back(RecordWritten{put->record.operation, ok});
        else if (auto* bans = std::get_if<store::PutBans>(&write->what))
          from_store.values.push_back(RecordWritten{bans->operation, ok});
        if (write->call) from_store.values.push_back(CallWritten{*write->call, ok});
        std::ranges::move(write->events, std::back_inserter(written_events));
        std::ranges::move(write->held_events, std::back_inserter(written_events));
        std::ranges::move(write->audit, std::back_inserter(written_audit));
        std::ranges::move(write->calls, std::back_inserter(written_calls));
      }
    }
    control->on_wake(now);
  }

  Now now{Mono(std::chrono::seconds(1000)), wall_from_unix_s(1'795'386'900)};
  SeededSecretSource secrets{7};
  FakeHttp http;
  TightRing<ShardCommand> commands, urgent;
  TightRing<ShardReport> reports;
  TightRing<StoreRequest> to_store;
  TightRing<StoreReply> from_store;
  TightRing<WebOrder> to_web;
  TightRing<WebReply> from_web;
  std::vector<store::WriteRequest> writes;  // in their order; the vectors below are of all of them
  std::vector<domain::Event> written_events;
  std::vector<domain::AuditEntry> written_audit;
  std::vector<domain::KeyedCall> written_calls;
  NoFaults faults;
  std::unique_ptr<ControlPlane> control;
  uint64_t next_connection = 1;
};

}  // namespace atrium::node::testing
