// Two associations back to back, over a network whose every datagram the test may lose, swap, repeat or bend.
#include "media/dtls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "base/crypto.h"
#include "base/seeded_secret_source.h"
#include "media/library_clock_testing.h"

namespace atrium::media {
namespace {

using testing::ElementsAre;
using testing::Lt;

const std::shared_ptr<const CertificateKey>& server_certificate() {
  static const auto made = make_certificate();
  return made;
}
const std::shared_ptr<const CertificateKey>& client_certificate() {
  static const auto made = make_certificate();
  return made;
}

using Flight = std::vector<Bytes>;
using Network = std::function<Flight(Flight)>;
Flight deliver_all(Flight flight) {
  return flight;
}

class DtlsPair : public testing::Test {
 protected:
  DtlsPair() { make(fingerprint(*client_certificate()), fingerprint(*server_certificate())); }

  void make(DtlsFingerprint server_expects, DtlsFingerprint client_expects,
            size_t client_mtu = 1'200) {
    server_ = Dtls::create({.certificate = server_certificate(),
                            .role = DtlsRole::Server,
                            .remote = server_expects},
                           clock_.now())
                  .value();
    client_ = Dtls::create({.certificate = client_certificate(),
                            .role = DtlsRole::Client,
                            .remote = client_expects,
                            .mtu = client_mtu},
                           clock_.now())
                  .value();
  }
  // Delivers what waits, through the two networks, until both ends are silent.
  void pump(const Network& to_server = deliver_all, const Network& to_client = deliver_all) {
    for (int round = 0; round < 20; ++round) {
      const Flight up = to_server(client_->take_datagrams());
      for (const Bytes& datagram : up) server_->on_datagram(datagram, clock_.now());
      const Flight down = to_client(server_->take_datagrams());
      for (const Bytes& datagram : down) client_->on_datagram(datagram, clock_.now());
      if (up.empty() && down.empty()) return;
    }
    FAIL() << "the ends never fall silent";
  }
  // Lets time pass up to the next deadline of either end.
  bool advance() {
    const Mono next = std::min(server_->next_deadline(), client_->next_deadline());
    if (next == kNever) return false;
    clock_.advance_to(next);
    server_->on_deadline(clock_.now());
    client_->on_deadline(clock_.now());
    return true;
  }
  bool both(DtlsState state) const {
    return server_->state() == state && client_->state() == state;
  }

  LibraryClock clock_;
  std::optional<Dtls> server_, client_;
};

TEST(DtlsCertificate, fingerprint_text_is_95_characters_of_upper_case_hex) {
  const std::string text = fingerprint_text(*server_certificate());
  EXPECT_EQ(text.size(), 95u);
  EXPECT_THAT(text, testing::MatchesRegex("([0-9A-F][0-9A-F]:)*[0-9A-F][0-9A-F]"));
  std::string plain;
  for (char c : text)
    if (c != ':') plain += c;
  const auto bytes = fingerprint(*server_certificate()).sha256;
  EXPECT_EQ(from_hex(plain).value(), Bytes(bytes.begin(), bytes.end()));
}

TEST_F(DtlsPair, connects_and_both_ends_export_the_same_keys) {
  pump();
  ASSERT_TRUE(both(DtlsState::Connected));
  const SrtpKeys server = server_->export_srtp().value();
  const SrtpKeys client = client_->export_srtp().value();
  EXPECT_EQ(server.profile, SrtpProfile::AeadAes128Gcm);
  EXPECT_EQ(server.client.key, client.client.key);
  EXPECT_EQ(server.client.salt, client.client.salt);
  EXPECT_EQ(server.server.key, client.server.key);
  EXPECT_EQ(server.server.salt, client.server.salt);
  EXPECT_NE(server.server.key, server.client.key);
}

TEST_F(DtlsPair, exported_keys_protect_from_one_end_to_the_other) {
  pump();
  const SrtpKeys keys = server_->export_srtp().value();
  auto outbound = SrtpOutbound::create(keys.profile, keys.server).value();
  auto inbound = SrtpInbound::create(keys.profile, client_->export_srtp().value().server).value();
  const Bytes header{0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9};
  Bytes out(200);
  out.resize(outbound.protect_rtp(header, as_bytes("hello"), 1, out).value());
  size_t size = 0;
  EXPECT_EQ(inbound.unprotect_rtp(out, 12, size), SrtpVerdict::Ok);
}

TEST_F(DtlsPair, no_deadline_remains_after_the_handshake) {
  EXPECT_EQ(server_->next_deadline(), kNever);
  EXPECT_EQ(client_->next_deadline(), clock_.now().mono + 200ms);
  pump();
  EXPECT_EQ(server_->next_deadline(), kNever);
  EXPECT_EQ(client_->next_deadline(), kNever);
}

TEST_F(DtlsPair, is_handshaking_and_refuses_to_send_or_export_before_it_is_connected) {
  EXPECT_TRUE(both(DtlsState::Handshaking));
  EXPECT_FALSE(client_->export_srtp());
  EXPECT_EQ(client_->send_application(as_bytes("early")).error().kind, ErrorKind::Unavailable);
}

TEST_F(DtlsPair, server_fails_when_the_client_is_another_than_signalled) {
  make(fingerprint(*server_certificate()), fingerprint(*server_certificate()));
  pump();
  EXPECT_EQ(server_->state(), DtlsState::Failed);
  EXPECT_EQ(server_->failure(), DtlsFailure::FingerprintMismatch);
  EXPECT_EQ(client_->state(), DtlsState::Failed);
  EXPECT_EQ(client_->failure(), DtlsFailure::Handshake);
  EXPECT_FALSE(server_->export_srtp());
}

TEST_F(DtlsPair, client_fails_when_the_server_is_another_than_signalled) {
  make(fingerprint(*client_certificate()), fingerprint(*client_certificate()));
  pump();
  EXPECT_EQ(client_->state(), DtlsState::Failed);
  EXPECT_EQ(client_->failure(), DtlsFailure::FingerprintMismatch);
  EXPECT_NE(server_->state(), DtlsState::Connected);
}

TEST_F(DtlsPair, no_datagram_is_larger_than_the_mtu) {
  size_t largest = 0;
  const Network measure = [&largest](Flight flight) {
    for (const Bytes& datagram : flight) largest = std::max(largest, datagram.size());
    return flight;
  };
  pump(measure, measure);
  ASSERT_TRUE(both(DtlsState::Connected));
  ASSERT_TRUE(client_->send_application(Bytes(1'200 - kDtlsRecordOverhead)));
  pump(measure, measure);
  EXPECT_EQ(largest, 1'200u);
}

TEST_F(DtlsPair, application_data_keeps_its_boundaries_both_ways) {
  pump();
  ASSERT_TRUE(client_->send_application(as_bytes("one")));
  ASSERT_TRUE(client_->send_application(as_bytes("two")));
  ASSERT_TRUE(server_->send_application(as_bytes("three")));
  const Flight datagrams = client_->take_datagrams();
  EXPECT_EQ(datagrams.size(), 2u);
  for (const Bytes& datagram : datagrams) server_->on_datagram(datagram, clock_.now());
  for (const Bytes& datagram : server_->take_datagrams())
    client_->on_datagram(datagram, clock_.now());
  const auto at_server = server_->take_application();
  ASSERT_EQ(at_server.size(), 2u);
  EXPECT_EQ(as_text(at_server[0]), "one");
  EXPECT_EQ(as_text(at_server[1]), "two");
  const auto at_client = client_->take_application();
  ASSERT_EQ(at_client.size(), 1u);
  EXPECT_EQ(as_text(at_client[0]), "three");
  EXPECT_EQ(client_->send_application(Bytes(1'200)).error().kind, ErrorKind::LimitExceeded);
  EXPECT_EQ(client_->send_application({}).error().kind, ErrorKind::Malformed);
}

// A hello as browsers send it, in two fragments (RFC 6347 section 4.2.3).  The client's first hello
// is lost and its repeat has record number 1, so that the fragments can have the numbers 0 and 1
// and the client's next record is still new.
Flight hello_in_two(Dtls& client, LibraryClock& clock) {
  constexpr size_t kRecordHeader = 13, kHeaders = 13 + 12;
  client.take_datagrams();
  clock.advance_to(client.next_deadline());
  client.on_deadline(clock.now());
  const Bytes whole = client.take_datagrams().at(0);
  const auto body = static_cast<uint32_t>(whole.size() - kHeaders);
  const auto fragment = [&](uint8_t record, uint32_t offset, uint32_t length) {
    Bytes out(kHeaders + length);
    ByteWriter writer(out);
    writer.bytes(ByteView(whole).first(10)), writer.u8(record);
    writer.u16(static_cast<uint16_t>(out.size() - kRecordHeader));
    writer.bytes(ByteView(whole).subspan(kRecordHeader, 6));
    writer.u24(offset), writer.u24(length);
    writer.bytes(ByteView(whole).subspan(kHeaders + offset, length));
    EXPECT_TRUE(writer.ok() && writer.remaining() == 0);
    return out;
  };
  return {fragment(0, 0, body / 2), fragment(1, body / 2, body - body / 2)};
}

TEST_F(DtlsPair, client_hello_in_two_datagrams_connects_in_order_and_swapped) {
  for (const bool is_swapped : {false, true}) {
    make(fingerprint(*client_certificate()), fingerprint(*server_certificate()));
    Flight hello = hello_in_two(*client_, clock_);
    if (is_swapped) std::ranges::reverse(hello);
    server_->on_datagram(hello[0], clock_.now());
    EXPECT_TRUE(server_->take_datagrams().empty());
    server_->on_datagram(hello[1], clock_.now());
    pump();
    EXPECT_TRUE(both(DtlsState::Connected)) << is_swapped;
  }
}

TEST_F(DtlsPair, lost_half_of_a_client_hello_is_made_good_by_the_clients_next_repeat) {
  const Flight hello = hello_in_two(*client_, clock_);
  const Mono start = clock_.now().mono;
  server_->on_datagram(hello[1], clock_.now());
  ASSERT_TRUE(advance());
  EXPECT_EQ(clock_.now().mono - start, 400ms);
  pump();
  EXPECT_TRUE(both(DtlsState::Connected));
  EXPECT_EQ(client_->counters().retransmits, 2u);
}

TEST_F(DtlsPair, every_single_lost_datagram_of_the_handshake_is_recovered_from) {
  // Flights are small; ten covers every datagram of the handshake and some that never come.
  for (int lost = 0; lost < 10; ++lost) {
    make(fingerprint(*client_certificate()), fingerprint(*server_certificate()), 300);
    int count = 0;
    const Network lossy = [&](Flight flight) {
      Flight kept;
      for (Bytes& datagram : flight)
        if (count++ != lost) kept.push_back(std::move(datagram));
      return kept;
    };
    const Mono start = clock_.now().mono;
    pump(lossy, lossy);
    for (int n = 0; n < 20 && !both(DtlsState::Connected) && advance(); ++n) pump(lossy, lossy);
    EXPECT_TRUE(both(DtlsState::Connected)) << "lost datagram " << lost;
    EXPECT_LT(clock_.now().mono - start, 1s) << "lost datagram " << lost;
  }
}

TEST_F(DtlsPair, reversed_and_doubled_flights_connect) {
  const Network bend = [](Flight flight) {
    Flight out(flight.rbegin(), flight.rend());
    out.insert(out.end(), flight.begin(), flight.end());
    return out;
  };
  make(fingerprint(*client_certificate()), fingerprint(*server_certificate()), 300);
  pump(bend, bend);
  for (int n = 0; n < 20 && !both(DtlsState::Connected) && advance(); ++n) pump(bend, bend);
  EXPECT_TRUE(both(DtlsState::Connected));
}

TEST_F(DtlsPair, lost_last_flight_is_repeated_when_the_client_repeats_its_own) {
  bool is_losing = false;
  const Network lose_last_flight = [&](Flight flight) {
    if (server_->state() == DtlsState::Connected && is_losing) return Flight();
    return flight;
  };
  is_losing = true;
  pump(deliver_all, lose_last_flight);
  ASSERT_EQ(server_->state(), DtlsState::Connected);
  ASSERT_EQ(client_->state(), DtlsState::Handshaking);
  is_losing = false;
  ASSERT_TRUE(advance());
  pump();
  EXPECT_TRUE(both(DtlsState::Connected));
}

TEST_F(DtlsPair, waits_double_up_to_three_seconds_and_end_as_timed_out) {
  std::vector<int64_t> waits_ms;
  Mono last = clock_.now().mono;
  client_->take_datagrams();
  while (client_->state() == DtlsState::Handshaking && waits_ms.size() < 50) {
    clock_.advance_to(client_->next_deadline());
    client_->on_deadline(clock_.now());
    client_->take_datagrams();
    waits_ms.push_back((clock_.now().mono - last).count() / 1'000);
    last = clock_.now().mono;
  }
  EXPECT_THAT(std::vector(waits_ms.begin(), waits_ms.begin() + 6),
              ElementsAre(200, 400, 800, 1'600, 3'000, 3'000));
  EXPECT_EQ(client_->state(), DtlsState::Failed);
  EXPECT_EQ(client_->failure(), DtlsFailure::TimedOut);
  EXPECT_EQ(client_->next_deadline(), kNever);
  EXPECT_THAT(waits_ms.size(), Lt(20u));
}

TEST_F(DtlsPair, early_deadline_call_does_nothing) {
  client_->take_datagrams();
  clock_.advance(100ms);
  client_->on_deadline(clock_.now());
  EXPECT_TRUE(client_->take_datagrams().empty());
  EXPECT_EQ(client_->counters().retransmits, 0u);
}

TEST_F(DtlsPair, destruction_says_nothing_and_close_says_close_notify) {
  pump();
  EXPECT_TRUE(client_->take_datagrams().empty());
  client_->close();
  EXPECT_EQ(client_->state(), DtlsState::Closed);
  EXPECT_EQ(client_->next_deadline(), kNever);
  pump();
  EXPECT_EQ(server_->state(), DtlsState::Closed);
  EXPECT_EQ(server_->failure(), DtlsFailure::None);
  EXPECT_FALSE(server_->send_application(as_bytes("late")));
  server_->on_datagram(Bytes(40, 22), clock_.now());
  EXPECT_EQ(server_->counters().dropped_after_end, 1u);
}

TEST_F(DtlsPair, tampered_application_data_is_dropped_and_the_association_goes_on) {
  pump();
  ASSERT_TRUE(client_->send_application(as_bytes("honest")));
  const Bytes datagram = client_->take_datagrams().at(0);
  for (size_t at = 0; at < datagram.size(); ++at) {
    Bytes bad = datagram;
    bad[at] ^= 0x10;
    server_->on_datagram(bad, clock_.now());
    server_->on_datagram(ByteView(datagram).first(at), clock_.now());
  }
  EXPECT_TRUE(server_->take_application().empty());
  EXPECT_EQ(server_->state(), DtlsState::Connected);
  server_->on_datagram(datagram, clock_.now());
  server_->on_datagram(datagram, clock_.now());  // RFC 6347 section 4.1.2.6: the repeat is dropped
  EXPECT_EQ(server_->take_application().size(), 1u);
}

// Whoever knows a client's address can send these.
TEST_F(DtlsPair, records_of_any_shape_without_the_key_end_nothing) {
  pump();
  ASSERT_TRUE(both(DtlsState::Connected));
  SeededSecretSource random(7);
  const auto below = [&](uint64_t n) { return random.next() % n; };
  for (int i = 0; i < 20'000; ++i) {
    Bytes datagram(13 + below(60));
    random.fill(datagram);
    datagram[0] = static_cast<uint8_t>(20 + below(6));
    if (below(8) != 0) datagram[1] = 0xfe, datagram[2] = 0xfd;
    datagram[3] = 0, datagram[4] = static_cast<uint8_t>(below(3));
    if (below(2) == 0) std::fill(datagram.begin() + 5, datagram.begin() + 10, uint8_t{0});
    const size_t length = below(3) == 0 ? below(70) : datagram.size() - 13;
    datagram[11] = static_cast<uint8_t>(length >> 8), datagram[12] = static_cast<uint8_t>(length);
    for (Dtls* end : {&*server_, &*client_}) {
      end->on_datagram(datagram, clock_.now());
      end->take_datagrams();
    }
    ASSERT_TRUE(both(DtlsState::Connected)) << i;
  }
  EXPECT_TRUE(server_->take_application().empty());
  ASSERT_TRUE(client_->send_application(as_bytes("honest")));
  for (const Bytes& datagram : client_->take_datagrams())
    server_->on_datagram(datagram, clock_.now());
  EXPECT_EQ(server_->take_application().size(), 1u);
}

TEST_F(DtlsPair, application_queue_and_outgoing_list_are_bounded) {
  pump();
  for (int n = 0; n < 200; ++n) ASSERT_TRUE(client_->send_application(as_bytes("x")));
  const Flight datagrams = client_->take_datagrams();
  EXPECT_EQ(datagrams.size(), 64u);
  EXPECT_EQ(client_->counters().dropped_outgoing_full, 136u);
  for (const Bytes& datagram : datagrams) server_->on_datagram(datagram, clock_.now());
  ASSERT_TRUE(client_->send_application(as_bytes("x")));
  for (const Bytes& datagram : client_->take_datagrams())
    server_->on_datagram(datagram, clock_.now());
  EXPECT_EQ(server_->take_application().size(), 64u);
  EXPECT_EQ(server_->counters().dropped_application_full, 1u);
}

TEST_F(DtlsPair, moves_without_losing_the_association) {
  pump();
  Dtls moved = std::move(*server_);
  ASSERT_TRUE(client_->send_application(as_bytes("still there")));
  for (const Bytes& datagram : client_->take_datagrams()) moved.on_datagram(datagram, clock_.now());
  EXPECT_EQ(moved.take_application().size(), 1u);
}

}  // namespace
}  // namespace atrium::media
