// room_bench [users]: fills a room with so many users and dismisses it, over and over, in the registry alone.  For
// callgrind, which collects inside measured_*() (bench/instructions): it reads no clock.
// Exit code 1: the registry did not do what was asked of it.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/seeded_secret_source.h"
#include "domain/registry.h"

namespace atrium::domain {
namespace {

using namespace std::chrono_literals;

Joiner joiner(uint64_t number) {
  Joiner out;
  out.app = AppId("app1");
  out.room = RoomId("room1");
  out.user = UserId("user" + std::to_string(number));
  out.token_hash = sha256(as_bytes(out.user.value));
  out.protocol = 17;
  return out;
}

template <typename T>
const T* find(const Effects& effects) {
  for (const Effect& effect : effects)
    if (const T* one = std::get_if<T>(&effect)) return one;
  return nullptr;
}

class Bench {
 public:
  [[gnu::noinline]] void measured_join(uint64_t number) {
    const ConnectionId connection{++connections_};
    const Effects effects = apply(Join{connection, joiner(number)});
    const JoinAccepted* accepted = find<JoinAccepted>(effects);
    if (accepted == nullptr) std::exit(1);
    present_.emplace_back(accepted->self.sid, connection);
    room_ = accepted->room.sid;
    apply(JoinSent{accepted->self.sid});
    apply(TransportUp{accepted->self.sid});
    apply(NoticeChannel{accepted->self.sid, true});
    now_.mono += 1ms;
    now_.wall += 1ms;
  }
  // All that the control thread is told on the way to the answer.
  [[gnu::noinline]] bool measured_dismissal() {
    DismissRoom command;
    command.waiter = WaiterId{1};
    command.app = AppId("app1");
    command.room = RoomId("room1");
    const Effects fence = apply(std::move(command));
    const PersistDismissal* record = find<PersistDismissal>(fence);
    if (record == nullptr) return false;
    const OperationId operation = record->record.operation;
    apply(RecordStored{operation, true});
    apply(RoomCut{.room_sid = room_, .at = now_.mono, .wall_at = now_.wall});
    for (const auto& [sid, connection] : present_) apply(NoticeAcked{sid});
    for (const auto& [sid, connection] : present_) apply(LeaveWritten{sid, connection});
    const Effects last = apply(RoomClosed{.room_sid = room_});
    const bool is_answered = find<DismissReply>(last) != nullptr;
    const Effects stored = apply(RecordStored{operation, true});
    present_.clear();
    return is_answered || find<DismissReply>(stored) != nullptr;
  }

 private:
  Effects apply(Command command) { return registry_.apply(std::move(command), now_); }

  SeededSecretSource secrets_{1};
  Registry registry_{secrets_, {}};
  Now now_{Mono(1000s), wall_from_unix_s(1'800'000'000)};
  std::vector<std::pair<ParticipantSid, ConnectionId>> present_;
  RoomSid room_;
  uint64_t connections_ = 0;
};

}  // namespace
}  // namespace atrium::domain

int main(int argc, char** argv) {
  const uint64_t users = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100;
  atrium::domain::Bench bench;
  for (uint64_t i = 0; i < users; ++i) bench.measured_join(i);
  const bool is_done = bench.measured_dismissal();
  std::printf("%llu users joined and were dismissed%s\n", static_cast<unsigned long long>(users),
              is_done ? "" : ", without an answer");
  return is_done ? 0 : 1;
}
