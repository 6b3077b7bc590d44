// What the shards report, for the registry.
#include "adapters/signal/notice.h"
#include "base/limits.h"
#include "node/control.h"

namespace atrium::node {
namespace {
constexpr std::string_view kTokenTopic = "atrium.token";
}  // namespace

void ControlPlane::take_reports(Now now) {
  while (auto report = media_.take_report()) {
    std::visit([&](const auto& one) { on_report(one, now); }, *report);
    run_queue(now);
  }
}

void ControlPlane::on_report(const media::TransportUp& report, Now) {
  if (auto participant = media_.find_participant(report.transport))
    submit(domain::TransportUp{*participant, report.remote.ip});
}

void ControlPlane::on_report(const media::PathChanged& report, Now) {
  if (auto participant = media_.find_participant(report.transport))
    submit(domain::TransportMoved{*participant, report.remote.ip});
}

void ControlPlane::on_report(const media::TransportDown& report, Now) {
  if (auto participant = media_.find_participant(report.transport))
    submit(domain::TransportDown{*participant});
}

void ControlPlane::on_report(const media::ReliableChannel& report, Now) {
  if (auto participant = media_.find_participant(report.transport))
    submit(domain::NoticeChannel{*participant, report.open});
}

// SCTP's acknowledgement comes from the peer's network stack.  The leave travels on another connection and would
// overtake the notice on its way from there to the page (seen with the immediate acknowledgement that the notice asks
// for), so it waits.
void ControlPlane::on_report(const media::NoticeDone& report, Now now) {
  const auto participant = media_.find_participant(report.transport);
  if (!participant) return;
  if (report.outcome == media::NoticeOutcome::Acknowledged)
    settling_.push_back(
        {now.mono + std::chrono::milliseconds(limits::kNoticeSettleMs), *participant});
  else
    submit(domain::NoticeAcked{*participant});
}

void ControlPlane::take_settled_notices(Now now) {
  for (; !settling_.empty() && settling_.front().due <= now.mono; settling_.pop_front())
    submit(domain::NoticeAcked{settling_.front().participant});
}

void ControlPlane::on_report(const media::LifeCut& report, Now) {
  const auto room_sid = media_.find_room(report.life);
  if (!room_sid) return;
  if (is_planted_stop("after_cut")) return;
  const auto life = lives_.find(*room_sid);
  submit(domain::RoomCut{*room_sid, report.at, report.wall_at, report.transports});
  if (life == lives_.end()) return;
  for (const ParticipantSid& participant : life->second.participants) {
    Session* session =
        find_session(participant);  // without a transport nobody has a channel to acknowledge on
    if (session != nullptr && !session->peer->has_transport())
      submit(domain::NoticeAcked{participant});
  }
}

void ControlPlane::on_report(const media::TransportClosed& report, Now) {
  const auto participant = media_.find_participant(report.transport);
  if (!participant) return;
  media_.forget_transport(report.transport);
  submit(domain::TransportClosed{*participant});
}

void ControlPlane::on_report(const media::LifeClosed& report, Now) {
  if (auto room_sid = media_.find_room(report.life))
    submit(domain::RoomClosed{*room_sid, report.transports_closed, report.packets_after_cut});
}

// Seams: a publication is announced when its section is negotiated, and speakers are not told yet.
void ControlPlane::on_report(const media::UplinkStarted&, Now) {}
void ControlPlane::on_report(const media::AudioLevel&, Now) {}
// The dialling role's reports never come from the server's transports.
void ControlPlane::on_report(const media::RtpReceived&, Now) {}
void ControlPlane::on_report(const media::DataReceived&, Now) {}

// A renewed 001 token (DESIGN section 4).
void ControlPlane::on_report(const media::ServerMessage& report, Now now) {
  const auto participant = media_.find_participant(report.transport);
  Session* session = participant ? find_session(*participant) : nullptr;
  if (session == nullptr || session->is_cut || report.topic != kTokenTopic) return;
  // A wildcard token takes its room from where it is used: here the session's.
  auto token = verify(as_text(report.payload), session->token.room, now);
  if (token && token->app == session->token.app && token->room == session->token.room &&
      token->user == session->token.user && token->kind == session->token.kind) {
    session->token = *token;
    submit(domain::RenewToken{*participant, signal::make_joiner(*token, session->parameters)});
    return;
  }
  session->peer->send_reliable(
      signal::notice_packet({.code = domain::ClientCode::UpdateTokenWithInvalidToken,
                             .name = "UPDATE_TOKEN_WITH_INVALID_TOKEN",
                             .message = "The new token was refused; the former one stays in force.",
                             .operation = {},
                             .forbidden_until = {}}));
}

}  // namespace atrium::node
