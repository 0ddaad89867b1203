// Which commands a shell text starts: one line of text each, and the commands found. What cannot be
// read with certainty has to fail rather than hide a command.
#include "agent/shell_text.h"

#include <gtest/gtest.h>

namespace levin::agent {
namespace {

// The commands, separated by " | "; "!" and the reason when the text cannot be read.
std::string found(const std::string& text, bool follows = false) {
  const auto commands = follows ? commands_of(text) : parse_shell(text);
  if (!commands) return "!" + commands.error().message();
  std::string all;
  for (const SimpleCommand& command : *commands) {
    std::string line;
    for (const std::string& name : command.assigned) line += name + "= ";
    line += shown_command(command) + (command.takes_more ? " +" : "");
    all += (all.empty() ? "" : " | ") + line;
  }
  return all;
}
std::string followed(const std::string& text) {
  return found(text, /*follows=*/true);
}

struct Case {
  const char* text;
  const char* commands;
};

TEST(ShellText, FindsEveryCommand) {
  const Case cases[] = {
      {"ls -l", "ls -l"},
      {"", ""},
      {"# only a comment", ""},
      {"a; b & c && d || e | f |& g", "a | b | c | d | e | f | g"},
      {"a\nb # c; d\ne", "a | b | e"},
      {"echo a#b", "echo a#b"},
      {"(a; (b)); { c; d; }", "a | b | c | d"},
      {"! a; time -p b; time c", "a | b | c"},
      {"A=1 B=$(x) c; D=2", "x | A= B= c | D= "},
      {"a=(1 $(x) 3) b", "x | a= b"},
      {"a[$(x)]=1 b", "x | a= b"},
      {"declare -a v=(1 $(x)); y", "x | declare -a v= | y"},
      {"echo $(a $(b)) `c` \"$(d)\" \"`e`\"", "b | a ... | c | d | e | echo ... ... ... ..."},
      {"echo `a \\`b\\``", "b | a ... | echo ..."},
      {"diff <(a) >(b)", "a | b | diff ... ..."},
      {"x=${y:-$(a)} b \"${z:+$(c)}\"", "a | c | x= b ..."},
      {"echo $((1 + $(a))) $((2*(3+4)))", "a | echo ... ..."},
      {"((i++)); for ((i=0;i<3;i++)); do a; done", "!"},  // ';' in it: see below.
      {"for f in *.c $(a); do b \"$f\"; done", "a | b ..."},
      {"for f; do a; done; for f\ndo b\ndone", "a | b"},
      {"while a; do b; done; until c; do d; done < e", "a | b | c | d"},
      {"if a; then b; elif c; then d; else e; fi", "a | b | c | d | e"},
      {"case $x in a|b) c;; (d) e ;& *) f; esac; g", "c | e | f | g"},
      {"f() { a; }; f", "a | f"},
      {"function f { a; }; f () ( b )", "a | b"},
      {"[[ -f $(a) && ( x =~ ^(y|z)$ ) ]] && b", "a | b"},
      {"a > f 2>&1 < g >> h &> i <<< \"$(b)\" c", "b | a c"},
      {"> $(a)", "a"},
      {"cat <<E; a\n$(b)\n'\nE\nc", "cat | a | b | c"},
      {"cat <<'E'\n$(b) ` \" '\nE\nc", "cat | c"},
      {"cat <<-E\n\tx\n\tE\nc", "cat | c"},
      {"cat <<E <<F\n$(a)\nE\n$(b)\nF\nc", "cat | a | b | c"},
      {"echo \"a\\\"b\" 'c d' e\\ f $'g\\n'", "echo a\"b c d e f g\n"},
      {"r\\m -rf /; 'r'm; r\"\"m; r\\\nm", "rm -rf / | rm | rm | rm"},
      {"echo if then; ifx; if\\x", "echo if then | ifx | ifx"},
      {"git commit -m \"a (b) & c; d\"", "git commit -m a (b) & c; d"},
      {"echo {a,b} {} {x..y} ~/z", "echo ... {} ... ..."},
      {"$cmd arg; \"$a\"b; pre$x", "... arg | ... | pre..."},
      {"echo a=(b", "!"},
  };
  for (const Case& one : cases) {
    const std::string commands = found(one.text);
    if (std::string_view(one.commands) == "!") {
      EXPECT_TRUE(commands.starts_with("!")) << one.text << " -> " << commands;
    } else {
      EXPECT_EQ(commands, one.commands) << one.text;
    }
  }
}

TEST(ShellText, FailsWhereItCannotBeSure) {
  for (const char* text : {"echo 'a",
                           "echo \"a",
                           "echo `a",
                           "echo $(a",
                           "(a",
                           "{ a; ",
                           "a | ",
                           "a && ",
                           "if a; then b",
                           "for x in; do a",
                           "case x in a) b",
                           "a )",
                           "}",
                           "done",
                           "; a",
                           "echo \\",
                           "${x",
                           "f() ",
                           "echo \"${x:-'}\"",
                           "coproc { a; }",
                           "cat <<$(a)\nx",
                           "echo $(cat <<E)\nx\nE",
                           "&& a",
                           "a (b)",
                           "[[ a ; b ]]",
                           "> ",
                           "echo @(a|b)",
                           "$((1+'2'))",
                           "((a; b))"}) {
    EXPECT_TRUE(found(text).starts_with("!")) << text << " -> " << found(text);
  }
  EXPECT_TRUE(found(std::string("ls\0rm", 5)).starts_with("!"));
}

TEST(ShellText, DepthAndSizeAreBounded) {
  std::string deep;
  for (int level = 0; level < 1000; ++level) deep += "$(a ";
  EXPECT_TRUE(found("echo " + deep).starts_with("!"));
  std::string brackets;
  for (int level = 0; level < 1000; ++level) brackets += "( ";
  EXPECT_TRUE(found(brackets + "a" + std::string(1000, ')')).starts_with("!"));
  EXPECT_TRUE(found(std::string(kShellBytesMax + 1, 'a')).starts_with("!"));
  std::string many;
  for (size_t count = 0; count <= kShellCommandsMax; ++count) many += "a;";
  EXPECT_TRUE(found(many).starts_with("!"));
  std::string evals;
  for (int level = 0; level < 1000; ++level) evals += "eval ";
  EXPECT_FALSE(followed("eval eval eval a").starts_with("!"));
  EXPECT_TRUE(followed(evals + "a").starts_with("!"));
}

// Every prefix and every text with one byte less is read or refused; nothing else happens.
TEST(ShellText, BrokenTextsAreReadOrRefused) {
  const std::string text =
      "a=1 f() { if [[ $x =~ (b) ]]; then cat <<E | g \"$(h `i`)\" $((1+2)) ${j:-k} $'\\n'\nl\nE\n"
      "fi; }; case m in n) o;; esac; for p in {q,r}; do s > t; done\n";
  for (size_t index = 0; index <= text.size(); ++index) {
    static_cast<void>(found(text.substr(0, index)));
    std::string without = text;
    if (index < text.size()) without.erase(index, 1);
    static_cast<void>(followed(without));
  }
  EXPECT_FALSE(found(text).starts_with("!")) << found(text);
}

TEST(ShellText, FollowsProgramsThatStartOthers) {
  const Case cases[] = {
      {"bash -c 'a; b'", "bash -c a; b | a | b"},
      {"sh -euxc 'a' x y", "sh -euxc a x y | a"},
      {"/bin/bash -l -o pipefail -c a", "/bin/bash -l -o pipefail -c a | a"},
      {"bash script.sh -c a", "bash script.sh -c a"},
      {"eval a 'b; c'", "eval a b; c | a b | c"},
      {"env -i A=1 b c", "env -i A=1 b c | A= b c"},
      {"env -u X b", "env -u X b | b"},
      {"sudo -u root -n rm x", "sudo -u root -n rm x | rm x"},
      {"nice -n 5 nohup timeout -s KILL 5 rm x",
       "nice -n 5 nohup timeout -s KILL 5 rm x | nohup timeout -s KILL 5 rm x | timeout -s KILL 5 "
       "rm x | rm x"},
      {"xargs -0 -n 1 rm -f", "xargs -0 -n 1 rm -f | rm -f +"},
      {"find . -name x -exec rm -f {} \\; -execdir a {} +",
       "find . -name x -exec rm -f {} ; -execdir a {} + | rm -f ... | a ..."},
      {"command -v rm; command rm x", "command -v rm | command rm x | rm x"},
      {"trap 'rm x' EXIT", "trap rm x EXIT | rm x"},
      {"exec -a n rm x", "exec -a n rm x | rm x"},
      {"time rm; coproc rm x", "rm | coproc rm x | rm x"},
      {"bash -c \"bash -c 'rm x'\"", "bash -c bash -c 'rm x' | bash -c rm x | rm x"},
  };
  for (const Case& one : cases) EXPECT_EQ(followed(one.text), one.commands) << one.text;
  for (const char* text : {"bash -c \"$x\"", "eval $x", "bash $x", "env -S 'a b'", "bash -c 'a'$b",
                           "sh -c 'echo \"'"}) {
    EXPECT_TRUE(followed(text).starts_with("!")) << text << " -> " << followed(text);
  }
}

}  // namespace
}  // namespace levin::agent
