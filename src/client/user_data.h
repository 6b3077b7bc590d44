// What a client reads in a message on its data channels: whose it is, and whether it tells of the client's own removal.
// Pure.  livekit-protocol 7; DESIGN section 1.
#pragma once

#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace atrium::client {

// Views of the message's bytes.
struct UserData {
  std::string_view topic;
  ByteView payload;
  std::string_view sender;  // identity; empty = the server
};
// nullopt for what is no DataPacket.
std::optional<UserData> read_user_data(ByteView message);

// Whether it is the server's notice that the session ends; other notices tell of a privilege or a token alone.
bool is_removal(const UserData& message);

}  // namespace atrium::client
