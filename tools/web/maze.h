// A maze app under test: its maze, its ends, and what solving it drew.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/web/maze_drawing.h"
#include "tools/web/maze_grid.h"
#include "tools/web/page.h"

namespace levin::tools::web {

struct VisitCount {
  int visited = 0;
  int breadth_first_min = 0;  // Cells that breadth first search looks at, at least and at most.
  int breadth_first_max = 0;
  int too_far = -1;  // A visited cell that lies further away than the goal.
  int skipped = 0;   // Cells that A* has to look at, whatever it guesses, and that were not visited.
  int skipped_cell = -1;
  int needed = 0;    // All such cells.
};

// A text that is returned is empty, or says what was expected and what was found.
class MazeApp {
 public:
  // Of a page as it was just loaded.
  explicit MazeApp(Page& page) : page_(page) {}
  // Of the same page after its button for a new maze was pressed.
  MazeApp(Page& page, const MazeApp& before)
      : page_(page), solves_itself_(before.solves_itself_), is_loaded_(false) {}

  // Waits until the maze is drawn, presses the button for one where none is, finds start and end.
  Result<std::string> read_maze();
  // An app that needs no button to solve its mazes: they are read before it begins.
  bool solves_itself() const { return solves_itself_; }
  // Has it solve: presses the button, or loads the page anew where none is needed.
  Result<std::string> start_solving();
  // After read_maze(): solves and waits for the end.
  Result<std::string> solve();
  // The picture as it is now, compared with the unsolved one.
  Result<std::string> read_solution();

  Result<Image> picture();
  // Equal marks: nothing was drawn between them.
  Result<std::string> mark();
  // Lets time pass until nothing changes any more; false when it still does.
  Result<bool> settle(double most_ms);

  std::string reach_problem() const;
  std::string path_problem() const;
  VisitCount count_visits() const;
  void count_needed(const std::vector<int>& steps, int shortest, VisitCount* count) const;

  const MazeGrid& grid() const { return grid_; }
  const Image& empty() const { return empty_; }
  const DrawnSolution& solution() const { return solution_; }
  int start() const { return start_; }
  int goal() const { return goal_; }
  const std::vector<int>& visited() const;

 private:
  Result<Json> exposed();
  int cell_of(const Json& point) const;
  Result<std::string> read_settled();
  Result<std::string> press_solve();
  Result<std::string> find_ends();
  std::string sequence_problem(const std::vector<int>& path) const;

  Page& page_;
  bool solves_itself_ = false;
  bool is_loaded_ = true;
  size_t marked_ = 0;  // Cells that look different from the others.
  MazeGrid grid_;
  Image empty_;  // Before solving.
  Json told_;    // window.__maze, null where there is none.
  int start_ = -1;
  int goal_ = -1;
  DrawnSolution solution_;
  std::optional<DrawnSolution> told_solution_;
};

}  // namespace levin::tools::web
