// A fixed set of threads that split loops. Workers spin for a bounded time after a loop, since decode
// issues hundreds of short ones per token, then sleep on a futex (std::atomic wait). A loop waits for
// its ranges, never for its workers: one that has lost its core to another process takes no range and
// costs nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "kernels/ops.h"

namespace levin::kernels {

class ThreadPool {
 public:
  // num_threads counts the caller: 1 starts none. Where the system refuses threads there are fewer.
  explicit ThreadPool(int num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // One caller at a time. Ranges may be larger than `grain` where there would be too many to count.
  void run(int64_t count, int64_t grain, Parallel::Body body, void* argument);

  Parallel parallel();
  int num_threads() const { return static_cast<int>(threads_.size()) + 1; }

 private:
  void work(int worker);
  bool take_range(int worker);

  std::vector<std::thread> threads_;
  std::atomic<uint32_t> epoch_{0};  // One more per loop: what sleeping workers watch.
  std::atomic<bool> stop_{false};
  // The loop's number in the high half, its next range in the low one. A range is taken by exchanging
  // the whole: it cannot be taken from a loop that is over.
  std::atomic<uint64_t> ticket_{0};
  std::atomic<int64_t> num_done_{0};  // Ranges of this loop that are finished.
  // The loop at hand. Written while the ticket is closed, so that whoever read an old value of these
  // with a new one of those fails to exchange the ticket.
  std::atomic<int64_t> count_{0};
  std::atomic<int64_t> grain_{1};
  std::atomic<uint32_t> num_ranges_{0};
  std::atomic<Parallel::Body> body_{nullptr};
  std::atomic<void*> argument_{nullptr};
};

}  // namespace levin::kernels
