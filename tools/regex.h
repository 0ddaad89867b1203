// A compiled search pattern (PCRE2), safe to run on any line: work per match is bounded.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace levin::tools {

class Regex {
 public:
  // Smart case: without a capital letter outside escapes, case is ignored. `literal` takes the
  // pattern as plain text. With `many_lines`, ^ and $ match at every line of a text. Errors:
  // kInvalidArgument with PCRE2's words and the place in the pattern.
  static Result<Regex> compile(std::string_view pattern, bool literal, bool many_lines = false);

  // Whether `line` holds a match; broken UTF-8 in it matches nothing. A match that needs more than
  // the limit counts as none and sets gave_up().
  bool matches(std::string_view line) { return find(line, 0).has_value(); }
  // Where the first match at or after `start` begins. As matches().
  std::optional<size_t> find(std::string_view text, size_t start);
  bool gave_up() const { return gave_up_; }

  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

 private:
  struct State;
  explicit Regex(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
  bool gave_up_ = false;
};

// A capital letter (Unicode's too) that is not part of an escape such as \S or \p{Lu}.
bool has_capital(std::string_view pattern, bool literal);

}  // namespace levin::tools
