// Two kinds of input.  Text: any bytes as an offer, twice.  Actions: a dialling and an answering
// session driven by bytes, with descriptions damaged on the way; after each answer the invariants
// of the plans are checked.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/seeded_secret_source.h"
#include "negotiation/offer.h"
#include "negotiation/session.h"
#include "wire/sdp.h"

namespace {

using namespace atrium;
using namespace atrium::negotiation;

LocalTransport transport(const char* ufrag) {
  std::string fingerprint = "AA";
  for (int i = 1; i < 32; ++i) fingerprint += ":AA";
  return {.ice_ufrag = ufrag,
          .ice_password = "passwordpasswordpassword",
          .fingerprint_sha256 = fingerprint,
          .candidates = {{.ip = *IpAddress::parse("127.0.0.1"), .port = 7882}}};
}

class World {
 public:
  void run(ByteView script) {
    for (size_t i = 0; i + 1 < script.size() && i < 80; i += 2) act(script[i], script[i + 1]);
  }

 private:
  static Kind kind_of(uint8_t argument) { return argument % 2 == 0 ? Kind::Audio : Kind::Video; }
  static std::vector<std::string> layers_of(uint8_t argument) {
    if (argument % 3 != 0) return {};
    return {"q", "h", "f"};
  }
  static TrackSid sid_of(uint8_t argument) {
    return TrackSid("TR_" + std::to_string(argument % 16));
  }

  void act(uint8_t action, uint8_t argument) {
    const std::string cid = "cid" + std::to_string(argument % 16);
    switch (action % 10) {
      case 0:
        client_.add_receive_sections(argument % 3, argument / 3 % 3);
        break;
      case 1:
        client_.add_data_section();
        break;
      case 2: {
        PendingTrack track;
        track.sid = TrackSid("TR_up" + std::to_string(++published_));
        track.kind = kind_of(argument);
        track.cid = argument % 5 == 0 ? "rewritten" : cid;
        server_.add_pending_track(track);
        break;
      }
      case 3:
        static_cast<void>(client_.add_send(kind_of(argument), cid, layers_of(argument)));
        break;
      case 4:
        client_.stop_send(cid);
        break;
      case 5:
        server_.want_send(
            {sid_of(argument), "PA_x", "", kind_of(argument), argument % 2 == 0 ? "opus" : "VP8"});
        break;
      case 6:
        server_.stop_send(sid_of(argument));
        break;
      case 7:
        server_.forget_pending_track(
            TrackSid("TR_up" + std::to_string(argument % (published_ + 1))));
        break;
      default:
        round(action, argument);
        break;
    }
  }

  void round(uint8_t action, uint8_t argument) {
    std::string offer = client_.create_offer(transport("clnt"));
    if (offer.find("m=") == std::string::npos) return;  // nothing offered yet
    bool damaged = action % 10 == 9;
    if (damaged)
      offer[(size_t{action} * 256 + argument) % offer.size()] ^= static_cast<char>(argument | 1);
    auto answer = server_.on_offer(offer, 1, transport("srvr"));
    if (!damaged && !spoilt_) CHECK(answer.has_value());
    if (!answer) return;
    spoilt_ = spoilt_ || damaged;
    check(*answer);
    auto outcome = client_.on_answer(answer->sdp);
    if (!spoilt_) CHECK(outcome.has_value());
  }

  void check(const AnswerResult& answer) {
    for (const TrackSid& track : answer.downlinks_removed) std::erase(sending_, track.value);
    for (const DownlinkPlan& plan : answer.downlinks_added) {
      bool known = std::ranges::find(sending_, plan.track.value) != sending_.end();
      if (!known) {
        CHECK(plan.ssrc != 0 && ssrcs_.insert(plan.ssrc).second);
        if (plan.rtx_ssrc != 0) CHECK(ssrcs_.insert(plan.rtx_ssrc).second);
        sending_.push_back(plan.track.value);
      }
      CHECK(answer.mid_to_track.at(plan.mid) == plan.track.value);
    }
    CHECK(answer.mid_to_track.size() == sending_.size());
    auto parsed = wire::parse_sdp(answer.sdp);
    CHECK(parsed.has_value());
    for (const wire::SdpSection& section : parsed->sections) {
      bool media = section.kind == wire::SdpKind::Audio || section.kind == wire::SdpKind::Video;
      if (media) CHECK(wire::sends(section.direction) == answer.mid_to_track.contains(section.mid));
    }
  }

  SeededSecretSource client_secrets_{1}, server_secrets_{2};
  OfferingSession client_{client_secrets_, "client"};
  Session server_{server_secrets_, "server"};
  std::vector<std::string> sending_;
  std::set<uint32_t> ssrcs_;
  uint32_t published_ = 0;
  bool spoilt_ = false;  // a damaged offer was accepted, so the two sides may disagree from now on
};

void offer_text(std::string_view text) {
  SeededSecretSource secrets(5);
  Session session(secrets, "cname");
  PendingTrack track;
  track.sid = TrackSid("TR_mic");
  session.add_pending_track(track);
  session.want_send({TrackSid("TR_far"), "PA_x", "", Kind::Video, "VP8"});
  for (uint32_t id = 1; id <= 2; ++id) {
    auto answer = session.on_offer(text, id, transport("srvr"));
    if (!answer) return;
    CHECK(wire::parse_sdp(answer->sdp).has_value());
    CHECK(!session.is_ice_restart(text).value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 2 && data[0] == 'v' && data[1] == '=')
    offer_text(atrium::as_text({data, size}));
  else
    World().run({data, size});
  return 0;
}
