#include "agent/shell_text.h"

#include <algorithm>
#include <cctype>
#include <iterator>

#include "agent/shell_words.h"

namespace levin::agent {
namespace {

// A recursive descent over the grammar of bash. The parser only collects; where bash would read the
// text in a way that this one cannot follow, it fails rather than guesses.
class ShellParser {
 public:
  ShellParser(std::string_view text, int depth) : in_(text), depth_(depth) {
    in_.nested_list = [this](char end) { return nested_list(end); };
    in_.nested_text = [this](const std::string& inner, bool is_quoted) {
      return nested_text(inner, is_quoted);
    };
  }
  ShellParser(const ShellParser&) = delete;
  ShellParser& operator=(const ShellParser&) = delete;

  // `is_quoted`: the text stands between double quotes; only substitutions in it are commands.
  Result<std::vector<SimpleCommand>> run(bool is_quoted) {
    if (depth_ > kShellDepthMax) return in_.limit("commands lie too deep in each other");
    if (is_quoted) {
      TRY(in_.skip_quoted_text());
    } else {
      TRY(list({}));
    }
    if (!in_.at_end()) return in_.fail("unexpected '" + std::string(1, in_.peek()) + "'");
    return std::move(commands_);
  }

 private:
  using Keywords = std::vector<std::string_view>;

  // Commands up to `end` (consumed), inside a substitution or a subshell.
  Result<void> nested_list(char end) {
    if (++depth_ > kShellDepthMax) return in_.limit("commands lie too deep in each other");
    const size_t heredocs = in_.pending_heredocs();
    TRY(list({}));
    if (in_.at_end() || in_.peek() != end) return in_.fail("a '(' is not closed");
    if (in_.pending_heredocs() != heredocs) return in_.fail("a here-document lies across a ')'");
    in_.skip(1);
    --depth_;
    return {};
  }

  Result<void> nested_text(const std::string& inner, bool is_quoted) {
    ShellParser parser(inner, depth_ + 1);
    TRY_ASSIGN(std::vector<SimpleCommand> found, parser.run(is_quoted));
    if (commands_.size() + found.size() > kShellCommandsMax) return in_.limit("too many commands");
    std::move(found.begin(), found.end(), std::back_inserter(commands_));
    return {};
  }

  // Commands up to the end, a ')', a ';;' or one of the keywords (not consumed).
  Result<void> list(const Keywords& ends) {
    for (;;) {
      TRY(in_.skip_lines());
      if (in_.at_end() || in_.peek() == ')' || in_.starts_with(";;") || in_.starts_with(";&")) {
        return {};
      }
      const std::string_view keyword = in_.peek_keyword();
      if (std::find(ends.begin(), ends.end(), keyword) != ends.end()) return {};
      TRY(pipeline());
      in_.skip_blanks();
      if (in_.at_end() || in_.peek() == ')' || in_.peek() == '\n') continue;
      if (in_.starts_with(";;") || in_.starts_with(";&")) return {};
      if (in_.starts_with("&&") || in_.starts_with("||")) {
        in_.skip(2);
        TRY(require_command());
      } else if (in_.peek() == ';' || in_.peek() == '&') {
        in_.skip(1);
      } else if (in_.peek_keyword().empty()) {
        // After a compound command only a keyword may stand without a separator.
        return in_.fail("unexpected '" + std::string(1, in_.peek()) + "'");
      }
    }
  }

  Result<void> require_command() {
    TRY(in_.skip_lines());
    if (in_.at_end() || in_.peek() == ')' || in_.peek() == ';') {
      return in_.fail("a command is missing");
    }
    return {};
  }

  Result<void> pipeline() {
    for (;;) {
      TRY(command());
      in_.skip_blanks();
      if (in_.at_end() || in_.peek() != '|' || in_.starts_with("||")) return {};
      in_.skip(in_.starts_with("|&") ? 2 : 1);
      TRY(require_command());
    }
  }

  Result<void> command() {
    in_.skip_blanks();
    while (in_.peek_keyword() == "!" || in_.peek_keyword() == "time") {
      in_.skip(in_.peek_keyword().size());
      in_.skip_blanks();
      if (in_.starts_with("-p ")) in_.skip(3);
      in_.skip_blanks();
      if (in_.at_end() || in_.peek() == '\n' || in_.peek() == ';') return {};
    }
    if (in_.peek() == '(') {
      if (in_.starts_with("((")) {
        TRY_ASSIGN(const bool is_arithmetic, in_.skip_arithmetic());
        if (is_arithmetic) return redirections();
      }
      in_.skip(1);
      TRY(nested_list(')'));
      return redirections();
    }
    const std::string_view keyword = in_.peek_keyword();
    if (keyword.empty()) return simple();
    return compound(keyword);
  }

  Result<void> expect(std::string_view keyword) {
    TRY(in_.skip_lines());
    if (in_.peek_keyword() != keyword) {
      return in_.fail("'" + std::string(keyword) + "' is missing");
    }
    in_.skip(keyword.size());
    return {};
  }

  Result<void> compound(std::string_view keyword) {
    if (++depth_ > kShellDepthMax) return in_.limit("commands lie too deep in each other");
    in_.skip(keyword.size());
    if (keyword == "{") {
      TRY(list({"}"}));
      TRY(expect("}"));
    } else if (keyword == "if") {
      TRY(if_clauses());
    } else if (keyword == "while" || keyword == "until") {
      TRY(list({"do"}));
      TRY(do_group());
    } else if (keyword == "for" || keyword == "select") {
      TRY(for_loop());
    } else if (keyword == "case") {
      TRY(case_clauses());
    } else if (keyword == "function") {
      TRY(function_body());
    } else if (keyword == "[[") {
      TRY(in_.skip_condition());
    } else {
      return in_.fail("unexpected '" + std::string(keyword) + "'");
    }
    --depth_;
    return redirections();
  }

  Result<void> do_group() {
    TRY(expect("do"));
    TRY(list({"done"}));
    return expect("done");
  }

  Result<void> if_clauses() {
    for (;;) {
      TRY(list({"then"}));
      TRY(expect("then"));
      TRY(list({"elif", "else", "fi"}));
      TRY(in_.skip_lines());
      if (in_.peek_keyword() != "elif") break;
      in_.skip(4);
    }
    if (in_.peek_keyword() == "else") {
      in_.skip(4);
      TRY(list({"fi"}));
    }
    return expect("fi");
  }

  Result<void> for_loop() {
    in_.skip_blanks();
    if (in_.starts_with("((")) {
      TRY_ASSIGN(const bool is_arithmetic, in_.skip_arithmetic());
      if (!is_arithmetic) return in_.fail("'for ((' is not closed");
    } else {
      in_.skip_blanks();
      const size_t start = in_.position();
      TRY(in_.word());
      if (!is_name(in_.text_from(start))) return in_.fail("'for' needs a name");
      TRY(in_.skip_lines());
      if (in_.peek_keyword() == "in") {
        in_.skip(2);
        for (in_.skip_blanks(); in_.at_word(); in_.skip_blanks()) TRY(in_.word());
      }
    }
    in_.skip_blanks();
    if (in_.peek() == ';') in_.skip(1);
    TRY(in_.skip_lines());
    if (in_.peek_keyword() != "{") return do_group();
    in_.skip(1);
    TRY(list({"}"}));
    return expect("}");
  }

  Result<void> case_clauses() {
    in_.skip_blanks();
    TRY(in_.word());
    TRY(expect("in"));
    for (;;) {
      TRY(in_.skip_lines());
      if (in_.at_end()) return in_.fail("'esac' is missing");
      if (in_.peek_keyword() == "esac") break;
      if (in_.peek() == '(') in_.skip(1);
      for (;;) {
        in_.skip_blanks();
        TRY(in_.word());
        in_.skip_blanks();
        if (in_.peek() != '|') break;
        in_.skip(1);
      }
      if (in_.peek() != ')') return in_.fail("a pattern of 'case' is not closed");
      in_.skip(1);
      TRY(list({"esac"}));
      if (in_.starts_with(";;&")) {
        in_.skip(3);
      } else if (in_.starts_with(";;") || in_.starts_with(";&")) {
        in_.skip(2);
      }
    }
    return expect("esac");
  }

  // After `function`: the name, and the body as any compound command.
  Result<void> function_body() {
    in_.skip_blanks();
    TRY(in_.word());
    in_.skip_blanks();
    if (in_.starts_with("()")) in_.skip(2);
    return body();
  }

  Result<void> body() {
    TRY(in_.skip_lines());
    if (in_.peek() != '(' && in_.peek_keyword().empty()) {
      return in_.fail("a function's body is missing");
    }
    if (++depth_ > kShellDepthMax) return in_.limit("commands lie too deep in each other");
    TRY(command());
    --depth_;
    return {};
  }

  Result<void> redirections() {
    for (;;) {
      in_.skip_blanks();
      TRY_ASSIGN(const bool is_one, in_.skip_redirection());
      if (!is_one) return {};
    }
  }

  Result<void> simple() {
    SimpleCommand command;
    const size_t start = in_.position();
    for (;;) {
      TRY(redirections());
      if (!in_.at_word()) break;
      if (command.words.empty()) {
        TRY_ASSIGN(const std::string name, in_.skip_assignment());
        if (!name.empty()) {
          command.assigned.push_back(name);
          continue;
        }
      }
      TRY_ASSIGN(ShellWord word, in_.word());
      const bool is_array = in_.peek() == '(' && word.text.ends_with('=');
      command.words.push_back(std::move(word));
      if (is_array) TRY(in_.skip_array());
      if (command.words.size() > 1) continue;
      in_.skip_blanks();
      if (in_.peek() != '(') continue;
      in_.skip(1);
      in_.skip_blanks();
      if (in_.peek() != ')') return in_.fail("unexpected '('");
      in_.skip(1);
      return body();
    }
    if (in_.position() == start) return in_.fail("a command is missing");
    if (command.words.empty() && command.assigned.empty()) return {};
    if (commands_.size() >= kShellCommandsMax) return in_.limit("too many commands");
    commands_.push_back(std::move(command));
    return {};
  }

  static bool is_name(std::string_view text) {
    return !text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) == 0 &&
           std::all_of(text.begin(), text.end(),
                       [](unsigned char byte) { return std::isalnum(byte) != 0 || byte == '_'; });
  }

  ShellReader in_;
  std::vector<SimpleCommand> commands_;
  int depth_ = 0;
};

}  // namespace

Result<std::vector<SimpleCommand>> parse_shell(std::string_view text) {
  if (text.size() > kShellBytesMax) {
    return Error(ErrorCode::kLimit,
                 "the text is longer than " + std::to_string(kShellBytesMax) + " bytes");
  }
  if (text.find('\0') != std::string_view::npos) {
    return Error(ErrorCode::kInvalidArgument, "the text holds a NUL byte");
  }
  return ShellParser(text, 0).run(/*is_quoted=*/false);
}

std::string shown_command(const SimpleCommand& command) {
  std::string shown;
  for (const ShellWord& word : command.words) {
    shown += (shown.empty() ? "" : " ") + word.text;
    if (word.kind == ShellWord::Kind::kOpen) shown += "...";
  }
  return shown;
}

}  // namespace levin::agent
