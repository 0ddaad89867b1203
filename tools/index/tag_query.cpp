#include "tools/index/tag_query.h"

#include <algorithm>
#include <array>

#include "tools/index/tagger.h"

namespace levin::tools {
namespace {

// Stored by their place: new ones go to the end.
constexpr std::array<std::string_view, 22> kKinds = {
    "function",  "method",   "class",     "struct",      "union",    "enum",
    "interface", "trait",    "type",      "field",       "constant", "macro",
    "module",    "variable", "namespace", "declaration", "key",      "id",
    "selector",  "property", "keyframes", "label"};

constexpr std::array<std::pair<std::string_view, NameShape>, 7> kShapes = {{
    {"", NameShape::kAny},
    {"constant", NameShape::kConstant},
    {"capital", NameShape::kCapital},
    {"custom", NameShape::kCustom},
    {"words", NameShape::kWords},
    {"type", NameShape::kType},
    {"member", NameShape::kMember},
}};

bool is_small(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_big(char c) {
  return c >= 'A' && c <= 'Z';
}

std::string_view value_of(const TSQuery* query, uint32_t id) {
  uint32_t size = 0;
  const char* const text = ts_query_string_value_for_id(query, id, &size);
  return {text, size};
}

Error problem(const std::string& what) {
  return Error(ErrorCode::kCorrupt, what);
}

}  // namespace

std::vector<std::string_view> kind_names() {
  return {kKinds.begin(), kKinds.end()};
}

bool is_type_kind(uint8_t kind) {
  static constexpr std::array<std::string_view, 7> kTypes = {"class",     "struct", "union", "enum",
                                                             "interface", "trait",  "type"};
  return std::find(kTypes.begin(), kTypes.end(), kKinds[kind]) != kTypes.end();
}

bool has_shape(std::string_view name, NameShape shape) {
  switch (shape) {
    case NameShape::kConstant:
      return std::any_of(name.begin(), name.end(), is_big) &&
             std::none_of(name.begin(), name.end(), is_small);
    case NameShape::kCapital:
      return !name.empty() && is_big(name.front());
    case NameShape::kCustom:
      return name.starts_with("--");
    case NameShape::kAny:
    case NameShape::kWords:
    case NameShape::kType:
    case NameShape::kMember:
      break;
  }
  return true;
}

std::string_view node_text(TSNode node, std::string_view content) {
  const size_t begin = std::min<size_t>(ts_node_start_byte(node), content.size());
  const size_t end = std::min<size_t>(ts_node_end_byte(node), content.size());
  return content.substr(begin, end - begin);
}

Result<TagQuery> TagQuery::compile(const Language& language, std::string_view text) {
  uint32_t place = 0;
  TSQueryError kind = TSQueryErrorNone;
  TagQuery query;
  query.query_.reset(ts_query_new(language.grammar(), text.data(),
                                  static_cast<uint32_t>(text.size()), &place, &kind));
  if (!query.query_) {
    return problem("a query of " + std::string(language.name) + " is refused (kind " +
                   std::to_string(kind) + ") at: " + std::string(text.substr(place, 60)));
  }
  TRY(query.understand_captures());
  TRY(query.understand_predicates());
  return query;
}

Result<void> TagQuery::understand_captures() {
  for (uint32_t id = 0; id < ts_query_capture_count(query_.get()); ++id) {
    uint32_t size = 0;
    const char* const text = ts_query_capture_name_for_id(query_.get(), id, &size);
    const std::string_view name(text, size);
    const size_t dot = std::min(name.find('.'), name.size());
    const std::string_view role = name.substr(0, dot);
    const std::string_view rest = name.substr(std::min(dot + 1, name.size()));
    Capture capture;
    if (role == "definition") {
      capture.role = Capture::Role::kDefinition;
      const auto kind = std::find(kKinds.begin(), kKinds.end(), rest);
      if (kind == kKinds.end()) return problem("unknown kind in @" + std::string(name));
      capture.kind = static_cast<uint8_t>(kind - kKinds.begin());
    } else if (role == "name" || role == "reference") {
      capture.role = role == "name" ? Capture::Role::kName : Capture::Role::kReference;
      const auto shape = std::find_if(kShapes.begin(), kShapes.end(),
                                      [&](const auto& known) { return known.first == rest; });
      if (shape == kShapes.end()) return problem("unknown shape in @" + std::string(name));
      capture.shape = shape->second;
    }
    captures_.push_back(capture);
  }
  return {};
}

Result<void> TagQuery::understand_predicates() {
  equalities_.resize(ts_query_pattern_count(query_.get()));
  for (uint32_t pattern = 0; pattern < equalities_.size(); ++pattern) {
    uint32_t count = 0;
    const TSQueryPredicateStep* const steps =
        ts_query_predicates_for_pattern(query_.get(), pattern, &count);
    for (uint32_t at = 0; at < count; at += 4) {
      // #eq? @capture "text", and the mark of its end.
      if (at + 3 >= count || steps[at].type != TSQueryPredicateStepTypeString ||
          value_of(query_.get(), steps[at].value_id) != "eq?" ||
          steps[at + 1].type != TSQueryPredicateStepTypeCapture ||
          steps[at + 2].type != TSQueryPredicateStepTypeString ||
          steps[at + 3].type != TSQueryPredicateStepTypeDone) {
        return problem("a predicate other than #eq? @capture \"text\"");
      }
      equalities_[pattern].push_back(
          {steps[at + 1].value_id, std::string(value_of(query_.get(), steps[at + 2].value_id))});
    }
  }
  return {};
}

bool TagQuery::holds(const TSQueryMatch& match, std::string_view content) const {
  for (const Equality& equality : equalities_[match.pattern_index]) {
    for (uint16_t at = 0; at < match.capture_count; ++at) {
      if (match.captures[at].index != equality.capture) continue;
      if (node_text(match.captures[at].node, content) != equality.text) return false;
    }
  }
  return true;
}

}  // namespace levin::tools
