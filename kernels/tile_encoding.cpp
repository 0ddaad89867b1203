#include "kernels/tile_encoding.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "kernels/quant_blocks.h"

namespace levin::kernels {
namespace {

constexpr float kHalfMax = 65504;

float largest(const float* w, int64_t count) {
  float result = 0;
  for (int64_t i = 0; i < count; ++i) result = std::max(result, std::fabs(w[i]));
  return result;
}

int nearest(float value, int least, int most) {
  return std::clamp(static_cast<int>(std::nearbyint(value)), least, most);
}

// q of 32 weights for a scale, and the squared error.
float round_q4(const float* w, float scale, int* q) {
  const float inverse = scale == 0 ? 0 : 1 / scale;
  float error = 0;
  for (int c = 0; c < 32; ++c) {
    q[c] = nearest(w[c] * inverse, -8, 7);
    const float difference = w[c] - scale * static_cast<float>(q[c]);
    error += difference * difference;
  }
  return error;
}

// The scale of 32 weights, as half precision has it; fills q.
float choose_q4(const float* w, int* q) {
  const float top = largest(w, 32);
  float best = half_to_float(float_to_half(top / -8));
  float best_error = round_q4(w, best, q);
  int trial[32];
  const auto consider = [&](float scale) {
    scale = half_to_float(float_to_half(scale));
    const float error = round_q4(w, scale, trial);
    if (!(error < best_error)) return;
    best = scale;
    best_error = error;
    std::copy(trial, trial + 32, q);
  };
  for (int step = 0; step < 9; ++step) {
    const float divisor = 7 + 0.25f * static_cast<float>(step);
    consider(top / divisor);
    consider(top / -divisor);
  }
  float product = 0;
  float square = 0;
  for (int c = 0; c < 32; ++c) {
    product += w[c] * static_cast<float>(q[c]);
    square += static_cast<float>(q[c] * q[c]);
  }
  if (square > 0) consider(product / square);
  return best;
}

void put_half(char* at, float value) {
  const uint16_t half = float_to_half(value);
  std::memcpy(at, &half, sizeof half);
}

bool encode_q4(const float* w, int64_t r, char* tile) {
  if (largest(w, 32) / 7 > kHalfMax) return false;
  int q[32];
  put_half(tile + r * 2, choose_q4(w, q));
  for (int k = 0; k < 16; ++k) {
    tile[32 + k / 4 * 64 + r * 4 + k % 4] = static_cast<char>((q[k] + 8) | (q[16 + k] + 8) << 4);
  }
  return true;
}

void put_bytes(const float* w, float scale, int64_t r, char* bytes) {
  // Of a subnormal scale it may be infinite; such weights are as good as zero.
  const float inverse = scale < FLT_MIN ? 0 : 1 / scale;
  for (int k = 0; k < 32; ++k) {
    bytes[k / 4 * 64 + r * 4 + k % 4] = static_cast<char>(nearest(w[k] * inverse, -127, 127) + 128);
  }
}

bool encode_q8(const float* w, int64_t r, char* tile) {
  const float scale = largest(w, 32) / 127;
  if (scale > kHalfMax) return false;
  put_half(tile + r * 2, scale);
  put_bytes(w, half_to_float(float_to_half(scale)), r, tile + 32);
  return true;
}

}  // namespace

bool encode_panel(DType dtype, const float* rows, int64_t num_rows, int64_t cols, void* out) {
  auto* panel = static_cast<char*>(out);
  std::memset(panel, 0, panel_bytes(dtype, cols));
  bool fits = true;
  for (int64_t r = 0; r < num_rows; ++r) {
    const float* row = rows + r * cols;
    float row_scale = 0;
    if (dtype == DType::kTileI8) {
      row_scale = largest(row, cols) / 127;
      std::memcpy(panel + r * 4, &row_scale, sizeof row_scale);
    }
    char* tile = panel + panel_header_bytes(dtype);
    for (int64_t c = 0; c < cols; c += kTileCols, tile += tile_bytes(dtype)) {
      if (dtype == DType::kTileI8) {
        put_bytes(row + c, row_scale, r, tile);
      } else {
        fits &= dtype == DType::kTileQ4 ? encode_q4(row + c, r, tile) : encode_q8(row + c, r, tile);
      }
    }
  }
  return fits;
}

}  // namespace levin::kernels
