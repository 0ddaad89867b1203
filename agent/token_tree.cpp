#include "agent/token_tree.h"

#include <algorithm>

#include "base/check.h"

namespace levin::agent {

std::vector<engine::TokenId> TokenTree::log() const {
  std::vector<engine::TokenId> ids(here_.length);
  size_t end = here_.length;
  for (size_t index = here_.segment; end > 0; index = segments_[index].parent) {
    const Segment& segment = segments_[index];
    if (segment.begin >= end) continue;
    std::copy_n(segment.ids.begin(), end - segment.begin,
                ids.begin() + static_cast<std::ptrdiff_t>(segment.begin));
    end = segment.begin;
  }
  return ids;
}

void TokenTree::append(const std::vector<engine::TokenId>& ids) {
  if (ids.empty()) return;
  const Segment& now = segments_[here_.segment];
  if (now.begin + now.ids.size() != here_.length) {  // Another branch goes on from here.
    segments_.push_back({here_.segment, here_.length, {}});
    here_.segment = segments_.size() - 1;
  }
  std::vector<engine::TokenId>& tail = segments_[here_.segment].ids;
  tail.insert(tail.end(), ids.begin(), ids.end());
  here_.length += ids.size();
}

void TokenTree::cut(size_t length) {
  CHECK(length <= here_.length, length, here_.length);
  here_.length = length;
  while (here_.segment != 0 && segments_[here_.segment].begin >= length) {
    here_.segment = segments_[here_.segment].parent;
  }
}

}  // namespace levin::agent
