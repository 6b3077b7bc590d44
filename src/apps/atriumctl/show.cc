#include "apps/atriumctl/show.h"

#include <algorithm>
#include <cstdint>
#include <ostream>
#include <vector>

#include "adapters/openapi/error_table.h"

namespace atrium::atriumctl {
namespace {

using openapi::ErrorCode;
using openapi::Json;

using Row = std::vector<std::string>;

// Characters on the screen, near enough: bytes that do not continue a UTF-8 sequence.
size_t width(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<uint8_t>(c) >> 6) != 2; }));
}

void show_table(std::ostream& out, const std::vector<Row>& rows) {
  std::vector<size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      out << row[i];
      if (i + 1 < row.size()) out << std::string(widths[i] - width(row[i]) + 2, ' ');
    }
    out << "\n";
  }
}

const Json& member(const Json& object, std::string_view name) {
  static const Json kNothing;
  const Json* found = object.find(name);
  return found == nullptr ? kNothing : *found;
}

std::string milliseconds(const Json& receipt, std::string_view phase) {
  const Json& span = member(member(receipt, "ElapsedMicroseconds"), phase);
  const auto* micros = std::get_if<int64_t>(&span.value);
  if (micros == nullptr) return "not yet";
  std::string fraction = std::to_string(*micros % 1000);
  return std::to_string(*micros / 1000) + "." + std::string(3 - fraction.size(), '0') + fraction +
         " ms";
}

void show_short_receipt(std::ostream& out, const Json& receipt) {
  show_table(out, {{"  operation", text_of(receipt, "OperationId")},
                   {"  session", text_of(receipt, "RoomSessionId")},
                   {"  users", text_of(receipt, "UsersAtFence") + " at the fence, " +
                                   text_of(receipt, "Notified") + " told, " +
                                   text_of(receipt, "NotNotified") + " not told"},
                   {"  media cut after", milliseconds(receipt, "MediaCut")},
                   {"  closed after", milliseconds(receipt, "Closed")},
                   {"  packets after the cut", text_of(receipt, "PacketsAfterCut")}});
}

void show_whole_receipt(std::ostream& out, const Json& receipt) {
  std::vector<Row> rows;
  if (const Json::Object* members = receipt.if_object())
    for (const auto& [name, value] : *members)
      if (value.if_object() == nullptr && value.if_array() == nullptr)
        rows.push_back({"  " + name, text_of(receipt, name)});
  for (const std::string_view phase : {"Fenced", "MediaCut", "Notified", "Closed"})
    rows.push_back({"  " + std::string(phase) + " after", milliseconds(receipt, phase)});
  if (const Json::Array* users = member(receipt, "NotNotifiedUsers").if_array())
    for (const Json& user : *users)
      rows.push_back({"  not told: " + text_of(user, "UserId"), text_of(user, "Reason")});
  show_table(out, rows);
}

}  // namespace

std::string clean(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) c = '?';
  return out;
}

std::string text_of(const Json& object, std::string_view name) {
  const Json& found = member(object, name);
  if (found.is_null()) return "";
  if (const std::string* text = found.if_text()) return clean(*text);
  return openapi::to_text(found);
}

std::string_view advice(std::string_view code) {
  const auto known = openapi::find_error(code);
  if (!known) return "Read api/openapi.md for this code.";
  switch (*known) {
    case ErrorCode::InvalidAccessKey:
    case ErrorCode::SignatureDoesNotMatch:
      return "Check ATRIUM_ACCESS_KEY and ATRIUM_SECRET_KEY.";
    case ErrorCode::InvalidTimestamp:
      return "Compare this machine's clock with the server's.";
    case ErrorCode::InvalidCredential:
      return "Check --region.";
    case ErrorCode::IllegalAppId:
    case ErrorCode::NotExistAppId:
    case ErrorCode::AccountIdMismatch:
      return "Check --app or ATRIUM_APP_ID.";
    case ErrorCode::AccessDenied:
      return "Use an access key that may manage rooms.";
    case ErrorCode::NoSuchRoom:
      return "See which rooms are live with: atriumctl room list";
    case ErrorCode::NotExistOperation:
      return "Check the operation id and --app.";
    case ErrorCode::QpsOverLimit:
    case ErrorCode::ServiceUnavailableTemp:
      return "Wait a moment and try again.";
    case ErrorCode::InternalError:
      return "Read the server's log; an operation named above goes on: atriumctl dismissal show OP";
    default:
      break;
  }
  return openapi::error_row(*known).reacts == openapi::Reacts::Operator
             ? "Read the server's log."
             : "Change the request as the message says.";
}

void show_rooms(std::ostream& out, const Json& result) {
  const Json::Array* rooms = member(result, "Rooms").if_array();
  if (rooms == nullptr || rooms->empty()) {
    out << "No rooms are live now.\n";
    return;
  }
  std::vector<Row> rows{{"ROOM", "SESSION", "VISIBLE", "INVISIBLE", "TRACKS", "CREATED"}};
  for (const Json& room : *rooms)
    rows.push_back({text_of(room, "RoomId"), text_of(room, "RoomSessionId"),
                    text_of(room, "VisibleUsers"), text_of(room, "InvisibleUsers"),
                    text_of(room, "Tracks"), text_of(room, "CreatedAt")});
  show_table(out, rows);
}

void show_bans(std::ostream& out, const Json& result) {
  const Json::Array* bans = member(result, "Bans").if_array();
  if (bans == nullptr || bans->empty()) {
    out << "No ban rules are in force.\n";
    return;
  }
  std::vector<Row> rows{{"RULE", "ROOM", "USER", "IP", "UNTIL", "REASON"}};
  for (const Json& ban : *bans)
    rows.push_back({text_of(ban, "BanId"), text_of(ban, "RoomId"), text_of(ban, "UserId"),
                    text_of(ban, "IP"), text_of(ban, "ExpiresAt"), text_of(ban, "Reason")});
  show_table(out, rows);
}

void show_lives(std::ostream& out, const Json& result) {
  const Json::Array* lives = member(result, "RoomList").if_array();
  if (lives == nullptr || lives->empty()) {
    out << "No room began in this time.\n";
    return;
  }
  std::vector<Row> rows{{"ROOM", "SESSION", "BEGAN", "ENDED", "USERS NOW"}};
  for (const Json& life : *lives) {
    const bool is_over = text_of(life, "IsFinished") == "true";
    rows.push_back({text_of(life, "RoomId"), text_of(life, "CallId"), text_of(life, "CreatedTime"),
                    is_over ? text_of(life, "DestroyTime") : "live",
                    text_of(life, "ActiveUserNum")});
  }
  show_table(out, rows);
}

void show_visitors(std::ostream& out, const Json& result) {
  const Json::Array* users = member(result, "UserList").if_array();
  if (users == nullptr || users->empty()) {
    out << "Nobody came in this time.\n";
    return;
  }
  std::vector<Row> rows{
      {"USER", "ROOM", "SESSION", "CAME", "LEFT", "SECONDS", "PUBLISHED", "OS", "SDK"}};
  for (const Json& user : *users) {
    const bool is_gone = text_of(user, "Finished") == "true";
    rows.push_back({text_of(user, "UserId"), text_of(user, "RoomId"), text_of(user, "CallId"),
                    text_of(user, "CreatedAt"), is_gone ? text_of(user, "LeaveAt") : "present",
                    text_of(user, "Duration"), text_of(user, "Pub"), text_of(user, "OS"),
                    text_of(user, "SdkVersion")});
  }
  show_table(out, rows);
}

void show_room_and_users(std::ostream& out, const Json& result) {
  const Json& room = member(result, "Room");
  show_table(out, {{"Room", text_of(room, "RoomId")},
                   {"Session", text_of(room, "RoomSessionId")},
                   {"Created", text_of(room, "CreatedAt")},
                   {"Users", text_of(room, "VisibleUsers") + " visible, " +
                                 text_of(room, "InvisibleUsers") + " invisible"},
                   {"Publishers", text_of(room, "Publishers")},
                   {"Tracks", text_of(room, "Tracks")}});
  const Json::Array* users = member(result, "Users").if_array();
  if (users == nullptr || users->empty()) return;
  std::vector<Row> rows{{"USER", "SESSION", "STATE", "VISIBLE", "TRACKS", "JOINED"}};
  for (const Json& user : *users)
    rows.push_back({text_of(user, "UserId"), text_of(user, "UserSessionId"), text_of(user, "State"),
                    text_of(user, "Visible"), text_of(user, "Tracks"), text_of(user, "JoinedAt")});
  out << "\n";
  show_table(out, rows);
}

void show_apps(std::ostream& out, const Json& result, Keys keys) {
  const Json::Array* apps = member(result, "AppList").if_array();
  if (apps == nullptr || apps->empty()) {
    out << "The account has no apps. Make one with: atriumctl app create NAME\n";
    return;
  }
  std::vector<Row> rows{{"APP", "NAME", "STATUS", "CREATED"}};
  if (keys == Keys::Shown) rows[0].insert(rows[0].end(), {"APPKEY", "SECONDARY APPKEY"});
  for (const Json& app : *apps) {
    // The vendor's list has 1 for apps that run.
    rows.push_back({text_of(app, "AppId"), text_of(app, "AppName"),
                    text_of(app, "Status") == "1" ? "enabled" : "disabled",
                    text_of(app, "CreateAt")});
    if (keys == Keys::Shown)
      rows.back().insert(rows.back().end(),
                         {text_of(app, "AppKey"), text_of(app, "SecondaryAppKey")});
  }
  show_table(out, rows);
}

namespace {

std::string names_of(const Json& object, std::string_view field) {
  std::string out;
  if (const Json::Array* names = member(object, field).if_array())
    for (const Json& name : *names)
      if (const std::string* text = name.if_text()) out += (out.empty() ? "" : ", ") + clean(*text);
  return out;
}

}  // namespace

void show_app(std::ostream& out, const Json& result) {
  const Json& app = member(result, "App");
  const std::string keys = names_of(app, "ApiKeys");
  const std::string management_keys = names_of(app, "ManagementKeys");
  show_table(out, {{"App", text_of(app, "AppId")},
                   {"Name", text_of(app, "AppName")},
                   {"Account", text_of(app, "Owner")},
                   {"Status", text_of(app, "Enabled") == "true" ? "enabled" : "disabled"},
                   {"Ids", text_of(app, "Ids")},
                   {"API keys", keys.empty() ? "none besides the AppId" : keys},
                   {"Managing", management_keys.empty() ? "none" : management_keys},
                   {"Created", text_of(app, "CreatedAt")}});
}

void show_created_app(std::ostream& out, const Json& result) {
  const Json& app = member(result, "App");
  out << "App " << text_of(app, "AppName") << " is made, and can be joined.\n";
  show_table(out, {{"  AppId", text_of(app, "AppId")},
                   {"  AppKey", text_of(result, "AppKey")},
                   {"  SecondaryAppKey", text_of(result, "SecondaryAppKey")}});
  out << "AppKeys are secrets: who has one can sign tokens for every room of the app. Give them to "
         "your backend alone.\nThey are not shown again, except by: atriumctl app list "
         "--show-keys\n";
}

void show_dry_run(std::ostream& out, std::string_view room, const Json& result) {
  if (text_of(result, "RoomExists") != "true") {
    out << "There is no room " << clean(room) << " now: nothing would be dismissed.\n";
    return;
  }
  const Json& found = member(result, "Room");
  out << "Room " << clean(room) << " would be dismissed: session "
      << text_of(found, "RoomSessionId") << ", " << text_of(found, "VisibleUsers")
      << " visible and " << text_of(found, "InvisibleUsers")
      << " invisible users. Nothing was done.\n";
}

void show_dismissed(std::ostream& out, std::string_view room, const Json& result, Detail detail) {
  const Json& receipt = member(result, "Receipt");
  if (text_of(receipt, "RoomExists") != "true") {
    out << "There is no room " << clean(room) << " now: nothing to dismiss.\n";
    return;
  }
  out << "Room " << clean(room) << " is dismissed.\n";
  if (detail == Detail::Whole)
    show_whole_receipt(out, receipt);
  else
    show_short_receipt(out, receipt);
}

void show_receipt(std::ostream& out, const Json& result) {
  const Json& receipt = member(result, "Receipt");
  out << "Dismissal of room " << text_of(receipt, "RoomId") << ": " << text_of(receipt, "State")
      << ".\n";
  show_whole_receipt(out, receipt);
}

}  // namespace atrium::atriumctl
