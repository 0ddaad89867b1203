#include "tools/web/image.h"

#include <algorithm>
#include <unordered_map>

namespace levin::tools::web {
namespace {

constexpr size_t kPixelsMax = size_t{16} << 20;

}  // namespace

Image image_of(const Json& runs) {
  Image image;
  if (!runs.is_object()) return image;
  image.width = runs.value("width", 0);
  image.height = runs.value("height", 0);
  const size_t size = static_cast<size_t>(image.width) * static_cast<size_t>(image.height);
  const auto palette = runs.value("palette", std::vector<uint32_t>());
  const auto list = runs.value("runs", std::vector<uint32_t>());
  if (size == 0 || size > kPixelsMax) return {};
  image.pixels.reserve(size);
  for (size_t i = 0; i + 1 < list.size(); i += 2) {
    const size_t count = std::min<size_t>(list[i], size - image.pixels.size());
    if (list[i + 1] >= palette.size()) return {};
    image.pixels.insert(image.pixels.end(), count, palette[list[i + 1]]);
  }
  if (image.pixels.size() != size) return {};
  return image;
}

std::vector<uint32_t> main_colours(const Image& image, size_t count) {
  std::unordered_map<uint32_t, size_t> tally;
  for (const uint32_t pixel : image.pixels) ++tally[pixel];
  std::vector<std::pair<size_t, uint32_t>> order;
  for (const auto& [colour, times] : tally) order.emplace_back(times, colour);
  std::ranges::sort(order, std::greater<>());
  std::vector<uint32_t> colours;
  for (const auto& [times, colour] : order) {
    const bool known = std::ranges::any_of(
        colours, [c = colour](uint32_t other) { return colour_distance(c, other) < kSameColour; });
    if (!known) colours.push_back(colour);
    if (colours.size() == count) break;
  }
  return colours;
}

}  // namespace levin::tools::web
