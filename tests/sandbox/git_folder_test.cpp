// Which configurations of git start nothing.
#include "sandbox/git_folder.h"

#include <gtest/gtest.h>

namespace levin::sandbox {
namespace {

TEST(GitFolderTest, WhatGitWritesItselfIsInert) {
  EXPECT_TRUE(is_inert_git_config(""));
  EXPECT_TRUE(
      is_inert_git_config("[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n"
                          "\tbare = false\n\tlogallrefupdates = true\n"
                          "[remote \"origin\"]\n\turl = https://example.org/a.git\n"
                          "\tfetch = +refs/heads/*:refs/remotes/origin/*\n"
                          "[branch \"main\"]\n\tremote = origin\n\tmerge = refs/heads/main\n"
                          "# note\n[USER]\n\tName = T\r\n\temail = t@example.org\n"
                          "[submodule \"x\"]\n\tactive = true\n\turl = ../x\n"));
}

TEST(GitFolderTest, WhatStartsSomethingIsNot) {
  for (const char* text :
       {"[core]\n\tfsmonitor = ./evil\n", "[core]\n\tsshCommand = evil\n",
        "[core]\n\thooksPath = h\n", "[core]\n\tpager = evil\n", "[core] fsmonitor = ./evil\n",
        "[alias]\n\tst = !evil\n", "[filter \"x\"]\n\tclean = evil\n",
        "[diff \"x\"]\n\ttextconv = evil\n", "[include]\n\tpath = ../evil\n",
        "[remote \"o\"]\n\turl = ext::sh -c evil\n", "[remote \"o\"]\n\tuploadpack = evil\n",
        "[submodule \"x\"]\n\tupdate = !evil\n", "[core]\n\tworktree = /etc\n",
        "[user]\n\tname = a\\\n[core]\n", "name = T\n", "[core\n\tbare = true\n",
        "[user] ]\n\tname = T\n", "[core]\n\tgitProxy\n", "[gpg]\n\tprogram = evil\n"}) {
    EXPECT_FALSE(is_inert_git_config(text)) << text;
  }
}

TEST(GitFolderTest, GitFilesNameAFolder) {
  EXPECT_EQ(git_file_target("gitdir: ../a b\n"), "../a b");
  EXPECT_EQ(git_file_target("gitdir:x"), "");
  EXPECT_TRUE(is_sample_hook("pre-commit.sample"));
  EXPECT_FALSE(is_sample_hook("pre-commit"));
}

}  // namespace
}  // namespace levin::sandbox
