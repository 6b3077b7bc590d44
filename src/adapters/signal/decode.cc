#include "adapters/signal/decode.h"

#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <array>

#include "adapters/signal/outgoing_rules.h"
#include "adapters/signal/structure.h"
#include "adapters/signal/words.h"
#include "base/limits.h"

namespace atrium::signal {
namespace {

constexpr size_t kListMax = limits::kTracksPerRoomMax;
// libprotobuf would write a line to stderr for each string that is not UTF-8: a peer could fill the disk with them.
[[maybe_unused]] auto* const kFormerLogHandler = google::protobuf::SetLogHandler(nullptr);

constexpr int kEnumOctetMax = 255;  // audio features are passed through as one octet each

std::unexpected<Error> too_large(const char* what) {
  return fail(ErrorKind::LimitExceeded, what);
}

Result<std::string> short_text(const std::string& text) {
  if (text.size() > limits::kIdBytesMax) return too_large("an id is too long");
  return text;
}

template <typename Id>
Result<Id> read_id(const std::string& text) {
  if (text.empty()) return malformed("an id is empty");
  return Id(TRY(short_text(text)));
}

// Appends without repeats: SDKs name the same tracks in two lists of one message.  What is no
// track's sid can name nothing here and is passed over.
template <typename Texts>
Result<void> append_tracks(const Texts& texts, std::vector<TrackSid>& out) {
  for (const std::string& text : texts) {
    if (!is_sid(text, kTrackPrefix) || text.size() > limits::kIdBytesMax) continue;
    TrackSid sid(text);
    if (std::ranges::find(out, sid) != out.end()) continue;
    if (out.size() >= kListMax) return too_large("too many tracks in one message");
    out.push_back(std::move(sid));
  }
  return {};
}

Result<std::vector<TrackSid>> subscription_tracks(const pb::UpdateSubscription& request) {
  std::vector<TrackSid> tracks;
  TRY(append_tracks(request.track_sids(), tracks));
  for (const pb::ParticipantTracks& entry : request.participant_tracks())
    TRY(append_tracks(entry.track_sids(), tracks));
  return tracks;
}

Result<std::string> read_sdp(const pb::SessionDescription& description, std::string_view type) {
  if (description.type() != type) return malformed("a description is of the wrong type");
  if (description.sdp().empty()) return malformed("a description is empty");
  if (description.sdp().size() > limits::kSdpBytesMax)
    return too_large("a description is too long");
  return description.sdp();
}

template <typename Features>
std::vector<uint8_t> read_features(const Features& features) {
  std::vector<uint8_t> out;
  for (int feature : features) {
    const bool is_octet = feature >= 0 && feature <= kEnumOctetMax;
    if (is_octet && std::ranges::find(out, feature) == out.end())
      out.push_back(static_cast<uint8_t>(feature));
  }
  return out;  // distinct octets: at most 256
}

// --- add_track -----------------------------------------------------------------------------------

// Clients that leave rids out mean libwebrtc's: q, h, f for low, medium, high.
std::string conventional_rid(domain::VideoQuality quality) {
  if (quality == domain::VideoQuality::Low) return "q";
  return quality == domain::VideoQuality::Medium ? "h" : "f";
}

template <typename Layers>
Result<std::vector<domain::VideoLayer>> read_layers(const Layers& layers) {
  if (layers.size() > limits::kLayersMax) return too_large("too many layers");
  std::vector<domain::VideoLayer> out;
  for (const pb::VideoLayer& layer : layers) {
    domain::VideoLayer read{.quality = from_pb(layer.quality()),
                            .width = layer.width(),
                            .height = layer.height(),
                            .bitrate_bps = layer.bitrate(),
                            .rid = layer.rid()};
    if (read.rid.size() > limits::kMidBytesMax) return too_large("a rid is too long");
    if (read.quality == domain::VideoQuality::Off)
      return malformed("a layer cannot be of quality OFF");
    if (layers.size() > 1 && read.rid.empty()) read.rid = conventional_rid(read.quality);
    out.push_back(std::move(read));
  }
  std::ranges::sort(out, {}, &domain::VideoLayer::quality);
  return out;
}

Result<domain::TrackView> read_track(const pb::AddTrackRequest& request) {
  domain::TrackView track;
  track.kind = request.type() == pb::AUDIO ? domain::TrackKind::Audio : domain::TrackKind::Video;
  track.source = from_pb(request.source());
  track.cid = TRY(short_text(request.cid()));
  if (track.cid.empty() && !request.simulcast_codecs().empty())
    track.cid = TRY(short_text(request.simulcast_codecs(0).cid()));
  if (!request.simulcast_codecs().empty())
    track.preferred_codec = TRY(short_text(request.simulcast_codecs(0).codec()));
  if (track.cid.empty()) return malformed("add_track without a cid");
  track.name = TRY(short_text(request.name()));
  track.stream = TRY(short_text(request.stream()));
  track.muted = request.muted();
  track.audio_features = read_features(request.audio_features());
  const auto has_feature = [&](int f) {
    return std::ranges::find(track.audio_features, f) != track.audio_features.end();
  };
  track.disable_dtx = request.disable_dtx() || has_feature(pb::TF_NO_DTX);
  track.stereo = request.stereo() || has_feature(pb::TF_STEREO);
  track.disable_red = request.disable_red();
  // What has no name here is some custom encryption; others must never be sent a number that they do not know.
  const bool is_known = pb::TrackInfo_Encryption_IsValid(request.encryption());
  track.encryption = static_cast<uint8_t>(is_known ? request.encryption() : pb::TrackInfo::CUSTOM);
  track.width = request.width();
  track.height = request.height();
  if (track.kind != domain::TrackKind::Video) return track;
  const bool from_codec = request.layers().empty() && !request.simulcast_codecs().empty();
  track.layers =
      TRY(read_layers(from_codec ? request.simulcast_codecs(0).layers() : request.layers()));
  track.simulcast = track.layers.size() > 1;
  return track;
}

Refused refuse_add_track(const ParticipantSid& participant, domain::TrackView track,
                         const char* why) {
  return Refused{{.participant = participant,
                  .kind = domain::RequestKind::AddTrack,
                  .outcome = domain::RequestOutcome::UnsupportedType,
                  .message = why,
                  .track = std::move(track)}};
}

// --- the variants, one small function each -------------------------------------------------------

using Decoder = Result<ClientMessage> (*)(const pb::SignalRequest&, const ParticipantSid&);

Result<ClientMessage> read_offer(const pb::SignalRequest& request, const ParticipantSid&) {
  return TRY(decode_offer(request.offer()));
}
Result<ClientMessage> read_answer(const pb::SignalRequest& request, const ParticipantSid&) {
  return ClientAnswer{TRY(read_sdp(request.answer(), "answer")), request.answer().id()};
}
Result<ClientMessage> read_trickle(const pb::SignalRequest& request, const ParticipantSid&) {
  const pb::TrickleRequest& trickle = request.trickle();
  if (trickle.candidateinit().size() > limits::kTrickleBytesMax)
    return too_large("a candidate is too long");
  return Trickle{trickle.target() == pb::SUBSCRIBER, trickle.candidateinit(), trickle.final()};
}
Result<ClientMessage> read_add_track(const pb::SignalRequest& request,
                                     const ParticipantSid& participant) {
  return decode_add_track(request.add_track(), participant);
}
Result<ClientMessage> read_mute(const pb::SignalRequest& request,
                                const ParticipantSid& participant) {
  return domain::SetMuted{participant, TRY(read_id<TrackSid>(request.mute().sid())),
                          request.mute().muted()};
}
Result<ClientMessage> read_subscription(const pb::SignalRequest& request,
                                        const ParticipantSid& participant) {
  return domain::UpdateSubscription{participant, TRY(subscription_tracks(request.subscription())),
                                    request.subscription().subscribe()};
}
Result<ClientMessage> read_track_setting(const pb::SignalRequest& request,
                                         const ParticipantSid& participant) {
  const pb::UpdateTrackSettings& settings = request.track_setting();
  domain::UpdateTrackSettings command{.participant = participant,
                                      .tracks = {},
                                      .disabled = settings.disabled(),
                                      .quality = from_pb(settings.quality()),
                                      .width = settings.width(),
                                      .height = settings.height()};
  TRY(append_tracks(settings.track_sids(), command.tracks));
  return command;
}
Result<ClientMessage> read_leave(const pb::SignalRequest&, const ParticipantSid& participant) {
  return domain::Leave{participant};
}

Result<ClientMessage> read_subscription_permission(const pb::SignalRequest& request,
                                                   const ParticipantSid& participant) {
  const pb::SubscriptionPermission& permission = request.subscription_permission();
  domain::SubscriptionPermission command{
      .participant = participant, .all = permission.all_participants(), .entries = {}};
  if (static_cast<size_t>(permission.track_permissions_size()) > kListMax)
    return too_large("too many subscription permissions");
  for (const pb::TrackPermission& entry : permission.track_permissions()) {
    domain::SubscriptionPermission::Entry read;
    read.participant = ParticipantSid(TRY(short_text(entry.participant_sid())));
    read.user = UserId(TRY(short_text(entry.participant_identity())));
    read.all_tracks = entry.all_tracks();
    TRY(append_tracks(entry.track_sids(), read.tracks));
    command.entries.push_back(std::move(read));
  }
  return command;
}

Result<ClientMessage> read_sync_state(const pb::SignalRequest& request, const ParticipantSid&) {
  return TRY(decode_sync_state(request.sync_state()));
}

Result<ClientMessage> read_simulate(const pb::SignalRequest& request, const ParticipantSid&) {
  using Scenario = Simulate::Scenario;
  const pb::SimulateScenario& simulate = request.simulate();
  switch (simulate.scenario_case()) {
    case pb::SimulateScenario::kSpeakerUpdate:
      return Simulate{Scenario::SpeakerUpdate, simulate.speaker_update()};
    case pb::SimulateScenario::kNodeFailure:
      return Simulate{Scenario::NodeFailure, 0};
    case pb::SimulateScenario::kMigration:
      return Simulate{Scenario::Migration, 0};
    case pb::SimulateScenario::kServerLeave:
      return Simulate{Scenario::ServerLeave, 0};
    case pb::SimulateScenario::kSwitchCandidateProtocol:
      return Simulate{Scenario::SwitchCandidateProtocol, simulate.switch_candidate_protocol()};
    case pb::SimulateScenario::kSubscriberBandwidth:
      return Simulate{Scenario::SubscriberBandwidth, simulate.subscriber_bandwidth()};
    case pb::SimulateScenario::kDisconnectSignalOnResume:
      return Simulate{Scenario::DisconnectSignalOnResume, 0};
    case pb::SimulateScenario::kDisconnectSignalOnResumeNoMessages:
      return Simulate{Scenario::DisconnectSignalOnResumeNoMessages, 0};
    case pb::SimulateScenario::kLeaveRequestFullReconnect:
      return Simulate{Scenario::LeaveRequestFullReconnect, 0};
    case pb::SimulateScenario::SCENARIO_NOT_SET:
      break;
  }
  return Unsupported{.variant = pb::SignalRequest::kSimulate};
}

Result<ClientMessage> read_ping(const pb::SignalRequest& request, const ParticipantSid&) {
  return Ping{request.ping()};
}
Result<ClientMessage> read_ping_req(const pb::SignalRequest& request, const ParticipantSid&) {
  return PingRequest{request.ping_req().timestamp(), request.ping_req().rtt()};
}

// Empty metadata and name mean "as it is", as on the reference server: a client cannot erase them.
Result<ClientMessage> read_update_metadata(const pb::SignalRequest& request,
                                           const ParticipantSid& participant) {
  const pb::UpdateParticipantMetadata& update = request.update_metadata();
  domain::UpdateMetadata command{.participant = participant,
                                 .request_id = update.request_id(),
                                 .name = {},
                                 .metadata = {},
                                 .attributes = {}};
  if (!update.name().empty()) command.name = update.name();
  if (!update.metadata().empty()) command.metadata = update.metadata();
  for (const auto& [name, value] : update.attributes()) command.attributes[name] = value;
  return command;
}

Result<ClientMessage> read_update_audio(const pb::SignalRequest& request,
                                        const ParticipantSid& participant) {
  const pb::UpdateLocalAudioTrack& update = request.update_audio_track();
  return domain::UpdateTrackInfo{.participant = participant,
                                 .track = TRY(read_id<TrackSid>(update.track_sid())),
                                 .audio_features = read_features(update.features()),
                                 .width = {},
                                 .height = {}};
}
Result<ClientMessage> read_update_video(const pb::SignalRequest& request,
                                        const ParticipantSid& participant) {
  const pb::UpdateLocalVideoTrack& update = request.update_video_track();
  return domain::UpdateTrackInfo{.participant = participant,
                                 .track = TRY(read_id<TrackSid>(update.track_sid())),
                                 .audio_features = {},
                                 .width = update.width(),
                                 .height = update.height()};
}

Result<ClientMessage> read_update_layers(const pb::SignalRequest&, const ParticipantSid&) {
  return Unsupported{.variant = pb::SignalRequest::kUpdateLayers};
}
Result<ClientMessage> read_publish_data_track(const pb::SignalRequest& request,
                                              const ParticipantSid&) {
  return Unsupported{.variant = pb::SignalRequest::kPublishDataTrack,
                     .wants_answer = true,
                     .echo = request.publish_data_track()};
}
Result<ClientMessage> read_unpublish_data_track(const pb::SignalRequest& request,
                                                const ParticipantSid&) {
  return Unsupported{.variant = pb::SignalRequest::kUnpublishDataTrack,
                     .wants_answer = true,
                     .echo = request.unpublish_data_track()};
}
Result<ClientMessage> read_data_subscription(const pb::SignalRequest&, const ParticipantSid&) {
  return Unsupported{.variant = pb::SignalRequest::kUpdateDataSubscription};
}
Result<ClientMessage> read_store_blob(const pb::SignalRequest& request, const ParticipantSid&) {
  return Unsupported{.variant = pb::SignalRequest::kStoreDataBlob,
                     .request_id = request.store_data_blob().request_id(),
                     .wants_answer = true};
}
Result<ClientMessage> read_get_blob(const pb::SignalRequest& request, const ParticipantSid&) {
  return Unsupported{.variant = pb::SignalRequest::kGetDataBlob,
                     .request_id = request.get_data_blob().request_id(),
                     .wants_answer = true};
}

// By the variant's number in SignalRequest.
constexpr std::array<Decoder, 24> kDecoders{nullptr,
                                            read_offer,
                                            read_answer,
                                            read_trickle,
                                            read_add_track,
                                            read_mute,
                                            read_subscription,
                                            read_track_setting,
                                            read_leave,
                                            nullptr,
                                            read_update_layers,
                                            read_subscription_permission,
                                            read_sync_state,
                                            read_simulate,
                                            read_ping,
                                            read_update_metadata,
                                            read_ping_req,
                                            read_update_audio,
                                            read_update_video,
                                            read_publish_data_track,
                                            read_unpublish_data_track,
                                            read_data_subscription,
                                            read_store_blob,
                                            read_get_blob};

}  // namespace

Result<ClientOffer> decode_offer(const pb::SessionDescription& description) {
  return ClientOffer{TRY(read_sdp(description, "offer")), description.id()};
}

Result<ClientMessage> decode_add_track(const pb::AddTrackRequest& request,
                                       const ParticipantSid& participant) {
  domain::TrackView track = TRY(read_track(request));
  if (request.type() != pb::AUDIO && request.type() != pb::VIDEO)
    return refuse_add_track(participant, std::move(track),
                            "only audio and video tracks are served");
  if (!request.sid().empty())
    return refuse_add_track(participant, std::move(track),
                            "a second codec of a track is not served");
  return domain::AddTrack{participant, std::move(track)};
}

Result<SyncState> decode_sync_state(const pb::SyncState& state) {
  SyncState out;
  out.subscribe = state.subscription().subscribe();
  out.subscriptions = TRY(subscription_tracks(state.subscription()));
  TRY(append_tracks(state.track_sids_disabled(), out.disabled));
  if (state.publish_tracks_size() > limits::kTracksPerRoomMax ||
      state.datachannel_receive_states_size() > limits::kParticipantsPerRoomMax ||
      state.data_channels_size() > limits::kSctpStreamsMax)
    return too_large("a list of sync_state is too long");
  for (const pb::TrackPublishedResponse& track : state.publish_tracks())
    out.publications.push_back(
        {TRY(short_text(track.cid())), TRY(read_id<TrackSid>(track.track().sid()))});
  for (const pb::DataChannelReceiveState& entry : state.datachannel_receive_states())
    out.receive_states.push_back(
        {TRY(read_id<ParticipantSid>(entry.publisher_sid())), entry.last_seq()});
  for (const pb::DataChannelInfo& channel : state.data_channels())
    out.data_channels.push_back(TRY(short_text(channel.label())));
  return out;
}

std::vector<std::string> layer_rids(const domain::TrackView& track) {
  std::vector<std::string> rids;
  if (track.layers.size() < 2) return rids;
  for (const domain::VideoLayer& layer : track.layers) rids.push_back(layer.rid);
  return rids;
}

Result<ClientMessage> decode_client_message(std::string_view bytes,
                                            const ParticipantSid& participant) {
  if (bytes.size() > limits::kSignalMessageBytesMax) return too_large("a message is too long");
  if (TRY(request_structure_bytes(bytes)) > limits::kSignalStructureBytesMax)
    return too_large("a message has too much structure");
  pb::SignalRequest request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return malformed("not a SignalRequest");
  const auto variant = static_cast<size_t>(request.message_case());
  if (variant >= kDecoders.size() || kDecoders[variant] == nullptr) return Unsupported{};
  return kDecoders[variant](request, participant);
}

}  // namespace atrium::signal
