// SRTP against the vectors of RFC 3711 and RFC 7714, and against libsrtp2 in both directions.
#include "media/srtp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <srtp2/srtp.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/crypto.h"
#include "base/limits.h"
#include "media/srtp_cipher.h"

namespace atrium::media {
namespace {

using testing::ElementsAreArray;

Bytes bytes_of(std::string_view hex_text) {
  std::string packed;
  for (char c : hex_text)
    if (c != ' ') packed += c;
  return from_hex(packed).value();
}

// --- vectors -----------------------------------------------------

TEST(SrtpKeyDerivation, gives_the_session_keys_of_rfc_3711_appendix_b3) {
  const Bytes key = bytes_of("E1F97A0D3E018BE0D64FA32C06DE4139");
  const Bytes salt = bytes_of("0EC675AD498AFEEBB6960B3AABE6");
  const auto keys = derive_session_keys(SrtpProfile::Aes128CmSha1_80, key, salt, SrtpKeyUse::Rtp);
  ASSERT_TRUE(keys);
  EXPECT_EQ(hex(ByteView(keys->encryption).first(16)), "c61e7a93744f39ee10734afe3ff7a087");
  EXPECT_EQ(hex(keys->salt), "30cbbc08863d8c85d49db34a9ae1");
  EXPECT_EQ(hex(keys->authentication), "cebe321f6ff7716b6fd4ab49af256a156d38baa4");
}

TEST(SrtpKeyDerivation, refuses_keys_and_salts_of_the_wrong_length) {
  const Bytes key(16), salt(12);
  EXPECT_FALSE(derive_session_keys(SrtpProfile::AeadAes256Gcm, key, salt, SrtpKeyUse::Rtp));
  EXPECT_FALSE(derive_session_keys(SrtpProfile::Aes128CmSha1_80, key, salt, SrtpKeyUse::Rtp));
  EXPECT_FALSE(SrtpInbound::create(SrtpProfile::AeadAes128Gcm, key, Bytes(11)));
  EXPECT_FALSE(SrtpOutbound::create(SrtpProfile::AeadAes128Gcm, Bytes(15), salt));
}

struct AeadVector {
  SrtpProfile profile;
  const char* key;
  const char* rtp_sealed;
  const char* rtcp_sealed;  // ciphertext and tag, without the header and the index
};

SrtpSessionKeys session_keys(const AeadVector& vector) {
  SrtpSessionKeys keys;
  std::ranges::copy(bytes_of(vector.key), keys.encryption.begin());
  std::ranges::copy(bytes_of("517569642070726f2071756f"), keys.salt.begin());
  return keys;
}

class Rfc7714 : public testing::TestWithParam<AeadVector> {};

TEST_P(Rfc7714, seals_and_opens_the_rtp_packet_of_section_16) {
  const Bytes header = bytes_of("8040f17b 8041f8d3 5501a0b2");
  const Bytes plain = bytes_of(
      "47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573");
  const SrtpNonce nonce{.ssrc = 0x5501a0b2, .index = 0xf17b};
  auto seal =
      MUST(SrtpCipher::create(GetParam().profile, session_keys(GetParam()), SrtpDirection::Seal));
  Bytes out(plain.size() + 16);
  const ByteView part = plain;
  ASSERT_TRUE(seal.seal(nonce, header, std::span(&part, 1), {}, ByteSpan(out).first(plain.size()),
                        ByteSpan(out).subspan(plain.size())));
  EXPECT_EQ(hex(out), hex(bytes_of(GetParam().rtp_sealed)));

  auto open =
      MUST(SrtpCipher::create(GetParam().profile, session_keys(GetParam()), SrtpDirection::Open));
  const Bytes tag(out.end() - 16, out.end());
  ASSERT_TRUE(open.open(nonce, header, ByteSpan(out).first(plain.size()), {}, tag));
  EXPECT_EQ(Bytes(out.begin(), out.end() - 16), plain);
}

TEST_P(Rfc7714, seals_and_opens_the_rtcp_packet_of_section_17) {
  const Bytes header = bytes_of("81c8000d 4d617273");
  const Bytes plain = bytes_of(
      "4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef "
      "deadbeef");
  const Bytes word = bytes_of("800005d4");
  const SrtpNonce nonce{.ssrc = 0x4d617273, .index = 0x5d4};
  auto seal =
      MUST(SrtpCipher::create(GetParam().profile, session_keys(GetParam()), SrtpDirection::Seal));
  Bytes out(plain.size() + 16);
  const ByteView part = plain;
  ASSERT_TRUE(seal.seal(nonce, header, std::span(&part, 1), word, ByteSpan(out).first(plain.size()),
                        ByteSpan(out).subspan(plain.size())));
  EXPECT_EQ(hex(out), hex(bytes_of(GetParam().rtcp_sealed)));

  auto open =
      MUST(SrtpCipher::create(GetParam().profile, session_keys(GetParam()), SrtpDirection::Open));
  const Bytes tag(out.end() - 16, out.end());
  ASSERT_TRUE(open.open(nonce, header, ByteSpan(out).first(plain.size()), word, tag));
  EXPECT_EQ(Bytes(out.begin(), out.end() - 16), plain);
}

INSTANTIATE_TEST_SUITE_P(
    Vectors, Rfc7714,
    testing::Values(
        AeadVector{
            SrtpProfile::AeadAes128Gcm, "000102030405060708090a0b0c0d0e0f",
            "f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833"
            "899d7f27 beb16a91 52cf765e e4390cce",
            "63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 "
            "86303ded"
            "0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade"},
        AeadVector{
            SrtpProfile::AeadAes256Gcm,
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b"
            "7aa3db36 dfffd6b0 f9bb7878 d7a76c13",
            "d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658 "
            "c61de047"
            "6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be"}),
    [](const auto& info) {
      return info.param.profile == SrtpProfile::AeadAes128Gcm ? "aes128" : "aes256";
    });

// --- our two ends -----------------------------------------------------

constexpr uint32_t kSsrc = 0xcafe'0001;

// With a one-byte extension block of four bytes: 20 bytes in all.
Bytes rtp_header(uint16_t seq, uint32_t ssrc = kSsrc) {
  Bytes out(20);
  ByteWriter writer(out);
  writer.u8(0x90), writer.u8(96), writer.u16(seq), writer.u32(0x1000), writer.u32(ssrc);
  writer.u16(0xbede), writer.u16(1), writer.u32(0x10ff'0000);
  return out;
}
Bytes payload_for(uint16_t seq) {
  Bytes out(101);
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(i * 7 + seq);
  return out;
}
Bytes plain_rtp(uint16_t seq, uint32_t ssrc = kSsrc) {
  Bytes out = rtp_header(seq, ssrc);
  const Bytes payload = payload_for(seq);
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}
Bytes plain_rtcp(uint32_t ssrc = kSsrc) {
  Bytes out(28);
  ByteWriter writer(out);
  writer.u8(0x80), writer.u8(200), writer.u16(6), writer.u32(ssrc);
  writer.u64(0x0123'4567'89ab'cdef), writer.u32(1), writer.u32(2), writer.u32(3);
  return out;
}

SrtpMaster test_master() {
  SrtpMaster master;
  for (size_t i = 0; i < master.key.size(); ++i) master.key[i] = static_cast<uint8_t>(i * 5 + 1);
  for (size_t i = 0; i < master.salt.size(); ++i) master.salt[i] = static_cast<uint8_t>(0xa0 + i);
  return master;
}

class Srtp : public testing::TestWithParam<SrtpProfile> {
 protected:
  Bytes protect(uint64_t ext_seq, uint32_t ssrc = kSsrc) {
    const auto seq = static_cast<uint16_t>(ext_seq);
    Bytes out(1500);
    out.resize(MUST(outbound_.protect_rtp(rtp_header(seq, ssrc), payload_for(seq), ext_seq, out)));
    return out;
  }
  Bytes protect_rtcp(uint32_t ssrc = kSsrc) {
    Bytes out(1500);
    out.resize(MUST(outbound_.protect_rtcp(plain_rtcp(ssrc), out)));
    return out;
  }
  // By value: unprotecting is in place.
  SrtpVerdict unprotect(Bytes packet, Bytes* plain = nullptr) {
    size_t size = 0;
    const SrtpVerdict verdict = inbound_.unprotect_rtp(packet, 20, size);
    if (plain != nullptr && verdict == SrtpVerdict::Ok)
      plain->assign(packet.begin(), packet.begin() + size);
    return verdict;
  }
  SrtpVerdict unprotect_rtcp(Bytes packet, Bytes* plain = nullptr) {
    size_t size = 0;
    const SrtpVerdict verdict = inbound_.unprotect_rtcp(packet, size);
    if (plain != nullptr && verdict == SrtpVerdict::Ok)
      plain->assign(packet.begin(), packet.begin() + size);
    return verdict;
  }

  SrtpOutbound outbound_ = SrtpOutbound::create(GetParam(), test_master()).value();
  SrtpInbound inbound_ = SrtpInbound::create(GetParam(), test_master()).value();
};

TEST_P(Srtp, rtp_round_trip_yields_the_plain_packet) {
  Bytes plain;
  const Bytes packet = protect(1);
  EXPECT_EQ(packet.size(), plain_rtp(1).size() + srtp_tag_length(GetParam()));
  EXPECT_EQ(unprotect(packet, &plain), SrtpVerdict::Ok);
  EXPECT_EQ(plain, plain_rtp(1));
}

TEST_P(Srtp, rtp_without_payload_round_trips) {
  Bytes out(64);
  out.resize(MUST(outbound_.protect_rtp(rtp_header(7), ByteView(), 7, out)));
  Bytes plain;
  EXPECT_EQ(unprotect(out, &plain), SrtpVerdict::Ok);
  EXPECT_EQ(plain, rtp_header(7));
}

TEST_P(Srtp, payload_in_parts_is_the_same_packet_as_in_one) {
  const Bytes payload = payload_for(9);
  const std::array<ByteView, 4> parts = {ByteView(payload).first(1), ByteView(),
                                         ByteView(payload).subspan(1, 33),
                                         ByteView(payload).subspan(34)};
  auto other = MUST(SrtpOutbound::create(GetParam(), test_master()));
  Bytes out(1500);
  out.resize(MUST(other.protect_rtp(rtp_header(9), parts, 9, out)));
  EXPECT_EQ(out, protect(9));
}

TEST_P(Srtp, every_flipped_byte_of_rtp_is_refused_and_changes_no_state) {
  const Bytes packet = protect(1);
  for (size_t at = 0; at < packet.size(); ++at) {
    Bytes bad = packet;
    bad[at] ^= 0x40;
    EXPECT_EQ(unprotect(bad), SrtpVerdict::AuthFailed) << "byte " << at;
  }
  EXPECT_EQ(unprotect(packet), SrtpVerdict::Ok);
}

TEST_P(Srtp, every_flipped_byte_of_rtcp_is_refused_and_changes_no_state) {
  const Bytes packet = protect_rtcp();
  for (size_t at = 0; at < packet.size(); ++at) {
    Bytes bad = packet;
    bad[at] ^= 0x80;
    EXPECT_EQ(unprotect_rtcp(bad), SrtpVerdict::AuthFailed) << "byte " << at;
  }
  EXPECT_EQ(unprotect_rtcp(packet), SrtpVerdict::Ok);
}

TEST_P(Srtp, every_truncation_of_rtp_is_refused) {
  const Bytes packet = protect(1);
  const size_t shortest = 20 + srtp_tag_length(GetParam());
  for (size_t size = 0; size < packet.size(); ++size) {
    const SrtpVerdict expected = size < shortest ? SrtpVerdict::TooShort : SrtpVerdict::AuthFailed;
    EXPECT_EQ(unprotect(Bytes(packet.begin(), packet.begin() + size)), expected) << size;
  }
}

TEST_P(Srtp, every_truncation_of_rtcp_is_refused) {
  const Bytes packet = protect_rtcp();
  const size_t shortest = 8 + 4 + srtp_tag_length(GetParam());
  for (size_t size = 0; size < packet.size(); ++size) {
    const SrtpVerdict expected = size < shortest ? SrtpVerdict::TooShort : SrtpVerdict::AuthFailed;
    EXPECT_EQ(unprotect_rtcp(Bytes(packet.begin(), packet.begin() + size)), expected) << size;
  }
}

TEST_P(Srtp, header_length_beyond_the_packet_is_too_short) {
  Bytes packet = protect(1);
  size_t size = 0;
  EXPECT_EQ(inbound_.unprotect_rtp(packet, packet.size() + 1, size), SrtpVerdict::TooShort);
  EXPECT_EQ(inbound_.unprotect_rtp(packet, packet.size() - 1, size), SrtpVerdict::TooShort);
  EXPECT_EQ(inbound_.unprotect_rtp(packet, 11, size), SrtpVerdict::TooShort);
}

TEST_P(Srtp, replay_is_refused_within_the_window_and_too_old_behind_it) {
  const Bytes first = protect(1);
  const Bytes second = protect(2);
  const Bytes last = protect(1 + 1024);
  EXPECT_EQ(unprotect(first), SrtpVerdict::Ok);
  EXPECT_EQ(unprotect(first), SrtpVerdict::Replayed);
  EXPECT_EQ(unprotect(last), SrtpVerdict::Ok);
  EXPECT_EQ(unprotect(first), SrtpVerdict::TooOld);
  EXPECT_EQ(unprotect(second), SrtpVerdict::Ok);  // 1,023 behind: the last place of the window
  EXPECT_EQ(unprotect(second), SrtpVerdict::Replayed);
}

TEST_P(Srtp, rtcp_replay_is_refused) {
  const Bytes first = protect_rtcp();
  const Bytes second = protect_rtcp();
  EXPECT_EQ(unprotect_rtcp(second), SrtpVerdict::Ok);
  EXPECT_EQ(unprotect_rtcp(first), SrtpVerdict::Ok);
  EXPECT_EQ(unprotect_rtcp(first), SrtpVerdict::Replayed);
}

TEST_P(Srtp, rollover_is_followed_forward_and_backward) {
  const Bytes before = protect(65'534);
  const Bytes late = protect(65'535);
  const Bytes after = protect(65'536 + 3);
  EXPECT_EQ(unprotect(before), SrtpVerdict::Ok);
  EXPECT_EQ(unprotect(after), SrtpVerdict::Ok);
  EXPECT_EQ(unprotect(late), SrtpVerdict::Ok);
  EXPECT_EQ(unprotect(late), SrtpVerdict::Replayed);
  EXPECT_EQ(unprotect(protect(2 * 65'536 - 40'000)), SrtpVerdict::Ok);
}

TEST_P(Srtp, packet_from_before_the_first_rollover_counter_is_too_old) {
  const Bytes old = protect(65'535);
  const Bytes packet = protect(65'536 + 2);
  // The receiver never saw the stream before its rollover, so it takes the counter for zero.
  EXPECT_EQ(unprotect(packet), SrtpVerdict::AuthFailed);
  auto other = MUST(SrtpOutbound::create(GetParam(), test_master()));
  Bytes fresh(1500);
  fresh.resize(MUST(other.protect_rtp(rtp_header(2), payload_for(2), 2, fresh)));
  EXPECT_EQ(unprotect(fresh), SrtpVerdict::Ok);
  EXPECT_EQ(unprotect(old), SrtpVerdict::TooOld);
}

TEST_P(Srtp, an_index_is_encrypted_once_ever) {
  protect(100);
  protect(102);
  protect(101);  // a reordered packet may still go out once
  Bytes out(1500);
  const auto again = outbound_.protect_rtp(rtp_header(101), payload_for(101), 101, out);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::Conflict);
  protect(2'000);  // what is further behind than the window is refused, whether it was used or not
  const auto behind = outbound_.protect_rtp(rtp_header(976), payload_for(976), 976, out);
  ASSERT_FALSE(behind);
  EXPECT_EQ(behind.error().kind, ErrorKind::Conflict);
  EXPECT_TRUE(outbound_.protect_rtp(rtp_header(977), payload_for(977), 977, out));
  EXPECT_TRUE(outbound_.protect_rtp(rtp_header(101, kSsrc + 1), payload_for(101), 101, out));
}

TEST_P(Srtp, outbound_refuses_what_it_cannot_send) {
  Bytes out(1500);
  const Bytes header = rtp_header(5);
  const auto kind = [&](Result<size_t> result) {
    return result ? ErrorKind::NotFound : result.error().kind;
  };
  EXPECT_EQ(kind(outbound_.protect_rtp(header, payload_for(5), 6, out)), ErrorKind::Conflict);
  EXPECT_EQ(kind(outbound_.protect_rtp(header, payload_for(5), (uint64_t{1} << 48) + 5, out)),
            ErrorKind::Conflict);
  EXPECT_EQ(kind(outbound_.protect_rtp(ByteView(header).first(11), payload_for(5), 5, out)),
            ErrorKind::Malformed);
  const size_t exact = plain_rtp(5).size() + srtp_tag_length(GetParam());
  EXPECT_EQ(kind(outbound_.protect_rtp(header, payload_for(5), 5, ByteSpan(out).first(exact - 1))),
            ErrorKind::LimitExceeded);
  EXPECT_TRUE(outbound_.protect_rtp(header, payload_for(5), 5, ByteSpan(out).first(exact)));
  EXPECT_EQ(kind(outbound_.protect_rtcp(ByteView(plain_rtcp()).first(7), out)),
            ErrorKind::Malformed);
  EXPECT_EQ(kind(outbound_.protect_rtcp(plain_rtcp(), ByteSpan(out).first(28))),
            ErrorKind::LimitExceeded);
}

TEST_P(Srtp, inbound_ssrcs_are_bounded_and_known_ones_go_on) {
  for (uint32_t n = 0; n < limits::kSrtpInboundSsrcsMax; ++n)
    ASSERT_EQ(unprotect(protect(1, 5000 + n)), SrtpVerdict::Ok) << n;
  EXPECT_EQ(unprotect(protect(1, 1)), SrtpVerdict::TooManySsrcs);
  EXPECT_EQ(unprotect(protect(2, 5000)), SrtpVerdict::Ok);
  for (uint32_t n = 0; n < limits::kSrtpInboundSsrcsMax; ++n)
    ASSERT_EQ(unprotect_rtcp(protect_rtcp(5000 + n)), SrtpVerdict::Ok) << n;
  EXPECT_EQ(unprotect_rtcp(protect_rtcp(1)), SrtpVerdict::TooManySsrcs);
}

// --- libsrtp2 as the other end -----------------------------------------------------

class LibSrtp {
 public:
  LibSrtp(SrtpProfile profile, srtp_ssrc_type_t direction, bool encrypt_rtcp = true) {
    static const srtp_err_status_t started = srtp_init();
    EXPECT_EQ(started, srtp_err_status_ok);
    srtp_policy_t policy{};
    set_crypto(profile, policy.rtp);
    set_crypto(profile, policy.rtcp);
    if (!encrypt_rtcp) policy.rtcp.sec_serv = sec_serv_auth;
    policy.ssrc.type = direction;
    policy.window_size = 1024;
    const SrtpMaster master = test_master();
    key_.assign(master.key.begin(), master.key.begin() + srtp_key_length(profile));
    key_.insert(key_.end(), master.salt.begin(), master.salt.begin() + srtp_salt_length(profile));
    policy.key = key_.data();
    EXPECT_EQ(srtp_create(&session_, &policy), srtp_err_status_ok);
  }
  ~LibSrtp() { srtp_dealloc(session_); }

  Bytes protect(Bytes packet) { return run(srtp_protect, std::move(packet), 32); }
  Bytes unprotect(Bytes packet) { return run(srtp_unprotect, std::move(packet), 0); }
  Bytes protect_rtcp(Bytes packet) { return run(srtp_protect_rtcp, std::move(packet), 32); }
  Bytes unprotect_rtcp(Bytes packet) { return run(srtp_unprotect_rtcp, std::move(packet), 0); }

 private:
  static void set_crypto(SrtpProfile profile, srtp_crypto_policy_t& policy) {
    switch (profile) {
      case SrtpProfile::AeadAes128Gcm: return srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy);
      case SrtpProfile::AeadAes256Gcm: return srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy);
      case SrtpProfile::Aes128CmSha1_80:
        return srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy);
    }
  }
  // Empty when libsrtp refused.
  template <typename Function>
  Bytes run(Function function, Bytes packet, size_t room) {
    int size = static_cast<int>(packet.size());
    packet.resize(packet.size() + room);
    if (function(session_, packet.data(), &size) != srtp_err_status_ok) return {};
    packet.resize(static_cast<size_t>(size));
    return packet;
  }

  Bytes key_;
  srtp_t session_ = nullptr;
};

TEST_P(Srtp, libsrtp_opens_what_we_seal_across_a_rollover) {
  LibSrtp peer(GetParam(), ssrc_any_inbound);
  for (uint64_t ext_seq = 65'500; ext_seq < 65'600; ++ext_seq)
    ASSERT_EQ(peer.unprotect(protect(ext_seq)), plain_rtp(static_cast<uint16_t>(ext_seq)))
        << ext_seq;
  ASSERT_EQ(peer.unprotect_rtcp(protect_rtcp()), plain_rtcp());
  ASSERT_EQ(peer.unprotect_rtcp(protect_rtcp()), plain_rtcp());
}

TEST_P(Srtp, we_open_what_libsrtp_seals_across_two_rollovers) {
  LibSrtp peer(GetParam(), ssrc_any_outbound);
  uint16_t seq = 65'000;
  for (int n = 0; n < 700; ++n, ++seq) {
    Bytes plain;
    ASSERT_EQ(unprotect(peer.protect(plain_rtp(seq)), &plain), SrtpVerdict::Ok) << seq;
    ASSERT_EQ(plain, plain_rtp(seq));
  }
  for (int hop = 0; hop < 8; ++hop, seq = static_cast<uint16_t>(seq + 20'000))
    ASSERT_EQ(unprotect(peer.protect(plain_rtp(seq))), SrtpVerdict::Ok) << seq;
}

TEST_P(Srtp, we_open_reordered_packets_of_libsrtp) {
  LibSrtp peer(GetParam(), ssrc_any_outbound);
  std::vector<Bytes> packets;
  for (uint32_t n = 0; n < 200; ++n)
    packets.push_back(peer.protect(plain_rtp(static_cast<uint16_t>(65'450 + n))));
  EXPECT_EQ(unprotect(packets[0]), SrtpVerdict::Ok);
  for (size_t n = 199; n > 0; --n) ASSERT_EQ(unprotect(packets[n]), SrtpVerdict::Ok) << n;
  for (const Bytes& packet : packets) ASSERT_EQ(unprotect(packet), SrtpVerdict::Replayed);
}

TEST_P(Srtp, we_open_srtcp_of_libsrtp_encrypted_or_only_authenticated) {
  LibSrtp encrypting(GetParam(), ssrc_any_outbound);
  Bytes plain;
  EXPECT_EQ(unprotect_rtcp(encrypting.protect_rtcp(plain_rtcp()), &plain), SrtpVerdict::Ok);
  EXPECT_EQ(plain, plain_rtcp());

  LibSrtp authenticating(GetParam(), ssrc_any_outbound, /*encrypt_rtcp=*/false);
  const Bytes packet = authenticating.protect_rtcp(plain_rtcp(77));
  EXPECT_THAT(Bytes(packet.begin(), packet.begin() + 28), ElementsAreArray(plain_rtcp(77)));
  EXPECT_EQ(unprotect_rtcp(packet, &plain), SrtpVerdict::Ok);
  EXPECT_EQ(plain, plain_rtcp(77));
}

INSTANTIATE_TEST_SUITE_P(Profiles, Srtp,
                         testing::Values(SrtpProfile::AeadAes128Gcm, SrtpProfile::AeadAes256Gcm,
                                         SrtpProfile::Aes128CmSha1_80),
                         [](const auto& info) {
                           switch (info.param) {
                             case SrtpProfile::AeadAes128Gcm: return "gcm128";
                             case SrtpProfile::AeadAes256Gcm: return "gcm256";
                             case SrtpProfile::Aes128CmSha1_80: return "cm_sha1_80";
                           }
                           return "";
                         });

}  // namespace
}  // namespace atrium::media
