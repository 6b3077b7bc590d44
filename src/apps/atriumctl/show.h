// Results as text for people.  What the server sent is shown without control characters.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/openapi/json.h"

namespace atrium::atriumctl {

enum class Detail { Short, Whole };
enum class Keys { Hidden, Shown };

std::string clean(std::string_view text);
std::string text_of(const openapi::Json& object,
                    std::string_view name);  // cleaned; numbers as digits; "" when absent
const openapi::Json& member(const openapi::Json& object,
                            std::string_view name);  // null when absent
// The members of `name` that is a list, else none.
const openapi::Json::Array& items_of(const openapi::Json& object, std::string_view name);

using Row = std::vector<std::string>;
// In columns as wide as their widest text.
void show_table(std::ostream& out, const std::vector<Row>& rows);

// What to do about an error code, one sentence.
std::string_view advice(std::string_view code);

void show_rooms(std::ostream& out, const openapi::Json& result);
void show_bans(std::ostream& out, const openapi::Json& result);
void show_lives(std::ostream& out, const openapi::Json& result);
void show_visitors(std::ostream& out, const openapi::Json& result);
void show_room_and_users(std::ostream& out, const openapi::Json& result);
void show_apps(std::ostream& out, const openapi::Json& result, Keys keys);
void show_app(std::ostream& out, const openapi::Json& result);
void show_created_app(std::ostream& out, const openapi::Json& result);
void show_dry_run(std::ostream& out, std::string_view room, const openapi::Json& result);
// Also where `if_session` (else empty) was not the room's current session.
void show_dismissed(std::ostream& out, std::string_view room, std::string_view if_session,
                    const openapi::Json& result, Detail detail);
void show_receipt(std::ostream& out, const openapi::Json& result);

}  // namespace atrium::atriumctl
