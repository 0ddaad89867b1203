#include "agent/bench_limits.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "kernels/peaks.h"

namespace levin::agent {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRepeats = 5;
constexpr size_t kReadBytes = size_t{1} << 30;  // Far beyond any cache.

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Sums 64-bit words in eight independent chains: bound by memory, not by the adds.
uint64_t read_words(const uint64_t* words, size_t count) {
  uint64_t sums[8] = {};
  for (size_t i = 0; i + 8 <= count; i += 8) {
    for (size_t lane = 0; lane < 8; ++lane) sums[lane] += words[i + lane];
  }
  uint64_t total = 0;
  for (const uint64_t sum : sums) total += sum;
  return total;
}

struct ReadJob {
  const char* data;
  size_t stride;
  uint64_t sums[256];
};

// Every worker reads one linear stream of its own.
double read_speed(const kernels::Parallel& parallel, int advice) {
  void* memory =
      mmap(nullptr, kReadBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 0;
  madvise(memory, kReadBytes, advice);
  std::memset(memory, 1, kReadBytes);
  const int workers = std::min(parallel.num_workers, 256);
  // Whole cache lines: with three workers the parts would begin in the middle of a word.
  const size_t stride = kReadBytes / static_cast<size_t>(workers) / 64 * 64;
  ReadJob job{static_cast<const char*>(memory), stride, {}};
  double best = 0;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const auto start = Clock::now();
    parallel.run(
        parallel.self, workers, 1,
        [](void* argument, int64_t begin, int64_t end, int) {
          auto& one = *static_cast<ReadJob*>(argument);
          for (int64_t part = begin; part < end; ++part) {
            const auto index = static_cast<size_t>(part);
            const char* data = one.data + index * one.stride;
            one.sums[index] = read_words(reinterpret_cast<const uint64_t*>(data), one.stride / 8);
          }
        },
        &job);
    best = std::max(best, static_cast<double>(kReadBytes) / seconds_since(start) / 1e9);
  }
  munmap(memory, kReadBytes);
  return best;
}

double compute_speed(const kernels::Parallel& parallel, double (*loop)(int64_t)) {
  if (loop == nullptr) return 0;
  struct Job {
    double (*loop)(int64_t);
    double operations;
  };
  constexpr int64_t kRounds = 100'000;
  double best = 0;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    Job job{loop, 0};
    const auto start = Clock::now();
    parallel.run(
        parallel.self, parallel.num_workers, 1,
        [](void* argument, int64_t begin, int64_t end, int) {
          auto& one = *static_cast<Job*>(argument);
          for (int64_t part = begin; part < end; ++part) {
            const double operations = one.loop(kRounds);
            if (part == 0) one.operations = operations;  // All parts do the same.
          }
        },
        &job);
    best = std::max(best, job.operations * parallel.num_workers / seconds_since(start) / 1e9);
  }
  return best;
}

}  // namespace

MachineLimits measure_limits(kernels::Device& device, kernels::CpuIsa isa) {
  const kernels::Parallel& parallel = device.parallel();
  const kernels::Peaks peaks = kernels::cpu_peaks(isa);
  MachineLimits limits;
  limits.threads = parallel.num_workers;
  limits.read_huge_gbps = read_speed(parallel, MADV_HUGEPAGE);
  limits.read_small_gbps = read_speed(parallel, MADV_NOHUGEPAGE);
  limits.float_gops = compute_speed(parallel, peaks.float_fma);
  limits.bf16_gops = compute_speed(parallel, peaks.bf16_dot);
  limits.int8_gops = compute_speed(parallel, peaks.int8_dot);
  return limits;
}

}  // namespace levin::agent
