// The tokenizer that a GGUF file carries in its metadata: byte-level BPE (`tokenizer.ggml.model`
// gpt2), described as a tokenizer.json would describe it, so that both come out of one parser.
#pragma once

#include <string>

#include "base/result.h"
#include "engine/gguf.h"
#include "engine/template_family.h"
#include "engine/tokenizer.h"

namespace levin::engine {

// Control tokens are special; user-defined ones are recognised everywhere; unused ids name nothing.
// Errors: kUnsupported naming the model or pre-tokenizer found and those known; kCorrupt for
// missing or misshapen lists, and what Tokenizer::from_description() refuses.
Result<Tokenizer> load_gguf_tokenizer(const Gguf& file);

// What load_gguf_tokenizer() reads, as the text of a tokenizer.json. Errors: kUnsupported, kCorrupt.
Result<std::string> gguf_tokenizer_json(const Gguf& file);

// The family of tokenizer.chat_template; M1 when the file has none. Errors: those of
// recognise_template().
Result<TemplateFamily> gguf_template_family(const Gguf& file);

// Of everything that gives token ids their meaning: whose ids a transcript holds.
std::string gguf_token_fingerprint(const Gguf& file);

}  // namespace levin::engine
