// State: what a model remembers of the tokens it has read. Linear states are fixed in size; only
// the KV caches of softmax layers grow.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/kv_cache.h"
#include "engine/model.h"

namespace levin::engine {

struct State {
  int64_t num_tokens = 0;
  // One entry a layer; the one that its kind does not use stays empty.
  std::vector<kernels::DeviceBuffer> linear;  // [h, d (key), d (value)] f32
  std::vector<KvCache> kv;

  static Result<State> create(const ModelConfig& config, kernels::Device& device);
  size_t linear_bytes() const;
  size_t kv_bytes() const;
};

}  // namespace levin::engine
