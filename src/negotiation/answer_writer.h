// AnswerWriter: the lines of an answer from an offer, the section table and the agreements made
// (RFC 9429 section 5.3). Decides nothing: what is sent, received or rejected is in the table.
#pragma once

#include <string>
#include <vector>

#include "negotiation/agreement.h"
#include "negotiation/section_table.h"

namespace atrium::negotiation {

struct AnswerOrigin {
  std::string id;  // decimal digits, one per connection
  uint64_t version = 0;
};

// `agreements` has one entry per section.
std::string write_answer(const wire::SdpSession& offer, const SectionTable& table,
                         const std::vector<Agreement>& agreements, const LocalTransport& local,
                         const AnswerOrigin& origin);

// RFC 8839: the host candidates of `local` as the description carries them, all of component 1 over
// UDP.
std::vector<wire::SdpCandidate> host_candidates(const LocalTransport& local);

}  // namespace atrium::negotiation
