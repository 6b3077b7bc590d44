#include "apps/atriumload/worker.h"

#include <sys/epoll.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "media/dtls.h"
#include "runtime/clock.h"

namespace atrium::load {
namespace {

constexpr size_t kEventsMax = 256;
constexpr uint64_t kWakerKey = UINT64_MAX;
constexpr uint64_t kTcp = kLinksMax;  // the place behind the links'
constexpr unsigned kKeyBits = 2;
constexpr auto kPublishEvery = std::chrono::milliseconds(200);
constexpr auto kWaitMax =
    std::chrono::milliseconds(5);  // a phase is noticed after this at the latest
constexpr size_t kFramesPerTurnMax = 64;

uint64_t us(Wall wall) {
  return static_cast<uint64_t>(wall.time_since_epoch().count());
}

}  // namespace

uint64_t thread_cpu_us() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000u +
         static_cast<uint64_t>(time.tv_nsec) / 1'000u;
}

Worker::Worker(size_t index, const Settings& settings, RunState& run, SctpHub& hub,
               std::shared_ptr<const media::CertificateKey> certificate)
    : index_(index),
      settings_(settings),
      run_(run),
      hub_(hub),
      certificate_(std::move(certificate)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      reader_(settings.gro) {
  CHECK(epoll_.get() >= 0);
  const auto all = static_cast<uint32_t>(settings.all_clients());
  const auto workers = static_cast<uint32_t>(settings.threads);
  for (auto number = static_cast<uint32_t>(index); number < all; number += workers)
    slots_.emplace_back().number = number;
  watch(waker_.descriptor(), EPOLLIN, kWakerKey, true);
  hub_.set_waker(index, waker_);
}

Worker::~Worker() = default;

void Worker::watch(int descriptor, uint32_t events, uint64_t key, bool is_new) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  CHECK(::epoll_ctl(epoll_.get(), is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, &event) == 0);
}

void Worker::start(Mono joins_begin) {
  joins_begin_ = joins_begin;
  thread_ = std::thread([this] { run(); });
}

void Worker::run() {
  std::array<epoll_event, kEventsMax> events;
  while (run_.phase.load() != Phase::Over) {
    const size_t count = wait(events, runtime::read_clock());
    const Now now = runtime::read_clock();
    note_phase(now);
    note_media(now);
    begin_joins(now);
    end_rooms();
    take_deadlines();
    take_events(std::span(events).first(count), now);
    exchange_sctp(now);
    publish(now);
    if (seen_ != Phase::Measuring) continue;
    ++tally_.generator.turns;
    tally_.generator.turn_us.add(
        static_cast<uint64_t>((runtime::read_clock().mono - now.mono).count()));
  }
  for (uint32_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].client) end(i);
}

size_t Worker::wait(std::span<epoll_event> events, Now now) {
  Mono deadline = std::min(now.mono + kWaitMax, hub_.next_deadline());
  if (!due_.empty()) deadline = std::min(deadline, due_.top().at);
  const Duration left = std::max<Duration>(deadline - now.mono, Duration::zero());
  const timespec timeout{static_cast<time_t>(left / 1s),
                         static_cast<long>((left % 1s).count() * 1'000)};
  const int count = ::epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   &timeout, nullptr);
  return static_cast<size_t>(std::max(count, 0));
}

void Worker::note_media(Now now) {
  if (has_media_ || !run_.has_media.load()) return;
  has_media_ = true;
  for (uint32_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].client) slots_[i].client->begin_media(now), arm(i);
}

void Worker::note_phase(Now now) {
  const Phase phase = run_.phase.load();
  if (phase == seen_) return;
  const bool begins = phase == Phase::Measuring;
  const bool ends = seen_ == Phase::Measuring;
  seen_ = phase;
  if (begins) {
    tally_.flow_begin = tally_.flow;
    cpu_begin_us_ = thread_cpu_us();
    measured_from_ = now.mono;
  }
  if (ends) {
    tally_.flow_end = tally_.flow;
    tally_.generator.cpu_us = thread_cpu_us() - cpu_begin_us_;
    tally_.generator.measured_us = static_cast<uint64_t>((now.mono - measured_from_).count());
  }
  if (phase == Phase::Leaving) leave_all(now);
  for (uint32_t i = 0; i < slots_.size(); ++i) arm(i);
}

// --- lives of clients

Person Worker::person_of(uint32_t number) const {
  const auto of_room = static_cast<uint32_t>(settings_.clients);
  const uint32_t room = number / of_room, place = number % of_room;
  const bool publishes = place < static_cast<uint32_t>(settings_.publishers);
  return {.room = settings_.room_prefix + "-" + std::to_string(room),
          .user = settings_.user_prefix + std::to_string(number) +
                  (lives_ == 0 ? "" : "-" + std::to_string(lives_)),
          .room_number = room,
          .is_first = place == 0,
          .publishes_audio = publishes && settings_.audio,
          .publishes_video = publishes && settings_.video,
          .fingerprint = media::fingerprint_text(*certificate_)};
}

void Worker::begin_joins(Now now) {
  while (next_join_ < slots_.size() && seen_ < Phase::Watching) {
    Slot& slot = slots_[next_join_];
    if (settings_.join_rate > 0) {
      const double after_s = static_cast<double>(slot.number) / settings_.join_rate;
      if (now.mono < joins_begin_ + std::chrono::duration_cast<Duration>(
                                        std::chrono::duration<double>(after_s)))
        return;
    }
    if (run_.joins_in_flight.load() >= settings_.joins_in_flight) return;
    begin(static_cast<uint32_t>(next_join_++), now);
  }
  if (settings_.scenario != Scenario::Churn || seen_ > Phase::Measuring) return;
  for (uint32_t i = 0; i < next_join_; ++i)  // who left comes back
    if (!slots_[i].client && slots_[i].is_settled && now.mono >= slots_[i].begins &&
        run_.joins_in_flight.load() < settings_.joins_in_flight)
      begin(i, now);
}

void Worker::begin(uint32_t index, Now now) {
  Slot& slot = slots_[index];
  const uint64_t workers = static_cast<uint64_t>(settings_.threads);
  const TransportId transport{++lives_ * workers + index_};
  const Person person = person_of(slot.number);
  const bool sends_data =
      settings_.scenario == Scenario::Data &&
      static_cast<int64_t>(slot.number % settings_.clients) < settings_.publishers;
  slot.client = std::make_unique<LoadClient>(
      LoadClient::Given{person, slot.number, transport,
                        slot.number % static_cast<uint64_t>(settings_.verify_every) == 0,
                        sends_data, certificate_},
      settings_, run_, tally_, secrets_, now);
  slot_of_transport_[transport.value] = index;
  slot.is_in_flight = true;
  run_.joins_in_flight.fetch_add(1);
  slot.tcp = open_tcp(settings_.server);
  if (!slot.tcp) {
    slot.client->on_tcp_end(now);
  } else {
    run_.connections.fetch_add(1);
    slot.waits_for_room = slot.watches_room = true;
    watch(slot.tcp.get(), EPOLLIN | EPOLLOUT, uint64_t{index} << kKeyBits | kTcp, true);
  }
  service(index, now);
}

void Worker::end(uint32_t index) {
  Slot& slot = slots_[index];
  const TransportId transport = slot.client->given().transport;
  slot.client->finish(false);
  slot.client.reset();
  slot_of_transport_.erase(transport.value);
  sctp_.push_back(media::SctpClose{transport});
  close_tcp(slot);
  for (size_t link = 0; link < kLinksMax; ++link) {
    slot.udp[link].reset();
    slot.overflow[link] = 0;
  }
  slot.output.clear();
  slot.is_shut = false;
  slot.leaves = slot.armed = kNever;
}

void Worker::close_tcp(Slot& slot) {
  if (!slot.tcp) return;
  slot.tcp.reset();
  run_.connections.fetch_sub(1);
}

void Worker::leave_all(Now now) {
  const bool counts_tails = settings_.scenario != Scenario::Dismissal;
  for (uint32_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].client) continue;
    slots_[i].client->finish(counts_tails);
    slots_[i].client->leave(now);
    service(i, now);
  }
}

// Rooms that the server's signalling ends: their first clients ask.
void Worker::end_rooms() {
  const auto asked = static_cast<uint64_t>(run_.rooms_to_end.load());
  for (; rooms_asked_ < asked; ++rooms_asked_)
    for (uint32_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].client &&
          slots_[i].number == rooms_asked_ * static_cast<uint64_t>(settings_.clients)) {
        slots_[i].client->end_room();
        service(i, runtime::read_clock());
      }
}

// --- what happens

void Worker::take_events(std::span<const epoll_event> events, Now now) {
  for (const epoll_event& event : events) {
    if (event.data.u64 == kWakerKey) {
      waker_.acknowledge();
      continue;
    }
    const auto index = static_cast<uint32_t>(event.data.u64 >> kKeyBits);
    const uint64_t place = event.data.u64 & ((1u << kKeyBits) - 1);
    Slot& slot = slots_[index];
    if (!slot.client) continue;
    if (place == kTcp)
      on_tcp(slot, event.events, now);
    else
      on_udp(slot, static_cast<uint8_t>(place), now);
    service(index, now);
  }
}

void Worker::on_tcp(Slot& slot, uint32_t events, Now now) {
  if (!slot.tcp) return;
  if ((events & EPOLLOUT) != 0) slot.waits_for_room = false;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  std::array<char, 65'536> room;
  std::string_view bytes;
  switch (read_tcp(slot.tcp.get(), room, bytes)) {
    case TcpRead::Bytes:
      return slot.client->on_tcp_bytes(bytes, now);
    case TcpRead::Nothing:
      return;
    case TcpRead::End:
      close_tcp(slot);
      return slot.client->on_tcp_end(now);
  }
}

void Worker::on_udp(Slot& slot, uint8_t link, Now now) {
  if (!slot.udp[link]) return;
  const uint32_t before = slot.overflow[link];
  reader_.read(slot.udp[link].get(), slot.overflow[link], us(now.wall),
               [&](ByteSpan datagram, uint64_t arrived_us) {
                 slot.client->on_datagram(link, datagram, arrived_us, now);
               });
  tally_.generator.socket_drops += slot.overflow[link] - before;
}

void Worker::take_deadlines() {
  for (size_t taken = 0; !due_.empty() && taken < kEventsMax; ++taken) {
    const Now now = runtime::read_clock();
    const Due due = due_.top();
    if (due.at > now.mono) return;
    due_.pop();
    Slot& slot = slots_[due.slot];
    if (!slot.client || slot.armed != due.at) continue;  // armed anew since
    slot.armed = kNever;
    slot.client->on_deadline(now);
    send_media(slot);
    if (slot.leaves <= now.mono) {
      slot.leaves = kNever;
      slot.client->leave(now);
    }
    service(due.slot, now);
  }
}

void Worker::send_media(Slot& slot) {
  for (size_t frames = 0; frames < kFramesPerTurnMax; ++frames) {
    batch_.clear();
    const auto link = slot.client->take_frame(runtime::read_clock(), batch_);
    if (!link) return;
    tally_.generator.send_drops +=
        slot.udp[*link] ? send_batch(slot.udp[*link].get(), batch_) : batch_.size();
  }
}

// --- what comes of it

void Worker::service(uint32_t index, Now now) {
  Slot& slot = slots_[index];
  for (media::SctpCommand& command : slot.client->take_sctp()) sctp_.push_back(std::move(command));
  open_links(slot, index);
  for (uint8_t link = 0; link < kLinksMax; ++link)
    for (const auto& outgoing : slot.client->take_datagrams(link))
      if (!slot.udp[link] || !send_datagram(slot.udp[link].get(), outgoing.bytes))
        ++tally_.generator.send_drops;
  flush_tcp(slot, index, now);
  settle(slot, now);
  if (slot.client->wants_hang_up() && slot.output.empty() && hang_up(slot)) {
    slot.begins = now.mono + settings_.stay / 10;
    return end(index);
  }
  arm(index);
}

// Says that nothing more comes and waits for the other side to say the same: whoever closes with bytes unread makes the
// kernel throw away what was said last.  True: it is over.
bool Worker::hang_up(Slot& slot) {
  if (slot.client->stage() == LoadClient::Stage::Failed) return true;
  if (slot.tcp && !std::exchange(slot.is_shut, true)) shut_down(slot.tcp.get());
  return !slot.tcp &&
         seen_ !=
             Phase::Watching;  // while a dismissal is watched its datagrams are still of interest
}

void Worker::flush_tcp(Slot& slot, uint32_t index, Now now) {
  slot.output += slot.client->take_tcp_output();
  if (!slot.tcp) {
    slot.output.clear();
    return;
  }
  if (!slot.waits_for_room && !slot.output.empty()) {
    if (!write_tcp(slot.tcp.get(), slot.output)) {
      close_tcp(slot);
      slot.output.clear();
      return slot.client->on_tcp_end(now);
    }
    slot.waits_for_room = !slot.output.empty();
    if (slot.output.empty())
      slot.output = std::string();  // offers are large, and there are thousands of clients
  }
  if (std::exchange(slot.watches_room, slot.waits_for_room) != slot.waits_for_room)
    watch(slot.tcp.get(), slot.waits_for_room ? EPOLLIN | EPOLLOUT : EPOLLIN,
          uint64_t{index} << kKeyBits | kTcp, false);
}

void Worker::open_links(Slot& slot, uint32_t index) {
  for (const LoadClient::NewLink& link : slot.client->take_new_links()) {
    slot.udp[link.link] = open_udp(link.to, settings_.gro);
    if (slot.udp[link.link])
      watch(slot.udp[link.link].get(), EPOLLIN, uint64_t{index} << kKeyBits | link.link, true);
  }
}

// Its join came to something.
void Worker::settle(Slot& slot, Now now) {
  if (!slot.is_in_flight || slot.client->stage() == LoadClient::Stage::Joining) return;
  slot.is_in_flight = false;
  run_.joins_in_flight.fetch_sub(1);
  if (!std::exchange(slot.is_settled, true)) run_.settled.fetch_add(1);
  const bool is_listener =
      static_cast<int64_t>(slot.number % settings_.clients) >= settings_.publishers;
  if (settings_.scenario == Scenario::Churn &&
      is_listener)  // half of the mean stay to one and a half
    slot.leaves = now.mono + settings_.stay / 2 +
                  Duration(static_cast<int64_t>(secrets_.u32()) % settings_.stay.count());
}

void Worker::arm(uint32_t index) {
  Slot& slot = slots_[index];
  if (!slot.client) return;
  const Mono deadline = std::min(slot.client->next_deadline(), slot.leaves);
  if (deadline >= slot.armed || deadline == kNever) return;
  slot.armed = deadline;
  due_.push({deadline, index});
}

void Worker::exchange_sctp(Now now) {
  for (int round = 0; round < 8; ++round) {
    const bool has_said = !sctp_.empty();
    auto events = hub_.exchange(index_, std::exchange(sctp_, {}), now);
    for (media::SctpEvent& event : events) {
      const auto found = slot_of_transport_.find(transport_of(event).value);
      if (found == slot_of_transport_.end()) continue;
      const uint32_t index = found->second;
      slots_[index].client->on_sctp(std::move(event), now);
      service(index, now);
    }
    if (events.empty() && !has_said) return;
  }
}

void Worker::publish(Now now) {
  if (now.mono - published_at_ < kPublishEvery) return;
  published_at_ = now.mono;
  const JoinTally& joins = tally_.joins;
  uint64_t lost = tally_.quality.lost;
  for (const Slot& slot : slots_)
    if (slot.client) lost += slot.client->lost_so_far();
  const std::lock_guard lock(glance_mutex_);
  glance_ = {.flow = tally_.flow,
             .started = joins.started,
             .complete = joins.complete,
             .failed = joins.failed,
             .present = joins.present,
             .lost = lost,
             .corrupted = tally_.quality.corrupted,
             .drops = tally_.generator.socket_drops};
}

Glance Worker::glance() const {
  const std::lock_guard lock(glance_mutex_);
  return glance_;
}

}  // namespace atrium::load
