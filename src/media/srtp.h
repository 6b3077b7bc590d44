// SRTP and SRTCP: one context per direction of a transport.  Owner: transport.h.  Thread: its
// shard. RFC 3711 (framing, key derivation, replay), RFC 7714 (AEAD), RFC 5764 section 4.1.2 and
// RFC 7714 section 14.2 (profiles). Packets are header-parsed by the caller; nothing here allocates
// per packet (once per new SSRC). Does not: rekey, MKI, or key derivation rates other than zero:
// WebRTC uses none of them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/result.h"

namespace atrium::media {

enum class SrtpProfile : uint8_t { AeadAes128Gcm, AeadAes256Gcm, Aes128CmSha1_80 };

constexpr size_t srtp_key_length(SrtpProfile profile) {
  return profile == SrtpProfile::AeadAes256Gcm ? 32 : 16;
}
constexpr size_t srtp_salt_length(SrtpProfile profile) {
  return profile == SrtpProfile::Aes128CmSha1_80 ? 14 : 12;
}
// Bytes that protection adds: the authentication tag, and for SRTCP the word with the E bit and the index.
constexpr size_t srtp_tag_length(SrtpProfile profile) {
  return profile == SrtpProfile::Aes128CmSha1_80 ? 10 : 16;
}
inline constexpr size_t kSrtpOverheadMax = 16;
inline constexpr size_t kSrtcpOverheadMax = 20;

// Master key and salt of one direction; the profile says how many bytes of each count.
struct SrtpMaster {
  std::array<uint8_t, 32> key{};
  std::array<uint8_t, 14> salt{};
};
// What DTLS-SRTP exports: the client's keys protect what the DTLS client sends.
struct SrtpKeys {
  SrtpProfile profile = SrtpProfile::AeadAes128Gcm;
  SrtpMaster client, server;
};

enum class SrtpVerdict : uint8_t { Ok, TooShort, AuthFailed, Replayed, TooOld, TooManySsrcs };

// Unprotects what one peer sends.  Per SSRC: rollover counter and a replay window of
// limits::kSrtpReplayWindow packets. State changes only after a packet has been authenticated.  A
// verdict other than Ok leaves the packet's bytes undefined.
class SrtpInbound {
 public:
  // Fails when key or salt are shorter than the profile wants, or libcrypto refuses the cipher.
  static Result<SrtpInbound> create(SrtpProfile profile, ByteView key, ByteView salt);
  static Result<SrtpInbound> create(SrtpProfile profile, const SrtpMaster& master);
  SrtpInbound(SrtpInbound&&) noexcept;
  SrtpInbound& operator=(SrtpInbound&&) noexcept;
  ~SrtpInbound();

  // In place.  `header_length`: fixed header, CSRCs and extension block together, as the caller's RTP parser found it
  // (at least 12).  On Ok the plain packet is the first `out_size` bytes.
  SrtpVerdict unprotect_rtp(ByteSpan packet, size_t header_length, size_t& out_size);
  // In place, a compound RTCP packet; also takes SRTCP that was authenticated but not encrypted (E bit 0).
  SrtpVerdict unprotect_rtcp(ByteSpan packet, size_t& out_size);

 private:
  struct State;
  explicit SrtpInbound(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Protects what we send to one peer, out of place, so that one plain payload serves many subscribers.
// Here lives the promise that a (key, SSRC, index) is encrypted once, ever.
class SrtpOutbound {
 public:
  static Result<SrtpOutbound> create(SrtpProfile profile, ByteView key, ByteView salt);
  static Result<SrtpOutbound> create(SrtpProfile profile, const SrtpMaster& master);
  SrtpOutbound(SrtpOutbound&&) noexcept;
  SrtpOutbound& operator=(SrtpOutbound&&) noexcept;
  ~SrtpOutbound();

  // Writes header (fixed header, CSRCs, extension block; sent in the clear) and the encrypted payload parts into
  // `out`
  // and yields the packet's size: header + parts + tag.  `out` must not overlap the inputs.
  // `ext_seq` is the 48-bit SRTP index, rollover counter and sequence number; its low 16 bits must be the header's
  // own.
  // A peer guesses the rollover counter from zero: the first index of an SSRC must be below 2^16, and later ones
  // less than 2^15 ahead.  An index already used, or more than 63 behind the highest of its SSRC, is refused:
  //   Conflict       the index was used, is too far behind, or the header disagrees with it
  //   LimitExceeded  `out` is too small, or the transport used limits::kSrtpOutboundSsrcsMax SSRCs
  //   Malformed      the header has less than 12 bytes
  Result<size_t> protect_rtp(ByteView header, std::span<const ByteView> payload_parts,
                             uint64_t ext_seq, ByteSpan out);
  Result<size_t> protect_rtp(ByteView header, ByteView payload, uint64_t ext_seq, ByteSpan out) {
    return protect_rtp(header, std::span(&payload, 1), ext_seq, out);
  }
  // `compound` starts with an RTCP header (8 bytes or more).  The SRTCP index is one counter per key.
  // LimitExceeded: `out` too small, or 2^31 packets were sent under this key.
  Result<size_t> protect_rtcp(ByteView compound, ByteSpan out);

 private:
  struct State;
  explicit SrtpOutbound(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace atrium::media
