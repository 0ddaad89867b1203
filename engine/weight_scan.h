// Checks of weights when a model is loaded: numbers that are none, and float32 copies that memory
// does not hold.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "kernels/ops.h"
#include "kernels/tensor_view.h"

namespace levin::engine {

// A matrix that is read where it lies in its file, row-major.
struct WeightInPlace {
  std::string name;
  kernels::MatrixView view;
};

// One pass over all of them, each split over the threads. Errors: kCorrupt naming the first tensor
// with a weight that is not finite, its row and column.
Result<void> expect_finite(std::span<const WeightInPlace> weights,
                           const kernels::Parallel& parallel);

// Bytes that this process may still take: what the system has available, less where its control
// group allows less. 0 when neither is known.
uint64_t available_memory_bytes();

}  // namespace levin::engine
