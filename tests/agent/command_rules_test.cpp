// Rules about commands: what a file may say, what its examples catch, and who wins.
#include "agent/command_rules.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/file_io.h"
#include "tests/base/temporary_folder.h"

namespace levin::agent {
namespace {

CommandRules rules_from(const std::vector<std::string>& texts) {
  std::vector<RuleLayer> layers;
  int number = 1;
  for (const std::string& text : texts) {
    Result<RuleLayer> layer = parse_rules(text, "f" + std::to_string(layers.size()), number);
    if (!layer) {
      ADD_FAILURE() << layer.error().message();
      return CommandRules();
    }
    number += static_cast<int>(layer->rules.size());
    layers.push_back(*std::move(layer));
  }
  return CommandRules(std::move(layers));
}

// "deny 2" for a decision by rule 2, "ask" for one by no rule.
std::string said(const CommandRules& rules, const std::string& command) {
  const Verdict verdict = rules.decide(command);
  return std::string(decision_name(verdict.decision)) +
         (verdict.rule == nullptr ? "" : " " + std::to_string(verdict.rule->number));
}

std::string problem(const std::string& text) {
  const Result<RuleLayer> layer = parse_rules(text, "p.toml", 1);
  return layer ? "" : layer.error().message();
}

constexpr const char* kRules = R"(
[[rule]]
prefix = "git"
decision = "allow"
[[rule]]
prefix = ["git", ["push", "fetch"]]
decision = "ask"
match = ["git push origin", "cd x && git fetch"]
not_match = ["git pull", "echo git push"]
[[rule]]
prefix = "rm -rf"
decision = "deny"
reason = "move it to trash/ instead"
match = ["rm -rf /", "sudo rm -rf x", "x | xargs rm -rf"]
not_match = ["rm x", "echo rm -rf"]
)";

TEST(CommandRules, OptionsBeforeTheSubcommandHideNothing) {
  const CommandRules rules =
      rules_from({"[[rule]]\nprefix = \"git push\"\ndecision = \"deny\"\n"
                  "[[rule]]\nprefix = [\"npm\", [\"publish\", \"install\"]]\ndecision = \"deny\"\n"
                  "[[rule]]\nprefix = \"git commit\"\ndecision = \"allow\"\n"});
  for (const char* line :
       {"git -C x push", "git -c a=b -C x push origin", "git --git-dir=y push",
        "git --no-pager --work-tree w push", "/usr/bin/git -P push", "env X=1 git -C x push",
        "sudo -u me git push", "X=1 git -C \"$d\" push", "sh -c 'git -C x push'"}) {
    EXPECT_EQ(said(rules, line), "deny 1") << line;
  }
  EXPECT_EQ(said(rules, "npm --prefix web install"), "deny 2");
  EXPECT_EQ(said(rules, "npm --silent publish"), "deny 2");
  for (const char* line :
       {"git -C push status", "git log push", "git -C x pull", "npm --prefix publish ci"}) {
    EXPECT_EQ(said(rules, line), "allow") << line;
  }
  // Such an option may steer what is run: nothing is allowed by looking past it.
  const CommandRules strict =
      rules_from({"default = \"ask\"\n[[rule]]\nprefix = \"git status\"\ndecision = \"allow\"\n"});
  EXPECT_EQ(said(strict, "git status"), "allow 1");
  EXPECT_EQ(said(strict, "git -c core.fsmonitor=./x status"), "ask");
}

TEST(CommandRules, TheStrictestOfAllCommandsWins) {
  const CommandRules rules = rules_from({kRules});
  EXPECT_EQ(said(rules, "git status"), "allow 1");
  EXPECT_EQ(said(rules, "ls"), "allow");
  EXPECT_EQ(said(rules, "git push"), "ask 2");
  EXPECT_EQ(said(rules, "git push; rm -rf x; ls"), "deny 3");
  EXPECT_EQ(said(rules, "ls && (cd x; echo $(rm -rf y))"), "deny 3");
  EXPECT_EQ(said(rules, "A=1 rm -rf x"), "deny 3");
  EXPECT_EQ(said(rules, "/bin/rm -rf x"), "deny 3");
  EXPECT_EQ(said(rules, "bash -c 'rm -rf x'"), "deny 3");
  EXPECT_EQ(said(rules, "f() { rm -rf x; }; f"), "deny 3");
  EXPECT_EQ(said(rules, "r\"m\" -r\\f x"), "deny 3");
  EXPECT_EQ(said(rules, "echo 'rm -rf x'"), "allow");
  EXPECT_EQ(said(rules, "cat <<E\nrm -rf x\nE"), "allow");
}

TEST(CommandRules, WhatOnlyTheRunDecidesIsAskedFor) {
  const CommandRules rules = rules_from({kRules});
  EXPECT_EQ(said(rules, "rm $flags x"), "ask 3");
  EXPECT_EQ(said(rules, "rm -r\"$f\" x"), "ask 3");
  EXPECT_EQ(said(rules, "$tool -rf x"), "ask 2");
  EXPECT_EQ(said(rules, "rm * "), "ask 3");
  EXPECT_EQ(said(rules, "rm src/*.o src/$x"), "allow");
  EXPECT_EQ(said(rules, "rm x $flags"), "allow");
  EXPECT_EQ(said(rules, "find . -exec rm {} +"), "ask 3");
  EXPECT_EQ(said(rules, "x | xargs rm"), "ask 3");
  EXPECT_EQ(said(rules, "/tmp/own/rm -rf x"), "ask 3");
  EXPECT_EQ(said(rules, "echo 'unclosed"), "ask");
  EXPECT_EQ(said(rules, "bash -c \"$x\""), "ask");
  // With nothing to decide nothing has to be read.
  EXPECT_EQ(said(CommandRules(), "echo 'unclosed"), "allow");
  EXPECT_EQ(said(rules_from({""}), "echo 'unclosed"), "allow");
}

TEST(CommandRules, AllowNeedsCertainty) {
  const CommandRules rules =
      rules_from({"default = \"ask\"\n[[rule]]\nprefix = \"ls\"\ndecision = \"allow\"\n"});
  EXPECT_EQ(said(rules, "ls -l; ls"), "allow 1");
  EXPECT_EQ(said(rules, "/usr/bin/ls"), "allow 1");
  EXPECT_EQ(said(rules, "./ls"), "ask");
  EXPECT_EQ(said(rules, "PATH=. ls"), "ask");
  EXPECT_EQ(said(rules, "LD_PRELOAD=x env ls"), "ask");
  EXPECT_EQ(said(rules, "A=1 ls"), "allow 1");
  EXPECT_EQ(said(rules, "$x"), "ask");
  EXPECT_EQ(said(rules, "ls | sh"), "ask");
}

TEST(CommandRules, ALaterFileCanOnlyMakeThingsStricter) {
  const std::string loose =
      "default = \"allow\"\n[[rule]]\nprefix=\"git push\"\ndecision=\"allow\"";
  EXPECT_EQ(said(rules_from({kRules, loose}), "git push"), "ask 2");
  EXPECT_EQ(said(rules_from({"default = \"deny\"", loose}), "git push"), "deny");
  EXPECT_EQ(said(rules_from({"", "default = \"ask\""}), "ls"), "ask");
  const std::string strict = "[[rule]]\nprefix = \"git\"\ndecision = \"deny\"";
  EXPECT_EQ(said(rules_from({kRules, strict}), "git status"), "deny 4");
}

TEST(CommandRules, ADenialTellsTheRule) {
  const CommandRules rules = rules_from({kRules});
  const auto told = [&](const std::string& command) {
    return denial_text(command, rules.decide(command));
  };
  EXPECT_EQ(told("rm -rf /"),
            "E_DENIED rm -rf / (rule 3: deny; move it to trash/ instead). Do not retry; choose "
            "another way or ask.");
  EXPECT_EQ(told("git push"),
            "E_DENIED git push (rule 2: ask, and nobody is there to answer). Do not retry; choose "
            "another way or ask.");
  EXPECT_EQ(told("ls"), "");
  EXPECT_TRUE(
      told("echo 'x").starts_with("E_DENIED echo 'x (ask, and nobody is there to answer; "
                                  "it cannot be read: a ' is not closed"))
      << told("echo 'x");
}

TEST(CommandRules, AWrongFileIsToldByPlaceAndRule) {
  EXPECT_EQ(problem("[[rule]]\nprefix = \"git push\"\ndecision = \"deny\"\n"
                    "match = [\"git push\",\n \"git pull\"]\n"),
            "p.toml:5: rule 1: the example \"git pull\" of match does not match");
  EXPECT_EQ(problem("[[rule]]\nprefix = \"git\"\ndecision = \"deny\"\nnot_match = [\"git x\"]\n"),
            "p.toml:4: rule 1: the example \"git x\" of not_match matches");
  // Of not_match none may even seem to match.
  EXPECT_EQ(problem("[[rule]]\nprefix = \"a b\"\ndecision = \"deny\"\nnot_match = [\"a $x\"]\n"),
            "p.toml:4: rule 1: the example \"a $x\" of not_match matches");
  EXPECT_TRUE(problem("[[rule]]\nprefix = \"a\"\ndecision = \"deny\"\nmatch = [\"a 'b\"]\n")
                  .starts_with("p.toml:4: rule 1: the example \"a 'b\" cannot be read: "));
  EXPECT_EQ(problem("[[rule]]\nprefix = \"a\"\n"), "p.toml:1: rule 1: decision is missing");
  EXPECT_EQ(problem("[[rule]]\ndecision = \"ask\"\n"), "p.toml:1: rule 1: prefix is missing");
  EXPECT_EQ(problem("[[rule]]\nprefix = \" \"\ndecision = \"ask\"\n"),
            "p.toml:2: rule 1: prefix is empty");
  EXPECT_EQ(problem("[[rule]]\nprefix = \"a\"\ndecision = \"forbid\"\n"),
            "p.toml:3: rule 1: decision must be allow, ask or deny, found \"forbid\"");
  EXPECT_EQ(problem("[[rule]]\nprefix = \"a\"\ndecision = \"ask\"\nmach = []\n"),
            "p.toml:4: rule 1: unknown key \"mach\" (there are prefix, decision, reason, match, "
            "not_match)");
  EXPECT_EQ(problem("rules = 1\n"),
            "p.toml:1: unknown key \"rules\" (there are default and [[rule]])");
  EXPECT_EQ(problem("default = 1\n"), "p.toml:1: default must be a string");
  EXPECT_EQ(problem("rule = 1\n"), "p.toml:1: rules are written as [[rule]]");
  EXPECT_TRUE(problem("a = \n").starts_with("p.toml:1: ")) << problem("a = \n");
}

TEST(CommandRules, FilesAreReadInOrderAndHashed) {
  const TemporaryFolder folder;
  const std::string user = folder.path() + "/user.toml";
  const std::string project = folder.path() + "/project.toml";
  const auto none = CommandRules::load({user, project});
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
  ASSERT_TRUE(write_file_atomic(user, kRules));
  ASSERT_TRUE(write_file_atomic(project, "[[rule]]\nprefix=\"ls\"\ndecision=\"deny\"\n"));
  const auto both = CommandRules::load({user, project});
  ASSERT_TRUE(both);
  EXPECT_EQ(both->decide("ls").rule->place, project + ":1");
  EXPECT_EQ(both->decide("ls").rule->number, 4);
  EXPECT_NE(both->hash(), none->hash());
  EXPECT_EQ(both->hash().size(), 16u);
  // A pipe in its place must not hold levin up.
  ASSERT_EQ(::unlink(project.c_str()), 0);
  ASSERT_EQ(::mkfifo(project.c_str(), 0600), 0);
  const auto pipe = CommandRules::load({user, project});
  ASSERT_FALSE(pipe);
  EXPECT_EQ(pipe.error().message(), project + ": not a file that can be read");
}

}  // namespace
}  // namespace levin::agent
