// Any bytes behind a good handshake: no crash, bounded output, and nothing is read after the end.
// Two codecs share a loop.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "runtime/websocket_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atrium::runtime;
  if (size < 1) return 0;
  atrium::node::HttpRequest upgrade;
  upgrade.headers = {{"Host", "a"},
                     {"Connection", "Upgrade"},
                     {"Upgrade", "websocket"},
                     {"Sec-WebSocket-Version", "13"},
                     {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
  WebSocketLoop loop;
  WebSocketCodec whole(loop), pieces(loop);
  CHECK(whole.accept(upgrade) && pieces.accept(upgrade));
  const size_t step = 1 + data[0] % 13;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);

  const auto at_once = whole.feed(input);
  std::vector<WebSocketMessage> one_by_one;
  for (size_t at = 0; at < input.size(); at += step)
    for (auto& message : pieces.feed(input.substr(at, step)))
      one_by_one.push_back(std::move(message));

  // In pieces the codec may stop later than in one go (a message beside a broken frame), never with other content.
  CHECK(whole.end() == pieces.end());
  CHECK(at_once.size() == one_by_one.size());
  for (size_t i = 0; i < at_once.size(); ++i) CHECK(at_once[i].data == one_by_one[i].data);
  CHECK(whole.take_output().size() <= 512 + 2 * input.size());
  if (whole.end() != WebSocketCodec::End::None) CHECK(whole.feed("\x82\x80mask").empty());
  return 0;
}
