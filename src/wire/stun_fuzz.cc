// Any bytes as a STUN message: parsing stays in bounds, and what parses can be verified without harm.
#include "wire/stun.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atrium;
  const auto message = wire::parse_stun(ByteView(data, size));
  if (!message) return 0;
  CHECK(message->bytes.size() == size);
  CHECK(!message->has_integrity || message->integrity_at + 24 <= size);
  static_cast<void>(wire::has_valid_integrity(*message, std::string_view("password")));
  if (message->username) static_cast<void>(wire::split_username(*message->username));
  if (!message->xor_mapped_address) return 0;
  // What was read is written back and read again.
  std::array<uint8_t, wire::kStunWriteBytesMax> out;
  const auto written = wire::write_binding_success(out, message->transaction,
                                                   *message->xor_mapped_address, "password");
  CHECK(written.has_value());
  const auto again = wire::parse_stun(*written);
  CHECK(again && again->xor_mapped_address == message->xor_mapped_address);
  CHECK(wire::has_valid_integrity(*again, std::string_view("password")));
  return 0;
}
