// A fixed set of threads that split loops. Workers spin for a bounded time after a loop, since decode
// issues hundreds of short ones per token, then sleep on a futex (std::atomic wait).
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "kernels/ops.h"

namespace levin::kernels {

class ThreadPool {
 public:
  // num_threads counts the caller: 1 starts none.
  explicit ThreadPool(int num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Ranges are taken from one counter, so a thread that is descheduled costs one range. One caller at
  // a time.
  void run(int64_t count, int64_t grain, Parallel::Body body, void* argument);

  Parallel parallel();
  int num_threads() const { return static_cast<int>(threads_.size()) + 1; }

 private:
  void work(int worker);
  void take_ranges(int worker);

  std::vector<std::thread> threads_;
  std::atomic<uint64_t> epoch_{0};  // One more per loop; the last value tells workers to end.
  std::atomic<bool> stop_{false};
  std::atomic<int> busy_{0};
  // The loop at hand; written before epoch_ rises.
  std::atomic<int64_t> next_{0};  // Range to take; a range's number cannot overflow, its end could.
  int64_t num_ranges_ = 0;
  int64_t count_ = 0;
  int64_t grain_ = 1;
  Parallel::Body body_ = nullptr;
  void* argument_ = nullptr;
};

}  // namespace levin::kernels
