#include "agent/bench_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace levin::agent {
namespace {

constexpr double kWidth = 720, kHeight = 420;
constexpr double kLeft = 70, kRight = 150, kTop = 30, kBottom = 50;
constexpr const char* kColours[] = {"#1f5fbf", "#c2410c", "#15803d", "#7e22ce"};

struct Axes {
  double depth_max = 1024;
  double speed_min = 1;
  double speed_max = 10;

  double x(int64_t depth) const {
    constexpr double kFirst = 512;  // Where the logarithmic axis begins.
    const double place = std::log2(std::max<double>(static_cast<double>(depth), kFirst) / kFirst) /
                         std::log2(depth_max / kFirst);
    return kLeft + place * (kWidth - kLeft - kRight);
  }
  double y(double speed) const {
    const double place = std::log10(speed / speed_min) / std::log10(speed_max / speed_min);
    return kHeight - kBottom - place * (kHeight - kTop - kBottom);
  }
};

Axes axes_of(const std::vector<BenchFigure>& figures) {
  Axes axes;
  double low = 1e300;
  double high = 0;
  for (const BenchFigure& figure : figures) {
    axes.depth_max = std::max(axes.depth_max, static_cast<double>(figure.depth));
    low = std::min({low, figure.prefill_tps, figure.decode_tps});
    high = std::max({high, figure.prefill_tps, figure.decode_tps});
  }
  if (figures.empty() || low <= 0) return axes;
  axes.speed_min = std::pow(10, std::floor(std::log10(low)));
  axes.speed_max = std::pow(10, std::ceil(std::log10(high * 1.01)));
  return axes;
}

std::string depth_label(int64_t depth) {
  if (depth >= 1024 * 1024) return fmt::format("{}M", depth / (1024 * 1024));
  if (depth >= 1024) return fmt::format("{}k", depth / 1024);
  return std::to_string(depth);
}

std::string grid(const Axes& axes, const std::vector<BenchFigure>& figures) {
  std::string out;
  for (double speed = axes.speed_min; speed <= axes.speed_max * 1.01; speed *= 10) {
    const double y = axes.y(speed);
    out += fmt::format(
        "<line x1='{}' y1='{:.1f}' x2='{}' y2='{:.1f}' stroke='#ddd'/>"
        "<text x='{}' y='{:.1f}' text-anchor='end'>{:g}</text>\n",
        kLeft, y, kWidth - kRight, y, kLeft - 8, y + 4, speed);
  }
  std::set<int64_t> depths;
  for (const BenchFigure& figure : figures) depths.insert(figure.depth);
  for (const int64_t depth : depths) {
    out += fmt::format("<text x='{:.1f}' y='{}' text-anchor='middle'>{}</text>\n", axes.x(depth),
                       kHeight - kBottom + 20, depth_label(depth));
  }
  return out;
}

std::string line(const Axes& axes, const std::vector<BenchFigure>& figures, int threads,
                 double BenchFigure::*value, const char* colour, const char* dash) {
  std::string points;
  std::string dots;
  for (const BenchFigure& figure : figures) {
    if (figure.threads != threads) continue;
    const double x = axes.x(figure.depth);
    const double y = axes.y(figure.*value);
    points += fmt::format("{:.1f},{:.1f} ", x, y);
    dots += fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='3' fill='{}'/>", x, y, colour);
  }
  return fmt::format(
      "<polyline points='{}' fill='none' stroke='{}' stroke-width='2' stroke-dasharray='{}'/>{}\n",
      points, colour, dash, dots);
}

}  // namespace

std::string plot_svg(const std::vector<BenchFigure>& figures) {
  const Axes axes = axes_of(figures);
  std::string out = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' width='{0}' height='{1}' viewBox='0 0 {0} {1}' "
      "font-family='sans-serif' font-size='12'>\n<rect width='100%' height='100%' fill='white'/>\n",
      kWidth, kHeight);
  out += grid(axes, figures);
  std::set<int> thread_counts;
  for (const BenchFigure& figure : figures) thread_counts.insert(figure.threads);
  size_t index = 0;
  double y = kTop + 10;
  for (const int threads : thread_counts) {
    const char* colour = kColours[index++ % std::size(kColours)];
    out += line(axes, figures, threads, &BenchFigure::decode_tps, colour, "none");
    out += line(axes, figures, threads, &BenchFigure::prefill_tps, colour, "6 4");
    for (const char* what : {"decode", "prefill"}) {
      out += fmt::format(
          "<line x1='{}' y1='{}' x2='{}' y2='{}' stroke='{}' stroke-width='2' "
          "stroke-dasharray='{}'/>"
          "<text x='{}' y='{}'>{}, {} thr.</text>\n",
          kWidth - kRight + 10, y - 4, kWidth - kRight + 34, y - 4, colour,
          what[0] == 'd' ? "none" : "6 4", kWidth - kRight + 40, y, what, threads);
      y += 18;
    }
  }
  out += fmt::format(
      "<text x='{}' y='{}' text-anchor='middle'>tokens of context</text>"
      "<text x='16' y='{}' transform='rotate(-90 16 {})' text-anchor='middle'>tokens per "
      "second</text>\n</svg>\n",
      (kLeft + kWidth - kRight) / 2, kHeight - 10, kHeight / 2, kHeight / 2);
  return out;
}

}  // namespace levin::agent
