// A maze as a graph, and how it is read from a picture without help from its author.
//   thin walls : lines between rooms; the cells are the rooms.
//   thick walls: a room-sized tile is wall or floor; the cells are the floor tiles.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "tools/web/image.h"

namespace levin::tools::web {

enum Direction { kNorth = 0, kEast = 1, kSouth = 2, kWest = 3 };

struct Span {
  int begin = 0;  // First pixel.
  int end = 0;    // One behind the last.
};

struct MazeGrid {
  int columns = 0;
  int rows = 0;
  bool tiles = false;
  std::vector<bool> exists;                  // [rows * columns]; a wall tile is no cell.
  std::vector<std::array<bool, 4>> passage;  // [rows * columns], by Direction.
  // Where the inside of each column and row of cells is in the picture; empty when the grid came
  // from window.__maze.
  std::vector<Span> x;
  std::vector<Span> y;
  uint32_t wall_colour = 0;

  int size() const { return columns * rows; }
  int num_cells() const;
  int num_passages() const;
  // -1 beyond the edge.
  int neighbour(int cell, int direction) const;
  std::string place(int cell) const;  // "(x, y)"
  bool same_walls(const MazeGrid& other) const;
};

// Absent when no regular grid of at least 4 x 4 is in the picture.
std::optional<MazeGrid> recover_grid(const Image& image);

// From {cells: rows of [north, east, south, west]}. Errors say which wall is on one side only.
Result<MazeGrid> grid_of(const Json& cells);

// Steps from `start` to each cell, -1 where there is no way. Breadth first.
std::vector<int> distances(const MazeGrid& grid, int start);

}  // namespace levin::tools::web
