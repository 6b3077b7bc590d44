#include "sim/rounds.h"

#include <algorithm>

#include "base/crypto.h"
#include "negotiation/offer.h"

namespace atrium::sim {
namespace {

constexpr Duration kPause = std::chrono::microseconds(50);  // between two turns of one part
constexpr Duration kScheduling = std::chrono::microseconds(300);
constexpr Duration kDiskLeast = std::chrono::microseconds(200),
                   kDiskMost = std::chrono::milliseconds(20);
constexpr int kTurnsPerInstantMax = 10'000;
constexpr const char* kSecret = "callback secret";

// One length-delimited protobuf field.
std::string proto_field(int number, const std::string& value) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  size_t left = value.size();
  for (; left >= 128; left >>= 7) out.push_back(static_cast<char>(left | 128));
  out.push_back(static_cast<char>(left));
  return out + value;
}

// WrappedJoinRequest{join_request: JoinRequest{publisher_offer: …}} of a client with a data channel alone.
std::string make_offer(SecretSource& secrets) {
  negotiation::OfferingSession dialler(secrets, "cname");
  dialler.add_data_section();
  negotiation::LocalTransport local{.ice_ufrag = secrets.base62(8),
                                    .ice_password = secrets.base62(24),
                                    .fingerprint_sha256 = "AB",
                                    .candidates = {}};
  for (int i = 1; i < 32; ++i) local.fingerprint_sha256 += ":AB";
  const std::string offer = proto_field(1, "offer") + proto_field(2, dialler.create_offer(local));
  return base64url(as_bytes(proto_field(2, proto_field(6, offer))));
}

}  // namespace

Rounds::Shard::Shard(Rounds& rounds, size_t index)
    : commands(rounds.one_in(4) ? 4 : 512, [&rounds, index] { rounds.wake_shard(index); }),
      urgent(64, [&rounds, index] { rounds.wake_shard(index); }),
      reports(4'096, [&rounds] { rounds.wake_control(); }) {}

Rounds::Rounds(RoundsOptions options)
    : options_(options),
      chance_(options.seed),
      node_secrets_(options.seed * 7919 + 1),
      disk_(options.seed * 104'729 + 3),
      names_(options.names),
      consumer_(kApp, kSecret) {
  offer_ = make_offer(chance_);
  boot();
}

Rounds::~Rounds() = default;

// --- time --------------------------------------------------------------------------------------

void Rounds::at(Duration from_now, std::function<void()> what) {
  agenda_.emplace(mono_ + from_now, std::move(what));
}

void Rounds::at_this_boot(Duration from_now, std::function<void()> what) {
  at(from_now, [this, boot = boots_, what = std::move(what)] {
    if (boot == boots_ && is_up()) what();
  });
}

Duration Rounds::between(Duration low, Duration high) {
  return low +
         Duration(static_cast<int64_t>(below(static_cast<uint64_t>((high - low).count()) + 1)));
}

// Mostly as a thread or a wire takes, now and then so long that everything else overtakes it.
Duration Rounds::some_delay() {
  const uint64_t choice = below(100);
  if (choice < 70) return between(Duration(20), std::chrono::milliseconds(2));
  if (choice < 95) return between(std::chrono::milliseconds(2), std::chrono::milliseconds(80));
  return between(std::chrono::milliseconds(80), std::chrono::milliseconds(1'500));
}

// --- parts -------------------------------------------------------------------------------------

void Rounds::wake_control() {
  if (std::exchange(is_control_woken_, true)) return;
  at_this_boot(between(Duration(1), kScheduling), [this] {
    is_control_woken_ = false;
    turn_control(false);
  });
}

// Group commit: what comes while the disk is busy is written together.
void Rounds::wake_store() {
  if (std::exchange(is_store_woken_, true)) return;
  at_this_boot(between(kDiskLeast, kDiskMost), [this] {
    is_store_woken_ = false;
    turn_store(false);
  });
}

void Rounds::turn_control(bool is_deadline) {
  last_control_ = mono_;
  is_deadline ? control_->on_deadline(now()) : control_->on_wake(now());
}

void Rounds::turn_store(bool is_deadline) {
  last_store_ = mono_;
  is_deadline ? store_worker_->on_deadline(now()) : store_worker_->on_wake(now());
  if (disk_.has_crashed()) crash();
}

// A part whose deadline has passed already gets its next turn after a short pause, as a thread would.
Mono Rounds::control_deadline() const {
  if (!is_up() || control_->next_deadline() == kNever) return kNever;
  return std::max(control_->next_deadline(), last_control_ + kPause);
}
Mono Rounds::store_deadline() const {
  if (!is_up() || store_worker_->next_deadline() == kNever) return kNever;
  return std::max(store_worker_->next_deadline(), last_store_ + kPause);
}

bool Rounds::run_next(Mono end) {
  const Mono planned = agenda_.empty() ? kNever : agenda_.begin()->first;
  const Mono control = control_deadline(), store = store_deadline();
  const Mono next = std::min({planned, control, store});
  if (next > end) return false;
  mono_ = std::max(mono_, next);
  if (next == planned) {
    const auto what = std::move(agenda_.extract(agenda_.begin()).mapped());
    what();
  } else if (next == control) {
    turn_control(true);
  } else {
    turn_store(true);
  }
  return true;
}

void Rounds::run_for(Duration span) {
  const Mono end = mono_ + span;
  Mono instant = mono_;
  for (int turns = 0; run_next(end);) {
    turns = mono_ == instant ? turns + 1 : 0;
    instant = mono_;
    if (turns < kTurnsPerInstantMax) continue;
    book_.fail("time stands still");
    break;
  }
  mono_ = end;
}

// --- the whole ---------------------------------------------------------------------------------

RoundsOutcome Rounds::run() {
  const Duration most = 4 * options_.span + 2 * options_.outage;
  for (size_t name = 0; name < names_.size(); ++name)
    at(between(Duration(0), std::chrono::seconds(1)), [this, name] { begin_round(name); });
  at(std::chrono::seconds(5), [this] { fate(); });
  while (!is_done() && mono_ - began_ < most) run_for(std::chrono::seconds(10));
  if (!is_done()) book_.fail("the rounds did not come to their end");
  settle();
  RoundsFigures& figures = outcome_.figures;
  figures.rounds = book_.rounds();
  figures.lives = book_.lives();
  figures.events = consumer_.events();
  figures.duplicates = consumer_.duplicates();
  figures.lasted = mono_ - began_;
  outcome_.violations = book_.violations();
  for (const std::string& violation : consumer_.violations())
    outcome_.violations.push_back(violation);
  return outcome_;
}

}  // namespace atrium::sim
