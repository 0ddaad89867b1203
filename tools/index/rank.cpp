#include "tools/index/rank.h"

#include <cmath>

namespace levin::tools {
namespace {

constexpr float kLackMax = 1e-3f;  // Of the average rank.

void give_to_names(const ReferenceGraph& graph, size_t file, float amount,
                   std::vector<float>& names) {
  for (uint32_t at = graph.reference_begin[file]; at < graph.reference_begin[file + 1]; ++at) {
    names[graph.reference_name[at]] += amount * graph.reference_share[at];
  }
}

// Hands what names got to their definers, in equal parts, and empties `names`.
void give_to_definers(const ReferenceGraph& graph, std::vector<float>& names,
                      std::vector<float>& files) {
  for (size_t name = 0; name < graph.name_count(); ++name) {
    if (names[name] == 0) continue;
    const uint32_t begin = graph.definer_begin[name];
    const uint32_t end = graph.definer_begin[name + 1];
    const float part = names[name] / static_cast<float>(end - begin);
    for (uint32_t at = begin; at < end; ++at) files[graph.definer[at]] += part;
    names[name] = 0;
  }
}

}  // namespace

void compute_ranks(const ReferenceGraph& graph, const std::vector<float>& preference,
                   std::vector<float>& ranks) {
  const size_t file_count = graph.file_count();
  std::vector<float> names(graph.name_count(), 0);
  std::vector<float> lack(file_count, 0);
  for (size_t file = 0; file < file_count; ++file) {
    if (ranks[file] != 0) give_to_names(graph, file, kDamping * ranks[file], names);
  }
  give_to_definers(graph, names, lack);
  for (size_t file = 0; file < file_count; ++file) {
    lack[file] += (1 - kDamping) * preference[file] - ranks[file];
  }
  const float lack_max = kLackMax / static_cast<float>(std::max<size_t>(file_count, 1));
  for (int sweep = 0; sweep < kSweepsMax; ++sweep) {
    bool any = false;
    for (size_t file = 0; file < file_count; ++file) {
      if (std::abs(lack[file]) <= lack_max) continue;
      any = true;
      ranks[file] += lack[file];
      give_to_names(graph, file, kDamping * lack[file], names);
      lack[file] = 0;
    }
    if (!any) return;
    give_to_definers(graph, names, lack);
  }
}

std::vector<float> name_attention(const ReferenceGraph& graph, const std::vector<float>& ranks) {
  std::vector<float> names(graph.name_count(), 0);
  for (size_t file = 0; file < graph.file_count(); ++file) {
    give_to_names(graph, file, ranks[file], names);
  }
  return names;
}

}  // namespace levin::tools
