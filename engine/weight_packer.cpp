#include "engine/weight_packer.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <sstream>
#include <utility>

#include "kernels/finite.h"
#include "kernels/repack.h"
#include "kernels/tile_packing.h"

namespace levin::engine {
namespace {

using kernels::DType;
using kernels::MatrixView;

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kMappingBytes = size_t{256} << 20;
constexpr size_t kAlignment = 64;

size_t round_up(size_t value, size_t to) {
  return (value + to - 1) / to * to;
}

}  // namespace

void release_pages(std::span<const std::byte> source) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t begin = round_up(reinterpret_cast<size_t>(source.data()), page);
  const size_t end = (reinterpret_cast<size_t>(source.data()) + source.size()) / page * page;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

WeightArena::WeightArena(WeightArena&& other) noexcept {
  *this = std::move(other);
}

WeightArena& WeightArena::operator=(WeightArena&& other) noexcept {
  std::swap(mappings_, other.mappings_);
  std::swap(used_, other.used_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

WeightArena::~WeightArena() {
  for (const Mapping& mapping : mappings_) munmap(mapping.data, mapping.size);
}

Result<char*> WeightArena::allocate(size_t bytes) {
  bytes = round_up(std::max<size_t>(bytes, 1), kAlignment);
  if (mappings_.empty() || used_ + bytes > mappings_.back().size) {
    const size_t size = round_up(std::max(bytes, kMappingBytes), kHugePage) + kHugePage;
    void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) {
      return Error(
          ErrorCode::kLimit,
          fmt::format("no memory for {} bytes of weights ({} bytes are held)", bytes, bytes_));
    }
    madvise(data, size, MADV_HUGEPAGE);  // Where the kernel has none, the small pages stay.
    mappings_.push_back({static_cast<char*>(data), size});
    const size_t misplaced = reinterpret_cast<size_t>(data) % kHugePage;
    used_ = misplaced == 0 ? 0 : kHugePage - misplaced;
  }
  char* at = mappings_.back().data + used_;
  used_ += bytes;
  bytes_ += bytes;
  return at;
}

Result<MatrixView> parse_tile_value(const std::string& value) {
  static constexpr std::pair<const char*, DType> kTypes[] = {
      {"q4", DType::kTileQ4},       {"q4m", DType::kTileQ4M}, {"q8", DType::kTileQ8},
      {"q8g16", DType::kTileQ8G16}, {"i8", DType::kTileI8},   {"bf16", DType::kTileBF16}};
  std::istringstream in(value);
  std::string type;
  MatrixView view;
  in >> type >> view.rows >> view.cols;
  constexpr int64_t kMax = int64_t{1} << 40;
  if (in.fail() || view.rows < 1 || view.rows > kMax || view.cols > kMax ||
      !kernels::can_tile(view.cols)) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("'{}', expected a type, rows and columns (a multiple of {})", value,
                             kernels::kTileCols));
  }
  for (const auto& [name, dtype] : kTypes) {
    if (type != name) continue;
    view.dtype = dtype;
    return view;
  }
  return Error(
      ErrorCode::kUnsupported,
      fmt::format("quantisation type '{}', expected q4, q4m, q8, q8g16, i8 or bf16", type));
}

Result<MatrixView> WeightPacker::plan(Task task) {
  const MatrixView& to = task.to;
  TRY_ASSIGN(char* memory, arena_.allocate(kernels::tiled_bytes(to.dtype, to.rows, to.cols)));
  task.to.data = memory;
  tasks_.push_back(std::move(task));
  return tasks_.back().to;
}

Result<MatrixView> WeightPacker::add(const std::string& name, const TensorInfo& info, int64_t rows,
                                     int64_t cols) {
  Task task;
  kernels::BlockType blocks;
  if (kernels::parse_block_type(info.dtype, &blocks)) {
    task.blocks = blocks;
    task.to = {nullptr, kernels::tile_type_of(blocks), rows, cols};
  } else if (info.dtype == "BF16" && kernels::can_tile(cols)) {
    task.to = {nullptr, DType::kTileBF16, rows, cols};
  } else {
    return MatrixView{};
  }
  task.from = {info.data.data(), DType::kBF16, rows, cols};
  task.source = info.data;
  task.name = name;
  return plan(std::move(task));
}

Result<MatrixView> WeightPacker::add_tiles(const std::string& name, const TensorInfo& info,
                                           const MatrixView& shape) {
  Task task;
  task.name = name;
  task.from = shape;
  task.from.data = info.data.data();
  task.to = shape;
  task.source = info.data;
  return plan(std::move(task));
}

void WeightPacker::pack(const Task& task, int64_t first, int64_t last) {
  char* out = static_cast<char*>(const_cast<void*>(task.to.data));
  if (task.blocks) {
    const bool is_good = kernels::repack_panels(*task.blocks, task.from.data, task.to.rows,
                                                task.to.cols, first, last, out);
    if (!is_good) task.is_bad->store(true);
  } else if (task.from.dtype != task.to.dtype) {
    const int64_t top = first * kernels::kTileRows;
    const int64_t count = std::min(last * kernels::kTileRows, task.from.rows) - top;
    const char* rows = static_cast<const char*>(task.from.data) +
                       static_cast<size_t>(top * task.from.cols) * dtype_size(task.from.dtype);
    if (kernels::find_not_finite(task.from.dtype, rows, count * task.from.cols) >= 0) {
      task.is_bad->store(true);
    }
    kernels::pack_bf16_panels(task.from, first, last, out);
  } else {
    const size_t stride = kernels::panel_bytes(task.to.dtype, task.to.cols);
    std::memcpy(out + static_cast<size_t>(first) * stride,
                static_cast<const char*>(task.from.data) + static_cast<size_t>(first) * stride,
                static_cast<size_t>(last - first) * stride);
    if (!kernels::panels_are_finite(task.to.dtype, task.to.cols, out, first, last)) {
      task.is_bad->store(true);
    }
  }
}

Result<void> WeightPacker::run(const kernels::Parallel& parallel) {
  constexpr int64_t kPanelsPerRange = 8;
  std::atomic<bool> is_bad = false;
  // One task after the other, each split over the threads: the file is read in order.
  for (Task& task : tasks_) {
    task.is_bad = &is_bad;
    const auto body = [](void* argument, int64_t begin, int64_t end, int) {
      pack(*static_cast<const Task*>(argument), begin, end);
    };
    parallel.run(parallel.self, kernels::num_panels(task.to.rows), kPanelsPerRange, body, &task);
    release_pages(task.source);
    if (is_bad) {
      return Error(ErrorCode::kCorrupt,
                   fmt::format("tensor '{}': a {} is not a finite number", task.name,
                               task.to.dtype == DType::kTileBF16 ? "weight" : "scale"));
    }
  }
  tasks_.clear();
  return {};
}

}  // namespace levin::engine
