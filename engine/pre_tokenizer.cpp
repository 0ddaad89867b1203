#include "engine/pre_tokenizer.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/json_brief.h"
#include "engine/tokenizer_json.h"

namespace levin::engine {
namespace {

using nlohmann::json;

constexpr std::string_view kKnownTypes = "ByteLevel, Split, Sequence";

// The split of GPT-2, which ByteLevel implies unless use_regex is false: English contractions, then
// runs of letters, of digits, of other characters (each with one space before), then blanks.
constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace

Result<PreTokenizer> PreTokenizer::parse(const json& description) {
  PreTokenizer made;
  if (!description.is_null()) TRY(made.add(description, 0));
  if (!made.has_byte_level_) {
    return Error(ErrorCode::kUnsupported,
                 "pre_tokenizer: no ByteLevel found; only byte-level BPE is supported");
  }
  return made;
}

Result<void> PreTokenizer::add(const json& description, int depth) {
  TRY_ASSIGN(const std::string_view type, component_type(description, "pre_tokenizer"));
  if (has_byte_level_) {
    return Error(
        ErrorCode::kUnsupported,
        fmt::format("pre_tokenizer: '{}' after ByteLevel; ByteLevel must come last", type));
  }
  if (type == "ByteLevel") return add_byte_level(description);
  if (type == "Split") return add_split(description);
  if (type != "Sequence") return unknown_component("pre_tokenizer", type, kKnownTypes);
  TRY_ASSIGN(const json* parts, sequence_parts(description, "pretokenizers", depth));
  for (const json& part : *parts) TRY(add(part, depth + 1));
  return {};
}

Result<void> PreTokenizer::add_split(const json& description) {
  const json& pattern = member(description, "pattern");
  if (!member(pattern, "Regex").is_string()) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("pre_tokenizer Split: pattern {} is not supported; known: a Regex",
                             json_brief(pattern)));
  }
  TRY_ASSIGN(const std::string_view expression, string_member(pattern, "Regex", "Split pattern"));
  TRY_ASSIGN(const std::string_view behavior, string_member(description, "behavior", "Split"));
  TRY_ASSIGN(const bool invert, bool_member(description, "invert", false, "Split"));
  // Isolated keeps matches and what lies between them, so that inverting it changes nothing.
  const bool isolated = behavior == "Isolated";
  if (!isolated && !(behavior == "Removed" && invert)) {
    return unknown_component("pre_tokenizer Split behavior",
                             fmt::format("{}, invert {}", behavior, invert),
                             "Isolated; Removed with invert true");
  }
  TRY_ASSIGN(SplitRegex regex, SplitRegex::compile(expression));
  cuts_.push_back({std::move(regex), isolated ? SplitRegex::Gaps::kKeep : SplitRegex::Gaps::kDrop});
  return {};
}

Result<void> PreTokenizer::add_byte_level(const json& description) {
  TRY_ASSIGN(add_prefix_space_, bool_member(description, "add_prefix_space", true, "ByteLevel"));
  TRY_ASSIGN(const bool use_regex, bool_member(description, "use_regex", true, "ByteLevel"));
  has_byte_level_ = true;
  prefix_space_before_ = cuts_.size();
  if (!use_regex) return {};
  TRY_ASSIGN(SplitRegex regex, SplitRegex::compile(kGpt2Pattern));
  cuts_.push_back({std::move(regex), SplitRegex::Gaps::kKeep});
  return {};
}

void PreTokenizer::split(std::string_view text, Pieces& pieces) const {
  pieces.views.clear();
  pieces.owned.clear();
  if (!text.empty()) pieces.views.push_back(text);
  std::vector<std::string_view> cut;
  for (size_t index = 0; index <= cuts_.size(); ++index) {
    if (add_prefix_space_ && index == prefix_space_before_) {
      for (std::string_view& piece : pieces.views) {
        if (piece.starts_with(' ')) continue;
        std::string& spaced = pieces.owned.emplace_back(1, ' ');
        piece = spaced.append(piece);
      }
    }
    if (index == cuts_.size()) break;
    cut.clear();
    for (const std::string_view piece : pieces.views) {
      cuts_[index].regex.split(piece, cuts_[index].gaps, cut);
    }
    pieces.views.swap(cut);
  }
}

}  // namespace levin::engine
