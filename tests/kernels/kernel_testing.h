// Shared by the kernel tests: seeded numbers, buffers that notice a write past their end, weights
// at odd addresses, and the devices under test (each built instruction set, 1 and 3 threads).
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/device.h"

namespace levin::kernels {

// Half the distance from 1 to the next float: the largest relative error of one rounding.
constexpr double kEps = 0x1p-24;

// The distributions of the standard library differ between vendors; this one does not.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  uint64_t bits() { return engine_(); }
  int64_t below(int64_t limit) {
    return static_cast<int64_t>(engine_() % static_cast<uint64_t>(limit));
  }
  float uniform(float low, float high) {
    return low + (high - low) * static_cast<float>(static_cast<double>(engine_() >> 11) * 0x1p-53);
  }
  std::vector<float> floats(int64_t count, float low = -1, float high = 1) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = uniform(low, high);
    return values;
  }

 private:
  std::mt19937_64 engine_;
};

// `count` floats at an address that is only 4-aligned, with sentinels on both sides.
class Guarded {
 public:
  explicit Guarded(int64_t count)
      : count_(static_cast<size_t>(count)), all_(count_ + 2 * kGuard, kSentinel) {
    std::fill_n(data(), count_, 0.0f);
  }
  explicit Guarded(const std::vector<float>& values)
      : Guarded(static_cast<int64_t>(values.size())) {
    std::copy(values.begin(), values.end(), data());
  }
  float* data() { return all_.data() + kGuard; }
  size_t size() const { return count_; }
  float operator[](size_t index) const { return all_[kGuard + index]; }
  std::vector<float> values() const {
    const auto first = all_.begin() + static_cast<std::ptrdiff_t>(kGuard);
    return {first, first + static_cast<std::ptrdiff_t>(count_)};
  }
  bool intact() const {
    for (size_t i = 0; i < kGuard; ++i) {
      if (all_[i] != kSentinel || all_[kGuard + count_ + i] != kSentinel) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kGuard = 33;
  static constexpr float kSentinel = 8.5e12f;
  size_t count_;
  std::vector<float> all_;
};

// A weight matrix whose first byte lies at an odd address, as safetensors may place it.
class OddMatrix {
 public:
  OddMatrix(DType dtype, int64_t rows, int64_t cols)
      : storage_(static_cast<size_t>(rows * cols) * dtype_size(dtype) + 2) {
    const bool even = reinterpret_cast<uintptr_t>(storage_.data()) % 2 == 0;
    at_ = storage_.data() + (even ? 1 : 0);
    view_ = {at_, dtype, rows, cols};
  }
  // Finite values of ordinary size in the matrix's own type.
  void fill(Random& random) {
    const auto count = static_cast<size_t>(view_.rows * view_.cols);
    for (size_t i = 0; i < count; ++i) {
      const float value = random.uniform(-1, 1);
      uint32_t wide;
      std::memcpy(&wide, &value, sizeof wide);
      if (view_.dtype == DType::kF32) std::memcpy(at_ + i * 4, &wide, 4);
      if (view_.dtype == DType::kBF16) put(i, static_cast<uint16_t>(wide >> 16));
      // Half: any sign and mantissa, exponents that give 2^-24 (subnormal) to just below 2.
      if (view_.dtype == DType::kF16) put(i, static_cast<uint16_t>(random.bits() & 0xBFFF));
    }
  }
  void put(size_t index, uint16_t half) { std::memcpy(at_ + index * 2, &half, 2); }
  const MatrixView& view() const { return view_; }

 private:
  std::vector<unsigned char> storage_;
  unsigned char* at_;
  MatrixView view_;
};

struct DeviceParam {
  CpuIsa isa;
  int threads;
};

inline std::string device_param_name(const testing::TestParamInfo<DeviceParam>& info) {
  return std::string(cpu_isa_name(info.param.isa)) + "_threads" +
         std::to_string(info.param.threads);
}

inline std::vector<DeviceParam> all_devices() {
  std::vector<DeviceParam> params;
  for (const CpuIsa isa : {CpuIsa::kBaseline, CpuIsa::kAvx2, CpuIsa::kAvx512}) {
    for (const int threads : {1, 3}) params.push_back({isa, threads});
  }
  return params;
}

class DeviceTest : public testing::TestWithParam<DeviceParam> {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<Device>> device = make_cpu_device({GetParam().threads, GetParam().isa});
    if (!device) GTEST_SKIP() << device.error().message();
    device_ = *std::move(device);
  }
  const Ops& ops() const { return device_->ops(); }
  const Parallel& parallel() const { return device_->parallel(); }

  std::unique_ptr<Device> device_;
};

// |got - expected| <= relative * scale[i] + absolute, and got is finite.
inline void expect_within(const Guarded& got, const Guarded& expected,
                          const std::vector<double>& bound, const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  EXPECT_TRUE(got.intact()) << what << ": written outside its range";
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_TRUE(std::isfinite(got[i])) << what << " at " << i;
    ASSERT_LE(std::abs(double{got[i]} - expected[i]), bound[i])
        << what << " at " << i << ": got " << got[i] << ", expected " << expected[i];
  }
}

inline std::vector<double> relative_bound(const Guarded& expected, double relative,
                                          double absolute) {
  std::vector<double> bound(expected.size());
  for (size_t i = 0; i < bound.size(); ++i) bound[i] = relative * std::abs(expected[i]) + absolute;
  return bound;
}

// One bound for all elements: `relative` of the largest magnitude.
inline std::vector<double> largest_bound(const Guarded& expected, double relative) {
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(double{expected[i]}));
  }
  return std::vector<double>(expected.size(), relative * largest);
}

// exp(-slope * i) of every head, as LightningArgs wants them.
inline std::vector<float> decay_powers(const std::vector<float>& slope_rates) {
  std::vector<float> powers;
  for (const float slope : slope_rates) {
    for (int64_t i = 0; i <= kLightningBlock; ++i) {
      powers.push_back(static_cast<float>(std::exp(-double{slope} * static_cast<double>(i))));
    }
  }
  return powers;
}

// The linear state after `position` tokens: that of the block's start carried over the journal.
inline void carry_state(const std::vector<float>& powers, const float* journal, int64_t position,
                        int64_t head_dim, float* state) {
  const int64_t d = head_dim;
  const int64_t count = position % kLightningBlock;
  const auto num_heads = static_cast<int64_t>(powers.size()) / (kLightningBlock + 1);
  for (int64_t head = 0; head < num_heads; ++head) {
    const float* power = powers.data() + head * (kLightningBlock + 1);
    const float* k = journal + head * 2 * kLightningBlock * d;
    const float* v = k + kLightningBlock * d;
    for (int64_t cell = 0; cell < d * d; ++cell) {
      double sum = double{state[head * d * d + cell]} * power[count];
      for (int64_t j = 0; j < count; ++j) {
        sum += double{power[count - 1 - j]} * k[j * d + cell / d] * v[j * d + cell % d];
      }
      state[head * d * d + cell] = static_cast<float>(sum);
    }
  }
}

}  // namespace levin::kernels
