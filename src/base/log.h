// Log lines with fields.  Cores do not log; node, runtime and apps do, at the place where an error stops its journey.
// The sink is installed once by the app; without one, lines go to stderr.  Secrets and tokens are never passed here.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace atrium {

enum class LogLevel { Debug, Info, Warning, Error };
using LogField = std::pair<std::string_view, std::string>;
using LogSink = void (*)(LogLevel, std::string_view line);

void set_log_sink(LogSink sink);
// `log_line(LogLevel::Info, "room dismissed", {{"room_sid", sid.value}});` → one line of key=value text.
void log_line(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

}  // namespace atrium
