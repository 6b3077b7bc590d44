#include "log_sink.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/log.h"

namespace atrium::atriumd {
namespace {

void write_line(LogLevel level, std::string_view line) {
  switch (level) {
    case LogLevel::Debug:
      spdlog::debug("{}", line);
      break;
    case LogLevel::Info:
      spdlog::info("{}", line);
      break;
    case LogLevel::Warning:
      spdlog::warn("{}", line);
      break;
    case LogLevel::Error:
      spdlog::error("{}", line);
      break;
  }
}

}  // namespace

void install_log_sink(const std::string& level) {
  auto logger = spdlog::stderr_logger_mt("atrium");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(logger);
  set_log_sink(write_line);
  set_log_level(level);
}

void set_log_level(const std::string& level) {
  spdlog::set_level(level == "debug"     ? spdlog::level::debug
                    : level == "warning" ? spdlog::level::warn
                    : level == "error"   ? spdlog::level::err
                                         : spdlog::level::info);
}

}  // namespace atrium::atriumd
