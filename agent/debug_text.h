// The text plumbing behind `levin debug tokenize|detokenize|render`: line-oriented JSON in and out,
// so that other programs can compare tokenizers and templates with ours. Each returns an exit code:
// 0, or 2 for bad input, with one line on `err` that names the input line.
#pragma once

#include <istream>
#include <ostream>
#include <string>

#include "engine/chat_template.h"

namespace levin::agent {

// One JSON string per line in, one JSON list of ids per line out. `no_special` treats special
// tokens as letters.
int debug_tokenize(const std::string& tokenizer_path, bool no_special, std::istream& in,
                   std::ostream& out, std::ostream& err);

// One JSON list of ids per line in, one JSON string per line out; bytes that are not UTF-8 become
// U+FFFD. An id that names no token is bad input.
int debug_detokenize(const std::string& tokenizer_path, std::istream& in, std::ostream& out,
                     std::ostream& err);

// One conversation (a JSON document, see render_conversation) in, its text out, nothing added.
int debug_render(engine::ChatTemplate which, std::istream& in, std::ostream& out,
                 std::ostream& err);

}  // namespace levin::agent
