// OfferBuilder: browser-like offers for the tests of this folder, section by section, changed
// between rounds as a client would.  Test code only.
#pragma once

#include <string>
#include <utility>

#include "wire/sdp.h"

namespace atrium::negotiation {

class OfferBuilder {
 public:
  OfferBuilder() { sdp.origin_id = "1"; }

  // Each yields the index of the new section, which is also its mid.
  size_t audio(wire::SdpDirection direction, const std::string& track = "") {
    wire::SdpSection section = media("audio", wire::SdpKind::Audio, direction, track);
    section.codecs = {{.payload_type = 111,
                       .name = "opus",
                       .clock_rate = 48'000,
                       .channels = 2,
                       .fmtp = "minptime=10;useinbandfec=1",
                       .feedback = {"transport-cc"}},
                      {.payload_type = 63,
                       .name = "red",
                       .clock_rate = 48'000,
                       .channels = 2,
                       .fmtp = "111/111"}};
    section.extmaps.push_back({.id = 1, .uri = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"});
    return add(std::move(section));
  }
  size_t video(wire::SdpDirection direction, const std::string& track = "") {
    wire::SdpSection section = media("video", wire::SdpKind::Video, direction, track);
    section.codecs = {
        {.payload_type = 96,
         .name = "VP8",
         .clock_rate = 90'000,
         .feedback = {"goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"}},
        {.payload_type = 97, .name = "rtx", .clock_rate = 90'000, .fmtp = "apt=96"},
        {.payload_type = 98, .name = "VP9", .clock_rate = 90'000, .feedback = {"nack"}},
    };
    section.extmaps.push_back({.id = 10, .uri = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"});
    section.extmaps.push_back(
        {.id = 11, .uri = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"});
    section.extmaps.push_back({.id = 13, .uri = "urn:3gpp:video-orientation"});
    return add(std::move(section));
  }
  size_t simulcast(const std::string& track) {
    size_t index = video(wire::SdpDirection::SendOnly, track);
    for (const char* rid : {"q", "h", "f"}) {
      at(index).rids.push_back({.id = rid});
      at(index).simulcast.send.push_back({{.rid = rid}});
    }
    return index;
  }
  size_t data() {
    wire::SdpSection section;
    section.kind = wire::SdpKind::Application;
    section.media = "application";
    section.protocol = "UDP/DTLS/SCTP";
    section.formats = {"webrtc-datachannel"};
    section.sctp_port = 5000;
    section.max_message_size = 262'144;
    return add(std::move(section));
  }
  // A client stops a transceiver: port 0, outside the group.
  void stop(size_t index) {
    at(index).port = 0;
    at(index).direction = wire::SdpDirection::Inactive;
    std::erase(sdp.bundle, at(index).mid);
  }
  void restart_ice(const std::string& ufrag) {
    ufrag_ = ufrag;
    for (wire::SdpSection& section : sdp.sections) section.transport.ice_ufrag = ufrag;
  }

  wire::SdpSection& at(size_t index) { return sdp.sections[index]; }
  std::string text() const { return wire::write_sdp(sdp); }

  static std::string fingerprint(char digit = 'A') {
    std::string out;
    for (int i = 0; i < 32; ++i) out += std::string(i > 0 ? ":" : "") + digit + digit;
    return out;
  }

  wire::SdpSession sdp;

 private:
  static wire::SdpSection media(const char* word, wire::SdpKind kind, wire::SdpDirection direction,
                                const std::string& track) {
    wire::SdpSection section;
    section.kind = kind;
    section.media = word;
    section.protocol = "UDP/TLS/RTP/SAVPF";
    section.direction = direction;
    section.rtcp_mux = section.rtcp_rsize = true;
    section.extmaps = {
        {.id = 2, .uri = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"},
        {.id = 3,
         .uri = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"},
        {.id = 4, .uri = "urn:ietf:params:rtp-hdrext:sdes:mid"}};
    if (!track.empty()) section.msids = {{.stream = "-", .track = track}};
    return section;
  }
  size_t add(wire::SdpSection section) {
    section.mid = std::to_string(sdp.sections.size());
    section.transport = {.ice_ufrag = ufrag_,
                         .ice_pwd = "clientpasswordclientpass",
                         .ice_options = "trickle",
                         .fingerprints = {{.hash = "sha-256", .value = fingerprint()}},
                         .setup = wire::SdpSetup::ActPass};
    sdp.bundle.push_back(section.mid);
    sdp.sections.push_back(std::move(section));
    return sdp.sections.size() - 1;
  }

  std::string ufrag_ = "clnt";
};

}  // namespace atrium::negotiation
