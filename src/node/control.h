// ControlPlane: the control thread's node.  Takes what the HTTP server, the shards, the store and the clock say,
// turns it into
// domain commands, and carries the registry's effects out in their order.  Owner: apps (or sim).  Thread: control.
// Files: control.cc (the loop), control_effects.cc (effects), control_http.cc (routes), control_join.cc (doors),
// control_signal.cc (messages of clients), control_media.cc (reports of shards), control_api.cc (management calls),
// control_twirp.cc (LiveKit's RoomService),
// control_stop.cc (the process's end).
// Does not: decide about rooms (domain), packets (media), words on the wire (adapters).
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "adapters/openapi/gateway.h"
#include "adapters/signal/decode.h"
#include "adapters/signal/join_request.h"
#include "adapters/signal/refusal.h"
#include "adapters/signal/serialiser.h"
#include "adapters/signal/tokens.h"
#include "adapters/twirp/service.h"
#include "adapters/webhook/destination.h"
#include "adapters/webhook/dispatcher.h"
#include "domain/registry.h"
#include "node/audit_trail.h"
#include "node/config.h"
#include "node/event_writer.h"
#include "node/media_plane.h"
#include "node/metrics_page.h"
#include "node/peer.h"
#include "node/ports.h"
#include "node/store_worker.h"

namespace atrium::node {

// Figures of the process that only the real world knows.
struct ProcessFigures {
  uint64_t open_descriptors = 0, resident_bytes = 0, cpu_us = 0;
  ListenerFigures listeners = {};
};

// What came of reading the settings anew.
struct Reloaded {
  std::vector<std::string> problems;  // where there are any, nothing was changed
  std::vector<std::string>
      need_restart;  // keys that were given another value, without effect for now
};

// What the control plane stands on; all pointees outlive it.
struct ControlParts {
  HttpPort& http;
  std::vector<ShardEnds> shards;
  Sender<StoreRequest>& to_store;
  Receiver<StoreReply>& from_store;
  Sender<WebOrder>& to_web;
  Receiver<WebReply>& from_web;
  FaultPort& faults;
  SecretSource& secrets;
  std::string fingerprint;  // of the process's DTLS certificate, "AB:CD:…"
  std::function<ProcessFigures()> figures;
  std::function<Reloaded()> reload = {};  // asks reconfigure() for what changed
};

class ControlPlane final : public ControlHandler {
 public:
  static Result<std::unique_ptr<ControlPlane>> create(Config config, ControlParts parts);
  ~ControlPlane() override;

  // Once, before the loop starts: what the store remembered.
  void restore(std::vector<domain::Tombstone> tombstones, Now now);
  void restore(std::vector<domain::BanRule> bans, Now now);
  void restore(std::vector<domain::App> apps, Now now);
  void restore(std::vector<domain::Schedule> schedules, Now now);
  void restore(std::vector<domain::RoomPolicy> policies, Now now);
  void restore(std::vector<domain::Webhook> webhooks, Now now);
  void restore(std::vector<domain::KeyedCall> calls, Now now);
  // Takes over the keys, quotas, regions, hosts and proxies of `config` from the next request on; all or nothing.
  Result<void> reconfigure(const Config& config);
  // Reads the settings anew (SIGHUP, POST /reload) and says in the log what came of it.
  Reloaded reload();
  // SIGTERM or SIGINT.  The first begins to drain: new joins are refused, calls go on, until nobody is left or the
  // deadline sends who is left elsewhere; a further one, or a deadline of zero, ends the process at once.
  void on_stop_signal(Now now);

  // ControlHandler
  std::optional<HttpResponse> on_head(const HttpRequest& head, bool has_come, Now now) override;
  HttpResponse on_fault(const HttpRequest& head, HttpFault fault, Now now) override;
  void on_request(ConnectionId connection, HttpRequest request, Now now) override;
  void on_websocket_message(ConnectionId connection, std::string_view data, bool is_binary,
                            Now now) override;
  void on_closed(ConnectionId connection, Now now) override;
  void on_websocket_closed_out(ConnectionId connection, bool written, Now now) override;
  void on_wake(Now now) override;
  void on_deadline(Now now) override;
  Mono next_deadline() const override;
  bool is_finished() const override { return stop_.phase == StopPhase::Finished; }

  const domain::Registry& registry() const { return registry_; }

 private:
  // A participant's session as long as the registry knows it.
  struct Session {
    std::optional<ConnectionId> connection;  // none while its signalling is lost
    std::unique_ptr<Peer> peer;
    signal::VerifiedToken token;
    signal::JoinParameters parameters;  // how it joined; its offer is taken out
    bool is_cut = false;  // fenced or removed: nothing that it asks for is done any more
  };
  struct Life {
    LifeId id;
    TrackTable tracks;
    StreamTable streams;
    std::set<ParticipantSid> participants;
    uint32_t leaves_sent = 0;  // counted for Faults::stop_at alone
  };
  // An upgrade that the registry has not answered yet.
  struct Arrival {
    signal::JoinParameters parameters;
    signal::VerifiedToken token;
  };
  struct Scrape {
    ConnectionId connection;
    bool is_readiness = false;
    Mono deadline{};
    uint64_t snapshots = 0;  // MediaPlane's number of the request
  };

  ControlPlane(Config config, ControlParts parts, openapi::Gateway gateway);

  // --- control.cc
  // Queued; applied by run_queue.  `cause`: the management call that it is.
  void submit(domain::Command command, std::optional<WaiterId> cause = std::nullopt);
  void run_queue(Now now);
  void finish_turn(Now now);  // requirements, rings
  // Whether a test stops the process at this point (Faults::stop_at).  It is stopped once the fence's record is
  // durable: now, or by the store's answer; till then the caller goes no further.
  bool is_planted_stop(std::string_view point);
  bool is_leave_withheld(const Session& session);
  Session* find_session(const ParticipantSid& participant);
  Life* life_of(const Session& session);
  void send(const Session& session, signal::Message message);
  void refresh_tokens(Now now);
  void forget_connection(ConnectionId connection);  // and drop it

  // --- control_effects.cc: one overload for each effect
  void carry_out(domain::Effect effect, Now now);
  // To the store, which answers with RecordStored; where it cannot take it, so do we, and say `what` in the log.
  // With it goes what must be written in the same transaction: the events of the command that caused it and, of a
  // management call, its acceptance for the audit and its Idempotency-Key.
  void write(const OperationId& operation, store::WriteRequest request, std::string_view what);
  void accompany(store::WriteRequest& request, const OperationId& operation);
  void put_key(WaiterId waiter, store::WriteRequest& request, const OperationId& operation);
  void run(domain::PersistDismissal& effect, Now now);
  void run(domain::PersistBans& effect, Now now);
  void run(domain::PersistApp& effect, Now now);
  void run(domain::PersistSchedules& effect, Now now);
  void run(domain::PersistPolicy& effect, Now now);
  void run(domain::PersistWebhook& effect, Now now);
  void run(domain::PersistBulk& effect, Now now);
  void run(domain::PersistTombstones& effect, Now now);
  void run(domain::ReleaseEvents& effect, Now now);
  void run(domain::CutRoom& effect, Now) { cut_room(effect); }  // never: see the registry's options
  domain::RegistryOptions::Carried cut_room(const domain::CutRoom& cut);
  void run(domain::CloseRoom& effect, Now now);
  void run(domain::CutParticipant& effect, Now now);
  void run(domain::CloseParticipant& effect, Now now);
  void run(domain::StartForward& effect, Now now);
  void run(domain::StopForward& effect, Now now);
  void run(domain::PauseForward& effect, Now now);
  void run(domain::PauseTrack& effect, Now now);
  void run(domain::StopTrack& effect, Now now);
  void run(domain::SetDataPermission& effect, Now now);
  void run(domain::AdmitAddress& effect, Now now);
  void run(domain::JoinAccepted& effect, Now now);
  void run(domain::JoinRefused& effect, Now now);
  void run(domain::ResumeAccepted& effect, Now now);
  void run(domain::ResumeMeetsTombstone& effect, Now now);
  void run(domain::ResumeUnknown& effect, Now now);
  void run(domain::ParticipantUpdate& effect, Now now);
  void run(domain::RoomUpdate& effect, Now now);
  void run(domain::TrackPublished& effect, Now now);
  void run(domain::RequestAnswer& effect, Now now);
  void run(domain::TrackSubscribed& effect, Now now);
  void run(domain::TrackUnpublished& effect, Now now);
  void run(domain::TrackMuted& effect, Now now);
  void run(domain::SubscriptionFailed& effect, Now now);
  void run(domain::SubscriptionAllowed& effect, Now now);
  void run(domain::SendLeave& effect, Now now);
  void run(domain::SendServerData& effect, Now now);
  void run(domain::SendStreamBan& effect, Now now);
  void run(domain::SendCountdown& effect, Now now);
  void run(domain::DeliverMessage& effect, Now now);
  void run(domain::DropConnection& effect, Now now);
  void run(domain::Event& effect, Now now);
  static void log_event(const domain::Event& event);
  void run(domain::DismissReply& effect, Now now);
  void run(domain::ActionReply& effect, Now now);
  void run(domain::LifeForgotten& effect, Now now);
  void run(domain::ParticipantForgotten& effect, Now now);

  // --- control_http.cc
  void on_operator_request(ConnectionId connection, const HttpRequest& request, Now now);
  void on_signal_request(ConnectionId connection, const HttpRequest& request,
                         const signal::Target& target, Now now);
  void answer_file(ConnectionId connection, const HttpRequest& request);
  void answer_scrapes(Now now);
  void answer_reload(ConnectionId connection);
  std::string why_not_ready(bool is_complete) const;  // empty: it is
  std::string metrics() const;

  // --- control_join.cc
  static signal::Serialiser make_serialiser();
  signal::TokenOutcome verify(std::string_view token, const std::optional<RoomId>& path_room,
                              Now now) const;
  void on_join_request(ConnectionId connection, const signal::Target& target,
                       signal::VerifiedToken token, const IpAddress& from);
  void on_validate_request(ConnectionId connection, const signal::Target& target,
                           const signal::VerifiedToken& token, Now now);
  void refuse(ConnectionId connection, const signal::Refusal& refusal);
  // Why nobody may come in now by this door; nullopt: it is open.
  std::optional<signal::Refusal> closed_door(bool is_reconnect) const;
  void send_refresh(const ParticipantSid& participant, Session& session, Now now);
  void close_with_leave(ConnectionId connection, signal::Message leave, uint16_t code);

  // --- control_signal.cc
  struct Speaking {  // who said it
    const ParticipantSid& participant;
    Session& session;
    Now now;
  };
  void hear(const Speaking& by, signal::ClientOffer& message);
  void hear(const Speaking& by, signal::ClientAnswer& message);
  void hear(const Speaking& by, signal::Trickle& message);
  void hear(const Speaking& by, domain::AddTrack& message);
  void hear(const Speaking& by, domain::SetMuted& message);
  void hear(const Speaking& by, domain::UpdateSubscription& message);
  void hear(const Speaking& by, domain::UpdateTrackSettings& message);
  void hear(const Speaking& by, domain::Leave& message);
  void hear(const Speaking& by, domain::SubscriptionPermission& message);
  void hear(const Speaking& by, signal::SyncState& message);
  void hear(const Speaking& by, signal::Simulate& message);
  void hear(const Speaking& by, signal::Ping& message);
  void hear(const Speaking& by, signal::PingRequest& message);
  void hear(const Speaking& by, domain::UpdateMetadata& message);
  void hear(const Speaking& by, domain::UpdateTrackInfo& message);
  void hear(const Speaking& by, signal::Refused& message);
  void hear(const Speaking& by, signal::Unsupported& message);
  void on_offer(const ParticipantSid& participant, Session& session, std::string_view sdp,
                uint32_t id);
  void take_early_offers();
  void ask_for_sections(Session& session);

  // --- control_media.cc
  void take_reports(Now now);
  void take_settled_notices(Now now);
  void on_report(const media::TransportUp& report, Now now);
  void on_report(const media::PathChanged& report, Now now);
  void on_report(const media::TransportDown& report, Now now);
  void on_report(const media::ReliableChannel& report, Now now);
  void on_report(const media::NoticeDone& report, Now now);
  void on_report(const media::LifeCut& report, Now now);
  void on_report(const media::TransportClosed& report, Now now);
  void on_report(const media::LifeClosed& report, Now now);
  void on_report(const media::UplinkStarted& report, Now now);
  void on_report(const media::ServerMessage& report, Now now);
  void on_report(const media::AudioLevel& report, Now now);
  void on_report(const media::RtpReceived& report, Now now);
  void on_report(const media::DataReceived& report, Now now);

  // --- control_api.cc
  void on_api_request(ConnectionId connection, HttpRequest request, Now now);
  // A call that waits, as the audit sees it.
  struct Audited {
    domain::AuditEntry entry;  // who asked for what
    // Its acceptance (and its key) went with the write of this operation, or was noted.
    std::optional<OperationId> accepted = std::nullopt;
    domain::Reason reason = {};  // of whom it removed
  };
  struct Waiting {
    std::optional<ConnectionId> connection;  // none: the caller hung up, the call goes on
    openapi::PendingCall call;
    Audited audited;
    bool is_key_written = false;  // its key went with the write of its effect
    // Answered as soon as the key is durable.
    std::optional<openapi::Response> held = std::nullopt;
    std::optional<domain::KeyedCall> held_call = std::nullopt;
  };
  void wait_for(WaiterId waiter, ConnectionId connection, openapi::PendingCall&& call,
                const IpAddress& source);
  void answer_api(WaiterId waiter, openapi::Response response);
  // The outcome of a changing call (`outcome` as domain::KeyedCall has it): for the audit, for its key, and to its
  // caller and those who wait for the same key.
  void conclude(WaiterId waiter, openapi::Response response, const OperationId& operation,
                uint8_t outcome);
  void conclude_key(WaiterId waiter, openapi::Response response, const OperationId& operation,
                    uint8_t outcome);
  void on_key_written(WaiterId waiter, bool ok);
  void answer_repeats(const domain::CallKey& key, const openapi::Response& first);

  // --- control_audit.cc
  // Who asked, of a request to either dialect; phase and outcome are open.
  domain::AuditEntry audit_entry(openapi::Response&& response, const IpAddress& source) const;
  domain::AuditEntry audit_entry(const twirp::PendingCall& call, const HttpRequest& request) const;
  Audited* find_audited(WaiterId waiter);
  // With the write of what it causes.
  void audit_accepted(Audited& call, store::WriteRequest& request, const OperationId& operation);
  // What came of a changing call; its acceptance, too, where no write took it along.  Once: the entry is moved on.
  void audit_finished(Audited& call, const OperationId& operation, int status,
                      std::string_view outcome);
  void audit_refused_or_read(domain::AuditEntry&& entry, int status, std::string_view outcome);
  // Of a call that is answered at once; of `response` its status, headers and body are left.
  void audit_answer(openapi::Response& response, const IpAddress& source, Now now);
  void audit_refused_twirp(const twirp::CallerOutcome& caller, const twirp::Response& response,
                           const HttpRequest& request, Now now);
  // Of a dismissal that no call asked for: a schedule's, a policy's, one of many.
  void audit_timer(store::WriteRequest& request, const domain::DismissalRecord& record,
                   domain::AuditPhase phase);
  void take_store_replies();
  void take(RecordWritten& written);
  void take(DismissalFound& found);
  void take(BansFound& found);
  void take(LivesFound& found);
  void take(VisitorsFound& found);
  void take(EventsFound& found);
  void take(AuditFound& found);
  void take(BulkFound& found);
  void take(DeadLettersFound& found);
  void take(BacklogsFound& found);
  void take(DeliveriesFound& found);
  void take(EventsWritten& written);
  void take(CallWritten& written);
  void take(StoreTrouble& trouble);
  void take(StoreHealth& health);
  template <typename Shape>
  void answer_question(WaiterId waiter, Shape shape);
  void on_store_health(const StoreHealth& health);
  void on_disk_state(DiskState state);
  void observe(const domain::DismissalRecord& record);

  // --- control_webhooks.cc
  struct WebhookTest {
    WaiterId waiter;
    Mono began{};
    int status = 0;
  };
  void on_webhook_changed(const WebhookId& webhook, Now now);
  void wake_webhooks(const AppId& app, Now now);
  void wake_all_webhooks(Now now);
  void run_dispatcher(Now now);
  void send_records(store::PutDeliveries& records);
  void run(webhook::Fetch& fetch, Now now);
  void run(webhook::Send& send, Now now);
  void run(webhook::TestEnded& ended, Now now);
  void test_webhook(WaiterId waiter, const WebhookId& webhook, Now now);
  void take_web_replies(Now now);
  void send_web_rule();
  void ask_backlogs(Now now);
  void on_backlogs(std::vector<domain::WebhookBacklog> backlogs);
  std::vector<WebhookFigures> webhook_figures() const;
  struct RedriveUnderWay {
    WaiterId waiter;
    WebhookId webhook;
  };
  void redrive_dead_letters(WaiterId waiter, openapi::RedriveDeadLetters redrive);
  void on_redriven(RedriveUnderWay redrive, const RecordWritten& written);

  // --- control_twirp.cc
  void on_twirp_request(ConnectionId connection, const HttpRequest& request, Now now);
  twirp::CallerOutcome twirp_caller(const HttpRequest& request, Now now) const;
  // True: the reply was to a call of RoomService.
  bool answer_twirp(const domain::DismissReply& reply);
  bool answer_twirp(const domain::ActionReply& reply);
  // `is_done`: what it asked for was carried out, or was nothing to do; else it was refused.
  void finish_twirp(WaiterId waiter, twirp::Response response, const OperationId& operation,
                    bool is_done);
  void abandon_twirp_calls();

  // --- control_stop.cc
  enum class StopPhase : uint8_t {
    Serving,
    Draining,     // new joins are refused, everything else goes on
    Farewell,     // who was left is sent elsewhere; what was written to sockets is on its way
    HandingOver,  // to the store, what did not fit into its ring
    Finished,
  };
  struct Stop {
    StopPhase phase = StopPhase::Serving;
    Mono deadline = kNever;       // when the phase ends at the latest
    Mono next_progress = kNever;  // when to log who is left
  };
  // May go through several phases at once; called when all else in a turn is done.
  void advance_stop(Now now);
  void start_farewell(Now now);
  void start_handing_over(Now now);
  bool is_at_rest() const;  // nobody is in, and nothing that was begun is unfinished
  // Management calls that still wait are answered with 503.  What they began is in the store or is not; the caller
  // asks again.
  void abandon_waiting_calls();

  // given
  Config config_;
  HttpPort& http_;
  FaultPort& faults_;
  SecretSource& secrets_;
  const std::string fingerprint_;
  const std::function<ProcessFigures()> figures_;
  const std::function<Reloaded()> reload_;
  // owned
  domain::Registry registry_;
  openapi::Gateway gateway_;
  signal::Serialiser serialiser_;
  MediaPlane media_;
  OverflowSender<StoreRequest> to_store_;
  OverflowSender<WebOrder> to_web_;
  Receiver<WebReply>& from_web_;
  EventWriter events_;
  AuditTrail audit_;
  Receiver<StoreReply>& from_store_;
  struct Queued {
    domain::Command command;
    std::optional<WaiterId> cause;
  };
  std::deque<Queued> queue_;
  // While a command's effects are carried out: whose it was, and its events that no write has taken along yet.
  struct Serving {
    std::optional<WaiterId> cause;
    std::vector<domain::Event> events;
    bool dismisses = false;  // a dismissal's record is among them: the call goes with that
  };
  Serving serving_;
  webhook::Dispatcher dispatcher_;
  std::set<AppId> apps_with_news_;  // for their webhooks, in this turn
  std::map<webhook::AttemptId, WebhookTest> webhook_tests_;
  std::map<OperationId, RedriveUnderWay> redrives_;
  std::map<OperationId, WebhookId> webhook_writes_;  // under way
  std::set<WebhookId> changed_webhooks_;             // in this turn
  static constexpr WaiterId kForMetrics{0};  // who asks for backlogs_; no call has this number
  std::map<WebhookId, domain::WebhookBacklog> backlogs_;  // as last asked
  Mono next_backlog_{};
  std::unordered_map<ParticipantSid, Session> sessions_;
  std::unordered_map<ConnectionId, ParticipantSid> participant_of_;
  std::unordered_map<ConnectionId, ParticipantSid> closing_;  // close_websocket was asked for
  std::unordered_map<RoomSid, Life> lives_;
  std::unordered_map<ConnectionId, Arrival> arrivals_;
  std::unordered_map<WaiterId, Waiting> waiting_;
  std::map<domain::CallKey, std::vector<WaiterId>>
      repeats_;  // who waits for a running call with the same key
  // Dismissals that no call asked for, until their last record.
  std::unordered_set<OperationId> timer_dismissals_;
  struct TwirpWaiting {
    std::optional<ConnectionId> connection;  // none: the caller hung up
    twirp::PendingCall call;
    Audited audited;
  };
  std::unordered_map<WaiterId, TwirpWaiting> twirp_waiting_;
  std::unordered_map<ConnectionId, WaiterId> waiter_of_;  // of either kind
  // A refusal at the upgrade is repeated on the validate path, where browsers read it; kept a few seconds.
  struct RecentRefusal {
    signal::Refusal refusal;
    Mono until{};
  };
  std::map<Sha256, RecentRefusal> recent_refusals_;
  // Acknowledged notices that the peers' pages may still be reading; in order of `due`.
  struct Settling {
    Mono due{};
    ParticipantSid participant;
  };
  std::deque<Settling> settling_;
  std::vector<ParticipantSid>
      early_offers_;  // came with the join; answered once its tracks are known
  std::vector<ParticipantSid> to_negotiate_;  // wants changed in this turn
  std::vector<Scrape> scrapes_;
  ControlCounters counters_;
  uint64_t next_waiter_ = 1;
  Mono next_purge_{}, next_refresh_{}, last_turn_{};
  Wall wall_{};  // of the turn
  bool is_draining_ = false;
  Stop stop_;
  std::unordered_set<ConnectionId> farewells_;  // told to reconnect, their close not yet written
  bool store_is_healthy_ = true;
  StoreHealth store_health_;
  bool has_durable_record_ = false, has_reached_stop_ = false;  // for is_planted_stop() alone
};

}  // namespace atrium::node
