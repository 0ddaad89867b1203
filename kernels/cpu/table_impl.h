// Fills the op table from the implementations compiled into this file.
#pragma once

#include "kernels/cpu/attention_impl.h"
#include "kernels/cpu/elementwise_impl.h"
#include "kernels/cpu/gemm_impl.h"
#include "kernels/cpu/linear_attention_impl.h"
#include "kernels/cpu/rotary_impl.h"

namespace levin::kernels {
namespace {

inline Ops make_table(const char* name) {
  Ops ops;
  ops.name = name;
  ops.embed = op_embed;
  ops.rms_norm = op_rms_norm;
  ops.matmul = op_matmul;
  ops.silu_multiply = op_silu_multiply;
  ops.gated_norm = op_gated_norm;
  ops.scaled_sum = op_scaled_sum;
  ops.rotary = op_rotary;
  ops.lightning_attention = op_lightning_attention;
  ops.kv_write = op_kv_write;
  ops.attention = op_attention;
  ops.route = op_route;
  ops.gather_rows = op_gather_rows;
  ops.combine_rows = op_combine_rows;
  ops.mix_shared = op_mix_shared;
  return ops;
}

}  // namespace
}  // namespace levin::kernels
