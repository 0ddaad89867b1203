// The fixed strings of the model's chat template, shared by the renderers of whole conversations
// and by PromptWriter. They are the model's training format: a changed byte changes its answers.
#pragma once

#include <string_view>

namespace levin::engine {

constexpr std::string_view kBeginOfDocument = "<begin_of_document>";
constexpr std::string_view kBeginningOfSentence = "<beginning_of_sentence>";
constexpr std::string_view kEndOfSentence = "<end_of_sentence>";

// What stands between the opening marker and the body of a turn.
constexpr std::string_view kSystemHead = "system ai_setting=assistant\n";
constexpr std::string_view kToolsHead =
    "system tool_setting=tools\nYou are provided with these tools:\n<tools>\n";
constexpr std::string_view kUserHead = "user name=user\n";
constexpr std::string_view kAssistantHead = "ai name=assistant\n";
constexpr std::string_view kToolHead = "tool name=tools\n";

// What follows the tool lines, up to the closing marker. The keys of the example line are unquoted
// in the published template, and therefore here.
constexpr std::string_view kToolsTail =
    "</tools>\n\nIf you need to call tools, please respond with <tool_calls></tool_calls> XML "
    "tags, "
    "and provide tool-name and json-object of arguments, following the format "
    "below:\n<tool_calls>\n"
    "{name: <tool-name-1>, arguments: <args-json-object-1>}\n...\n</tool_calls>";

// Around the results in a tool turn: name, text.
constexpr std::string_view kToolNameLabel = "tool name: ";
constexpr std::string_view kToolResultLabel = "\ntool result: ";
constexpr std::string_view kToolResultEnd = "\n\n";

}  // namespace levin::engine
