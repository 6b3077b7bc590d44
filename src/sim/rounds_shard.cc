// Shards that have no media and do what they are ordered in their own time.
#include "sim/rounds.h"

namespace atrium::sim {
namespace {

constexpr Duration kNotice = std::chrono::milliseconds(30);

// The number behind `"code":` and the text behind `"operationId":"` of a notice.
domain::ClientCode code_of(std::string_view notice) {
  const size_t at = notice.find("\"code\":");
  const int code = at == notice.npos ? 0 : std::atoi(notice.data() + at + 7);
  return static_cast<domain::ClientCode>(code);
}
OperationId operation_of(std::string_view notice) {
  constexpr std::string_view kField = "\"operationId\":\"";
  const size_t at = notice.find(kField);
  if (at == notice.npos) return {};
  const size_t begin = at + kField.size();
  return OperationId(notice.substr(begin, notice.find('"', begin) - begin));
}

}  // namespace

void Rounds::wake_shard(size_t index) {
  if (std::exchange(is_shard_woken_[index], true)) return;
  at_this_boot(some_delay(), [this, index] {
    is_shard_woken_[index] = false;
    turn_shard(index);
  });
}

// The reserved lane first, as a shard does it.
void Rounds::turn_shard(size_t index) {
  for (Ring<node::ShardCommand>* ring : {&shards_[index]->urgent, &shards_[index]->commands}) {
    node::ShardCommand command;
    while (ring->try_receive(command))
      if (const auto* one = std::get_if<media::Command>(&command))
        std::visit([&](const auto& order) { carry_out(index, order); }, *one);
  }
}

void Rounds::report(size_t index, media::Report report, Duration delay) {
  at_this_boot(delay, [this, index, report = std::move(report)] {
    node::ShardReport value(report);
    if (!shards_[index]->reports.try_send(value)) book_.fail("a ring of reports is full");
  });
}

void Rounds::carry_out(size_t index, const media::OpenTransport& command) {
  const ParticipantSid who(command.participant_sid);
  book_.saw_transport(command.life, who);
  shards_[index]->transports[command.transport] = {command.life, who};
  const Duration up = some_delay();
  report(index,
         media::TransportUp{.transport = command.transport,
                            .remote = {*IpAddress::parse("198.51.100.7"), 5'000}},
         up);
  report(index, media::ReliableChannel{.transport = command.transport, .open = true},
         up + some_delay());
}

void Rounds::hear_notice(const Transport& transport, const Bytes& notice) {
  ++outcome_.figures.words;
  const std::string_view text = as_text(notice);
  book_.saw_words(transport.who, code_of(text), operation_of(text));
}

void Rounds::carry_out(size_t index, const media::CutTransport& command) {
  const auto known = shards_[index]->transports.find(command.transport);
  if (known == shards_[index]->transports.end()) return;
  known->second.is_cut = true;
  hear_notice(known->second, command.notice);
  report(index, media::NoticeDone{.transport = command.transport}, between(Duration(1), kNotice));
}

void Rounds::carry_out(size_t index, const media::CloseTransport& command) {
  const auto known = shards_[index]->transports.find(command.transport);
  if (known != shards_[index]->transports.end()) {
    book_.saw_teardown(known->second.who);
    shards_[index]->transports.erase(known);
  }
  report(index, media::TransportClosed{.transport = command.transport}, some_delay());
}

void Rounds::carry_out(size_t index, const media::CutLife& command) {
  book_.saw_cut(command.life);
  const Duration cut = some_delay();
  uint32_t standing = 0;
  for (auto& [id, transport] : shards_[index]->transports) {
    if (transport.life != command.life) continue;
    ++standing;
    if (std::exchange(transport.is_cut, true)) continue;
    hear_notice(transport, command.notice);
    report(index, media::NoticeDone{.transport = id}, cut + some_delay());
  }
  const Now then{mono_ + cut, now().wall + cut};
  report(index,
         media::LifeCut{
             .life = command.life, .at = then.mono, .wall_at = then.wall, .transports = standing},
         cut);
}

void Rounds::carry_out(size_t index, const media::CloseLife& command) {
  uint32_t closed = 0;
  std::erase_if(shards_[index]->transports, [&](const auto& entry) {
    if (entry.second.life != command.life) return false;
    book_.saw_teardown(entry.second.who);
    ++closed;
    return true;
  });
  report(
      index,
      media::LifeClosed{.life = command.life, .transports_closed = closed, .packets_after_cut = 0},
      some_delay());
}

}  // namespace atrium::sim
