#include "media/ice_lite.h"

#include <algorithm>
#include <utility>

namespace atrium::media {
namespace {

constexpr auto kCheckInterval = std::chrono::milliseconds(limits::kIceCheckMs);
constexpr auto kKeepalive = std::chrono::milliseconds(limits::kIceKeepaliveMs);
// RFC 8445 section 5.1.2.1: a host candidate of the first component.
constexpr uint32_t kHostPriority = (110u << 24) | (65'535u << 8) | 255u;  // type preference of peer-reflexive, 7.1.1

}  // namespace

IceAgent::IceAgent(IceCredentials local, IceCredentials remote)
    : local_(std::move(local)), remote_(std::move(remote)) {}

IceAgent::IceAgent(IceCredentials local, IceCredentials remote, const Dialling& dialling, Now now)
    : local_(std::move(local)),
      remote_(std::move(remote)),
      secrets_(&dialling.secrets),
      from_(dialling.from),
      tie_breaker_(dialling.secrets.u64()) {
  const size_t count = std::min(dialling.candidates.size(), paths_.size());
  for (size_t i = 0; i < count; ++i) candidates_.push_back({dialling.candidates[i], {}, now.mono});
}

bool IceAgent::is_authentic(const wire::StunMessage& request) const {
  if (fits(request, local_, remote_)) return true;
  return former_local_ && fits(request, *former_local_, *former_remote_);
}

bool IceAgent::fits(const wire::StunMessage& request, const IceCredentials& local,
                    const IceCredentials& remote) const {
  if (!request.username) return false;
  const auto parts = wire::split_username(*request.username);
  return parts && parts->receiver_ufrag == local.ufrag && parts->sender_ufrag == remote.ufrag &&
         wire::has_valid_integrity(request, local.password);
}

IceAgent::Answer IceAgent::on_request(const wire::StunMessage& request, const FiveTuple& path, Mono now,
                                      ByteSpan reply) {
  Answer answer;
  const bool is_current = fits(request, local_, remote_);
  const std::string& password = is_current ? local_.password : former_local_->password;
  const bool is_dialling = secrets_ != nullptr;
  // RFC 8445 section 7.3.1.1: a lite agent is always controlled, the dialling one always controlling.
  const bool is_conflict = is_dialling ? request.ice_controlling.has_value() : request.ice_controlled.has_value();
  if (is_conflict) {
    const auto error = wire::write_binding_error(reply, request.transaction, wire::kStunRoleConflict,
                                                 "Role Conflict", password);
    answer.is_role_conflict = true;
    answer.reply_bytes = error ? error->size() : 0;
    return answer;
  }
  if (request.unknown_required_count > 0) {
    const auto error = wire::write_binding_error(reply, request.transaction, wire::kStunUnknownAttribute,
                                                 "Unknown Attribute", password, request.unknown_attributes());
    answer.reply_bytes = error ? error->size() : 0;
    return answer;
  }
  answer.forgotten = learn(path, now);
  consented_at_ = now;
  latest_ = path;
  if (request.use_candidate && !is_dialling && is_current) nominate(path, answer);
  // During a restart the old pair may still be renominated, but only a nomination under the new credentials ends
  // them.
  if (request.use_candidate && !is_dialling && !is_current && selected_ != path) {
    selected_ = path;
    answer.selected_changed = true;
  }
  const auto success = wire::write_binding_success(reply, request.transaction, path.remote, password);
  answer.reply_bytes = success ? success->size() : 0;
  return answer;
}

void IceAgent::nominate(const FiveTuple& path, Answer& answer) {
  answer.selected_changed = selected_ != path;
  selected_ = path;
  if (!former_local_) return;
  answer.retired_ufrag = std::move(former_local_->ufrag);
  former_local_.reset();
  former_remote_.reset();
}

// Yields the path that was forgotten for this one: the one not heard from for longest, never the selected one.
std::optional<FiveTuple> IceAgent::learn(const FiveTuple& path, Mono now) {
  for (size_t i = 0; i < path_count_; ++i) {
    if (paths_[i].tuple != path) continue;
    paths_[i].heard_at = now;
    return std::nullopt;
  }
  if (path_count_ < paths_.size()) {
    paths_[path_count_++] = {path, now};
    return std::nullopt;
  }
  Path* oldest = nullptr;
  for (Path& candidate : paths_) {
    if (selected_ == candidate.tuple) continue;
    if (oldest == nullptr || candidate.heard_at < oldest->heard_at) oldest = &candidate;
  }
  const FiveTuple forgotten = oldest->tuple;
  if (latest_ == forgotten) latest_.reset();
  *oldest = {path, now};
  return forgotten;
}

bool IceAgent::on_response(const wire::StunMessage& response, const FiveTuple& path, Mono now, Answer& answer) {
  const auto candidate = std::ranges::find(candidates_, response.transaction, &Candidate::transaction);
  if (candidate == candidates_.end() || candidate->remote != path.remote) return false;
  if (response.message_class != wire::StunClass::SuccessResponse) return false;
  if (!wire::has_valid_integrity(response, remote_.password)) return false;
  answer.forgotten = learn(path, now);
  consented_at_ = now;
  latest_ = path;
  candidate->next_at = now + kKeepalive;
  // The first candidate that answers is kept; every check of ours carries USE-CANDIDATE, so the peer knows.
  const bool is_renewed = former_local_.has_value();
  if (!selected_ || is_renewed) nominate(path, answer);
  if (selected_ == path)
    std::erase_if(candidates_, [&](const Candidate& other) { return other.remote != path.remote; });
  return true;
}

std::optional<IceAgent::Check> IceAgent::next_check(Mono now, ByteSpan out) {
  for (Candidate& candidate : candidates_) {
    if (candidate.next_at > now) continue;
    candidate.next_at = now + (has_nominated() && !former_local_ ? kKeepalive : kCheckInterval);
    secrets_->fill(candidate.transaction);
    wire::StunBindingRequest request;
    request.transaction = candidate.transaction;
    const std::string username = remote_.ufrag + ":" + local_.ufrag;
    request.username = username;
    request.priority = kHostPriority;
    request.tie_breaker = tie_breaker_;
    request.use_candidate = true;
    const auto written = wire::write_binding_request(out, request, remote_.password);
    if (!written) continue;
    Check check;
    check.path = {from_, candidate.remote};
    if (selected_ && selected_->remote == candidate.remote) check.path = *selected_;
    check.bytes = written->size();
    return check;
  }
  return std::nullopt;
}

Mono IceAgent::next_check_at() const {
  Mono earliest = kNever;
  for (const Candidate& candidate : candidates_) earliest = std::min(earliest, candidate.next_at);
  return earliest;
}

std::optional<std::string> IceAgent::restart(IceCredentials local, IceCredentials remote, Now now) {
  std::optional<std::string> retired;
  if (former_local_) {
    retired = std::move(local_.ufrag);  // never nominated: the ones before it are still in use
  } else {
    former_local_ = std::move(local_);
    former_remote_ = std::move(remote_);
  }
  local_ = std::move(local);
  remote_ = std::move(remote);
  for (Candidate& candidate : candidates_) candidate.next_at = now.mono;
  return retired;
}

const FiveTuple* IceAgent::send_path() const {
  if (selected_) return &*selected_;
  return latest_ ? &*latest_ : nullptr;
}

bool IceAgent::knows(const FiveTuple& path) const {
  for (size_t i = 0; i < path_count_; ++i)
    if (paths_[i].tuple == path) return true;
  return false;
}

}  // namespace atrium::media
