// A regular expression that cuts text into pieces (PCRE2, Unicode properties, JIT when the system
// allows it). Knows nothing of tokens.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;
struct pcre2_real_jit_stack_8;

namespace levin::engine {

// Const after compile(); may be used from many threads.
class SplitRegex {
 public:
  enum class Gaps {
    kKeep,  // Text between two matches is a piece too.
    kDrop,  // Only matches are pieces.
  };

  // `pattern` is written for Oniguruma, the engine behind the Hugging Face library; its `\s` is
  // spelt out, because PCRE2 counts U+180E as a blank. Errors: kCorrupt, with the place.
  static Result<SplitRegex> compile(std::string_view pattern);

  // Appends the pieces of `text` (UTF-8; views into it) in order, none of them empty. Should the
  // matcher give up (a pattern that backtracks without end), the rest of the text becomes one
  // piece: nothing is lost, and nothing runs on for ever.
  void split(std::string_view text, Gaps gaps, std::vector<std::string_view>& pieces) const;

 private:
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
    void operator()(pcre2_real_match_data_8* data) const;
    void operator()(pcre2_real_match_context_8* context) const;
    void operator()(pcre2_real_jit_stack_8* stack) const;
  };
  struct Matcher;

  SplitRegex() = default;

  std::unique_ptr<pcre2_real_code_8, Free> code_;
  std::unique_ptr<pcre2_real_match_context_8, Free> limits_;
};

}  // namespace levin::engine
