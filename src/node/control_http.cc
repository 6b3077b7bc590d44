// Routes: which path is whose.  `/` is the management API's; /twirp/… is RoomService's; /rtc/v1 and /r/<room>/rtc/v1
// are the signalling doors; the rest are files that the daemon serves.  The operator's listener has paths of its own.
#include "base/check.h"
#include "base/limits.h"
#include "node/client_address.h"
#include "node/control.h"
#include "node/http_words.h"

namespace atrium::node {
namespace {

constexpr Duration kSnapshotWait = std::chrono::seconds(1);

HttpResponse to_response(signal::HttpAnswer answer) {
  return {answer.status, std::move(answer.headers), std::move(answer.body), false};
}

bool is_api_path(std::string_view target) {
  const std::string_view path = path_of(target);
  return path.empty() || path == "/";
}

// A management call sent to a wrong path: the gateway says so in the form that its caller reads.
bool asks_for_action(std::string_view target) {
  const size_t mark = target.find('?');
  if (mark == target.npos) return false;
  const std::string_view query = target.substr(mark + 1);
  return query.starts_with("Action=") || query.contains("&Action=");
}

}  // namespace

std::optional<HttpResponse> ControlPlane::on_head(const HttpRequest& head, bool has_come, Now now) {
  if (head.listener != Listener::Public || head.is_websocket_upgrade || !is_api_path(head.target))
    return std::nullopt;
  if (head.method == "OPTIONS")
    return to_response(signal::preflight(head.header("Access-Control-Request-Headers")));
  if (has_come) return std::nullopt;  // on_request looks at all of it
  auto response = gateway_.check_head(to_openapi(head), now);
  if (!response) return std::nullopt;
  return to_http(std::move(*response));
}

HttpResponse ControlPlane::on_fault(const HttpRequest& head, HttpFault fault, Now now) {
  if (twirp::is_twirp_path(path_of(head.target))) {
    const int status = gateway_.fault_response(to_openapi(head), to_openapi(fault), now).status;
    HttpResponse answer = to_http(twirp::refuse_unread(status));
    answer.close = true;
    return answer;
  }
  if (signal::parse_target(head.target)) {
    // A browser must be allowed to read why, and finds the form that the doors answer in.
    const openapi::Response said =
        gateway_.fault_response(to_openapi(head), to_openapi(fault), now);
    HttpResponse answer = to_response(signal::to_answer(signal::refuse_unread(said.status)));
    answer.close = true;
    return answer;
  }
  return to_http(gateway_.fault_response(to_openapi(head), to_openapi(fault), now));
}

void ControlPlane::on_request(ConnectionId connection, HttpRequest request, Now now) {
  if (request.listener == Listener::Operator) {
    on_operator_request(connection, request, now);
  } else if (const auto target = signal::parse_target(request.target)) {
    on_signal_request(connection, request, *target, now);
  } else if (twirp::is_twirp_path(path_of(request.target))) {
    on_twirp_request(connection, request, now);
  } else if (is_api_path(request.target) || asks_for_action(request.target)) {
    on_api_request(connection, std::move(request), now);
  } else {
    answer_file(connection, request);
  }
  finish_turn(now);
}

void ControlPlane::on_signal_request(ConnectionId connection, const HttpRequest& request,
                                     const signal::Target& target, Now now) {
  if (request.method == "OPTIONS") {
    http_.respond(connection,
                  to_response(signal::preflight(request.header("Access-Control-Request-Headers"))));
    return;
  }
  if (target.endpoint == signal::Endpoint::DualJoin ||
      target.endpoint == signal::Endpoint::DualValidate) {
    http_.respond(connection, to_response(signal::dual_form_not_served()));
    return;
  }
  if (target.endpoint == signal::Endpoint::Join && !request.is_websocket_upgrade) {
    http_.respond(connection, to_response(signal::upgrade_required()));
    return;
  }
  if (target.has_bad_prefix)
    return refuse(connection, signal::refuse(domain::ClientCode::RoomIdIllegal,
                                             "the path names no legal room id"));
  auto token = verify(signal::presented_token(target, request.header("Authorization")),
                      target.path_room, now);
  if (!token) return refuse(connection, signal::refuse(token.error()));
  if (target.endpoint == signal::Endpoint::JoinValidate)
    on_validate_request(connection, target, *token, now);
  else
    on_join_request(connection, target, std::move(*token),
                    client_address(request, config_.trusted_proxies));
}

void ControlPlane::answer_file(ConnectionId connection, const HttpRequest& request) {
  if (request.method != "GET" && request.method != "HEAD") {
    HttpResponse refused = text_response(405, "only GET and HEAD are served here\n");
    refused.headers.emplace_back("Allow", "GET, HEAD");
    http_.respond(connection, std::move(refused));
    return;
  }
  const std::string path(path_of(request.target));
  const auto file = config_.files.find(path);
  if (file != config_.files.end()) {
    http_.respond(connection,
                  {200,
                   {{"Content-Type", file->second.content_type}, {"Cache-Control", "no-cache"}},
                   file->second.bytes,
                   false});
  } else if (config_.files.contains(path + "/")) {
    http_.respond(connection, {308, {{"Location", path + "/"}}, "", false});
  } else {
    http_.respond(connection, text_response(404, "nothing is served at this path\n"));
  }
}

// --- the operator's listener
// --------------------------------------------------------------------------------------------

void ControlPlane::on_operator_request(ConnectionId connection, const HttpRequest& request,
                                       Now now) {
  const std::string_view path = path_of(request.target);
  const bool is_read = request.method == "GET" || request.method == "HEAD";
  if (path == "/livez" && is_read) {
    http_.respond(connection,
                  text_response(200, "alive\n"));  // this thread turns: nothing more is claimed
  } else if ((path == "/metrics" || path == "/readyz") && is_read) {
    if (scrapes_.size() >= static_cast<size_t>(limits::kScrapesMax)) {
      http_.respond(connection, text_response(503, "too many scrapes wait already\n"));
      return;
    }
    const uint64_t snapshots = media_.request_snapshots();
    scrapes_.push_back({connection, path == "/readyz", now.mono + kSnapshotWait, snapshots});
  } else if (path == "/drain" && request.method == "POST") {
    is_draining_ = true;
    http_.respond(connection,
                  text_response(200, "draining: new joins are refused with 503, calls go on\n"));
  } else if (path == "/drain" && request.method == "DELETE" && stop_.phase != StopPhase::Serving) {
    http_.respond(connection, text_response(409, "stopping: this cannot be taken back\n"));
  } else if (path == "/drain" && request.method == "DELETE") {
    is_draining_ = false;
    http_.respond(connection, text_response(200, "serving\n"));
  } else if (path == "/reload" && request.method == "POST") {
    answer_reload(connection);
  } else {
    http_.respond(connection, text_response(404,
                                            "served here: GET /metrics, /livez, /readyz; POST or "
                                            "DELETE /drain; POST /reload\n"));
  }
}

void ControlPlane::answer_reload(ConnectionId connection) {
  const Reloaded reloaded = reload();
  std::string text;
  for (const std::string& problem : reloaded.problems) text += "not reloaded: " + problem + "\n";
  if (reloaded.problems.empty()) text = "reloaded\n";
  for (const std::string& key : reloaded.need_restart) text += "needs a restart: " + key + "\n";
  http_.respond(connection, text_response(reloaded.problems.empty() ? 200 : 422, text));
}

// A scrape is answered when every shard sent its figures, or with the last known ones after kSnapshotWait.
void ControlPlane::answer_scrapes(Now now) {
  std::erase_if(scrapes_, [&](const Scrape& scrape) {
    const bool is_complete = media_.has_snapshots(scrape.snapshots);
    if (!is_complete && now.mono < scrape.deadline) return false;
    if (!scrape.is_readiness) {
      HttpResponse page = text_response(200, metrics());
      page.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}};
      http_.respond(scrape.connection, std::move(page));
    } else if (const std::string why = why_not_ready(is_complete); !why.empty()) {
      http_.respond(scrape.connection, text_response(503, "not ready: " + why + "\n"));
    } else {
      http_.respond(scrape.connection, text_response(200, "ready\n"));
    }
    return true;
  });
}

std::string ControlPlane::why_not_ready(bool is_complete) const {
  if (is_draining_) return "draining";
  if (store_health_.is_read_only)
    return "the store is read-only since a sync failed, until it could be opened anew";
  if (store_health_.disk >= DiskState::ReserveGone)
    return "the store's disk is full and its reserve given up: new joins are refused";
  if (store_health_.disk >= DiskState::JoinsRefused)
    return "the store's disk is nearly full: new joins are refused";
  if (!store_is_healthy_) return "the last write to the store failed";
  if (!is_complete) return "a media shard does not answer";
  return {};
}

std::string ControlPlane::metrics() const {
  const ProcessFigures figures = figures_();
  return metrics_text({.rooms = registry_.counts(),
                       .control = counters_,
                       .events = events_.counters(),
                       .store = store_health_,
                       .shards = media_.snapshots(),
                       .open_descriptors = figures.open_descriptors,
                       .resident_bytes = figures.resident_bytes,
                       .cpu_us = figures.cpu_us,
                       .http_connections = http_.connection_count(),
                       .lost_commands = media_.lost_commands(),
                       .bugs = bugs_found(),
                       .listeners = figures.listeners,
                       .webhooks = webhook_figures(),
                       .deliveries = dispatcher_.totals()});
}

}  // namespace atrium::node
