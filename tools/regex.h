// A compiled search pattern (PCRE2), safe to run on any line: work per match is bounded.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace levin::tools {

class Regex {
 public:
  // Smart case: without a capital letter outside escapes, case is ignored. `literal` takes the
  // pattern as plain text. Errors: kInvalidArgument with PCRE2's words and the place in the
  // pattern.
  static Result<Regex> compile(std::string_view pattern, bool literal);

  // Whether `line` holds a match; broken UTF-8 in it matches nothing. A match that needs more than
  // the limit counts as none and sets gave_up().
  bool matches(std::string_view line);
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

// A capital letter that is not part of an escape such as \S or \p{Lu}.
bool has_capital(std::string_view pattern, bool literal);

}  // namespace levin::tools
