// The thread pool: every index exactly once, for any size, grain and number of threads, over
// thousands of loops, and ends cleanly. Meant to run under the thread sanitizer too.
#include "kernels/cpu/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <memory>

#include "kernels/device.h"

namespace levin::kernels {
namespace {

// Counts visits without atomics: two visits of one index would also be a data race.
struct Visits {
  std::vector<int> counts;
  std::atomic<int> worker_max{-1};
  std::atomic<int> worker_min{1 << 20};
  std::atomic<int64_t> ranges{0};
  std::atomic<int64_t> longest{0};

  explicit Visits(int64_t count) : counts(static_cast<size_t>(count)) {}

  static void visit(void* argument, int64_t begin, int64_t end, int worker) {
    auto* self = static_cast<Visits*>(argument);
    for (int64_t i = begin; i < end; ++i) ++self->counts[static_cast<size_t>(i)];
    raise(&self->worker_max, worker);
    raise(&self->longest, end - begin);
    int seen = self->worker_min.load();
    while (worker < seen && !self->worker_min.compare_exchange_weak(seen, worker)) {
    }
    self->ranges.fetch_add(1);
  }

  template <typename T>
  static void raise(std::atomic<T>* maximum, T value) {
    T seen = maximum->load();
    while (value > seen && !maximum->compare_exchange_weak(seen, value)) {
    }
  }
};

class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, VisitsEveryIndexOnce) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.num_threads(), GetParam());
  for (const int64_t count : {0, 1, 2, 3, 7, 64, 1000, 100003}) {
    for (const int64_t grain : {-5, 0, 1, 2, 7, 999, 1000, 1001, 1 << 30}) {
      if (count > 1000 && grain < 7) continue;  // Only slow.
      Visits visits(count);
      pool.run(count, grain, Visits::visit, &visits);
      for (const int times : visits.counts) ASSERT_EQ(times, 1) << count << ' ' << grain;
      if (count == 0) {
        EXPECT_EQ(visits.ranges.load(), 0) << "an empty loop calls nothing";
        continue;
      }
      EXPECT_GE(visits.worker_min.load(), 0);
      EXPECT_LT(visits.worker_max.load(), GetParam());
      if (GetParam() > 1) {
        EXPECT_LE(visits.longest.load(), std::max<int64_t>(grain, 1));
      }
    }
  }
}

TEST_P(ThreadPoolTest, RangesBeginAtMultiplesOfTheGrain) {
  ThreadPool pool(GetParam());
  struct Seen {
    std::atomic<int> bad{0};
  } seen;
  pool.run(
      1003, 10,
      [](void* argument, int64_t begin, int64_t end, int) {
        const bool whole = end - begin == 10 || end == 1003;
        if (begin % 10 != 0 || !whole) static_cast<Seen*>(argument)->bad.fetch_add(1);
      },
      &seen);
  EXPECT_EQ(seen.bad.load(), 0);
}

// Indices beyond 32 bits, in few ranges.
TEST_P(ThreadPoolTest, HugeCounts) {
  ThreadPool pool(GetParam());
  constexpr int64_t kCount = (int64_t{1} << 60) + 12345;
  for (const int64_t grain : {int64_t{1} << 56, kCount - 1, kCount, INT64_MAX}) {
    std::atomic<int64_t> total{0};
    pool.run(
        kCount, grain,
        [](void* argument, int64_t begin, int64_t end, int) {
          static_cast<std::atomic<int64_t>*>(argument)->fetch_add(end - begin);
        },
        &total);
    EXPECT_EQ(total.load(), kCount) << grain;
  }
}

// What one loop wrote, the next one reads, on whatever thread it runs.
TEST_P(ThreadPoolTest, ManyShortLoopsSeeEachOthersWrites) {
  ThreadPool pool(GetParam());
  const Parallel parallel = pool.parallel();
  EXPECT_EQ(parallel.num_workers, GetParam());
  std::vector<int64_t> values(8);
  constexpr int64_t kLoops = 1000;
  for (int64_t loop = 0; loop < kLoops; ++loop) {
    parallel.run(
        parallel.self, 8, 1,
        [](void* argument, int64_t begin, int64_t end, int) {
          auto& all = *static_cast<std::vector<int64_t>*>(argument);
          for (int64_t i = begin; i < end; ++i) ++all[static_cast<size_t>(i)];
        },
        &values);
  }
  for (const int64_t value : values) EXPECT_EQ(value, kLoops);
}

TEST_P(ThreadPoolTest, WorkerNumbersAreNeverSharedWithinALoop) {
  ThreadPool pool(GetParam());
  struct InUse {
    std::atomic<bool> taken[8] = {};
    std::atomic<int> clashes{0};
  } in_use;
  for (int loop = 0; loop < 100; ++loop) {
    pool.run(
        64, 1,
        [](void* argument, int64_t, int64_t, int worker) {
          auto* use = static_cast<InUse*>(argument);
          if (use->taken[worker].exchange(true)) use->clashes.fetch_add(1);
          use->taken[worker].store(false);
        },
        &in_use);
  }
  EXPECT_EQ(in_use.clashes.load(), 0);
}

TEST_P(ThreadPoolTest, EndsWhileIdleSpinningOrNeverUsed) {
  for (int round = 0; round < 30; ++round) {
    const ThreadPool unused(GetParam());
  }
  for (int round = 0; round < 30; ++round) {  // Workers still spin after the loop.
    ThreadPool pool(GetParam());
    Visits visits(100);
    pool.run(100, 1, Visits::visit, &visits);
    ASSERT_EQ(visits.counts, std::vector<int>(100, 1));
  }
  ThreadPool sleeping(GetParam());
  Visits visits(100);
  sleeping.run(100, 1, Visits::visit, &visits);
  // Far longer than the workers spin, so that they are in the kernel; nothing depends on it.
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
  while (std::chrono::steady_clock::now() < end) std::this_thread::yield();
  sleeping.run(100, 1, Visits::visit, &visits);
  EXPECT_EQ(visits.counts, std::vector<int>(100, 2));
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1, 2, 3, 8));

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// Sanitizers map terabytes, so memory cannot be limited there. In a child: the limit stays.
TEST(ThreadPoolLimit, RefusedThreadsAreAnError) {
  const auto begin_many = [] {
    rlimit limit{};
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = rlim_t{1} << 30;  // Room for about a hundred stacks of 8 MiB.
    setrlimit(RLIMIT_AS, &limit);
    const auto device = make_cpu_device({1000, CpuIsa::kBaseline});
    std::exit(!device && device.error().code() == ErrorCode::kLimit ? 7 : 1);
  };
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(begin_many(), testing::ExitedWithCode(7), "");
}
#endif

// A body may use a pool of its own: the loops of two pools are apart.
TEST(ThreadPoolNested, LoopsOfTwoPools) {
  struct Both {
    ThreadPool inner{2};
    std::vector<int> counts = std::vector<int>(60);
  } both;
  ThreadPool outer(1);
  outer.run(
      3, 1,
      [](void* argument, int64_t begin, int64_t end, int) {
        auto* all = static_cast<Both*>(argument);
        for (int64_t i = begin; i < end; ++i) {
          int* row = all->counts.data() + i * 20;
          all->inner.run(
              20, 3,
              [](void* cells, int64_t from, int64_t to, int) {
                for (int64_t j = from; j < to; ++j) ++static_cast<int*>(cells)[j];
              },
              row);
        }
      },
      &both);
  EXPECT_EQ(both.counts, std::vector<int>(60, 1));
}

}  // namespace
}  // namespace levin::kernels
