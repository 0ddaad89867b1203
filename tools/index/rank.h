// Personalised PageRank over the reference graph.
#pragma once

#include <vector>

#include "tools/index/graph.h"

namespace levin::tools {

inline constexpr float kDamping = 0.85f;  // Share of a file's rank that goes on to what it uses.
inline constexpr int kSweepsMax = 100;

// Ranks of files: the fixed point of rank = (1 - kDamping) * preference + kDamping * (what others
// give), found by pushing what is missing until no file lacks a thousandth of the average. So a
// start near the fixed point costs little, and the result depends on the start by less than that.
//   preference : [files], adds up to 1: where attention begins.
//   ranks      : [files], in/out; zero means "nothing known". Not scaled: files without references
//                keep what they would give.
// Cost: a pass over all edges, then per sweep a pass over the edges of files that still lack rank.
void compute_ranks(const ReferenceGraph& graph, const std::vector<float>& preference,
                   std::vector<float>& ranks);

// Attention that reaches each name from the files that use it. [names]
std::vector<float> name_attention(const ReferenceGraph& graph, const std::vector<float>& ranks);

}  // namespace levin::tools
