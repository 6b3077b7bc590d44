// atriumd: the daemon.  Reads its settings, puts the world together, says how to reach it, runs until it is told to
// stop.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/log.h"
#include "files.h"
#include "log_sink.h"
#include "runtime/process.h"
#include "settings.h"
#include "world.h"

namespace {

namespace domain = atrium::domain;
using atrium::atriumd::CommandLine;
using atrium::atriumd::Settings;

constexpr int kExitUsage = 2;    // settings that cannot be used
constexpr int kExitStartUp = 1;  // ports, store or network refused

// CLI11 throws; its macro turns that into the exit code that it chose.
int parse(int argc, char** argv, CommandLine& line, bool& check_config) {
  CLI::App app{
      "atriumd: a real-time audio/video room server whose rooms obey.\n"
      "Every setting is also a key of the configuration file and an environment variable: "
      "--http-listen is\n"
      "http.listen in the file and ATRIUM_HTTP_LISTEN.  Flags win over the environment, which wins "
      "over the file.\n"
      "Exit codes: 0 stopped by a signal, 1 could not start, 2 settings not usable."};
  app.add_flag("--dev", line.dev, "development server: public keys, loopback only");
  app.add_option("--config", line.config_file, "configuration file (TOML)")
      ->envname("ATRIUM_CONFIG");
  app.add_option("--data-dir", line.flags["store.data_dir"], "short for --store-data-dir");
  app.add_flag("--check-config", check_config, "check the settings and exit");
  for (const auto& key : atrium::atriumd::setting_keys())
    app.add_option(atrium::atriumd::flag_of(key), line.flags[key.name], key.help)
        ->type_name(key.value);
  CLI11_PARSE(app, argc, argv);
  return -1;
}

void print_dev_banner(const Settings& settings, const atrium::atriumd::World& world) {
  const std::string url = (settings.tls_certificate.empty() ? "http://" : "https://") +
                          world.http_addresses().front().text();
  const auto& key = settings.node.keys.front();  // the development account's
  const domain::App& app = *settings.dev_app;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe");
  std::printf(
      "\nAtrium runs for development.  Its keys are public: loopback only, never on a network.\n\n"
      "  demo call      %s/demo/   (open it in two tabs, room \"demo\")\n"
      "  AppId          %s\n  AppKey         %s\n  LiveKit key    %s  secret  %s\n"
      "  access key     %s\n  secret         %s\n  operator       http://%s/metrics\n\n"
      "End the demo call for everybody in it:\n\n"
      "  '%s' room dismiss demo --url %s --app %s --access-key %s --secret %s\n\n",
      url.c_str(), app.id.value.c_str(), app.primary_key.c_str(), app.api_keys.front().key.c_str(),
      app.api_keys.front().secret.c_str(), key.id.c_str(), key.secret.c_str(),
      world.operator_addresses().front().text().c_str(), (self.parent_path() / "atriumctl").c_str(),
      url.c_str(), app.id.value.c_str(), key.id.c_str(), key.secret.c_str());
  std::fflush(stdout);
}

bool load_web_files(Settings& settings) {
  if (settings.web_dir.empty()) {
    const auto beside =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "../../../web/dist";
    if (!settings.dev || !std::filesystem::exists(beside)) return true;
    settings.web_dir = beside.lexically_normal().string();
  }
  auto files = atrium::atriumd::read_files(settings.web_dir);
  if (!files) {
    std::fprintf(stderr, "atriumd: web.dir: %s\n", files.error().c_str());
    return false;
  }
  settings.node.files = std::move(*files);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  CommandLine line;
  bool check_config = false;
  if (const int code = parse(argc, argv, line, check_config); code >= 0) return code;
  auto [settings, problems] = atrium::atriumd::read_settings(line);
  for (const std::string& problem : problems)
    std::fprintf(stderr, "atriumd: %s\n", problem.c_str());
  if (!problems.empty()) return kExitUsage;
  if (check_config) {
    std::printf("atriumd: the settings are good\n");
    return 0;
  }
  atrium::atriumd::install_log_sink(settings.log_level);
  atrium::runtime::ignore_broken_pipes();
  if (auto limit = atrium::runtime::raise_open_file_limit(); !limit)
    atrium::log_line(atrium::LogLevel::Warning, "open file limit not raised",
                     {{"why", limit.error().what}});
  if (!load_web_files(settings)) return kExitStartUp;
  auto world = atrium::atriumd::World::create(settings, line);
  if (!world) {
    std::fprintf(stderr, "atriumd: %s\n", world.error().c_str());
    return kExitStartUp;
  }
  if (settings.dev) print_dev_banner(settings, **world);
  atrium::log_line(atrium::LogLevel::Info, "ready",
                   {{"http", (*world)->http_addresses().front().text()},
                    {"operator", (*world)->operator_addresses().front().text()},
                    {"media_port", std::to_string((*world)->media_ports().front())},
                    {"shards", std::to_string((*world)->media_ports().size())}});
  (*world)->run();
  atrium::log_line(atrium::LogLevel::Info, "stopped");
  return 0;
}
