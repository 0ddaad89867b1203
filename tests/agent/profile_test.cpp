#include "agent/profile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace levin::agent {
namespace {

TEST(Profiles, RepoIsCoreWithTheMapAndSymbols) {
  const Result<Profile> core = load_profile(LEVIN_SOURCE_DIR, "core");
  const Result<Profile> repo = load_profile(LEVIN_SOURCE_DIR, "repo");
  ASSERT_TRUE(core);
  ASSERT_TRUE(repo);
  EXPECT_EQ(repo->system_text, core->system_text);
  EXPECT_EQ(repo->first_user, core->first_user);
  EXPECT_EQ(repo->tool_lines.size(), core->tool_lines.size() + 1);
  size_t bytes = repo->system_text.size();
  for (const std::string& line : repo->tool_lines) {
    bytes += line.size();
    const bool is_new = line.find("\"search\"") != std::string::npos ||
                        line.find("\"map\"") != std::string::npos;
    const auto same = std::find(core->tool_lines.begin(), core->tool_lines.end(), line);
    EXPECT_NE(same != core->tool_lines.end(), is_new) << line;
  }
  EXPECT_LE(bytes, 4'600u);  // core's 4,500 and the map
  size_t core_bytes = core->system_text.size();
  for (const std::string& line : core->tool_lines) core_bytes += line.size();
  EXPECT_LE(core_bytes, 4'500u);
  EXPECT_TRUE(core->checks_syntax);
  EXPECT_TRUE(repo->checks_syntax);
}

// The embedded model was trained on results without such lines.
TEST(Profiles, MiniTellsNoSyntaxErrors) {
  const Result<Profile> mini = load_profile(LEVIN_SOURCE_DIR, "mini");
  ASSERT_TRUE(mini);
  EXPECT_FALSE(mini->checks_syntax);
}

TEST(Profiles, UnknownOptionsAreRefused) {
  std::string folder = (std::filesystem::temp_directory_path() / "levin-profile-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string profile = folder + "/prompts/odd";
  std::filesystem::create_directories(profile);
  std::ofstream(profile + "/system.txt") << "s";
  std::ofstream(profile + "/tools.jsonl") << "{\"name\": \"read\"}\n";
  EXPECT_TRUE(load_profile(folder, "odd"));
  for (const char* text : {"{", "[]", "{\"checks\": true}", "{\"checks_syntax\": 1}"}) {
    std::ofstream(profile + "/options.json") << text;
    EXPECT_FALSE(load_profile(folder, "odd")) << text;
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace levin::agent
