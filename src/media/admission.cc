#include "media/admission.h"

#include <utility>

#include "base/limits.h"
#include "media/data_routing.h"

namespace atrium::media {
namespace {

template <typename Message>
bool hold(EngineState& engine, const Transport& transport, std::vector<Message>& held,
          Message& message) {
  if (transport.is_admitted || transport.is_cut) return false;
  if (held.size() >= static_cast<size_t>(limits::kHeldDataMax))
    engine.drop(DropReason::PathNotAdmitted);
  else
    held.push_back(std::move(message));
  return true;
}

}  // namespace

void note_selected_path(Transport& transport) {
  if (!transport.given.needs_admission || transport.ice.send_path() == nullptr) return;
  transport.is_admitted = transport.admitted == transport.ice.send_path()->remote.ip;
}

void admit_path(EngineState& engine, const AdmitPath& command, Now now) {
  Transport* transport = engine.find_transport(command.transport);
  if (transport == nullptr) return engine.drop(DropReason::CommandUnknownTarget);
  transport->admitted = command.ip;
  note_selected_path(*transport);
  if (!transport->is_admitted) return;  // it has moved on; control hears of that, too
  const auto in = std::exchange(transport->held_in, {});
  auto out = std::exchange(transport->held_out, {});
  if (transport->is_cut || transport->is_closing) return;
  for (SctpSend& message : out) {
    engine.to_sctp(std::move(message));
    ++engine.counters.data_messages_out;
  }
  for (const SctpMessage& message : in) on_sctp_event(engine, message, now);
}

bool hold_until_admitted(EngineState& engine, Transport& sender, SctpMessage& message) {
  return hold(engine, sender, sender.held_in, message);
}

bool hold_until_admitted(EngineState& engine, Transport& recipient, SctpSend& message) {
  return hold(engine, recipient, recipient.held_out, message);
}

}  // namespace atrium::media
