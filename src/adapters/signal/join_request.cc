#include "adapters/signal/join_request.h"

#include <algorithm>
#include <array>

#include "adapters/signal/gzip.h"
#include "adapters/signal/structure.h"
#include "adapters/signal/text.h"
#include "adapters/signal/words.h"
#include "base/crypto.h"
#include "base/limits.h"

namespace atrium::signal {
namespace {

constexpr std::string_view kRoomPath = "/r/";
constexpr std::string_view kBearer = "Bearer ";

struct EndpointPath {
  std::string_view path;
  Endpoint endpoint;
};
constexpr std::array<EndpointPath, 4> kEndpoints{{
    {"/rtc/v1", Endpoint::Join},
    {"/rtc/v1/validate", Endpoint::JoinValidate},
    {"/rtc", Endpoint::DualJoin},
    {"/rtc/validate", Endpoint::DualValidate},
}};

std::unexpected<Error> too_large(const char* what) {
  return fail(ErrorKind::LimitExceeded, what);
}

int64_t bytes_of(const std::map<std::string, std::string>& attributes) {
  int64_t bytes = 0;
  for (const auto& [name, value] : attributes) bytes += std::ssize(name) + std::ssize(value);
  return bytes;
}

// Takes "/r/<RoomId>" off `path` and notes the room.
void take_room_prefix(std::string_view& path, Target& target) {
  if (!path.starts_with(kRoomPath)) return;
  const std::string_view rest = path.substr(kRoomPath.size());
  const size_t end = std::min(rest.find('/'), rest.size());
  const auto room = percent_decode(rest.substr(0, end));
  path = rest.substr(end);
  target.has_bad_prefix = !room || room->empty();
  if (!target.has_bad_prefix) target.path_room = RoomId(*room);
}

// base64url as sent: padding percent-encoded, plain or left out; the standard alphabet is a client's mistake.
Result<std::string> inner_join_request(std::string_view query) {
  const auto text = query_value(query, "join_request");
  if (!text || text->empty()) return malformed("join_request is missing");
  const auto bytes = from_base64url(*text);
  if (!bytes) return malformed("join_request is not base64url");
  pb::WrappedJoinRequest wrapped;
  if (!wrapped.ParseFromArray(bytes->data(), static_cast<int>(bytes->size())))
    return malformed("join_request is not a WrappedJoinRequest");
  if (wrapped.compression() == pb::WrappedJoinRequest::GZIP)
    return gunzip(wrapped.join_request(), limits::kJoinRequestInflatedMax);
  if (wrapped.compression() != pb::WrappedJoinRequest::NONE)
    return malformed("join_request is compressed unknown to us");
  if (wrapped.join_request().size() > limits::kJoinRequestInflatedMax)
    return too_large("join_request is too long");
  return std::move(*wrapped.mutable_join_request());
}

ClientInfo read_client(const pb::ClientInfo& info) {
  ClientInfo client{.sdk = sdk_name(info.sdk()),
                    .version = info.version(),
                    .os = info.os(),
                    .os_version = info.os_version(),
                    .device_model = info.device_model(),
                    .browser = info.browser(),
                    .browser_version = info.browser_version(),
                    .network = info.network(),
                    .protocol = info.protocol(),
                    .client_protocol = info.client_protocol(),
                    .capabilities = {}};
  for (int capability : info.capabilities()) {
    const std::string name = capability_name(capability);
    if (capability >= 0 &&
        std::ranges::find(client.capabilities, name) == client.capabilities.end() &&
        client.capabilities.size() < static_cast<size_t>(limits::kCapabilitiesMax))
      client.capabilities.push_back(name);
  }
  return client;
}

ReconnectReason read_reason(pb::ReconnectReason reason) {
  switch (reason) {
    case pb::RR_SIGNAL_DISCONNECTED:
      return ReconnectReason::SignalDisconnected;
    case pb::RR_PUBLISHER_FAILED:
      return ReconnectReason::PublisherFailed;
    case pb::RR_SUBSCRIBER_FAILED:
      return ReconnectReason::SubscriberFailed;
    case pb::RR_SWITCH_CANDIDATE:
      return ReconnectReason::SwitchCandidate;
    default:
      return ReconnectReason::Unknown;
  }
}

struct SystemName {
  std::string_view part;
  domain::DeviceKind kind;
};
// What SDKs call the system that they run on, or a part of it; the first that fits counts.
constexpr std::array<SystemName, 13> kSystemNames{{
    {"android", domain::DeviceKind::Android},
    {"harmony", domain::DeviceKind::Harmony},
    {"ohos", domain::DeviceKind::Harmony},
    {"iphone", domain::DeviceKind::Ios},
    {"ipad", domain::DeviceKind::Ios},
    {"ios", domain::DeviceKind::Ios},
    {"mac", domain::DeviceKind::Mac},
    {"darwin", domain::DeviceKind::Mac},
    {"windows", domain::DeviceKind::Windows},
    {"linux", domain::DeviceKind::Linux},
    {"ubuntu", domain::DeviceKind::Linux},
    {"debian", domain::DeviceKind::Linux},
    {"fedora", domain::DeviceKind::Linux},
}};

bool contains_ignoring_case(std::string_view text, std::string_view part) {
  for (size_t at = 0; at + part.size() <= text.size(); ++at)
    if (equals_ignoring_case(text.substr(at, part.size()), part)) return true;
  return false;
}

domain::DeviceKind kind_of(const ClientInfo& client) {
  const auto known = std::ranges::find_if(kSystemNames, [&](const SystemName& name) {
    return contains_ignoring_case(client.os, name.part);
  });
  const auto kind = known == kSystemNames.end() ? domain::DeviceKind::Unknown : known->kind;
  // React Native calls itself js, as browsers do, and alone of the two says that it runs on a telephone.
  const bool is_telephone = kind == domain::DeviceKind::Android || kind == domain::DeviceKind::Ios;
  const bool is_browser = client.sdk == "unity-web" || (client.sdk == "js" && !is_telephone);
  return is_browser ? domain::DeviceKind::Web : kind;
}

// History keeps these for days: what is longer than a name is not worth it, and a part of it may be no text.
std::string if_short(std::string text) {
  return text.size() > static_cast<size_t>(limits::kNameBytesMax) ? std::string() : text;
}

domain::ClientDevice device_of(const ClientInfo& client) {
  return {.kind = kind_of(client),
          .model = if_short(client.device_model),
          .sdk = if_short(client.sdk + " " + client.version),
          .network = if_short(client.network)};
}

Result<void> read_resume(const pb::JoinRequest& request, JoinParameters& out) {
  out.is_reconnect = request.reconnect();
  out.reconnect_reason = read_reason(request.reconnect_reason());
  if (request.participant_sid().size() > limits::kIdBytesMax) return too_large("an id is too long");
  out.participant = ParticipantSid(request.participant_sid());
  if (out.is_reconnect && out.participant.empty())
    return malformed("a reconnect without participant_sid");
  if (request.has_sync_state()) out.sync_state = TRY(decode_sync_state(request.sync_state()));
  return {};
}

// Tracks asked for with the join.  Those that are not served are left out: there is nobody to answer yet.
Result<void> read_add_tracks(const pb::JoinRequest& request, JoinParameters& out) {
  if (request.add_track_requests_size() > limits::kTracksPerParticipantMax)
    return too_large("too many tracks in join_request");
  for (const pb::AddTrackRequest& track : request.add_track_requests()) {
    ClientMessage message = TRY(decode_add_track(track, ParticipantSid()));
    if (auto* add = std::get_if<domain::AddTrack>(&message))
      out.add_tracks.push_back(std::move(*add));
  }
  return {};
}

Result<JoinParameters> read_join_request(const pb::JoinRequest& request) {
  JoinParameters out;
  out.client = read_client(request.client_info());
  if (request.has_connection_settings()) {
    out.auto_subscribe = request.connection_settings().auto_subscribe();
    out.adaptive_stream = request.connection_settings().adaptive_stream();
    out.disable_ice_lite = request.connection_settings().disable_ice_lite();
    out.subscriber_allow_pause = request.connection_settings().subscriber_allow_pause();
  }
  if (request.metadata().size() > limits::kMetadataBytesMax)
    return too_large("metadata is too long");
  out.metadata = request.metadata();
  for (const auto& [name, value] : request.participant_attributes()) out.attributes[name] = value;
  if (bytes_of(out.attributes) > limits::kAttributesBytesMax)
    return too_large("attributes are too long");
  if (request.has_publisher_offer())
    out.publisher_offer = TRY(decode_offer(request.publisher_offer()));
  TRY(read_add_tracks(request, out));
  TRY(read_resume(request, out));
  return out;
}

}  // namespace

std::optional<Target> parse_target(std::string_view request_target) {
  const size_t question = std::min(request_target.find('?'), request_target.size());
  std::string_view path = request_target.substr(0, question);
  Target target;
  target.query = request_target.substr(std::min(question + 1, request_target.size()));
  take_room_prefix(path, target);
  const auto known = std::ranges::find(kEndpoints, path, &EndpointPath::path);
  if (known == kEndpoints.end()) return std::nullopt;
  target.endpoint = known->endpoint;
  return target;
}

std::string presented_token(const Target& target, std::string_view authorization_header) {
  const std::string_view scheme = authorization_header.substr(0, kBearer.size());
  if (equals_ignoring_case(scheme, kBearer)) {
    std::string_view token = authorization_header.substr(kBearer.size());
    token.remove_prefix(std::min(token.find_first_not_of(' '), token.size()));
    return std::string(token);
  }
  return query_value(target.query, "access_token").value_or("");
}

Result<JoinParameters> parse_join_parameters(const Target& target) {
  const std::string bytes = TRY(inner_join_request(target.query));
  if (TRY(join_structure_bytes(bytes)) > limits::kSignalStructureBytesMax)
    return too_large("join_request has too much structure");
  pb::JoinRequest request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return malformed("join_request does not hold a JoinRequest");
  return read_join_request(request);
}

domain::Joiner make_joiner(const VerifiedToken& token, const JoinParameters& parameters) {
  const bool is_vendor = token.kind == domain::TokenKind::Vendor001;
  domain::Joiner joiner;
  joiner.app = token.app;
  joiner.room = token.room;
  joiner.user = token.user;
  joiner.name = token.name;
  joiner.metadata = token.metadata;
  joiner.attributes = token.attributes;
  joiner.permissions = token.permissions;
  joiner.token_kind = token.kind;
  joiner.token_hash = token.hash;
  if (is_vendor) joiner.removed_at = token.expires_at;
  joiner.publish_until = token.publish_until;
  joiner.subscribe_until = token.subscribe_until;
  joiner.auto_subscribe = parameters.auto_subscribe;
  joiner.adaptive_stream = parameters.adaptive_stream;
  joiner.protocol = parameters.client.protocol;
  joiner.client_protocol = parameters.client.client_protocol;
  joiner.capabilities = parameters.client.capabilities;
  joiner.device = device_of(parameters.client);
  if (!token.permissions.can_update_metadata) return joiner;
  if (!parameters.metadata.empty()) joiner.metadata = parameters.metadata;
  auto attributes = token.attributes;
  for (const auto& [name, value] : parameters.attributes) attributes[name] = value;
  // Each of the two is within the limit; where both together are not, the token's stand.
  if (bytes_of(attributes) <= limits::kAttributesBytesMax)
    joiner.attributes = std::move(attributes);
  return joiner;
}

}  // namespace atrium::signal
