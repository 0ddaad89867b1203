// What one core can compute at best: loops of one instruction on registers alone. For `levin
// bench`, to say which part of the machine a kernel reaches.
#pragma once

#include <stdint.h>

#include "kernels/device.h"

namespace levin::kernels {

// Each runs `rounds` rounds and returns how many operations that was (a multiply-add is two); null
// where the instruction set has no such instruction.
struct Peaks {
  double (*float_fma)(int64_t rounds) = nullptr;
  double (*bf16_dot)(int64_t rounds) = nullptr;
  double (*int8_dot)(int64_t rounds) = nullptr;
};

Peaks cpu_peaks(CpuIsa isa);

}  // namespace levin::kernels
