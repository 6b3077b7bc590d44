#include "log_sink.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>
#include <mutex>

#include "base/log.h"

namespace atrium::atriumd {
namespace {

// What waits at most: then it is written whatever the turn does.
constexpr size_t kWaitingBytesMax = 64 * 1024;

// Lines to stderr, kept until they are flushed.
class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    formatter_->format(message, waiting_);
    if (waiting_.size() > kWaitingBytesMax) flush_();
  }
  void flush_() override {
    if (waiting_.size() == 0) return;
    std::fwrite(waiting_.data(), 1, waiting_.size(), stderr);  // unbuffered: one write
    waiting_.clear();
  }

 private:
  spdlog::memory_buf_t waiting_;
};

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return spdlog::level::debug;
    case LogLevel::Info:
      return spdlog::level::info;
    case LogLevel::Warning:
      return spdlog::level::warn;
    case LogLevel::Error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

void flush_lines() {
  spdlog::default_logger_raw()->flush();
}

void write_line(LogLevel level, LogTime time, std::string_view line) {
  spdlog::default_logger_raw()->log(level_of(level), line);
  if (time == LogTime::Now) flush_lines();
}

}  // namespace

void install_log_sink(const std::string& level) {
  auto logger = std::make_shared<spdlog::logger>("atrium", std::make_shared<LineSink>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  spdlog::set_default_logger(logger);
  set_log_sink(write_line, flush_lines);
  set_log_level(level);
}

void set_log_level(const std::string& level) {
  spdlog::set_level(level == "debug"     ? spdlog::level::debug
                    : level == "warning" ? spdlog::level::warn
                    : level == "error"   ? spdlog::level::err
                                         : spdlog::level::info);
}

}  // namespace atrium::atriumd
