#include "tools/web/maze_drawing.h"

#include <algorithm>
#include <map>
#include <set>

namespace levin::tools::web {
namespace {

constexpr double kMarkedShare = 0.06;  // Of a cell's inside; a dot counts, a smoothed corner does not.
constexpr size_t kPathColoursMax = 12;

// The inside without the pixels beside the walls, which smoothing tints.
Span inside(Span span) {
  const int size = span.end - span.begin;
  const int cut = size >= 6 ? std::max(1, size / 8) : 0;
  return {span.begin + cut, span.end - cut};
}

Span middle(Span span) {
  const int size = span.end - span.begin;
  const int half = std::max(1, size / 6);
  const int centre = span.begin + size / 2;
  return {std::max(span.begin, centre - half), std::min(span.end, centre + half + 1)};
}

template <typename Visit>
void each_pixel(Span x, Span y, Visit visit) {
  for (int v = y.begin; v < y.end; ++v) {
    for (int u = x.begin; u < x.end; ++u) visit(u, v);
  }
}

int area(Span x, Span y) { return (x.end - x.begin) * (y.end - y.begin); }

Span column(const MazeGrid& grid, int cell) { return grid.x[static_cast<size_t>(cell % grid.columns)]; }
Span row(const MazeGrid& grid, int cell) { return grid.y[static_cast<size_t>(cell / grid.columns)]; }

// Commonest colour in the middles of the cells.
uint32_t floor_colour(const MazeGrid& grid, const Image& image) {
  std::map<uint32_t, int> tally;
  for (int cell = 0; cell < grid.size(); ++cell) {
    if (!grid.exists[static_cast<size_t>(cell)]) continue;
    const Span x = column(grid, cell);
    const Span y = row(grid, cell);
    ++tally[image.at((x.begin + x.end) / 2, (y.begin + y.end) / 2)];
  }
  uint32_t best = 0;
  int most = 0;
  for (const auto& [colour, times] : tally) {
    if (times > most) {
      most = times;
      best = colour;
    }
  }
  return best;
}

bool differs(const MazeGrid& grid, const Image& before, const Image& after, int cell) {
  const Span x = inside(column(grid, cell));
  const Span y = inside(row(grid, cell));
  int count = 0;
  each_pixel(x, y, [&](int u, int v) {
    count += colour_distance(before.at(u, v), after.at(u, v)) >= kSameColour ? 1 : 0;
  });
  return count >= kMarkedShare * area(x, y);
}

// Cells of `set` from start to goal by open ways, shortest; empty when they do not join.
std::vector<int> join(const MazeGrid& grid, const std::set<int>& set, int start, int goal, bool through_walls) {
  std::vector<int> from(static_cast<size_t>(grid.size()), -1);
  std::vector<int> queue = {start};
  from[static_cast<size_t>(start)] = start;
  for (size_t at = 0; at < queue.size(); ++at) {
    const int cell = queue[at];
    for (int d = 0; d < 4; ++d) {
      const int next = grid.neighbour(cell, d);
      if (next < 0 || !set.contains(next) || from[static_cast<size_t>(next)] >= 0) continue;
      if (!through_walls && !grid.passage[static_cast<size_t>(cell)][static_cast<size_t>(d)]) continue;
      from[static_cast<size_t>(next)] = cell;
      queue.push_back(next);
    }
  }
  std::vector<int> path;
  if (from[static_cast<size_t>(goal)] < 0) return path;
  for (int cell = goal; cell != start; cell = from[static_cast<size_t>(cell)]) path.push_back(cell);
  path.push_back(start);
  std::ranges::reverse(path);
  return path;
}

// Cells by a colour in their middles; near colours are one.
std::vector<std::pair<uint32_t, std::set<int>>> by_colour(const MazeGrid& grid, const Image& before,
                                                          const Image& after,
                                                          const std::vector<int>& changed) {
  std::vector<std::pair<uint32_t, std::set<int>>> groups;
  for (const int cell : changed) {
    std::set<uint32_t> seen;
    each_pixel(middle(column(grid, cell)), middle(row(grid, cell)), [&](int u, int v) {
      const uint32_t colour = after.at(u, v);
      if (colour_distance(before.at(u, v), colour) >= kSameColour) seen.insert(colour);
    });
    for (const uint32_t colour : seen) {
      auto found = std::ranges::find_if(groups, [&](const auto& group) {
        return colour_distance(group.first, colour) < kSameColour;
      });
      if (found == groups.end()) {
        groups.push_back({colour, {}});
        found = groups.end() - 1;
      }
      found->second.insert(cell);
    }
  }
  return groups;
}

// The path is the colour whose cells, with the two ends, are just a way from one to the other.
void find_path(const MazeGrid& grid, std::vector<std::pair<uint32_t, std::set<int>>> groups, int start,
               int goal, DrawnSolution* drawn) {
  std::ranges::sort(groups, {}, [](const auto& group) { return group.second.size(); });
  bool crosses = false;
  size_t extra = 0;
  size_t tried = 0;
  for (const auto& [colour, cells] : groups) {
    if (cells.size() < 2 || ++tried > kPathColoursMax) continue;
    std::set<int> set = cells;
    set.insert({start, goal});
    const std::vector<int> path = join(grid, set, start, goal, false);
    if (path.size() == set.size()) {
      drawn->path = path;
      return;
    }
    if (!path.empty() && extra == 0) extra = set.size() - path.size();
    if (path.empty() && join(grid, set, start, goal, true).size() == set.size()) crosses = true;
  }
  drawn->problem = crosses      ? "the drawn path crosses a wall"
                   : extra != 0 ? "no path from start to end stands out: the cells of one colour that join "
                                  "them hold " + std::to_string(extra) + " more"
                                : "no path is drawn that joins start and end";
}

// Without the cells that wait to be looked at: a small group of a colour of its own.
std::vector<int> visited_cells(const std::vector<std::pair<uint32_t, std::set<int>>>& groups,
                               const DrawnSolution& drawn, int start, int goal) {
  std::set<int> visited(drawn.path.begin(), drawn.path.end());
  visited.insert({start, goal});
  size_t rest = 0;
  const std::set<int>* largest = nullptr;
  for (const int cell : drawn.changed) rest += visited.contains(cell) ? 0 : 1;
  std::vector<std::set<int>> others;
  for (const auto& [colour, cells] : groups) {
    std::set<int> other;
    for (const int cell : cells) {
      if (!visited.contains(cell)) other.insert(cell);
    }
    others.push_back(std::move(other));
  }
  for (const std::set<int>& other : others) {
    if (largest == nullptr || other.size() > largest->size()) largest = &other;
  }
  if (largest != nullptr && largest->size() * 2 > rest) {
    visited.insert(largest->begin(), largest->end());
  } else {
    visited.insert(drawn.changed.begin(), drawn.changed.end());  // Shaded by distance or time.
  }
  return {visited.begin(), visited.end()};
}

}  // namespace

std::vector<int> marked_cells(const MazeGrid& grid, const Image& image) {
  const uint32_t floor = floor_colour(grid, image);
  std::vector<int> marked;
  for (int cell = 0; cell < grid.size(); ++cell) {
    if (!grid.exists[static_cast<size_t>(cell)]) continue;
    const Span x = inside(column(grid, cell));
    const Span y = inside(row(grid, cell));
    int count = 0;
    each_pixel(x, y, [&](int u, int v) {
      count += colour_distance(image.at(u, v), floor) >= kSameColour ? 1 : 0;
    });
    if (count >= kMarkedShare * area(x, y)) marked.push_back(cell);
  }
  return marked;
}

std::vector<int> border_openings(const MazeGrid& grid, const Image& image) {
  std::vector<int> open;
  for (int cell = 0; cell < grid.size(); ++cell) {
    const Span x = column(grid, cell);
    const Span y = row(grid, cell);
    const int cx = (x.begin + x.end) / 2;
    const int cy = (y.begin + y.end) / 2;
    const int outside[4][2] = {{cx, y.begin - 1}, {x.end, cy}, {cx, y.end}, {x.begin - 1, cy}};
    for (int d = 0; d < 4; ++d) {
      if (grid.neighbour(cell, d) >= 0) continue;
      const int u = outside[d][0];
      const int v = outside[d][1];
      if (u < 0 || v < 0 || u >= image.width || v >= image.height) continue;
      if (colour_distance(image.at(u, v), grid.wall_colour) >= kSameColour) {
        open.push_back(cell);
        break;
      }
    }
  }
  return open;
}

int count_changed(const MazeGrid& grid, const Image& before, const Image& after) {
  if (before.width != after.width || before.height != after.height) return 0;
  int count = 0;
  for (int cell = 0; cell < grid.size(); ++cell) {
    if (grid.exists[static_cast<size_t>(cell)] && differs(grid, before, after, cell)) ++count;
  }
  return count;
}

DrawnSolution read_drawing(const MazeGrid& grid, const Image& before, const Image& after, int start,
                           int goal) {
  DrawnSolution drawn;
  for (int cell = 0; cell < grid.size(); ++cell) {
    if (grid.exists[static_cast<size_t>(cell)] && differs(grid, before, after, cell)) {
      drawn.changed.push_back(cell);
    }
  }
  const auto groups = by_colour(grid, before, after, drawn.changed);
  find_path(grid, groups, start, goal, &drawn);
  drawn.visited = visited_cells(groups, drawn, start, goal);
  return drawn;
}

}  // namespace levin::tools::web
