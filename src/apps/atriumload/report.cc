#include "apps/atriumload/report.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>

namespace atrium::load {
namespace {

namespace json = boost::json;

constexpr uint64_t kCpuPermilleMax =
    950;  // of a thread; beyond it the loop has no room for a burst
constexpr uint64_t kLateP99UsMax = 10'000;
constexpr uint64_t kTurnP99UsMax = 50'000;

double rounded(double value) {
  return std::round(value * 1'000) / 1'000;
}
double ms(uint64_t us) {
  return rounded(static_cast<double>(us) / 1'000);
}
double s_of(uint64_t us) {
  return rounded(static_cast<double>(us) / 1'000'000);
}
double seconds(Duration duration) {
  return rounded(static_cast<double>(duration.count()) / 1'000'000);
}
double ratio(double a, double b) {
  return b > 0 ? rounded(a / b) : 0;
}

json::object times_of(const Histogram& histogram) {
  return {{"count", histogram.count()},
          {"p50_ms", ms(histogram.percentile(0.5))},
          {"p99_ms", ms(histogram.percentile(0.99))},
          {"max_ms", ms(histogram.max())}};
}

json::object counts_of(const std::map<std::string, uint64_t>& counts) {
  json::object out;
  for (const auto& [name, count] : counts) out[name] = count;
  return out;
}
json::object counts_of(const std::map<int, uint64_t>& counts) {
  json::object out;
  for (const auto& [code, count] : counts) out[code < 0 ? "none" : std::to_string(code)] = count;
  return out;
}

json::object run_of(const Settings& s, const Found& found) {
  return {{"scenario", name_of(s.scenario)},
          {"driver", s.driver == DriverKind::LiveKit ? "livekit" : "janus"},
          {"server", s.server.text()},
          {"rooms", s.rooms},
          {"clients_per_room", s.clients},
          {"publishers_per_room", s.publishers},
          {"audio", s.audio},
          {"video", s.video},
          {"video_kbps", s.video ? s.video_bps / 1'000 : 0},
          {"frames_per_second", s.video ? s.frames_per_second : 0},
          {"srtp_profile_asked", name_of(s.srtp_profile)},
          {"verify_every", s.verify_every},
          {"gro", s.gro},
          {"full_offer", s.full_offer},
          {"quiet_joins", s.quiet_joins},
          {"threads", s.threads},
          {"joining_s", seconds(found.joining)},
          {"measured_s", seconds(found.measured)},
          {"interrupted", found.was_interrupted}};
}

json::object joins_of(const JoinTally& joins, Duration joining) {
  return {{"started", joins.started},
          {"complete", joins.complete},
          {"failed", joins.failed},
          {"failures", counts_of(joins.failures)},
          {"per_second",
           ratio(static_cast<double>(joins.complete), static_cast<double>(joining.count()) / 1e6)},
          {"signalled", times_of(joins.signal_us)},
          {"complete_time", times_of(joins.complete_us)},
          {"srtp_profiles", counts_of(joins.profiles)}};
}

json::object media_of(const Tally& tally, Duration measured) {
  const Flow flow = tally.flow_end.since(tally.flow_begin);
  const QualityTally& q = tally.quality;
  const double s = static_cast<double>(measured.count()) / 1e6;
  return {{"packets_sent", flow.rtp_sent},
          {"packets_received", flow.rtp_received},
          {"packets_sent_per_second", ratio(static_cast<double>(flow.rtp_sent), s)},
          {"packets_received_per_second", ratio(static_cast<double>(flow.rtp_received), s)},
          {"bits_received_per_second", ratio(static_cast<double>(flow.rtp_received_bytes) * 8, s)},
          {"frames_sent", flow.frames_sent},
          {"whole_run_packets_sent", tally.flow.rtp_sent},
          {"whole_run_packets_received", tally.flow.rtp_received},
          {"verified", q.verified},
          {"lost", q.lost},
          {"reordered", q.reordered},
          {"duplicated", q.duplicated},
          {"stale", q.stale},
          {"corrupted", q.corrupted},
          {"undecryptable", q.undecryptable},
          {"repairs", q.repairs},
          {"other_packets", q.other},
          {"delay", times_of(q.delay_us)}};
}

json::object data_of(const Tally& tally) {
  const Flow flow = tally.flow_end.since(tally.flow_begin);
  const QualityTally& q = tally.quality;
  return {{"messages_sent", flow.data_sent},
          {"messages_received", flow.data_received},
          {"lost", q.data_lost},
          {"reordered", q.data_reordered},
          {"duplicated", q.data_duplicated},
          {"corrupted", q.data_corrupted},
          {"delay", times_of(q.data_delay_us)}};
}

json::object dismissal_of(const Found& found) {
  const DismissalTally& d = found.all.dismissal;
  return {{"asked", found.dismissals},
          {"failed", found.dismissals_failed},
          {"codes", counts_of(found.dismissal_codes)},
          {"answer", times_of(found.answer_us)},
          {"clients_watched", d.watched},
          {"clients_noticed", d.noticed},
          {"clients_left", d.told},
          {"clients_closed", d.closed},
          {"clients_without_any_sign", d.silent},
          {"first_sign", times_of(d.first_sign_us)},
          {"notice", times_of(d.notice_us)},
          {"leave", times_of(d.told_us)},
          {"close", times_of(d.closed_us)},
          {"last_media_packet", times_of(d.last_media_us)},
          {"media_after_notice", d.media_after_notice},
          {"data_after_notice", d.data_after_notice}};
}

json::object usage_of(const ProcessUsage& usage, Duration measured) {
  const double s = static_cast<double>(measured.count()) / 1e6;
  json::object threads;
  for (const auto& [name, us] : usage.thread_us) threads[name] = s_of(us);
  const double all = static_cast<double>(usage.user_us + usage.system_us) / 1e6;
  return {{"cpu_s", rounded(all)},
          {"user_s", s_of(usage.user_us)},
          {"system_s", s_of(usage.system_us)},
          {"cores", ratio(all, s)},
          {"resident_bytes", usage.resident_bytes},
          {"threads_cpu_s", std::move(threads)}};
}

json::object server_of(const Found& found) {
  json::object out = usage_of(*found.server, found.measured);
  const double cpu_s = static_cast<double>(found.server->user_us + found.server->system_us) / 1e6;
  const Flow flow = found.all.flow_end.since(found.all.flow_begin);
  out["cpu_s_per_million_forwarded"] = ratio(cpu_s * 1e6, static_cast<double>(flow.rtp_received));
  out["cpu_s_per_gigabit_forwarded"] =
      ratio(cpu_s * 1e9, static_cast<double>(flow.rtp_received_bytes) * 8);
  out["cpu_ms_per_join"] = ratio(cpu_s * 1e3, static_cast<double>(found.all.joins.complete));
  return out;
}

json::object generator_of(const Found& found) {
  const GeneratorTally& g = found.all.generator;
  json::object out;
  if (found.generator) out = usage_of(*found.generator, found.measured);
  json::array threads;
  for (const uint64_t permille : found.worker_cpu_permille)
    threads.push_back(static_cast<double>(permille) / 10);
  out["threads_busy_percent"] = std::move(threads);
  const double all = static_cast<double>(found.machine.busy + found.machine.idle);
  out["machine_idle_percent"] =
      all > 0 ? rounded(static_cast<double>(found.machine.idle) * 100 / all) : 0;
  out["late_sends"] = times_of(g.late_us);
  out["turns"] = times_of(g.turn_us);
  out["frames_left_out"] = g.skipped_frames;
  out["socket_drops"] = g.socket_drops;
  out["send_drops"] = g.send_drops;
  return out;
}

json::array texts(const std::vector<std::string>& lines) {
  json::array out;
  for (const std::string& line : lines) out.emplace_back(line);
  return out;
}

std::string plain(double number) {
  std::array<char, 32> room;
  const auto end =
      std::to_chars(room.data(), room.data() + room.size(), number, std::chars_format::fixed);
  return {room.data(), end.ptr};
}

void append_lines(const json::value& value, const std::string& path, std::string& out) {
  if (const auto* object = value.if_object()) {
    for (const auto& [name, child] : *object)
      append_lines(child, path.empty() ? std::string(name) : path + "." + std::string(name), out);
    return;
  }
  std::string text = json::serialize(value);
  if (value.is_string()) text = value.get_string();
  if (value.is_double()) text = plain(value.get_double());
  out += path + std::string(path.size() < 46 ? 46 - path.size() : 1, ' ') + " " + text + "\n";
}

}  // namespace

std::vector<std::string> limits_of(const Found& found) {
  const GeneratorTally& g = found.all.generator;
  std::vector<std::string> out;
  for (size_t i = 0; i < found.worker_cpu_permille.size(); ++i)
    if (found.worker_cpu_permille[i] >= kCpuPermilleMax)
      out.push_back("thread " + std::to_string(i) + " of the generator was busy " +
                    std::to_string(found.worker_cpu_permille[i] / 10) + " % of the time");
  if (g.late_us.percentile(0.99) > kLateP99UsMax)
    out.push_back("1 % of the frames were sent " +
                  std::to_string(g.late_us.percentile(0.99) / 1'000) + " ms late or more");
  if (g.turn_us.percentile(0.99) > kTurnP99UsMax)
    out.push_back("1 % of the turns of the loop took " +
                  std::to_string(g.turn_us.percentile(0.99) / 1'000) + " ms or more");
  if (g.skipped_frames > 0)
    out.push_back(std::to_string(g.skipped_frames) + " frames were left out, half a second late");
  if (g.socket_drops > 0)
    out.push_back(std::to_string(g.socket_drops) + " datagrams found their socket full");
  if (g.send_drops > 0)
    out.push_back(std::to_string(g.send_drops) + " datagrams could not be sent");
  return out;
}

std::vector<std::string> faults_of(const Settings& settings, const Found& found) {
  std::vector<std::string> out;
  const auto add = [&](uint64_t count, const char* what) {
    if (count > 0) out.push_back(std::to_string(count) + " " + what);
  };
  const Tally& all = found.all;
  add(all.joins.failed, "joins failed");
  add(all.quality.corrupted, "packets of media were corrupted or of another source");
  add(all.quality.duplicated, "packets of media came twice");
  add(all.quality.undecryptable, "packets of media were not authentic, or replayed");
  add(all.quality.data_corrupted, "data messages were corrupted");
  add(all.quality.data_duplicated, "data messages came twice");
  add(all.quality.data_lost, "data messages were lost");
  if (settings.scenario == Scenario::Dismissal) {
    add(found.dismissals_failed, "dismissals were not answered as done");
    add(all.dismissal.silent, "clients saw no sign of the dismissal");
    add(all.dismissal.media_after_notice, "packets of media came behind the notice");
    add(all.dismissal.data_after_notice, "data messages came behind the notice");
  } else {
    uint64_t ended = 0;
    for (const auto& [code, count] : all.close_codes) ended += count;
    add(ended, "clients were sent away");
  }
  return out;
}

json::object report_of(const Settings& settings, const Found& found) {
  const auto limits = limits_of(found);
  const auto faults = faults_of(settings, found);
  json::object out{{"run", run_of(settings, found)},
                   {"joins", joins_of(found.all.joins, settings.scenario == Scenario::Churn
                                                           ? found.joining + found.measured
                                                           : found.joining)},
                   {"media", media_of(found.all, found.measured)},
                   {"data", data_of(found.all)},
                   {"leave_reasons", counts_of(found.all.leave_reasons)},
                   {"close_codes", counts_of(found.all.close_codes)}};
  if (settings.scenario == Scenario::Dismissal) out["dismissal"] = dismissal_of(found);
  if (found.server) out["server"] = server_of(found);
  out["generator"] = generator_of(found);
  out["generator_limited"] = !limits.empty();
  out["generator_limited_why"] = texts(limits);
  out["faults"] = texts(faults);
  return out;
}

std::string table_of(const json::object& report) {
  std::string out;
  append_lines(report, "", out);
  if (report.at("generator_limited").as_bool())
    out += "\nTHE GENERATOR WAS THE BOTTLENECK: these numbers say little about the server.\n";
  for (const auto& why : report.at("generator_limited_why").as_array())
    out += "  " + std::string(why.as_string()) + "\n";
  const auto& faults = report.at("faults").as_array();
  if (!faults.empty()) out += "\nFAULTS\n";
  for (const auto& fault : faults) out += "  " + std::string(fault.as_string()) + "\n";
  return out;
}

}  // namespace atrium::load
