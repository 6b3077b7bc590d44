// atriumd: the daemon.  Reads its settings, puts the world together, says how to reach it, runs until it is told to
// stop.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/log.h"
#include "files.h"
#include "log_sink.h"
#include "runtime/process.h"
#include "settings.h"
#include "world.h"

namespace {

using atrium::atriumd::Settings;

constexpr int kExitUsage = 2;    // settings that cannot be used
constexpr int kExitStartUp = 1;  // ports, store or network refused

struct CommandLine {
  bool check_config = false;
  std::map<std::string, std::string> flags;  // by key name
};

// CLI11 throws; its macro turns that into the exit code that it chose.
int parse(int argc, char** argv, Settings& settings, CommandLine& line) {
  CLI::App app{
      "atriumd: a real-time audio/video room server whose rooms obey.\n"
      "Every setting is also a key of the configuration file and an environment variable: "
      "--http-listen is\n"
      "http.listen in the file and ATRIUM_HTTP_LISTEN.  Flags win over the environment, which wins "
      "over the file.\n"
      "Exit codes: 0 stopped by a signal, 1 could not start, 2 settings not usable."};
  app.add_flag("--dev", settings.dev, "development server: public keys, loopback only");
  app.add_option("--config", settings.config_file, "configuration file (TOML)")
      ->envname("ATRIUM_CONFIG");
  app.add_option("--data-dir", line.flags["store.data_dir"], "short for --store-data-dir");
  app.add_flag("--check-config", line.check_config, "check the settings and exit");
  for (const auto& key : atrium::atriumd::setting_keys())
    app.add_option(atrium::atriumd::flag_of(key), line.flags[key.name], key.help)
        ->type_name(key.value);
  CLI11_PARSE(app, argc, argv);
  return -1;
}

std::vector<std::string> collect(Settings& settings, const CommandLine& line) {
  std::vector<std::string> problems;
  if (!settings.config_file.empty())
    problems = atrium::atriumd::read_config_file(settings.config_file, settings);
  auto apply = [&](const auto& key, const std::string& text, const std::string& where) {
    if (auto problem = key.set(settings, text)) problems.push_back(where + ": " + *problem);
  };
  for (const auto& key : atrium::atriumd::setting_keys()) {
    const std::string variable = atrium::atriumd::environment_of(key);
    if (const char* text = std::getenv(variable.c_str())) apply(key, text, variable);
    const auto flag = line.flags.find(key.name);
    if (flag != line.flags.end() && !flag->second.empty())
      apply(key, flag->second, atrium::atriumd::flag_of(key));
  }
  if (settings.dev) atrium::atriumd::apply_dev_defaults(settings);
  if (settings.http_listen.empty())
    settings.http_listen = {{atrium::IpAddress::parse("0.0.0.0").value(), 7880}};
  if (settings.operator_listen.empty())
    settings.operator_listen = {{atrium::IpAddress::parse("127.0.0.1").value(), 7889}};
  if (settings.media_shards == 0)
    settings.media_shards = std::max(1u, std::thread::hardware_concurrency() - 1);
  for (std::string& problem : atrium::atriumd::check(settings))
    problems.push_back(std::move(problem));
  return problems;
}

void print_dev_banner(const Settings& settings, const atrium::atriumd::World& world) {
  const std::string url = (settings.tls_certificate.empty() ? "http://" : "https://") +
                          world.http_addresses().front().text();
  const auto& account = settings.node.accounts.back();
  const auto& app = settings.node.applications.back();
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe");
  std::printf(
      "\nAtrium runs for development.  Its keys are public: loopback only, never on a network.\n\n"
      "  demo call      %s/demo/   (open it in two tabs, room \"demo\")\n"
      "  AppId          %s\n  AppKey         %s\n  LiveKit key    %s  secret  %s\n"
      "  access key     %s\n  secret         %s\n  operator       http://%s/metrics\n\n"
      "End the demo call for everybody in it:\n\n"
      "  '%s' room dismiss demo --url %s --app %s --access-key %s --secret %s\n\n",
      url.c_str(), app.app.value.c_str(), app.app_key.c_str(), app.aliases.front().api_key.c_str(),
      app.aliases.front().secret.c_str(), account.access_key_id.c_str(), account.secret.c_str(),
      world.operator_addresses().front().text().c_str(), (self.parent_path() / "atriumctl").c_str(),
      url.c_str(), app.app.value.c_str(), account.access_key_id.c_str(), account.secret.c_str());
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
  Settings settings;
  CommandLine line;
  if (const int code = parse(argc, argv, settings, line); code >= 0) return code;
  const std::vector<std::string> problems = collect(settings, line);
  for (const std::string& problem : problems)
    std::fprintf(stderr, "atriumd: %s\n", problem.c_str());
  if (!problems.empty()) return kExitUsage;
  if (line.check_config) {
    std::printf("atriumd: the settings are good\n");
    return 0;
  }
  atrium::atriumd::install_log_sink(settings.log_level);
  atrium::runtime::ignore_broken_pipes();
  if (auto limit = atrium::runtime::raise_open_file_limit(); !limit)
    atrium::log_line(atrium::LogLevel::Warning, "open file limit not raised",
                     {{"why", limit.error().what}});
  if (!load_web_files(settings)) return kExitStartUp;
  auto world = atrium::atriumd::World::create(settings);
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
