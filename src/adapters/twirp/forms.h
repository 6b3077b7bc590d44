// The two forms of a message: protobuf and its JSON (proto3 JSON mapping).  Private to the adapter.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/twirp/message.h"

namespace google::protobuf {
class Message;
}

namespace atrium::twirp {

enum class Form : uint8_t { Json, Protobuf };
// By Content-Type; nullopt for any other.
std::optional<Form> form_of(std::string_view content_type);

// Fills `message`.  Unknown fields are ignored; JSON names may be snake_case or camelCase.  Refusal: Malformed.
std::optional<Refusal> read(Form form, std::string_view body, google::protobuf::Message& message);
// As LiveKit's own server writes: JSON with snake_case names, fields of no value included.
Response write(Form form, const google::protobuf::Message& message);

}  // namespace atrium::twirp
