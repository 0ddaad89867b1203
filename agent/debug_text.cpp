#include "agent/debug_text.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "engine/engine.h"
#include "engine/gguf_model.h"
#include "engine/tokenizer.h"

namespace levin::agent {
namespace {

// A tokenizer.json, or the GGUF file that carries one.
Result<engine::Tokenizer> load_tokenizer(const std::string& path) {
  if (engine::is_gguf_path(path)) return engine::open_tokenizer(path, "m1");
  return engine::Tokenizer::load(path);
}

using nlohmann::json;

constexpr int kExitBadInput = 2;

Error bad_input(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

int report(const Error& error, std::ostream& err) {
  err << "levin debug: " << error.message() << '\n';
  return kExitBadInput;
}

// Applies `convert` (JSON -> Result<JSON>) to each line.
template <typename Convert>
int convert_lines(std::istream& in, std::ostream& out, std::ostream& err, const Convert& convert) {
  std::string line;
  for (size_t number = 1; std::getline(in, line); ++number) {
    const json value = json::parse(line, nullptr, /*allow_exceptions=*/false);
    Result<json> converted = value.is_discarded() ? bad_input("not valid JSON") : convert(value);
    if (!converted) {
      return report(std::move(converted).error().context(fmt::format("line {}", number)), err);
    }
    out << converted->dump() << '\n';
  }
  return 0;
}

Result<std::vector<engine::TokenId>> read_ids(const json& value,
                                              const engine::Tokenizer& tokenizer) {
  if (!value.is_array()) {
    return bad_input(fmt::format("expected a list of token ids, found {}", value.type_name()));
  }
  std::vector<engine::TokenId> ids;
  for (const json& entry : value) {
    const json end = tokenizer.vocab_size();
    if (!entry.is_number_integer() || entry < 0 || entry >= end) {
      return bad_input(fmt::format("{} is not a token id from 0 to {}", entry.dump(),
                                   tokenizer.vocab_size() - 1));
    }
    ids.push_back(entry.get<engine::TokenId>());
    if (tokenizer.token_bytes(ids.back()).empty()) {
      return bad_input(fmt::format("id {} names no token", ids.back()));
    }
  }
  return ids;
}

}  // namespace

int debug_tokenize(const std::string& tokenizer_path, bool no_special, std::istream& in,
                   std::ostream& out, std::ostream& err) {
  const Result<engine::Tokenizer> tokenizer = load_tokenizer(tokenizer_path);
  if (!tokenizer) return report(tokenizer.error(), err);
  const auto special =
      no_special ? engine::SpecialTokens::kAsText : engine::SpecialTokens::kRecognise;
  return convert_lines(in, out, err, [&](const json& value) -> Result<json> {
    if (!value.is_string()) {
      return bad_input(fmt::format("expected a JSON string, found {}", value.type_name()));
    }
    return json(tokenizer->encode(value.get_ref<const std::string&>(), special));
  });
}

int debug_detokenize(const std::string& tokenizer_path, std::istream& in, std::ostream& out,
                     std::ostream& err) {
  const Result<engine::Tokenizer> tokenizer = load_tokenizer(tokenizer_path);
  if (!tokenizer) return report(tokenizer.error(), err);
  return convert_lines(in, out, err, [&](const json& value) -> Result<json> {
    TRY_ASSIGN(const std::vector<engine::TokenId> ids, read_ids(value, *tokenizer));
    return json(utf8_sanitize(tokenizer->decode(ids)));
  });
}

int debug_render(engine::ChatTemplate which, std::istream& in, std::ostream& out,
                 std::ostream& err) {
  const std::string text(std::istreambuf_iterator<char>(in), {});
  const auto conversation =
      nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (conversation.is_discarded()) return report(bad_input("the input is not valid JSON"), err);
  const Result<std::string> rendered = engine::render_conversation(which, conversation);
  if (!rendered) return report(rendered.error(), err);
  out << *rendered;
  return 0;
}

}  // namespace levin::agent
