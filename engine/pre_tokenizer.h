// Pre-tokenizer: cuts text into the pieces that BPE works on, as the "pre_tokenizer" of a
// tokenizer.json says. The byte alphabet itself is applied nowhere: BPE works on bytes.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "engine/split_regex.h"

namespace levin::engine {

// Const after parse(); may be used from many threads.
class PreTokenizer {
 public:
  struct Pieces {
    std::vector<std::string_view> views;  // Into the text, or into `owned`.
    std::deque<std::string> owned;        // Pieces that got a prefix space; addresses stay.
  };

  // Known: ByteLevel (add_prefix_space, use_regex), Split with a Regex (Isolated; Removed with
  // invert), and Sequences of them that end in their only ByteLevel. Errors: kUnsupported naming
  // what was found and what is known; kCorrupt for wrong types.
  static Result<PreTokenizer> parse(const nlohmann::json& description);

  // Replaces `pieces` by those of `text` (UTF-8), in order, none of them empty.
  void split(std::string_view text, Pieces& pieces) const;

 private:
  struct Cut {
    SplitRegex regex;
    SplitRegex::Gaps gaps = SplitRegex::Gaps::kKeep;
  };

  PreTokenizer() = default;
  Result<void> add(const nlohmann::json& description, int depth);
  Result<void> add_split(const nlohmann::json& description);
  Result<void> add_byte_level(const nlohmann::json& description);

  std::vector<Cut> cuts_;  // One after the other, each within the pieces of the last.
  bool has_byte_level_ = false;
  bool add_prefix_space_ = false;
  size_t prefix_space_before_ = 0;  // Index of the cut (or one past the last) it comes before.
};

}  // namespace levin::engine
