#include "engine/state.h"

namespace levin::engine {

Result<State> State::create(const ModelConfig& config, kernels::Device& device) {
  State state;
  for (const AttentionKind kind : config.attention_kinds) {
    kernels::DeviceBuffer linear;
    if (kind == AttentionKind::kLightning) {
      const auto floats = static_cast<size_t>(config.num_heads * config.head_dim * config.head_dim);
      TRY_ASSIGN(linear, kernels::DeviceBuffer::create(device, floats));
    }
    state.linear.push_back(std::move(linear));
    state.kv.emplace_back(device, config.num_kv_heads, config.head_dim);
  }
  return state;
}

size_t State::linear_bytes() const {
  size_t bytes = 0;
  for (const kernels::DeviceBuffer& buffer : linear) bytes += buffer.size() * sizeof(float);
  return bytes;
}

size_t State::kv_bytes() const {
  size_t bytes = 0;
  for (const KvCache& cache : kv) bytes += cache.bytes();
  return bytes;
}

}  // namespace levin::engine
