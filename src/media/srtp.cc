// Packet layouts of SRTP and SRTCP.  All lengths are checked here, before the cipher sees a byte.
//
//   SRTP              header | encrypted payload | tag
//   SRTCP, AEAD       8-byte header | encrypted rest | tag | E + index
//   SRTCP, AES-CM     8-byte header | encrypted rest | E + index | tag
#include "media/srtp.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "media/srtp_cipher.h"
#include "media/srtp_streams.h"

namespace atrium::media {
namespace {

constexpr size_t kRtpHeader = 12;
constexpr size_t kRtcpHeader = 8;
constexpr size_t kRtcpWord = 4;  // E bit and SRTCP index
constexpr uint32_t kEncryptedBit = 0x8000'0000;
constexpr uint32_t kRtcpIndexMax = 0x7fff'ffff;
constexpr uint64_t kRtpIndexMax = 0xffff'ffff'ffff;

uint32_t u32_at(ByteView bytes, size_t at) {
  return MUST(ByteReader(bytes.subspan(at)).u32());
}
uint16_t u16_at(ByteView bytes, size_t at) {
  return MUST(ByteReader(bytes.subspan(at)).u16());
}

std::array<uint8_t, 4> word_bytes(uint32_t word) {
  return {static_cast<uint8_t>(word >> 24), static_cast<uint8_t>(word >> 16),
          static_cast<uint8_t>(word >> 8), static_cast<uint8_t>(word)};
}

bool is_aead(SrtpProfile profile) {
  return profile != SrtpProfile::Aes128CmSha1_80;
}

Result<SrtpCipher> make_cipher(SrtpProfile profile, ByteView key, ByteView salt, SrtpKeyUse use,
                               SrtpDirection direction) {
  const SrtpSessionKeys keys = TRY(derive_session_keys(profile, key, salt, use));
  return SrtpCipher::create(profile, keys, direction);
}

// The replay windows of one direction's streams, by SSRC.
class InboundStreams {
 public:
  // Null: not seen yet.
  ReplayWindow* find(uint32_t ssrc) {
    const auto slot = index_.find(ssrc);
    return slot ? &windows_[*slot] : nullptr;
  }
  bool is_full() const { return index_.is_full(); }
  ReplayWindow& add(uint32_t ssrc) {
    index_.insert(ssrc);
    return windows_.emplace_back();
  }

 private:
  SsrcIndex index_{static_cast<size_t>(limits::kSrtpInboundSsrcsMax)};
  std::vector<ReplayWindow> windows_;
};

SrtpVerdict verdict_of(ReplayVerdict verdict) {
  switch (verdict) {
    case ReplayVerdict::Fresh: return SrtpVerdict::Ok;
    case ReplayVerdict::Seen: return SrtpVerdict::Replayed;
    case ReplayVerdict::TooOld: return SrtpVerdict::TooOld;
  }
  return SrtpVerdict::TooOld;
}

// Steps 2 and 3 of RFC 3711 section 3.3: what can be said before the packet is authenticated.
SrtpVerdict admit(const ReplayWindow* window, bool table_full, uint64_t index) {
  if (window != nullptr) return verdict_of(window->check(index));
  return table_full ? SrtpVerdict::TooManySsrcs : SrtpVerdict::Ok;
}

}  // namespace

struct SrtpInbound::State {
  SrtpProfile profile;
  SrtpCipher rtp, rtcp;
  InboundStreams rtp_streams{}, rtcp_streams{};
};

SrtpInbound::SrtpInbound(std::unique_ptr<State> state) : state_(std::move(state)) {}
SrtpInbound::SrtpInbound(SrtpInbound&&) noexcept = default;
SrtpInbound& SrtpInbound::operator=(SrtpInbound&&) noexcept = default;
SrtpInbound::~SrtpInbound() = default;

Result<SrtpInbound> SrtpInbound::create(SrtpProfile profile, ByteView key, ByteView salt) {
  SrtpCipher rtp = TRY(make_cipher(profile, key, salt, SrtpKeyUse::Rtp, SrtpDirection::Open));
  SrtpCipher rtcp = TRY(make_cipher(profile, key, salt, SrtpKeyUse::Rtcp, SrtpDirection::Open));
  return SrtpInbound(std::unique_ptr<State>(new State{profile, std::move(rtp), std::move(rtcp)}));
}
Result<SrtpInbound> SrtpInbound::create(SrtpProfile profile, const SrtpMaster& master) {
  return create(profile, ByteView(master.key).first(srtp_key_length(profile)),
                ByteView(master.salt).first(srtp_salt_length(profile)));
}

SrtpVerdict SrtpInbound::unprotect_rtp(ByteSpan packet, size_t header_length, size_t& out_size) {
  State& state = *state_;
  const size_t tag_length = srtp_tag_length(state.profile);
  if (header_length < kRtpHeader || packet.size() < tag_length ||
      packet.size() - tag_length < header_length)
    return SrtpVerdict::TooShort;
  const uint16_t seq = u16_at(packet, 2);
  const uint32_t ssrc = u32_at(packet, 8);
  ReplayWindow* window = state.rtp_streams.find(ssrc);
  const auto index =
      window != nullptr ? guess_srtp_index(window->highest(), seq) : std::optional<uint64_t>(seq);
  if (!index) return SrtpVerdict::TooOld;
  const SrtpVerdict admitted = admit(window, state.rtp_streams.is_full(), *index);
  if (admitted != SrtpVerdict::Ok) return admitted;

  const auto roc = word_bytes(static_cast<uint32_t>(*index >> 16));
  const ByteView tail = is_aead(state.profile) ? ByteView() : ByteView(roc);
  const size_t end = packet.size() - tag_length;
  if (!state.rtp.open({.ssrc = ssrc, .index = *index}, packet.first(header_length),
                      packet.subspan(header_length, end - header_length), tail,
                      packet.subspan(end)))
    return SrtpVerdict::AuthFailed;
  if (window == nullptr) window = &state.rtp_streams.add(ssrc);
  window->mark(*index);
  out_size = end;
  return SrtpVerdict::Ok;
}

SrtpVerdict SrtpInbound::unprotect_rtcp(ByteSpan packet, size_t& out_size) {
  State& state = *state_;
  const size_t tag_length = srtp_tag_length(state.profile);
  if (packet.size() < kRtcpHeader + tag_length + kRtcpWord) return SrtpVerdict::TooShort;
  const size_t end = packet.size() - tag_length - kRtcpWord;
  const bool aead = is_aead(state.profile);
  const ByteView word = packet.subspan(aead ? end + tag_length : end, kRtcpWord);
  const ByteView tag = packet.subspan(aead ? end : end + kRtcpWord, tag_length);

  const uint32_t index_word = u32_at(word, 0);
  const uint32_t index = index_word & kRtcpIndexMax;
  const uint32_t ssrc = u32_at(packet, 4);
  ReplayWindow* window = state.rtcp_streams.find(ssrc);
  const SrtpVerdict admitted = admit(window, state.rtcp_streams.is_full(), index);
  if (admitted != SrtpVerdict::Ok) return admitted;

  // Without the E bit everything is authenticated and nothing encrypted (RFC 3711 section 3.4, RFC 7714 section 9.3).
  const size_t clear = (index_word & kEncryptedBit) != 0 ? kRtcpHeader : end;
  if (!state.rtcp.open({.ssrc = ssrc, .index = index}, packet.first(clear),
                       packet.subspan(clear, end - clear), word, tag))
    return SrtpVerdict::AuthFailed;
  if (window == nullptr) window = &state.rtcp_streams.add(ssrc);
  window->mark(index);
  out_size = end;
  return SrtpVerdict::Ok;
}

struct SrtpOutbound::State {
  SrtpProfile profile;
  SrtpCipher rtp, rtcp;
  SsrcIndex ssrcs{static_cast<size_t>(limits::kSrtpOutboundSsrcsMax)};
  std::vector<UsedIndices> used{};
  uint32_t next_rtcp_index = 0;
};

SrtpOutbound::SrtpOutbound(std::unique_ptr<State> state) : state_(std::move(state)) {}
SrtpOutbound::SrtpOutbound(SrtpOutbound&&) noexcept = default;
SrtpOutbound& SrtpOutbound::operator=(SrtpOutbound&&) noexcept = default;
SrtpOutbound::~SrtpOutbound() = default;

Result<SrtpOutbound> SrtpOutbound::create(SrtpProfile profile, ByteView key, ByteView salt) {
  SrtpCipher rtp = TRY(make_cipher(profile, key, salt, SrtpKeyUse::Rtp, SrtpDirection::Seal));
  SrtpCipher rtcp = TRY(make_cipher(profile, key, salt, SrtpKeyUse::Rtcp, SrtpDirection::Seal));
  return SrtpOutbound(std::unique_ptr<State>(new State{profile, std::move(rtp), std::move(rtcp)}));
}
Result<SrtpOutbound> SrtpOutbound::create(SrtpProfile profile, const SrtpMaster& master) {
  return create(profile, ByteView(master.key).first(srtp_key_length(profile)),
                ByteView(master.salt).first(srtp_salt_length(profile)));
}

Result<size_t> SrtpOutbound::protect_rtp(ByteView header, std::span<const ByteView> payload_parts,
                                         uint64_t ext_seq, ByteSpan out) {
  State& state = *state_;
  if (header.size() < kRtpHeader) return malformed("RTP header shorter than 12 bytes");
  const uint32_t ssrc = u32_at(header, 8);
  if (ext_seq > kRtpIndexMax || u16_at(header, 2) != (ext_seq & 0xffff))
    return fail(ErrorKind::Conflict, "SRTP index disagrees with the header");
  size_t payload_size = 0;
  for (ByteView part : payload_parts) payload_size += part.size();
  const size_t tag_length = srtp_tag_length(state.profile);
  const size_t total = header.size() + payload_size + tag_length;
  if (out.size() < total) return fail(ErrorKind::LimitExceeded, "no room for the SRTP packet");

  auto slot = state.ssrcs.find(ssrc);
  if (!slot) {
    if (state.ssrcs.is_full()) return fail(ErrorKind::LimitExceeded, "too many outbound SSRCs");
    slot = state.ssrcs.insert(ssrc);
    state.used.emplace_back();
  }
  // Marked before the cipher runs: even a failed attempt must not be repeated under the same nonce.
  if (!state.used[*slot].use(ext_seq)) return fail(ErrorKind::Conflict, "SRTP index already used");

  std::copy(header.begin(), header.end(), out.begin());
  const auto roc = word_bytes(static_cast<uint32_t>(ext_seq >> 16));
  const ByteView tail = is_aead(state.profile) ? ByteView() : ByteView(roc);
  if (!state.rtp.seal({.ssrc = ssrc, .index = ext_seq}, header, payload_parts, tail,
                      out.subspan(header.size(), payload_size),
                      out.subspan(header.size() + payload_size, tag_length)))
    return fail(ErrorKind::Internal, "libcrypto failed to seal RTP");
  return total;
}

Result<size_t> SrtpOutbound::protect_rtcp(ByteView compound, ByteSpan out) {
  State& state = *state_;
  if (compound.size() < kRtcpHeader) return malformed("RTCP header shorter than 8 bytes");
  const size_t tag_length = srtp_tag_length(state.profile);
  const size_t end = compound.size();
  const size_t total = end + tag_length + kRtcpWord;
  if (out.size() < total) return fail(ErrorKind::LimitExceeded, "no room for the SRTCP packet");
  if (state.next_rtcp_index > kRtcpIndexMax)
    return fail(ErrorKind::LimitExceeded, "SRTCP index exhausted");
  const uint32_t index = state.next_rtcp_index++;

  const bool aead = is_aead(state.profile);
  const ByteSpan word = out.subspan(aead ? end + tag_length : end, kRtcpWord);
  const ByteSpan tag = out.subspan(aead ? end : end + kRtcpWord, tag_length);
  std::copy_n(compound.begin(), kRtcpHeader, out.begin());
  std::ranges::copy(word_bytes(kEncryptedBit | index), word.begin());
  const ByteView rest = compound.subspan(kRtcpHeader);
  if (!state.rtcp.seal({.ssrc = u32_at(compound, 4), .index = index}, out.first(kRtcpHeader),
                       std::span(&rest, 1), word, out.subspan(kRtcpHeader, rest.size()), tag))
    return fail(ErrorKind::Internal, "libcrypto failed to seal RTCP");
  return total;
}

}  // namespace atrium::media
