// One line of text per effect, for traces that two runs of the same seed must agree on (law 5) and for test failures.
// Complete where behaviour could differ; not meant to be parsed or shown to users.
#pragma once

#include <string>

#include "domain/effect.h"

namespace atrium::domain {

std::string effect_text(const Effect& effect);
// Lines, each ended by '\n'.
std::string effects_text(const Effects& effects);

}  // namespace atrium::domain
