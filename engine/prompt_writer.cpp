// PromptWriter: levin's own prompt, piece by piece, as token ids.
#include <fmt/format.h>

#include <initializer_list>
#include <utility>

#include "engine/chat_template.h"
#include "engine/chat_template_text.h"

namespace levin::engine {
namespace {

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

}  // namespace

Result<PromptWriter> PromptWriter::create(const Tokenizer& tokenizer) {
  PromptWriter writer(tokenizer);
  const std::initializer_list<std::pair<std::string_view, TokenId*>> markers = {
      {kBeginOfDocument, &writer.begin_of_document_},
      {kBeginningOfSentence, &writer.beginning_of_sentence_},
      {kEndOfSentence, &writer.end_of_sentence_}};
  for (const auto& [content, id] : markers) {
    const std::optional<TokenId> found = tokenizer.special_token(content);
    if (!found) {
      return Error(ErrorCode::kUnsupported,
                   fmt::format("the tokenizer has no special token '{}', which the prompt format "
                               "needs",
                               content));
    }
    *id = *found;
  }
  return writer;
}

void PromptWriter::append_turn(std::string_view body, std::vector<TokenId>& ids) const {
  ids.push_back(beginning_of_sentence_);
  append_text(body, ids);
  ids.push_back(end_of_sentence_);
  append_text("\n", ids);
}

void PromptWriter::append_text(std::string_view text, std::vector<TokenId>& ids) const {
  const std::vector<TokenId> encoded = tokenizer_->encode(text, SpecialTokens::kAsText);
  ids.insert(ids.end(), encoded.begin(), encoded.end());
}

std::vector<TokenId> PromptWriter::prefix(std::string_view system_text,
                                          const std::vector<std::string>& tool_lines) const {
  std::vector<TokenId> ids = {begin_of_document_};
  if (!system_text.empty()) append_turn(joined({kSystemHead, system_text}), ids);
  if (tool_lines.empty()) return ids;
  std::string tools(kToolsHead);
  for (const std::string& line : tool_lines) tools += line + "\n";
  tools += kToolsTail;
  append_turn(tools, ids);
  return ids;
}

std::vector<TokenId> PromptWriter::user_turn(std::string_view text) const {
  std::vector<TokenId> ids;
  append_turn(joined({kUserHead, text}), ids);
  return ids;
}

std::vector<TokenId> PromptWriter::tool_turn(const std::vector<ToolResultText>& results) const {
  std::string body(kToolHead);
  for (const ToolResultText& result : results) {
    body += joined({kToolNameLabel, result.name, kToolResultLabel, result.text, kToolResultEnd});
  }
  std::vector<TokenId> ids;
  append_turn(body, ids);
  return ids;
}

std::vector<TokenId> PromptWriter::assistant_start() const {
  std::vector<TokenId> ids = {beginning_of_sentence_};
  append_text(kAssistantHead, ids);
  return ids;
}

std::vector<TokenId> PromptWriter::assistant_end(bool end_was_sampled) const {
  std::vector<TokenId> ids;
  if (!end_was_sampled) ids.push_back(end_of_sentence_);
  append_text("\n", ids);
  return ids;
}

}  // namespace levin::engine
