// Dispatcher: which event is sent to which webhook, when, and again when; for all webhooks together.  Owner: the
// control plane.  Thread: control.  Pure: what happens comes in with its Now, what is to be done is taken as values.
// Does not: write bodies (request.h), resolve names or connect, remember across a restart (the store does).
//
// Per (webhook, app, room) one event after the other, in the store's order; rooms beside each other.  At least once:
// what a restart finds unrecorded is sent again.
//
// A destination (a webhook) is                                    on a failure          on a success
//   probed   one request at a time, the next one after a delay    the delay doubles     well
//   well     up to kWebhookInFlightMax rooms at once              probed, least delay   well
// It begins as probed with no delay.  Delays are jittered (half to whole) and never put two probes further apart than
// kWebhookBackoffMaxMs.  A webhook is never given up.
//
// An event that fails while others succeed makes its own room wait, as long as its count says (doubling, as above), and
// is a dead letter at count kWebhookPoisonAttemptsMax.  A failure counts when the destination had a success since the
// event became the first of its room, or since its last failure: so an outage counts for nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "adapters/webhook/waiting_rooms.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/secret_source.h"
#include "base/time.h"
#include "domain/webhook.h"

namespace atrium::webhook {

using AttemptId = NumberId<struct AttemptIdTag>;

// --- to be done, in this order: a Fetch sees what the Records before it wrote -----------------------

// Read the first deliveries of rooms behind this one (Store::next_deliveries).  Answered exactly once, by
// on_runs() or on_runs_failed().
struct Fetch {
  WebhookId webhook;
  AppId after_app;
  RoomId after_room;
};
// One try.  Answered exactly once, by on_result(), also where it could not be begun.
struct Send {
  AttemptId attempt;
  domain::Webhook webhook;  // as of now
  domain::StoredEvent event;
};
struct Record {
  domain::DeliveryOutcome outcome;
};
// How the test of that number ended.
struct TestEnded {
  AttemptId attempt;
  WebhookId webhook;
  std::expected<void, std::string> result;
};
using Output = std::variant<Fetch, Send, Record, TestEnded>;

// --- to be seen -----------------------------------------------------------------------------------------

enum class WebhookHealth : uint8_t { Well, Probed, Disabled };
struct WebhookStatus {
  WebhookId webhook;
  WebhookHealth health = WebhookHealth::Probed;
  uint32_t consecutive_failures = 0;
  uint32_t in_flight = 0;
  uint64_t delivered = 0, failed = 0, dead = 0;  // events; tries; events.  Of this process
  uint64_t rooms_held = 0, rooms_failing = 0;
  std::optional<Wall> oldest_waiting_at =
      {};  // of what is held; the store knows better (Store::backlogs)
};

// Of this process, webhooks that are gone included.
struct DeliveryTotals {
  uint64_t delivered = 0, failed = 0, dead = 0;  // events; tries; events
};

class Dispatcher {
 public:
  explicit Dispatcher(SecretSource& secrets) : secrets_(secrets) {}

  // New or changed.  One that is not enabled is sent nothing; what waits for it waits in the store.  A change begins
  // anew: probed, at once.
  void on_webhook(domain::Webhook webhook, Now now);
  void on_webhook_dropped(const WebhookId& webhook, Now now);
  // Something new waits for it in the store: events, or dead letters that were redriven.
  void on_work(const WebhookId& webhook, Now now);
  void on_runs(const WebhookId& webhook, std::vector<domain::DeliveryRun> runs, Now now);
  void on_runs_failed(const WebhookId& webhook, Now now);
  // Success is an answer of 200.  The error says what came instead, for the record.
  void on_result(AttemptId attempt, const std::expected<void, std::string>& result, Now now);
  void on_deadline(Now now);
  // One made-up event, outside of all queues and of everything that is counted; the webhook may be disabled.  The end
  // comes as TestEnded.  NotFound: no such webhook.  LimitExceeded: kWebhookInFlightAllMax are under way.
  Result<AttemptId> test(const WebhookId& webhook, Now now);

  Mono next_deadline() const { return deadlines_.empty() ? kNever : deadlines_.begin()->first; }
  std::vector<Output> take() { return std::exchange(out_, {}); }
  // By webhook.
  std::vector<WebhookStatus> status() const;
  const DeliveryTotals& totals() const { return totals_; }
  // What is said of it in a test: an event of a room that is in nobody's table.
  static constexpr const char* kTestRoom = "atrium-webhook-test";

 private:
  struct Line {
    domain::Webhook webhook;
    WaitingRooms rooms = {};
    // derived
    bool is_probed = true;
    Mono next_probe_at{};
    Duration delay{};  // after the last probe that failed
    uint64_t successes = 0;
    uint32_t in_flight = 0, consecutive_failures = 0;
    uint64_t failed = 0, dead = 0;
    bool is_queued = false;
    Mono deadline = kNever;
  };
  struct Attempt {
    WebhookId webhook;
    domain::Delivery delivery;
    Mono began_at{};
    bool is_probe = false;
    bool is_test = false;
  };
  using Lines = std::map<WebhookId, Line>;

  void begin_anew(Line& line, Now now);
  bool can_send(const Line& line, Mono now) const;
  void send_one(Line& line, Now now);
  void skip_unwanted(Line& line, Now now);
  void on_success(Line& line, const Attempt& attempt, Now now);
  void on_failure(Line& line, Attempt& attempt, const std::string& why, Now now);
  void slow_down(Line& line, const Attempt& attempt, Mono now);
  void end_test(const Attempt& attempt, AttemptId id,
                const std::expected<void, std::string>& result, Now now);
  void record(const domain::Delivery& delivery, domain::DeliveryEnd end, const std::string& why,
              Wall at);
  Duration jittered(Duration delay);
  // After every change of a line: asks the store, queues the line for sending, sets its deadline.
  void look_at(Line& line, Now now);
  void set_deadline(Line& line, Mono deadline);
  // Sends while there is room for more, from the lines in turn.
  void pump(Now now);

  // given
  SecretSource& secrets_;
  // owned
  Lines lines_;
  std::map<AttemptId, Attempt> attempts_;  // under way, at most kWebhookInFlightAllMax
  // derived
  DeliveryTotals totals_;
  uint64_t last_attempt_ = 0;
  std::deque<WebhookId> queue_;  // lines that may send
  std::set<std::pair<Mono, WebhookId>> deadlines_;
  std::vector<Output> out_;
};

}  // namespace atrium::webhook
