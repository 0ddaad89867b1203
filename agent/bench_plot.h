// A plot of speed against context, as SVG.
#pragma once

#include <string>
#include <vector>

#include "agent/bench_run.h"

namespace levin::agent {

// One line per number of threads: decode solid, prefill dashed; both axes logarithmic (depth 0
// stands at the left edge).
std::string plot_svg(const std::vector<BenchFigure>& figures);

}  // namespace levin::agent
