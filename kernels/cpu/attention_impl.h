// Softmax attention over the paged cache: which rows meet which keys on which thread. Few tokens
// (decode, a verified draft) are split by sections of keys, many by query rows; either way a row
// goes through each section alone and its sections are merged in order, so the bits are the same.
#pragma once

#include "kernels/cpu/attention_step_impl.h"

namespace levin::kernels {
namespace {

constexpr int64_t kAttentionWork = 1 << 16;  // As kWorkPerRange: less stays on the calling thread.

struct AttentionShape {
  int64_t padded;
  int64_t row_floats;  // acc, then SoftmaxRow
  int64_t group;       // query heads of a KV head
  int64_t rows;        // query rows of a KV head: token by token, its heads in turn
  int64_t num_sections;
};

inline AttentionShape attention_shape(const AttentionArgs& args) {
  AttentionShape shape;
  shape.padded = args.layout.padded_dim();
  shape.row_floats = shape.padded + 2;
  shape.group = args.num_heads / args.layout.num_kv_heads;
  shape.rows = args.num_tokens * shape.group;
  const int64_t visible = args.first_position + args.num_tokens;
  shape.num_sections = (visible + kAttentionSection - 1) / kAttentionSection;
  return shape;
}

// A row's sums, in one stretch of floats.
inline SoftmaxRow* softmax_row(const AttentionShape& shape, float* row) {
  return reinterpret_cast<SoftmaxRow*>(row + shape.padded);
}

inline void clear_row(const AttentionShape& shape, float* row) {
  for (int64_t c = 0; c < shape.padded; ++c) row[c] = 0;
  *softmax_row(shape, row) = {-INFINITY, 0};
}

// total += part, the two of them sums over different keys. Not inlined: one piece of code, so that
// the compiler cannot fuse it in two ways.
__attribute__((noinline)) inline void merge_row(const AttentionShape& shape, float* total,
                                                float* part) {
  SoftmaxRow* a = softmax_row(shape, total);
  const SoftmaxRow b = *softmax_row(shape, part);
  const float next = a->maximum > b.maximum ? a->maximum : b.maximum;
  const float scale_a = exp_vec(splat(a->maximum - next))[0];
  const float scale_b = exp_vec(splat(b.maximum - next))[0];
  for (int64_t c = 0; c < shape.padded; c += kLanes) {
    store(total + c, load(total + c) * scale_a + load(part + c) * scale_b);
  }
  a->total = a->total * scale_a + b.total * scale_b;
  a->maximum = next;
}

inline void write_row(const AttentionArgs& args, const AttentionShape& shape, int64_t kv_head,
                      int64_t row, float* sums) {
  const int64_t d = args.layout.head_dim;
  const int64_t head = kv_head * shape.group + row % shape.group;
  float* out = args.out + (row / shape.group * args.num_heads + head) * d;
  const Vec total = splat(softmax_row(shape, sums)->total);
  for (int64_t c = 0; c < d; c += kLanes) store_part(out + c, load(sums + c) / total, d - c);
}

// One worker's memory: of each row of a tile its query, the sums of a section, the sums so far.
struct AttentionTile {
  float* queries;
  float* part;
  float* total;
};

inline AttentionTile attention_tile(const AttentionArgs& args, const AttentionShape& shape,
                                    int worker) {
  const int64_t floats = kAttentionTileRows * shape.row_floats;
  float* at = args.scratch + 3 * floats * worker;
  return {at, at + floats, at + 2 * floats};
}

// The partial results of calls that are split by sections lie behind the tiles of the workers.
inline float* attention_partials(const Parallel& parallel, const AttentionArgs& args,
                                 const AttentionShape& shape) {
  return args.scratch + 3 * kAttentionTileRows * shape.row_floats * parallel.num_workers;
}

template <typename Kv>
inline void load_queries(const AttentionArgs& args, const AttentionShape& shape, int64_t kv_head,
                         int64_t first_row, int64_t count, float* queries) {
  const int64_t d = args.layout.head_dim;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = first_row + i;
    const int64_t head = kv_head * shape.group + row % shape.group;
    const float* q = args.q + (row / shape.group * args.num_heads + head) * d;
    auto* to = reinterpret_cast<typename Kv::Factor*>(queries + i * shape.row_floats);
    Kv::query(q, d, to);
    for (int64_t c = d; c < shape.padded; ++c) to[c] = 0;
  }
}

// Keys that a row sees.
inline int64_t visible_of(const AttentionArgs& args, const AttentionShape& shape, int64_t row) {
  return args.first_position + row / shape.group + 1;
}

// Rows [first_row, first_row + count) against one section; their sums go to `part`.
template <typename Kv>
inline void attend_section(const AttentionArgs& args, const AttentionShape& shape, int64_t kv_head,
                           int64_t first_row, int64_t count, int64_t section, const float* queries,
                           float* part) {
  using Stored = typename Kv::Stored;
  const KvLayout layout = args.layout;
  for (int64_t i = 0; i < count; ++i) clear_row(shape, part + i * shape.row_floats);
  const int64_t begin = section * kAttentionSection;
  const int64_t last = visible_of(args, shape, first_row + count - 1);
  const int64_t end = last < begin + kAttentionSection ? last : begin + kAttentionSection;
  const auto step_at = [&](int64_t position) {
    return static_cast<const Stored*>(args.pages[position / kKvPageTokens]) +
           kv_head * layout.head_page() + position % kKvPageTokens / kKvStep * layout.step();
  };
  for (int64_t position = begin; position < end; position += kKvStep) {
    const Stored* step = step_at(position);
    const Stored* next = position + kKvStep < end ? step_at(position + kKvStep) : nullptr;
    for (int64_t i = 0; i < count; i += kRowsMax) {
      const int64_t rows = count - i < kRowsMax ? count - i : kRowsMax;
      if (visible_of(args, shape, first_row + i + rows - 1) <= position) continue;
      StepRows<Kv> of;
      for (int64_t r = 0; r < rows; ++r) {
        float* sums = part + (i + r) * shape.row_floats;
        of.q[r] =
            reinterpret_cast<const typename Kv::Factor*>(queries + (i + r) * shape.row_floats);
        of.acc[r] = sums;
        of.row[r] = softmax_row(shape, sums);
        of.visible[r] = visible_of(args, shape, first_row + i + r) - position;
      }
      attend_rows<Kv>(static_cast<int>(rows), of, step, shape.padded, args.scale,
                      i == 0 ? next : nullptr);
    }
  }
}

// Many tokens: a range of rows of one KV head goes through all its sections on one thread.
template <typename Kv>
inline void attend_tile(const AttentionArgs& args, const AttentionShape& shape, int64_t kv_head,
                        int64_t first_row, int64_t count, const AttentionTile& tile) {
  load_queries<Kv>(args, shape, kv_head, first_row, count, tile.queries);
  const int64_t last = visible_of(args, shape, first_row + count - 1);
  for (int64_t section = 0; section * kAttentionSection < last; ++section) {
    attend_section<Kv>(args, shape, kv_head, first_row, count, section, tile.queries,
                       section == 0 ? tile.total : tile.part);
    for (int64_t i = 0; i < count && section > 0; ++i) {
      if (visible_of(args, shape, first_row + i) <= section * kAttentionSection) continue;
      merge_row(shape, tile.total + i * shape.row_floats, tile.part + i * shape.row_floats);
    }
  }
  for (int64_t i = 0; i < count; ++i) {
    write_row(args, shape, kv_head, first_row + i, tile.total + i * shape.row_floats);
  }
}

template <typename Kv>
inline void attention_by_rows(const Parallel& parallel, const AttentionArgs& args,
                              const AttentionShape& shape) {
  const int64_t kv_heads = args.layout.num_kv_heads;
  int64_t tile_rows = kAttentionTileRows;
  while (tile_rows > 4 * kRowsMax &&
         (shape.rows + tile_rows - 1) / tile_rows * kv_heads < 4 * parallel.num_workers) {
    tile_rows /= 2;
  }
  const int64_t tiles = (shape.rows + tile_rows - 1) / tile_rows;
  const int64_t visible = args.first_position + args.num_tokens;
  const int64_t grain = kAttentionWork / (visible * shape.padded * tile_rows) + 1;
  parallel_for(parallel, tiles * kv_heads, grain, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t first_row = item % tiles * tile_rows;
      const int64_t left = shape.rows - first_row;
      attend_tile<Kv>(args, shape, item / tiles, first_row, left < tile_rows ? left : tile_rows,
                      attention_tile(args, shape, worker));
    }
  });
}

// Adds the partial results of sections [first, first + count) to the rows' totals, in order, and
// writes the rows out when there are no more.
inline void merge_sections(const Parallel& parallel, const AttentionArgs& args,
                           const AttentionShape& shape, float* partials, int64_t first,
                           int64_t count) {
  const int64_t kv_heads = args.layout.num_kv_heads;
  const int64_t all_rows = shape.rows * kv_heads;
  float* totals = partials + kAttentionRound * all_rows * shape.row_floats;
  const bool is_last = first + count == shape.num_sections;
  const int64_t grain = kAttentionWork / (count * shape.row_floats) + 1;
  parallel_for(parallel, all_rows, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t item = begin; item < end; ++item) {
      float* total = totals + item * shape.row_floats;
      const int64_t row = item % shape.rows;
      for (int64_t i = 0; i < count; ++i) {
        float* part = partials + (i * all_rows + item) * shape.row_floats;
        if (first + i == 0) {
          for (int64_t c = 0; c < shape.row_floats; ++c) total[c] = part[c];
        } else if (visible_of(args, shape, row) > (first + i) * kAttentionSection) {
          merge_row(shape, total, part);
        }
      }
      if (is_last) write_row(args, shape, item / shape.rows, row, total);
    }
  });
}

template <typename Kv>
inline void attention_by_sections(const Parallel& parallel, const AttentionArgs& args,
                                  const AttentionShape& shape) {
  const int64_t kv_heads = args.layout.num_kv_heads;
  const int64_t tiles = (shape.rows + kAttentionTileRows - 1) / kAttentionTileRows;
  const int64_t all_rows = shape.rows * kv_heads;
  float* partials = attention_partials(parallel, args, shape);
  const int64_t grain = kAttentionWork / (kAttentionSection * shape.padded * shape.rows) + 1;
  for (int64_t first = 0; first < shape.num_sections; first += kAttentionRound) {
    const int64_t left = shape.num_sections - first;
    const int64_t count = left < kAttentionRound ? left : kAttentionRound;
    parallel_for(
        parallel, count * kv_heads * tiles, grain, [&](int64_t begin, int64_t end, int worker) {
          for (int64_t item = begin; item < end; ++item) {
            const int64_t section = item / (kv_heads * tiles);
            const int64_t kv_head = item / tiles % kv_heads;
            const int64_t row = item % tiles * kAttentionTileRows;
            const int64_t rows_left = shape.rows - row;
            const int64_t rows = rows_left < kAttentionTileRows ? rows_left : kAttentionTileRows;
            const AttentionTile tile = attention_tile(args, shape, worker);
            load_queries<Kv>(args, shape, kv_head, row, rows, tile.queries);
            attend_section<Kv>(
                args, shape, kv_head, row, rows, first + section, tile.queries,
                partials + (section * all_rows + kv_head * shape.rows + row) * shape.row_floats);
          }
        });
    merge_sections(parallel, args, shape, partials, first, count);
  }
}

template <typename Kv>
inline void attention_as(const Parallel& parallel, const AttentionArgs& args) {
  const AttentionShape shape = attention_shape(args);
  // One section needs no merging, and its rows are as many as there are.
  if (args.num_tokens <= kAttentionSplitTokens && shape.num_sections > 1) {
    return attention_by_sections<Kv>(parallel, args, shape);
  }
  attention_by_rows<Kv>(parallel, args, shape);
}

inline void op_attention(const Parallel& parallel, const AttentionArgs& args) {
#if defined(__AVX512BF16__)
  using Bf16 = KvBf16Dot;
#else
  using Bf16 = KvBf16;
#endif
  const AttentionArgs copy = args;
  if (args.layout.dtype == DType::kF32) return attention_as<KvF32>(parallel, copy);
  attention_as<Bf16>(parallel, copy);
}

}  // namespace
}  // namespace levin::kernels
