// Every elementwise, matrix and row op of every instruction set against the reference table, on odd
// sizes and odd addresses. Attention and the router are in attention_ops_test.cpp. Tolerances count
// roundings: kEps each, worst case, so that a wrong element never hides and a new order of sums
// passes.
#include "tests/kernels/kernel_testing.h"

namespace levin::kernels {
namespace {

constexpr int64_t kSizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65, 129, 257};
constexpr DType kDTypes[] = {DType::kF32, DType::kF16, DType::kBF16};

const Parallel& serial() {
  static const Parallel none;  // The reference table never looks at it.
  return none;
}

class OpsTest : public DeviceTest {};

// The matrix as floats, by the reference.
std::vector<float> widened(const MatrixView& w) {
  std::vector<int32_t> ids(static_cast<size_t>(w.rows));
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i);
  std::vector<float> values(static_cast<size_t>(w.rows * w.cols));
  reference_ops().embed(serial(), w, ids.data(), w.rows, values.data());
  return values;
}

// A float32 sum of `cols` products in any order is off by at most cols roundings of sum |w x|.
std::vector<double> matmul_bound(const std::vector<float>& w, const Guarded& x, int64_t rows,
                                 int64_t cols, int64_t n) {
  std::vector<double> bound;
  for (int64_t t = 0; t < n; ++t) {
    for (int64_t row = 0; row < rows; ++row) {
      double sum = 0;
      for (int64_t c = 0; c < cols; ++c) {
        sum += std::abs(double{w[static_cast<size_t>(row * cols + c)]} *
                        x[static_cast<size_t>(t * cols + c)]);
      }
      bound.push_back(static_cast<double>(cols + 2) * kEps * sum);
    }
  }
  return bound;
}

void check_matmul(const Ops& ops, const Parallel& parallel, DType dtype, int64_t rows, int64_t cols,
                  int64_t n) {
  Random random(static_cast<uint64_t>(rows * 1000003 + cols * 1009 + n));
  OddMatrix w(dtype, rows, cols);
  w.fill(random);
  Guarded x(random.floats(n * cols));
  Guarded got(n * rows);
  Guarded expected(n * rows);
  ops.matmul(parallel, w.view(), x.data(), n, got.data());
  reference_ops().matmul(serial(), w.view(), x.data(), n, expected.data());
  expect_within(got, expected, matmul_bound(widened(w.view()), x, rows, cols, n),
                "matmul " + std::to_string(rows) + " x " + std::to_string(cols) + ", n " +
                    std::to_string(n) + ", dtype " + std::to_string(static_cast<int>(dtype)));
}

TEST_P(OpsTest, MatmulOfOddSizesAtOddAddresses) {
  for (const DType dtype : kDTypes) {
    for (const int64_t rows : {1, 2, 3, 4, 5, 15, 17, 33}) {
      for (const int64_t cols : {1, 3, 8, 15, 16, 17, 31, 33, 129}) {
        for (const int64_t n : {1, 2, 3, 4, 5, 9}) {
          check_matmul(ops(), parallel(), dtype, rows, cols, n);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(OpsTest, MatmulThatIsSplitOverThreads) {
  for (const DType dtype : kDTypes) {
    check_matmul(ops(), parallel(), dtype, 515, 257, 1);
    check_matmul(ops(), parallel(), dtype, 131, 129, 33);
    check_matmul(ops(), parallel(), dtype, 7, 40000, 3);  // One row is more than a range.
  }
}

// All 65,536 patterns of both half types, bit for bit: widening is exact. NaN stays some NaN.
TEST_P(OpsTest, EmbedWidensEveryHalfPattern) {
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    OddMatrix table(dtype, 1024, 64);
    for (size_t i = 0; i < 65536; ++i) table.put(i, static_cast<uint16_t>(i));
    const std::vector<float> expected = widened(table.view());
    std::vector<int32_t> ids(1024);
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(1023 - i);
    Guarded got(65536);
    ops().embed(parallel(), table.view(), ids.data(), 1024, got.data());
    EXPECT_TRUE(got.intact());
    for (size_t i = 0; i < 65536; ++i) {
      const float want = expected[(1023 - i / 64) * 64 + i % 64];
      if (std::isnan(want)) {
        ASSERT_TRUE(std::isnan(got[i])) << i;
      } else {
        ASSERT_EQ(got[i], want) << i;
        ASSERT_EQ(std::signbit(got[i]), std::signbit(want)) << i;
      }
    }
  }
}

// The vector path of matmul widens apart from the scalar one: a column of ones in x picks each
// weight.
TEST_P(OpsTest, MatmulWidensEveryHalfPattern) {
  constexpr int64_t kCols = 35;  // Two or more vectors and a scalar tail on every instruction set.
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    for (int64_t place = 0; place < kCols; ++place) {
      OddMatrix w(dtype, 65536 / 16, kCols);
      for (int64_t row = 0; row < w.view().rows; ++row) {
        w.put(static_cast<size_t>(row * kCols + place),
              static_cast<uint16_t>(row * 16 + place % 16));
      }
      std::vector<float> x(kCols);
      x[static_cast<size_t>(place)] = 1;
      Guarded got(w.view().rows);
      Guarded expected(w.view().rows);
      ops().matmul(parallel(), w.view(), x.data(), 1, got.data());
      reference_ops().matmul(serial(), w.view(), x.data(), 1, expected.data());
      for (size_t i = 0; i < got.size(); ++i) {
        if (std::isnan(expected[i])) {
          ASSERT_TRUE(std::isnan(got[i])) << place << ' ' << i;
        } else {
          ASSERT_EQ(got[i], expected[i]) << place << ' ' << i;
        }
      }
    }
  }
}

TEST_P(OpsTest, EmbedPicksRowsOfEachType) {
  Random random(3);
  for (const DType dtype : kDTypes) {
    for (const int64_t cols : kSizes) {
      OddMatrix table(dtype, 11, cols);
      table.fill(random);
      const std::vector<int32_t> ids = {10, 0, 3, 3, 7};
      Guarded got(5 * cols);
      Guarded expected(5 * cols);
      ops().embed(parallel(), table.view(), ids.data(), 5, got.data());
      reference_ops().embed(serial(), table.view(), ids.data(), 5, expected.data());
      EXPECT_EQ(got.values(), expected.values());
      EXPECT_TRUE(got.intact());
    }
  }
}

// The sum of squares has no cancellation: at most width roundings, half of them after the root.
TEST_P(OpsTest, RmsNormInAndOutOfPlace) {
  for (const int64_t width : kSizes) {
    for (const int64_t n : {1, 2, 5, 300}) {
      for (const float eps : {1e-6f, 1e-5f, 0.5f}) {
        Random random(static_cast<uint64_t>(width * 1000 + n));
        Guarded x(random.floats(n * width, -3, 3));
        const std::vector<float> weight = random.floats(width);
        Guarded got(n * width);
        Guarded expected(n * width);
        ops().rms_norm(parallel(), x.data(), weight.data(), eps, n, width, got.data());
        reference_ops().rms_norm(serial(), x.data(), weight.data(), eps, n, width, expected.data());
        const double relative = (static_cast<double>(width) / 2 + 6) * kEps;
        expect_within(got, expected, relative_bound(expected, relative, 0), "rms_norm");
        ops().rms_norm(parallel(), x.data(), weight.data(), eps, n, width, x.data());
        EXPECT_EQ(x.values(), got.values()) << "in place, width " << width << ", n " << n;
        EXPECT_TRUE(x.intact());
      }
    }
  }
}

TEST_P(OpsTest, RmsNormOfZerosIsZero) {
  Guarded x(33);
  const std::vector<float> weight(33, 2.0f);
  ops().rms_norm(parallel(), x.data(), weight.data(), 1e-6f, 1, 33, x.data());
  EXPECT_EQ(x.values(), std::vector<float>(33, 0.0f));
}

// Ordinary values, both ends of float32's exponential, and far beyond them.
std::vector<float> activation_inputs(Random& random, int64_t count) {
  constexpr float kEdges[] = {0.0f,  -0.0f,  1e4f,   -1e4f,   1e-30f, -1e-30f,
                              87.0f, -87.0f, 87.5f,  -87.5f,  88.0f,  -88.0f,
                              88.9f, -88.9f, 104.0f, -104.0f, 1e30f,  -1e30f};
  std::vector<float> x = random.floats(count, -20, 20);
  for (size_t i = 0; i < std::size(kEdges); ++i) {
    if (i * 3 < x.size()) x[i * 3] = kEdges[i];
  }
  return x;
}

const std::vector<int64_t>& activation_counts() {
  static const std::vector<int64_t> counts = [] {
    std::vector<int64_t> all(std::begin(kSizes), std::end(kSizes));
    all.push_back(3 * (1 << 14) + 5);  // Several ranges and a part of a vector.
    return all;
  }();
  return counts;
}

// The vector exponential is right to about 1.2e-7 relative and stops at e^-87 and e^88, where the
// truth is 0: 1e30 inputs leave up to 1e-8. Two divisions and products add a few roundings.
constexpr double kActivationRelative = 5e-7;

double clamp_error(float x) {
  return std::abs(double{x}) * 1.2e-38;
}

TEST_P(OpsTest, SiluMultiplyMatches) {
  for (const int64_t count : activation_counts()) {
    Random random(static_cast<uint64_t>(count) + 1);
    Guarded gate(activation_inputs(random, count));
    const Guarded before = gate;
    Guarded expected = gate;
    Guarded up(random.floats(count, -2, 2));
    ops().silu_multiply(parallel(), gate.data(), up.data(), count);
    reference_ops().silu_multiply(serial(), expected.data(), up.data(), count);
    std::vector<double> bound = relative_bound(expected, kActivationRelative, 0);
    for (size_t i = 0; i < bound.size(); ++i) bound[i] += 2 * clamp_error(before[i]);
    expect_within(gate, expected, bound, "silu_multiply of " + std::to_string(count));
  }
}

// As the norm, and the sigmoid's own error.
TEST_P(OpsTest, GatedNormMatches) {
  for (const int64_t width : kSizes) {
    for (const int64_t n : {1, 2, 300}) {
      Random random(static_cast<uint64_t>(width * 10 + n));
      Guarded x(random.floats(n * width, -3, 3));
      Guarded expected = x;
      const std::vector<float> gate = activation_inputs(random, n * width);
      const std::vector<float> weight = random.floats(width);
      ops().gated_norm(parallel(), x.data(), weight.data(), 1e-6f, gate.data(), n, width);
      reference_ops().gated_norm(serial(), expected.data(), weight.data(), 1e-6f, gate.data(), n,
                                 width);
      const double relative = (static_cast<double>(width) / 2 + 6) * kEps + kActivationRelative;
      expect_within(x, expected, relative_bound(expected, relative, 50 * 1.2e-38),
                    "gated_norm of width " + std::to_string(width));
    }
  }
}

// Two products and a sum: at most two roundings of each term, fused or not.
TEST_P(OpsTest, ScaledSumAlsoInPlace) {
  for (const int64_t count : activation_counts()) {
    Random random(static_cast<uint64_t>(count) + 3);
    Guarded a(random.floats(count));
    Guarded b(random.floats(count));
    Guarded expected(count);
    reference_ops().scaled_sum(serial(), a.data(), 3.5565f, b.data(), -0.9f, count,
                               expected.data());
    std::vector<double> bound;
    for (size_t i = 0; i < a.size(); ++i) {
      bound.push_back(2 * 2 * kEps * (3.5565 * std::abs(a[i]) + 0.9 * std::abs(b[i])));
    }
    Guarded out(count);
    ops().scaled_sum(parallel(), a.data(), 3.5565f, b.data(), -0.9f, count, out.data());
    expect_within(out, expected, bound, "scaled_sum");
    Guarded onto_a = a;
    ops().scaled_sum(parallel(), onto_a.data(), 3.5565f, b.data(), -0.9f, count, onto_a.data());
    expect_within(onto_a, expected, bound, "scaled_sum onto a");
    Guarded onto_b = b;
    ops().scaled_sum(parallel(), a.data(), 3.5565f, onto_b.data(), -0.9f, count, onto_b.data());
    expect_within(onto_b, expected, bound, "scaled_sum onto b");
  }
}

TEST_P(OpsTest, GatherAndCombineMoveRows) {
  const std::vector<int32_t> rows = {6, 0, 3, 5};
  for (const int64_t width : kSizes) {
    Random random(static_cast<uint64_t>(width) + 4);
    Guarded x(random.floats(7 * width));
    Guarded gathered(4 * width);
    Guarded expected(4 * width);
    ops().gather_rows(parallel(), x.data(), rows.data(), 4, width, gathered.data());
    reference_ops().gather_rows(serial(), x.data(), rows.data(), 4, width, expected.data());
    EXPECT_EQ(gathered.values(), expected.values());
    EXPECT_TRUE(gathered.intact());

    const std::vector<int32_t> slots = {3, 0, 6, 6, 1, 5};  // Three tokens of two.
    const std::vector<float> weights = random.floats(6);
    Guarded out(3 * width);
    Guarded truth(3 * width);
    ops().combine_rows(parallel(), x.data(), slots.data(), weights.data(), 3, 2, width, out.data());
    reference_ops().combine_rows(serial(), x.data(), slots.data(), weights.data(), 3, 2, width,
                                 truth.data());
    // |weight * x| is at most 1: two roundings of at most 2.
    expect_within(out, truth, std::vector<double>(truth.size(), 4 * kEps), "combine_rows");
  }
}

TEST_P(OpsTest, MixSharedWeighsBothSides) {
  for (const int64_t width : kSizes) {
    Random random(static_cast<uint64_t>(width) + 5);
    const std::vector<float> gate = {0.0f, 1.5f, -3.0f, 1e4f, -1e4f};
    Guarded moe(random.floats(5 * width));
    Guarded expected = moe;
    Guarded shared(random.floats(5 * width));
    ops().mix_shared(parallel(), moe.data(), shared.data(), gate.data(), 5, width);
    reference_ops().mix_shared(serial(), expected.data(), shared.data(), gate.data(), 5, width);
    // The share and its complement carry two roundings each, the products and the sum three more.
    expect_within(moe, expected, std::vector<double>(moe.size(), 10 * kEps), "mix_shared");
  }
}

INSTANTIATE_TEST_SUITE_P(All, OpsTest, testing::ValuesIn(all_devices()), device_param_name);

// Known values, so that reference and fast tables cannot be wrong together.
TEST(ReferenceOps, KnownHalfValues) {
  const struct {
    DType dtype;
    uint16_t bits;
    float value;
  } cases[] = {
      {DType::kF16, 0x0000, 0.0f},      {DType::kF16, 0x3C00, 1.0f},
      {DType::kF16, 0xC000, -2.0f},     {DType::kF16, 0x7BFF, 65504.0f},
      {DType::kF16, 0x0001, 0x1p-24f},  {DType::kF16, 0x83FF, -1023 * 0x1p-24f},
      {DType::kF16, 0x0400, 0x1p-14f},  {DType::kF16, 0x7C00, INFINITY},
      {DType::kF16, 0xFC00, -INFINITY}, {DType::kF16, 0x3555, 0.333251953125f},
      {DType::kBF16, 0x3F80, 1.0f},     {DType::kBF16, 0xC049, -3.140625f},
      {DType::kBF16, 0x7F80, INFINITY}, {DType::kBF16, 0x0001, 0x1p-133f},
  };
  for (const auto& one : cases) {
    OddMatrix table(one.dtype, 1, 1);
    table.put(0, one.bits);
    EXPECT_EQ(widened(table.view())[0], one.value) << std::hex << one.bits;
  }
}

TEST(ReferenceOps, KnownActivationsAndNorm) {
  std::vector<float> x = {1.0f, -1.0f, 0.0f};
  const std::vector<float> ones(3, 1.0f);
  reference_ops().silu_multiply(serial(), x.data(), ones.data(), 3);
  EXPECT_FLOAT_EQ(x[0], 0.7310585786f);
  EXPECT_FLOAT_EQ(x[1], -0.2689414214f);
  EXPECT_EQ(x[2], 0.0f);
  std::vector<float> row = {3.0f, 4.0f};
  const std::vector<float> weight = {1.0f, 2.0f};
  reference_ops().rms_norm(serial(), row.data(), weight.data(), 0, 1, 2, row.data());
  EXPECT_FLOAT_EQ(row[0], 3 / std::sqrt(12.5f));
  EXPECT_FLOAT_EQ(row[1], 8 / std::sqrt(12.5f));
}

TEST(CpuDevice, NamesAndRefusals) {
  for (const CpuIsa isa : {CpuIsa::kReference, CpuIsa::kBaseline, CpuIsa::kAvx2, CpuIsa::kAvx512}) {
    Result<std::unique_ptr<Device>> device = make_cpu_device({2, isa});
    if (!device) {
      EXPECT_EQ(device.error().code(), ErrorCode::kUnsupported);
      EXPECT_NE(device.error().message().find(cpu_isa_name(isa)), std::string::npos);
      continue;
    }
    EXPECT_STREQ((*device)->ops().name, cpu_isa_name(isa));
    EXPECT_NE((*device)->name().find("2 threads"), std::string::npos);
    EXPECT_EQ((*device)->parallel().num_workers, 2);
  }
}

TEST(CpuDevice, BuffersAreZeroedAlignedAndMove) {
  Result<std::unique_ptr<Device>> device = make_cpu_device({1});
  ASSERT_TRUE(device);
  for (const size_t count : {size_t{0}, size_t{1}, size_t{17}, size_t{1000}}) {
    Result<DeviceBuffer> buffer = DeviceBuffer::create(**device, count);
    ASSERT_TRUE(buffer);
    EXPECT_EQ(buffer->size(), count);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % 64, 0u);
    for (size_t i = 0; i < count; ++i) ASSERT_EQ(buffer->data()[i], 0.0f);
    const float* at = buffer->data();
    const DeviceBuffer moved = *std::move(buffer);
    EXPECT_EQ(moved.data(), at);
    EXPECT_EQ(buffer->data(), nullptr);
  }
  Result<DeviceBuffer> huge = DeviceBuffer::create(**device, size_t{1} << 58);
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().code(), ErrorCode::kLimit);
}

}  // namespace
}  // namespace levin::kernels
