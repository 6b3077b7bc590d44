// atriumload: loads a server with real clients and tells what they saw (docs/operations/load.md).
#include <unistd.h>

#include <boost/json.hpp>
#include <csignal>
#include <cstdio>

#include "apps/atriumctl/http_client.h"
#include "apps/atriumload/report.h"
#include "apps/atriumload/run.h"
#include "apps/atriumload/run_state.h"
#include "apps/atriumload/settings.h"
#include "apps/atriumload/sockets.h"
#include "apps/atriumload/usage.h"
#include "runtime/process.h"

namespace atrium::load {
namespace {

enum class ExitCode : int { Ok = 0, Faults = 1, Usage = 2, Unreachable = 3 };

constexpr auto kReachTimeout = std::chrono::seconds(5);
constexpr uint64_t kOwnDescriptors = 128;

volatile std::sig_atomic_t g_interrupted = 0;

void on_interrupt(int) {
  g_interrupted = 1;
}

ExitCode refuse(ExitCode code, const std::string& text) {
  std::fprintf(stderr, "atriumload: %s\n", text.c_str());
  return code;
}

// Where DismissRoom goes must be as near as what is loaded.
std::optional<ExitCode> check_management(const Settings& settings,
                                         const Destinations& destinations) {
  if (settings.scenario != Scenario::Dismissal || settings.driver != DriverKind::LiveKit)
    return std::nullopt;
  const auto endpoint = atriumctl::parse_endpoint(settings.management_url);
  const auto ip = endpoint ? IpAddress::parse(endpoint->host) : std::nullopt;
  if (!ip)
    return refuse(ExitCode::Usage,
                  "--management-url: must be http[s]://ADDRESS:PORT with a literal address");
  if (destinations.permits(*ip)) return std::nullopt;
  return refuse(ExitCode::Usage, "--management-url: " + settings.management_url +
                                     " is not on this machine; that needs --allow-remote");
}

// What keeps the run from beginning; nullopt: nothing.
std::optional<ExitCode> check_world(const Settings& settings) {
  const Destinations destinations(settings.allow_remote);
  if (!destinations.permits(settings.server.ip))
    return refuse(ExitCode::Usage,
                  "--url: " + settings.server.text() +
                      " is not on this machine; load on others' servers needs --allow-remote");
  if (const auto refused = check_management(settings, destinations)) return refused;
  const uint64_t needed = static_cast<uint64_t>(settings.all_clients()) *
                              (settings.driver == DriverKind::Janus ? 3 : 2) +
                          kOwnDescriptors;
  const auto limit = runtime::raise_open_file_limit();
  if (!limit || *limit < needed)
    return refuse(ExitCode::Usage, "--clients: needs " + std::to_string(needed) + " open files, " +
                                       std::to_string(limit.value_or(0)) +
                                       " are permitted (ulimit -n)");
  if (settings.server_pid && !read_process(*settings.server_pid))
    return refuse(ExitCode::Usage, "--server-pid: no process " +
                                       std::to_string(*settings.server_pid) +
                                       " that may be looked at");
  if (!is_reachable(settings.server, kReachTimeout))
    return refuse(ExitCode::Unreachable,
                  "nobody listens at " + settings.server.text() + "; name the server with --url");
  return std::nullopt;
}

ExitCode load(const Settings& settings) {
  runtime::ignore_broken_pipes();
  if (const auto refused = check_world(settings)) return *refused;
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  const Found found = run(settings, [] { return g_interrupted != 0; });
  const boost::json::object report = report_of(settings, found);
  const std::string text = settings.json ? boost::json::serialize(report) + "\n" : table_of(report);
  std::fputs(text.c_str(), stdout);
  return faults_of(settings, found).empty() ? ExitCode::Ok : ExitCode::Faults;
}

}  // namespace
}  // namespace atrium::load

int main(int argc, char** argv) {
  const auto settings = atrium::load::read_command_line(argc, argv);
  if (!settings) {
    std::fputs(settings.error().text.c_str(), settings.error().code == 0 ? stdout : stderr);
    return settings.error().code;
  }
  return static_cast<int>(atrium::load::load(*settings));
}
