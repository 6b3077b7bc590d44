// The writing half of Sdp, in the order of lines that browsers use.
#include <string>

#include "wire/sdp.h"

namespace atrium::wire {
namespace {

const char* word(SdpDirection direction) {
  switch (direction) {
    case SdpDirection::SendRecv:
      return "sendrecv";
    case SdpDirection::SendOnly:
      return "sendonly";
    case SdpDirection::RecvOnly:
      return "recvonly";
    case SdpDirection::Inactive:
      return "inactive";
  }
  return "inactive";
}

const char* word(SdpSetup setup) {
  switch (setup) {
    case SdpSetup::Active:
      return "active";
    case SdpSetup::Passive:
      return "passive";
    case SdpSetup::ActPass:
      return "actpass";
    case SdpSetup::HoldConn:
      return "holdconn";
    case SdpSetup::Unset:
      break;
  }
  return "";
}

// Appends lines to one text.
class SdpWriter {
 public:
  std::string write(const SdpSession& session);

 private:
  template <typename... Parts>
  void line(const Parts&... parts) {
    (append(parts), ...);
    out_ += "\r\n";
  }
  void append(std::string_view text) { out_ += text; }
  void append(char c) { out_ += c; }
  void append(const std::string& text) { out_ += text; }
  void append(const char* text) { out_ += text; }
  void append(uint64_t value) { out_ += std::to_string(value); }
  void append(uint32_t value) { out_ += std::to_string(value); }
  void append(uint16_t value) { out_ += std::to_string(value); }
  void append(uint8_t value) { out_ += std::to_string(value); }

  void section(const SdpSection& section);
  void media_line(const SdpSection& section);
  void transport(const SdpSection& section);
  void codec(const SdpCodec& codec);
  void extmap(const SdpExtmap& extmap);
  void sources(const SdpSection& section);
  void simulcast(const SdpSection& section);
  void streams(std::string_view direction, const std::vector<SdpSimulcastStream>& streams);
  void candidate(const SdpCandidate& candidate);

  std::string out_;
};

std::string SdpWriter::write(const SdpSession& session) {
  line("v=0");
  line("o=- ", session.origin_id, ' ', session.origin_version, " IN IP4 127.0.0.1");
  line("s=-");
  line("t=0 0");
  if (!session.bundle.empty()) {
    out_ += "a=group:BUNDLE";
    for (const std::string& mid : session.bundle) out_ += ' ' + mid;
    line();
  }
  if (session.extmap_allow_mixed) line("a=extmap-allow-mixed");
  if (session.ice_lite) line("a=ice-lite");
  for (const SdpSection& each : session.sections) section(each);
  return std::move(out_);
}

void SdpWriter::section(const SdpSection& section) {
  media_line(section);
  line("c=IN IP4 0.0.0.0");
  transport(section);
  if (!section.mid.empty()) line("a=mid:", section.mid);
  if (section.extmap_allow_mixed) line("a=extmap-allow-mixed");
  for (const SdpExtmap& each : section.extmaps) extmap(each);
  bool media = section.kind == SdpKind::Audio || section.kind == SdpKind::Video;
  if (media || section.direction != SdpDirection::SendRecv) line("a=", word(section.direction));
  for (const SdpMsid& msid : section.msids)
    line("a=msid:", msid.stream, msid.track.empty() ? "" : " ", msid.track);
  if (section.bundle_only) line("a=bundle-only");
  if (section.rtcp_mux) line("a=rtcp-mux");
  if (section.rtcp_rsize) line("a=rtcp-rsize");
  for (const std::string& feedback : section.wildcard_feedback) line("a=rtcp-fb:* ", feedback);
  for (const SdpCodec& each : section.codecs) codec(each);
  simulcast(section);
  sources(section);
  if (section.sctp_port) line("a=sctp-port:", *section.sctp_port);
  if (section.max_message_size) line("a=max-message-size:", *section.max_message_size);
}

void SdpWriter::media_line(const SdpSection& section) {
  out_ += "m=" + section.media + ' ' + std::to_string(section.port) + ' ' + section.protocol;
  for (const SdpCodec& codec : section.codecs) out_ += ' ' + std::to_string(codec.payload_type);
  for (const std::string& format : section.formats) out_ += ' ' + format;
  line();
}

void SdpWriter::transport(const SdpSection& section) {
  const SdpTransport& t = section.transport;
  for (const SdpCandidate& each : section.candidates) candidate(each);
  if (section.end_of_candidates) line("a=end-of-candidates");
  if (!t.ice_ufrag.empty()) line("a=ice-ufrag:", t.ice_ufrag);
  if (!t.ice_pwd.empty()) line("a=ice-pwd:", t.ice_pwd);
  if (!t.ice_options.empty()) line("a=ice-options:", t.ice_options);
  for (const SdpFingerprint& each : t.fingerprints)
    line("a=fingerprint:", each.hash, ' ', each.value);
  if (t.setup != SdpSetup::Unset) line("a=setup:", word(t.setup));
}

void SdpWriter::candidate(const SdpCandidate& c) {
  line("a=candidate:", c.foundation, ' ', c.component, ' ', c.transport, ' ', c.priority, ' ',
       c.address, ' ', c.port, " typ ", c.type, c.rest.empty() ? "" : " ", c.rest);
}

void SdpWriter::codec(const SdpCodec& codec) {
  const uint8_t pt = codec.payload_type;
  if (!codec.name.empty()) {
    std::string channels = codec.channels > 1 ? "/" + std::to_string(codec.channels) : "";
    line("a=rtpmap:", pt, ' ', codec.name, '/', codec.clock_rate, channels);
  }
  for (const std::string& feedback : codec.feedback) line("a=rtcp-fb:", pt, ' ', feedback);
  if (!codec.fmtp.empty()) line("a=fmtp:", pt, ' ', codec.fmtp);
}

void SdpWriter::extmap(const SdpExtmap& extmap) {
  line("a=extmap:", extmap.id, extmap.direction ? "/" : "",
       extmap.direction ? word(*extmap.direction) : "", ' ', extmap.uri,
       extmap.attributes.empty() ? "" : " ", extmap.attributes);
}

void SdpWriter::simulcast(const SdpSection& section) {
  for (const SdpRid& rid : section.rids)
    line("a=rid:", rid.id, rid.send ? " send" : " recv", rid.restrictions.empty() ? "" : " ",
         rid.restrictions);
  if (section.simulcast.empty()) return;
  out_ += "a=simulcast:";
  streams("send ", section.simulcast.send);
  if (!section.simulcast.send.empty() && !section.simulcast.recv.empty()) out_ += ' ';
  streams("recv ", section.simulcast.recv);
  line();
}

void SdpWriter::streams(std::string_view direction,
                        const std::vector<SdpSimulcastStream>& streams) {
  if (streams.empty()) return;
  out_ += direction;
  for (size_t i = 0; i < streams.size(); ++i) {
    if (i > 0) out_ += ';';
    for (size_t k = 0; k < streams[i].size(); ++k) {
      if (k > 0) out_ += ',';
      if (streams[i][k].paused) out_ += '~';
      out_ += streams[i][k].rid;
    }
  }
}

void SdpWriter::sources(const SdpSection& section) {
  for (const SdpSsrcGroup& group : section.ssrc_groups) {
    out_ += "a=ssrc-group:" + group.semantics;
    for (uint32_t ssrc : group.ssrcs) out_ += ' ' + std::to_string(ssrc);
    line();
  }
  for (const SdpSsrc& each : section.ssrcs) {
    if (!each.cname.empty()) line("a=ssrc:", each.ssrc, " cname:", each.cname);
    if (each.msid) {
      const SdpMsid& msid = *each.msid;
      line("a=ssrc:", each.ssrc, " msid:", msid.stream, msid.track.empty() ? "" : " ", msid.track);
    }
  }
}

}  // namespace

std::string write_sdp(const SdpSession& session) {
  return SdpWriter().write(session);
}

}  // namespace atrium::wire
