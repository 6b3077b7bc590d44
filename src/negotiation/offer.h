// OfferingSession: the dialling role of one peer connection, as a client of ours plays it (RFC
// 9429): offers receiving places, a data section and its own sends, and reads the server's answer.
// Owner: src/client.  Pure. Does not: trickle, roll back, or serve media that the session did not
// offer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret_source.h"
#include "base/socket_address.h"
#include "negotiation/session.h"

namespace atrium::negotiation {

// What the answer says about the server's transport.  The client is the DTLS client and the
// controlling ICE agent.
struct AnsweredTransport {
  std::string ice_ufrag, ice_password;
  std::string fingerprint_sha256;         // "AB:CD:…"
  std::vector<SocketAddress> candidates;  // UDP host candidates with literal addresses
  bool ice_lite = false;
  friend bool operator==(const AnsweredTransport&, const AnsweredTransport&) = default;
};

// One live media section after an answer, seen from the offering side.
struct AnsweredSection {
  std::string mid;
  Kind kind = Kind::Audio;
  bool sending = false;    // we offered a track and the server receives it
  bool receiving = false;  // the server sends a track
  std::string codec{};     // "opus", "VP8"
  uint8_t payload_type = 0, rtx_payload_type = 0;
  uint32_t clock_rate = 0;
  bool nack = false, pli = false, transport_cc = false;
  Extensions extensions{};
  // sending:
  std::string cid{};                // as given to add_send
  uint32_t ssrc = 0, rtx_ssrc = 0;  // ours; rtx 0 where not agreed; of simulcast the lowest layer's
  std::vector<std::string> rids{};  // accepted layers, lowest first; empty = one stream
  std::vector<uint32_t> layer_ssrcs{}, layer_rtx_ssrcs{};  // beside `rids`
  // receiving:
  uint32_t remote_ssrc = 0, remote_rtx_ssrc = 0;
  std::string remote_cname{}, remote_stream{}, remote_track{};  // stream "PA_…|…", track "TR_…"
  friend bool operator==(const AnsweredSection&, const AnsweredSection&) = default;
};

struct AnswerOutcome {
  AnsweredTransport transport;
  std::vector<AnsweredSection> sections;  // live audio and video sections in order
  bool has_data_section = false;
  uint16_t sctp_port = 0;
  uint64_t max_message_size = 0;  // bytes the server takes
};

class OfferingSession {
 public:
  // `secrets` outlives the session.
  OfferingSession(SecretSource& secrets, std::string cname);
  ~OfferingSession();
  OfferingSession(OfferingSession&&) noexcept;
  OfferingSession& operator=(OfferingSession&&) noexcept;

  // Each of these takes effect with the next offer.  New sections are appended; sections are never
  // removed.
  void add_receive_sections(uint32_t audio, uint32_t video);
  void add_data_section();  // once
  // A new sendonly section whose msid track id is `cid`; `rids` (lowest first) makes it simulcast.
  // Yields its mid. LimitExceeded: no room for a further section.
  Result<std::string> add_send(Kind kind, std::string cid, std::vector<std::string> rids = {});
  // The section of `cid` becomes inactive for good; a republication takes a new one.  false: no
  // such send.
  bool stop_send(std::string_view cid);

  // The description to send; local.candidates are written when given.  New credentials in `local`
  // restart ICE.
  std::string create_offer(const LocalTransport& local);
  // The answer to the latest offer.  Malformed or not matching the offer: an Error, and nothing is
  // changed.
  Result<AnswerOutcome> on_answer(std::string_view sdp);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace atrium::negotiation
