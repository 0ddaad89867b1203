#include "engine/weight_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <limits>

#include "base/file_io.h"
#include "kernels/finite.h"

namespace levin::engine {
namespace {

constexpr int64_t kGrainWeights = int64_t{1} << 20;

struct Job {
  kernels::MatrixView view;
  std::atomic<int64_t> first_bad = std::numeric_limits<int64_t>::max();

  static void run(void* argument, int64_t begin, int64_t end, int) {
    auto& job = *static_cast<Job*>(argument);
    const char* rows = static_cast<const char*>(job.view.data) +
                       static_cast<size_t>(begin * job.view.cols) * dtype_size(job.view.dtype);
    int64_t found = kernels::find_not_finite(job.view.dtype, rows, (end - begin) * job.view.cols);
    if (found < 0) return;
    found += begin * job.view.cols;
    int64_t known = job.first_bad;
    while (found < known && !job.first_bad.compare_exchange_weak(known, found)) {
    }
  }
};

// The number behind `key` in the text of a file of /proc or /sys. 0: not there ("max", no file).
uint64_t number_in(const std::string& path, std::string_view key) {
  const Result<std::string> text = read_file(path, 1 << 16);
  if (!text) return 0;
  const size_t at = text->find(key);
  const size_t digits =
      at == std::string::npos ? at : text->find_first_not_of(" :\t", at + key.size());
  if (digits == std::string::npos) return 0;
  uint64_t value = 0;
  std::from_chars(text->data() + digits, text->data() + text->size(), value);
  return value;
}

}  // namespace

Result<void> expect_finite(std::span<const WeightInPlace> weights,
                           const kernels::Parallel& parallel) {
  for (const WeightInPlace& one : weights) {
    if (one.view.rows == 0 || one.view.cols == 0) continue;
    Job job;
    job.view = one.view;
    const int64_t grain = std::max<int64_t>(1, kGrainWeights / one.view.cols);
    parallel.run(parallel.self, one.view.rows, grain, Job::run, &job);
    const int64_t bad = job.first_bad;
    if (bad == std::numeric_limits<int64_t>::max()) continue;
    return Error(ErrorCode::kCorrupt,
                 fmt::format("tensor '{}': the weight in row {}, column {} is not a finite number",
                             one.name, bad / one.view.cols, bad % one.view.cols));
  }
  return {};
}

uint64_t available_memory_bytes() {
  const uint64_t available = number_in("/proc/meminfo", "MemAvailable") * 1024;
  const uint64_t limit = number_in("/sys/fs/cgroup/memory.max", "");
  if (limit == 0) return available;
  const uint64_t used = number_in("/sys/fs/cgroup/memory.current", "");
  const uint64_t left = limit > used ? limit - used : 1;
  return available == 0 ? left : std::min(available, left);
}

}  // namespace levin::engine
