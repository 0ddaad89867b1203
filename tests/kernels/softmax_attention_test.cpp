// Softmax attention over the paged cache: every instruction set against the reference, both types
// of cache, borders of steps, sections and pages, and the promise that a row's bits depend on
// nothing but its query and the keys before it.
#include "tests/kernels/kernel_testing.h"

namespace levin::kernels {
namespace {

const Parallel& serial() {
  static const Parallel none;  // The reference table never looks at it.
  return none;
}

struct Shape {
  int64_t num_heads;
  int64_t num_kv_heads;
  int64_t head_dim;
};

const DType kBoth[] = {DType::kF32, DType::kBF16};

// A sequence's cache. Places that no token has filled hold NaN; the padding of dims holds zeros, as
// new pages do.
class Cache {
 public:
  Cache(DType dtype, const Shape& shape, int64_t num_tokens)
      : layout_{dtype, shape.num_kv_heads, shape.head_dim} {
    for (int64_t first = 0; first < num_tokens; first += kKvPageTokens) {
      memory_.emplace_back(static_cast<size_t>(layout_.page_bytes()));
      pages_.push_back(memory_.back().data());
      for (int64_t head = 0; head < layout_.num_kv_heads; ++head) {
        for (int64_t token = 0; token < kKvPageTokens; ++token) poison(head, token);
      }
    }
  }

  void write(const Ops& ops, const Parallel& parallel, const float* k, const float* v,
             int64_t first, int64_t count) {
    ops.kv_write(parallel, {k, v, pages_.data(), layout_, count, first});
  }

  const std::vector<std::vector<unsigned char>>& memory() const { return memory_; }
  const void* const* pages() const { return pages_.data(); }
  const KvLayout& layout() const { return layout_; }

 private:
  void poison(int64_t head, int64_t token) {
    for (int64_t c = 0; c < layout_.head_dim; ++c) {
      for (const int64_t at : {layout_.key_at(head, token, c), layout_.value_at(head, token, c)}) {
        if (layout_.dtype == DType::kF32) static_cast<float*>(pages_.back())[at] = NAN;
        if (layout_.dtype == DType::kBF16) static_cast<uint16_t*>(pages_.back())[at] = 0x7fc0;
      }
    }
  }

  KvLayout layout_;
  std::vector<std::vector<unsigned char>> memory_;
  std::vector<void*> pages_;
};

struct Sequence {
  Sequence(uint64_t seed, const Shape& of, int64_t tokens) : shape(of), num_tokens(tokens) {
    Random random(seed);
    q = random.floats(tokens * of.num_heads * of.head_dim, -3, 3);
    k = random.floats(tokens * of.num_kv_heads * of.head_dim);
    v = random.floats(tokens * of.num_kv_heads * of.head_dim);
  }
  Shape shape;
  int64_t num_tokens;
  std::vector<float> q, k, v;
};

// Writes tokens [first, first + count) and attends to them.
std::vector<float> attend(const Ops& ops, const Parallel& parallel, const Sequence& all,
                          Cache& cache, int64_t first, int64_t count) {
  const Shape& shape = all.shape;
  const int64_t kv_row = shape.num_kv_heads * shape.head_dim;
  const int64_t row = shape.num_heads * shape.head_dim;
  cache.write(ops, parallel, all.k.data() + first * kv_row, all.v.data() + first * kv_row, first,
              count);
  Guarded out(count * row);
  Guarded scratch(attention_scratch_floats(shape.num_heads, shape.head_dim, parallel.num_workers));
  ops.attention(parallel, {all.q.data() + first * row, cache.pages(), out.data(), scratch.data(),
                           cache.layout(), count, shape.num_heads, first,
                           1 / std::sqrt(static_cast<float>(shape.head_dim))});
  EXPECT_TRUE(out.intact());
  EXPECT_TRUE(scratch.intact());
  return out.values();
}

// In pieces; the last one may be cut short.
std::vector<float> attend_in_pieces(const Ops& ops, const Parallel& parallel, const Sequence& all,
                                    DType dtype, const std::vector<int64_t>& pieces) {
  Cache cache(dtype, all.shape, all.num_tokens);
  std::vector<float> out;
  int64_t done = 0;
  for (size_t i = 0; done < all.num_tokens; ++i) {
    const int64_t count = std::min(pieces[i % pieces.size()], all.num_tokens - done);
    const std::vector<float> part = attend(ops, parallel, all, cache, done, count);
    out.insert(out.end(), part.begin(), part.end());
    done += count;
  }
  return out;
}

class SoftmaxAttentionTest : public DeviceTest {
 protected:
  bool rounds_queries(DType dtype) const {
#if defined(__x86_64__)
    return dtype == DType::kBF16 && GetParam().isa == CpuIsa::kAvx512 &&
           __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
  }

  // Outputs are means of v (|v| <= 1). In float32, scores of up to 8 in magnitude from head_dim
  // products; a weight's error is that of its score: 1e-5 covers 160 roundings. The bfloat16 dot
  // instruction rounds query and weights by up to 2^-9 each: a score of magnitude s moves by about
  // s 2^-9, seldom by more; 1.5e-2 is a shift of all of 8 in one direction, and the mean is far
  // less.
  void check(const Shape& shape, DType dtype, int64_t first, int64_t count) {
    const Sequence all(static_cast<uint64_t>(first * 7 + count), shape, first + count);
    Cache cache(dtype, shape, first + count);
    if (first > 0) cache.write(ops(), parallel(), all.k.data(), all.v.data(), 0, first);
    const Guarded got(attend(ops(), parallel(), all, cache, first, count));
    const Guarded expected(attend(reference_ops(), serial(), all, cache, first, count));
    const std::string what =
        "first " + std::to_string(first) + ", tokens " + std::to_string(count) + ", heads " +
        std::to_string(shape.num_heads) + "/" + std::to_string(shape.num_kv_heads) + ", head_dim " +
        std::to_string(shape.head_dim) + (dtype == DType::kF32 ? ", f32" : ", bf16");
    const double bound = rounds_queries(dtype) ? 1.5e-2 : 1e-5;
    expect_within(got, expected, std::vector<double>(got.size(), bound), what);
    double squares = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      squares += (double{got[i]} - expected[i]) * (double{got[i]} - expected[i]);
    }
    EXPECT_LE(std::sqrt(squares / static_cast<double>(got.size())), bound / 3) << what;
  }
};

TEST_P(SoftmaxAttentionTest, CacheRowsAreTheReferences) {
  for (const DType dtype : kBoth) {
    for (const Shape& shape :
         {Shape{4, 2, 16}, Shape{3, 3, 33}, Shape{1, 1, 1}, Shape{4, 1, 128}}) {
      const Sequence all(3, shape, 300);
      const int64_t row = shape.num_kv_heads * shape.head_dim;
      Cache ours(dtype, shape, all.num_tokens);
      Cache reference(dtype, shape, all.num_tokens);
      int64_t done = 0;
      for (const int64_t count : {1, 2, 3, 58, 1, 190, 2, 40, 3}) {
        ours.write(ops(), parallel(), all.k.data() + done * row, all.v.data() + done * row, done,
                   count);
        reference.write(reference_ops(), serial(), all.k.data() + done * row,
                        all.v.data() + done * row, done, count);
        done += count;
        ASSERT_EQ(ours.memory(), reference.memory()) << "after " << done;
      }
      ASSERT_EQ(done, all.num_tokens);
    }
  }
}

TEST_P(SoftmaxAttentionTest, AcrossTheBordersOfStepsPagesAndSections) {
  for (const DType dtype : kBoth) {
    for (const int64_t first :
         {0, 1, 62, 63, 64, 65, 127, 511, 1022, 1023, 1024, 1025, 2047, 2048}) {
      for (const int64_t count : {1, 2, 3, 8, 9}) {
        check({4, 2, 16}, dtype, first, count);
        check({6, 2, 24}, dtype, first, count);
        if (HasFatalFailure()) return;
      }
    }
    for (const int64_t count : {63, 64, 65, 257, 1100}) check({2, 1, 8}, dtype, 3, count);
  }
}

TEST_P(SoftmaxAttentionTest, OfOddShapes) {
  for (const DType dtype : kBoth) {
    for (const int64_t head_dim : {1, 3, 15, 17, 31, 32, 33, 48, 64, 80, 96, 128, 129}) {
      for (const Shape& heads : {Shape{3, 3, 0}, Shape{5, 1, 0}, Shape{4, 2, 0}, Shape{16, 4, 0},
                                 Shape{8, 1, 0}, Shape{70, 1, 0}}) {
        check({heads.num_heads, heads.num_kv_heads, head_dim}, dtype, 70, 4);
        check({heads.num_heads, heads.num_kv_heads, head_dim}, dtype, 0, 1);
        if (HasFatalFailure()) return;
      }
    }
    check({8, 2, 128}, dtype, 600, 40);
  }
}

// Enough sections for more than one round of partial results.
TEST_P(SoftmaxAttentionTest, FarBeyondOneRoundOfSections) {
  const int64_t first = kAttentionRound * kAttentionSection + 700;
  for (const DType dtype : kBoth) {
    check({2, 1, 16}, dtype, first, 1);
    check({2, 1, 16}, dtype, first, 3);
  }
}

// Prefill of any cut, and one token at a time, give the same bits: sections alone or in a tile,
// beside other rows or not, on any thread.
TEST_P(SoftmaxAttentionTest, AnySplitGivesTheSameBits) {
  for (const DType dtype : kBoth) {
    for (const Shape& shape : {Shape{3, 3, 16}, Shape{4, 2, 24}, Shape{5, 1, 33}, Shape{2, 1, 7}}) {
      const Sequence all(11, shape, 1200);
      const std::vector<float> whole =
          attend_in_pieces(ops(), parallel(), all, dtype, {all.num_tokens});
      for (const std::vector<int64_t>& pieces : std::vector<std::vector<int64_t>>{
               {1}, {8}, {9}, {64}, {1025}, {1, 7, 130, 2, 64, 3}, {255, 1, 768}}) {
        const std::vector<float> cut = attend_in_pieces(ops(), parallel(), all, dtype, pieces);
        ASSERT_EQ(std::memcmp(whole.data(), cut.data(), whole.size() * sizeof(float)), 0)
            << "head_dim " << shape.head_dim << ", first piece " << pieces[0];
      }
    }
  }
}

TEST_P(SoftmaxAttentionTest, ThreadsDoNotChangeTheBits) {
  const auto alone = make_cpu_device({1, GetParam().isa});
  ASSERT_TRUE(alone);
  const Sequence all(12, {4, 2, 32}, 2200);
  for (const DType dtype : kBoth) {
    EXPECT_EQ(attend_in_pieces(ops(), parallel(), all, dtype, {2100, 1}),
              attend_in_pieces((*alone)->ops(), (*alone)->parallel(), all, dtype, {2100, 1}));
  }
}

// Scores 1e4 apart: the running maximum must carry over steps and sections in both directions.
TEST_P(SoftmaxAttentionTest, WithOneOverwhelmingKey) {
  for (const DType dtype : kBoth) {
    for (const int64_t peak : {0, 63, 64, 511, 1023, 1024, 1099}) {
      Sequence all(1, {1, 1, 4}, 1100);
      std::fill(all.q.begin(), all.q.end(), 100.0f);
      std::fill(all.k.begin(), all.k.end(), -100.0f);
      for (size_t i = 0; i < all.v.size(); ++i) all.v[i] = static_cast<float>(i / 4 % 256);
      std::fill_n(all.k.begin() + peak * 4, 4, 100.0f);
      Cache cache(dtype, all.shape, 1100);
      cache.write(ops(), parallel(), all.k.data(), all.v.data(), 0, 1099);
      for (const float got : attend(ops(), parallel(), all, cache, 1099, 1)) {
        EXPECT_NEAR(got, static_cast<double>(peak % 256), 1e-4) << peak;
      }
    }
  }
}

// What a bfloat16 cache costs against float32 keys and values: rounding to 2^-9, averaged over the
// keys. Measured, as the root mean square against that of the outputs: 0.21 %, and 0.30 % where the
// dot instruction rounds queries and weights as well.
TEST_P(SoftmaxAttentionTest, ErrorOfABfloat16Cache) {
  const Shape shape{4, 2, 128};
  const Sequence all(21, shape, 600);
  Cache rounded(DType::kBF16, shape, 600);
  Cache exact(DType::kF32, shape, 600);
  rounded.write(ops(), parallel(), all.k.data(), all.v.data(), 0, 500);
  exact.write(ops(), parallel(), all.k.data(), all.v.data(), 0, 500);
  const std::vector<float> got = attend(ops(), parallel(), all, rounded, 500, 100);
  const std::vector<float> expected = attend(reference_ops(), serial(), all, exact, 500, 100);
  double error = 0;
  double size = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    error += (double{got[i]} - expected[i]) * (double{got[i]} - expected[i]);
    size += double{expected[i]} * expected[i];
  }
  RecordProperty("relative_error", std::to_string(std::sqrt(error / size)));
  EXPECT_LT(std::sqrt(error / size), 6e-3);
  EXPECT_GT(error, 0) << "a cache that rounds nothing is not under test";
}

INSTANTIATE_TEST_SUITE_P(All, SoftmaxAttentionTest, testing::ValuesIn(all_devices()),
                         device_param_name);

}  // namespace
}  // namespace levin::kernels
