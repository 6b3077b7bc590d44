// A link against the server's half of a transport: a lite ICE agent, a DTLS server and its SRTP.
#include "client/peer_link.h"

#include <gtest/gtest.h>

#include "base/seeded_secret_source.h"
#include "wire/rtp.h"
#include "wire/stun.h"

namespace atrium::client {
namespace {

const SocketAddress kServer{*IpAddress::parse("127.0.0.1"), 7'000};
const SocketAddress kClient{*IpAddress::parse("127.0.0.1"), 8'000};

class PeerLinkTest : public ::testing::Test {
 protected:
  PeerLinkTest() : server_(media::make_certificate()), client_(media::make_certificate()) {}

  PeerLink make(std::optional<media::SrtpProfile> only = std::nullopt) {
    return PeerLink({TransportId{1}, client_, only}, secrets_);
  }
  PeerLinkPlan plan() const {
    return {.local = {"cufrag", "cpasswordcpasswordcpassword"},
            .remote = {"sufrag", "spasswordspasswordspassword"},
            .fingerprint = media::fingerprint(*server_),
            .candidates = {kServer}};
  }
  void serve(media::DtlsFingerprint expected) {
    dtls_.emplace(media::Dtls::create({.certificate = server_, .remote = expected}, now_).value());
  }
  // Carries what either side says to the other until both are silent.
  void pump(PeerLink& link) {
    for (int round = 0; round < 30; ++round) {
      auto up = link.take_datagrams();
      std::vector<Bytes> down;
      for (auto& one : up) on_server(one.bytes, down);
      for (Bytes& bytes : down) link.on_datagram(bytes, kServer, now_);
      if (up.empty() && down.empty()) return;
    }
    FAIL() << "never silent";
  }
  void on_server(ByteView datagram, std::vector<Bytes>& down) {
    if (wire::classify_datagram(datagram) == wire::DatagramKind::Stun) {
      const auto message = wire::parse_stun(datagram).value();
      ASSERT_TRUE(ice_.is_authentic(message));
      std::array<uint8_t, wire::kStunWriteBytesMax> reply;
      const auto answer = ice_.on_request(message, {kServer, kClient}, now_.mono, reply);
      down.emplace_back(reply.begin(), reply.begin() + static_cast<ptrdiff_t>(answer.reply_bytes));
      return;
    }
    dtls_->on_datagram(datagram, now_);
    for (Bytes& one : dtls_->take_datagrams()) down.push_back(std::move(one));
  }
  PeerLink connected() {
    serve(media::fingerprint(*client_));
    PeerLink link = make();
    link.open(plan(), now_);
    pump(link);
    return link;
  }

  Now now_{Mono(1s), Wall(1s)};
  SeededSecretSource secrets_{6};
  std::shared_ptr<const media::CertificateKey> server_, client_;
  media::IceAgent ice_{{"sufrag", "spasswordspasswordspassword"},
                       {"cufrag", "cpasswordcpasswordcpassword"}};
  std::optional<media::Dtls> dtls_;
  const Bytes header_{0x80, 96, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9};
};

TEST_F(PeerLinkTest, comes_up_and_asks_for_sctp) {
  PeerLink link = connected();
  EXPECT_EQ(link.state(), PeerLink::State::Up);
  EXPECT_EQ(dtls_->state(), media::DtlsState::Connected);
  EXPECT_EQ(link.profile(), media::SrtpProfile::AeadAes128Gcm);
  ASSERT_NE(link.remote(), nullptr);
  EXPECT_EQ(*link.remote(), kServer);
  const auto sctp = link.take_sctp();
  ASSERT_EQ(sctp.size(), 1u);
  EXPECT_TRUE(std::get<media::SctpOpen>(sctp[0]).is_dtls_client);
}

TEST_F(PeerLinkTest, media_goes_both_ways) {
  PeerLink link = connected();
  const auto keys = dtls_->export_srtp().value();
  auto inbound = media::SrtpInbound::create(keys.profile, keys.client).value();
  auto outbound = media::SrtpOutbound::create(keys.profile, keys.server).value();
  const Bytes payload{1, 2, 3, 4};
  Bytes packet(100);
  packet.resize(link.protect_rtp(header_, payload, 5, packet).value());
  size_t size = 0;
  ASSERT_EQ(inbound.unprotect_rtp(packet, 12, size), media::SrtpVerdict::Ok);
  EXPECT_EQ(Bytes(packet.begin() + 12, packet.begin() + static_cast<ptrdiff_t>(size)), payload);

  Bytes down(100);
  down.resize(outbound.protect_rtp(header_, payload, 5, down).value());
  Bytes again = down;
  const auto taken = link.on_datagram(down, kServer, now_);
  ASSERT_EQ(taken.arrival, PeerLink::Arrival::Rtp);
  EXPECT_EQ(Bytes(taken.plain.begin() + 12, taken.plain.end()), payload);
  EXPECT_EQ(link.on_datagram(again, kServer, now_).arrival, PeerLink::Arrival::Dropped)
      << "a replay";
  EXPECT_EQ(link.bad_packets(), 1u);
}

TEST_F(PeerLinkTest, a_bent_packet_is_dropped_and_counted) {
  PeerLink link = connected();
  const auto keys = dtls_->export_srtp().value();
  auto outbound = media::SrtpOutbound::create(keys.profile, keys.server).value();
  Bytes down(100);
  down.resize(outbound.protect_rtp(header_, Bytes{1, 2, 3, 4}, 5, down).value());
  down[13] ^= 1;
  EXPECT_EQ(link.on_datagram(down, kServer, now_).arrival, PeerLink::Arrival::Dropped);
  EXPECT_EQ(link.bad_packets(), 1u);
}

TEST_F(PeerLinkTest, only_the_profile_that_was_asked_for_is_offered) {
  serve(media::fingerprint(*client_));
  PeerLink link = make(media::SrtpProfile::Aes128CmSha1_80);
  link.open(plan(), now_);
  pump(link);
  EXPECT_EQ(link.profile(), media::SrtpProfile::Aes128CmSha1_80);
}

TEST_F(PeerLinkTest, another_certificate_than_was_signalled_is_no_peer) {
  serve(media::fingerprint(*client_));
  PeerLink link = make();
  PeerLinkPlan wrong = plan();
  wrong.fingerprint.sha256[0] ^= 1;
  link.open(std::move(wrong), now_);
  pump(link);
  EXPECT_EQ(link.state(), PeerLink::State::Down);
}

TEST_F(PeerLinkTest, silence_ends_consent) {
  PeerLink link = connected();
  for (int second = 0; second < 40 && link.state() == PeerLink::State::Up; ++second) {
    now_.mono += std::chrono::seconds(1);
    link.on_deadline(now_);
    link.take_datagrams();  // nobody answers
  }
  EXPECT_EQ(link.state(), PeerLink::State::Down);
  EXPECT_EQ(link.next_deadline(), kNever);
}

TEST_F(PeerLinkTest, consent_is_renewed_while_the_server_answers) {
  PeerLink link = connected();
  for (int second = 0; second < 40; ++second) {
    now_.mono += std::chrono::seconds(1);
    link.on_deadline(now_);
    pump(link);
  }
  EXPECT_EQ(link.state(), PeerLink::State::Up);
}

TEST_F(PeerLinkTest, nothing_is_sent_or_taken_before_it_is_up) {
  PeerLink link = make();
  Bytes out(100);
  EXPECT_FALSE(link.protect_rtp(header_, Bytes{1}, 5, out));
  Bytes packet{0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(link.on_datagram(packet, kServer, now_).arrival, PeerLink::Arrival::Dropped);
  EXPECT_EQ(link.next_deadline(), kNever);
}

TEST(ReadFingerprint, what_is_none_matches_nothing) {
  EXPECT_EQ(read_fingerprint("zz:11"), media::DtlsFingerprint{});
  EXPECT_EQ(read_fingerprint(""), media::DtlsFingerprint{});
  const auto certificate = media::make_certificate();
  EXPECT_EQ(read_fingerprint(media::fingerprint_text(*certificate)),
            media::fingerprint(*certificate));
}

}  // namespace
}  // namespace atrium::client
