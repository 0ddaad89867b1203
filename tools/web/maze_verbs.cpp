// {"maze": property}: the acceptance of a maze generator with an A* visualisation.
#include <algorithm>
#include <array>

#include "tools/web/maze.h"
#include "tools/web/verbs.h"

namespace levin::tools::web {
namespace {

constexpr double kLookMs = 50;         // Between two looks at an animation.
constexpr int kLooksMax = 6000;        // Five minutes.
constexpr int kCountEvery = 4;         // Every so many changes the cells are counted.
constexpr size_t kFilmFrames = 8;
constexpr double kStillMs = 2'000;     // Nothing new for so long: the animation is over.

using Verdict = Result<std::string>;

#define TRY_TEXT(expr)                                  \
  do {                                                  \
    TRY_ASSIGN(std::string levin_text, (expr));         \
    if (!levin_text.empty()) return levin_text;         \
  } while (false)

Verdict check_grid(CheckContext& context, const Json&) {
  MazeApp app(context.page);
  TRY_TEXT(app.read_maze());
  const std::string unreachable = app.reach_problem();
  if (!unreachable.empty()) return unreachable;
  TRY_ASSIGN(const Json perfect, context.page.ask("probe.maze.claimsPerfect()"));
  const int wanted = app.grid().num_cells() - 1;
  if (perfect == true && app.grid().num_passages() != wanted) {
    return "the page says that the maze is perfect: expected " + std::to_string(wanted) +
           " passages, found " + std::to_string(app.grid().num_passages());
  }
  return std::string();
}

Verdict check_varies(CheckContext& context, const Json& step) {
  MazeApp first(context.page);
  TRY_TEXT(first.read_maze());
  TRY(context.page.load(step.value("other_seed", 2)));
  MazeApp second(context.page);
  TRY_TEXT(second.read_maze());
  if (!first.grid().same_walls(second.grid())) return std::string();
  return std::string("two loads with different chance gave the same maze");
}

Verdict check_new(CheckContext& context, const Json&) {
  MazeApp first(context.page);
  TRY_TEXT(first.read_maze());
  TRY_ASSIGN(const Json button, context.page.ask("probe.maze.newButton()"));
  if (button.is_null()) return std::string("no button for a new maze");
  TRY_ASSIGN(const std::string problem, context.page.click(button));
  if (!problem.empty()) return "pressing the button for a new maze: " + problem;
  MazeApp second(context.page, first);
  TRY_TEXT(second.read_maze());
  if (!first.grid().same_walls(second.grid())) return std::string();
  return std::string("the button for a new maze gives the same maze");
}

Verdict check_path(CheckContext& context, const Json&) {
  MazeApp app(context.page);
  TRY_TEXT(app.read_maze());
  TRY_TEXT(app.solve());
  return app.path_problem();
}

// Watches one solve from the press of the button to the end.
class Watch {
 public:
  Watch(CheckContext& context, const Json& step) : context_(context), page_(context.page), step_(step) {}

  Verdict run() {
    TRY_TEXT(app_.read_maze());
    if (app_.solves_itself()) TRY_TEXT(app_.start_solving());
    TRY_ASSIGN(last_mark_, app_.mark());
    TRY(keep_frame());
    if (!app_.solves_itself()) TRY_TEXT(app_.start_solving());
    double still_ms = 0;
    for (int look = 0; look < kLooksMax && still_ms < kStillMs; ++look) {
      TRY_ASSIGN(const Advanced advanced, page_.advance(kLookMs));
      longest_ms_.push_back(advanced.longest_ms);
      TRY_ASSIGN(std::string mark, app_.mark());
      still_ms += kLookMs;
      if (mark == last_mark_) {
        if (advanced.pending == 0) break;
        continue;
      }
      // The first change answers the press, and may be late; later ones must not be.
      if (frames_ > 0) gap_ms_ = std::max(gap_ms_, still_ms);
      still_ms = 0;
      last_mark_ = std::move(mark);
      ++frames_;
      if (frames_ % kCountEvery == 1) TRY_TEXT(count_cells());
    }
    TRY(keep_frame());
    return verdict();
  }

 private:
  Verdict count_cells() {
    TRY_ASSIGN(const Image now, app_.picture());
    const int count = count_changed(app_.grid(), app_.empty(), now);
    if (count > app_.grid().num_cells()) return std::string("more cells are visited than there are");
    if (count < most_) {
      return "the number of visited cells falls from " + std::to_string(most_) + " to " +
             std::to_string(count);
    }
    most_ = count;
    // Few at first, then twice as far apart: a long solve does not fill the memory.
    if (frames_ >= next_frame_ && context_.frames.size() < kFilmFrames) {
      next_frame_ = frames_ * 2;
      TRY(keep_frame());
    }
    return std::string();
  }

  Result<void> keep_frame() {
    TRY_ASSIGN(const Json clip, page_.ask("probe.maze.clip()"));
    TRY_ASSIGN(std::string shot, page_.screenshot(clip));
    context_.frames.push_back(std::move(shot));
    return {};
  }

  Verdict verdict() {
    const int frames_min = step_.value("frames_min", 5);
    if (frames_ < frames_min) {
      return "expected at least " + std::to_string(frames_min) +
             " different frames while solving, found " + std::to_string(frames_);
    }
    const double gap_max = step_.value("gap_max_ms", 200.0);
    if (gap_ms_ > gap_max) {
      return "expected steps at most " + std::to_string(static_cast<int>(gap_max)) +
             " ms apart, found " + std::to_string(static_cast<int>(gap_ms_)) + " ms";
    }
    // A busy machine makes single callbacks late: the app is slow when several are.
    std::ranges::sort(longest_ms_, std::greater<>());
    const size_t quarter = longest_ms_.size() / 4;
    const double task_max = step_.value("task_max_ms", 50.0);
    if (!longest_ms_.empty() && longest_ms_[quarter] > task_max) {
      return "a callback holds up the page for more than " + std::to_string(static_cast<int>(task_max)) +
             " ms, again and again";
    }
    return std::string();
  }

  CheckContext& context_;
  Page& page_;
  const Json& step_;
  MazeApp app_{page_};
  std::string last_mark_;
  int frames_ = 0;
  int next_frame_ = 1;
  int most_ = 0;
  double gap_ms_ = 0;
  std::vector<double> longest_ms_;
};

Verdict check_animation(CheckContext& context, const Json& step) { return Watch(context, step).run(); }

// Over several seeds: never further than the goal, never more than breadth first, often fewer.
Verdict check_astar(CheckContext& context, const Json& step) {
  const int seeds = step.value("seeds", 10);
  const int fewer_min = step.value("fewer_min", 5);
  int fewer = 0;
  for (int seed = 1; seed <= seeds; ++seed) {
    TRY(context.page.load(seed));
    MazeApp app(context.page);
    TRY_TEXT(app.read_maze());
    TRY_TEXT(app.solve());
    const std::string path = app.path_problem();
    if (!path.empty()) return "seed " + std::to_string(seed) + ": " + path;
    const VisitCount count = app.count_visits();
    if (count.too_far >= 0) {
      return "seed " + std::to_string(seed) + ": the visited cell " + app.grid().place(count.too_far) +
             " lies further from the start than the end does, where A* never looks";
    }
    // A cell or two may be hidden below a mark.
    if (count.skipped > std::max(2, count.needed / 20)) {
      return "seed " + std::to_string(seed) + ": the cell " + app.grid().place(count.skipped_cell) + " and " +
             std::to_string(count.skipped - 1) + " more are not visited, though A* has to look at them";
    }
    if (count.visited > count.breadth_first_max) {
      return "seed " + std::to_string(seed) + ": " + std::to_string(count.visited) +
             " cells are visited, breadth first search visits " + std::to_string(count.breadth_first_max);
    }
    if (count.visited < static_cast<int>(app.solution().path.size())) {
      return "seed " + std::to_string(seed) + ": fewer cells are visited than the path has";
    }
    fewer += count.visited < count.breadth_first_min ? 1 : 0;
  }
  if (fewer >= fewer_min) return std::string();
  return "expected fewer visited cells than breadth first search on " + std::to_string(fewer_min) + " of " +
         std::to_string(seeds) + " mazes, found that on " + std::to_string(fewer) + ": this is not A*";
}

// A new maze while the old one is being solved.
Verdict check_no_mix(CheckContext& context, const Json& step) {
  Page& page = context.page;
  MazeApp old(page);
  TRY_TEXT(old.read_maze());
  TRY_TEXT(old.start_solving());
  TRY(page.advance(step.value("after_ms", 300.0)));
  TRY_ASSIGN(const Json button, page.ask("probe.maze.newButton()"));
  if (button.is_null()) return std::string("no button for a new maze");
  TRY_ASSIGN(const Json disabled, page.ask("probe.maze.disabled(" + button.dump() + ")"));
  if (disabled == true) return std::string();  // Nothing can be mixed.
  TRY_ASSIGN(const std::string problem, page.click(button));
  if (!problem.empty()) return "pressing the button for a new maze: " + problem;
  MazeApp fresh(page, old);
  TRY_ASSIGN(const std::string unread, fresh.read_maze());
  if (!unread.empty()) return "after a new maze during a solve: " + unread;
  if (old.grid().same_walls(fresh.grid())) {
    return std::string("after a new maze during a solve the old maze is still there");
  }
  const std::string unreachable = fresh.reach_problem();
  if (!unreachable.empty()) return "after a new maze during a solve " + unreachable;
  const size_t marked = marked_cells(fresh.grid(), fresh.empty()).size();
  if (marked > 2) {
    return "after a new maze during a solve " + std::to_string(marked - 2) +
           " cells of the old solve are still drawn";
  }
  TRY_ASSIGN(const std::string unsolved, fresh.solve());
  if (!unsolved.empty()) return "after a new maze during a solve: " + unsolved;
  const std::string path = fresh.path_problem();
  return path.empty() ? path : "after a new maze during a solve: " + path;
}

using Property = Verdict (*)(CheckContext&, const Json&);

constexpr std::array<std::pair<std::string_view, Property>, 7> kProperties = {{
    {"grid", check_grid},
    {"varies", check_varies},
    {"new", check_new},
    {"path", check_path},
    {"animation", check_animation},
    {"astar", check_astar},
    {"no_mix", check_no_mix},
}};

}  // namespace

Result<std::string> expect_maze(CheckContext& context, const Json& step) {
  const std::string wanted = step["maze"].get<std::string>();
  for (const auto& [name, property] : kProperties) {
    if (name == wanted) return property(context, step);
  }
  return "the specification asks for an unknown property of mazes: " + wanted;
}

}  // namespace levin::tools::web
