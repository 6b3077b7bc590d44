// The way from the node's web thread to the consumer: it loses, repeats and delays, and for an hour nothing comes
// through.
#include "base/limits.h"
#include "sim/rounds.h"

namespace atrium::sim {
namespace {

constexpr Duration kGivenUp = std::chrono::milliseconds(limits::kWebhookAnswerMs);
constexpr Duration kWayMin = std::chrono::milliseconds(1), kWayMax = std::chrono::milliseconds(20);
constexpr const char* kConsumer = "192.0.2.80";

}  // namespace

void Rounds::wake_web() {
  if (std::exchange(is_web_woken_, true)) return;
  at_this_boot(between(Duration(1), std::chrono::microseconds(300)), [this] {
    is_web_woken_ = false;
    turn_web();
  });
}

void Rounds::turn_web() {
  node::WebOrder order;
  while (to_web_->try_receive(order)) {
    if (auto* rule = std::get_if<node::WebRule>(&order))
      web_rule_ = std::move(*rule);
    else
      carry(std::get<node::WebRequest>(order));
  }
}

bool Rounds::is_consumer_out() const {
  const Mono from = began_ + options_.span / 4;
  return mono_ >= from && mono_ < from + options_.outage;
}

void Rounds::reach_consumer(const std::string& body) {
  if (!is_consumer_out()) consumer_.on_callback(body);
}

void Rounds::answer(uint64_t boot, uint64_t id, int status, std::string why, Duration delay) {
  at(delay, [this, boot, id, status, why = std::move(why)] {
    if (boot != boots_ || !is_up()) return;
    if (status != 200) ++outcome_.figures.failed_requests;
    node::WebReply reply{id, status, why};
    if (!from_web_->try_send(reply)) book_.fail("a ring of answers is full");
  });
}

// What the network does to one request.  A late or repeated one arrives even when its sender is dead.
void Rounds::carry(const node::WebRequest& request) {
  ++outcome_.figures.requests;
  if (!web_rule_ || !web_rule_(*IpAddress::parse(kConsumer)))
    book_.fail("a request went out before the rule of addresses, or against it");
  if (request.url.find(kConsumer) == std::string::npos) book_.fail("sent to " + request.url);
  const Duration there = between(kWayMin, kWayMax), back = between(kWayMin, kWayMax);
  if (is_consumer_out())
    return one_in(2) ? answer(boots_, request.id, 0, "refused", there)
                     : answer(boots_, request.id, 0, "no answer", kGivenUp);
  const uint64_t choice = has_faults_ ? below(1'000) : 999;
  const auto arrive = [this, body = request.body] { reach_consumer(body); };
  if (choice < 10) return answer(boots_, request.id, 503, "", there);
  if (choice < 13) return answer(boots_, request.id, 0, "no answer", kGivenUp);
  if (options_.plant == RoundsPlant::LostEvent && one_in(500))
    return answer(boots_, request.id, 200, "", there);
  if (choice < 20) {  // it arrives, and its answer is lost or late
    at(choice < 17 ? there : between(kGivenUp, 4 * kGivenUp), arrive);
    return answer(boots_, request.id, 0, "no answer", kGivenUp);
  }
  at(there, [this, arrive, back, boot = boots_, id = request.id] {
    if (is_consumer_out()) return answer(boot, id, 0, "refused", back);
    arrive();
    answer(boot, id, 200, "", back);
  });
  if (choice < 70) at(between(there, std::chrono::minutes(1)), arrive);
}

}  // namespace atrium::sim
