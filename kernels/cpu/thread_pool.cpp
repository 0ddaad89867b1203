#include "kernels/cpu/thread_pool.h"

#include <algorithm>

#include "base/check.h"

namespace levin::kernels {
namespace {

// About 20 us of pauses on current CPUs: longer than the gap between two ops of a decode step,
// shorter than what a user would notice as a busy core.
constexpr int kSpinPauses = 500;

void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int num_threads) {
  CHECK(num_threads >= 1, num_threads);
  threads_.reserve(static_cast<size_t>(num_threads - 1));
  for (int worker = 1; worker < num_threads; ++worker) {
    threads_.emplace_back([this, worker] { work(worker); });
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::take_ranges(int worker) {
  for (;;) {
    const int64_t range = next_.fetch_add(1, std::memory_order_relaxed);
    if (range >= num_ranges_) return;
    const int64_t begin = range * grain_;
    body_(argument_, begin, begin + std::min(grain_, count_ - begin), worker);
  }
}

void ThreadPool::work(int worker) {
  uint64_t seen = 0;
  for (;;) {
    for (int spin = 0; spin < kSpinPauses && epoch_.load(std::memory_order_acquire) == seen; ++spin) {
      pause_cpu();
    }
    epoch_.wait(seen, std::memory_order_acquire);
    if (stop_.load()) return;
    seen = epoch_.load(std::memory_order_acquire);
    take_ranges(worker);
    busy_.fetch_sub(1, std::memory_order_release);
  }
}

void ThreadPool::run(int64_t count, int64_t grain, Parallel::Body body, void* argument) {
  grain = std::max<int64_t>(grain, 1);
  if (threads_.empty() || count <= grain) {
    if (count > 0) body(argument, 0, count, 0);
    return;
  }
  count_ = count;
  grain_ = grain;
  num_ranges_ = (count - 1) / grain + 1;
  body_ = body;
  argument_ = argument;
  next_.store(0, std::memory_order_relaxed);
  busy_.store(static_cast<int>(threads_.size()), std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  take_ranges(0);
  for (int spin = 0; busy_.load(std::memory_order_acquire) != 0; ++spin) {
    // A worker may have lost its core: give ours away instead of spinning against it.
    if (spin < kSpinPauses) {
      pause_cpu();
    } else {
      std::this_thread::yield();
    }
  }
}

Parallel ThreadPool::parallel() {
  Parallel parallel;
  parallel.self = this;
  parallel.num_workers = num_threads();
  parallel.run = [](void* self, int64_t count, int64_t grain, Parallel::Body body, void* argument) {
    static_cast<ThreadPool*>(self)->run(count, grain, body, argument);
  };
  return parallel;
}

}  // namespace levin::kernels
