#include "engine/tokenizer.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "base/file_io.h"
#include "base/utf8.h"
#include "engine/added_tokens.h"
#include "engine/bpe.h"
#include "engine/byte_alphabet.h"
#include "engine/json_brief.h"
#include "engine/normalizer.h"
#include "engine/pre_tokenizer.h"
#include "engine/tensor_files.h"
#include "engine/tokenizer_json.h"
#include "engine/vocabulary.h"

namespace levin::engine {
namespace {

using nlohmann::json;

// The largest public tokenizer.json files have about 35 MB.
constexpr size_t kFileBytesMax = size_t{256} << 20;

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

}  // namespace

struct Tokenizer::Impl {
  Vocabulary vocabulary;
  std::optional<Bpe> bpe;  // Engaged once loaded; refers to `vocabulary`.
  std::optional<PreTokenizer> pre_tokenizer;
  Normalizer normalizer = Normalizer::kNone;
  AddedTokens raw_added;         // Looked for before normalising.
  AddedTokens normalised_added;  // Looked for after it ("normalized": true).
  std::unordered_map<std::string, TokenId> special_ids;
  std::vector<bool> special;  // By id.

  Result<void> read(const json& file);
  Result<void> read_vocabulary(const json& model);
  Result<std::vector<Merge>> read_merges(const json& model) const;
  Result<TokenId> read_merge_part(std::string_view symbols, size_t index) const;
  Result<void> read_model(const json& model);
  Result<void> read_added(const json& entry, const json& model_vocabulary);

  void encode_raw(std::string_view text, SpecialTokens mode, std::vector<TokenId>& ids) const;
  void encode_gap(std::string_view text, SpecialTokens mode, std::vector<TokenId>& ids) const;
  void encode_plain(std::string_view text, std::vector<TokenId>& ids) const;
};

namespace {

// Options of the BPE model that change its results and that no byte-level tokenizer in use sets.
Result<void> refuse_other_models(const json& model) {
  const json& type = member(model, "type");
  if (!type.is_null() && type != "BPE") return unknown_component("model", json_brief(type), "BPE");
  const json& dropout = member(model, "dropout");
  if (!dropout.is_null() && dropout != 0) {
    return unknown_component("model dropout", json_brief(dropout), "null");
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const json& affix = member(model, key);
    if (!affix.is_null() && affix != "") return unknown_component(key, json_brief(affix), "null");
  }
  TRY_ASSIGN(const bool byte_fallback, bool_member(model, "byte_fallback", false, "model"));
  if (byte_fallback) return unknown_component("model byte_fallback", "true", "false");
  return {};
}

// A post-processor only adds tokens at the ends of a text or trims offsets; encode() does neither,
// so these are read and left alone. Any other one might do more.
Result<void> refuse_other_post_processors(const json& description, int depth = 0) {
  if (description.is_null()) return {};
  TRY_ASSIGN(const std::string_view type, component_type(description, "post_processor"));
  if (type == "ByteLevel" || type == "TemplateProcessing") return {};
  if (type != "Sequence") {
    return unknown_component("post_processor", type,
                             "null, ByteLevel, TemplateProcessing, Sequence");
  }
  TRY_ASSIGN(const json* parts, sequence_parts(description, "processors", depth));
  for (const json& part : *parts) TRY(refuse_other_post_processors(part, depth + 1));
  return {};
}

Result<void> refuse_other_decoders(const json& description) {
  if (description.is_null()) return unknown_component("decoder", "null", "ByteLevel");
  TRY_ASSIGN(const std::string_view type, component_type(description, "decoder"));
  if (type != "ByteLevel") return unknown_component("decoder", type, "ByteLevel");
  return {};
}

// "a b", or ["a", "b"].
Result<std::pair<std::string_view, std::string_view>> merge_parts(const json& merge, size_t index) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return std::pair<std::string_view, std::string_view>(merge[0].get_ref<const std::string&>(),
                                                         merge[1].get_ref<const std::string&>());
  }
  if (merge.is_string()) {
    const std::string_view line = merge.get_ref<const std::string&>();
    const size_t space = line.find(' ');
    if (space != std::string_view::npos && line.find(' ', space + 1) == std::string_view::npos) {
      return std::pair(line.substr(0, space), line.substr(space + 1));
    }
  }
  return Error(ErrorCode::kCorrupt,
               fmt::format("merge {} should be \"left right\" or [\"left\", \"right\"]", index));
}

}  // namespace

Result<void> Tokenizer::Impl::read_vocabulary(const json& model) {
  const json& entries = member(model, "vocab");
  if (!entries.is_object()) {
    return Error(ErrorCode::kCorrupt, fmt::format("model: \"vocab\" should be an object, found {}",
                                                  entries.type_name()));
  }
  for (const auto& [symbols, value] : entries.items()) {
    const int64_t id = integer_or_minus_one(value);
    if (id < 0 || id >= kTokenIdEnd) {
      return Error(ErrorCode::kCorrupt,
                   fmt::format("vocab: {} should have an id from 0 to {}, found {}",
                               quoted_name(symbols), kTokenIdEnd - 1, json_brief(value)));
    }
    // An entry that is not spelt in the byte alphabet is an added token that is listed here as
    // well.
    const std::optional<std::string> bytes = bytes_of_symbols(symbols);
    const auto reach = bytes ? Vocabulary::Reach::kBuildable : Vocabulary::Reach::kNamedOnly;
    TRY(vocabulary.add(id, bytes ? *bytes : symbols, reach));
  }
  return {};
}

Result<TokenId> Tokenizer::Impl::read_merge_part(std::string_view symbols, size_t index) const {
  const std::optional<std::string> bytes = bytes_of_symbols(symbols);
  const TokenId id = bytes ? vocabulary.find(*bytes) : kNoToken;
  if (id != kNoToken) return id;
  return Error(ErrorCode::kCorrupt,
               fmt::format("merge {}: {} is not in the vocabulary", index, quoted_name(symbols)));
}

Result<std::vector<Merge>> Tokenizer::Impl::read_merges(const json& model) const {
  const json& entries = member(model, "merges");
  if (!entries.is_array()) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("model: \"merges\" should be a list, found {}", entries.type_name()));
  }
  std::vector<Merge> merges;
  merges.reserve(entries.size());
  for (const json& entry : entries) {
    const size_t index = merges.size();
    TRY_ASSIGN(const auto parts, merge_parts(entry, index));
    Merge merge;
    TRY_ASSIGN(merge.left, read_merge_part(parts.first, index));
    TRY_ASSIGN(merge.right, read_merge_part(parts.second, index));
    const std::string joined = std::string(parts.first) + std::string(parts.second);
    TRY_ASSIGN(merge.joined, read_merge_part(joined, index));
    merges.push_back(merge);
  }
  return merges;
}

Result<void> Tokenizer::Impl::read_model(const json& model) {
  if (!model.is_object()) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("\"model\" should be an object, found {}", model.type_name()));
  }
  TRY(refuse_other_models(model));
  TRY_ASSIGN(const bool ignore_merges, bool_member(model, "ignore_merges", false, "model"));
  TRY(read_vocabulary(model));
  TRY_ASSIGN(const std::vector<Merge> merges, read_merges(model));
  TRY_ASSIGN(bpe, Bpe::create(vocabulary, merges, {.ignore_merges = ignore_merges}));
  return {};
}

Result<void> Tokenizer::Impl::read_added(const json& entry, const json& model_vocabulary) {
  TRY_ASSIGN(const std::string_view content, string_member(entry, "content", "added_tokens"));
  const std::string what = "added token " + quoted_name(content);
  if (content.empty() || content.size() > kAddedTokenBytesMax) {
    return Error(ErrorCode::kCorrupt, fmt::format("added token of {} bytes; 1 to {} are possible",
                                                  content.size(), kAddedTokenBytesMax));
  }
  for (const char* flag : {"lstrip", "rstrip", "single_word"}) {
    TRY_ASSIGN(const bool set, bool_member(entry, flag, false, what));
    if (set) return unknown_component(fmt::format("{}: {}", what, flag), "true", "false");
  }
  const json& id_value = member(entry, "id");
  const int64_t id = integer_or_minus_one(id_value);
  if (id < 0 || id >= kTokenIdEnd) {
    return Error(ErrorCode::kCorrupt, fmt::format("{}: id should be 0 to {}, found {}", what,
                                                  kTokenIdEnd - 1, json_brief(id_value)));
  }
  const auto token = static_cast<TokenId>(id);
  const auto listed = model_vocabulary.find(std::string(content));
  if (listed == model_vocabulary.end()) {
    TRY(vocabulary.add(id, content, Vocabulary::Reach::kNamedOnly));
  } else if (integer_or_minus_one(*listed) != id) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("{}: id {} here, {} in the vocabulary", what, id, listed->dump()));
  }
  TRY_ASSIGN(const bool is_special, bool_member(entry, "special", false, what));
  TRY_ASSIGN(const bool normalised, bool_member(entry, "normalized", !is_special, what));
  if (!normalised) raw_added.add(content, token, is_special);
  if (normalised && normalizer == Normalizer::kNfc) {
    normalised_added.add(to_nfc(content), token, is_special);
  } else if (normalised) {
    normalised_added.add(content, token, is_special);
  }
  if (special.size() <= static_cast<size_t>(token)) special.resize(static_cast<size_t>(token) + 1);
  special[static_cast<size_t>(token)] = is_special;
  if (is_special) special_ids.emplace(content, token);
  return {};
}

Result<void> Tokenizer::Impl::read(const json& file) {
  if (!file.is_object()) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("should be a JSON object, found {}", file.type_name()));
  }
  TRY_ASSIGN(normalizer, parse_normalizer(member(file, "normalizer")));
  TRY_ASSIGN(pre_tokenizer, PreTokenizer::parse(member(file, "pre_tokenizer")));
  TRY(refuse_other_post_processors(member(file, "post_processor")));
  TRY(refuse_other_decoders(member(file, "decoder")));
  const json& model = member(file, "model");
  TRY(read_model(model));
  const json& added = member(file, "added_tokens");
  if (!added.is_array() && !added.is_null()) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("\"added_tokens\" should be a list, found {}", added.type_name()));
  }
  for (const json& entry : added) TRY(read_added(entry, member(model, "vocab")));
  return {};
}

void Tokenizer::Impl::encode_raw(std::string_view text, SpecialTokens mode,
                                 std::vector<TokenId>& ids) const {
  size_t position = 0;
  while (position < text.size()) {
    const AddedTokens::Match match = raw_added.find(text, position, mode);
    const size_t gap_end = match.size > 0 ? match.begin : text.size();
    encode_gap(text.substr(position, gap_end - position), mode, ids);
    if (match.size == 0) break;
    ids.push_back(match.id);
    position = match.begin + match.size;
  }
}

void Tokenizer::Impl::encode_gap(std::string_view text, SpecialTokens mode,
                                 std::vector<TokenId>& ids) const {
  std::string normalised;
  if (normalizer == Normalizer::kNfc) {
    normalised = to_nfc(text);
    text = normalised;
  }
  size_t position = 0;
  while (position < text.size()) {
    const AddedTokens::Match match = normalised_added.find(text, position, mode);
    const size_t gap_end = match.size > 0 ? match.begin : text.size();
    encode_plain(text.substr(position, gap_end - position), ids);
    if (match.size == 0) break;
    ids.push_back(match.id);
    position = match.begin + match.size;
  }
}

void Tokenizer::Impl::encode_plain(std::string_view text, std::vector<TokenId>& ids) const {
  PreTokenizer::Pieces pieces;
  pre_tokenizer->split(text, pieces);
  for (const std::string_view piece : pieces.views) bpe->append(piece, ids);
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::load(const std::string& path) {
  TRY_ASSIGN(const std::string text, read_file(path, kFileBytesMax));
  Result<Tokenizer> tokenizer = from_json(text);
  if (!tokenizer) return std::move(tokenizer).error().context(path);
  return tokenizer;
}

Result<Tokenizer> Tokenizer::from_json(std::string_view text) {
  TRY_ASSIGN(const json file, parse_json(text));
  return from_description(file);
}

Result<Tokenizer> Tokenizer::from_description(const json& description) {
  auto impl = std::make_unique<Impl>();
  TRY(impl->read(description));
  return Tokenizer(std::move(impl));
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, SpecialTokens special) const {
  std::string valid;
  if (!utf8_is_valid(text)) {
    valid = utf8_sanitize(text);
    text = valid;
  }
  std::vector<TokenId> ids;
  impl_->encode_raw(text, special, ids);
  return ids;
}

std::string_view Tokenizer::token_bytes(TokenId id) const {
  return impl_->vocabulary.bytes(id);
}

std::string Tokenizer::decode(const std::vector<TokenId>& ids) const {
  std::string text;
  for (const TokenId id : ids) text += token_bytes(id);
  return text;
}

std::optional<TokenId> Tokenizer::special_token(std::string_view content) const {
  const auto found = impl_->special_ids.find(std::string(content));
  if (found == impl_->special_ids.end()) return std::nullopt;
  return found->second;
}

bool Tokenizer::is_special(TokenId id) const {
  return id >= 0 && static_cast<size_t>(id) < impl_->special.size() &&
         impl_->special[static_cast<size_t>(id)];
}

TokenId Tokenizer::vocab_size() const {
  return impl_->vocabulary.end();
}

std::string StreamDecoder::push(TokenId id) {
  pending_ += tokenizer_.token_bytes(id);
  // A lead byte always begins a new character, so only the last one can begin an unfinished one.
  size_t held = 0;
  for (size_t size = 1; size <= 3 && size <= pending_.size(); ++size) {
    const std::string_view tail = std::string_view(pending_).substr(pending_.size() - size);
    if (utf8_character_size(tail) == -static_cast<int>(size)) held = size;
  }
  const size_t whole = pending_.size() - held;
  std::string text = utf8_sanitize(std::string_view(pending_).substr(0, whole));
  pending_.erase(0, whole);
  return text;
}

std::string StreamDecoder::finish() {
  const bool cut = !pending_.empty();
  pending_.clear();
  return cut ? std::string(kReplacement) : std::string();
}

}  // namespace levin::engine
