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
enum class LogTime { Now, WithTheTurn };
using LogSink = void (*)(LogLevel, LogTime, std::string_view line);

// `flush`: writes what the sink kept.  May be null.
void set_log_sink(LogSink sink, void (*flush)() = nullptr);
// What waits is written now.
void flush_log();
// `log_line(LogLevel::Info, "room dismissed", {{"room_sid", sid.value}});` → one line of key=value text.
void log_line(LogLevel level, std::string_view message,
              std::initializer_list<LogField> fields = {});
// The same for what happens many times in a turn of the control loop: it may wait for flush_log(), which the loop calls
// before it lets the world know what it did.  One write for each turn, not for each line.
void log_in_turn(LogLevel level, std::string_view message, std::initializer_list<LogField> fields);

}  // namespace atrium
