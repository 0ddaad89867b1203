// Tiled weights for tests: random bytes with sane scales, so that every stored number occurs.
#pragma once

#include <cstring>
#include <vector>

#include "kernels/tile_packing.h"
#include "tests/kernels/kernel_testing.h"

namespace levin::kernels {

inline const DType kTiledTypes[] = {DType::kTileQ4,    DType::kTileQ4M, DType::kTileQ8,
                                    DType::kTileQ8G16, DType::kTileI8,  DType::kTileBF16};

class TiledMatrix {
 public:
  TiledMatrix(DType dtype, int64_t rows, int64_t cols, Random& random)
      : storage_(tiled_bytes(dtype, rows, cols) + 1) {
    char* at = storage_.data() + 1;  // Unaligned, as in a mapped file.
    view_ = {at, dtype, rows, cols};
    for (size_t i = 1; i < storage_.size(); ++i) storage_[i] = static_cast<char>(random.bits());
    for (int64_t panel = 0; panel < num_panels(rows); ++panel) {
      char* begin = at + static_cast<size_t>(panel) * panel_bytes(dtype, cols);
      if (dtype == DType::kTileI8) {
        for (int r = 0; r < 16; ++r) put(begin + r * 4, random.uniform(0.001f, 0.02f));
        continue;
      }
      for (int64_t t = 0; t < cols / kTileCols; ++t) {
        fill_tile(begin + static_cast<size_t>(t) * tile_bytes(dtype), random);
      }
    }
  }
  const MatrixView& view() const { return view_; }

 private:
  template <typename T>
  static void put(char* at, T value) {
    std::memcpy(at, &value, sizeof value);
  }
  void fill_tile(char* tile, Random& random) const {
    if (view_.dtype == DType::kTileBF16) {
      for (int i = 0; i < 512; ++i) {
        const float value = random.uniform(-1, 1);
        uint32_t raw;
        std::memcpy(&raw, &value, sizeof raw);
        put(tile + i * 2, static_cast<uint16_t>(raw >> 16));
      }
      return;
    }
    const bool is_double = view_.dtype == DType::kTileQ4M || view_.dtype == DType::kTileQ8G16;
    for (int i = 0; i < (is_double ? 32 : 16); ++i) {
      put(tile + i * 2, float_to_half(random.uniform(0.001f, 0.02f)));
    }
  }

  std::vector<char> storage_;
  MatrixView view_;
};

// Activation rows in both forms that tiles are multiplied with.
struct Activations {
  std::vector<QuantGroup> groups;
  std::vector<uint16_t> bf16;

  Activations(const Ops& ops, const Parallel& parallel, const std::vector<float>& x, int64_t cols)
      : groups(x.size() / 32), bf16(x.size()) {
    const auto count = static_cast<int64_t>(x.size());
    ops.quantize_rows(parallel, x.data(), count / cols, cols, groups.data());
    ops.round_rows(parallel, x.data(), count, bf16.data());
  }
};

}  // namespace levin::kernels
