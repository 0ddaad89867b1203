// The chat templates that this model family uses, written in C++ (no template language is
// executed). Two stateless ones turn whole conversations into text, byte-exact with the published
// templates; the third, PromptWriter, is levin's own lossless use of the first: it renders one
// piece at a time, and what was rendered before is never touched. Sources: the model's
// tokenizer_config.json; vLLM's examples/tool_chat_template_minimax_m1.jinja; the prompt format in
// docs/formats/prompt.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "engine/tokenizer.h"

namespace levin::engine {

enum class ChatTemplate { kM1, kVllm, kLevin };

// Renders {"messages": [...], "tools": [...] | null, "add_generation_prompt": bool} to text.
// kLevin takes the same input as kM1, plus plain strings as content.
// Errors: kInvalidArgument naming the message index and what was expected there.
Result<std::string> render_conversation(ChatTemplate which,
                                        const nlohmann::ordered_json& conversation);

// One result of a tool call, in call order.
struct ToolResultText {
  std::string name;
  std::string text;
};

// Renders and tokenises the pieces of levin's own prompt (docs/formats/prompt.md). Chat markers are
// emitted as ids; everything between two markers is tokenised as one string with special tokens as
// text, so no user or tool text can inject one. Stateless apart from the tokenizer's marker ids.
class PromptWriter {
 public:
  // Errors: kUnsupported when the tokenizer lacks a marker, naming it.
  static Result<PromptWriter> create(const Tokenizer& tokenizer);

  // begin_of_document, system turn, tools turn (left out when `tool_lines` is empty).
  std::vector<TokenId> prefix(std::string_view system_text,
                              const std::vector<std::string>& tool_lines) const;
  std::vector<TokenId> user_turn(std::string_view text) const;
  std::vector<TokenId> tool_turn(const std::vector<ToolResultText>& results) const;
  // `<beginning_of_sentence>ai name=assistant⏎`: generation starts after it.
  std::vector<TokenId> assistant_start() const;
  // What follows a sampled reply: the end marker where the reply was cut before it, then a newline.
  std::vector<TokenId> assistant_end(bool end_was_sampled) const;

  TokenId end_of_sentence() const { return end_of_sentence_; }

 private:
  explicit PromptWriter(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  // Untrusted or not, `text` is encoded with special tokens as text.
  void append_text(std::string_view text, std::vector<TokenId>& ids) const;
  // The two markers around `body`, and the newline after the second.
  void append_turn(std::string_view body, std::vector<TokenId>& ids) const;

  const Tokenizer* tokenizer_;
  TokenId begin_of_document_ = 0;
  TokenId beginning_of_sentence_ = 0;
  TokenId end_of_sentence_ = 0;
};

}  // namespace levin::engine
