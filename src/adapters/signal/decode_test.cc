// SignalRequests as the official @livekit/protocol 1.52.1 encodes them, and as nobody should.
#include "adapters/signal/decode.h"

#include <gtest/gtest.h>

#include "adapters/signal/structure.h"
#include "adapters/signal/test_views.h"
#include "base/limits.h"

namespace atrium::signal {
namespace {

using namespace testing;

const ParticipantSid kMe(kParticipant);

Result<ClientMessage> decode(std::string_view bytes) {
  return decode_client_message(bytes, kMe);
}
Result<ClientMessage> decode(const pb::SignalRequest& request) {
  return decode(request.SerializeAsString());
}

// The alternative T of a base64 vector; a default one, and a failure, when it is something else.
template <typename T>
T decoded(std::string_view base64_text) {
  auto message = decode(from_base64_text(base64_text));
  if (message && std::holds_alternative<T>(*message)) return std::get<T>(*message);
  ADD_FAILURE() << (message ? "another alternative" : message.error().what);
  return T{};
}

constexpr const char* kAddTrack =
    "IlYKB2NhbS1jaWQSBmNhbWVyYRgBIIAKKNAFQAFKDAgCEIAKGNAFIKDhZ0oKEMACGLQBIIDiCUoMCAEQgAUY6AIg0LsbUg"
    "4KA3ZwOBIHY2FtLWNpZHoB"
    "cw==";
constexpr const char* kSyncState =
    "YpYBCg8KBmFuc3dlchIFdj0wDQoSFgoUVFJfMDEyMzQ1Njc4OWFiY2RlZmcaHAoCYzESFgoUVFJfYWJjZGVmZzAxMjM0NT"
    "Y3ODkiDQoJX3JlbGlhYmxl"
    "EAEqDgoFb2ZmZXISBXY9MA0KMhRUUl8wMTIzNDU2Nzg5YWJjZGVmZzoYChRQQV8wMTIzNDU2Nzg5YWJjZGVmZxAJ";

TEST(Decode, descriptions_keep_their_ids) {
  const auto offer = decoded<ClientOffer>("ChAKBW9mZmVyEgV2PTANChgH");
  EXPECT_EQ(offer.sdp, "v=0\r\n");
  EXPECT_EQ(offer.id, 7u);
  EXPECT_EQ(decoded<ClientAnswer>("EhEKBmFuc3dlchIFdj0wDQoYAw==").id, 3u);
}

TEST(Decode, a_candidate_stays_text) {
  const auto trickle = decoded<Trickle>("GhMKEXsiY2FuZGlkYXRlIjoieCJ9");
  EXPECT_EQ(trickle.candidate_json, R"({"candidate":"x"})");
  EXPECT_FALSE(trickle.to_subscriber);
  EXPECT_FALSE(trickle.is_final);
}

TEST(Decode, add_track_becomes_the_domains_words) {
  const auto add = decoded<domain::AddTrack>(kAddTrack);
  EXPECT_EQ(add.participant, kMe);
  const domain::TrackView& track = add.track;
  EXPECT_TRUE(track.sid.empty());
  EXPECT_EQ(track.kind, domain::TrackKind::Video);
  EXPECT_EQ(track.source, domain::TrackSource::Camera);
  EXPECT_EQ(track.cid, "cam-cid");
  EXPECT_EQ(track.name, "camera");
  EXPECT_EQ(track.stream, "s");
  EXPECT_EQ(track.width, 1280u);
  EXPECT_TRUE(track.simulcast);
  EXPECT_EQ(track.preferred_codec, "vp8");
}

TEST(Decode, layers_are_sorted_and_named_where_the_client_did_not) {
  const auto add = decoded<domain::AddTrack>(kAddTrack);
  EXPECT_EQ(layer_rids(add.track), (std::vector<std::string>{"q", "h", "f"}));
  EXPECT_EQ(add.track.layers[0].width, 320u);
  EXPECT_EQ(add.track.layers[2].bitrate_bps, 1'700'000u);
}

TEST(Decode, a_single_layer_has_no_rid) {
  pb::SignalRequest request;
  request.mutable_add_track()->set_cid("c");
  request.mutable_add_track()->set_type(pb::VIDEO);
  request.mutable_add_track()->add_layers()->set_quality(pb::HIGH);
  const auto message = decode(request);
  ASSERT_TRUE(message);
  const domain::TrackView& track = std::get<domain::AddTrack>(*message).track;
  EXPECT_TRUE(layer_rids(track).empty());
  EXPECT_FALSE(track.simulcast);
}

TEST(Decode, cid_and_layers_may_come_from_the_first_codec) {
  pb::SignalRequest request;
  request.mutable_add_track()->set_type(pb::VIDEO);
  pb::SimulcastCodec& codec = *request.mutable_add_track()->add_simulcast_codecs();
  codec.set_codec("vp8");
  codec.set_cid("from-codec");
  codec.add_layers()->set_rid("lo");
  codec.add_layers()->set_rid("hi");
  codec.mutable_layers(1)->set_quality(pb::HIGH);
  const auto message = decode(request);
  ASSERT_TRUE(message);
  EXPECT_EQ(std::get<domain::AddTrack>(*message).track.cid, "from-codec");
  EXPECT_EQ(layer_rids(std::get<domain::AddTrack>(*message).track),
            (std::vector<std::string>{"lo", "hi"}));
}

TEST(Decode, audio_features_set_the_flags_that_they_replace) {
  pb::SignalRequest request;
  pb::AddTrackRequest& add = *request.mutable_add_track();
  add.set_cid("c");
  add.set_source(pb::MICROPHONE);
  add.add_audio_features(pb::TF_STEREO);
  add.add_audio_features(pb::TF_NO_DTX);
  add.add_audio_features(pb::TF_NO_DTX);
  add.add_audio_features(static_cast<pb::AudioTrackFeature>(1000));
  add.set_disable_red(true);
  const auto message = decode(request);
  ASSERT_TRUE(message);
  const domain::TrackView& track = std::get<domain::AddTrack>(*message).track;
  EXPECT_TRUE(track.stereo && track.disable_dtx && track.disable_red);
  EXPECT_EQ(track.audio_features, (std::vector<uint8_t>{0, 1}));
}

TEST(Decode, an_encryption_without_a_name_is_a_custom_one_and_can_be_told_to_others) {
  pb::SignalRequest request;
  request.mutable_add_track()->set_cid("c");
  for (const int number : {7, -1, 300}) {
    request.mutable_add_track()->set_encryption(static_cast<pb::TrackInfo::Encryption>(number));
    const auto message = decode(request);
    ASSERT_TRUE(message);
    EXPECT_EQ(std::get<domain::AddTrack>(*message).track.encryption, 2);
  }
}

TEST(Decode, a_data_track_or_a_second_codec_is_refused_with_its_echo) {
  pb::SignalRequest request;
  request.mutable_add_track()->set_cid("c");
  request.mutable_add_track()->set_type(pb::DATA);
  auto message = decode(request);
  ASSERT_TRUE(message);
  EXPECT_EQ(std::get<Refused>(*message).answer.outcome, domain::RequestOutcome::UnsupportedType);
  EXPECT_EQ(std::get<Refused>(*message).answer.track.cid, "c");
  request.mutable_add_track()->set_type(pb::VIDEO);
  request.mutable_add_track()->set_sid(kTrack);
  message = decode(request);
  ASSERT_TRUE(message);
  EXPECT_TRUE(std::holds_alternative<Refused>(*message));
}

TEST(Decode, mute_names_the_track) {
  const auto mute = decoded<domain::SetMuted>("KhgKFFRSXzAxMjM0NTY3ODlhYmNkZWZnEAE=");
  EXPECT_EQ(mute.participant, kMe);
  EXPECT_EQ(mute.track.value, kTrack);
  EXPECT_TRUE(mute.muted);
}

TEST(Decode, a_subscription_joins_both_lists_without_repeats) {
  const auto update = decoded<domain::UpdateSubscription>(
      "MlwKFFRSXzAxMjM0NTY3ODlhYmNkZWZnEAEaQgoUUEFfMDEyMzQ1Njc4OWFiY2RlZmcSFFRSXzAxMjM0NTY3ODlhYmNk"
      "ZWZnEhRUUl9hYmNkZWZn"
      "MDEyMzQ1Njc4OQ==");
  EXPECT_TRUE(update.subscribe);
  EXPECT_EQ(update.tracks, (std::vector{TrackSid(kTrack), TrackSid(kOtherTrack)}));
}

TEST(Decode, what_is_no_track_sid_is_passed_over) {
  pb::SignalRequest request;
  request.mutable_subscription()->add_track_sids("nonsense");
  request.mutable_subscription()->add_track_sids("");
  request.mutable_subscription()->add_track_sids(kTrack);
  const auto message = decode(request);
  ASSERT_TRUE(message);
  EXPECT_EQ(std::get<domain::UpdateSubscription>(*message).tracks, std::vector{TrackSid(kTrack)});
}

TEST(Decode, track_settings_and_leave_are_commands) {
  const auto settings =
      decoded<domain::UpdateTrackSettings>("OiAKFFRSXzAxMjM0NTY3ODlhYmNkZWZnIAEogAUw6AI4Dw==");
  EXPECT_EQ(settings.tracks, std::vector{TrackSid(kTrack)});
  EXPECT_EQ(settings.quality, domain::VideoQuality::Medium);
  EXPECT_EQ(settings.width, 640u);
  EXPECT_FALSE(settings.disabled);
  EXPECT_EQ(decoded<domain::Leave>("QgIQAQ==").participant, kMe);
}

TEST(Decode, a_subscription_permission_names_users_or_sids) {
  const auto permission =
      decoded<domain::SubscriptionPermission>("Wh0SGxoUVFJfMDEyMzQ1Njc4OWFiY2RlZmciA2JvYg==");
  EXPECT_FALSE(permission.all);
  ASSERT_EQ(permission.entries.size(), 1u);
  EXPECT_EQ(permission.entries[0].user.value, "bob");
  EXPECT_TRUE(permission.entries[0].participant.empty());
  EXPECT_EQ(permission.entries[0].tracks, std::vector{TrackSid(kTrack)});
}

TEST(Decode, sync_state_keeps_what_a_resume_needs) {
  const auto state = decoded<SyncState>(kSyncState);
  EXPECT_FALSE(state.subscribe);
  EXPECT_EQ(state.subscriptions, std::vector{TrackSid(kTrack)});
  ASSERT_EQ(state.publications.size(), 1u);
  EXPECT_EQ(state.publications[0].track.value, kOtherTrack);
  EXPECT_EQ(state.publications[0].cid, "c1");
  EXPECT_EQ(state.disabled, std::vector{TrackSid(kTrack)});
  ASSERT_EQ(state.receive_states.size(), 1u);
  EXPECT_EQ(state.receive_states[0].last_sequence, 9u);
  EXPECT_EQ(state.data_channels, std::vector<std::string>{"_reliable"});
}

TEST(Decode, simulations_carry_their_value) {
  const auto simulate = decoded<Simulate>("agMw6Ac=");
  EXPECT_EQ(simulate.scenario, Simulate::Scenario::SubscriberBandwidth);
  EXPECT_EQ(simulate.value, 1000);
}

TEST(Decode, both_pings_are_read) {
  EXPECT_EQ(decoded<Ping>("cIDQlf+8MQ==").timestamp_ms, 1'700'000'000'000);
  const auto request = decoded<PingRequest>("ggEJCIDQlf+8MRAM");
  EXPECT_EQ(request.timestamp_ms, 1'700'000'000'000);
  EXPECT_EQ(request.rtt_ms, 12);
}

TEST(Decode, metadata_that_is_empty_stays_as_it_is) {
  const auto update = decoded<domain::UpdateMetadata>("eg8KAW0SAW4aBQoBYRIAIAU=");
  EXPECT_EQ(update.metadata, "m");
  EXPECT_EQ(update.name, "n");
  EXPECT_EQ(update.attributes, (std::map<std::string, std::string>{{"a", ""}}));
  EXPECT_EQ(update.request_id, 5u);
  pb::SignalRequest request;
  request.mutable_update_metadata()->set_request_id(6);
  const auto message = decode(request);
  ASSERT_TRUE(message);
  EXPECT_FALSE(std::get<domain::UpdateMetadata>(*message).metadata);
  EXPECT_FALSE(std::get<domain::UpdateMetadata>(*message).name);
}

TEST(Decode, track_info_updates_tell_only_what_they_are_about) {
  const auto audio = decoded<domain::UpdateTrackInfo>("igEZChRUUl8wMTIzNDU2Nzg5YWJjZGVmZxIBBA==");
  EXPECT_EQ(audio.audio_features, std::vector<uint8_t>{4});
  EXPECT_FALSE(audio.width);
  const auto video = decoded<domain::UpdateTrackInfo>("kgEaChRUUl8wMTIzNDU2Nzg5YWJjZGVmZxAKGBQ=");
  EXPECT_FALSE(video.audio_features);
  EXPECT_EQ(video.width, 10u);
  EXPECT_EQ(video.height, 20u);
}

TEST(Decode, what_is_not_served_says_whether_it_wants_an_answer) {
  const auto data_track = decoded<Unsupported>("mgEFCAMSAWQ=");
  EXPECT_EQ(data_track.variant, 19u);
  EXPECT_TRUE(data_track.wants_answer);
  EXPECT_EQ(data_track.echo, from_base64_text("CAMSAWQ="));
  const auto blob = decoded<Unsupported>("sgECCE0=");
  EXPECT_EQ(blob.request_id, 77u);
  EXPECT_TRUE(blob.wants_answer);
}

TEST(Decode, unknown_variants_and_fields_are_no_errors) {
  const auto empty = decode("");
  ASSERT_TRUE(empty);
  EXPECT_EQ(std::get<Unsupported>(*empty).variant, 0u);
  const auto future = decode(std::string_view("\xa2\x06\x01x", 4));  // field 100, one byte
  ASSERT_TRUE(future);
  EXPECT_TRUE(std::holds_alternative<Unsupported>(*future));
  const auto known_with_more = decode(from_base64_text("QgIQAQ==") + "\xa2\x06\x01x");
  ASSERT_TRUE(known_with_more);
  EXPECT_TRUE(std::holds_alternative<domain::Leave>(*known_with_more));
}

TEST(Decode, needed_parts_must_be_there) {
  pb::SignalRequest request;
  request.mutable_offer()->set_type("offer");
  EXPECT_FALSE(decode(request));  // no sdp
  request.mutable_offer()->set_sdp("v=0\r\n");
  request.mutable_offer()->set_type("Offer");
  EXPECT_FALSE(decode(request));
  request.mutable_mute()->set_muted(true);
  EXPECT_FALSE(decode(request));
  request.mutable_add_track()->set_type(pb::VIDEO);
  EXPECT_FALSE(decode(request));
  request.mutable_update_audio_track();
  EXPECT_FALSE(decode(request));
}

TEST(Decode, no_truncation_of_a_message_harms) {
  for (const char* vector : {kAddTrack, kSyncState}) {
    const std::string whole = from_base64_text(vector);
    for (size_t size = 1; size < whole.size(); ++size)
      EXPECT_FALSE(decode(std::string_view(whole).substr(0, size))) << size;
  }
}

TEST(Decode, text_that_is_not_unicode_is_refused) {
  pb::SignalRequest request;
  request.mutable_update_metadata()->set_name("name");
  std::string bytes = request.SerializeAsString();
  bytes[bytes.find("name")] = '\xff';
  EXPECT_FALSE(decode(bytes));
}

TEST(Decode, lists_and_ids_have_bounds) {
  pb::SignalRequest request;
  for (int64_t i = 0; i <= limits::kTracksPerRoomMax; ++i)
    request.mutable_subscription()->add_track_sids("TR_" + std::to_string(100'000'000'000 + i));
  auto message = decode(request);
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().kind, ErrorKind::LimitExceeded);
  request.mutable_add_track()->set_cid(std::string(limits::kIdBytesMax + 1, 'c'));
  EXPECT_FALSE(decode(request));
  request.mutable_add_track()->set_cid("c");
  request.mutable_add_track()->set_type(pb::VIDEO);
  for (int64_t i = 0; i <= limits::kLayersMax; ++i) request.mutable_add_track()->add_layers();
  EXPECT_FALSE(decode(request));
  request.mutable_trickle()->set_candidateinit(std::string(limits::kTrickleBytesMax + 1, 'x'));
  EXPECT_FALSE(decode(request));
}

TEST(Decode, a_long_description_costs_no_structure_but_many_small_parts_do) {
  pb::SignalRequest request;
  request.mutable_offer()->set_type("offer");
  request.mutable_offer()->set_sdp(std::string(limits::kSdpBytesMax, 'x'));
  EXPECT_TRUE(decode(request));
  EXPECT_LT(request_structure_bytes(request.SerializeAsString()).value(), 64u);
  request.mutable_offer()->set_sdp(std::string(limits::kSdpBytesMax + 1, 'x'));
  EXPECT_FALSE(decode(request));
  // 2 bytes each, of which protobuf would make objects.
  for (int i = 0; i < 100'000; ++i) request.mutable_sync_state()->add_publish_tracks();
  const auto message = decode(request);
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().kind, ErrorKind::LimitExceeded);
}

TEST(Decode, metadata_may_be_long_and_attributes_less_so) {
  pb::SignalRequest request;
  request.mutable_update_metadata()->set_metadata(std::string(limits::kMetadataBytesMax, 'm'));
  EXPECT_TRUE(decode(request));
  (*request.mutable_update_metadata()->mutable_attributes())["k"] =
      std::string(limits::kSignalStructureBytesMax, 'a');
  EXPECT_FALSE(decode(request));
}

TEST(Decode, a_frame_beyond_two_mebibytes_is_refused) {
  EXPECT_FALSE(decode(std::string(limits::kSignalMessageBytesMax + 1, '\0')));
}

TEST(Structure, broken_framing_is_found_without_protobuf) {
  EXPECT_FALSE(request_structure_bytes("\x0a\x05x"));
  EXPECT_FALSE(request_structure_bytes("\x0b"));  // a group
  EXPECT_FALSE(request_structure_bytes("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"));
  EXPECT_TRUE(request_structure_bytes(""));
}

}  // namespace
}  // namespace atrium::signal
