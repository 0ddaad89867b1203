#include "tools/glob.h"

#include <algorithm>

namespace levin::tools {
namespace {
constexpr size_t kAlternativesMax = 256;
}  // namespace

// Reads a class whose `[` is at `at`; returns where it ends, or `at` when it is never closed.
size_t Glob::read_class(std::string_view pattern, size_t at) {
  Token token;
  token.kind = Kind::kClass;
  size_t position = at + 1;
  if (position < pattern.size() && (pattern[position] == '!' || pattern[position] == '^')) {
    token.negated = true;
    ++position;
  }
  // A `]` that comes first stands for itself.
  for (bool first = true; position < pattern.size(); first = false) {
    if (pattern[position] == ']' && !first) {
      tokens_.push_back(std::move(token));
      return position + 1;
    }
    if (pattern[position] == '\\' && position + 1 < pattern.size()) ++position;
    const auto low = static_cast<unsigned char>(pattern[position]);
    unsigned char high = low;
    if (position + 2 < pattern.size() && pattern[position + 1] == '-' &&
        pattern[position + 2] != ']') {
      high = static_cast<unsigned char>(pattern[position + 2]);
      position += 2;
    }
    for (int byte = low; byte <= high; ++byte) token.members.push_back(static_cast<char>(byte));
    ++position;
  }
  return at;
}

Glob::Glob(std::string_view pattern) {
  size_t at = 0;
  while (at < pattern.size()) {
    const char c = pattern[at];
    const bool starts_component = at == 0 || pattern[at - 1] == '/';
    if (c == '*' && starts_component && pattern.substr(at).starts_with("**/")) {
      tokens_.push_back(Token{Kind::kFolders, 0, false, {}});
      at += 3;
    } else if (c == '*' && starts_component && pattern.substr(at) == "**") {
      tokens_.push_back(Token{Kind::kEverything, 0, false, {}});
      at += 2;
    } else if (c == '*') {
      tokens_.push_back(Token{Kind::kStar, 0, false, {}});
      while (at < pattern.size() && pattern[at] == '*') ++at;
    } else if (c == '?') {
      tokens_.push_back(Token{Kind::kAny, 0, false, {}});
      ++at;
    } else if (const size_t end = c == '[' ? read_class(pattern, at) : at; end != at) {
      at = end;
    } else {
      if (c == '\\' && at + 1 < pattern.size()) ++at;
      tokens_.push_back(Token{Kind::kLiteral, pattern[at], false, {}});
      ++at;
    }
  }
  find_simple_form();
}

void Glob::find_simple_form() {
  for (const Token& token : tokens_) {
    if (token.kind == Kind::kLiteral) {
      (has_star_ ? after_ : before_) += token.literal;
    } else if (token.kind == Kind::kStar && !has_star_) {
      has_star_ = true;
    } else {
      return;
    }
  }
  simple_ = true;
}

// Steps that need no byte: stars may be empty; `**/` may end wherever a component begins.
void Glob::spread(std::vector<char>& states, bool at_component_start) const {
  for (size_t index = 0; index < tokens_.size(); ++index) {
    if (!states[index]) continue;
    const Kind kind = tokens_[index].kind;
    if (kind == Kind::kStar || kind == Kind::kEverything ||
        (kind == Kind::kFolders && at_component_start)) {
      states[index + 1] = 1;
    }
  }
}

bool Glob::matches(std::string_view path) const {
  if (simple_) {
    if (!has_star_) return path == before_;
    if (path.size() < before_.size() + after_.size()) return false;
    if (!path.starts_with(before_) || !path.ends_with(after_)) return false;
    path.remove_prefix(before_.size());
    path.remove_suffix(after_.size());
    return path.find('/') == std::string_view::npos;
  }
  std::vector<char> states(tokens_.size() + 1, 0);
  std::vector<char> next(tokens_.size() + 1, 0);
  states[0] = 1;
  spread(states, true);
  for (const char c : path) {
    std::fill(next.begin(), next.end(), 0);
    for (size_t index = 0; index < tokens_.size(); ++index) {
      if (!states[index]) continue;
      const Token& token = tokens_[index];
      switch (token.kind) {
        case Kind::kLiteral:
          next[index + 1] |= c == token.literal;
          break;
        case Kind::kAny:
          next[index + 1] |= c != '/';
          break;
        case Kind::kStar:
          next[index] |= c != '/';
          break;
        case Kind::kFolders:
        case Kind::kEverything:
          next[index] = 1;
          break;
        case Kind::kClass: {
          const bool member = token.members.find(c) != std::string::npos;
          next[index + 1] |= c != '/' && member != token.negated;
          break;
        }
      }
    }
    states.swap(next);
    spread(states, c == '/');
  }
  return states.back() != 0;
}

std::vector<std::string> expand_braces(std::string_view pattern) {
  const auto find_group = [&](size_t& open, std::vector<size_t>& marks) {
    for (open = pattern.find('{'); open != std::string_view::npos;
         open = pattern.find('{', open + 1)) {
      marks.assign(1, open);
      int depth = 0;
      for (size_t at = open; at < pattern.size(); ++at) {
        if (pattern[at] == '\\') {
          ++at;
        } else if (pattern[at] == '{') {
          ++depth;
        } else if (pattern[at] == ',' && depth == 1) {
          marks.push_back(at);
        } else if (pattern[at] == '}' && --depth == 0) {
          marks.push_back(at);
          return marks.size() > 2;
        }
      }
    }
    return false;
  };
  size_t open = 0;
  std::vector<size_t> marks;
  if (!find_group(open, marks)) return {std::string(pattern)};
  std::vector<std::string> all;
  for (size_t index = 0; index + 1 < marks.size(); ++index) {
    std::string one(pattern.substr(0, open));
    one += pattern.substr(marks[index] + 1, marks[index + 1] - marks[index] - 1);
    one += pattern.substr(marks.back() + 1);
    for (std::string& expanded : expand_braces(one)) {
      if (all.size() >= kAlternativesMax) return all;
      all.push_back(std::move(expanded));
    }
  }
  return all;
}

PathFilter::PathFilter(std::string_view glob) {
  negated_ = glob.starts_with('!');
  if (negated_) glob.remove_prefix(1);
  if (glob.starts_with("./")) glob.remove_prefix(2);
  if (glob.empty()) return;
  for (std::string pattern : expand_braces(glob)) {
    if (pattern.size() > 1 && pattern.ends_with('/')) {
      // Left out, it is the folder; wanted, it is what lies in it, at any depth unless rooted.
      if (negated_) pattern.pop_back();
      const bool is_rooted = pattern.find('/') + 1 < pattern.size() && !negated_;
      if (!negated_) pattern = (is_rooted ? "" : "**/") + pattern + "**";
    }
    const bool whole_path = pattern.find('/') != std::string::npos;
    const std::string_view body(pattern);
    alternatives_.push_back({Glob(body.starts_with('/') ? body.substr(1) : body), whole_path});
  }
}

bool PathFilter::any(std::string_view path) const {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return std::any_of(alternatives_.begin(), alternatives_.end(),
                     [&](const Alternative& alternative) {
                       return alternative.glob.matches(alternative.whole_path ? path : name);
                     });
}

bool PathFilter::matches(std::string_view path) const {
  return alternatives_.empty() || any(path) != negated_;
}

}  // namespace levin::tools
