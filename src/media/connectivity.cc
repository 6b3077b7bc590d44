#include "media/connectivity.h"

#include <algorithm>
#include <array>
#include <utility>

#include "media/admission.h"
#include "media/data_routing.h"
#include "media/feedback.h"
#include "media/streams.h"
#include "wire/stun.h"

namespace atrium::media {
namespace {

constexpr auto kConsent = std::chrono::milliseconds(limits::kIceConsentMs);
constexpr auto kTupleOwner = std::chrono::milliseconds(limits::kTupleOwnerMs);

void forget_path(EngineState& engine, const Transport& transport, const FiveTuple& path) {
  const auto it = engine.paths.find(path);
  if (it != engine.paths.end() && it->second == &transport) engine.paths.erase(it);
}

void retire_ufrag(EngineState& engine, const Transport& transport, const std::string& ufrag) {
  if (ufrag == transport.ice.local().ufrag) return;
  const auto it = engine.ufrags.find(ufrag);
  if (it != engine.ufrags.end() && it->second == &transport) engine.ufrags.erase(it);
}

// Does the five-tuple belong to somebody else who was heard from lately?  Then an authenticated request of ours,
// with a forged source address, must not take it away.
bool is_taken(const EngineState& engine, const Transport& transport, const FiveTuple& path,
              Mono now) {
  const auto it = engine.paths.find(path);
  if (it == engine.paths.end() || it->second == &transport) return false;
  const Transport& owner = *it->second;
  return owner.ice.consented_at() && now - *owner.ice.consented_at() < kTupleOwner;
}

void report_up_when_ready(EngineState& engine, Transport& transport, Now) {
  if (!transport.is_connected() || transport.is_reported_up || transport.is_closing) return;
  transport.is_reported_up = true;
  note_selected_path(transport);
  engine.report(TransportUp{transport.id(), transport.ice.send_path()->remote});
}

void on_consent(EngineState& engine, Transport& transport, Now now) {
  if (transport.has_lost_consent) {
    transport.has_lost_consent = transport.is_reported_up = transport.is_reported_down = false;
    restart_forwarders_to(transport);
    for (Track* track : transport.subscribed)
      request_for_subscriber(engine, *track, transport, now);
  }
  engine.deadlines.bring_forward(transport, now.mono + kConsent);
}

void apply_answer(EngineState& engine, Transport& transport, const IceAgent::Answer& answer,
                  const FiveTuple& path, Now now) {
  if (answer.forgotten) forget_path(engine, transport, *answer.forgotten);
  if (answer.retired_ufrag) retire_ufrag(engine, transport, *answer.retired_ufrag);
  const auto [it, is_new] = engine.paths.try_emplace(path, &transport);
  if (!is_new && it->second != &transport) it->second = &transport;  // its former owner fell silent
  on_consent(engine, transport, now);
  if (answer.selected_changed) note_selected_path(transport);
  if (answer.selected_changed && transport.is_reported_up)
    engine.report(PathChanged{transport.id(), path.remote});
  report_up_when_ready(engine, transport, now);
}

void fail_transport(EngineState& engine, Transport& transport, DownReason reason) {
  if (transport.is_reported_down || transport.is_closing) return;
  transport.is_reported_down = true;
  engine.report(TransportDown{transport.id(), reason});
}

// The association is up: keys, SCTP, the report.  Once: contexts made anew under the same keys would reuse indices.
void on_connected(EngineState& engine, Transport& transport, Now now) {
  transport.has_keys = true;
  const auto keys = transport.dtls->export_srtp();
  const bool is_client = transport.given.dtls_client;
  if (keys) {
    auto inbound = SrtpInbound::create(keys->profile, is_client ? keys->server : keys->client);
    auto outbound = SrtpOutbound::create(keys->profile, is_client ? keys->client : keys->server);
    if (inbound && outbound) {
      transport.inbound.emplace(std::move(*inbound));
      transport.outbound.emplace(std::move(*outbound));
    }
  }
  if (!transport.outbound) {
    ++engine.counters.dtls_failures;
    return fail_transport(engine, transport, DownReason::DtlsFailed);
  }
  ++engine.counters.dtls_handshakes;
  transport.has_sctp = true;
  engine.to_sctp(SctpOpen{transport.id(), is_client});
  transport.report_at = now.mono + std::chrono::milliseconds(limits::kRtcpReportMs);
  report_up_when_ready(engine, transport, now);
  for (Track* track : transport.subscribed) request_for_subscriber(engine, *track, transport, now);
}

DownReason reason_of(const Dtls& dtls) {
  if (dtls.state() == DtlsState::Closed) return DownReason::DtlsClosed;
  return dtls.failure() == DtlsFailure::FingerprintMismatch ? DownReason::FingerprintMismatch
                                                            : DownReason::DtlsFailed;
}

// Its drops become the shard's.
void count_dtls_drops(EngineState& engine, Transport& transport) {
  const DtlsCounters& now = transport.dtls->counters();
  const DtlsCounters before = std::exchange(transport.dtls_counted, now);
  engine.counters.drop(DropReason::DtlsOutgoingFull,
                       now.dropped_outgoing_full - before.dropped_outgoing_full);
  engine.counters.drop(DropReason::DtlsApplicationFull,
                       now.dropped_application_full - before.dropped_application_full);
  engine.counters.drop(DropReason::DtlsAfterEnd, now.dropped_after_end - before.dropped_after_end);
  engine.counters.drop(DropReason::DtlsShortRecord,
                       now.dropped_short_record - before.dropped_short_record);
}

// Sends what the association made, hands on what it decrypted, and reacts to its state.
void after_dtls(EngineState& engine, Transport& transport, Now now) {
  Dtls& dtls = *transport.dtls;
  count_dtls_drops(engine, transport);
  const FiveTuple* path = transport.ice.send_path();
  for (const Bytes& datagram : dtls.take_datagrams())
    if (path != nullptr) engine.send_control(transport, *path, datagram);
  if (dtls.state() == DtlsState::Connected && !transport.has_keys)
    on_connected(engine, transport, now);
  for (Bytes& packet : dtls.take_application())
    if (transport.has_sctp) engine.to_sctp(SctpPacketIn{transport.id(), std::move(packet)});
  if (dtls.state() == DtlsState::Failed || dtls.state() == DtlsState::Closed) {
    if (!transport.is_reported_down) ++engine.counters.dtls_failures;
    fail_transport(engine, transport, reason_of(dtls));
  }
  engine.deadlines.set(transport, transport_deadline(transport));
}

// The dialling role shakes hands as soon as a path is known; the server waits to be spoken to.
void start_dialling_handshake(EngineState& engine, Transport& transport, Now now) {
  if (transport.dtls) return;
  auto dtls = Dtls::create(
      {engine.options.certificate, DtlsRole::Client, transport.given.remote_fingerprint}, now);
  if (!dtls) return fail_transport(engine, transport, DownReason::DtlsFailed);
  transport.dtls.emplace(std::move(*dtls));
  after_dtls(engine, transport, now);
}

void receive_request(EngineState& engine, const wire::StunMessage& request, const FiveTuple& path,
                     Now now) {
  const auto parts = request.username ? wire::split_username(*request.username) : std::nullopt;
  const auto it = parts ? engine.ufrags.find(parts->receiver_ufrag) : engine.ufrags.end();
  if (it == engine.ufrags.end()) return engine.drop(DropReason::StunUnknownUfrag);
  Transport& transport = *it->second;
  if (!transport.ice.is_authentic(request)) return engine.drop(DropReason::StunBadIntegrity);
  if (is_taken(engine, transport, path, now.mono)) return engine.drop(DropReason::TupleTaken);
  std::array<uint8_t, wire::kStunWriteBytesMax> reply;
  const IceAgent::Answer answer = transport.ice.on_request(request, path, now.mono, reply);
  if (answer.reply_bytes > 0) {
    engine.send_control(transport, path, ByteView(reply).first(answer.reply_bytes));
    ++engine.counters.stun_out;
  }
  if (answer.is_role_conflict) return engine.drop(DropReason::StunRoleConflict);
  if (!transport.ice.knows(path))
    return engine.drop(DropReason::StunUnexpected);  // answered with 420
  apply_answer(engine, transport, answer, path, now);
}

// Only the dialling role asks, so only its transports are looked through: there are few.
void receive_response(EngineState& engine, const wire::StunMessage& response, const FiveTuple& path,
                      Now now) {
  for (Transport* transport : engine.dialling) {
    IceAgent::Answer answer;
    if (!transport->ice.on_response(response, path, now.mono, answer)) continue;
    apply_answer(engine, *transport, answer, path, now);
    return start_dialling_handshake(engine, *transport, now);
  }
  engine.drop(DropReason::StunUnexpected);
}

void send_checks(EngineState& engine, Transport& transport, Now now) {
  std::array<uint8_t, wire::kStunWriteBytesMax> check;
  while (const auto due = transport.ice.next_check(now.mono, check)) {
    engine.send_control(transport, due->path, ByteView(check).first(due->bytes));
    ++engine.counters.stun_out;
  }
}

void check_consent(EngineState& engine, Transport& transport, Now now) {
  const auto consented_at = transport.ice.consented_at();
  if (!consented_at || transport.has_lost_consent || now.mono - *consented_at < kConsent) return;
  transport.has_lost_consent = true;
  fail_transport(engine, transport, DownReason::ConsentLost);
}

IceAgent make_agent(EngineState& engine, const OpenTransport& command, Now now) {
  if (!command.dtls_client) return IceAgent(command.local, command.remote);
  return IceAgent(command.local, command.remote,
                  {command.local_address, command.remote_candidates, engine.secrets}, now);
}

void join_life(Life& life, Transport& transport) {
  auto& participant = life.participants[transport.given.participant_sid];
  if (!participant) {
    participant = std::make_unique<Participant>();
    participant->sid = transport.given.participant_sid;
    participant->identity = transport.given.identity;
    life.identities.emplace(participant->identity, participant.get());
  }
  participant->transports.push_back(&transport);
  transport.participant = participant.get();
  transport.life = &life;
  life.transports.push_back(&transport);
}

}  // namespace

void open_transport(EngineState& engine, OpenTransport command, Now now) {
  const TransportId id = command.transport;
  if (engine.transports.contains(id)) return engine.drop(DropReason::CommandUnknownTarget);
  const Life* known = engine.find_life(command.life);
  const bool is_cut =
      known != nullptr ? known->is_cut || known->is_closing : engine.was_closed(command.life);
  const bool is_full =
      static_cast<int64_t>(engine.transports.size()) >= limits::kTransportsPerShardMax;
  if (is_cut || is_full || engine.ufrags.contains(command.local.ufrag)) {
    engine.drop(is_cut ? DropReason::LifeIsCut : DropReason::CommandUnknownTarget);
    return engine.report(TransportClosed{id});
  }
  IceAgent agent = make_agent(engine, command, now);
  auto owned = std::make_unique<Transport>(std::move(command), std::move(agent));
  Transport& transport = *owned;
  transport.rtcp_ssrc = engine.secrets.u32();
  transport.is_admitted = !transport.given.needs_admission;
  join_life(engine.life_of(transport.given.life), transport);
  engine.ufrags.emplace(transport.given.local.ufrag, &transport);
  engine.transports.emplace(id, std::move(owned));
  if (transport.given.dtls_client) {
    engine.dialling.push_back(&transport);
    engine.deadlines.set(transport, now.mono);
  }
}

void restart_ice(EngineState& engine, RestartIce command, Now now) {
  Transport* transport = engine.find_transport(command.transport);
  if (transport == nullptr || transport->is_closing)
    return engine.drop(DropReason::CommandUnknownTarget);
  if (transport->is_cut) return engine.drop(DropReason::LifeIsCut);
  const auto existing = engine.ufrags.find(command.local.ufrag);
  if (existing != engine.ufrags.end() && existing->second != transport)
    return engine.drop(DropReason::CommandUnknownTarget);
  engine.ufrags.insert_or_assign(command.local.ufrag, transport);
  if (const auto retired =
          transport->ice.restart(std::move(command.local), std::move(command.remote), now))
    retire_ufrag(engine, *transport, *retired);
  engine.deadlines.set(*transport, transport_deadline(*transport));
}

void receive_stun(EngineState& engine, ByteView datagram, const FiveTuple& path, Now now) {
  ++engine.counters.stun_in;
  const auto message = wire::parse_stun(datagram);
  if (!message) return engine.drop(DropReason::StunMalformed);
  if (message->is_binding_request()) return receive_request(engine, *message, path, now);
  const bool is_response = message->message_class == wire::StunClass::SuccessResponse ||
                           message->message_class == wire::StunClass::ErrorResponse;
  if (is_response) return receive_response(engine, *message, path, now);
  engine.drop(DropReason::StunUnexpected);
}

void receive_dtls(EngineState& engine, Transport& transport, ByteView datagram, Now now) {
  if (transport.dtls && transport.dtls->state() == DtlsState::Connected) {
    transport.dtls->on_datagram(datagram, now);
    return after_dtls(engine, transport, now);
  }
  if (transport.is_reported_down && !transport.has_lost_consent)
    return engine.drop(DropReason::DtlsFailed);
  if (transport.dtls_waiting >= limits::kDtlsWaitingPerTransport ||
      !engine.dtls_queue.push(transport.id(), datagram))
    return engine.drop(DropReason::DtlsQueueFull);
  ++transport.dtls_waiting;
}

void take_handshake_step(EngineState& engine, Now now) {
  if (engine.dtls_queue.is_empty()) return;
  const DtlsQueue::Entry& entry = engine.dtls_queue.front();
  Transport* transport = engine.find_transport(entry.transport);
  if (transport == nullptr || transport->is_closing) {
    engine.dtls_queue.pop();
    return engine.drop(DropReason::TransportClosing);
  }
  --transport->dtls_waiting;
  if (!transport->dtls) {
    auto dtls = Dtls::create(
        {engine.options.certificate, DtlsRole::Server, transport->given.remote_fingerprint}, now);
    if (dtls) transport->dtls.emplace(std::move(*dtls));
  }
  if (transport->dtls) {
    transport->dtls->on_datagram(entry.view(), now);
    after_dtls(engine, *transport, now);
  } else {
    fail_transport(engine, *transport, DownReason::DtlsFailed);
  }
  engine.dtls_queue.pop();
}

void send_application(EngineState& engine, Transport& transport, ByteView packet, Now now) {
  if (!transport.dtls || !transport.dtls->send_application(packet))
    return engine.drop(DropReason::DtlsFailed);
  after_dtls(engine, transport, now);
}

void on_transport_deadline(EngineState& engine, Transport& transport, Now now) {
  send_checks(engine, transport, now);
  check_consent(engine, transport, now);
  if (transport.dtls && transport.dtls->next_deadline() <= now.mono) {
    transport.dtls->on_deadline(now);
    after_dtls(engine, transport, now);
  }
  if (transport.outbound) send_due_feedback(engine, transport, now);
  engine.deadlines.set(transport, transport_deadline(transport));
}

Mono transport_deadline(const Transport& transport) {
  Mono earliest = transport.ice.next_check_at();
  const auto consented_at = transport.ice.consented_at();
  if (consented_at && !transport.has_lost_consent)
    earliest = std::min(earliest, *consented_at + kConsent);
  if (transport.dtls) earliest = std::min(earliest, transport.dtls->next_deadline());
  if (transport.outbound && !transport.is_cut)
    earliest = std::min(earliest, feedback_deadline(transport));
  return earliest;
}

}  // namespace atrium::media
