#include "client/peer_link.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/crypto.h"
#include "base/limits.h"
#include "wire/rtp.h"
#include "wire/stun.h"

namespace atrium::client {
namespace {

constexpr auto kConsent = std::chrono::milliseconds(limits::kIceConsentMs);

}  // namespace

media::DtlsFingerprint read_fingerprint(std::string_view text) {
  std::string digits;
  for (char c : text)
    if (c != ':') digits.push_back(c);
  media::DtlsFingerprint out;
  const auto bytes = from_hex(digits);
  if (bytes && bytes->size() == out.sha256.size()) std::ranges::copy(*bytes, out.sha256.begin());
  return out;
}

PeerLink::PeerLink(PeerLinkOptions options, SecretSource& secrets)
    : options_(std::move(options)), secrets_(secrets) {}

void PeerLink::open(PeerLinkPlan plan, Now now) {
  if (state_ != State::Idle) return;
  state_ = State::Connecting;
  fingerprint_ = plan.fingerprint;
  ice_.emplace(std::move(plan.local), std::move(plan.remote),
               media::IceAgent::Dialling{SocketAddress{}, std::move(plan.candidates), secrets_},
               now);
  on_deadline(now);
}

PeerLink::Taken PeerLink::on_datagram(ByteSpan datagram, const SocketAddress& from, Now now) {
  if (state_ == State::Idle || state_ == State::Down) return {};
  switch (wire::classify_datagram(datagram)) {
    case wire::DatagramKind::Rtp:
      return unprotect(datagram, false);
    case wire::DatagramKind::Rtcp:
      return unprotect(datagram, true);
    case wire::DatagramKind::Stun:
      on_stun(datagram, {SocketAddress{}, from}, now);
      return {Arrival::Own};
    case wire::DatagramKind::Dtls:
      if (!dtls_) return {};
      dtls_->on_datagram(datagram, now);
      after_dtls(now);
      return {Arrival::Own};
    case wire::DatagramKind::Unknown:
      break;
  }
  return {};
}

PeerLink::Taken PeerLink::unprotect(ByteSpan datagram, bool is_rtcp) {
  if (!inbound_) return {};
  size_t size = 0;
  if (is_rtcp) {
    if (inbound_->unprotect_rtcp(datagram, size) == media::SrtpVerdict::Ok)
      return {Arrival::Rtcp, datagram.first(size)};
  } else if (const auto header = wire::parse_rtp_header(datagram)) {
    if (inbound_->unprotect_rtp(datagram, header->header_bytes, size) == media::SrtpVerdict::Ok)
      return {Arrival::Rtp, datagram.first(size)};
  }
  ++bad_packets_;
  return {};
}

void PeerLink::on_stun(ByteView datagram, const FiveTuple& path, Now now) {
  const auto message = wire::parse_stun(datagram);
  if (!message) return;
  media::IceAgent::Answer answer;
  if (message->is_binding_request()) {
    if (!ice_->is_authentic(*message)) return;
    std::array<uint8_t, wire::kStunWriteBytesMax> reply;
    answer = ice_->on_request(*message, path, now.mono, reply);
    if (answer.reply_bytes > 0)
      outgoing_.push_back(
          {path.remote,
           Bytes(reply.begin(), reply.begin() + static_cast<ptrdiff_t>(answer.reply_bytes))});
    return;
  }
  if (!ice_->on_response(*message, path, now.mono, answer) || dtls_) return;
  auto dtls = media::Dtls::create({.certificate = options_.certificate,
                                   .role = media::DtlsRole::Client,
                                   .remote = fingerprint_,
                                   .only_profile = options_.only_profile},
                                  now);
  if (!dtls) {
    state_ = State::Down;
    return;
  }
  dtls_.emplace(std::move(*dtls));
  after_dtls(now);
}

void PeerLink::after_dtls(Now) {
  const SocketAddress* to = remote();
  for (Bytes& datagram : dtls_->take_datagrams())
    if (to != nullptr) outgoing_.push_back({*to, std::move(datagram)});
  if (dtls_->state() == media::DtlsState::Connected && !outbound_) on_connected();
  for (Bytes& packet : dtls_->take_application())
    if (state_ == State::Up)
      sctp_.push_back(media::SctpPacketIn{options_.transport, std::move(packet)});
  if (dtls_->state() == media::DtlsState::Failed || dtls_->state() == media::DtlsState::Closed)
    state_ = State::Down;
}

void PeerLink::on_connected() {
  const auto keys = dtls_->export_srtp();
  auto inbound = keys ? media::SrtpInbound::create(keys->profile, keys->server)
                      : std::unexpected(keys.error());
  auto outbound = keys ? media::SrtpOutbound::create(keys->profile, keys->client)
                       : std::unexpected(keys.error());
  if (!inbound || !outbound) {
    state_ = State::Down;
    return;
  }
  inbound_.emplace(std::move(*inbound));
  outbound_.emplace(std::move(*outbound));
  profile_ = keys->profile;
  state_ = State::Up;
  sctp_.push_back(media::SctpOpen{options_.transport, true});
}

void PeerLink::on_deadline(Now now) {
  if (!ice_ || state_ == State::Down) return;
  std::array<uint8_t, wire::kStunWriteBytesMax> check;
  while (const auto due = ice_->next_check(now.mono, check))
    outgoing_.push_back({due->path.remote,
                         Bytes(check.begin(), check.begin() + static_cast<ptrdiff_t>(due->bytes))});
  const auto consented_at = ice_->consented_at();
  if (consented_at && now.mono - *consented_at >= kConsent) state_ = State::Down;
  if (dtls_ && dtls_->next_deadline() <= now.mono) {
    dtls_->on_deadline(now);
    after_dtls(now);
  }
}

Mono PeerLink::next_deadline() const {
  if (!ice_ || state_ == State::Down) return kNever;
  Mono earliest = ice_->next_check_at();
  if (const auto consented_at = ice_->consented_at())
    earliest = std::min(earliest, *consented_at + kConsent);
  return dtls_ ? std::min(earliest, dtls_->next_deadline()) : earliest;
}

Result<size_t> PeerLink::protect_rtp(ByteView header, ByteView payload, uint64_t ext_seq,
                                     ByteSpan out) {
  if (state_ != State::Up) return fail(ErrorKind::Unavailable, "the link is not up");
  return outbound_->protect_rtp(header, payload, ext_seq, out);
}

std::vector<media::SctpCommand> PeerLink::take_sctp() {
  return std::exchange(sctp_, {});
}

void PeerLink::send_sctp(ByteView packet, Now now) {
  if (state_ != State::Up) return;
  if (dtls_->send_application(packet)) after_dtls(now);  // what is refused is lost; SCTP repeats it
}

std::vector<PeerLink::Outgoing> PeerLink::take_datagrams() {
  return std::exchange(outgoing_, {});
}

const SocketAddress* PeerLink::remote() const {
  const FiveTuple* path = ice_ ? ice_->send_path() : nullptr;
  return path == nullptr ? nullptr : &path->remote;
}

}  // namespace atrium::client
