#include "tools/index/tagger.h"

#include <tree_sitter/api.h>
#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "tools/index/parser.h"
#include "tools/index/tag_query.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

constexpr size_t kNameBytesMin = 3;  // `i`, `ok` say nothing about who needs whom.
constexpr size_t kTellingBytesMin = 8;
constexpr double kTellingFactor = 3;
constexpr double kPrivateFactor = 0.3;
constexpr double kMemberFactor = 0.3;  // `object.size()` may be anybody's.
constexpr double kWeightUnit = 8;      // Of Reference::weight, per single mention of a plain name.

// A longer name of several words is rarely met by chance.
bool is_telling(std::string_view name) {
  if (name.size() < kTellingBytesMin) return false;
  if (name.find('_', 1) != std::string_view::npos || name.find('-') != std::string_view::npos) {
    return true;
  }
  const auto is_big = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto big = std::count_if(name.begin() + 1, name.end(), is_big);
  return big > 0 && static_cast<size_t>(big) + 1 < name.size();
}

uint8_t reference_weight(std::string_view name, double count) {
  double weight = kWeightUnit * std::sqrt(count);
  if (is_telling(name)) weight *= kTellingFactor;
  if (name.front() == '_') weight *= kPrivateFactor;
  return static_cast<uint8_t>(std::clamp(weight, 1.0, 255.0));
}

using Mentions = std::unordered_map<std::string_view, double>;

// Finds definitions and references in the trees of a text's pieces.
class Collector {
 public:
  explicit Collector(Family family) : family_(family) {}

  // The next piece. Pieces follow each other in one text.
  void begin(std::string_view piece) {
    bytes_before_ += static_cast<uint32_t>(content_.size());
    lines_before_ += static_cast<uint32_t>(std::count(content_.begin(), content_.end(), '\n'));
    content_ = piece;
  }

  // Returns false when time is up.
  bool collect(const TagQuery& query, TSQueryCursor* cursor, TSNode root) {
    ts_query_cursor_set_match_limit(cursor, kMatchesAtOnceMax);
    ts_query_cursor_exec(cursor, query.query(), root);
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::microseconds(kParseMicrosecondsMax);
    TSQueryMatch match;
    for (size_t count = 0; ts_query_cursor_next_match(cursor, &match); ++count) {
      if (count % 1024 == 1023 && std::chrono::steady_clock::now() > end) return false;
      if (query.holds(match, content_)) take(query, match);
    }
    return true;
  }

  Tags finish() {
    Tags tags;
    // One place may match several patterns: the kind of the first in the file of queries counts.
    std::stable_sort(definitions_.begin(), definitions_.end(), [](const Found& a, const Found& b) {
      return a.place != b.place ? a.place < b.place : a.pattern < b.pattern;
    });
    for (Found& found : definitions_) {
      if (!tags.definitions.empty() && found.place == last_place_) continue;
      if (tags.definitions.size() == kDefinitionsMax) break;
      last_place_ = found.place;
      tags.defined_hashes.push_back(definition_hash(found.definition, family_));
      tags.definitions.push_back(std::move(found.definition));
    }
    std::sort(tags.defined_hashes.begin(), tags.defined_hashes.end());
    tags.defined_hashes.erase(std::unique(tags.defined_hashes.begin(), tags.defined_hashes.end()),
                              tags.defined_hashes.end());
    add_references(tags);
    return tags;
  }

 private:
  struct Found {
    uint32_t place;
    uint16_t pattern;
    Definition definition;
  };

  void take(const TagQuery& query, const TSQueryMatch& match) {
    const TSNode* name = nullptr;
    std::optional<uint8_t> kind;
    for (uint16_t at = 0; at < match.capture_count; ++at) {
      const Capture& capture = query.capture(match.captures[at].index);
      const TSNode& node = match.captures[at].node;
      if (capture.role == Capture::Role::kDefinition) kind = capture.kind;
      if (capture.role == Capture::Role::kReference)
        refer(node_text(node, content_), capture.shape);
      if (capture.role == Capture::Role::kName &&
          has_shape(node_text(node, content_), capture.shape)) {
        name = &node;
      }
    }
    if (name != nullptr && kind) define(*name, *kind, match.pattern_index);
  }

  void define(TSNode node, uint8_t kind, uint16_t pattern) {
    const std::string_view name = node_text(node, content_);
    if (name.empty() || name.size() > kNameBytesMax) return;
    const uint32_t line = lines_before_ + ts_node_start_point(node).row + 1;
    definitions_.push_back(
        {bytes_before_ + ts_node_start_byte(node), pattern, {std::string(name), kind, line}});
  }

  void refer(std::string_view text, NameShape shape) {
    if (shape != NameShape::kWords) {
      if (has_shape(text, shape)) count(text, shape);
      return;
    }
    constexpr std::string_view kBlanks = " \t\r\n";
    for (size_t begin = text.find_first_not_of(kBlanks); begin != std::string_view::npos;) {
      const size_t end = std::min(text.find_first_of(kBlanks, begin), text.size());
      count(text.substr(begin, end - begin), shape);
      begin = text.find_first_not_of(kBlanks, end);
    }
  }

  void count(std::string_view name, NameShape shape) {
    if (name.size() < kNameBytesMin || name.size() > kNameBytesMax) return;
    if (shape != NameShape::kType) {
      values_[name] += shape == NameShape::kMember ? kMemberFactor * kMemberFactor : 1;
    }
    if (shape == NameShape::kType || shape == NameShape::kAny) ++types_[name];
  }

  void add_mentions(Tags& tags, const Mentions& mentions, bool is_type) const {
    for (const auto& [name, count] : mentions) {
      const uint32_t hash = name_hash(name, family_, is_type);
      if (std::binary_search(tags.defined_hashes.begin(), tags.defined_hashes.end(), hash)) {
        continue;
      }
      tags.references.push_back({hash, reference_weight(name, count)});
    }
  }

  void add_references(Tags& tags) const {
    add_mentions(tags, values_, false);
    add_mentions(tags, types_, true);
    std::sort(tags.references.begin(), tags.references.end(),
              [](const Reference& a, const Reference& b) {
                return a.weight != b.weight ? a.weight > b.weight : a.name_hash < b.name_hash;
              });
    if (tags.references.size() > kReferencesMax) tags.references.resize(kReferencesMax);
    std::sort(tags.references.begin(), tags.references.end(),
              [](const Reference& a, const Reference& b) { return a.name_hash < b.name_hash; });
  }

  std::string_view content_;  // The piece.
  uint32_t bytes_before_ = 0;
  uint32_t lines_before_ = 0;
  Family family_;
  std::vector<Found> definitions_;
  uint32_t last_place_ = 0;
  Mentions values_;
  Mentions types_;
};

struct FreeCursor {
  void operator()(TSQueryCursor* cursor) const { ts_query_cursor_delete(cursor); }
};

}  // namespace

struct Tagger::State {
  SyntaxParser parser;
  std::unique_ptr<TSQueryCursor, FreeCursor> cursor{ts_query_cursor_new()};
  std::unordered_map<const Language*, std::vector<TagQuery>> queries;

  const std::vector<TagQuery>& queries_of(const Language& language) {
    const auto [place, is_new] = queries.try_emplace(&language);
    if (!is_new) return place->second;
    for (const std::string_view text : language.queries) {
      Result<TagQuery> query = TagQuery::compile(language, text);
      if (query) place->second.push_back(*std::move(query));
    }
    return place->second;
  }
};

Tagger::Tagger() : state_(std::make_unique<State>()) {}
Tagger::~Tagger() = default;
Tagger::Tagger(Tagger&&) noexcept = default;
Tagger& Tagger::operator=(Tagger&&) noexcept = default;

Tags Tagger::tag(const Language& language, std::string_view content) {
  Tags tags;
  if (content.size() > kIndexedBytesMax) {
    tags.state = FileState::kTooLarge;
  } else if (looks_binary(content)) {
    tags.state = FileState::kBinary;
  }
  if (tags.state != FileState::kTagged) return tags;
  Collector collector(language.family);
  const std::vector<std::string_view> pieces = parsed_pieces(content);
  bool whole = !pieces.empty();
  for (const std::string_view piece : pieces) {
    const Language* read_as = &language;
    const SyntaxTree tree = whole ? state_->parser.parse_best(read_as, piece) : nullptr;
    whole = tree && is_fit_for_queries(tree.get());
    if (!whole) break;
    collector.begin(piece);
    for (const TagQuery& query : state_->queries_of(*read_as)) {
      whole =
          whole && collector.collect(query, state_->cursor.get(), ts_tree_root_node(tree.get()));
    }
  }
  if (!whole) {
    tags.state = FileState::kGaveUp;
    return tags;
  }
  return collector.finish();
}

uint32_t name_hash(std::string_view name, Family family, bool is_type) {
  return XXH32(name.data(), name.size(), 2 * static_cast<uint32_t>(family) + (is_type ? 1 : 0));
}

uint32_t definition_hash(const Definition& definition, Family family) {
  return name_hash(definition.name, family, is_type_kind(definition.kind));
}

Result<void> check_queries() {
  for (const Language& language : all_languages()) {
    for (const std::string_view text : language.queries) {
      if (text.empty()) {
        return Error(ErrorCode::kNotFound, "no query for " + std::string(language.name));
      }
      const Result<TagQuery> query = TagQuery::compile(language, text);
      if (!query) return query.error();
    }
  }
  return {};
}

}  // namespace levin::tools
