// attention_bench [SECONDS]: softmax attention on shape m1 (16 heads, 4 KV heads, head_dim 128) as
// CSV: decode over several depths and thread counts with the rate at which keys and values are
// read, beside the machine's plain read rate measured just before; prefill; the lightning layers'
// step. Floors, two cores of Zen 4: memory reads 25.8 GB/s with one thread and 48.9 with two; bf16
// dot products 229 GFLOP/s a thread, so a decode with 4 heads a KV head could read 57 GB/s a
// thread.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "kernels/device.h"

namespace {

using namespace levin;
using namespace levin::kernels;
using Clock = std::chrono::steady_clock;

constexpr int64_t kHeads = 16;
constexpr int64_t kKvHeads = 4;
constexpr int64_t kDim = 128;

struct Times {
  double best_ms;
  double median_ms;
};

// Runs `work` for about `seconds`, at least three times.
Times measure(double seconds, const std::function<void()>& work) {
  std::vector<double> times;
  const Clock::time_point start = Clock::now();
  work();
  while (times.size() < 3 ||
         std::chrono::duration<double>(Clock::now() - start).count() < seconds) {
    const Clock::time_point begin = Clock::now();
    work();
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    if (times.size() == 10000) break;
  }
  std::sort(times.begin(), times.end());
  return {times.front(), times[times.size() / 2]};
}

std::vector<float> numbers(int64_t count) {
  std::vector<float> out(static_cast<size_t>(count));
  uint32_t state = 1;
  for (float& value : out) {
    state = state * 1664525 + 1013904223;
    value = static_cast<float>(state >> 8) * 0x1p-23f - 1;
  }
  return out;
}

void row(const std::string& what, const std::string& device, int64_t tokens, const Times& times,
         double per_best, const char* unit) {
  std::printf("%s,%s,%lld,%.4f,%.4f,%.2f,%s\n", what.c_str(), device.c_str(),
              static_cast<long long>(tokens), times.best_ms, times.median_ms, per_best, unit);
  std::fflush(stdout);
}

// A cache of `tokens` tokens, filled page after page with the same numbers.
struct Cache {
  Cache(Device& device, DType dtype, int64_t tokens) : layout{dtype, kKvHeads, kDim} {
    const std::vector<float> k = numbers(kKvPageTokens * kKvHeads * kDim);
    const int64_t num_pages = (tokens + kKvPageTokens - 1) / kKvPageTokens;
    memory = *DeviceBuffer::create(
        device, static_cast<size_t>(num_pages * layout.page_bytes()) / sizeof(float));
    for (int64_t page = 0; page < num_pages; ++page) {
      pages.push_back(reinterpret_cast<char*>(memory.data()) + page * layout.page_bytes());
      device.ops().kv_write(device.parallel(), {k.data(), k.data(), pages.data(), layout,
                                                kKvPageTokens, page * kKvPageTokens});
    }
  }
  KvLayout layout;
  DeviceBuffer memory;
  std::vector<void*> pages;
};

// Reads the cache as a plain sum over its words, each thread its own pages.
double read_gbs(Device& device, const Cache& cache, double seconds) {
  struct Job {
    const Cache* cache;
    std::vector<uint64_t> sums;
  } job{&cache, std::vector<uint64_t>(64)};
  const auto pages = static_cast<int64_t>(cache.pages.size());
  const Times times = measure(seconds, [&] {
    device.parallel().run(
        device.parallel().self, pages, 4,
        [](void* argument, int64_t begin, int64_t end, int worker) {
          Job& of = *static_cast<Job*>(argument);
          const int64_t words = of.cache->layout.page_bytes() / 8;
          uint64_t sum = 0;
          for (int64_t page = begin; page < end; ++page) {
            const auto* at =
                static_cast<const uint64_t*>(of.cache->pages[static_cast<size_t>(page)]);
            for (int64_t i = 0; i < words; i += 8) sum += at[i];
          }
          of.sums[static_cast<size_t>(worker)] += sum;
        },
        &job);
  });
  return static_cast<double>(pages * cache.layout.page_bytes()) / times.best_ms * 1e-6;
}

void bench_softmax(Device& device, DType dtype, double seconds) {
  const std::string name = device.name() + (dtype == DType::kF32 ? " f32" : " bf16");
  const int workers = device.parallel().num_workers;
  std::vector<float> scratch(static_cast<size_t>(attention_scratch_floats(kHeads, kDim, workers)));
  constexpr int64_t kPrefill = 512;
  const std::vector<float> q = numbers(kPrefill * kHeads * kDim);
  std::vector<float> out(q.size());
  const int64_t depths[] = {1024, 8192, 32768, 131072};
  const Cache cache(device, dtype, depths[3] + kPrefill);
  const double limit = read_gbs(device, cache, seconds);
  std::printf("read limit,%s,,,,%.2f,GB/s\n", name.c_str(), limit);
  const auto attend = [&](int64_t first, int64_t count) {
    device.ops().attention(device.parallel(),
                           {q.data(), cache.pages.data(), out.data(), scratch.data(), cache.layout,
                            count, kHeads, first, 1 / std::sqrt(static_cast<float>(kDim))});
  };
  for (const int64_t depth : depths) {
    const Times times = measure(seconds, [&] { attend(depth - 1, 1); });
    const double bytes =
        static_cast<double>(depth * kKvHeads * kDim * 2) * static_cast<double>(dtype_size(dtype));
    row("decode", name, depth, times, bytes / times.best_ms * 1e-6, "GB/s");
    row("decode", name, depth, times, bytes / times.best_ms * 1e-6 / limit, "of read limit");
  }
  for (const int64_t first : {int64_t{0}, int64_t{8192}}) {
    const Times times = measure(seconds, [&] { attend(first, kPrefill); });
    const double pairs = static_cast<double>(kPrefill) *
                         (static_cast<double>(first) + static_cast<double>(kPrefill + 1) / 2);
    row("prefill 512", name, first, times,
        pairs * 4 * static_cast<double>(kHeads * kDim) / times.best_ms * 1e-6, "GFLOP/s");
  }
}

// 14 layers, as many as m1 has, and as many bytes beside them as its weights take, so that states
// and journals come from memory as in a real step.
void bench_lightning(Device& device, double seconds) {
  constexpr int64_t kLayers = 14;
  const int workers = device.parallel().num_workers;
  constexpr int64_t kPrefill = 512;
  const std::vector<float> qkv = numbers(kPrefill * kHeads * 3 * kDim);
  std::vector<float> powers(static_cast<size_t>(kHeads * (kLightningBlock + 1)), 0.99f);
  std::vector<float> out(static_cast<size_t>(kPrefill * kHeads * kDim));
  std::vector<float> scratch(static_cast<size_t>(workers * lightning_scratch_floats(kDim)));
  constexpr int64_t kStateFloats = kHeads * kDim * kDim;
  constexpr int64_t kJournalFloats = kHeads * 2 * kLightningBlock * kDim;
  const DeviceBuffer states =
      *DeviceBuffer::create(device, kLayers * (kStateFloats + kJournalFloats));
  const auto step = [&](int64_t first, int64_t count) {
    for (int64_t layer = 0; layer < kLayers; ++layer) {
      float* state = states.data() + layer * (kStateFloats + kJournalFloats);
      device.ops().lightning_attention(
          device.parallel(), {qkv.data(), powers.data(), state, state + kStateFloats, out.data(),
                              scratch.data(), count, kHeads, kDim, first});
    }
  };
  std::vector<uint64_t> sweep(std::size_t{48} << 20);  // 384 MiB: what the weights of a step are.
  uint64_t sum = 0;
  for (const int64_t place : {0, 32, 62, 63}) {
    std::vector<double> times;
    const Clock::time_point start = Clock::now();
    while (times.size() < 5 ||
           std::chrono::duration<double>(Clock::now() - start).count() < 4 * seconds) {
      for (size_t i = 0; i < sweep.size(); i += 8) sum += sweep[i];
      const Clock::time_point begin = Clock::now();
      step(place, 1);
      times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    }
    std::sort(times.begin(), times.end());
    const double bytes = static_cast<double>(kLayers * kHeads * kDim * 4) *
                         static_cast<double>(kDim + 2 * (place + 1));
    row("lightning step, 14 layers, cold", device.name(), place,
        {times.front(), times[times.size() / 2]}, bytes / times.front() * 1e-6, "GB/s");
  }
  const Times times = measure(seconds, [&] { step(0, kPrefill); });
  row("lightning prefill 512, 14 layers", device.name(), kPrefill, times,
      static_cast<double>(kPrefill * kHeads * kLayers) * static_cast<double>(kDim) *
          static_cast<double>(2 * (kLightningBlock + 1) + 4 * kDim) / times.best_ms * 1e-6,
      "GFLOP/s");
  if (sum == 1) std::puts("");
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 0.3;
  const std::string only = argc > 2 ? argv[2] : "";
  std::puts("what,device,tokens,best_ms,median_ms,rate,unit");
  for (const CpuIsa isa : {CpuIsa::kAvx512, CpuIsa::kAvx2}) {
    for (const int threads : {1, 2}) {
      auto device = make_cpu_device({threads, isa});
      if (!device) continue;
      if (only != "lightning") bench_softmax(**device, DType::kBF16, seconds);
      if (only.empty()) bench_softmax(**device, DType::kF32, seconds);
      if (only != "softmax") bench_lightning(**device, seconds);
    }
  }
  return 0;
}
