// What is drawn into the cells of a maze: marks, visited cells, a path.
#pragma once

#include <string>
#include <vector>

#include "tools/web/maze_grid.h"

namespace levin::tools::web {

struct DrawnSolution {
  std::vector<int> changed;  // Cells that look different from before.
  std::vector<int> visited;  // Those that a search went through, the path and its ends included.
  std::vector<int> path;     // In order from start to goal; empty when there is none.
  std::string problem;       // Then: why.
};

// Cells that look different from most others.
std::vector<int> marked_cells(const MazeGrid& grid, const Image& image);

// Cells at gaps of the outer wall.
std::vector<int> border_openings(const MazeGrid& grid, const Image& image);

// How many cells look different.
int count_changed(const MazeGrid& grid, const Image& before, const Image& after);

DrawnSolution read_drawing(const MazeGrid& grid, const Image& before, const Image& after, int start,
                           int goal);

}  // namespace levin::tools::web
