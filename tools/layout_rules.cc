#include "tools/layout_rules.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string_view>

#include "tools/layout_scan.h"

namespace atrium::tools {
namespace {

namespace fs = std::filesystem;

constexpr int kFunctionLinesMax = 70;
constexpr int kFileLinesMax = 800;
constexpr int kColumnsMax = 120;

// DESIGN section 2.  Each library may include itself; `api` is for all.  "adapters/*" stands for
// all adapters.
const std::map<std::string, std::set<std::string>, std::less<>> kMayInclude{
    {"base", {}},
    {"wire", {"base"}},
    {"domain", {"base"}},
    {"negotiation", {"base", "wire"}},
    {"media", {"base", "wire"}},
    {"adapters", {"base", "wire", "domain", "negotiation"}},
    {"node", {"base", "wire", "domain", "negotiation", "media", "adapters/*"}},
    {"client", {"base", "wire", "negotiation", "media"}},
    {"runtime", {"base"}},
    {"sim", {"base", "wire", "domain", "negotiation", "media", "adapters/*", "node", "client"}},
    {"apps",
     {"base", "wire", "domain", "negotiation", "media", "adapters/*", "node", "client", "runtime"}},
};

struct Confined {
  std::string_view include;  // prefix of the path in angle brackets
  std::vector<std::string_view> rooms;
};
// The first row that fits decides.
const std::vector<Confined> kConfined{
    {"openssl/ssl", {"src/media/dtls", "src/runtime/tls", "src/apps/atriumctl/tls_client"}},
    {"openssl/",
     {"src/base/crypto.cc", "src/base/secret_source.cc", "src/media/srtp", "src/media/dtls",
      "src/runtime/tls", "src/apps/atriumctl/tls_client"}},
    {"curl/", {"src/runtime/web_client"}},
    {"boost/beast",
     {"src/runtime/boost_impl.cc", "src/runtime/http_codec.cc", "src/runtime/websocket_codec.cc"}},
    {"boost/asio", {"src/runtime/", "src/apps/"}},
    {"boost/json", {"src/adapters/", "src/apps/"}},
    {"boost/url", {"src/adapters/", "src/apps/"}},
    {"usrsctp", {"src/media/sctp"}},
    {"sqlite3", {"src/adapters/store/"}},
    {"nats", {"src/adapters/cluster/"}},
    {"jwt", {"src/adapters/"}},
    {"srtp2/", {"src/media/srtp"}},
};

struct Banned {
  std::string_view rule;
  std::vector<std::string_view> words;
  std::vector<std::string_view> includes;
};
const std::vector<Banned> kBanned{
    {"clock",
     {"system_clock::now", "steady_clock::now", "high_resolution_clock", "clock_gettime",
      "gettimeofday", "utc_clock", "tai_clock", "file_clock", "std::time", "time(nullptr)",
      "time(NULL)", "time(0)"},
     {}},
    {"random",
     {"random_device", "mt19937", "default_random_engine", "minstd_rand", "rand()", "srand(",
      "std::rand"},
     {}},
    {"thread",
     {"std::thread", "std::jthread", "std::mutex", "std::shared_mutex", "std::recursive_mutex",
      "std::atomic", "std::atomic_flag", "std::condition_variable", "std::async", "std::future",
      "thread_local", "sleep_for", "sleep_until", "usleep", "nanosleep", "pthread_create"},
     {"thread", "mutex", "shared_mutex", "atomic", "condition_variable", "future", "pthread.h"}},
    {"socket",
     {},
     {"sys/socket.h", "netinet/in.h", "arpa/inet.h", "sys/epoll.h", "sys/eventfd.h", "poll.h",
      "netdb.h", "ifaddrs.h", "sys/un.h", "unistd.h", "fcntl.h", "sys/uio.h"}},
    {"exception", {"throw", "try", "catch"}, {}},
};

// The mark of what must not be merged, and paths of a developer's machine; in pieces, so that this
// file has neither.
const std::string kFixme = std::string("FIX") + "ME";
const std::array<std::string, 4> kMachinePaths{
    std::string("/wor") + "k/", std::string("/far") + "m/", std::string("/hom") + "e/",
    std::string("/Use") + "rs/"};

struct File {
  std::string path;  // from the root, with /
  std::string text;
  std::string code;  // text without comments and literals; only for C++
  bool is_cpp = false;
};

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool is_skipped_folder(const std::string& name) {
  static const std::set<std::string> kSkipped{".git", "build",  "node_modules", "dist",
                                              "data", ".cache", "corpus",       "crashes"};
  return kSkipped.contains(name);
}

bool is_text(const fs::path& path) {
  static const std::set<std::string> kEndings{".h",     ".cc",  ".def",  ".md",   ".txt",   ".sh",
                                              ".js",    ".mjs", ".ts",   ".json", ".html",  ".css",
                                              ".proto", ".yml", ".yaml", ".toml", ".cmake", ""};
  return kEndings.contains(path.extension().string());
}

std::vector<File> read_tree(const fs::path& root) {
  std::vector<File> out;
  auto at = fs::recursive_directory_iterator(root);
  for (const auto end = fs::recursive_directory_iterator(); at != end; ++at) {
    if (at->is_directory() && is_skipped_folder(at->path().filename().string()))
      at.disable_recursion_pending();
    if (!at->is_regular_file() || !is_text(at->path())) continue;
    File file{.path = fs::relative(at->path(), root).generic_string(),
              .text = read(at->path()),
              .code = {}};
    const std::string ending = at->path().extension().string();
    file.is_cpp = ending == ".h" || ending == ".cc";
    if (file.is_cpp) file.code = blank_comments_and_literals(file.text);
    out.push_back(std::move(file));
  }
  std::sort(out.begin(), out.end(), [](const File& a, const File& b) { return a.path < b.path; });
  return out;
}

bool starts_with_any(std::string_view path, const std::vector<std::string_view>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return path.starts_with(prefix); });
}

// "src/adapters/store/x.cc" → "adapters/store"; "src/base/x.h" → "base"; "" outside src.
std::string library_of(std::string_view path) {
  if (path.starts_with("src/")) path.remove_prefix(4);
  const size_t first = path.find('/');
  if (first == path.npos) return "";
  const std::string_view name = path.substr(0, first);
  if (name != "adapters") return std::string(name);
  const size_t second = path.find('/', first + 1);
  return std::string(path.substr(0, second));
}

bool may_include(const std::string& from, const std::string& to) {
  if (from == to) return true;
  const std::string kind = from.substr(0, from.find('/'));
  const auto row = kMayInclude.find(kind);
  if (row == kMayInclude.end()) return true;
  return row->second.contains(to) ||
         (to.starts_with("adapters/") && row->second.contains("adapters/*"));
}

class Checker {
 public:
  Checker(fs::path root, std::vector<Allowance> allowances)
      : root_(std::move(root)), allowances_(std::move(allowances)) {}

  std::vector<Violation> run() {
    for (const File& file : read_tree(root_)) {
      check_text(file);
      if (file.is_cpp) check_lengths(file);
      if (file.is_cpp && file.path.starts_with("src/")) check_code(file);
      check_document(file);
    }
    for (const Allowance& allowance : allowances_)
      if (!allowance.is_used)
        out_.push_back({"stale-allowance", "tools/layout_allow.txt", 0,
                        allowance.rule + " " + allowance.path});
    return std::move(out_);
  }

 private:
  void report(Violation violation) {
    for (Allowance& allowance : allowances_) {
      const bool is_prefix = allowance.path.ends_with('*');
      const bool fits =
          is_prefix
              ? violation.path.starts_with(allowance.path.substr(0, allowance.path.size() - 1))
              : violation.path == allowance.path;
      if (allowance.rule != violation.rule || !fits) continue;
      if (allowance.number > 0 && violation.measure > allowance.number) continue;
      allowance.is_used = true;
      return;
    }
    out_.push_back(std::move(violation));
  }

  void check_text(const File& file) {
    if (file.path == "tools/layout_allow.txt") return;
    int number = 0;
    for (std::string_view line : split_lines(file.text)) {
      ++number;
      if (find_word(line, kFixme) != line.npos)
        report({"fixme", file.path, number, std::string(line)});
      for (const std::string& path : kMachinePaths) {
        const size_t at = line.find(path);
        // "./work/…" or "frame/work/…" is not a path from a machine's root.
        if (at == line.npos ||
            (at > 0 && (std::isalnum(static_cast<unsigned char>(line[at - 1])) != 0 ||
                        line[at - 1] == '.' || line[at - 1] == '*' || line[at - 1] == '/')))
          continue;
        report({"machine-path", file.path, number, std::string(line)});
      }
    }
  }

  void check_lengths(const File& file) {
    const auto lines = split_lines(file.text);
    if (lines.size() > static_cast<size_t>(kFileLinesMax))
      report({"file-length", file.path, 0, std::to_string(lines.size()) + " lines, at most 800",
              static_cast<int>(lines.size())});
    for (size_t i = 0; i < lines.size(); ++i) {
      const auto columns = std::count_if(lines[i].begin(), lines[i].end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
      });
      if (columns > kColumnsMax)
        report({"line-length", file.path, static_cast<int>(i + 1),
                std::to_string(columns) + " columns, at most 120"});
    }
    for (const Function& function : find_functions(file.code))
      if (function.length > kFunctionLinesMax)
        report({"function-length", file.path, function.line,
                function.name + " has " + std::to_string(function.length) + " lines, at most 70",
                function.length});
  }

  void check_code(const File& file) {
    const std::string library = library_of(file.path);
    for (const Include& include : find_includes(file.text)) {
      check_table(file, library, include);
      check_confined(file, include);
    }
    check_banned(file, library == "runtime");
  }

  void check_table(const File& file, const std::string& library, const Include& include) {
    const std::string target = library_of(include.path);
    if (!kMayInclude.contains(target.substr(0, target.find('/')))) return;
    if (library == "runtime" && include.path == "node/ports.h") return;
    if (!may_include(library, target))
      report(
          {"include-table", file.path, include.line, library + " may not include " + include.path});
  }

  void check_confined(const File& file, const Include& include) {
    for (const Confined& row : kConfined) {
      if (!include.path.starts_with(row.include)) continue;
      if (!starts_with_any(file.path, row.rooms))
        report({"third-party", file.path, include.line, include.path + " is confined elsewhere"});
      return;
    }
  }

  // The rim (runtime) may do everything but throw.
  void check_banned(const File& file, bool is_rim) {
    const auto includes = find_includes(file.text);
    for (const Banned& ban : kBanned) {
      if (is_rim && ban.rule != "exception") continue;
      for (std::string_view word : ban.words) {
        const size_t at = find_word(file.code, word);
        if (at != file.code.npos)
          report({std::string(ban.rule), file.path, line_of(file.code, at), std::string(word)});
      }
      for (const Include& include : includes)
        if (std::find(ban.includes.begin(), ban.includes.end(), include.path) != ban.includes.end())
          report(
              {std::string(ban.rule), file.path, include.line, "#include <" + include.path + ">"});
    }
  }

  void check_document(const File& file) {
    const std::string name = fs::path(file.path).filename().string();
    const bool is_map = file.path == "docs/ARCHITECTURE.md" || file.path == "docs/CLOSURES.md" ||
                        (file.path.starts_with("docs/LIFE_OF_") && name.ends_with(".md"));
    if (!is_map) return;
    int number = 0;
    for (std::string_view line : split_lines(file.text)) {
      ++number;
      for (size_t open = line.find('`'); open != line.npos;) {
        const size_t close = line.find('`', open + 1);
        if (close == line.npos) break;
        check_named(file, number, std::string(line.substr(open + 1, close - open - 1)));
        open = line.find('`', close + 1);
      }
    }
  }

  // `src/node/ports.h`, `node/ports.h`, `src/media/`, `dtls.{h,cc}` with its folder: must exist.
  void check_named(const File& file, int line, std::string name) {
    name = name.substr(0, name.find_first_of("#:"));
    const std::string first = name.substr(0, name.find('/'));
    static const std::set<std::string> kRoots{"src", "api", "tools", "scripts", "docs",
                                              "e2e", "web", "bench", ".ci"};
    const bool is_ours =
        name.find('/') != name.npos && (kRoots.contains(first) || kMayInclude.contains(first));
    if (!is_ours || name.find_first_of(" <>…()=") != name.npos) return;
    const size_t star = name.find('*');
    if (star != name.npos) name = name.substr(0, name.rfind('/', star));
    for (const std::string& one : expanded(name)) {
      const fs::path path = kRoots.contains(first) ? root_ / one : root_ / "src" / one;
      if (!fs::exists(path)) report({"doc-path", file.path, line, one + " does not exist"});
    }
  }

  static std::vector<std::string> expanded(const std::string& name) {
    const size_t open = name.find('{'), close = name.find('}');
    if (open == name.npos || close == name.npos || close < open) return {name};
    std::vector<std::string> out;
    std::stringstream choices(name.substr(open + 1, close - open - 1));
    for (std::string choice; std::getline(choices, choice, ',');)
      out.push_back(name.substr(0, open) + choice + name.substr(close + 1));
    return out;
  }

  // given
  fs::path root_;
  std::vector<Allowance> allowances_;
  // derived
  std::vector<Violation> out_;
};

}  // namespace

std::vector<Allowance> read_allowances(const fs::path& file, std::vector<Violation>& faults) {
  std::vector<Allowance> out;
  const std::string text = read(file);
  int number = 0;
  for (std::string_view line : split_lines(text)) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words{std::string(line)};
    Allowance allowance;
    words >> allowance.rule >> allowance.path >> std::ws;
    if (std::isdigit(words.peek()) != 0) words >> allowance.number;
    std::getline(words >> std::ws, allowance.reason);
    if (allowance.reason.empty())
      faults.push_back(
          {"stale-allowance", "tools/layout_allow.txt", number, "an exception without a reason"});
    out.push_back(std::move(allowance));
  }
  return out;
}

std::vector<Violation> check_layout(const fs::path& root, std::vector<Allowance> allowances) {
  return Checker(root, std::move(allowances)).run();
}

}  // namespace atrium::tools
