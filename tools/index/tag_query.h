// A compiled query file with its captures understood.
#pragma once

#include <tree_sitter/api.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/index/languages.h"

namespace levin::tools {

enum class NameShape { kAny, kConstant, kCapital, kCustom, kWords, kType, kMember };

bool has_shape(std::string_view name, NameShape shape);

struct Capture {
  enum class Role { kOther, kName, kDefinition, kReference } role = Role::kOther;
  NameShape shape = NameShape::kAny;
  uint8_t kind = 0;  // Of a definition.
};

class TagQuery {
 public:
  // Errors: kCorrupt with the place in the text and what is wrong there.
  static Result<TagQuery> compile(const Language& language, std::string_view text);

  const TSQuery* query() const { return query_.get(); }
  const Capture& capture(uint32_t id) const { return captures_[id]; }
  // Whether the predicates of the match's pattern hold.
  bool holds(const TSQueryMatch& match, std::string_view content) const;

 private:
  struct Free {
    void operator()(TSQuery* query) const { ts_query_delete(query); }
  };
  struct Equality {
    uint32_t capture;
    std::string text;
  };

  Result<void> understand_captures();
  Result<void> understand_predicates();

  std::unique_ptr<TSQuery, Free> query_;
  std::vector<Capture> captures_;
  std::vector<std::vector<Equality>> equalities_;  // By pattern.
};

// The bytes of a node.
std::string_view node_text(TSNode node, std::string_view content);

}  // namespace levin::tools
