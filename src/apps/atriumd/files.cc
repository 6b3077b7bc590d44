#include "files.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/limits.h"

namespace atrium::atriumd {
namespace {

const char* content_type(const std::string& extension) {
  if (extension == ".html") return "text/html; charset=utf-8";
  if (extension == ".css") return "text/css; charset=utf-8";
  if (extension == ".js" || extension == ".mjs") return "text/javascript; charset=utf-8";
  if (extension == ".json" || extension == ".map") return "application/json";
  if (extension == ".svg") return "image/svg+xml";
  if (extension == ".png") return "image/png";
  return "application/octet-stream";
}

}  // namespace

std::expected<std::map<std::string, node::StaticFile>, std::string> read_files(
    const std::string& directory) {
  namespace fs = std::filesystem;
  std::map<std::string, node::StaticFile> files;
  std::error_code failure;
  int64_t total = 0;
  for (fs::recursive_directory_iterator it(directory, failure), end; !failure && it != end;
       it.increment(failure)) {
    if (!it->is_regular_file()) continue;
    std::ifstream stream(it->path(), std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(stream)), {});
    total += static_cast<int64_t>(bytes.size());
    if (total > limits::kWebFilesBytesMax || files.size() >= limits::kWebFilesMax)
      return std::unexpected(directory + ": more files than web.dir may hold");
    const std::string path = "/" + fs::relative(it->path(), directory).generic_string();
    if (it->path().filename() == "index.html")
      files[path.substr(0, path.size() - std::string("index.html").size())] = {
          content_type(".html"), bytes};
    files[path] = {content_type(it->path().extension().string()), std::move(bytes)};
  }
  if (failure) return std::unexpected(directory + ": " + failure.message());
  files.erase("/");  // the root belongs to the management API
  return files;
}

}  // namespace atrium::atriumd
