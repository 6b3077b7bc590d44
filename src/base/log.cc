#include "base/log.h"

#include <cstdio>

namespace atrium {
namespace {
LogSink installed_sink = nullptr;
void (*installed_flush)() = nullptr;

void append_value(std::string& line, std::string_view value) {
  const bool quoted = value.empty() || value.find_first_of(" \"=\\\n\r\t") != value.npos;
  if (!quoted) {
    line.append(value);
    return;
  }
  line.push_back('"');
  for (char c : value) {
    if (static_cast<unsigned char>(c) < 0x20) {
      line.push_back(' ');  // one record, one line: peers' text cannot forge a second one
      continue;
    }
    if (c == '"' || c == '\\') line.push_back('\\');
    line.push_back(c);
  }
  line.push_back('"');
}
}  // namespace

void set_log_sink(LogSink sink, void (*flush)()) {
  installed_sink = sink;
  installed_flush = flush;
}

void flush_log() {
  if (installed_flush != nullptr) installed_flush();
}

namespace {

void write_line(LogLevel level, LogTime time, std::string_view message,
                std::initializer_list<LogField> fields) {
  std::string line(message);
  for (const auto& [key, value] : fields) {
    line.push_back(' ');
    line.append(key);
    line.push_back('=');
    append_value(line, value);
  }
  if (installed_sink != nullptr) {
    installed_sink(level, time, line);
    return;
  }
  std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace

void log_line(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  write_line(level, LogTime::Now, message, fields);
}

void log_in_turn(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  write_line(level, LogTime::WithTheTurn, message, fields);
}

}  // namespace atrium
