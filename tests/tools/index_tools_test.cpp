// The tools that stand on the index: map, search by symbol, syntax errors behind edits.
#include "tests/tools/workspace_fixture.h"
#include "tools/repo_index.h"

namespace levin::tools {
namespace {

class IndexToolsTest : public ToolTest {
 protected:
  void SetUp() override {
    if (!has_repo_index()) GTEST_SKIP() << "this build has no repository index";
    put("src/core.py", "def needed_helper(x):\n    return x\n");
    put("src/user.py", "from core import needed_helper\n\ndef use_it():\n    needed_helper(1)\n");
  }

  std::string answer(const std::string& tool, const std::string& arguments) {
    ToolContext context{*workspace_, nullptr, nullptr, nullptr, ""};
    context.index_database = base_ + "/cache/index.sqlite";
    context.checks_syntax = true;
    const Registry registry({search_tool(), edit_tool(), write_tool(), map_tool()});
    return registry.call(tool, arguments, context).text;
  }
};

TEST_F(IndexToolsTest, MapAnswersWithFilesAndLines) {
  EXPECT_EQ(answer("map", "{}"),
            "2 of 2 symbols in 2 files, most needed files first\n"
            "src/core.py\n1\tdef needed_helper(x):\n"
            "src/user.py\n3\tdef use_it():");
  EXPECT_TRUE(answer("map", R"({"focus":["src"],"tokens":200})").starts_with("2 of 2 symbols"));
  EXPECT_TRUE(answer("map", R"({"focus":"src/user.py"})").starts_with("2 of 2 symbols"));
}

// A line break in a name would put a line of its maker's choice into the map.
TEST_F(IndexToolsTest, OddFileNamesStayOneLine) {
  put("odd\n1\tdef trusted():.py", "def odd_one():\n    pass\n");
  const std::string quoted = R"("odd\n1\tdef trusted():.py")";
  const std::string map = answer("map", "{}");
  EXPECT_NE(map.find("\n" + quoted + "\n1\tdef odd_one():"), std::string::npos) << map;
  EXPECT_EQ(map.find("\n1\tdef trusted"), std::string::npos) << map;
  const std::string missing = answer("map", R"({"focus":["wholly-different-name"]})");
  EXPECT_NE(missing.find(quoted), std::string::npos) << missing;
}

TEST_F(IndexToolsTest, MapTellsWhatIsWrong) {
  EXPECT_TRUE(answer("map", R"({"focus":["src/coer.py"]})").starts_with("E_PATH no src/coer.py"));
  EXPECT_TRUE(answer("map", R"({"focus":["../x"]})").starts_with("E_DENIED"));
  EXPECT_TRUE(answer("map", R"({"focus":[1]})").starts_with("E_ARGS map: \"focus\""));
  EXPECT_TRUE(answer("map", R"({"tokens":3})").starts_with("E_ARGS map: \"tokens\""));
}

TEST_F(IndexToolsTest, SymbolsAreSearched) {
  EXPECT_EQ(answer("search", R"({"pattern":"needed","mode":"symbol"})"),
            "1 symbol in 1 file\nsrc/core.py:1: def needed_helper(x):");
  EXPECT_EQ(answer("search", R"({"pattern":"nothing_here","mode":"symbol"})"),
            "0 symbols in 0 files");
  EXPECT_TRUE(answer("search", R"({"pattern":"(","mode":"symbol"})").starts_with("E_ARGS search"));
  EXPECT_TRUE(answer("search", R"({"pattern":"x","mode":"symbol","path":"gone"})")
                  .starts_with("E_PATH no gone"));
  std::string many;
  for (int line = 0; line < 200; ++line) many += "def many_" + std::to_string(line) + "(): pass\n";
  put("many.py", many);
  EXPECT_TRUE(answer("search", R"({"pattern":"many_","mode":"symbol"})")
                  .starts_with("80 of 200 symbols in 1 file, narrow with glob or path\nmany.py:1: "));
}

TEST_F(IndexToolsTest, EditsAndWritesNameNewSyntaxErrors) {
  const std::string broken = answer(
      "edit",
      R"({"path":"src/core.py","edits":[{"old":"return x","new":"return (x"}]})");
  EXPECT_TRUE(broken.starts_with("ok: 1 edit")) << broken;
  EXPECT_NE(broken.find("\nsyntax: 1 new error in src/core.py\nline 2: "), std::string::npos) << broken;
  // The file stays broken, in the same way: nothing new is told.
  const std::string other = answer(
      "edit", R"({"path":"src/core.py","edits":[{"old":"needed_helper","new":"helper"}]})");
  EXPECT_EQ(other.find("syntax:"), std::string::npos) << other;
  EXPECT_NE(answer("write", R"({"path":"new.json","content":"{\"a\": }"})").find("syntax: 1 new error"),
            std::string::npos);
  EXPECT_EQ(answer("write", R"({"path":"notes.txt","content":"((("})").find("syntax"),
            std::string::npos);
}

TEST_F(IndexToolsTest, WithoutTheOptionResultsStayAsTheyWere) {
  ToolContext context{*workspace_, nullptr, nullptr, nullptr, ""};
  const Registry registry({write_tool()});
  EXPECT_EQ(registry.call("write", R"({"path":"a.py","content":"x = ("})", context).text,
            "wrote a.py (1 lines)");
}

}  // namespace
}  // namespace levin::tools
