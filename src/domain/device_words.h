// What a client's device is called by whoever shows it to backends (the management API, webhooks).
#pragma once

#include <string_view>

#include "domain/types.h"

namespace atrium::domain {

// The vendor's word: "ios"; "" where it is not known.
std::string_view device_name(DeviceKind device);

}  // namespace atrium::domain
