// What a Chromium adds to an offer beside the codecs and extensions that are used: so that a load makes servers read as
// much as real clients do (14 to 18 kB).  Pure.  Source: src/wire/corpus/sdp/chromium_placeholders.sdp.
#pragma once

#include <string>
#include <string_view>

namespace atrium::client {

// `sdp` as negotiation::OfferingSession writes it (Opus 111, VP8 96, its repairs 97); other descriptions stay sound,
// but payload types might meet.  All that is added is inert: nothing is sent with it.
std::string like_browser(std::string_view sdp);

}  // namespace atrium::client
