// Pictures to grids. A wall colour is assumed, the lines of the grid are found by it, and the result
// must explain the picture: the insides of cells are free, each wall is there as a whole or not at
// all, the outer wall is closed. The first assumption that does so is taken.
#include <algorithm>
#include <cmath>
#include <map>

#include "tools/web/maze_grid.h"

namespace levin::tools::web {
namespace {

constexpr size_t kColoursTried = 6;
constexpr int kCellsMin = 4;         // Along each side.
constexpr double kWholeMin = 0.75;   // Covered share of a wall that is there ...
constexpr double kNoneMax = 0.25;    // ... and of one that is not.
constexpr double kExplainedMin = 0.97;
constexpr double kBorderMin = 0.85;  // An entrance and an exit may be open.

// Where the wall colour is.
class Mask {
 public:
  Mask(const Image& image, uint32_t wall, uint32_t floor)
      : width_(image.width), height_(image.height), bits_(image.pixels.size()) {
    // Smoothed lines have a colour of their own, which is tried too: marks must not pass for walls.
    const int near = std::max(kSameColour, colour_distance(wall, floor) / 6);
    for (size_t i = 0; i < bits_.size(); ++i) bits_[i] = colour_distance(image.pixels[i], wall) < near;
  }
  int width() const { return width_; }
  int height() const { return height_; }
  bool at(int x, int y) const {
    return bits_[static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x)];
  }
  // Columns as rows, so that one code does both.
  bool at(bool turned, int along, int across) const {
    return turned ? at(across, along) : at(along, across);
  }
  double share(Span x, Span y) const {
    int set = 0;
    for (int v = y.begin; v < y.end; ++v) {
      for (int u = x.begin; u < x.end; ++u) set += at(u, v) ? 1 : 0;
    }
    const int area = (x.end - x.begin) * (y.end - y.begin);
    return area > 0 ? static_cast<double>(set) / area : 0;
  }

 private:
  int width_;
  int height_;
  std::vector<bool> bits_;
};

// Lengths of the runs of wall pixels across, with how often they come.
std::map<int, int> run_lengths(const Mask& mask, bool turned) {
  std::map<int, int> lengths;
  const int across = turned ? mask.width() : mask.height();
  const int along = turned ? mask.height() : mask.width();
  for (int a = 0; a < along; ++a) {
    int run = 0;
    for (int b = 0; b <= across; ++b) {
      if (b < across && mask.at(turned, a, b)) {
        ++run;
      } else if (run > 0) {
        ++lengths[run];
        run = 0;
      }
    }
  }
  return lengths;
}

// The thickness of a wall: the commonest run of wall pixels in either direction.
int thickness_of(const Mask& mask) {
  std::map<int, int> lengths = run_lengths(mask, false);
  for (const auto& [length, times] : run_lengths(mask, true)) lengths[length] += times;
  int best = 0;
  int most = 0;
  for (const auto& [length, times] : lengths) {
    if (times > most) {
      most = times;
      best = length;
    }
  }
  return best;
}

// Spans of wall lines: columns (or rows, turned) in which walls run lengthwise.
std::vector<Span> wall_lines(const Mask& mask, bool turned, int thickness) {
  const int along = turned ? mask.height() : mask.width();
  const int across = turned ? mask.width() : mask.height();
  const int run_min = thickness + std::max(3, thickness / 2);
  std::vector<int> weight(static_cast<size_t>(along), 0);
  for (int a = 0; a < along; ++a) {
    int run = 0;
    for (int b = 0; b <= across; ++b) {
      if (b < across && mask.at(turned, a, b)) {
        ++run;
        continue;
      }
      if (run >= run_min) weight[static_cast<size_t>(a)] += run;
      run = 0;
    }
  }
  std::vector<Span> lines;
  for (int a = 0; a < along; ++a) {
    if (weight[static_cast<size_t>(a)] == 0) continue;
    if (!lines.empty() && lines.back().end == a) {
      ++lines.back().end;
    } else {
      lines.push_back({a, a + 1});
    }
  }
  return lines;
}

double middle(Span span) { return (span.begin + span.end) / 2.0; }

// The commonest distance of neighbouring lines; 0 when there are none.
double pitch_of(const std::vector<Span>& lines) {
  std::vector<double> gaps;
  for (size_t i = 1; i < lines.size(); ++i) gaps.push_back(middle(lines[i]) - middle(lines[i - 1]));
  if (gaps.empty()) return 0;
  std::ranges::nth_element(gaps, gaps.begin() + static_cast<long>(gaps.size() / 2));
  return gaps[gaps.size() / 2];
}

// Fills in lines without a single wall; empty when the lines are on no raster of that pitch.
std::vector<Span> regular(const std::vector<Span>& lines, double pitch) {
  if (lines.size() < 2 || pitch < 4) return {};
  const double length = middle(lines.back()) - middle(lines.front());
  const int count = static_cast<int>(std::lround(length / pitch));
  if (count < kCellsMin || count > 400) return {};
  pitch = length / count;
  std::vector<Span> all;
  int width = 0;
  for (const Span& line : lines) width = std::max(width, line.end - line.begin);
  for (int i = 0; i <= count; ++i) {
    const double at = middle(lines.front()) + i * pitch;
    const auto found = std::ranges::find_if(
        lines, [&](Span line) { return std::abs(middle(line) - at) <= std::max(1.5, pitch / 6); });
    if (found != lines.end()) {
      all.push_back(*found);
    } else {
      const int begin = static_cast<int>(std::lround(at - width / 2.0));
      all.push_back({begin, begin + width});
    }
  }
  // Each line that was seen must be one of them.
  return static_cast<size_t>(std::ranges::count_if(lines, [&](Span line) {
           return std::ranges::any_of(all, [&](Span each) { return each.begin == line.begin; });
         })) == lines.size()
             ? all
             : std::vector<Span>{};
}

std::vector<Span> insides(const std::vector<Span>& lines) {
  std::vector<Span> spans;
  for (size_t i = 1; i < lines.size(); ++i) spans.push_back({lines[i - 1].end, lines[i].begin});
  return spans;
}

// The middle of a span, so that the ends of neighbouring walls do not count.
Span core(Span span) {
  const int cut = std::max(1, (span.end - span.begin) / 6);
  return span.end - span.begin > 2 * cut ? Span{span.begin + cut, span.end - cut} : span;
}

struct Tally {
  int clear = 0;  // There as a whole, or not at all.
  int total = 0;
  bool add(double share) {
    ++total;
    if (share >= kWholeMin || share <= kNoneMax) ++clear;
    return share >= 0.5;
  }
  bool explains() const { return clear >= kExplainedMin * total; }
};

// A wall line may be thicker where two walls meet side by side: its fullest column counts.
double wall_share(const Mask& mask, Span x, Span y, bool vertical) {
  double best = 0;
  const Span thin = vertical ? x : y;
  for (int at = thin.begin; at < thin.end; ++at) {
    const Span one{at, at + 1};
    best = std::max(best, vertical ? mask.share(one, core(y)) : mask.share(core(x), one));
  }
  return best;
}

std::optional<MazeGrid> rooms(const Mask& mask, const std::vector<Span>& vertical,
                              const std::vector<Span>& horizontal) {
  MazeGrid grid;
  grid.x = insides(vertical);
  grid.y = insides(horizontal);
  grid.columns = static_cast<int>(grid.x.size());
  grid.rows = static_cast<int>(grid.y.size());
  const auto cells = static_cast<size_t>(grid.size());
  grid.exists.assign(cells, true);
  grid.passage.assign(cells, {false, false, false, false});
  Tally inside;
  Tally walls;
  int border = 0;
  int border_closed = 0;
  for (int cell = 0; cell < grid.size(); ++cell) {
    const auto x = static_cast<size_t>(cell % grid.columns);
    const auto y = static_cast<size_t>(cell / grid.columns);
    ++inside.total;
    if (mask.share(core(grid.x[x]), core(grid.y[y])) <= kNoneMax) ++inside.clear;
    const bool closed[4] = {walls.add(wall_share(mask, grid.x[x], horizontal[y], false)),
                            walls.add(wall_share(mask, vertical[x + 1], grid.y[y], true)),
                            walls.add(wall_share(mask, grid.x[x], horizontal[y + 1], false)),
                            walls.add(wall_share(mask, vertical[x], grid.y[y], true))};
    for (int d = 0; d < 4; ++d) {
      if (grid.neighbour(cell, d) < 0) {
        ++border;
        border_closed += closed[d] ? 1 : 0;
      } else {
        grid.passage[static_cast<size_t>(cell)][static_cast<size_t>(d)] = !closed[d];
      }
    }
  }
  if (!inside.explains() || !walls.explains() || border_closed < kBorderMin * border) return std::nullopt;
  return grid;
}

// Walls as thick as the ways between them: every tile is a cell or a wall.
std::optional<MazeGrid> tiles(const Mask& mask, const std::vector<Span>& vertical,
                              const std::vector<Span>& horizontal) {
  MazeGrid grid;
  grid.tiles = true;
  const auto alternate = [](const std::vector<Span>& lines) {
    std::vector<Span> spans;
    for (size_t i = 0; i < lines.size(); ++i) {
      if (i > 0) spans.push_back({lines[i - 1].end, lines[i].begin});
      spans.push_back(lines[i]);
    }
    return spans;
  };
  grid.x = alternate(vertical);
  grid.y = alternate(horizontal);
  grid.columns = static_cast<int>(grid.x.size());
  grid.rows = static_cast<int>(grid.y.size());
  grid.exists.assign(static_cast<size_t>(grid.size()), false);
  grid.passage.assign(static_cast<size_t>(grid.size()), {false, false, false, false});
  Tally pure;
  for (int cell = 0; cell < grid.size(); ++cell) {
    const auto x = static_cast<size_t>(cell % grid.columns);
    const auto y = static_cast<size_t>(cell / grid.columns);
    grid.exists[static_cast<size_t>(cell)] = !pure.add(mask.share(core(grid.x[x]), core(grid.y[y])));
  }
  for (int cell = 0; cell < grid.size(); ++cell) {
    for (int d = 0; d < 4; ++d) {
      const int next = grid.neighbour(cell, d);
      grid.passage[static_cast<size_t>(cell)][static_cast<size_t>(d)] =
          next >= 0 && grid.exists[static_cast<size_t>(cell)] && grid.exists[static_cast<size_t>(next)];
    }
  }
  if (!pure.explains()) return std::nullopt;
  return grid;
}

std::optional<MazeGrid> recover_with(const Image& image, uint32_t wall, uint32_t floor) {
  const Mask mask(image, wall, floor);
  const int thickness = thickness_of(mask);
  if (thickness == 0) return std::nullopt;
  const std::vector<Span> upright = wall_lines(mask, false, thickness);
  const std::vector<Span> level = wall_lines(mask, true, thickness);
  // Cells are square more often than not: where long ways leave few lines in one direction, the other
  // one tells the pitch.
  std::vector<Span> vertical = regular(upright, pitch_of(upright));
  if (vertical.empty()) vertical = regular(upright, pitch_of(level));
  std::vector<Span> horizontal = regular(level, pitch_of(level));
  if (horizontal.empty()) horizontal = regular(level, pitch_of(upright));
  if (vertical.empty() || horizontal.empty()) return std::nullopt;
  const int line = vertical[0].end - vertical[0].begin;
  const int room = vertical[1].begin - vertical[0].end;
  if (room < 2 || line > 2 * room) return std::nullopt;
  std::optional<MazeGrid> grid = rooms(mask, vertical, horizontal);
  if (grid && line * 2 > room && line >= 4) grid = tiles(mask, vertical, horizontal);
  if (grid) grid->wall_colour = wall;
  return grid;
}

}  // namespace

std::optional<MazeGrid> recover_grid(const Image& image) {
  const std::vector<uint32_t> colours = main_colours(image, kColoursTried);
  std::optional<MazeGrid> best;
  for (size_t i = 0; i < colours.size(); ++i) {
    const uint32_t floor = colours[i == 0 && colours.size() > 1 ? 1 : 0];
    std::optional<MazeGrid> grid = recover_with(image, colours[i], floor);
    if (!grid) continue;
    // Of two that explain the picture, the one with more ways: a frame alone explains little.
    if (!best || grid->num_cells() > best->num_cells()) best = std::move(grid);
  }
  return best;
}

}  // namespace levin::tools::web
