#include "node/metrics_page.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <sstream>

namespace atrium::node {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

class Page {
 public:
  void counter(const char* name, const char* help, uint64_t value) {
    family(name, help, MetricType::Counter).metric.push_back(with_value(value, true, {}));
  }
  void gauge(const char* name, const char* help, uint64_t value) {
    family(name, help, MetricType::Gauge).metric.push_back(with_value(value, false, {}));
  }
  MetricFamily& family(const char* name, const char* help, MetricType type) {
    families_.push_back({name, help, type, {}});
    return families_.back();
  }
  static ClientMetric with_value(uint64_t value, bool is_counter,
                                 std::vector<ClientMetric::Label> labels) {
    ClientMetric metric;
    metric.label = std::move(labels);
    (is_counter ? metric.counter.value : metric.gauge.value) = static_cast<double>(value);
    return metric;
  }
  void histogram(const char* name, const char* help, const Histogram& from) {
    ClientMetric metric;
    uint64_t cumulative = 0;
    for (size_t i = 0; i < from.counts().size(); ++i) {
      cumulative += from.counts()[i];
      const double bound = i < Histogram::kBounds.size() ? Histogram::kBounds[i]
                                                         : std::numeric_limits<double>::infinity();
      metric.histogram.bucket.push_back({cumulative, bound});
    }
    metric.histogram.sample_count = from.total();
    metric.histogram.sample_sum = from.sum();
    family(name, help, MetricType::Histogram).metric.push_back(std::move(metric));
  }
  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  std::vector<MetricFamily> families_;
};

uint64_t sum(const std::vector<ShardSnapshot>& shards, uint64_t media::EngineCounters::*field) {
  uint64_t total = 0;
  for (const ShardSnapshot& shard : shards) total += shard.counters.*field;
  return total;
}

void add_rooms(Page& page, const MetricsInput& in) {
  page.gauge("atrium_rooms", "Room lives, dismissing ones included", in.rooms.rooms);
  page.gauge("atrium_rooms_dismissing", "Lives being dismissed now", in.rooms.dismissing);
  page.gauge("atrium_users", "Participants present, those in the resume window included",
             in.rooms.participants);
  page.gauge("atrium_tracks", "Published tracks", in.rooms.tracks);
  page.gauge("atrium_subscriptions", "Pairs of subscriber and track", in.rooms.subscriptions);
  page.gauge("atrium_tombstones", "Sessions that are still to be told of their removal",
             in.rooms.tombstones);
}

void add_dismissals(Page& page, const ControlCounters& control) {
  auto& dismissals = page.family("atrium_dismissals_total",
                                 "Answered DismissRoom operations by outcome", MetricType::Counter);
  dismissals.metric.push_back(
      Page::with_value(control.dismissals_done, true, {{"outcome", "done"}}));
  dismissals.metric.push_back(
      Page::with_value(control.dismissals_failed, true, {{"outcome", "failed"}}));
  dismissals.metric.push_back(
      Page::with_value(control.dismissals_unknown_room, true, {{"outcome", "no_such_room"}}));
  dismissals.metric.push_back(
      Page::with_value(control.dismissals_not_current, true, {{"outcome", "not_current"}}));
  page.counter("atrium_dismissed_users_total", "Users in rooms at their fence",
               control.dismissed_users);
  page.counter("atrium_dismissed_users_not_notified_total",
               "Users who got a tombstone instead of the notice",
               control.dismissed_users_not_notified);
  page.histogram("atrium_dismissal_accept_to_fence_seconds", "From the accepted call to the fence",
                 control.accept_to_fence);
  page.histogram("atrium_dismissal_fence_to_media_cut_seconds",
                 "From the fence to the confirmed media cut", control.fence_to_media_cut);
  page.histogram("atrium_dismissal_fence_to_last_notice_seconds",
                 "From the fence to the last session told", control.fence_to_last_notice);
}

void add_control(Page& page, const MetricsInput& in) {
  const ControlCounters& control = in.control;
  page.counter("atrium_joins_total", "Accepted joins", control.joins);
  page.counter("atrium_joins_refused_total", "Joins refused at the upgrade", control.joins_refused);
  page.counter("atrium_resumes_total", "Accepted resumes", control.resumes);
  page.counter("atrium_resumes_refused_total", "Resumes of unknown or removed sessions",
               control.resumes_refused);
  page.counter("atrium_api_calls_total", "Management calls", control.api_calls);
  page.counter("atrium_api_refused_total", "Management calls answered with an error",
               control.api_refused);
  auto& messages =
      page.family("atrium_api_messages_dropped_total",
                  "Recipients who did not get a backend's message, by reason", MetricType::Counter);
  messages.metric.push_back(
      Page::with_value(control.messages_too_long, true, {{"reason", "longer_than_client_takes"}}));
  messages.metric.push_back(
      Page::with_value(control.messages_over_backlog, true, {{"reason", "backlog"}}));
  page.counter("atrium_signal_messages_in_total", "Messages from clients",
               control.signal_messages_in);
  page.counter("atrium_signal_malformed_total", "Messages from clients that did not parse",
               control.signal_malformed);
  page.counter("atrium_signal_outgoing_refused_total",
               "Messages that the serialiser refused to send: a bug if not 0",
               control.signal_refused_outgoing);
  page.counter("atrium_offers_total", "Descriptions offered by clients", control.offers);
  page.counter("atrium_offers_refused_total", "Descriptions that were not acceptable",
               control.offers_refused);
  page.gauge("atrium_http_connections", "Open HTTP and WebSocket connections", in.http_connections);
  page.counter("atrium_lost_commands_total",
               "Commands to shards that found no room: a bug if not 0", in.lost_commands);
  page.counter("atrium_bugs_total", "Broken invariants that ended one session: a bug if not 0",
               in.bugs);
  page.gauge("process_open_fds", "Open file descriptors", in.open_descriptors);
  page.gauge("process_resident_memory_bytes", "Resident memory", in.resident_bytes);
  auto& cpu = page.family("process_cpu_seconds_total", "User and system time", MetricType::Counter);
  ClientMetric metric;
  metric.counter.value = static_cast<double>(in.cpu_us) / 1e6;
  cpu.metric.push_back(metric);
}

void add_events(Page& page, const EventCounters& events) {
  page.counter("atrium_events_written_total", "Events that the store holds", events.written);
  page.counter("atrium_events_lost_total", "Events that the store was too far behind to take",
               events.lost);
  page.gauge("atrium_events_waiting", "Events that wait for the store", events.waiting);
}

// Destinations that are named on the page are those that are furthest behind: there may be kWebhooksMax.
constexpr size_t kNamedWebhooks = 100;

void add_named_webhooks(Page& page, std::vector<WebhookFigures> behind) {
  std::erase_if(behind, [](const WebhookFigures& one) { return one.waiting == 0; });
  const size_t named = std::min(behind.size(), kNamedWebhooks);
  std::ranges::partial_sort(behind, behind.begin() + static_cast<std::ptrdiff_t>(named),
                            std::greater(), &WebhookFigures::lag);
  behind.resize(named);
  auto& lags = page.family("atrium_webhook_lag_seconds",
                           "Age of the oldest event that waits for a destination; the 100 that "
                           "are furthest behind",
                           MetricType::Gauge);
  for (const WebhookFigures& one : behind) {
    ClientMetric metric = Page::with_value(0, false, {{"webhook", one.webhook.value}});
    metric.gauge.value = std::chrono::duration<double>(one.lag).count();
    lags.metric.push_back(std::move(metric));
  }
  auto& waiting =
      page.family("atrium_webhook_waiting_events",
                  "Events that wait for a destination; the same destinations", MetricType::Gauge);
  for (const WebhookFigures& one : behind)
    waiting.metric.push_back(
        Page::with_value(one.waiting, false, {{"webhook", one.webhook.value}}));
}

void add_webhooks(Page& page, const MetricsInput& in) {
  using webhook::WebhookHealth;
  auto& results = page.family(
      "atrium_webhook_deliveries_total",
      "Events delivered, tries that failed, events that became dead letters", MetricType::Counter);
  const auto add_result = [&](uint64_t count, const char* result) {
    results.metric.push_back(Page::with_value(count, true, {{"result", result}}));
  };
  add_result(in.deliveries.delivered, "delivered");
  add_result(in.deliveries.failed, "failed");
  add_result(in.deliveries.dead, "dead");
  auto& states =
      page.family("atrium_webhooks", "Webhooks by how their destination does", MetricType::Gauge);
  const auto add_state = [&](WebhookHealth health, const char* state) {
    const auto count = std::ranges::count(in.webhooks, health, &WebhookFigures::health);
    states.metric.push_back(
        Page::with_value(static_cast<uint64_t>(count), false, {{"state", state}}));
  };
  add_state(WebhookHealth::Well, "well");
  add_state(WebhookHealth::Probed, "probed");
  add_state(WebhookHealth::Disabled, "disabled");
  uint64_t dead_letters = 0;
  for (const WebhookFigures& one : in.webhooks) dead_letters += one.dead_letters;
  page.gauge("atrium_webhook_dead_letters", "Events kept as dead letters, all webhooks together",
             dead_letters);
  add_named_webhooks(page, in.webhooks);
}

void add_listeners(Page& page, const ListenerFigures& figures) {
  auto& refused =
      page.family("atrium_connections_refused_total",
                  "Connections that ended before a request, by reason", MetricType::Counter);
  const auto add = [&](uint64_t count, const char* reason) {
    refused.metric.push_back(Page::with_value(count, true, {{"reason", reason}}));
  };
  add(figures.refused_full, "full");
  add(figures.proxy_headers_refused, "proxy_header");
  add(figures.tls_failures, "tls");
  add(figures.tls_missing, "plain_http_to_tls");
  page.counter("atrium_tls_handshakes_total", "TLS handshakes completed", figures.tls_handshakes);
  if (figures.tls_expires_unix_s)
    page.gauge("atrium_tls_certificate_expires_timestamp_seconds",
               "When the certificate in use runs out",
               static_cast<uint64_t>(*figures.tls_expires_unix_s));
}

void add_store(Page& page, const StoreHealth& store) {
  page.gauge("atrium_store_free_bytes", "Free on the store's disk", store.free_bytes);
  page.gauge("atrium_store_reserve_bytes", "Held for what must be recorded on a full disk",
             store.reserve_bytes);
  page.gauge("atrium_store_disk_state",
             "0 well, 1 history is not written, 2 new joins are refused, 3 the reserve is gone",
             static_cast<uint64_t>(store.disk));
  page.gauge("atrium_store_read_only", "1 after a failed sync until the store was opened anew",
             store.is_read_only ? 1 : 0);
  page.counter("atrium_store_full_writes_total", "Writes that found no room at first",
               store.full_writes);
  page.counter("atrium_store_reserve_releases_total", "Times that the reserve was given up",
               store.reserve_releases);
  page.counter("atrium_store_failed_syncs_total", "Syncs that the disk did not confirm",
               store.failed_syncs);
  page.counter("atrium_store_reopenings_total", "Times that the store was opened anew",
               store.reopenings);
}

void add_media(Page& page, const MetricsInput& in) {
  using C = media::EngineCounters;
  page.counter("atrium_datagrams_in_total", "Datagrams received by the media ports",
               sum(in.shards, &C::datagrams_in));
  page.counter("atrium_datagrams_out_total", "Datagrams sent by the media ports",
               sum(in.shards, &C::datagrams_out));
  page.counter("atrium_bytes_in_total", "Bytes received by the media ports",
               sum(in.shards, &C::bytes_in));
  page.counter("atrium_bytes_out_total", "Bytes sent by the media ports",
               sum(in.shards, &C::bytes_out));
  page.counter("atrium_rtp_in_total", "Authenticated RTP packets received",
               sum(in.shards, &C::rtp_in));
  page.counter("atrium_rtp_forwarded_total", "RTP packets encrypted for a subscriber",
               sum(in.shards, &C::rtp_forwarded));
  page.counter("atrium_rtx_in_total", "Retransmissions received", sum(in.shards, &C::rtx_in));
  page.counter("atrium_rtx_out_total", "Retransmissions sent", sum(in.shards, &C::rtx_out));
  page.counter("atrium_nacks_sent_total", "Sequence numbers asked for upstream",
               sum(in.shards, &C::nacks_sent));
  page.counter("atrium_nacks_received_total", "Sequence numbers asked for downstream",
               sum(in.shards, &C::nacks_received));
  page.counter("atrium_plis_sent_total", "Key frames asked for upstream",
               sum(in.shards, &C::plis_sent));
  page.counter("atrium_twcc_feedback_sent_total", "Transport feedback messages sent",
               sum(in.shards, &C::twcc_feedback_sent));
  page.counter("atrium_dtls_handshakes_total", "Finished DTLS handshakes",
               sum(in.shards, &C::dtls_handshakes));
  page.counter("atrium_data_messages_in_total", "Data messages from clients",
               sum(in.shards, &C::data_messages_in));
  page.counter("atrium_data_messages_out_total", "Data messages to clients",
               sum(in.shards, &C::data_messages_out));
  page.counter("atrium_packets_after_cut_total",
               "Media or client data that left a shard after its life was cut: a bug if not 0",
               sum(in.shards, &C::packets_after_cut));
  page.gauge("atrium_transports", "ICE/DTLS transports on the shards",
             sum(in.shards, &C::transports));
  page.gauge("atrium_forwarders", "Pairs of track and subscriber on the shards",
             sum(in.shards, &C::forwarders));
  auto& drops =
      page.family("atrium_drops_total", "Packets and messages that went no further, by reason",
                  MetricType::Counter);
  for (size_t reason = 0; reason < media::kDropReasons; ++reason) {
    uint64_t total = 0;
    for (const ShardSnapshot& shard : in.shards) total += shard.counters.drops[reason];
    drops.metric.push_back(Page::with_value(
        total, true, {{"reason", media::name(static_cast<media::DropReason>(reason))}}));
  }
}

}  // namespace

void Histogram::observe(double seconds) {
  size_t bucket = 0;
  while (bucket < kBounds.size() && seconds > kBounds[bucket]) ++bucket;
  ++counts_[bucket];
  ++total_;
  sum_ += seconds;
}

std::string metrics_text(const MetricsInput& input) {
  Page page;
  add_rooms(page, input);
  add_dismissals(page, input.control);
  add_control(page, input);
  add_events(page, input.events);
  add_webhooks(page, input);
  add_listeners(page, input.listeners);
  add_store(page, input.store);
  add_media(page, input);
  return page.text();
}

}  // namespace atrium::node
