// Plants one violation of each rule in a small tree of its own and expects to be told of just that
// one.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tools/layout_rules.h"
#include "tools/layout_scan.h"

namespace atrium::tools {
namespace {

namespace fs = std::filesystem;

class Tree : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    root_ = fs::temp_directory_path() /
            ("check_layout_" + std::string(info->name()) +
             std::to_string(::testing::UnitTest::GetInstance()->random_seed()));
    fs::remove_all(root_);
    write("src/base/good.h", "#pragma once\n#include <string>\nnamespace atrium {}\n");
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  // "rule path:line …" of everything found.
  std::string check(const std::string& allow = "") {
    std::vector<Violation> found;
    write("tools/layout_allow.txt", allow);
    const auto allowances = read_allowances(root_ / "tools/layout_allow.txt", found);
    for (auto& v : check_layout(root_, allowances)) found.push_back(v);
    std::string out;
    for (const Violation& v : found)
      out += v.rule + " " + v.path + ":" + std::to_string(v.line) + ";";
    return out;
  }
  fs::path root_;
};

TEST_F(Tree, without_violations_is_silent) {
  EXPECT_EQ(check(), "");
}

TEST_F(Tree, include_table_is_enforced) {
  write("src/domain/a.cc", "#include \"wire/x.h\"\n#include \"base/good.h\"\n");
  write("src/adapters/store/a.cc",
        "#include \"adapters/signal/x.h\"\n#include \"adapters/store/y.h\"\n");
  write("src/node/a.cc", "#include \"adapters/store/y.h\"\n#include \"runtime/clock.h\"\n");
  write("src/runtime/a.cc", "#include \"node/ports.h\"\n#include \"node/shard.h\"\n");
  write("src/apps/a.cc", "#include \"runtime/clock.h\"\n#include \"sim/world.h\"\n");
  EXPECT_EQ(check(),
            "include-table src/adapters/store/a.cc:1;include-table src/apps/a.cc:2;include-table "
            "src/domain/a.cc:1;"
            "include-table src/node/a.cc:2;include-table src/runtime/a.cc:2;");
}

TEST_F(Tree, third_parties_stay_in_their_rooms) {
  write("src/base/crypto.cc", "#include <openssl/evp.h>\n");
  write("src/media/pacer.cc", "#include <openssl/evp.h>\n");
  write("src/base/tls.cc", "#include <openssl/ssl.h>\n");
  write("src/runtime/http_server.cc",
        "#include <boost/asio/post.hpp>\n#include <boost/beast/http.hpp>\n");
  write("src/node/a.cc", "#include <sqlite3.h>\n");
  write("src/node/b.cc", "#include <curl/curl.h>\n");
  write("src/runtime/web_client.cc", "#include <curl/curl.h>\n");
  write("src/apps/atriumctl/tls_client.cc", "#include <openssl/ssl.h>\n#include <openssl/bio.h>\n");
  write("src/apps/atriumctl/http_client.cc", "#include <openssl/ssl.h>\n");
  EXPECT_EQ(check(),
            "third-party src/apps/atriumctl/http_client.cc:1;third-party "
            "src/base/tls.cc:1;third-party src/media/pacer.cc:1;third-party src/node/a.cc:1;"
            "third-party src/node/b.cc:1;third-party src/runtime/http_server.cc:2;");
}

TEST_F(Tree, clocks_chance_threads_sockets_and_exceptions_stay_at_the_rim) {
  write("src/media/clock.cc", "auto a = std::chrono::steady_clock::now();\n");
  write("src/media/chance.cc", "\nstd::random_device d;\n");
  write("src/media/threads.cc", "#include <mutex>\n");
  write("src/media/atomics.cc", "std::atomic<int> a;\n");
  write("src/node/sockets.cc", "#include <sys/socket.h>\n");
  write("src/wire/exceptions.cc", "void f() { throw 1; }\n");
  write("src/runtime/all.cc", "#include <mutex>\n#include <sys/socket.h>\nstd::atomic<int> a;\n");
  EXPECT_EQ(check(),
            "thread src/media/atomics.cc:1;random src/media/chance.cc:2;clock src/media/clock.cc:1;"
            "thread src/media/threads.cc:1;socket src/node/sockets.cc:1;exception "
            "src/wire/exceptions.cc:1;");
}

TEST_F(Tree, words_in_comments_literals_and_longer_names_are_not_meant) {
  write("src/media/a.cc",
        "// throw, std::mutex\n/* catch */ const char* a = \"throw try\";\nint retry = 1'000; char "
        "c = '\"'; "
        "const char* r = R\"x(throw \" catch)x\";\nint try_send();\n");
  EXPECT_EQ(check(), "");
}

TEST_F(Tree, lengths_are_bounded) {
  write("src/base/long_line.h", "int a;" + std::string(120, ' ') + "\n");
  write("src/base/umlauts.h", "// " + std::string(58, ' ') + std::string("ä") + "\n");
  std::string function = "int g() { return 1; }\nint f() {\n";
  for (int i = 0; i < 69; ++i) function += "  g();\n";
  write("src/base/long_function.cc", function + "}\n");
  write("src/base/long_file.cc", std::string(801, '\n'));
  EXPECT_EQ(check(),
            "file-length src/base/long_file.cc:0;function-length "
            "src/base/long_function.cc:2;line-length src/base/long_line.h:1;");
}

TEST_F(Tree, fixme_and_paths_of_a_machine_are_refused_everywhere) {
  write("scripts/a", std::string("# FIX") + "ME later\n");
  write("docs/a.md", std::string("see /wor") + "k/main/x\n");
  EXPECT_EQ(check(), "machine-path docs/a.md:1;fixme scripts/a:1;");
}

TEST_F(Tree, documents_name_only_files_that_exist) {
  write(
      "docs/ARCHITECTURE.md",
      "`src/base/good.h`, `base/good.h`, `src/base/`, `src/base/*.h`, `a/b`\n`base/gone.{h,cc}`\n");
  write("docs/other.md", "`src/base/gone.h` is history\n");
  EXPECT_EQ(check(), "doc-path docs/ARCHITECTURE.md:2;doc-path docs/ARCHITECTURE.md:2;");
}

TEST_F(Tree, an_allowance_covers_its_rule_and_path_and_must_be_needed) {
  write("src/base/log.cc", "std::atomic<int> a;\n");
  EXPECT_EQ(check("thread src/base/log.cc the sink is set from any thread\n"), "");
  EXPECT_EQ(check("thread src/base/* the sink is set from any thread\n"), "");
  EXPECT_EQ(check("clock src/base/log.cc why\n"),
            "thread src/base/log.cc:1;stale-allowance tools/layout_allow.txt:0;");
  EXPECT_EQ(check("thread src/base/log.cc\n"), "stale-allowance tools/layout_allow.txt:1;")
      << "no reason";
}

TEST_F(Tree, a_ratchet_tolerates_no_growth) {
  std::string function = "void f() {\n";
  for (int i = 0; i < 78; ++i) function += "  ;\n";
  write("src/base/a.cc", function + "}\n");
  EXPECT_EQ(check("function-length src/base/a.cc 80 a table of formats\n"), "");
  EXPECT_EQ(check("function-length src/base/a.cc 79 a table of formats\n"),
            "function-length src/base/a.cc:1;stale-allowance tools/layout_allow.txt:0;");
}

TEST(FunctionFinder, sees_members_constructors_templates_and_tests) {
  const std::string code =
      "namespace a {\nclass B final : public C {\n public:\n  B() : x_{1}, y_{2} {\n    go();\n  "
      "}\n"
      "  int x_{1};\n};\ntemplate <class T>\nint f(T t) {\n  if (t) { return 1; }\n  return 2;\n}\n"
      "constexpr int kTable[] = {\n 1,\n 2,\n};\nTEST(Group, name) {\n}\n}\n";
  const auto found = find_functions(code);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].name, "B");
  EXPECT_EQ(found[0].length, 4) << "from the label's line on";
  EXPECT_EQ(found[1].name, "f");
  EXPECT_EQ(found[1].length, 5);
  EXPECT_EQ(found[2].name, "TEST(Group, name)");
}

}  // namespace
}  // namespace atrium::tools
