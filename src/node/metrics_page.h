// The Prometheus text of /metrics: what operators see.  Plain numbers in, text out.  Thread: control.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/webhook/dispatcher.h"
#include "domain/registry.h"
#include "node/event_writer.h"
#include "node/shard_link.h"
#include "node/store_worker.h"

namespace atrium::node {

// A histogram of seconds with fixed upper bounds.
class Histogram {
 public:
  static constexpr std::array<double, 12> kBounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                  0.1,   0.25,   0.5,   1.0,  2.5,   5.0};
  void observe(double seconds);
  const std::array<uint64_t, kBounds.size() + 1>& counts() const { return counts_; }
  uint64_t total() const { return total_; }
  double sum() const { return sum_; }

 private:
  std::array<uint64_t, kBounds.size() + 1> counts_{};
  uint64_t total_ = 0;
  double sum_ = 0;
};

struct ControlCounters {
  uint64_t joins = 0, joins_refused = 0, resumes = 0, resumes_refused = 0;
  uint64_t dismissals_done = 0, dismissals_failed = 0, dismissals_unknown_room = 0,
           dismissals_not_current = 0;
  uint64_t dismissed_users = 0, dismissed_users_not_notified = 0;
  uint64_t api_calls = 0, api_refused = 0;
  uint64_t messages_too_long = 0, messages_over_backlog = 0;  // a backend's, by recipient
  uint64_t signal_messages_in = 0, signal_malformed = 0, signal_refused_outgoing = 0;
  uint64_t offers = 0, offers_refused = 0;
  Histogram accept_to_fence, fence_to_media_cut, fence_to_last_notice;
};

// What the listeners did before a request was there.
struct ListenerFigures {
  uint64_t refused_full = 0;
  uint64_t proxy_headers_refused = 0;
  uint64_t tls_handshakes = 0, tls_failures = 0, tls_missing = 0;
  std::optional<int64_t> tls_expires_unix_s = std::nullopt;
};

// One destination, by what the store and the dispatcher know of it.
struct WebhookFigures {
  WebhookId webhook;
  webhook::WebhookHealth health = webhook::WebhookHealth::Probed;
  uint64_t waiting = 0, dead_letters = 0;  // events
  Duration lag{};                          // age of the oldest event that waits
};

struct MetricsInput {
  domain::Registry::Counts rooms;
  ControlCounters control;
  EventCounters events;
  StoreHealth store;
  std::vector<ShardSnapshot> shards;
  uint64_t open_descriptors = 0, resident_bytes = 0, cpu_us = 0;
  uint64_t http_connections = 0, lost_commands = 0, bugs = 0;
  ListenerFigures listeners = {};
  std::vector<WebhookFigures> webhooks = {};
  webhook::DeliveryTotals deliveries = {};
};

std::string metrics_text(const MetricsInput& input);

}  // namespace atrium::node
