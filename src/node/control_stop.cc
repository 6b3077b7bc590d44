// How the process ends (docs/CLOSURES.md): signals, the drain and its deadline, the last words to clients.
#include "base/limits.h"
#include "base/log.h"
#include "node/control.h"

namespace atrium::node {
namespace {

constexpr Duration kProgressEvery = std::chrono::seconds(5);
constexpr Duration kCloseWrite = std::chrono::milliseconds(limits::kCloseWriteMs);
constexpr Duration kCloseDrain = std::chrono::milliseconds(limits::kCloseDrainMs);
constexpr uint16_t kGoingAway = 1001;  // RFC 6455 7.4.1

Duration drain_deadline(const Config& config) {
  if (config.drain_deadline) return *config.drain_deadline;
  return config.dev ? Duration::zero()
                    : Duration(std::chrono::milliseconds(limits::kDrainDeadlineMs));
}

std::string milliseconds(Duration span) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(span).count());
}

}  // namespace

void ControlPlane::on_stop_signal(Now now) {
  const std::string users = std::to_string(sessions_.size());
  const Duration patience = drain_deadline(config_);
  is_draining_ = true;
  if (stop_.phase == StopPhase::Serving && patience > Duration::zero()) {
    log_line(LogLevel::Info, "draining: new joins are refused, a second signal stops at once",
             {{"deadline_ms", milliseconds(patience)}, {"users", users}});
    stop_ = {StopPhase::Draining, now.mono + patience, now.mono + kProgressEvery};
  } else if (stop_.phase <= StopPhase::Farewell) {
    log_line(LogLevel::Info, "stopping at once", {{"users", users}});
    start_handing_over(now);
  }
  finish_turn(now);
}

void ControlPlane::advance_stop(Now now) {
  if (stop_.phase == StopPhase::Draining) {
    if (is_at_rest()) {
      log_line(LogLevel::Info, "drained");
      start_farewell(now);
    } else if (stop_.deadline <= now.mono) {
      log_line(LogLevel::Warning, "drain deadline: who is left is asked to reconnect",
               {{"users", std::to_string(sessions_.size())},
                {"calls_waiting", std::to_string(waiting_.size())}});
      start_farewell(now);
    } else if (stop_.next_progress <= now.mono) {
      stop_.next_progress = now.mono + kProgressEvery;
      log_line(LogLevel::Info, "draining",
               {{"users", std::to_string(sessions_.size())},
                {"calls_waiting", std::to_string(waiting_.size())},
                {"left_ms", milliseconds(stop_.deadline - now.mono)}});
    }
  }
  if (stop_.phase == StopPhase::Farewell) {
    // Once all closes are written, what the kernel holds of them needs a moment to reach who is far away: the end of
    // the process resets connections, and a reset overtakes data.
    if (farewells_.empty() && closing_.empty())
      stop_.deadline = std::min(stop_.deadline, now.mono + kCloseDrain);
    if (http_.connection_count() == 0 || stop_.deadline <= now.mono) start_handing_over(now);
  }
  if (stop_.phase == StopPhase::HandingOver && (to_store_.is_empty() || stop_.deadline <= now.mono))
    stop_ = {StopPhase::Finished, kNever, kNever};
}

// Not by the domain's leave: nothing was decided about these users.  They are expected back on another server, or on
// the next start of this one, and need not hear that the others left.
void ControlPlane::start_farewell(Now now) {
  stop_ = {StopPhase::Farewell, now.mono + kCloseWrite, kNever};
  const signal::Message leave =
      serialiser_.leave(domain::LeaveReason::ServerShutdown, domain::LeaveAction::Reconnect);
  for (auto& [participant, session] : sessions_) {
    if (!session.connection || session.is_cut) continue;  // is_cut: has a notice of its own
    const ConnectionId connection = *session.connection;
    session.connection.reset();
    participant_of_.erase(connection);
    farewells_.insert(connection);
    http_.close_websocket(connection, leave, kGoingAway);
  }
}

void ControlPlane::start_handing_over(Now now) {
  abandon_waiting_calls();
  events_.flush_early(now.mono);
  audit_.flush_all(now);
  stop_ = {StopPhase::HandingOver, now.mono + kCloseWrite, kNever};
}

bool ControlPlane::is_at_rest() const {
  return sessions_.empty() && waiting_.empty() && closing_.empty() && to_store_.is_empty() &&
         registry_.counts().operations == 0;
}

void ControlPlane::abandon_waiting_calls() {
  while (!waiting_.empty()) {
    const auto& [waiter, waiting] = *waiting_.begin();
    openapi::Response response = gateway_.on_abandoned(waiting.call);
    if (waiting.accepted) {
      domain::AuditEntry finished =
          audit_entry(response, domain::AuditPhase::Finished, waiting.caller);
      finished.operation = *waiting.accepted;
      audit_.note(std::move(finished));
    }
    answer_api(waiter, std::move(response));
  }
}

}  // namespace atrium::node
