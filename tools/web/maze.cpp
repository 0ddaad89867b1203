// What a maze app with A* must do. The maze is read from its picture (maze_recover.cpp); what the
// page tells in window.__maze is believed only where it agrees with what is drawn.
#include "tools/web/maze.h"

#include <algorithm>
#include <cstdlib>

namespace levin::tools::web {
namespace {

constexpr double kGenerateMaxMs = 60'000;
constexpr double kSolveMaxMs = 300'000;
constexpr double kChunkMs = 1'000;

}  // namespace

Result<Image> MazeApp::picture() {
  TRY_ASSIGN(const Json look, page_.ask("probe.maze.look()"));
  if (look.is_null()) return Image{};
  if (look.contains("image")) return image_of(look["image"]);
  TRY_ASSIGN(const std::string shot, page_.screenshot(look["clip"]));
  TRY_ASSIGN(const Json runs, page_.ask("probe.imageOf(\"" + shot + "\")"));
  return image_of(runs);
}

Result<std::string> MazeApp::mark() {
  TRY_ASSIGN(const Json mark, page_.ask("probe.maze.mark()"));
  if (!mark.is_null()) return mark.dump();
  TRY_ASSIGN(const Json clip, page_.ask("probe.maze.clip()"));
  return page_.screenshot(clip);
}

Result<bool> MazeApp::settle(double most_ms) {
  TRY_ASSIGN(std::string before, mark());
  int same = 0;
  for (double waited = 0; waited < most_ms; waited += kChunkMs) {
    TRY_ASSIGN(const Advanced advanced, page_.advance(kChunkMs));
    TRY_ASSIGN(std::string now, mark());
    same = now == before ? same + 1 : 0;
    // Two looks in a row: a slow animation may pause for one.
    if (same >= 2 || (same >= 1 && advanced.pending == 0)) return true;
    before = std::move(now);
  }
  return false;
}

// The page's own view, for comparison; null where it has none.
Result<Json> MazeApp::exposed() {
  TRY_ASSIGN(const Json text,
             page_.run("(() => { try { return JSON.stringify(window.__maze) || null; } "
                       "catch (error) { return null; } })()"));
  if (!text.is_string()) return Json();
  const Json value = Json::parse(text.get<std::string>(), nullptr, /*allow_exceptions=*/false);
  return value.is_object() && value.contains("cells") ? value : Json();
}

int MazeApp::cell_of(const Json& point) const {
  if (!point.is_object() || !point.contains("x") || !point["x"].is_number_integer() ||
      !point.contains("y") || !point["y"].is_number_integer()) {
    return -1;
  }
  const int x = point["x"].get<int>();
  const int y = point["y"].get<int>();
  return x < 0 || y < 0 || x >= grid_.columns || y >= grid_.rows ? -1 : y * grid_.columns + x;
}

Result<std::string> MazeApp::read_maze() {
  TRY_ASSIGN(std::string problem, read_settled());
  if (marked_ <= 2 || solves_itself_ || !is_loaded_) return problem;
  // More than the two ends: it may have been solved meanwhile.
  solves_itself_ = true;
  TRY(page_.load(page_.seed()));
  TRY_ASSIGN(const std::string again, read_settled());
  if (again.empty()) return again;
  solves_itself_ = false;
  return problem;
}

Result<std::string> MazeApp::read_settled() {
  Image early;
  if (solves_itself_) {
    TRY_ASSIGN(early, picture());
  }
  TRY_ASSIGN(const bool still, settle(kGenerateMaxMs));
  if (!still) return std::string("the maze is still being drawn after a minute");
  TRY_ASSIGN(empty_, picture());
  std::optional<MazeGrid> drawn = recover_grid(empty_);
  if (!drawn) {
    TRY_ASSIGN(const Json button, page_.ask("probe.maze.newButton()"));
    if (!button.is_null()) {
      TRY_ASSIGN(const std::string problem, page_.click(button));
      if (!problem.empty()) return "pressing the button for a new maze: " + problem;
      TRY_ASSIGN(const bool drawn_now, settle(kGenerateMaxMs));
      if (!drawn_now) return std::string("the maze is still being drawn after a minute");
      TRY_ASSIGN(empty_, picture());
      drawn = recover_grid(empty_);
    }
  }
  if (solves_itself_ && drawn) {
    std::optional<MazeGrid> first = recover_grid(early);
    if (first && first->same_walls(*drawn)) {
      empty_ = std::move(early);
      drawn = std::move(first);
    }
  }
  TRY_ASSIGN(told_, exposed());
  if (told_.is_null()) {
    if (!drawn) return std::string("no maze is to be seen: no regular grid of cells and walls in the picture");
    grid_ = *std::move(drawn);
    return find_ends();
  }
  Result<MazeGrid> told = grid_of(told_["cells"]);
  if (!told) return told.error().message();
  if (drawn && !drawn->tiles && !drawn->same_walls(*told)) {
    return "the drawn walls are not those of the maze (" + std::to_string(drawn->columns) + " x " +
           std::to_string(drawn->rows) + " cells drawn, " + std::to_string(told->columns) + " x " +
           std::to_string(told->rows) + " in window.__maze)";
  }
  if (!drawn) return std::string("window.__maze holds a maze, but none is drawn");
  grid_ = *std::move(drawn);
  if (grid_.tiles) told_ = nullptr;  // Other cells than ours.
  return find_ends();
}

// Start and end: as told, else the two cells that look different from all others.
Result<std::string> MazeApp::find_ends() {
  if (!told_.is_null()) {
    start_ = cell_of(told_.value("start", Json()));
    goal_ = cell_of(told_.value("goal", Json()));
    if (start_ < 0 || goal_ < 0) return std::string("window.__maze has no start and goal inside of the maze");
    if (start_ == goal_) return std::string("start and end are the same cell");
    const std::vector<int> marked = marked_cells(grid_, empty_);
    if (std::ranges::count(marked, start_) == 0) return "the start " + grid_.place(start_) + " is not marked";
    if (std::ranges::count(marked, goal_) == 0) return "the end " + grid_.place(goal_) + " is not marked";
    return std::string();
  }
  std::vector<int> marked = marked_cells(grid_, empty_);
  marked_ = marked.size();
  if (marked.size() < 2) marked = border_openings(grid_, empty_);
  if (marked.size() != 2) {
    return "expected start and end to be marked, found " + std::to_string(marked.size()) +
           " marked cells";
  }
  start_ = marked[0];
  goal_ = marked[1];
  return std::string();
}

Result<std::string> MazeApp::start_solving() {
  if (!solves_itself_) return press_solve();
  TRY(page_.load(page_.seed()));
  return std::string();
}

Result<std::string> MazeApp::press_solve() {
  TRY_ASSIGN(const Json button, page_.ask("probe.maze.solveButton()"));
  if (button.is_null()) return std::string("no button to solve the maze");
  TRY_ASSIGN(const std::string problem, page_.click(button));
  return problem.empty() ? problem : "pressing the button that solves: " + problem;
}

Result<std::string> MazeApp::solve() {
  if (solves_itself_) return read_solution();  // It was waited for in read_maze().
  TRY_ASSIGN(const std::string problem, press_solve());
  if (!problem.empty()) return problem;
  TRY_ASSIGN(const bool done, settle(kSolveMaxMs));
  if (!done) return std::string("the solver is not done after five minutes");
  return read_solution();
}

Result<std::string> MazeApp::read_solution() {
  TRY_ASSIGN(const Image after, picture());
  if (after.width != empty_.width || after.height != empty_.height) {
    return std::string("the picture changed its size while solving");
  }
  solution_ = read_drawing(grid_, empty_, after, start_, goal_);
  if (solution_.changed.empty()) return std::string("solving draws nothing");
  TRY_ASSIGN(const Json now, exposed());
  if (!now.is_null() && !told_.is_null()) {
    told_solution_ = DrawnSolution{};
    for (const Json& point : now.value("visited", Json::array())) {
      const int cell = cell_of(point);
      if (cell < 0) return std::string("window.__maze.visited has a cell outside of the maze");
      told_solution_->visited.push_back(cell);
    }
    for (const Json& point : now.value("path", Json::array())) {
      const int cell = cell_of(point);
      if (cell < 0) return std::string("window.__maze.path has a cell outside of the maze");
      told_solution_->path.push_back(cell);
    }
    std::ranges::sort(told_solution_->visited);
    const auto doubles = std::ranges::unique(told_solution_->visited);
    told_solution_->visited.erase(doubles.begin(), doubles.end());
  }
  return std::string();
}

const std::vector<int>& MazeApp::visited() const {
  return told_solution_ && !told_solution_->visited.empty() ? told_solution_->visited
                                                            : solution_.visited;
}

// The path that is drawn must join the ends by open ways and be as short as can be.
std::string MazeApp::path_problem() const {
  const std::vector<int> steps = distances(grid_, start_);
  const int shortest = steps[static_cast<size_t>(goal_)];
  if (shortest < 0) return "the end can't be reached from the start";
  if (told_solution_ && !told_solution_->path.empty()) {
    const std::vector<int>& path = told_solution_->path;
    const std::string told = sequence_problem(path);
    if (!told.empty()) return told;
    if (static_cast<int>(path.size()) != shortest + 1) {
      return "the path has " + std::to_string(path.size()) + " cells, the shortest one " +
             std::to_string(shortest + 1);
    }
    // What is drawn must show it.
    for (const int cell : path) {
      if (cell != start_ && cell != goal_ && std::ranges::count(solution_.changed, cell) == 0) {
        return "the path goes through " + grid_.place(cell) + ", but nothing is drawn there";
      }
    }
  }
  if (solution_.path.empty()) return solution_.problem;
  if (static_cast<int>(solution_.path.size()) != shortest + 1) {
    return "the drawn path has " + std::to_string(solution_.path.size()) + " cells, the shortest one " +
           std::to_string(shortest + 1);
  }
  return "";
}

std::string MazeApp::sequence_problem(const std::vector<int>& path) const {
  if (path.front() != start_ && path.front() != goal_) {
    return "the path begins at " + grid_.place(path.front()) + ", not at the start " + grid_.place(start_);
  }
  const int last = path.front() == start_ ? goal_ : start_;
  if (path.back() != last) return "the path ends at " + grid_.place(path.back()) + ", not at " + grid_.place(last);
  for (size_t i = 1; i < path.size(); ++i) {
    bool joined = false;
    for (int d = 0; d < 4; ++d) {
      joined = joined || (grid_.neighbour(path[i - 1], d) == path[i] &&
                          grid_.passage[static_cast<size_t>(path[i - 1])][static_cast<size_t>(d)]);
    }
    if (!joined) {
      return "the path crosses a wall between " + grid_.place(path[i - 1]) + " and " + grid_.place(path[i]);
    }
  }
  return "";
}

// What a search may and may not have looked at when it ended at the goal.
VisitCount MazeApp::count_visits() const {
  const std::vector<int> steps = distances(grid_, start_);
  const int shortest = steps[static_cast<size_t>(goal_)];
  VisitCount count;
  for (const int cell : visited()) {
    ++count.visited;
    const int distance = steps[static_cast<size_t>(cell)];
    if (distance < 0 || distance > shortest) count.too_far = cell;
  }
  for (const int distance : steps) {
    if (distance >= 0 && distance <= shortest) ++count.breadth_first_max;
    if (distance >= 0 && distance < shortest) ++count.breadth_first_min;
  }
  ++count.breadth_first_min;  // The goal itself.
  count_needed(steps, shortest, &count);
  return count;
}

// A guess that never says too much says at most the distance without walls. A cell whose steps and
// that distance stay below the shortest way, all along the way to it, comes up before the goal does.
void MazeApp::count_needed(const std::vector<int>& steps, int shortest, VisitCount* count) const {
  const std::vector<int>& seen = visited();
  std::vector<bool> reached(static_cast<size_t>(grid_.size()), false);
  std::vector<int> queue = {start_};
  reached[static_cast<size_t>(start_)] = true;
  for (size_t at = 0; at < queue.size(); ++at) {
    const int cell = queue[at];
    const int guess = std::abs(cell % grid_.columns - goal_ % grid_.columns) +
                      std::abs(cell / grid_.columns - goal_ / grid_.columns);
    if (steps[static_cast<size_t>(cell)] + guess >= shortest) continue;
    ++count->needed;
    if (!std::ranges::binary_search(seen, cell)) {
      ++count->skipped;
      count->skipped_cell = cell;
    }
    for (int d = 0; d < 4; ++d) {
      const int next = grid_.neighbour(cell, d);
      if (next < 0 || !grid_.passage[static_cast<size_t>(cell)][static_cast<size_t>(d)]) continue;
      if (reached[static_cast<size_t>(next)]) continue;
      reached[static_cast<size_t>(next)] = true;
      queue.push_back(next);
    }
  }
}

std::string MazeApp::reach_problem() const {
  const std::vector<int> steps = distances(grid_, start_);
  for (int cell = 0; cell < grid_.size(); ++cell) {
    if (grid_.exists[static_cast<size_t>(cell)] && steps[static_cast<size_t>(cell)] < 0) {
      return "the cell " + grid_.place(cell) + " can't be reached from the start";
    }
  }
  return "";
}

}  // namespace levin::tools::web
