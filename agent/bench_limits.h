// What the machine itself can do, measured in the same run as the engine: memory read speed and the
// peaks of its arithmetic. `levin bench` states its figures as fractions of these.
#pragma once

#include <string>
#include <vector>

#include "kernels/device.h"

namespace levin::agent {

struct MachineLimits {
  int threads = 1;
  double read_huge_gbps = 0;   // DRAM read, pages of 2 MiB, GB/s (10^9)
  double read_small_gbps = 0;  // pages of 4 KiB
  double float_gops = 0;       // Multiply-adds of float32, 10^9 operations a second
  double bf16_gops = 0;        // 0: no such instruction
  double int8_gops = 0;
};

// Takes about a second per number of threads. Best of five of each.
MachineLimits measure_limits(kernels::Device& device, kernels::CpuIsa isa);

}  // namespace levin::agent
