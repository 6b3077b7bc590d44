#include "adapters/twirp/forms.h"

#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <boost/json.hpp>

#include "base/limits.h"

namespace atrium::twirp {
namespace {

constexpr std::string_view kJson = "application/json", kProtobuf = "application/protobuf";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// protobuf's reader is lenient and nests deep; what reaches it is JSON by RFC 8259, and shallow.
bool is_plain_json_object(std::string_view body) {
  boost::json::parse_options options;
  options.max_depth = limits::kJsonDepthMax;
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(body, error, {}, options);
  return !error && value.is_object();
}

bool read_json(std::string_view body, google::protobuf::Message& message) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  return is_plain_json_object(body) &&
         google::protobuf::util::JsonStringToMessage({body.data(), body.size()}, &message, options)
             .ok();
}

}  // namespace

std::optional<Form> form_of(std::string_view content_type) {
  std::string type = lower(content_type.substr(0, content_type.find(';')));
  type.erase(type.find_last_not_of(" \t") + 1);
  if (type == kJson) return Form::Json;
  if (type == kProtobuf) return Form::Protobuf;
  return std::nullopt;
}

std::optional<Refusal> read(Form form, std::string_view body, google::protobuf::Message& message) {
  if (form == Form::Json) {
    if (read_json(body, message)) return std::nullopt;
    return Refusal{Code::Malformed, "the json request could not be decoded"};
  }
  if (message.ParseFromArray(body.data(), static_cast<int>(body.size()))) return std::nullopt;
  return Refusal{Code::Malformed, "the protobuf request could not be decoded"};
}

Response write(Form form, const google::protobuf::Message& message) {
  const std::string_view type = form == Form::Json ? kJson : kProtobuf;
  Response response{.headers = {{"Content-Type", std::string(type)}}, .body = {}};
  bool is_written = false;
  if (form == Form::Protobuf) {
    is_written = message.SerializeToString(&response.body);
  } else {
    google::protobuf::util::JsonPrintOptions options;
    options.preserve_proto_field_names = true;
    options.always_print_primitive_fields = true;
    is_written = google::protobuf::util::MessageToJsonString(message, &response.body, options).ok();
  }
  return is_written ? response : refuse({Code::Internal, "the answer could not be encoded"});
}

}  // namespace atrium::twirp
