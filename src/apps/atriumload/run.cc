#include "apps/atriumload/run.h"

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include "apps/atriumload/dismissal.h"
#include "apps/atriumload/worker.h"
#include "media/dtls.h"
#include "runtime/clock.h"

namespace atrium::load {
namespace {

constexpr auto kStep = std::chrono::milliseconds(2);
constexpr auto kDrain = std::chrono::milliseconds(500);
// A server that hears nobody leave keeps their places for those who may come back.
constexpr auto kLeave = std::chrono::seconds(5);
constexpr auto kRoomEnds = std::chrono::seconds(30);

Mono mono() {
  return runtime::read_clock().mono;
}

class Progress {
 public:
  explicit Progress(bool is_quiet) : is_quiet_(is_quiet), began_(mono()), next_(began_ + 1s) {}

  void show(const std::vector<std::unique_ptr<Worker>>& workers) {
    const Mono now = mono();
    if (is_quiet_ || now < next_) return;
    next_ = now + 1s;
    Glance all;
    for (const auto& worker : workers) {
      const Glance one = worker->glance();
      all.flow.add(one.flow);
      all.started += one.started, all.complete += one.complete, all.failed += one.failed;
      all.present += one.present, all.lost += one.lost, all.corrupted += one.corrupted,
          all.drops += one.drops;
    }
    const Flow step = all.flow.since(before_);
    before_ = all.flow;
    std::fprintf(stderr,
                 "%4llds  joins %llu of %llu begun, %llu failed; present %llu; up %llu/s, down "
                 "%llu/s; data %llu/s; lost %llu, "
                 "corrupted %llu, socket drops %llu\n",
                 static_cast<long long>((now - began_) / 1s), number(all.complete),
                 number(all.started), number(all.failed), number(all.present),
                 number(step.rtp_sent), number(step.rtp_received), number(step.data_received),
                 number(all.lost), number(all.corrupted), number(all.drops));
  }

 private:
  static unsigned long long number(uint64_t value) { return value; }
  const bool is_quiet_;
  const Mono began_;
  Mono next_;
  Flow before_;
};

class Runner {
 public:
  Runner(const Settings& settings, bool (*is_interrupted)())
      : settings_(settings),
        is_interrupted_(is_interrupted),
        state_(static_cast<size_t>(settings.all_clients()), static_cast<size_t>(settings.rooms),
               Destinations(settings.allow_remote)),
        hub_(static_cast<size_t>(settings.threads)),
        progress_(settings.quiet) {
    state_.has_media.store(!settings.quiet_joins);
    const auto certificate = media::make_certificate();
    for (size_t i = 0; i < static_cast<size_t>(settings.threads); ++i)
      workers_.push_back(std::make_unique<Worker>(i, settings, state_, hub_, certificate));
  }

  Found run() {
    const bool measures_joins = settings_.scenario == Scenario::JoinStorm;
    if (measures_joins) begin_measuring();
    const Mono began = mono();
    for (auto& worker : workers_) worker->start(began);
    pass_until([&] { return state_.settled.load() >= settings_.all_clients(); }, join_time());
    found_.joining = mono() - began;
    begin_media();
    if (!measures_joins) {
      pass(settings_.warm_up);
      begin_measuring();
      pass(settings_.duration);
    }
    end_measuring();
    if (settings_.scenario == Scenario::Dismissal && !found_.was_interrupted) dismiss_all();
    enter(Phase::Draining);
    pass(kDrain);
    enter(Phase::Leaving);
    pass_until([&] { return state_.connections.load() == 0; }, kLeave);
    enter(Phase::Over);
    for (auto& worker : workers_) worker->join();
    collect();
    return std::move(found_);
  }

 private:
  // All joins, one after the other if it must be.
  Duration join_time() const {
    const double paced_s = settings_.join_rate > 0
                               ? static_cast<double>(settings_.all_clients()) / settings_.join_rate
                               : 0;
    const int64_t rounds = settings_.all_clients() / settings_.joins_in_flight + 1;
    return settings_.join_timeout * rounds +
           std::chrono::duration_cast<Duration>(std::chrono::duration<double>(paced_s));
  }

  void enter(Phase phase) {
    state_.phase.store(phase);
    for (auto& worker : workers_) worker->wake();
  }

  template <typename Condition>
  void pass_until(Condition is_met, Duration at_most) {
    const Mono end = mono() + at_most;
    while (!is_met() && mono() < end) {
      if (is_interrupted_()) found_.was_interrupted = true;
      if (found_.was_interrupted && state_.phase.load() < Phase::Draining) return;
      progress_.show(workers_);
      std::this_thread::sleep_for(kStep);
    }
  }
  void pass(Duration duration) {
    pass_until([] { return false; }, duration);
  }

  void begin_media() {
    state_.has_media.store(true);
    for (auto& worker : workers_) worker->wake();
  }

  void begin_measuring() {
    if (settings_.server_pid) server_before_ = read_process(*settings_.server_pid);
    own_before_ = read_process(::getpid());
    machine_before_ = read_machine();
    measured_from_ = mono();
    enter(Phase::Measuring);
  }

  // The workers notice the next phase within some milliseconds; what this process counts ends with them.
  void end_measuring() {
    found_.measured = mono() - measured_from_;
    if (server_before_)
      if (const auto after = read_process(*settings_.server_pid))
        found_.server = between(*server_before_, *after);
    if (const auto after = read_process(::getpid()); after && own_before_)
      found_.generator = between(*own_before_, *after);
    const MachineUsage machine = read_machine();
    found_.machine = {machine.busy - machine_before_.busy, machine.idle - machine_before_.idle};
    enter(settings_.scenario == Scenario::Dismissal ? Phase::Watching : Phase::Draining);
  }

  void dismiss_all() {
    for (int64_t room = 0; room < settings_.rooms && !found_.was_interrupted; ++room) {
      ++found_.dismissals;
      state_.dismissed_at_us[static_cast<size_t>(room)].store(
          runtime::read_clock().wall.time_since_epoch().count());
      if (settings_.driver == DriverKind::LiveKit)
        dismiss_by_call(room);
      else
        dismiss_by_signal(room);
    }
    pass(settings_.linger);
  }

  void dismiss_by_call(int64_t room) {
    const auto answer = dismiss_room(settings_, settings_.room_prefix + "-" + std::to_string(room));
    const bool is_done = answer && answer->status == 200;
    if (answer) found_.answer_us.add(static_cast<uint64_t>(answer->took.count()));
    if (!is_done) ++found_.dismissals_failed;
    ++found_.dismissal_codes[is_done ? "done" : answer ? answer->code : answer.error().what];
  }

  void dismiss_by_signal(int64_t room) {
    const Mono began = mono();
    const int64_t ended = state_.rooms_ended.load();
    state_.rooms_to_end.store(room + 1);
    for (auto& worker : workers_) worker->wake();
    pass_until([&] { return state_.rooms_ended.load() > ended; }, kRoomEnds);
    const bool is_done = state_.rooms_ended.load() > ended;
    if (is_done) found_.answer_us.add(static_cast<uint64_t>((mono() - began).count()));
    if (!is_done) ++found_.dismissals_failed;
    ++found_.dismissal_codes[is_done ? "done" : "no answer"];
  }

  void collect() {
    for (const auto& worker : workers_) {
      const Tally& tally = worker->tally();
      found_.all.merge(tally);
      const uint64_t measured = tally.generator.measured_us;
      found_.worker_cpu_permille.push_back(
          measured == 0 ? 0 : tally.generator.cpu_us * 1'000 / measured);
    }
  }

  // given
  const Settings& settings_;
  bool (*const is_interrupted_)();
  // owned
  RunState state_;
  SctpHub hub_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Progress progress_;
  Found found_;
  // derived
  std::optional<ProcessUsage> server_before_, own_before_;
  MachineUsage machine_before_;
  Mono measured_from_{};
};

}  // namespace

Found run(const Settings& settings, bool (*is_interrupted)()) {
  return Runner(settings, is_interrupted).run();
}

}  // namespace atrium::load
