#include "negotiation/session.h"

#include <algorithm>

#include "base/limits.h"
#include "negotiation/answer_writer.h"
#include "negotiation/downlinks.h"
#include "negotiation/peer_check.h"
#include "negotiation/uplinks.h"

namespace atrium::negotiation {
namespace {

// What an accepted offer changes.  A round works on a copy, which replaces the original when the
// answer is written.
struct Agreed {
  std::vector<PendingTrack> pending;  // oldest first
  std::vector<WantedSend> wanted;     // oldest first
  SectionTable table;
  std::optional<RemoteTransport> remote;
  uint64_t answers = 0;
};

Role role_of(const Section& section) {
  if (section.uplink) return Role::Uplink;
  // An unused section is written as the one it is kept for.
  return section.peer_sends && !section.downlink ? Role::Idle : Role::Downlink;
}

bool is_restart(const std::optional<RemoteTransport>& known, const RemoteTransport& offered) {
  return known &&
         (known->ice_ufrag != offered.ice_ufrag || known->ice_password != offered.ice_password);
}

// The transport that the offer is about: its own, or the known one when all its sections are
// stopped.
Result<RemoteTransport> offered_transport(const CheckedDescription& offer,
                                          const std::optional<RemoteTransport>& known) {
  if (!offer.tagged) {
    if (known) return *known;
    return fail(ErrorKind::Unsupported, "offer: no live section");
  }
  const wire::SdpSection& tagged = offer.sdp.sections[*offer.tagged];
  RemoteTransport remote = TRY(remote_transport(tagged));
  TRY(check_offered_setup(tagged));
  // RFC 8842 section 5.5 would make a new DTLS association; ours lives as long as the connection.
  if (known && known->fingerprint_sha256 != remote.fingerprint_sha256)
    return fail(ErrorKind::Unsupported, "offer: the fingerprint changed");
  return remote;
}

// Compares two tables by track: gone or moved to another mid → removed; new, moved or with another
// plan → added.
template <typename Bound, typename Plan>
void compare(std::optional<Bound> Section::*use, const SectionTable& before,
             const SectionTable& after, std::vector<Plan>& added, std::vector<TrackSid>& removed) {
  std::map<TrackSid, const Plan*> old_plans, new_plans;
  for (const Section& section : before.sections())
    if (const auto& bound = section.*use) old_plans[bound->plan.track] = &bound->plan;
  for (const Section& section : after.sections())
    if (const auto& bound = section.*use) new_plans[bound->plan.track] = &bound->plan;
  for (const auto& [track, plan] : old_plans) {
    auto now = new_plans.find(track);
    if (now == new_plans.end() || now->second->mid != plan->mid) removed.push_back(track);
  }
  for (const Section& section : after.sections()) {
    const auto& bound = section.*use;
    if (!bound) continue;
    auto old = old_plans.find(bound->plan.track);
    if (old == old_plans.end() || !(*old->second == bound->plan)) added.push_back(bound->plan);
  }
}

// A client needs no more than its tracks; beyond that the oldest announcements are forgotten.
template <typename T>
void keep_newest(std::vector<T>& list, int64_t limit) {
  if (static_cast<int64_t>(list.size()) > limit) list.erase(list.begin());
}

uint32_t minus(uint32_t a, uint32_t b) {
  return a > b ? a - b : 0;
}

}  // namespace

struct Session::State {
  // given
  SecretSource* secrets;
  std::string cname;
  // owned
  Agreed agreed;
  SsrcPool ssrcs;         // outside the copy: a number that a failed round drew stays drawn
  std::string origin_id;  // decimal digits

  Result<std::vector<Agreement>> plan(Agreed& next, const wire::SdpSession& offer);
  std::vector<const WantedSend*> waiting() const;
  bool has_stopped_send() const;
};

// Agreements and plans of all sections, from what they are used for now.
Result<std::vector<Agreement>> Session::State::plan(Agreed& next, const wire::SdpSession& offer) {
  std::vector<Agreement> agreements;
  for (size_t i = 0; i < offer.sections.size(); ++i) {
    Section& section = next.table.sections()[i];
    const PendingTrack* track = section.uplink ? &section.uplink->track : nullptr;
    agreements.push_back(agree(offer.sections[i], role_of(section), track));
    const Agreement& agreement = agreements.back();
    if (section.uplink) section.uplink->plan = plan_uplink(section, offer.sections[i], agreement);
    if (section.downlink) TRY(plan_downlink(section, agreement, cname, ssrcs, *secrets));
  }
  return agreements;
}

// Wanted tracks without a section that the peer could take.
std::vector<const WantedSend*> Session::State::waiting() const {
  std::vector<const WantedSend*> out;
  for (const WantedSend& want : agreed.wanted)
    if (agreed.table.downlink_of(want.sid) == nullptr && !agreed.table.is_unservable(want))
      out.push_back(&want);
  return out;
}

bool Session::State::has_stopped_send() const {
  return std::ranges::any_of(agreed.table.sections(), [](const Section& section) {
    return section.downlink && section.downlink->stopped;
  });
}

Session::Session(SecretSource& secrets, std::string cname) : state_(std::make_unique<State>()) {
  state_->secrets = &secrets;
  state_->cname = std::move(cname);
  state_->origin_id = std::to_string(
      secrets.u64() >> 2);  // RFC 9429 section 5.2.1: 62 bits, so that it fits anywhere
}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

void Session::add_pending_track(PendingTrack track) {
  auto& pending = state_->agreed.pending;
  auto known = std::ranges::find(pending, track.sid, &PendingTrack::sid);
  if (known != pending.end()) {
    *known = std::move(track);
    return;
  }
  // Asked for again: the first answer was lost, and the client knows the latest sid alone.
  std::erase_if(pending, [&](const PendingTrack& former) {
    return !track.cid.empty() && former.cid == track.cid && former.kind == track.kind;
  });
  pending.push_back(std::move(track));
  keep_newest(pending, limits::kTracksPerParticipantMax);
}

void Session::forget_pending_track(const TrackSid& sid) {
  std::erase_if(state_->agreed.pending,
                [&](const PendingTrack& track) { return track.sid == sid; });
  Section* section = state_->agreed.table.uplink_of(sid);
  if (section == nullptr) return;
  section->uplink.reset();
  section->disowned = true;
}

void Session::want_send(WantedSend track) {
  auto& wanted = state_->agreed.wanted;
  if (std::ranges::find(wanted, track.sid, &WantedSend::sid) != wanted.end()) return;
  if (static_cast<int64_t>(wanted.size()) < limits::kTracksPerRoomMax)
    wanted.push_back(std::move(track));
}

void Session::stop_send(const TrackSid& sid) {
  std::erase_if(state_->agreed.wanted, [&](const WantedSend& want) { return want.sid == sid; });
  if (Section* section = state_->agreed.table.downlink_of(sid)) section->downlink->stopped = true;
}

Result<AnswerResult> Session::on_offer(std::string_view sdp, uint32_t id,
                                       const LocalTransport& local) {
  CheckedDescription offer = TRY(check_description(sdp));
  Agreed next = state_->agreed;
  RemoteTransport remote = TRY(offered_transport(offer, next.remote));

  TRY(next.table.align(offer.sdp));
  release_uplinks(next.table);
  bind_uplinks(next.table, offer.sdp, next.pending);
  release_downlinks(next.table);
  assign_downlinks(next.table, next.wanted);
  state_->ssrcs.avoid(offer.sdp);
  auto agreements = state_->plan(next, offer.sdp);
  state_->ssrcs.stop_avoiding();
  if (!agreements) return std::unexpected(agreements.error());

  AnswerResult result;
  result.id = id;
  result.ice_restart = is_restart(next.remote, remote);
  result.remote = remote;
  next.remote = std::move(remote);
  result.sdp = write_answer(offer.sdp, next.table, *agreements, local,
                            {.id = state_->origin_id, .version = ++next.answers});
  for (size_t i = 0; i < next.table.sections().size(); ++i) {
    const Section& section = next.table.sections()[i];
    if (section.downlink) result.mid_to_track[section.mid] = section.downlink->plan.track.value;
    if (section.kind != wire::SdpKind::Application || section.rejected) continue;
    result.has_data_section = true;
    result.max_message_bytes =
        offer.sdp.sections[i].max_message_size.value_or(kMaxMessageBytesDefault);
  }
  compare(&Section::uplink, state_->agreed.table, next.table, result.uplinks_added,
          result.uplinks_removed);
  compare(&Section::downlink, state_->agreed.table, next.table, result.downlinks_added,
          result.downlinks_removed);
  state_->agreed = std::move(next);
  return result;
}

Result<bool> Session::is_ice_restart(std::string_view sdp) const {
  CheckedDescription offer = TRY(check_description(sdp));
  return is_restart(state_->agreed.remote, TRY(offered_transport(offer, state_->agreed.remote)));
}

Session::Missing Session::missing_sections() const {
  Missing missing;
  const SectionTable& table = state_->agreed.table;
  if (table.sections().empty()) return missing;  // the peer has yet to say what it offers by itself
  for (const WantedSend* want : state_->waiting())
    ++(want->kind == Kind::Audio ? missing.audio : missing.video);
  missing.audio = minus(missing.audio, table.free_count(Kind::Audio));
  missing.video = minus(missing.video, table.free_count(Kind::Video));
  uint32_t room = minus(static_cast<uint32_t>(limits::kSdpSectionsMax),
                        static_cast<uint32_t>(table.sections().size()));
  missing.audio = std::min(missing.audio, room);
  missing.video = std::min(missing.video, room - missing.audio);
  return missing;
}

bool Session::needs_offer() const {
  const SectionTable& table = state_->agreed.table;
  if (table.sections().empty()) return false;
  if (state_->has_stopped_send()) return true;
  Missing missing = missing_sections();
  if (missing.audio + missing.video > 0) return true;
  return std::ranges::any_of(
      state_->waiting(), [&](const WantedSend* want) { return table.free_count(want->kind) > 0; });
}

}  // namespace atrium::negotiation
