// Weights in the layout that the tile kernels read (kernels/tiles.h), in memory of their own: huge
// pages, since a decode step reads every weight once and the page walks of small ones cost a fifth
// of the memory's speed. Matrices are planned one by one, then packed together on all threads; the
// pages of the file are given back as they have been read, so a model needs its own size and not
// twice that.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/tensor_files.h"
#include "kernels/ops.h"
#include "kernels/quant_blocks.h"
#include "kernels/tensor_view.h"

namespace levin::engine {

// Anonymous memory in large mappings, filled once and freed together. Movable.
class WeightArena {
 public:
  WeightArena() = default;
  WeightArena(WeightArena&& other) noexcept;
  WeightArena& operator=(WeightArena&& other) noexcept;
  ~WeightArena();

  // `bytes` of zeroed memory, aligned to 64. Errors: kLimit.
  Result<char*> allocate(size_t bytes);
  size_t bytes() const { return bytes_; }

 private:
  struct Mapping {
    char* data;
    size_t size;
  };
  std::vector<Mapping> mappings_;
  size_t used_ = 0;  // Of the last mapping.
  size_t bytes_ = 0;
};

// Gives clean pages of a mapped file back: they can be read again, and the peak stays low.
void release_pages(std::span<const std::byte> source);

// How a tiled matrix is described in the metadata of quantised safetensors
// (docs/formats/quantized.md): key kTileKeyPrefix + tensor name, value "q4 ROWS COLS".
inline constexpr const char* kTileKeyPrefix = "levin.tile:";

// Type, rows and cols of such a value. Errors: kCorrupt, kUnsupported for an unknown type.
Result<kernels::MatrixView> parse_tile_value(const std::string& value);

class WeightPacker {
 public:
  // Plans the matrix [rows, cols] of `info` and returns its future view: valid after run(). A
  // matrix for which there are no tiles (float32 and half, or columns that do not fill a tile)
  // comes back with null data: read it where it lies. Errors: kLimit.
  Result<kernels::MatrixView> add(const std::string& name, const TensorInfo& info, int64_t rows,
                                  int64_t cols);
  // Plans a copy of tiles that a file already holds.
  Result<kernels::MatrixView> add_tiles(const std::string& name, const TensorInfo& info,
                                        const kernels::MatrixView& shape);

  // Packs everything that was planned. Errors: kCorrupt naming a tensor with a weight or scale that
  // is not a finite number.
  Result<void> run(const kernels::Parallel& parallel);

  WeightArena take_arena() { return std::move(arena_); }

 private:
  struct Task {
    kernels::MatrixView from;  // Row-major, or tiles as in `to`.
    kernels::MatrixView to;
    std::span<const std::byte> source;
    std::string name;
    std::optional<kernels::BlockType> blocks;  // Then `from` is rows of these.
    std::atomic<bool>* is_bad = nullptr;
  };
  static void pack(const Task& task, int64_t first, int64_t last);
  Result<kernels::MatrixView> plan(Task task);

  WeightArena arena_;
  std::vector<Task> tasks_;
};

}  // namespace levin::engine
