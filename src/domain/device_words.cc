#include "domain/device_words.h"

namespace atrium::domain {

std::string_view device_name(DeviceKind device) {
  switch (device) {
    case DeviceKind::Unknown:
      return "";
    case DeviceKind::Android:
      return "android";
    case DeviceKind::Ios:
      return "ios";
    case DeviceKind::Mac:
      return "mac";
    case DeviceKind::Windows:
      return "windows";
    case DeviceKind::Linux:
      return "linux";
    case DeviceKind::Harmony:
      return "harmony";
    case DeviceKind::Web:
      return "web";
  }
  return "";
}

}  // namespace atrium::domain
