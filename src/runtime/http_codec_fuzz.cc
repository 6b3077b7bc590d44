// The same bytes in two ways: at once, and in pieces whose sizes the input chooses.  Both must see the same requests.
// A fault of a head that is not complete may be seen earlier in one of the two: no request comes of it either way.
#include <cstdint>
#include <string>

#include "base/check.h"
#include "base/limits.h"
#include "runtime/http_codec.h"

namespace {

using atrium::runtime::HttpRequestReader;
using Step = HttpRequestReader::Step;

struct Story {
  std::string text;
  bool is_over = false;
};

void read_all(HttpRequestReader& reader, std::string& buffer, Story& story) {
  while (!story.is_over) {
    switch (reader.read(buffer)) {
      case Step::NeedMore:
        return;
      case Step::Head:
        story.text += "head " + reader.request().method + " " + reader.request().target + "\n";
        CHECK(reader.request().headers.size() <=
              static_cast<size_t>(atrium::limits::kHttpHeadersMax));
        story.is_over = reader.is_body_too_long();
        break;
      case Step::Complete:
        story.text += "body " + reader.take_request().body + "\n";
        reader.next_request();
        break;
      case Step::Fault:
        story.is_over = true;
        break;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t step = 1 + data[0] % 17;
  const std::string input(reinterpret_cast<const char*>(data + 1), size - 1);

  HttpRequestReader whole({}, {}), pieces({}, {});
  Story first, second;
  std::string buffer = input;
  read_all(whole, buffer, first);
  buffer.clear();
  for (size_t at = 0; at < input.size(); at += step) {
    buffer += input.substr(at, step);
    read_all(pieces, buffer, second);
  }
  CHECK(first.text == second.text);
  return 0;
}
