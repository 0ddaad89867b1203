#include "agent/shell_words.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace levin::agent {
namespace {

constexpr std::string_view kMeta = " \t\n;&|()<>";
constexpr std::array<std::string_view, 19> kKeywords = {
    "if",   "then", "elif", "else",   "fi",       "while", "until", "do", "done", "for",
    "case", "esac", "in",   "select", "function", "time",  "!",     "{",  "}"};

bool is_name_start(char byte) {
  return std::isalpha(static_cast<unsigned char>(byte)) != 0 || byte == '_';
}
bool is_name_byte(char byte) {
  return is_name_start(byte) || std::isdigit(static_cast<unsigned char>(byte)) != 0;
}

}  // namespace

struct ShellReader::Building {
  std::string text;     // All that is literal.
  std::string pattern;  // The same, globs kept apart from quoted text.
  std::string start;    // Literal text before the first thing that is decided later.
  bool is_pattern = false;
  bool is_open = false;
  bool has_brace = false;

  void literal(char byte, bool is_quoted) {
    text += byte;
    if (is_quoted && std::string_view("*?[]\\").find(byte) != std::string_view::npos) {
      pattern += '\\';
    }
    pattern += byte;
    if (!is_pattern && !is_open) start += byte;
  }
  void open() { is_open = true; }
  void glob(char byte) {
    is_pattern = true;
    text += byte;
    pattern += byte;
  }
};

Error ShellReader::fail(const std::string& what) const {
  const std::string_view before = text_.substr(0, std::min(position_, text_.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  return Error(ErrorCode::kInvalidArgument, what + " (line " + std::to_string(line) + ", byte " +
                                                std::to_string(position_) + ")");
}

void ShellReader::skip_blanks() {
  for (;;) {
    if (peek() == ' ' || peek() == '\t') {
      skip(1);
    } else if (starts_with("\\\n")) {
      skip(2);
    } else if (peek() == '#') {
      position_ = std::min(text_.find('\n', position_), text_.size());
    } else {
      return;
    }
  }
}

Result<void> ShellReader::skip_lines() {
  for (skip_blanks(); peek() == '\n'; skip_blanks()) {
    skip(1);
    std::vector<Heredoc> waiting;
    waiting.swap(heredocs_);
    for (const Heredoc& heredoc : waiting) TRY(read_heredoc(heredoc));
  }
  return {};
}

Result<void> ShellReader::read_heredoc(const Heredoc& heredoc) {
  std::string body;
  while (!at_end()) {
    const size_t end = std::min(text_.find('\n', position_), text_.size());
    std::string_view line = text_.substr(position_, end - position_);
    position_ = std::min(end + 1, text_.size());
    if (heredoc.strips_tabs)
      line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
    if (line == heredoc.delimiter) break;
    body += std::string(line) + '\n';
  }
  return heredoc.is_quoted ? Result<void>() : nested_text(body, /*is_quoted=*/true);
}

bool ShellReader::at_word() const {
  if (at_end()) return false;
  if (starts_with("<(") || starts_with(">(")) return true;
  return kMeta.find(peek()) == std::string_view::npos;
}

std::string_view ShellReader::peek_keyword() const {
  const std::string_view rest = text_.substr(std::min(position_, text_.size()));
  const std::string_view found = rest.substr(0, std::min(rest.find_first_of(kMeta), rest.size()));
  if (found == "[[") return found;
  return std::find(kKeywords.begin(), kKeywords.end(), found) != kKeywords.end()
             ? found
             : std::string_view();
}

Result<ShellWord> ShellReader::word() {
  if (!at_word()) return fail("a word is missing");
  Building word;
  if (peek() == '~') word.open();
  while (at_word()) TRY(word_part(word));
  ShellWord result;
  if (word.is_open) {
    result = {ShellWord::Kind::kOpen, word.start};
  } else if (word.is_pattern && word.text != "[" && word.text != "]") {
    result = {ShellWord::Kind::kPattern, word.pattern};
  } else {
    result = {ShellWord::Kind::kFixed, word.text};
  }
  return result;
}

// One character, one quoted part or one expansion.
Result<void> ShellReader::word_part(Building& word) {
  const char byte = peek();
  switch (byte) {
    case '\\':
      if (at(1) == '\n') {
        skip(2);
        return {};
      }
      if (position_ + 1 >= text_.size()) return fail("a '\\' ends the text");
      word.literal(at(1), true);
      skip(2);
      return {};
    case '\'':
      return single_quotes(word);
    case '"':
      return double_quotes(word);
    case '$':
    case '`':
      return expansion(word, /*is_quoted=*/false);
    case '<':
    case '>':
      skip(2);
      word.open();
      return nested_list(')');
    case '*':
    case '?':
    case '[':
      word.glob(byte);
      skip(1);
      return {};
    case '{':
      word.has_brace = true;
      break;
    case ',':
      if (word.has_brace) word.open();
      break;
    case '.':
      if (word.has_brace && at(1) == '.') word.open();
      break;
    default:
      break;
  }
  // The braces of {a,b} belong to what is decided later.
  if (word.is_open && word.has_brace) word.start = word.start.substr(0, word.start.find('{'));
  word.literal(byte, false);
  skip(1);
  return {};
}

Result<void> ShellReader::single_quotes(Building& word) {
  const size_t end = text_.find('\'', position_ + 1);
  if (end == std::string_view::npos) return fail("a ' is not closed");
  for (const char byte : text_.substr(position_ + 1, end - position_ - 1)) word.literal(byte, true);
  position_ = end + 1;
  return {};
}

// $'...': the escapes that give one known byte; any other is left to run time.
Result<void> ShellReader::ansi_quotes(Building& word) {
  for (skip(2); !at_end() && peek() != '\''; skip(1)) {
    if (peek() != '\\') {
      word.literal(peek(), true);
      continue;
    }
    skip(1);
    constexpr std::string_view kFrom = "abeEfnrtv\\'\"?";
    constexpr std::string_view kTo = "\a\b\033\033\f\n\r\t\v\\'\"?";
    const size_t index = kFrom.find(peek());
    if (index == std::string_view::npos) {
      word.open();
    } else {
      word.literal(kTo[index], true);
    }
  }
  if (at_end()) return fail("a $' is not closed");
  skip(1);
  return {};
}

Result<void> ShellReader::double_quotes(Building& word) {
  skip(1);
  while (!at_end() && peek() != '"') {
    if (peek() == '\\' && std::string_view("$`\"\\\n").find(at(1)) != std::string_view::npos) {
      if (at(1) != '\n') word.literal(at(1), true);
      skip(2);
    } else if (peek() == '$' || peek() == '`') {
      TRY(expansion(word, /*is_quoted=*/true));
    } else {
      word.literal(peek(), true);
      skip(1);
    }
  }
  if (at_end()) return fail("a \" is not closed");
  skip(1);
  return {};
}

Result<void> ShellReader::skip_quoted_text() {
  Building ignored;
  while (!at_end()) {
    if (peek() == '\\') {
      skip(2);
    } else if (peek() == '$' || peek() == '`') {
      TRY(expansion(ignored, /*is_quoted=*/true));
    } else {
      skip(1);
    }
  }
  return {};
}

Result<void> ShellReader::expansion(Building& word, bool is_quoted) {
  if (peek() == '`') {
    word.open();
    return backticks();
  }
  if (at(1) == '\'' && !is_quoted) return ansi_quotes(word);
  if (at(1) == '"' && !is_quoted) {
    skip(1);
    return double_quotes(word);
  }
  if (at(1) == '(') {
    word.open();
    skip(1);
    if (at(1) == '(') {
      TRY_ASSIGN(const bool is_arithmetic, skip_arithmetic());
      if (is_arithmetic) return {};
    }
    skip(1);
    return nested_list(')');
  }
  if (at(1) == '{') {
    word.open();
    skip(2);
    return parameter(is_quoted);
  }
  if (is_name_start(at(1))) {
    word.open();
    for (skip(1); is_name_byte(peek());) skip(1);
    return {};
  }
  if (std::string_view("0123456789@*#?-$!").find(at(1)) != std::string_view::npos &&
      at(1) != '\0') {
    word.open();
    skip(2);
    return {};
  }
  word.literal('$', true);
  skip(1);
  return {};
}

// From behind "${" to behind its '}'.
Result<void> ShellReader::parameter(bool is_quoted) {
  Building ignored;
  while (!at_end() && peek() != '}') {
    if (peek() == '\\') {
      skip(2);
    } else if (peek() == '"') {
      TRY(double_quotes(ignored));
    } else if (peek() == '\'') {
      // Between double quotes bash takes it as a plain character in some forms and not in others.
      if (is_quoted) return fail("a ' stands inside \"${...}\"");
      TRY(single_quotes(ignored));
    } else if (peek() == '$' || peek() == '`') {
      const size_t start = position_;
      TRY(expansion(ignored, is_quoted));
      if (position_ == start) return fail("cannot read ${...}");
    } else {
      skip(1);
    }
  }
  if (at_end()) return fail("a ${ is not closed");
  skip(1);
  return {};
}

Result<void> ShellReader::backticks() {
  std::string inner;
  for (skip(1); !at_end() && peek() != '`'; skip(1)) {
    if (peek() == '\\' && std::string_view("$`\\\"").find(at(1)) != std::string_view::npos) skip(1);
    if (!at_end()) inner += peek();
  }
  if (at_end()) return fail("a ` is not closed");
  skip(1);
  return nested_text(inner, /*is_quoted=*/false);
}

Result<std::string> ShellReader::skip_assignment() {
  size_t end = 0;
  while (is_name_byte(at(end))) ++end;
  if (end == 0 || !is_name_start(peek())) return std::string();
  const std::string name(text_.substr(position_, end));
  if (at(end) == '[') {
    const size_t close = text_.find(']', position_ + end);
    if (close == std::string_view::npos) return std::string();
    end = close + 1 - position_;
  }
  if (at(end) == '+') ++end;
  if (at(end) != '=') return std::string();
  // A subscript is evaluated: a$(x) in it runs x.
  TRY(nested_text(std::string(text_.substr(position_, end)), /*is_quoted=*/true));
  skip(end + 1);
  if (peek() == '(') {
    TRY(skip_array());
  } else if (at_word()) {
    TRY(word());
  }
  return name;
}

Result<void> ShellReader::skip_array() {
  skip(1);
  for (;;) {
    TRY(skip_lines());
    if (peek() == ')') break;
    if (!at_word()) return fail("an array is not closed");
    TRY(word());
  }
  skip(1);
  return {};
}

Result<bool> ShellReader::skip_redirection() {
  size_t end = 0;
  while (std::isdigit(static_cast<unsigned char>(at(end))) != 0) ++end;
  if (end == 0 && peek() == '{') {
    while (is_name_byte(at(end + 1))) ++end;
    end = end > 0 && at(end + 1) == '}' ? end + 2 : 0;
  }
  const bool is_both = end == 0 && starts_with("&>");
  if (is_both) end = 1;
  if (at(end) != '<' && at(end) != '>') return false;
  if (end == 0 && at(1) == '(') return false;
  skip(end);
  std::string_view op = text_.substr(position_, 1);
  for (const std::string_view candidate :
       {"<<<", "<<-", "<<", "<>", "<&", ">>", ">|", ">&", "<", ">"}) {
    if (!starts_with(candidate)) continue;
    op = candidate;
    break;
  }
  skip(op.size());
  skip_blanks();
  if (!at_word()) return fail("a redirection has no target");
  const size_t start = position_;
  TRY_ASSIGN(const ShellWord target, word());
  if (op == "<<" || op == "<<-") {
    const std::string_view raw = text_from(start);
    if (target.kind == ShellWord::Kind::kOpen) return fail("a here-document's end is not known");
    const bool is_quoted = raw.find_first_of("'\"\\") != std::string_view::npos;
    heredocs_.push_back({target.text, op == "<<-", is_quoted});
  }
  return true;
}

Result<bool> ShellReader::skip_arithmetic() {
  size_t end = position_;
  int depth = 0;
  for (; end < text_.size(); ++end) {
    const char byte = text_[end];
    if (byte == '(') ++depth;
    if (byte == ')' && --depth == 1) {
      if (end + 1 >= text_.size() || text_[end + 1] != ')') return false;
      // "((a) + 1)": only the last pair closes it.
      break;
    }
    if (std::string_view("'\"\\`#;\n").find(byte) != std::string_view::npos) {
      return fail("'((' cannot be read with certainty");
    }
  }
  if (end >= text_.size()) return fail("a '((' is not closed");
  const std::string inner(text_.substr(position_ + 2, end - position_ - 2));
  position_ = end + 2;
  TRY(nested_text(inner, /*is_quoted=*/true));
  return true;
}

Result<void> ShellReader::skip_condition() {
  for (;;) {
    TRY(skip_lines());
    if (starts_with("]]")) {
      skip(2);
      return {};
    }
    if (at_word()) {
      TRY(word());
    } else if (!at_end() && peek() != ';') {
      skip(1);
    } else {
      return fail("a [[ is not closed");
    }
  }
}

}  // namespace levin::agent
