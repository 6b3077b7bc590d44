// Checks of a peer's description before anything is changed by it: what holds for an offer and an
// answer alike, and the transport that its BUNDLE-tagged section speaks of (RFC 9143 section 7.2,
// RFC 8842, RFC 8839).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "negotiation/session.h"
#include "wire/sdp.h"

namespace atrium::negotiation {

struct CheckedDescription {
  wire::SdpSession sdp;
  std::optional<size_t>
      tagged;  // index of the section that carries the transport; nullopt: no section is live
};

// Malformed or Unsupported: no section, a live section without mid or outside BUNDLE, a mid twice,
// media without rtcp-mux.
Result<CheckedDescription> check_description(std::string_view text);

// What the tagged section says of the transport, but not about roles.  Malformed: credentials or
// sha-256 fingerprint missing.
Result<RemoteTransport> remote_transport(const wire::SdpSection& tagged);

// The offerer must be willing to be the DTLS client, since we are always the server.
Result<void> check_offered_setup(const wire::SdpSection& tagged);

}  // namespace atrium::negotiation
