// The reading half of Sdp; the writing half is sdp_write.cc.
#include "wire/sdp.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/ascii.h"
#include "base/limits.h"

namespace atrium::wire {
namespace {

using Text = std::string_view;

bool is_hex_digit(char c) {
  return hex_value(c) >= 0;
}

std::string lower_case(Text text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

Text trim(Text text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Takes what stands before `separator` and the separator itself off the front; all of it when there
// is none.
Text take_until(Text& rest, char separator) {
  size_t end = rest.find(separator);
  Text word = rest.substr(0, end);
  rest.remove_prefix(end == Text::npos ? rest.size() : end + 1);
  return word;
}

// The next word between spaces; empty at the end.
Text take_word(Text& rest) {
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  return take_until(rest, ' ');
}

template <typename T>
std::optional<T> number(Text text) {
  T value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

template <typename T>
bool is_full(const std::vector<T>& list, int64_t limit) {
  return static_cast<int64_t>(list.size()) >= limit;
}
bool contains(const std::vector<std::string>& list, Text text) {
  return std::ranges::find(list, text) != list.end();
}
bool is_longer(Text text, int64_t limit) {
  return static_cast<int64_t>(text.size()) > limit;
}

std::unexpected<Error> too_many(const char* literal) {
  return fail(ErrorKind::LimitExceeded, literal);
}

constexpr bool is_token_char(char c) {
  if (c <= 0x20 || c >= 0x7f) return false;
  return Text("\"(),/:;<=>?@[\\]").find(c) == Text::npos;
}
// is_token_char of each byte.
constexpr auto kTokenChars = [] {
  std::array<bool, 256> out{};
  for (size_t byte = 0; byte < out.size(); ++byte)
    out[byte] = is_token_char(static_cast<char>(byte));
  return out;
}();

bool is_mid(Text text) {
  return is_sdp_token(text) && !is_longer(text, limits::kMidBytesMax);
}

bool is_rid(Text text) {
  return !text.empty() && !is_longer(text, limits::kMidBytesMax) &&
         std::ranges::all_of(
             text, [](char c) { return is_digit(c) || is_letter(c) || c == '-' || c == '_'; });
}

bool is_control_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}
bool has_control_character(Text line) {
  return std::ranges::any_of(line, is_control_character);
}
// false: no line of the text has one.  Without an early exit the compiler looks at many bytes at
// once, so that this costs far less than to look at each line of a sound text.
bool may_have_control_character(Text text) {
  bool found = !text.empty() && text.back() != '\n' && is_control_character(text.back());
  for (size_t i = 1; i < text.size(); ++i) {
    const char c = text[i - 1], next = text[i];
    const bool is_carriage_return = (c == '\r') & (next == '\n');
    found |= is_control_character(c) && c != '\n' && !is_carriage_return;
  }
  return found;
}

std::optional<SdpDirection> direction_of(Text word) {
  if (word == "sendrecv") return SdpDirection::SendRecv;
  if (word == "sendonly") return SdpDirection::SendOnly;
  if (word == "recvonly") return SdpDirection::RecvOnly;
  if (word == "inactive") return SdpDirection::Inactive;
  return std::nullopt;
}

SdpKind kind_of(Text media) {
  if (media == "audio") return SdpKind::Audio;
  if (media == "video") return SdpKind::Video;
  if (media == "application") return SdpKind::Application;
  return SdpKind::Other;
}

// RFC 8122 section 5: pairs of hex digits between colons, to upper case.  The longest hash,
// SHA-512, has 64 of them.
std::optional<std::string> fingerprint_value(Text text) {
  if (text.size() % 3 != 2 || text.size() > 64 * 3 - 1) return std::nullopt;
  for (size_t i = 0; i < text.size(); i += 3) {
    if (!is_hex_digit(text[i]) || !is_hex_digit(text[i + 1])) return std::nullopt;
    if (i + 2 < text.size() && text[i + 2] != ':') return std::nullopt;
  }
  std::string out(text);
  std::ranges::transform(out, out.begin(), upper);
  return out;
}

std::optional<SdpMsid> msid_of(Text value) {
  SdpMsid msid;
  msid.stream = take_word(value);
  msid.track = take_word(value);
  if (msid.stream.empty()) return std::nullopt;
  return msid;
}

// One direction of a=simulcast: streams between ';', alternatives between ',', '~' before a paused
// one.
Result<std::vector<SdpSimulcastStream>> simulcast_streams(Text text) {
  std::vector<SdpSimulcastStream> streams;
  while (!text.empty()) {
    if (is_full(streams, limits::kSdpRidsMax))
      return too_many("sdp: a=simulcast, too many streams");
    Text alternatives = take_until(text, ';');
    SdpSimulcastStream stream;
    while (!alternatives.empty()) {
      if (is_full(stream, limits::kSdpRidsMax))
        return too_many("sdp: a=simulcast, too many alternatives");
      Text rid = take_until(alternatives, ',');
      bool paused = rid.starts_with('~');
      if (paused) rid.remove_prefix(1);
      if (!is_rid(rid)) return malformed("sdp: a=simulcast, not a rid");
      stream.push_back({.rid = std::string(rid), .paused = paused});
    }
    if (stream.empty()) return malformed("sdp: a=simulcast, empty stream");
    streams.push_back(std::move(stream));
  }
  if (streams.empty()) return malformed("sdp: a=simulcast, no streams");
  return streams;
}

// What browsers write, or more.  Room for it is made at once, so that lists need not grow step by
// step.
constexpr size_t kUsualSections = 16, kUsualFeedback = 5, kUsualExtmaps = 14;

// Goes through the lines once.  Attributes before the first m= line are gathered in `defaults_`, a
// section that is never handed out, and copied to the sections that lack their own.
class SdpReader {
 public:
  Result<SdpSession> read(Text text);

 private:
  // For each payload type its position in `codecs`.
  using CodecIndex = std::array<uint8_t, 128>;
  static constexpr uint8_t kNoCodec = 255;

  static constexpr CodecIndex no_codecs() {
    CodecIndex index;
    index.fill(kNoCodec);
    return index;
  }
  Result<void> on_line(Text line);
  Result<void> on_origin(Text value);
  Result<void> on_media(Text value);
  Result<void> on_payload_types(SdpSection& section, Text formats);
  Result<void> on_attribute(Text value);
  void inherit();

  Result<void> on_group(Text value);
  Result<void> on_mid(Text value);
  Result<void> on_ufrag(Text value);
  Result<void> on_pwd(Text value);
  Result<void> on_fingerprint(Text value);
  Result<void> on_setup(Text value);
  Result<void> on_rtpmap(Text value);
  Result<void> on_fmtp(Text value);
  Result<void> on_rtcp_fb(Text value);
  Result<void> on_extmap(Text value);
  Result<void> on_msid(Text value);
  Result<void> on_ssrc(Text value);
  Result<void> on_ssrc_group(Text value);
  Result<void> on_rid(Text value);
  Result<void> on_simulcast(Text value);
  Result<void> on_sctp_port(Text value);
  Result<void> on_max_message_size(Text value);
  Result<void> on_candidate(Text value);
  Result<void> on_ice_options(Text value);
  void on_flag(Text name);

  SdpSection& here() { return session_.sections.empty() ? defaults_ : session_.sections.back(); }
  SdpCodec* codec(Text payload_type);
  SdpSsrc* ssrc_entry(uint32_t ssrc);

  SdpSession session_;
  SdpSection defaults_;
  CodecIndex codec_index_ = no_codecs();  // of here()
  bool may_have_control_character_ = false;
  int64_t lines_ = 0;
  bool origin_seen_ = false;
};

Result<SdpSession> SdpReader::read(Text text) {
  if (is_longer(text, limits::kSdpBytesMax)) return too_many("sdp: too many bytes");
  may_have_control_character_ = may_have_control_character(text);
  session_.sections.reserve(kUsualSections);
  while (!text.empty()) {
    Text line = take_until(text, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (++lines_ > limits::kSdpLinesMax) return too_many("sdp: too many lines");
    if (is_longer(line, limits::kSdpLineBytesMax)) return too_many("sdp: line too long");
    if (lines_ == 1 && line != "v=0") return malformed("sdp: does not begin with v=0");
    if (!line.empty()) TRY(on_line(line));
  }
  if (!origin_seen_) return malformed("sdp: no o= line");
  session_.extmap_allow_mixed = defaults_.extmap_allow_mixed;
  inherit();
  return std::move(session_);
}

void SdpReader::inherit() {
  const SdpTransport& from = defaults_.transport;
  for (SdpSection& section : session_.sections) {
    SdpTransport& to = section.transport;
    if (to.ice_ufrag.empty()) to.ice_ufrag = from.ice_ufrag;
    if (to.ice_pwd.empty()) to.ice_pwd = from.ice_pwd;
    if (to.ice_options.empty()) to.ice_options = from.ice_options;
    if (to.fingerprints.empty()) to.fingerprints = from.fingerprints;
    if (to.setup == SdpSetup::Unset) to.setup = from.setup;
    if (section.extmaps.empty()) section.extmaps = defaults_.extmaps;
  }
}

Result<void> SdpReader::on_line(Text line) {
  if (line.size() < 2 || line[1] != '=') return malformed("sdp: line is not type=value");
  if (may_have_control_character_ && has_control_character(line))
    return malformed("sdp: control character");
  Text value = line.substr(2);
  switch (line[0]) {
    case 'o':
      return on_origin(value);
    case 'm':
      return on_media(value);
    case 'a':
      return on_attribute(value);
    default:
      return {};  // s=, t=, c=, b= and the rest decide nothing here
  }
}

// o=<username> <sess-id> <sess-version> <nettype> <addrtype> <address>
Result<void> SdpReader::on_origin(Text value) {
  if (origin_seen_ || !session_.sections.empty()) return malformed("sdp: o= twice or after m=");
  take_word(value);
  Text id = take_word(value);
  auto version = number<uint64_t>(take_word(value));
  bool digits = std::ranges::all_of(id, is_digit);
  if (id.empty() || id.size() > 32 || !digits || !version)
    return malformed("sdp: o= ids are not numbers");
  session_.origin_id = id;
  session_.origin_version = *version;
  origin_seen_ = true;
  return {};
}

// m=<media> <port> <proto> <fmt> …
Result<void> SdpReader::on_media(Text value) {
  if (is_full(session_.sections, limits::kSdpSectionsMax))
    return too_many("sdp: too many m= sections");
  SdpSection& section = session_.sections.emplace_back();
  section.media = take_word(value);
  auto port = number<uint16_t>(take_word(value));
  section.protocol = take_word(value);
  if (!is_sdp_token(section.media)) return malformed("sdp: m= media word");
  if (!port) return malformed("sdp: m= port");
  if (section.protocol.empty() || trim(value).empty())
    return malformed("sdp: m= without protocol or formats");
  section.port = *port;
  section.kind = kind_of(section.media);
  section.direction = defaults_.direction;
  codec_index_ = no_codecs();
  bool is_media = section.kind == SdpKind::Audio || section.kind == SdpKind::Video;
  if (is_media && section.protocol.find("RTP/") != std::string::npos) {
    TRY(on_payload_types(section, value));
  } else {
    for (Text word = take_word(value); !word.empty(); word = take_word(value))
      section.formats.emplace_back(word);
  }
  return {};
}

Result<void> SdpReader::on_payload_types(SdpSection& section, Text formats) {
  const auto spaces = static_cast<size_t>(std::ranges::count(formats, ' '));
  section.codecs.reserve(std::min(spaces + 1, codec_index_.size()));
  for (Text word = take_word(formats); !word.empty(); word = take_word(formats)) {
    auto payload_type = number<uint8_t>(word);
    if (!payload_type || *payload_type >= codec_index_.size())
      return malformed("sdp: m= payload type");
    uint8_t& position = codec_index_[*payload_type];
    if (position != kNoCodec) return malformed("sdp: m= payload type twice");
    position = static_cast<uint8_t>(section.codecs.size());
    section.codecs.emplace_back().payload_type = *payload_type;
  }
  return {};
}

// The names are compared one by one; those that browsers write most stand first.
Result<void> SdpReader::on_attribute(Text value) {
  const Text name = take_until(value, ':');
  if (name == "rtcp-fb") return on_rtcp_fb(value);
  if (name == "rtpmap") return on_rtpmap(value);
  if (name == "fmtp") return on_fmtp(value);
  if (name == "extmap") return on_extmap(value);
  if (name == "ssrc") return on_ssrc(value);
  if (name == "ssrc-group") return on_ssrc_group(value);
  if (name == "mid") return on_mid(value);
  if (name == "msid") return on_msid(value);
  if (name == "rid") return on_rid(value);
  if (name == "simulcast") return on_simulcast(value);
  if (name == "ice-ufrag") return on_ufrag(value);
  if (name == "ice-pwd") return on_pwd(value);
  if (name == "ice-options") return on_ice_options(value);
  if (name == "fingerprint") return on_fingerprint(value);
  if (name == "setup") return on_setup(value);
  if (name == "candidate") return on_candidate(value);
  if (name == "group") return on_group(value);
  if (name == "sctp-port") return on_sctp_port(value);
  if (name == "max-message-size") return on_max_message_size(value);
  on_flag(name);
  return {};
}

// Attributes that say all by their name.
void SdpReader::on_flag(Text name) {
  SdpSection& section = here();
  if (const auto direction = direction_of(name)) section.direction = *direction;
  if (name == "ice-lite") session_.ice_lite = true;
  if (name == "rtcp-mux") section.rtcp_mux = true;
  if (name == "rtcp-rsize") section.rtcp_rsize = true;
  if (name == "bundle-only") section.bundle_only = true;
  if (name == "end-of-candidates") section.end_of_candidates = true;
  if (name == "extmap-allow-mixed") section.extmap_allow_mixed = true;
}

// a=group:BUNDLE <mid> … (RFC 9143); other semantics are not ours.
Result<void> SdpReader::on_group(Text value) {
  if (take_word(value) != "BUNDLE") return {};
  if (!session_.bundle.empty()) return malformed("sdp: more than one BUNDLE group");
  for (Text mid = take_word(value); !mid.empty(); mid = take_word(value)) {
    if (!is_mid(mid)) return malformed("sdp: a=group, not a mid");
    if (is_full(session_.bundle, limits::kSdpSectionsMax))
      return too_many("sdp: a=group, too many mids");
    if (contains(session_.bundle, mid)) return malformed("sdp: a=group, mid twice");
    session_.bundle.emplace_back(mid);
  }
  return {};
}

Result<void> SdpReader::on_mid(Text value) {
  if (!is_mid(value)) return malformed("sdp: a=mid");
  if (!here().mid.empty()) return malformed("sdp: a=mid twice");
  here().mid = value;
  return {};
}

Result<void> SdpReader::on_ufrag(Text value) {
  if (value.size() < 4 || is_longer(value, limits::kIceUfragBytesMax) ||
      value.find(' ') != Text::npos)
    return malformed("sdp: a=ice-ufrag");
  here().transport.ice_ufrag = value;
  return {};
}

Result<void> SdpReader::on_pwd(Text value) {
  if (value.size() < 22 || is_longer(value, limits::kIceUfragBytesMax) ||
      value.find(' ') != Text::npos)
    return malformed("sdp: a=ice-pwd");
  here().transport.ice_pwd = value;
  return {};
}

Result<void> SdpReader::on_ice_options(Text value) {
  if (is_longer(value, limits::kIceUfragBytesMax)) return too_many("sdp: a=ice-options too long");
  here().transport.ice_options = trim(value);
  return {};
}

Result<void> SdpReader::on_fingerprint(Text value) {
  auto& list = here().transport.fingerprints;
  if (is_full(list, limits::kSdpFingerprintsMax)) return too_many("sdp: too many a=fingerprint");
  std::string hash = lower_case(take_word(value));
  auto digits = fingerprint_value(trim(value));
  if (!is_sdp_token(hash) || !digits) return malformed("sdp: a=fingerprint");
  list.push_back({.hash = std::move(hash), .value = std::move(*digits)});
  return {};
}

Result<void> SdpReader::on_setup(Text value) {
  SdpSetup& setup = here().transport.setup;
  if (value == "active")
    setup = SdpSetup::Active;
  else if (value == "passive")
    setup = SdpSetup::Passive;
  else if (value == "actpass")
    setup = SdpSetup::ActPass;
  else if (value == "holdconn")
    setup = SdpSetup::HoldConn;
  else
    return malformed("sdp: a=setup");
  return {};
}

// nullptr: a payload type that is not in the m= line, whose lines mean nothing.
SdpCodec* SdpReader::codec(Text payload_type) {
  auto wanted = number<uint8_t>(payload_type);
  if (!wanted || *wanted >= codec_index_.size()) return nullptr;
  const uint8_t position = codec_index_[*wanted];
  return position == kNoCodec ? nullptr : &here().codecs[position];
}

// a=rtpmap:<pt> <name>/<rate>[/<channels>]
Result<void> SdpReader::on_rtpmap(Text value) {
  SdpCodec* target = codec(take_word(value));
  if (target == nullptr) return {};
  value = trim(value);
  Text name = take_until(value, '/');
  auto rate = number<uint32_t>(take_until(value, '/'));
  auto channels = value.empty() ? std::optional<uint8_t>(1) : number<uint8_t>(value);
  if (!is_sdp_token(name) || !rate || *rate == 0 || !channels || *channels == 0)
    return malformed("sdp: a=rtpmap");
  target->name = name;
  target->clock_rate = *rate;
  target->channels = *channels;
  return {};
}

Result<void> SdpReader::on_fmtp(Text value) {
  SdpCodec* target = codec(take_word(value));
  value = trim(value);
  if (target == nullptr || value.empty()) return {};
  if (static_cast<int64_t>(target->fmtp.size() + value.size()) >= limits::kSdpFmtpBytesMax)
    return too_many("sdp: a=fmtp too long");
  if (!target->fmtp.empty()) target->fmtp += ';';
  target->fmtp += value;
  return {};
}

Result<void> SdpReader::on_rtcp_fb(Text value) {
  Text payload_type = take_word(value);
  value = trim(value);
  if (value.empty()) return malformed("sdp: a=rtcp-fb");
  SdpCodec* target = payload_type == "*" ? nullptr : codec(payload_type);
  if (target == nullptr && payload_type != "*") return {};
  auto& list = target == nullptr ? here().wildcard_feedback : target->feedback;
  if (is_full(list, limits::kSdpFeedbackMax))
    return too_many("sdp: too many a=rtcp-fb of a payload type");
  if (list.empty()) list.reserve(kUsualFeedback);
  list.emplace_back(value);
  return {};
}

// a=extmap:<id>[/<direction>] <uri> [<attributes>]
Result<void> SdpReader::on_extmap(Text value) {
  auto& list = here().extmaps;
  if (is_full(list, limits::kSdpExtmapsMax)) return too_many("sdp: too many a=extmap");
  Text head = take_word(value);
  auto id = number<uint16_t>(take_until(head, '/'));
  std::optional<SdpDirection> direction = direction_of(head);
  if (!id || *id == 0 || (!head.empty() && !direction))
    return malformed("sdp: a=extmap id or direction");
  Text uri = take_word(value);
  Text attributes = trim(value);
  if (uri.empty()) return malformed("sdp: a=extmap without URI");
  if (is_longer(uri, limits::kSdpExtmapBytesMax) ||
      is_longer(attributes, limits::kSdpExtmapBytesMax))
    return too_many("sdp: a=extmap too long");
  if (list.empty()) list.reserve(kUsualExtmaps);
  list.push_back({.id = *id,
                  .direction = direction,
                  .uri = std::string(uri),
                  .attributes = std::string(attributes)});
  return {};
}

Result<void> SdpReader::on_msid(Text value) {
  auto& list = here().msids;
  if (is_full(list, limits::kSdpMsidsMax)) return too_many("sdp: too many a=msid");
  auto msid = msid_of(value);
  if (!msid) return malformed("sdp: a=msid");
  list.push_back(std::move(*msid));
  return {};
}

// nullptr: no room for another.
SdpSsrc* SdpReader::ssrc_entry(uint32_t ssrc) {
  auto& list = here().ssrcs;
  auto found = std::ranges::find(list, ssrc, &SdpSsrc::ssrc);
  if (found != list.end()) return &*found;
  if (is_full(list, limits::kSdpSsrcsMax)) return nullptr;
  return &list.emplace_back(SdpSsrc{.ssrc = ssrc});
}

// a=ssrc:<ssrc> cname:<name>, a=ssrc:<ssrc> msid:<stream> <track>; other attributes of sources are
// not ours.
Result<void> SdpReader::on_ssrc(Text value) {
  auto ssrc = number<uint32_t>(take_word(value));
  if (!ssrc) return malformed("sdp: a=ssrc");
  value = trim(value);
  Text name = take_until(value, ':');
  if (name != "cname" && name != "msid") return {};
  value = trim(value);
  auto msid = name == "msid" ? msid_of(value) : std::nullopt;
  if (value.empty() || (name == "msid" && !msid)) return malformed("sdp: a=ssrc attribute");
  SdpSsrc* entry = ssrc_entry(*ssrc);
  if (entry == nullptr) return too_many("sdp: too many SSRCs");
  if (msid)
    entry->msid = std::move(msid);
  else
    entry->cname = value;
  return {};
}

Result<void> SdpReader::on_ssrc_group(Text value) {
  auto& list = here().ssrc_groups;
  if (is_full(list, limits::kSdpSsrcGroupsMax)) return too_many("sdp: too many a=ssrc-group");
  SdpSsrcGroup group{.semantics = std::string(take_word(value))};
  for (Text word = take_word(value); !word.empty(); word = take_word(value)) {
    auto ssrc = number<uint32_t>(word);
    if (!ssrc) return malformed("sdp: a=ssrc-group");
    if (is_full(group.ssrcs, limits::kSdpSsrcsMax))
      return too_many("sdp: a=ssrc-group, too many SSRCs");
    group.ssrcs.push_back(*ssrc);
  }
  if (!is_sdp_token(group.semantics) || group.ssrcs.empty()) return malformed("sdp: a=ssrc-group");
  list.push_back(std::move(group));
  return {};
}

// a=rid:<id> send|recv [<restrictions>]
Result<void> SdpReader::on_rid(Text value) {
  auto& list = here().rids;
  if (is_full(list, limits::kSdpRidsMax)) return too_many("sdp: too many a=rid");
  Text id = take_word(value);
  Text direction = take_word(value);
  if (!is_rid(id) || (direction != "send" && direction != "recv")) return malformed("sdp: a=rid");
  SdpRid rid{
      .id = std::string(id), .send = direction == "send", .restrictions = std::string(trim(value))};
  bool known = std::ranges::any_of(
      list, [&](const SdpRid& r) { return r.id == rid.id && r.send == rid.send; });
  if (known) return malformed("sdp: a=rid twice");
  list.push_back(std::move(rid));
  return {};
}

Result<void> SdpReader::on_simulcast(Text value) {
  SdpSimulcast& simulcast = here().simulcast;
  if (!simulcast.empty()) return malformed("sdp: a=simulcast twice");
  for (Text word = take_word(value); !word.empty(); word = take_word(value)) {
    if (word != "send" && word != "recv") return malformed("sdp: a=simulcast direction");
    auto& streams = word == "send" ? simulcast.send : simulcast.recv;
    if (!streams.empty()) return malformed("sdp: a=simulcast direction twice");
    streams = TRY(simulcast_streams(take_word(value)));
  }
  return {};
}

Result<void> SdpReader::on_sctp_port(Text value) {
  here().sctp_port = number<uint16_t>(value);
  return here().sctp_port ? Result<void>() : malformed("sdp: a=sctp-port");
}

Result<void> SdpReader::on_max_message_size(Text value) {
  here().max_message_size = number<uint64_t>(value);
  return here().max_message_size ? Result<void>() : malformed("sdp: a=max-message-size");
}

// RFC 8839 section 5.1: candidate:<foundation> <component> <transport> <priority> <address> <port>
// typ <type> …
Result<void> SdpReader::on_candidate(Text value) {
  auto& list = here().candidates;
  if (is_full(list, limits::kSdpCandidatesMax)) return too_many("sdp: too many a=candidate");
  SdpCandidate candidate;
  candidate.foundation = take_word(value);
  auto component = number<uint16_t>(take_word(value));
  candidate.transport = lower_case(take_word(value));
  auto priority = number<uint32_t>(take_word(value));
  candidate.address = take_word(value);
  auto port = number<uint16_t>(take_word(value));
  if (!component || !priority || !port || take_word(value) != "typ")
    return malformed("sdp: a=candidate");
  candidate.type = take_word(value);
  if (candidate.type.empty()) return malformed("sdp: a=candidate without type");
  candidate.component = *component;
  candidate.priority = *priority;
  candidate.port = *port;
  candidate.rest = trim(value);
  list.push_back(std::move(candidate));
  return {};
}

}  // namespace

Result<SdpSession> parse_sdp(std::string_view text) {
  return SdpReader().read(text);
}

bool has_feedback(const SdpSection& section, const SdpCodec& codec, std::string_view feedback) {
  return contains(codec.feedback, feedback) || contains(section.wildcard_feedback, feedback);
}

std::optional<std::string_view> fmtp_value(std::string_view fmtp, std::string_view key) {
  while (!fmtp.empty()) {
    Text value = take_until(fmtp, ';');
    Text name = trim(take_until(value, '='));
    if (equal_ignoring_case(name, key)) return trim(value);
  }
  return std::nullopt;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

bool is_sdp_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return kTokenChars[static_cast<unsigned char>(c)];
  });
}

}  // namespace atrium::wire
