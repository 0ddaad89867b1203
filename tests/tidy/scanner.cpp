#include "tests/tidy/scanner.h"

#include <algorithm>
#include <cctype>

namespace levin::tidy {
namespace {

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {
    views_.code.assign(text.size(), ' ');
    views_.comments.assign(text.size(), ' ');
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') views_.code[i] = views_.comments[i] = '\n';
    }
  }

  Views run() {
    while (position_ < text_.size()) step();
    return std::move(views_);
  }

 private:
  void step() {
    if (starts("//")) return line_comment();
    if (starts("/*")) return block_comment();
    if (text_[position_] == '"') return raw_string_begins() ? raw_string() : quoted('"');
    if (text_[position_] == '\'' && !is_digit_separator()) return quoted('\'');
    keep();
  }

  bool starts(std::string_view what) const { return text_.substr(position_).starts_with(what); }

  void keep() {
    views_.code[position_] = text_[position_];
    ++position_;
  }

  void keep_comment() {
    if (text_[position_] != '\n') views_.comments[position_] = text_[position_];
    ++position_;
  }

  void line_comment() {
    position_ += 2;
    while (position_ < text_.size()) {
      // A backslash at the end of the line continues the comment.
      if (text_[position_] == '\n' && text_[position_ - 1] != '\\') return;
      keep_comment();
    }
  }

  void block_comment() {
    position_ += 2;
    while (position_ < text_.size() && !starts("*/")) keep_comment();
    position_ = std::min(position_ + 2, text_.size());
  }

  // 1'000: a quote right after a digit that belongs to a number. u8'a' is a character.
  bool is_digit_separator() const {
    if (position_ == 0 || !is_identifier_character(text_[position_ - 1])) return false;
    size_t begin = position_;
    while (begin > 0 && (is_identifier_character(text_[begin - 1]) || text_[begin - 1] == '\'')) {
      --begin;
    }
    return std::isdigit(static_cast<unsigned char>(text_[begin])) != 0;
  }

  bool raw_string_begins() const {
    size_t begin = position_;
    while (begin > 0 && is_identifier_character(text_[begin - 1])) --begin;
    const std::string_view prefix = text_.substr(begin, position_ - begin);
    return prefix == "R" || prefix == "LR" || prefix == "uR" || prefix == "UR" || prefix == "u8R";
  }

  void raw_string() {
    keep();
    const size_t open = text_.find('(', position_);
    if (open == std::string_view::npos) {
      position_ = text_.size();
      return;
    }
    const std::string end = ")" + std::string(text_.substr(position_, open - position_)) + "\"";
    const size_t close = text_.find(end, open);
    position_ = close == std::string_view::npos ? text_.size() : close + end.size() - 1;
    if (position_ < text_.size()) keep();
  }

  void quoted(char quote) {
    keep();
    while (position_ < text_.size() && text_[position_] != quote && text_[position_] != '\n') {
      position_ += text_[position_] == '\\' ? 2 : 1;
    }
    if (position_ < text_.size() && text_[position_] == quote) keep();
  }

  std::string_view text_;
  size_t position_ = 0;
  Views views_;
};

// Preprocessor lines, continued ones included, become blanks: macros are not functions.
std::string without_preprocessor(std::string_view code) {
  std::string result(code);
  bool directive = false;
  bool line_begins = true;
  for (size_t i = 0; i < result.size(); ++i) {
    if (result[i] == '\n') {
      directive = directive && i > 0 && code[i - 1] == '\\';
      line_begins = true;
      continue;
    }
    if (line_begins && result[i] == '#') directive = true;
    if (result[i] != ' ') line_begins = false;
    if (directive) result[i] = ' ';
  }
  return result;
}

// Removes `open`...`close` pairs that follow `introducer`: template<...>, alignas(...), [[...]].
std::string without_pairs(std::string head, std::string_view introducer, char open, char close) {
  for (size_t at = head.find(introducer); at != std::string::npos; at = head.find(introducer, at)) {
    size_t end = head.find(open, at);
    int depth = 0;
    while (end < head.size()) {
      depth += head[end] == open ? 1 : head[end] == close ? -1 : 0;
      ++end;
      if (depth == 0) break;
    }
    head.erase(at, std::min(end, head.size()) - at);
  }
  return head;
}

// True behind the single colon that follows a constructor's parameters.
bool in_member_initialisers(std::string_view head) {
  int depth = 0;
  bool after_parameters = false;
  for (size_t i = 0; i < head.size(); ++i) {
    depth += head[i] == '(' ? 1 : head[i] == ')' ? -1 : 0;
    after_parameters = after_parameters || (depth == 0 && head[i] == ')');
    if (head[i] != ':' || depth != 0 || !after_parameters) continue;
    if (i + 1 < head.size() && head[i + 1] == ':') {
      ++i;  // A double colon only qualifies a name.
    } else {
      return true;
    }
  }
  return false;
}

enum class Scope { kOpen, kFunction, kOther };  // kOpen: a namespace, class or union.

Scope scope_of(const std::string& raw_head) {
  std::string head = without_pairs(raw_head, "template", '<', '>');
  head = without_pairs(head, "alignas", '(', ')');
  head = without_pairs(head, "[[", '[', ']');
  const bool has_parameters = head.find('(') != std::string::npos;
  for (const char* keyword : {"namespace", "extern", "class", "struct", "union"}) {
    if (!has_parameters && !find_word(head, keyword).empty()) return Scope::kOpen;
  }
  const size_t last = head.find_last_not_of(' ');
  if (last == std::string::npos || head[last] == '=') return Scope::kOther;
  // `Point(int x) : x_{x} {`: the first brace belongs to a member, the second is the body.
  if (in_member_initialisers(head) && head[last] != ')' && head[last] != '}') return Scope::kOther;
  return has_parameters ? Scope::kFunction : Scope::kOther;
}

class FunctionFinder {
 public:
  explicit FunctionFinder(std::string code) : code_(std::move(code)) {}

  Functions run() {
    for (const char c : code_) step(c);
    result_.balanced = result_.balanced && scopes_.empty() && parentheses_ == 0;
    return std::move(result_);
  }

 private:
  void step(char c) {
    if (c == '\n') ++line_;
    if (c == '{') return open();
    if (c == '}') return close();
    if (!outside()) return;  // Inside a body only braces matter.
    if (c == '(') ++parentheses_;
    if (c == ')') --parentheses_;
    if (c == ';' && parentheses_ == 0) {
      head_.clear();
    } else if (c != '\n' && (c != ' ' || (!head_.empty() && head_.back() != ' '))) {
      head_ += c;
    } else if (c == '\n' && !head_.empty() && head_.back() != ' ') {
      head_ += ' ';
    }
  }

  bool outside() const { return scopes_.empty() || scopes_.back() == Scope::kOpen; }

  void open() {
    // A brace inside parentheses is an initialiser or a lambda handed to a call.
    const Scope scope = !outside() || parentheses_ > 0 ? Scope::kOther : scope_of(head_);
    if (scope == Scope::kFunction) result_.found.push_back({head_, line_, 0});
    scopes_.push_back(scope);
    if (scope != Scope::kOther) head_.clear();
  }

  void close() {
    if (scopes_.empty()) {
      result_.balanced = false;
      return;
    }
    if (scopes_.back() == Scope::kFunction) {
      Function& function = result_.found.back();
      function.lines = line_ - function.line + 1;
    }
    if (scopes_.back() == Scope::kOpen) head_.clear();
    scopes_.pop_back();
    if (outside() && !head_.empty()) head_ += '}';
  }

  std::string code_;
  std::string head_;
  size_t line_ = 1;
  int parentheses_ = 0;
  std::vector<Scope> scopes_;
  Functions result_;
};

}  // namespace

bool is_identifier_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

Views split(std::string_view text) {
  return Splitter(text).run();
}

Functions find_functions(std::string_view code) {
  return FunctionFinder(without_preprocessor(code)).run();
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::vector<size_t> find_word(std::string_view code, std::string_view word) {
  std::vector<size_t> found;
  for (size_t at = code.find(word); at != std::string_view::npos; at = code.find(word, at + 1)) {
    const size_t end = at + word.size();
    const bool begins = at == 0 || !is_identifier_character(code[at - 1]);
    const bool ends = end >= code.size() || !is_identifier_character(word.back()) ||
                      !is_identifier_character(code[end]);
    if (begins && ends) found.push_back(at);
  }
  return found;
}

}  // namespace levin::tidy
