#include "apps/atriumctl/operator_commands.h"

#include <ostream>
#include <vector>

#include "adapters/openapi/json.h"
#include "apps/atriumctl/caller.h"
#include "apps/atriumctl/show.h"

namespace atrium::atriumctl {
namespace {

using openapi::Json;

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) out.push_back(clean(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

void show_json(std::ostream& out, bool is_done, const std::vector<std::string>& lines) {
  out << openapi::to_text(Json(
             Json::Object{{"Done", is_done}, {"Lines", Json::Array(lines.begin(), lines.end())}}))
      << "\n";
}

}  // namespace

ExitCode run_operator(Output output, const std::string& authority, const OperatorCommand& command,
                      World& world) {
  const openapi::Request request{
      .method = command.verb == OperatorVerb::StopDrain ? "DELETE" : "POST",
      .target = command.verb == OperatorVerb::Reload ? "/reload" : "/drain",
      .headers = {{"Host", authority}, {"User-Agent", "atriumctl"}}};
  const Result<HttpReply> reply = world.exchange(request);
  if (!reply)
    return unreachable(world.err, command.url, reply.error(),
                       "Is atriumd running there? This is its operator's listener "
                       "(operator.listen), by default on its own host alone: name it with "
                       "--operator or ATRIUM_OPERATOR_URL.");
  const std::vector<std::string> lines = lines_of(reply->body);
  if (reply->status == 200) {
    if (output == Output::Json)
      show_json(world.out, true, lines);
    else
      for (const std::string& line : lines) world.out << line << "\n";
    return ExitCode::Ok;
  }
  if (reply->status == 422 || reply->status == 409) {
    if (output == Output::Json) show_json(world.out, false, lines);
    for (const std::string& line : lines) world.err << "atriumctl: " << line << "\n";
    if (command.verb == OperatorVerb::Reload)
      world.err << "Nothing was changed. Mend this, and look with: atriumd --check-config\n";
    return ExitCode::Refused;
  }
  world.err << "atriumctl: what answers at " << command.url << " (HTTP " << reply->status
            << ") is not the operator's listener of an Atrium server.\nCheck --operator: it is "
               "operator.listen of the server, not http.listen.\n";
  return ExitCode::Unreachable;
}

}  // namespace atrium::atriumctl
