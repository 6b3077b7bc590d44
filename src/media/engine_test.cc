// Scenarios of the whole media core: a server engine and dialling ones, real DTLS and SRTP, virtual time.
#include "media/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "media/engine_scenario_testing.h"
#include "wire/stun.h"

namespace atrium::media {
namespace {

using namespace testing_world;

// --- coming up -----------------------------------------------------------------------------------------------------

TEST_F(EngineScenario, transports_come_up_over_ice_and_dtls_and_are_reported_once) {
  connect_both();
  const auto ups = world_.reports<TransportUp>();
  ASSERT_EQ(ups.size(), 2u);
  EXPECT_EQ(ups[0].transport, publisher_->server_id);
  EXPECT_EQ(ups[0].remote, publisher_->socket);
  EXPECT_EQ(world_.sctp_commands<SctpOpen>().size(), 2u);
  world_.run(20s);
  EXPECT_EQ(world_.reports<TransportUp>().size(), 2u);
  EXPECT_TRUE(world_.reports<TransportDown>().empty());
}

TEST_F(EngineScenario, handshake_survives_the_loss_of_every_third_datagram) {
  int count = 0;
  world_.loss = [&](const EngineWorld::Passing&) { return ++count % 3 == 0; };
  Peer& peer = world_.connect(1);
  world_.run(20s);
  EXPECT_TRUE(peer.is_up);
  EXPECT_EQ(world_.reports<TransportUp>().size(), 1u);
}

TEST_F(EngineScenario, wrong_password_is_ignored_without_an_answer) {
  Peer& peer = world_.add_peer(1);
  world_.server.on_command(world_.server_side(peer, LifeId{1}), world_.now());
  peer.remote.password = "not the password at all";
  peer.engine.on_command(world_.client_side(peer), world_.now());
  world_.run(2s);
  EXPECT_FALSE(peer.is_up);
  EXPECT_GT(world_.drops(DropReason::StunBadIntegrity), 5u);
  EXPECT_EQ(world_.server.counters().datagrams_out, 0u);
}

TEST_F(EngineScenario, an_authenticated_check_does_not_take_the_path_of_another_live_transport) {
  with_audio();
  Peer& thief = world_.add_peer(3);
  world_.server.on_command(world_.server_side(thief, LifeId{1}), world_.now());
  std::array<uint8_t, wire::kStunWriteBytesMax> room;
  const std::string username = thief.remote.ufrag + ":" + thief.local.ufrag;
  wire::StunBindingRequest request;
  request.username = username;
  request.use_candidate = true;
  const auto check = wire::write_binding_request(room, request, thief.remote.password).value();
  world_.raw_to_server(Bytes(check.begin(), check.end()), subscriber_->socket);
  world_.run(50ms);
  EXPECT_EQ(world_.drops(DropReason::TupleTaken), 1u);
  send_audio(1);
  world_.run(50ms);
  EXPECT_EQ(subscriber_->rtp.size(), 1u);
}

TEST_F(EngineScenario, unknown_ufrag_is_counted) {
  Peer& peer = world_.add_peer(1);
  world_.server_side(peer, LifeId{1});
  peer.engine.on_command(world_.client_side(peer), world_.now());
  world_.run(500ms);
  EXPECT_GT(world_.drops(DropReason::StunUnknownUfrag), 0u);
}

TEST_F(EngineScenario, dtls_and_srtp_from_a_tuple_without_authenticated_check_are_dropped) {
  connect_both();
  const uint64_t before = world_.server.counters().datagrams_out;
  Bytes client_hello(200, 0);
  client_hello[0] = 22;
  world_.raw_to_server(client_hello, address("203.0.113.9", 5'555));
  Bytes srtp(100, 0);
  srtp[0] = 0x80;
  world_.raw_to_server(srtp, address("203.0.113.9", 5'555));
  world_.run(50ms);
  EXPECT_EQ(world_.drops(DropReason::UnknownTuple), 2u);
  EXPECT_EQ(world_.server.counters().datagrams_out, before);
}

TEST_F(EngineScenario, another_certificate_than_the_signalled_one_is_reported_as_mismatch) {
  Peer& peer = world_.add_peer(1);
  OpenTransport open = world_.server_side(peer, LifeId{1});
  open.remote_fingerprint.sha256[0] ^= 1;
  world_.server.on_command(open, world_.now());
  peer.engine.on_command(world_.client_side(peer), world_.now());
  world_.run(2s);
  const auto downs = world_.reports<TransportDown>();
  ASSERT_EQ(downs.size(), 1u);
  EXPECT_EQ(downs[0].reason, DownReason::FingerprintMismatch);
  EXPECT_TRUE(world_.reports<TransportUp>().empty());
}

TEST_F(EngineScenario, silence_for_the_consent_time_is_reported_and_stops_media) {
  with_audio();
  world_.loss = [&](const EngineWorld::Passing& passing) {
    return passing.to_server && passing.is_stun() && passing.peer == subscriber_->socket;
  };
  world_.run(31s);
  const auto downs = world_.reports<TransportDown>();
  ASSERT_EQ(downs.size(), 1u);
  EXPECT_EQ(downs[0].transport, subscriber_->server_id);
  EXPECT_EQ(downs[0].reason, DownReason::ConsentLost);
  send_audio(1);
  world_.run(100ms);
  EXPECT_TRUE(subscriber_->rtp.empty());
  EXPECT_GT(world_.drops(DropReason::SubscriberNotReady), 0u);
}

TEST_F(EngineScenario, a_path_that_comes_back_after_lost_consent_is_up_again) {
  with_audio();
  world_.loss = [&](const EngineWorld::Passing& passing) {
    return passing.to_server && passing.is_stun() && passing.peer == subscriber_->socket;
  };
  world_.run(31s);
  world_.loss = [](const EngineWorld::Passing&) { return false; };
  world_.run(5s);
  EXPECT_EQ(world_.reports<TransportUp>().size(), 3u);
  send_audio(1);
  world_.run(100ms);
  EXPECT_EQ(subscriber_->rtp.size(), 1u);
}

TEST_F(EngineScenario, ice_restart_takes_old_checks_until_the_new_credentials_nominate) {
  connect_both();
  const IceCredentials fresh_local{"fresh-server", "fresh-server-password-22"};
  const IceCredentials fresh_remote{"fresh-client", "fresh-client-password-22"};
  world_.command(RestartIce{subscriber_->server_id, fresh_local, fresh_remote});
  world_.run(10s);  // keepalives under the old credentials go on being answered
  EXPECT_EQ(world_.drops(DropReason::StunBadIntegrity), 0u);
  EXPECT_EQ(world_.drops(DropReason::StunUnknownUfrag), 0u);

  subscriber_->engine.on_command(RestartIce{subscriber_->id, fresh_remote, fresh_local},
                                 world_.now());
  world_.run(1s);
  EXPECT_EQ(world_.drops(DropReason::StunUnknownUfrag), 0u);
  world_.command(opus_uplink(publisher_->server_id, kAudio, kAudioSsrc));
  world_.command(forward_to(subscriber_->server_id, kAudio, kDownAudio, kOpus));
  send_audio(1);
  world_.run(100ms);
  EXPECT_EQ(subscriber_->rtp.size(), 1u);  // same keys, same streams
  EXPECT_TRUE(world_.reports<TransportDown>().empty());
}

// --- audio ---------------------------------------------------------------------------------------------------------

TEST_F(EngineScenario, opus_is_forwarded_with_numbers_and_extensions_of_the_subscriber) {
  with_audio();
  for (uint16_t seq = 500; seq < 510; ++seq) send_audio(seq, 30);
  world_.run(100ms);
  const auto seen = subscriber_->of_ssrc(kDownAudio);
  ASSERT_EQ(seen.size(), 10u);
  for (size_t i = 1; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i]->header.seq, static_cast<uint16_t>(seen[i - 1]->header.seq + 1));
    EXPECT_EQ(seen[i]->header.timestamp, seen[i - 1]->header.timestamp + 960);
  }
  EXPECT_EQ(seen[0]->header.payload_type, kOpus);
  EXPECT_EQ(Bytes(seen[0]->header.payload.begin(), seen[0]->header.payload.end()),
            (Bytes{0x42, 500 & 0xff}));
  std::map<int, Bytes> elements;
  wire::ExtensionReader reader(seen[0]->header);
  while (const auto element = reader.next())
    elements[element->id] = Bytes(element->data.begin(), element->data.end());
  ASSERT_EQ(elements.size(), 3u);
  EXPECT_EQ(elements[9], (Bytes{'7'}));
  EXPECT_EQ(elements[10].size(), 3u);
  EXPECT_EQ(elements[11], (Bytes{0x80 | 30}));
  EXPECT_EQ(world_.reports<UplinkStarted>().size(), 1u);
  EXPECT_EQ(world_.reports<UplinkStarted>()[0].track, kAudio);
}

TEST_F(EngineScenario, loss_upstream_stays_visible_downstream) {
  with_audio();
  send_audio(1);
  send_audio(2);
  send_audio(5);
  world_.run(100ms);
  const auto seen = subscriber_->of_ssrc(kDownAudio);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[2]->header.seq, static_cast<uint16_t>(seen[1]->header.seq + 3));
}

TEST_F(EngineScenario, muting_leaves_no_gap_in_the_numbers) {
  with_audio();
  send_audio(1);
  world_.run(50ms);
  world_.command(SetUplinkMuted{kAudio, true});
  send_audio(2);
  send_audio(3);
  world_.run(50ms);
  world_.command(SetUplinkMuted{kAudio, false});
  send_audio(4);
  world_.run(50ms);
  const auto seen = subscriber_->of_ssrc(kDownAudio);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1]->header.seq, static_cast<uint16_t>(seen[0]->header.seq + 1));
  EXPECT_EQ(seen[1]->header.timestamp, seen[0]->header.timestamp + 3 * 960);
  EXPECT_EQ(world_.drops(DropReason::UplinkMuted), 2u);
}

TEST_F(EngineScenario, pausing_one_subscription_leaves_no_gap_and_counts_its_drops) {
  with_audio();
  send_audio(1);
  world_.run(50ms);
  world_.command(PauseForward{subscriber_->server_id, kAudio, true});
  send_audio(2);
  world_.run(50ms);
  world_.command(PauseForward{subscriber_->server_id, kAudio, false});
  send_audio(3);
  world_.run(50ms);
  const auto seen = subscriber_->of_ssrc(kDownAudio);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1]->header.seq, static_cast<uint16_t>(seen[0]->header.seq + 1));
  EXPECT_EQ(world_.drops(DropReason::ForwardPaused), 1u);
}

TEST_F(EngineScenario, padding_only_packets_close_up) {
  with_audio();
  send_audio(1);
  world_.inject(
      *publisher_,
      make_rtp({.seq = 2, .timestamp = 960, .ssrc = kAudioSsrc, .payload = {}, .padding = 20}));
  send_audio(3);
  world_.run(50ms);
  const auto seen = subscriber_->of_ssrc(kDownAudio);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1]->header.seq, static_cast<uint16_t>(seen[0]->header.seq + 1));
  EXPECT_EQ(world_.drops(DropReason::PaddingOnly), 1u);
}

TEST_F(EngineScenario, redundant_audio_is_unwrapped_to_its_primary) {
  connect_both();
  AddUplink uplink = opus_uplink(publisher_->server_id, kAudio, kAudioSsrc);
  uplink.red_payload_type = 63;
  world_.command(uplink);
  world_.command(forward_to(subscriber_->server_id, kAudio, kDownAudio, kOpus));
  // One redundant block of two bytes, then the primary.
  const Bytes red{0x80 | kOpus, 0x0f, 0x00, 0x02, kOpus, 0xde, 0xad, 0x42, 0x43};
  world_.inject(*publisher_,
                make_rtp({.payload_type = 63, .seq = 1, .ssrc = kAudioSsrc, .payload = red}));
  world_.run(50ms);
  ASSERT_EQ(subscriber_->rtp.size(), 1u);
  const auto& header = subscriber_->rtp[0].header;
  EXPECT_EQ(header.payload_type, kOpus);
  EXPECT_EQ(Bytes(header.payload.begin(), header.payload.end()), (Bytes{0x42, 0x43}));
}

TEST_F(EngineScenario, a_publisher_that_changes_its_ssrc_continues_without_a_gap) {
  connect_both();
  AddUplink uplink = opus_uplink(publisher_->server_id, kAudio, kAudioSsrc);
  uplink.ssrc.reset();
  world_.command(uplink);
  world_.command(forward_to(subscriber_->server_id, kAudio, kDownAudio, kOpus));
  world_.inject(*publisher_, make_rtp({.seq = 10, .timestamp = 5, .ssrc = 0xa1, .mid = "0"}));
  world_.run(20ms);
  world_.inject(*publisher_,
                make_rtp({.seq = 60'000, .timestamp = 3'000'000'000u, .ssrc = 0xa2, .mid = "0"}));
  world_.run(50ms);
  const auto seen = subscriber_->of_ssrc(kDownAudio);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1]->header.seq, static_cast<uint16_t>(seen[0]->header.seq + 1));
  EXPECT_NEAR(seen[1]->header.timestamp - seen[0]->header.timestamp, 960, 50);
}

TEST_F(EngineScenario, unknown_streams_payload_types_and_repeats_are_counted_by_name) {
  with_audio();
  send_audio(1);
  world_.inject(*publisher_, make_rtp({.payload_type = 33, .seq = 9, .ssrc = 0xdddd}));
  world_.inject(*publisher_, make_rtp({.payload_type = 33, .seq = 2, .ssrc = kAudioSsrc}));
  world_.run(50ms);
  EXPECT_EQ(world_.drops(DropReason::RtpUnknownStream), 1u);
  EXPECT_EQ(world_.drops(DropReason::RtpUnknownPayloadType), 1u);
}

TEST_F(EngineScenario, a_replayed_datagram_is_refused) {
  with_audio();
  Bytes copy;
  world_.loss = [&](const EngineWorld::Passing& passing) {
    if (passing.to_server && passing.is_media())
      copy.assign(passing.bytes.begin(), passing.bytes.end());
    return false;
  };
  send_audio(1);
  world_.run(50ms);
  world_.raw_to_server(copy, publisher_->socket);
  world_.run(50ms);
  EXPECT_EQ(world_.drops(DropReason::SrtpRefused), 1u);
  EXPECT_EQ(subscriber_->rtp.size(), 1u);
}

TEST_F(EngineScenario, loudness_is_reported_at_most_every_200_ms) {
  with_audio();
  for (uint16_t seq = 1; seq <= 50; ++seq) {
    send_audio(seq, seq == 30 ? 5 : 60);
    world_.run(20ms);
  }
  const auto levels = world_.reports<AudioLevel>();
  EXPECT_GE(levels.size(), 4u);
  EXPECT_LE(levels.size(), 6u);
  EXPECT_TRUE(
      std::ranges::any_of(levels, [](const AudioLevel& level) { return level.level_dbov == 5; }));
}

TEST_F(EngineScenario, an_ssrc_is_never_used_again_under_the_same_keys) {
  with_audio();
  world_.command(vp8_uplink(publisher_->server_id, kVideo));
  world_.command(RemoveForward{subscriber_->server_id, kAudio});
  world_.command(forward_to(subscriber_->server_id, kVideo, kDownAudio, kVp8));
  EXPECT_EQ(world_.drops(DropReason::ForwardSsrcReused), 1u);
  world_.command(forward_to(subscriber_->server_id, kAudio, kDownAudio, kOpus));
  EXPECT_EQ(world_.drops(DropReason::ForwardSsrcReused), 2u);
  EXPECT_EQ(world_.server.counters().forwarders, 0u);
}

TEST_F(EngineScenario, removing_one_of_many_subscribers_leaves_the_others_theirs) {
  with_audio();
  Peer& third = world_.connect(3);
  Peer& fourth = world_.connect(4);
  world_.command(forward_to(third.server_id, kAudio, 0x3000, kOpus));
  world_.command(forward_to(fourth.server_id, kAudio, 0x4000, kOpus));
  world_.command(RemoveForward{subscriber_->server_id, kAudio});
  send_audio(1);
  world_.run(50ms);
  EXPECT_TRUE(subscriber_->rtp.empty());
  EXPECT_EQ(third.of_ssrc(0x3000).size(), 1u);
  EXPECT_EQ(fourth.of_ssrc(0x4000).size(), 1u);
  world_.command(RemoveForward{fourth.server_id, kAudio});
  world_.command(RemoveForward{third.server_id, kAudio});
  EXPECT_EQ(world_.server.counters().forwarders, 0u);
}

// --- video ---------------------------------------------------------------------------------------------------------

TEST_F(EngineScenario, video_begins_at_a_key_frame_and_asks_for_one) {
  with_video();
  for (uint16_t seq = 100; seq < 105; ++seq) {
    send_video(seq, false, seq);
    world_.run(30ms);
  }
  EXPECT_TRUE(subscriber_->rtp.empty());
  EXPECT_EQ(world_.drops(DropReason::WaitingForKeyFrame), 5u);
  EXPECT_EQ(plis_at_publisher(), 1u);
  send_video(105, true, 105);
  send_video(106, false, 106);
  world_.run(50ms);
  const auto seen = subscriber_->of_ssrc(kDownVideo);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1]->header.seq, static_cast<uint16_t>(seen[0]->header.seq + 1));
}

TEST_F(EngineScenario, key_frame_requests_of_many_subscribers_become_one_per_interval) {
  with_video();
  send_video(1, true, 1);
  world_.run(600ms);
  const uint64_t before = plis_at_publisher();
  for (int i = 0; i < 40; ++i) {
    world_.inject(*subscriber_, make_pli(kDownVideo));
    world_.run(25ms);
  }
  EXPECT_GE(plis_at_publisher() - before, 2u);
  EXPECT_LE(plis_at_publisher() - before, 3u);
  EXPECT_EQ(world_.server.counters().plis_received, 40u);
}

TEST_F(EngineScenario, an_unanswered_key_frame_request_is_repeated_until_a_key_frame_comes) {
  with_video();
  send_video(1, false, 1);
  world_.run(2'100ms);
  const uint64_t asked = plis_at_publisher();
  EXPECT_GE(asked, 4u);
  EXPECT_LE(asked, 5u);
  send_video(2, true, 2);
  world_.run(50ms);
  const uint64_t then = plis_at_publisher();
  world_.run(3s);
  EXPECT_EQ(plis_at_publisher(), then);
}

TEST_F(EngineScenario, a_packet_lost_on_the_way_down_comes_again_as_rtx) {
  with_video();
  send_video(1, true, 1);
  world_.run(50ms);
  int media = 0;
  world_.loss = [&](const EngineWorld::Passing& passing) {
    return !passing.to_server && passing.is_media() && ++media == 1;
  };
  send_video(2, false, 2);
  send_video(3, false, 3);
  world_.run(50ms);
  const auto seen = subscriber_->of_ssrc(kDownVideo);
  ASSERT_EQ(seen.size(), 2u);
  const auto missing = static_cast<uint16_t>(seen[0]->header.seq + 1);
  ASSERT_EQ(seen[1]->header.seq, static_cast<uint16_t>(missing + 1));
  world_.inject(*subscriber_, make_nack(kDownVideo, {missing}));
  world_.run(50ms);
  const auto repeats = subscriber_->of_ssrc(kDownVideo + 1);
  ASSERT_EQ(repeats.size(), 1u);
  EXPECT_EQ(repeats[0]->header.payload_type, kRtx);
  const ByteView payload = repeats[0]->header.payload;
  EXPECT_EQ((payload[0] << 8) | payload[1], missing);
  EXPECT_EQ(payload.back(), 2);  // the tag of packet 2
  EXPECT_EQ(repeats[0]->header.timestamp, seen[0]->header.timestamp + 3'000);
}

TEST_F(EngineScenario, asking_twice_at_once_gets_one_repeat_and_asking_for_the_unsent_gets_none) {
  with_video();
  send_video(1, true, 1);
  world_.run(50ms);
  const uint16_t seq = subscriber_->of_ssrc(kDownVideo)[0]->header.seq;
  world_.inject(*subscriber_, make_nack(kDownVideo, {seq}));
  world_.inject(*subscriber_, make_nack(kDownVideo, {seq}));
  world_.inject(*subscriber_, make_nack(kDownVideo, {static_cast<uint16_t>(seq + 5)}));
  world_.inject(*subscriber_, make_nack(0x7777, {seq}));
  world_.run(50ms);
  EXPECT_EQ(subscriber_->of_ssrc(kDownVideo + 1).size(), 1u);
  EXPECT_EQ(world_.drops(DropReason::NackTooSoon), 1u);
  EXPECT_EQ(world_.drops(DropReason::NackUnknownSeq), 1u);
  EXPECT_EQ(world_.drops(DropReason::RtcpUnknownSsrc), 1u);
}

TEST_F(EngineScenario, a_packet_lost_on_the_way_up_is_asked_for_and_its_rtx_fills_the_gap) {
  with_video();
  send_video(1, true, 1);
  send_video(3, false, 3);
  world_.run(60ms);
  std::vector<uint16_t> asked;
  publisher_->each_rtcp([&](const wire::RtcpPacketView& packet) {
    auto nack = packet.is_transport_feedback(wire::kFormatNack)
                    ? wire::NackView::create(packet)
                    : Result<wire::NackView>(malformed("other"));
    while (nack) {
      const auto seq = nack->next_seq();
      if (!seq) break;
      EXPECT_EQ(nack->media_ssrc, kVideoSsrc);
      asked.push_back(*seq);
    }
  });
  EXPECT_EQ(asked, (std::vector<uint16_t>{2}));
  Bytes wrapped{0, 2};
  const Bytes original = vp8_payload(false, 2, 2, 2);
  wrapped.insert(wrapped.end(), original.begin(), original.end());
  world_.inject(*publisher_, make_rtp({.payload_type = kRtx,
                                       .seq = 900,
                                       .timestamp = 6'000,
                                       .ssrc = kVideoRtxSsrc,
                                       .marker = true,
                                       .mid = "1",
                                       .payload = wrapped}));
  world_.run(60ms);
  const auto seen = subscriber_->of_ssrc(kDownVideo);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[1]->header.seq, static_cast<uint16_t>(seen[0]->header.seq + 2));
  EXPECT_EQ(seen[2]->header.seq, static_cast<uint16_t>(seen[0]->header.seq + 1));
  EXPECT_EQ(seen[2]->header.payload.back(), 2);
  const uint64_t nacks = world_.server.counters().nacks_sent;
  world_.run(1s);
  EXPECT_EQ(world_.server.counters().nacks_sent, nacks);
}

TEST_F(EngineScenario, rtx_probes_without_payload_are_counted_and_not_forwarded) {
  with_video();
  send_video(1, true, 1);
  world_.inject(*publisher_, make_rtp({.payload_type = kRtx,
                                       .seq = 1,
                                       .ssrc = kVideoRtxSsrc,
                                       .mid = "1",
                                       .payload = {},
                                       .padding = 200}));
  world_.run(50ms);
  EXPECT_EQ(world_.drops(DropReason::RtxPadding), 1u);
  EXPECT_EQ(subscriber_->rtp.size(), 1u);
}

TEST_F(EngineScenario, transport_wide_feedback_comes_every_50_to_100_ms_and_names_every_packet) {
  with_video();
  for (uint16_t seq = 1; seq <= 100; ++seq) {
    send_video(seq, seq == 1, seq);
    world_.run(10ms);
  }
  world_.run(200ms);
  std::vector<uint16_t> named;
  size_t feedbacks = 0;
  publisher_->each_rtcp([&](const wire::RtcpPacketView& packet) {
    auto feedback = packet.is_transport_feedback(wire::kFormatTransportCc)
                        ? wire::TwccView::create(packet)
                        : Result<wire::TwccView>(malformed("other"));
    if (!feedback) return;
    ++feedbacks;
    while (const auto arrival = feedback->next_received()) named.push_back(arrival->transport_seq);
  });
  EXPECT_EQ(named.size(), 100u);
  EXPECT_TRUE(std::ranges::is_sorted(named));
  EXPECT_GE(feedbacks, 10u);
  EXPECT_LE(feedbacks, 21u);
}

TEST_F(EngineScenario, receiver_reports_tell_the_publisher_of_loss) {
  with_video();
  for (uint16_t seq = 1; seq <= 20; ++seq) {
    if (seq % 5 != 0) send_video(seq, seq == 1, seq);
    world_.run(20ms);
  }
  world_.run(1s);
  std::optional<wire::ReportBlock> block;
  publisher_->each_rtcp([&](const wire::RtcpPacketView& packet) {
    if (packet.type != wire::RtcpType::ReceiverReport) return;
    const auto report = wire::parse_receiver_report(packet);
    if (report && report->blocks.size() == 1 && report->blocks[0].cumulative_lost > 0)
      block = report->blocks[0];
  });
  ASSERT_TRUE(block.has_value());
  EXPECT_EQ(block->ssrc, kVideoSsrc);
  EXPECT_EQ(block->cumulative_lost, 3);  // 5, 10 and 15; nobody knows of 20
  EXPECT_EQ(block->highest_ext_seq, 19u);
}

// Both tracks of one publisher, whose timestamps of one moment it told by its sender reports; the reports that the
// subscriber gets must map the same moment of both tracks to the same time.
TEST_F(EngineScenario, sender_reports_keep_audio_and_video_within_40_ms) {
  with_video();
  world_.command(opus_uplink(publisher_->server_id, kAudio, kAudioSsrc));
  world_.command(forward_to(subscriber_->server_id, kAudio, kDownAudio, kOpus));
  const auto video_ts = [](int64_t ms) { return static_cast<uint32_t>(777'000 + ms * 90); };
  const auto audio_ts = [](int64_t ms) { return static_cast<uint32_t>(4'000'000'000u + ms * 48); };
  const Now start = world_.now();
  for (int i = 0; i < 150; ++i) {
    const int64_t ms = (world_.now().mono - start.mono).count() / 1'000;
    // The publisher's clock is ten years off; that must not matter.
    const uint64_t ntp = wire::ntp_from_unix_us(315'000'000'000'000 + ms * 1'000);
    const auto n = static_cast<uint16_t>(i + 1);
    world_.inject(*publisher_, make_rtp({.payload_type = kVp8,
                                         .seq = n,
                                         .timestamp = video_ts(ms),
                                         .ssrc = kVideoSsrc,
                                         .mid = "1",
                                         .payload = vp8_payload(i == 0, n, 1, 1)}));
    world_.inject(*publisher_, make_rtp({.seq = n, .timestamp = audio_ts(ms), .ssrc = kAudioSsrc}));
    if (i % 45 == 10) world_.inject(*publisher_, make_sender_report(kVideoSsrc, ntp, video_ts(ms)));
    if (i % 40 == 20) {
      world_.latency = 60ms;  // this one is slow: its arrival must not shift audio against video
      world_.inject(*publisher_, make_sender_report(kAudioSsrc, ntp, audio_ts(ms)));
      world_.latency = 10ms;
    }
    world_.run(20ms);
  }
  // Offsets of the rewritten timestamps, from the first packets.
  const auto video = subscriber_->of_ssrc(kDownVideo), audio = subscriber_->of_ssrc(kDownAudio);
  ASSERT_FALSE(video.empty());
  ASSERT_FALSE(audio.empty());
  std::vector<double> video_capture,
      audio_capture;  // ms of publisher time minus ms of NTP, per report
  subscriber_->each_rtcp([&](const wire::RtcpPacketView& packet) {
    if (packet.type != wire::RtcpType::SenderReport) return;
    const auto sender = wire::parse_sender_report(packet)->sender;
    const uint64_t ntp_start = wire::ntp_from_unix_us(start.wall.time_since_epoch().count());
    const double ntp_ms =
        static_cast<double>(sender.ntp_time - ntp_start) * 1'000.0 / 4'294'967'296.0;
    if (sender.ssrc == kDownVideo)
      video_capture.push_back(
          static_cast<int32_t>(sender.rtp_timestamp - video[0]->header.timestamp) / 90.0 - ntp_ms);
    if (sender.ssrc == kDownAudio)
      audio_capture.push_back(
          static_cast<int32_t>(sender.rtp_timestamp - audio[0]->header.timestamp) / 48.0 - ntp_ms);
  });
  ASSERT_GE(video_capture.size(), 2u);
  ASSERT_GE(audio_capture.size(), 2u);
  for (const double v : video_capture)
    for (const double a : audio_capture) EXPECT_NEAR(v, a, 40.0);
}

TEST_F(EngineScenario, vp8_numbers_stay_continuous_over_a_mute) {
  with_video();
  send_video(1, true, 1);
  send_video(2, false, 2);
  world_.run(50ms);
  world_.command(SetUplinkMuted{kVideo, true});
  send_video(3, false, 3);
  world_.run(50ms);
  world_.command(SetUplinkMuted{kVideo, false});
  send_video(4, false, 4);
  send_video(5, true, 5);
  world_.run(50ms);
  const auto seen = subscriber_->of_ssrc(kDownVideo);
  ASSERT_EQ(seen.size(), 3u);
  const auto picture_id = [&](size_t i) {
    return ((seen[i]->header.payload[2] & 0x7f) << 8) | seen[i]->header.payload[3];
  };
  EXPECT_EQ(picture_id(2), (picture_id(1) + 1) & 0x7fff);
  EXPECT_EQ(seen[2]->header.seq, static_cast<uint16_t>(seen[1]->header.seq + 1));
  EXPECT_EQ(seen[2]->header.payload.back(), 5);
}

// --- simulcast -----------------------------------------------------------------------------------------------------

class SimulcastScenario : public EngineScenario {
 protected:
  void SetUp() override {
    connect_both();
    AddUplink uplink = vp8_uplink(publisher_->server_id, kVideo);
    uplink.rids = {"q", "h", "f"};
    world_.command(uplink);
    world_.command(forward_to(subscriber_->server_id, kVideo, kDownVideo, kVp8));
  }
  void send_layer(const char* rid, uint16_t seq, bool is_key) {
    const auto layer = static_cast<uint32_t>(rid[0]);
    world_.inject(*publisher_,
                  make_rtp({.payload_type = kVp8,
                            .seq = seq,
                            .timestamp = layer * 100'000 + seq * 3'000u,
                            .ssrc = 0x5000 + layer,
                            .marker = true,
                            .mid = "1",
                            .rid = rid,
                            .payload = vp8_payload(is_key, seq, static_cast<uint8_t>(seq),
                                                   static_cast<uint8_t>(rid[0]))}));
  }
  std::string forwarded() const {
    std::string tags;
    for (const SeenRtp* seen : subscriber_->of_ssrc(kDownVideo))
      tags.push_back(static_cast<char>(seen->header.payload.back()));
    return tags;
  }
};

TEST_F(SimulcastScenario, layers_are_latched_by_rid_and_one_is_forwarded) {
  for (uint16_t seq = 1; seq <= 3; ++seq) {
    for (const char* rid : {"q", "h", "f"}) send_layer(rid, seq, true);
    world_.run(30ms);
  }
  EXPECT_THAT(forwarded(), testing::EndsWith("ff"));
  const auto seen = subscriber_->of_ssrc(kDownVideo);
  for (size_t i = 1; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i]->header.seq, static_cast<uint16_t>(seen[i - 1]->header.seq + 1));
    EXPECT_GT(static_cast<int32_t>(seen[i]->header.timestamp - seen[i - 1]->header.timestamp), 0);
  }
  EXPECT_GT(world_.drops(DropReason::LayerNotSelected), 0u);
}

TEST_F(SimulcastScenario, a_switch_waits_for_a_key_frame_of_the_new_layer) {
  for (const char* rid : {"q", "h", "f"}) send_layer(rid, 1, true);
  world_.run(30ms);
  for (const char* rid : {"q", "h", "f"}) send_layer(rid, 2, true);
  world_.run(30ms);
  ASSERT_THAT(forwarded(), testing::EndsWith("f"));
  world_.command(PauseForward{subscriber_->server_id, kVideo, false, 0});
  for (const char* rid : {"q", "h", "f"}) send_layer(rid, 3, false);
  world_.run(30ms);
  EXPECT_THAT(forwarded(), testing::EndsWith("f"));
  EXPECT_GT(plis_at_publisher(), 0u);
  for (const char* rid : {"q", "h", "f"}) send_layer(rid, 4, rid[0] == 'q');
  for (const char* rid : {"q", "h", "f"}) send_layer(rid, 5, false);
  world_.run(30ms);
  EXPECT_THAT(forwarded(), testing::EndsWith("qq"));
  const auto seen = subscriber_->of_ssrc(kDownVideo);
  for (size_t i = 1; i < seen.size(); ++i)
    EXPECT_EQ(seen[i]->header.seq, static_cast<uint16_t>(seen[i - 1]->header.seq + 1));
}

TEST_F(SimulcastScenario, a_repair_of_a_layer_is_found_by_its_repaired_rid) {
  for (const char* rid : {"q", "h", "f"}) send_layer(rid, 1, true);
  send_layer("q", 3, false);
  world_.run(30ms);
  const uint64_t before = world_.server.counters().rtx_in;
  Bytes wrapped{0, 2};
  const Bytes original = vp8_payload(false, 2, 2, 'q');
  wrapped.insert(wrapped.end(), original.begin(), original.end());
  world_.inject(*publisher_, make_rtp({.payload_type = kRtx,
                                       .seq = 1,
                                       .ssrc = 0x6000,
                                       .mid = "1",
                                       .repaired_rid = "q",
                                       .payload = wrapped}));
  world_.inject(*publisher_, make_rtp({.payload_type = kRtx,
                                       .seq = 1,
                                       .ssrc = 0x6001,
                                       .mid = "1",
                                       .repaired_rid = "x",
                                       .payload = wrapped}));
  world_.run(200ms);
  EXPECT_EQ(world_.server.counters().rtx_in, before + 1);
  EXPECT_EQ(world_.drops(DropReason::RtpUnknownStream), 1u);
  EXPECT_EQ(world_.server.counters().nacks_sent, 1u);  // asked for once, then repaired
}

TEST_F(SimulcastScenario, timestamps_go_on_over_a_switch_by_the_publishers_clock) {
  const auto send_timed = [&](const char* rid, uint32_t base, uint16_t seq, int64_t ms,
                              bool is_key) {
    world_.inject(*publisher_,
                  make_rtp({.payload_type = kVp8,
                            .seq = seq,
                            .timestamp = base + static_cast<uint32_t>(ms * 90),
                            .ssrc = 0x5000u + static_cast<uint32_t>(rid[0]),
                            .mid = "1",
                            .rid = rid,
                            .payload = vp8_payload(is_key, seq, 1, static_cast<uint8_t>(rid[0]))}));
  };
  world_.command(PauseForward{subscriber_->server_id, kVideo, false, 0});
  send_timed("q", 1'000, 1, 0, true);
  send_timed("h", 4'000'000'000u, 1, 0, false);
  world_.inject(*publisher_, make_sender_report(0x5000 + 'q', wire::ntp_from_unix_us(0), 1'000));
  world_.inject(*publisher_,
                make_sender_report(0x5000 + 'h', wire::ntp_from_unix_us(0), 4'000'000'000u));
  send_timed("q", 1'000, 2, 100, false);
  world_.run(50ms);
  world_.command(PauseForward{subscriber_->server_id, kVideo, false, 1});
  world_.run(900ms);  // arrival says 950 ms, the publisher's clock 200 ms
  send_timed("h", 4'000'000'000u, 2, 200, true);
  world_.run(50ms);
  const auto seen = subscriber_->of_ssrc(kDownVideo);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[2]->header.payload.back(), 'h');
  EXPECT_EQ(seen[2]->header.timestamp - seen[0]->header.timestamp, 200u * 90);
}

TEST_F(SimulcastScenario, a_layer_that_falls_silent_is_replaced_by_the_next_lower_one) {
  for (uint16_t seq = 1; seq <= 3; ++seq) {
    for (const char* rid : {"q", "h", "f"}) send_layer(rid, seq, true);
    world_.run(30ms);
  }
  ASSERT_THAT(forwarded(), testing::EndsWith("f"));
  for (uint16_t seq = 4; seq < 90; ++seq) {
    for (const char* rid : {"q", "h"}) send_layer(rid, seq, seq % 10 == 0);
    world_.run(33ms);
  }
  EXPECT_THAT(forwarded(), testing::EndsWith("h"));
}

}  // namespace
}  // namespace atrium::media
