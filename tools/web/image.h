// A picture as the checker sees it: one number per pixel.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "tools/web/devtools.h"

namespace levin::tools::web {

struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint32_t> pixels;  // 0xAABBGGRR, row by row.

  uint32_t at(int x, int y) const {
    return pixels[static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)];
  }
};

// From probe.image(): {width, height, palette, runs}. Empty when it is no picture.
Image image_of(const Json& runs);

// Sum of the differences of the four channels: 0 to 1020.
inline int colour_distance(uint32_t a, uint32_t b) {
  int sum = 0;
  for (int shift = 0; shift < 32; shift += 8) {
    sum += std::abs(static_cast<int>(a >> shift & 255) - static_cast<int>(b >> shift & 255));
  }
  return sum;
}

// Colours nearer than this are one colour to a viewer.
inline constexpr int kSameColour = 24;

// Most frequent first, at most `count`; near colours are one.
std::vector<uint32_t> main_colours(const Image& image, size_t count);

}  // namespace levin::tools::web
