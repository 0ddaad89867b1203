// The tile kernels against the reference, and against themselves for every number of tokens.
#include <cmath>

#include "tests/kernels/tile_testing.h"

namespace levin::kernels {
namespace {

class TileMatmul : public DeviceTest {
 protected:
  // All outputs of `n` tokens of one matrix; rows[i] picks the activation row when given.
  Guarded multiply(const Ops& ops, const MatrixView& w, const Activations& x, int64_t n,
                   const int32_t* rows = nullptr) {
    Guarded out(n * w.rows);
    TileJob job;
    job.w = w;
    job.groups = x.groups.data();
    job.bf16 = x.bf16.data();
    job.rows = rows;
    job.n = n;
    job.out = out.data();
    job.out_stride = w.rows;
    ops.tile_matmul(parallel(), &job, 1);
    return out;
  }
};

// Integer sums are exact; each group adds about three roundings, each bf16 pair one, of a sum that
// is at most the sum of magnitudes.
std::vector<double> bound_of(const MatrixView& w, const Activations& x, int64_t n) {
  std::vector<double> bound;
  for (int64_t t = 0; t < n; ++t) {
    for (int64_t r = 0; r < w.rows; ++r) {
      double magnitude = 0;
      for (int64_t c = 0; c < w.cols; ++c) {
        const QuantGroup& group = x.groups[static_cast<size_t>((t * w.cols + c) / 32)];
        const double q = std::abs(static_cast<double>(group.q[c % 32]));
        // The stored number may be larger than the weight (offset, minimum): 256 covers all.
        magnitude += w.dtype == DType::kTileBF16 ? 1.0 : 256 * 0.02 * group.scale * (q + 1);
      }
      bound.push_back(magnitude * kEps * static_cast<double>(w.cols / 8 + 8));
    }
  }
  return bound;
}

TEST_P(TileMatmul, EqualsTheReferenceForEveryTypeAndShape) {
  const int64_t shapes[][2] = {{1, 32}, {16, 64}, {17, 96}, {64, 320}, {80, 544}, {131, 256}};
  Random random(1);
  for (const DType dtype : kTiledTypes) {
    for (const auto& [rows, cols] : shapes) {
      const TiledMatrix w(dtype, rows, cols, random);
      for (const int64_t n : {1, 2, 5, 6, 7, 13, 97}) {
        if (n > 13 && rows > 80) continue;
        const std::vector<float> values = random.floats(n * cols);
        const Activations x(reference_ops(), parallel(), values, cols);
        const Guarded got = multiply(ops(), w.view(), x, n);
        const Guarded expected = multiply(reference_ops(), w.view(), x, n);
        expect_within(got, expected, bound_of(w.view(), x, n),
                      "type " + std::to_string(static_cast<int>(dtype)) + " rows " +
                          std::to_string(rows) + " n " + std::to_string(n));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(TileMatmul, EachTokenHasTheSameBitsInAnyCompany) {
  Random random(2);
  constexpr int64_t kTokens = 103;
  constexpr int64_t kRows = 147;
  constexpr int64_t kCols = 608;
  for (const DType dtype : kTiledTypes) {
    const TiledMatrix w(dtype, kRows, kCols, random);
    const Activations x(ops(), parallel(), random.floats(kTokens * kCols), kCols);
    const Guarded whole = multiply(ops(), w.view(), x, kTokens);
    for (int64_t first = 0, n = 1; first < kTokens; first += n, n = n % 11 + 1) {
      const int64_t count = std::min(n, kTokens - first);
      std::vector<int32_t> rows;
      for (int64_t i = 0; i < count; ++i) rows.push_back(static_cast<int32_t>(first + i));
      const Guarded part = multiply(ops(), w.view(), x, count, rows.data());
      for (int64_t i = 0; i < count * kRows; ++i) {
        ASSERT_EQ(part[static_cast<size_t>(i)], whole[static_cast<size_t>(first * kRows + i)])
            << "type " << static_cast<int>(dtype) << ", " << count << " tokens from " << first;
      }
    }
  }
}

TEST_P(TileMatmul, ManyJobsAreOneLoop) {
  Random random(3);
  constexpr int64_t kCols = 128;
  const Activations x(ops(), parallel(), random.floats(40 * kCols), kCols);
  std::vector<TiledMatrix> matrices;
  std::vector<TileJob> jobs;
  std::vector<Guarded> outs;
  const int64_t counts[] = {1, 0, 9, 40, 3, 0, 17};
  matrices.reserve(std::size(counts));
  outs.reserve(std::size(counts));
  for (const int64_t n : counts) {
    const DType dtype = kTiledTypes[matrices.size() % std::size(kTiledTypes)];
    matrices.emplace_back(dtype, 20 + 30 * n, kCols, random);
    TileJob job;
    job.w = matrices.back().view();
    job.groups = x.groups.data();
    job.bf16 = x.bf16.data();
    job.n = n;
    job.out_stride = job.w.rows;
    outs.emplace_back(n * job.w.rows);
    job.out = outs.back().data();
    jobs.push_back(job);
  }
  ops().tile_matmul(parallel(), jobs.data(), static_cast<int64_t>(jobs.size()));
  for (size_t j = 0; j < jobs.size(); ++j) {
    EXPECT_TRUE(outs[j].intact()) << j;
    if (jobs[j].n == 0) continue;
    EXPECT_EQ(multiply(ops(), jobs[j].w, x, jobs[j].n).values(), outs[j].values()) << j;
  }
}

TEST_P(TileMatmul, QuantizedActivationsHaveTheBitsOfTheReference) {
  Random random(4);
  std::vector<float> x = random.floats(64 * 7, -3, 3);
  std::fill_n(x.begin() + 32, 32, 0.0f);
  x[70] = 1e30f;
  x[100] = 0.5f;
  // 127 over the largest of these is infinite in float32.
  for (size_t i = 128; i < 160; ++i) x[i] = i % 3 == 0 ? 0.0f : 1e-37f;
  x[170] = 1e-42f;
  const Activations got(ops(), parallel(), x, 64);
  const Activations expected(reference_ops(), parallel(), x, 64);
  EXPECT_EQ(got.bf16, expected.bf16);
  for (size_t g = 0; g < got.groups.size(); ++g) {
    EXPECT_EQ(std::memcmp(&got.groups[g], &expected.groups[g], offsetof(QuantGroup, unused)), 0)
        << g;
  }
}

TEST_P(TileMatmul, AnActivationThatIsNotANumberReachesTheOutput) {
  Random random(5);
  for (const float bad : {NAN, INFINITY}) {
    for (const DType dtype : kTiledTypes) {
      const TiledMatrix w(dtype, 16, 64, random);
      std::vector<float> x = random.floats(64);
      x[40] = bad;
      const Activations rows(ops(), parallel(), x, 64);
      EXPECT_FALSE(std::isfinite(multiply(ops(), w.view(), rows, 1)[3]));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cpu, TileMatmul, testing::ValuesIn(all_devices()), device_param_name);

TEST(TilePacking, HalfRoundsToNearestEvenBothWays) {
  for (uint32_t half = 0; half < 0x10000; ++half) {
    const float value = half_to_float(static_cast<uint16_t>(half));
    if (std::isnan(value)) continue;
    ASSERT_EQ(float_to_half(value), half);
  }
  EXPECT_EQ(float_to_half(1.0f + 0x1p-11f), 0x3C00);  // A tie goes to the even one.
  EXPECT_EQ(float_to_half(1.0f + 3 * 0x1p-11f), 0x3C02);
  EXPECT_EQ(float_to_half(65519.0f), 0x7BFF);
  EXPECT_EQ(float_to_half(65520.0f), 0x7C00);
}

TEST(TilePacking, Bf16PanelsHoldEveryWeightAndZeroRows) {
  Random random(6);
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    OddMatrix w(dtype, 21, 64);
    w.fill(random);
    std::vector<char> packed(tiled_bytes(DType::kTileBF16, 21, 64), 'x');
    pack_bf16_panels(w.view(), 0, 2, packed.data());
    const MatrixView tiled{packed.data(), DType::kTileBF16, 32, 64};
    for (int64_t r = 0; r < 32; ++r) {
      for (int64_t c = 0; c < 64; ++c) {
        const float expected = r < 21 ? weight_at(w.view(), r, c) : 0.0f;
        ASSERT_NEAR(weight_at(tiled, r, c), expected, std::abs(expected) * 0x1p-8);
      }
    }
  }
}

}  // namespace
}  // namespace levin::kernels
