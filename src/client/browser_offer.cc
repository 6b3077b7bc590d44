#include "client/browser_offer.h"

#include <array>

namespace atrium::client {
namespace {

struct VideoCodec {
  int payload_type, repair_payload_type;
  const char* name;
  const char* fmtp;
};
constexpr std::array<VideoCodec, 16> kVideo{{
    {98, 99, "VP9", "profile-id=0"},
    {100, 101, "VP9", "profile-id=2"},
    {35, 36, "VP9", "profile-id=1"},
    {37, 38, "VP9", "profile-id=3"},
    {102, 103, "H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f"},
    {104, 107, "H264", "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f"},
    {108, 109, "H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"},
    {114, 115, "H264", "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f"},
    {116, 117, "H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f"},
    {39, 40, "H264", "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=4d001f"},
    {41, 42, "H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=f4001f"},
    {43, 44, "H264", "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=f4001f"},
    {45, 46, "AV1", "level-idx=5;profile=0;tier=0"},
    {47, 48, "AV1", "level-idx=5;profile=1;tier=0"},
    {118, 119, "red", nullptr},
    {120, 0, "ulpfec", nullptr},
}};

struct Addition {
  std::string formats, lines;
};

Addition make_audio() {
  return {" 63 9 0 8 13 110 126",
          "a=rtcp-xr:rcvr-rtt=all\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:9 "
          "G722/8000\r\n"
          "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\n"
          "a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n"};
}

Addition make_video() {
  Addition out;
  out.lines =
      "a=rtcp-xr:rcvr-rtt=all\r\na=extmap:14 urn:ietf:params:rtp-hdrext:toffset\r\na=extmap:13 "
      "urn:3gpp:video-orientation\r\n"
      "a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\r\n"
      "a=extmap:6 http://www.webrtc.org/experiments/rtp-hdrext/video-content-type\r\n"
      "a=extmap:7 http://www.webrtc.org/experiments/rtp-hdrext/video-timing\r\n"
      "a=extmap:8 http://www.webrtc.org/experiments/rtp-hdrext/color-space\r\n";
  for (const VideoCodec& codec : kVideo) {
    const std::string type = std::to_string(codec.payload_type);
    out.formats += " " + type;
    out.lines += "a=rtpmap:" + type + " " + codec.name + "/90000\r\n";
    if (codec.fmtp != nullptr) {
      for (const char* feedback : {"goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"})
        out.lines += "a=rtcp-fb:" + type + " " + feedback + "\r\n";
      out.lines += "a=fmtp:" + type + " " + codec.fmtp + "\r\n";
    }
    if (codec.repair_payload_type == 0) continue;
    const std::string repair = std::to_string(codec.repair_payload_type);
    out.formats += " " + repair;
    out.lines += "a=rtpmap:" + repair + " rtx/90000\r\na=fmtp:" + repair + " apt=" + type + "\r\n";
  }
  return out;
}

}  // namespace

std::string like_browser(std::string_view sdp) {
  static const Addition audio = make_audio(), video = make_video();
  std::string out;
  out.reserve(sdp.size() + 16'384);
  const Addition* open = nullptr;  // of the section at hand
  while (!sdp.empty()) {
    const size_t end = sdp.find("\r\n");
    std::string_view line = sdp.substr(0, end);
    sdp.remove_prefix(end == sdp.npos ? sdp.size() : end + 2);
    if (line.starts_with("m=")) {
      if (open != nullptr) out += open->lines;
      open = line.starts_with("m=audio ")   ? &audio
             : line.starts_with("m=video ") ? &video
                                            : nullptr;
    }
    out += line;
    if (line.starts_with("m=") && open != nullptr) out += open->formats;
    out += "\r\n";
  }
  if (open != nullptr) out += open->lines;
  return out;
}

}  // namespace atrium::client
