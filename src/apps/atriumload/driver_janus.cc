// Janus VideoRoom by its WebSocket API (subprotocol janus-protocol; 1.x, several streams on one connection): each
// client joins as a participant, which tells it of the room, and publishes on that handle; another handle subscribes to
// everybody else.  We offer when publishing and answer when subscribing; ours is the DTLS client and the controlling
// ICE agent both ways, so Janus runs with `ice_lite = true`.
// Does not: trickle (Janus has its candidates in the description), use data channels, authenticate.
#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <set>
#include <utility>

#include "apps/atriumload/driver.h"
#include "wire/sdp.h"

namespace atrium::load {
namespace {

namespace json = boost::json;

constexpr auto kKeepalive = std::chrono::seconds(25);  // Janus ends a session after 60 s of silence
constexpr auto kTryAgain = std::chrono::milliseconds(100);  // the room is not made yet
constexpr int64_t kNoSuchRoom = 426, kRoomExists = 427;
constexpr uint8_t kPublisher = 0, kSubscriber = 1;  // links, and places in handles_
constexpr uint8_t kAudioType = 111, kVideoType = 96;
constexpr std::string_view kMidUri = "urn:ietf:params:rtp-hdrext:sdes:mid";
constexpr std::string_view kLevelUri = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
constexpr std::string_view kTransportSeqUri =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

int64_t number(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || (!value->is_int64() && !value->is_uint64())) return 0;
  return value->is_int64() ? value->get_int64() : static_cast<int64_t>(value->get_uint64());
}
std::string_view text(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string())
                                                : std::string_view();
}
const json::object* child(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value == nullptr ? nullptr : value->if_object();
}

// Rooms are numbers: FNV-1a of the name, in the range that JSON readers keep exact.
uint64_t room_number(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash >> 12;
}

class JanusDriver final : public Driver {
 public:
  JanusDriver(const Settings& settings, const Person& person, SecretSource& secrets)
      : settings_(settings),
        person_(person),
        secrets_(secrets),
        path_(settings.path_prefix.empty() ? "/" : settings.path_prefix) {}

  client::WebSocketDial dial(const std::string& host) override {
    return {host, path_, "janus-protocol"};
  }
  bool sends_text() const override { return true; }
  void on_open(Now now) override {
    keepalive_at_ = now.mono + kKeepalive;
    say("create", {});
  }
  void on_message(std::string_view message, Now now) override;
  void on_deadline(Now now) override;
  Mono next_deadline() const override { return std::min(keepalive_at_, try_again_at_); }
  void leave() override {
    if (person_.is_first) end_room();
    if (session_ != 0) say("destroy", {});
  }
  std::vector<std::string> take_messages() override { return std::exchange(messages_, {}); }
  std::vector<DriverEvent> take_events() override { return std::exchange(events_, {}); }
  bool has_data() const override { return false; }
  Bytes data_message(ByteView) const override { return {}; }
  DataRead read_data(ByteView) const override { return {}; }
  bool wants_link() const override { return publishes() || settings_.publishers > 0; }
  bool end_room() override {
    ask(kPublisher, {{"request", "destroy"}, {"room", room()}});
    return true;
  }

 private:
  uint64_t room() const { return room_number(person_.room); }
  bool publishes() const { return person_.publishes_audio || person_.publishes_video; }
  bool has(uint8_t handle) const { return handles_[handle] != 0; }

  void say(std::string_view what, json::object more);
  void ask(uint8_t handle, json::object body, std::string_view jsep_type = {},
           const std::string& sdp = {});
  void attach(uint8_t handle);
  void join() {
    ask(kPublisher,
        {{"request", "join"}, {"ptype", "publisher"}, {"room", room()}, {"display", person_.user}});
  }
  void on_success(const json::object& message);
  void on_plugin(const json::object& data, const json::object* jsep, Now now);
  void on_error(const json::object& data, Now now);
  void on_joined(const json::object& data);
  void take_publishers(const json::object& data);
  void subscribe();
  void publish();
  void on_offer(const std::string& sdp, Now now);
  void on_answer(const std::string& sdp);
  void open_link(uint8_t link, const wire::SdpSession& remote);
  void name_payloads(const wire::SdpSession& remote);
  void fail(std::string what) { events_.push_back(DriverFailed{std::move(what)}); }
  wire::SdpSection own_section(Kind kind, const std::string& mid, uint8_t link);

  // given
  const Settings& settings_;
  const Person person_;
  SecretSource& secrets_;
  const std::string path_;
  // derived
  struct Local {
    std::string ufrag, password;
    uint32_t audio_ssrc = 0, video_ssrc = 0;
    bool is_open = false;
  };
  Local& local(uint8_t link);
  std::array<Local, kLinksMax> locals_;
  std::vector<std::string> messages_;
  std::vector<DriverEvent> events_;
  int64_t session_ = 0, transaction_ = 0;
  uint64_t answers_ = 0;
  std::array<int64_t, kLinksMax> handles_{};
  std::map<std::string, uint8_t, std::less<>> attaching_;  // transaction → handle
  std::set<int64_t> feeds_;                                // subscribed to, or asked for
  std::vector<int64_t> wanted_;                            // not asked for yet
  bool is_asking_ = false, has_subscribed_ = false;        // an offer of Janus's is on its way
  Mono keepalive_at_ = kNever, try_again_at_ = kNever;
};

// --- words out

void JanusDriver::say(std::string_view what, json::object more) {
  more["janus"] = what;
  more["transaction"] = std::to_string(++transaction_);
  if (session_ != 0) more["session_id"] = session_;
  messages_.push_back(json::serialize(more));
}

void JanusDriver::ask(uint8_t handle, json::object body, std::string_view jsep_type,
                      const std::string& sdp) {
  if (!has(handle)) return;
  json::object message{{"handle_id", handles_[handle]}, {"body", std::move(body)}};
  if (!sdp.empty())
    message["jsep"] = json::object{{"type", jsep_type}, {"sdp", sdp}, {"trickle", false}};
  say("message", std::move(message));
}

void JanusDriver::attach(uint8_t handle) {
  say("attach", {{"plugin", "janus.plugin.videoroom"}});
  attaching_[std::to_string(transaction_)] = handle;
}

void JanusDriver::on_deadline(Now now) {
  if (keepalive_at_ <= now.mono) {
    keepalive_at_ = now.mono + kKeepalive;
    say("keepalive", {});
  }
  if (try_again_at_ <= now.mono) {
    try_again_at_ = kNever;
    join();
  }
}

// --- words in

void JanusDriver::on_message(std::string_view message, Now now) {
  boost::system::error_code error;
  const json::value parsed = json::parse(message, error);
  if (error || !parsed.is_object()) return fail("a message that is no JSON object");
  const json::object& words = parsed.get_object();
  const std::string_view what = text(words, "janus");
  if (what == "success") return on_success(words);
  if (what == "error") {
    const json::object* reason = child(words, "error");
    return fail("janus: " + std::string(reason == nullptr ? "" : text(*reason, "reason")));
  }
  if (what == "hangup" || what == "timeout") {
    events_.push_back(EndTold{0});
    return;
  }
  const json::object* plugin = child(words, "plugindata");
  const json::object* data = plugin == nullptr ? nullptr : child(*plugin, "data");
  if (what == "event" && data != nullptr) on_plugin(*data, child(words, "jsep"), now);
}

void JanusDriver::on_success(const json::object& message) {
  const json::object* data = child(message, "data");
  const auto attached = attaching_.find(text(message, "transaction"));
  if (data != nullptr && session_ == 0) {
    session_ = number(*data, "id");
    return attach(kPublisher);
  }
  if (data != nullptr && attached != attaching_.end()) {
    const uint8_t handle = attached->second;
    attaching_.erase(attached);
    handles_[handle] = number(*data, "id");
    if (handle == kSubscriber) return subscribe();
    if (!person_.is_first) return join();
    // Room for everybody; no limit that Janus would ask publishers to keep.
    ask(kPublisher, {{"request", "create"},
                     {"room", room()},
                     {"publishers", kClientsMax},
                     {"bitrate", 0},
                     {"audiocodec", "opus"},
                     {"videocodec", "vp8"},
                     {"is_private", true}});
    return;
  }
  const json::object* plugin = child(message, "plugindata");
  const json::object* answer = plugin == nullptr ? nullptr : child(*plugin, "data");
  if (answer == nullptr) return;
  if (number(*answer, "error_code") == kRoomExists || text(*answer, "videoroom") == "created")
    return join();
  if (text(*answer, "videoroom") == "destroyed") events_.push_back(RoomEnded{});
  if (number(*answer, "error_code") != 0) fail("janus: " + std::string(text(*answer, "error")));
}

void JanusDriver::on_plugin(const json::object& data, const json::object* jsep, Now now) {
  if (number(data, "error_code") != 0) return on_error(data, now);
  const std::string_view what = text(data, "videoroom");
  if (what == "joined") on_joined(data);
  if (what == "destroyed") events_.push_back(EndTold{0});
  take_publishers(data);
  if (jsep == nullptr) return;
  const std::string sdp(text(*jsep, "sdp"));
  if (text(*jsep, "type") == "offer") return on_offer(sdp, now);
  on_answer(sdp);
}

void JanusDriver::on_error(const json::object& data, Now now) {
  if (number(data, "error_code") == kNoSuchRoom) {
    try_again_at_ = now.mono + kTryAgain;
    return;
  }
  fail("janus: " + std::string(text(data, "error")));
}

void JanusDriver::on_joined(const json::object&) {
  events_.push_back(SignalJoined{});
  if (publishes()) publish();
}

// --- others' streams

void JanusDriver::take_publishers(const json::object& data) {
  const json::value* publishers = data.if_contains("publishers");
  if (publishers == nullptr || !publishers->is_array()) return;
  for (const json::value& one : publishers->get_array()) {
    const int64_t feed = one.is_object() ? number(one.get_object(), "id") : 0;
    if (feed != 0 && feeds_.insert(feed).second) wanted_.push_back(feed);
  }
  if (wanted_.empty()) return;
  if (has(kSubscriber)) return subscribe();
  const auto is_on_its_way = [](const auto& entry) { return entry.second == kSubscriber; };
  if (std::ranges::none_of(attaching_, is_on_its_way)) attach(kSubscriber);
}

// One at a time: what is wanted meanwhile goes into the next.
void JanusDriver::subscribe() {
  if (is_asking_ || wanted_.empty()) return;
  is_asking_ = true;
  json::array streams;
  for (const int64_t feed : std::exchange(wanted_, {}))
    streams.push_back(json::object{{"feed", feed}});
  if (std::exchange(has_subscribed_, true))
    return ask(kSubscriber, {{"request", "subscribe"}, {"streams", std::move(streams)}});
  ask(kSubscriber, {{"request", "join"},
                    {"ptype", "subscriber"},
                    {"room", room()},
                    {"streams", std::move(streams)}});
}

// --- descriptions

JanusDriver::Local& JanusDriver::local(uint8_t link) {
  Local& one = locals_[link];
  if (one.ufrag.empty()) {
    one.ufrag = secrets_.base62(8);  // RFC 8445 section 5.3
    one.password = secrets_.base62(24);
    one.audio_ssrc = secrets_.u32(), one.video_ssrc = secrets_.u32();
  }
  return one;
}

wire::SdpSection JanusDriver::own_section(Kind kind, const std::string& mid, uint8_t link) {
  const bool is_audio = kind == Kind::Audio;
  wire::SdpSection section;
  section.kind = is_audio ? wire::SdpKind::Audio : wire::SdpKind::Video;
  section.media = is_audio ? "audio" : "video";
  section.protocol = "UDP/TLS/RTP/SAVPF";
  section.mid = mid;
  section.rtcp_mux = true;
  section.transport = {.ice_ufrag = local(link).ufrag,
                       .ice_pwd = local(link).password,
                       .fingerprints = {{"sha-256", person_.fingerprint}},
                       .setup = wire::SdpSetup::Active};
  section.end_of_candidates = true;
  return section;
}

void JanusDriver::publish() {
  wire::SdpSession offer;
  offer.origin_id = "1";
  offer.origin_version = 1;
  const auto add = [&](Kind kind, wire::SdpCodec codec, uint32_t ssrc) {
    wire::SdpSection section = own_section(kind, std::to_string(offer.sections.size()), kPublisher);
    section.direction = wire::SdpDirection::SendOnly;
    section.codecs = {std::move(codec)};
    section.extmaps = {{.id = 1, .uri = std::string(kMidUri)},
                       {.id = 3, .uri = std::string(kTransportSeqUri)}};
    if (kind == Kind::Audio) section.extmaps.push_back({.id = 2, .uri = std::string(kLevelUri)});
    section.msids = {{"load", std::string(section.media)}};
    section.ssrcs = {{.ssrc = ssrc, .cname = person_.user}};
    offer.bundle.push_back(section.mid);
    offer.sections.push_back(std::move(section));
  };
  if (person_.publishes_audio)
    add(Kind::Audio,
        {.payload_type = kAudioType,
         .name = "opus",
         .clock_rate = 48'000,
         .channels = 2,
         .feedback = {"transport-cc"}},
        local(kPublisher).audio_ssrc);
  if (person_.publishes_video)
    add(Kind::Video,
        {.payload_type = kVideoType,
         .name = "VP8",
         .clock_rate = 90'000,
         .feedback = {"ccm fir", "nack", "nack pli", "transport-cc"}},
        local(kPublisher).video_ssrc);
  ask(kPublisher, {{"request", "publish"}, {"audiocodec", "opus"}, {"videocodec", "vp8"}}, "offer",
      wire::write_sdp(offer));
}

void JanusDriver::open_link(uint8_t link, const wire::SdpSession& remote) {
  if (std::exchange(locals_[link].is_open, true) || remote.sections.empty()) return;
  const wire::SdpTransport& transport = remote.sections.front().transport;
  LinkOpened opened;
  opened.link = link;
  opened.plan.local = {local(link).ufrag, local(link).password};
  opened.plan.remote = {transport.ice_ufrag, transport.ice_pwd};
  for (const wire::SdpFingerprint& fingerprint : transport.fingerprints)
    if (fingerprint.hash == "sha-256")
      opened.plan.fingerprint = client::read_fingerprint(fingerprint.value);
  for (const wire::SdpCandidate& candidate : remote.sections.front().candidates) {
    const auto ip = IpAddress::parse(candidate.address);
    if (ip && candidate.transport == "udp" && candidate.component == 1)
      opened.plan.candidates.push_back({*ip, candidate.port});
  }
  events_.push_back(std::move(opened));
}

void JanusDriver::on_answer(const std::string& sdp) {
  const auto answer = wire::parse_sdp(sdp);
  if (!answer) return fail(std::string("janus: its answer: ") + answer.error().what);
  open_link(kPublisher, *answer);
  for (const wire::SdpSection& section : answer->sections) {
    if (wire::is_rejected(section) || section.codecs.empty())
      return fail("janus: it takes no " + section.media);
    const bool is_audio = section.kind == wire::SdpKind::Audio;
    SendGranted granted;
    granted.link = kPublisher;
    granted.kind = is_audio ? Kind::Audio : Kind::Video;
    granted.mid = section.mid;
    granted.ssrc = is_audio ? local(kPublisher).audio_ssrc : local(kPublisher).video_ssrc;
    granted.payload_type = section.codecs.front().payload_type;
    for (const wire::SdpExtmap& extension : section.extmaps) {
      const auto id = static_cast<uint8_t>(extension.id);
      if (extension.uri == kMidUri) granted.extensions.mid = id;
      if (extension.uri == kLevelUri) granted.extensions.audio_level = id;
      if (extension.uri == kTransportSeqUri) granted.extensions.transport_seq = id;
    }
    granted.has_transport_seq = granted.extensions.transport_seq != 0;
    events_.push_back(std::move(granted));
  }
}

void JanusDriver::name_payloads(const wire::SdpSession& remote) {
  for (const wire::SdpSection& section : remote.sections)
    for (const wire::SdpCodec& codec : section.codecs) {
      const bool is_repair = wire::equal_ignoring_case(codec.name, "rtx");
      const auto use = section.kind == wire::SdpKind::Audio ? PayloadUse::Audio : PayloadUse::Video;
      events_.push_back(
          PayloadNamed{kSubscriber, codec.payload_type, is_repair ? PayloadUse::Repair : use});
    }
}

// Janus says what it will send; we take all of it.
void JanusDriver::on_offer(const std::string& sdp, Now) {
  const auto offer = wire::parse_sdp(sdp);
  if (!offer) return fail(std::string("janus: its offer: ") + offer.error().what);
  wire::SdpSession answer;
  answer.origin_id = "1";
  answer.origin_version = ++answers_;
  answer.bundle = offer->bundle;
  for (const wire::SdpSection& theirs : offer->sections) {
    const Kind kind = theirs.kind == wire::SdpKind::Audio ? Kind::Audio : Kind::Video;
    wire::SdpSection ours = own_section(kind, theirs.mid, kSubscriber);
    ours.media = theirs.media, ours.kind = theirs.kind, ours.protocol = theirs.protocol;
    ours.codecs = theirs.codecs, ours.extmaps = theirs.extmaps, ours.formats = theirs.formats;
    ours.direction =
        wire::sends(theirs.direction) ? wire::SdpDirection::RecvOnly : wire::SdpDirection::Inactive;
    answer.sections.push_back(std::move(ours));
  }
  name_payloads(*offer);
  open_link(kSubscriber, *offer);
  ask(kSubscriber, {{"request", "start"}}, "answer", wire::write_sdp(answer));
  is_asking_ = false;
  subscribe();
}

}  // namespace

std::unique_ptr<Driver> make_janus_driver(const Settings& settings, const Person& person,
                                          SecretSource& secrets, Now) {
  return std::make_unique<JanusDriver>(settings, person, secrets);
}

}  // namespace atrium::load
