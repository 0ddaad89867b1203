#include "kernels/cpu/thread_pool.h"

#include <algorithm>
#include <system_error>

#include "base/check.h"

namespace levin::kernels {
namespace {

// About 20 us of pauses on current CPUs: longer than the gap between two ops of a decode step,
// shorter than what a user would notice as a busy core.
constexpr int kSpinPauses = 500;

constexpr uint64_t kClosed = 0xFFFFFFFF;
constexpr int64_t kRangesMax = int64_t{1} << 30;

void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int num_threads) {
  CHECK(num_threads >= 1, num_threads);
  threads_.reserve(static_cast<size_t>(num_threads - 1));
  try {
    for (int worker = 1; worker < num_threads; ++worker) {
      threads_.emplace_back([this, worker] { work(worker); });
    }
  } catch (const std::system_error&) {
    // A limit on processes or memory. Those that began serve; make_cpu_device() says so.
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

// Takes one range of the loop at hand and runs it; false when there is none.
bool ThreadPool::take_range(int worker) {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  for (;;) {
    const auto range = static_cast<uint32_t>(ticket);
    const int64_t count = count_.load(std::memory_order_acquire);
    const int64_t grain = grain_.load(std::memory_order_acquire);
    const Parallel::Body body = body_.load(std::memory_order_acquire);
    void* const argument = argument_.load(std::memory_order_acquire);
    if (range >= num_ranges_.load(std::memory_order_acquire)) return false;
    if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) continue;
    const int64_t begin = range * grain;
    body(argument, begin, begin + std::min(grain, count - begin), worker);
    num_done_.fetch_add(1, std::memory_order_release);
    return true;
  }
}

void ThreadPool::work(int worker) {
  uint32_t seen = 0;
  for (;;) {
    for (int spin = 0; spin < kSpinPauses && epoch_.load(std::memory_order_acquire) == seen;
         ++spin) {
      pause_cpu();
    }
    epoch_.wait(seen, std::memory_order_acquire);
    if (stop_.load()) return;
    seen = epoch_.load(std::memory_order_acquire);
    while (take_range(worker)) {
    }
  }
}

void ThreadPool::run(int64_t count, int64_t grain, Parallel::Body body, void* argument) {
  grain = std::max({grain, int64_t{1}, count / kRangesMax + 1});
  if (threads_.empty() || count <= grain) {
    if (count > 0) body(argument, 0, count, 0);
    return;
  }
  const uint64_t loop = (ticket_.load(std::memory_order_relaxed) >> 32) + 1;
  const int64_t num_ranges = (count - 1) / grain + 1;
  ticket_.store(loop << 32 | kClosed, std::memory_order_release);
  count_.store(count, std::memory_order_release);
  grain_.store(grain, std::memory_order_release);
  body_.store(body, std::memory_order_release);
  argument_.store(argument, std::memory_order_release);
  num_ranges_.store(static_cast<uint32_t>(num_ranges), std::memory_order_release);
  num_done_.store(0, std::memory_order_relaxed);
  ticket_.store(loop << 32, std::memory_order_release);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  while (take_range(0)) {
  }
  for (int spin = 0; num_done_.load(std::memory_order_acquire) != num_ranges; ++spin) {
    // Whoever has the last range may have lost its core: give ours away instead of spinning.
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
