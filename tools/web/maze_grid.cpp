// The graph side of maze_grid.h.
#include "tools/web/maze_grid.h"

#include <algorithm>
#include <deque>

namespace levin::tools::web {
namespace {

constexpr int kDx[4] = {0, 1, 0, -1};
constexpr int kDy[4] = {-1, 0, 1, 0};
constexpr size_t kSideMax = 500;

bool is_wall(const Json& value) { return value == true || value == 1; }

}  // namespace

int MazeGrid::num_cells() const {
  return static_cast<int>(std::count(exists.begin(), exists.end(), true));
}

int MazeGrid::num_passages() const {
  int count = 0;
  for (const auto& each : passage) count += (each[kEast] ? 1 : 0) + (each[kSouth] ? 1 : 0);
  return count;
}

int MazeGrid::neighbour(int cell, int direction) const {
  const int nx = cell % columns + kDx[direction];
  const int ny = cell / columns + kDy[direction];
  return nx < 0 || ny < 0 || nx >= columns || ny >= rows ? -1 : ny * columns + nx;
}

std::string MazeGrid::place(int cell) const {
  return "(" + std::to_string(cell % columns) + ", " + std::to_string(cell / columns) + ")";
}

bool MazeGrid::same_walls(const MazeGrid& other) const {
  return columns == other.columns && rows == other.rows && exists == other.exists &&
         passage == other.passage;
}

Result<MazeGrid> grid_of(const Json& cells) {
  const Error malformed(ErrorCode::kInvalidArgument,
                        "window.__maze.cells is not rows of [north, east, south, west]");
  if (!cells.is_array() || cells.empty() || !cells[0].is_array() || cells[0].empty()) return malformed;
  MazeGrid grid;
  if (cells.size() > kSideMax || cells[0].size() > kSideMax) return malformed;
  grid.rows = static_cast<int>(cells.size());
  grid.columns = static_cast<int>(cells[0].size());
  grid.exists.assign(static_cast<size_t>(grid.size()), true);
  grid.passage.assign(static_cast<size_t>(grid.size()), {false, false, false, false});
  std::vector<std::array<bool, 4>> wall(static_cast<size_t>(grid.size()));
  for (size_t y = 0; y < cells.size(); ++y) {
    if (!cells[y].is_array() || cells[y].size() != cells[0].size()) return malformed;
    for (size_t x = 0; x < cells[y].size(); ++x) {
      const Json& cell = cells[y][x];
      if (!cell.is_array() || cell.size() != 4) return malformed;
      for (size_t d = 0; d < 4; ++d) wall[y * cells[0].size() + x][d] = is_wall(cell[d]);
    }
  }
  for (int cell = 0; cell < grid.size(); ++cell) {
    for (int d = 0; d < 4; ++d) {
      const int next = grid.neighbour(cell, d);
      const bool here = wall[static_cast<size_t>(cell)][static_cast<size_t>(d)];
      if (next < 0) continue;  // An opening in the outer wall leads nowhere.
      if (here != wall[static_cast<size_t>(next)][static_cast<size_t>((d + 2) % 4)]) {
        return Error(ErrorCode::kInvalidArgument, "the wall between " + grid.place(cell) + " and " +
                                                      grid.place(next) + " is there on one side only");
      }
      grid.passage[static_cast<size_t>(cell)][static_cast<size_t>(d)] = !here;
    }
  }
  return grid;
}

std::vector<int> distances(const MazeGrid& grid, int start) {
  std::vector<int> steps(static_cast<size_t>(grid.size()), -1);
  std::deque<int> queue = {start};
  steps[static_cast<size_t>(start)] = 0;
  while (!queue.empty()) {
    const int cell = queue.front();
    queue.pop_front();
    for (int d = 0; d < 4; ++d) {
      const int next = grid.neighbour(cell, d);
      if (next < 0 || !grid.passage[static_cast<size_t>(cell)][static_cast<size_t>(d)]) continue;
      if (steps[static_cast<size_t>(next)] >= 0) continue;
      steps[static_cast<size_t>(next)] = steps[static_cast<size_t>(cell)] + 1;
      queue.push_back(next);
    }
  }
  return steps;
}

}  // namespace levin::tools::web
