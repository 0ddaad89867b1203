#include "engine/state.h"

#include "base/check.h"

namespace levin::engine {
namespace {

Result<kernels::DeviceBuffer> copy_of(const kernels::DeviceBuffer& from, kernels::Device& device) {
  if (from.size() == 0) return kernels::DeviceBuffer();
  TRY_ASSIGN(kernels::DeviceBuffer to, kernels::DeviceBuffer::create(device, from.size()));
  device.copy(to.data(), from.data(), from.size() * sizeof(float));
  return to;
}

size_t bytes_of(const std::vector<kernels::DeviceBuffer>& buffers) {
  size_t bytes = 0;
  for (const kernels::DeviceBuffer& buffer : buffers) bytes += buffer.size() * sizeof(float);
  return bytes;
}

}  // namespace

Result<State> State::create(const ModelConfig& config, kernels::Device& device,
                            kernels::DType kv_dtype) {
  State state;
  const auto linear_floats =
      static_cast<size_t>(config.num_heads * config.head_dim * config.head_dim);
  const auto journal_floats =
      static_cast<size_t>(config.num_heads * 2 * kernels::kLightningBlock * config.head_dim);
  for (const AttentionKind kind : config.attention_kinds) {
    kernels::DeviceBuffer linear;
    kernels::DeviceBuffer journal;
    if (kind == AttentionKind::kLightning) {
      TRY_ASSIGN(linear, kernels::DeviceBuffer::create(device, linear_floats));
      TRY_ASSIGN(journal, kernels::DeviceBuffer::create(device, journal_floats));
    }
    state.linear.push_back(std::move(linear));
    state.journal.push_back(std::move(journal));
    state.kv.emplace_back(device,
                          kernels::KvLayout{kv_dtype, config.num_kv_heads, config.head_dim});
  }
  return state;
}

size_t State::linear_bytes() const {
  return bytes_of(linear) + bytes_of(journal);
}

size_t State::kv_bytes() const {
  size_t bytes = 0;
  for (const KvCache& cache : kv) bytes += cache.bytes();
  return bytes;
}

Result<State> State::clone(kernels::Device& device) const {
  State copy;
  copy.num_tokens = num_tokens;
  for (size_t layer = 0; layer < kv.size(); ++layer) {
    TRY_ASSIGN(kernels::DeviceBuffer linear_copy, copy_of(linear[layer], device));
    TRY_ASSIGN(kernels::DeviceBuffer journal_copy, copy_of(journal[layer], device));
    copy.linear.push_back(std::move(linear_copy));
    copy.journal.push_back(std::move(journal_copy));
    copy.kv.push_back(kv[layer]);
  }
  return copy;
}

void State::drop_to(int64_t position) {
  CHECK(position >= block_start(), position, block_start());
  CHECK(position <= num_tokens, position, num_tokens);
  num_tokens = position;
  for (KvCache& cache : kv) cache.truncate(position);
}

std::vector<float> State::linear_state(const Model& model, size_t layer) const {
  const int64_t d = model.config.head_dim;
  const int64_t count = num_tokens - block_start();
  const std::vector<float>& powers = model.weights.layers[layer].lightning.decay_powers;
  std::vector<float> out(linear[layer].size());
  for (int64_t head = 0; head < model.config.num_heads; ++head) {
    const float* power = powers.data() + head * (kernels::kLightningBlock + 1);
    const float* k = journal[layer].data() + head * 2 * kernels::kLightningBlock * d;
    const float* v = k + kernels::kLightningBlock * d;
    for (int64_t cell = 0; cell < d * d; ++cell) {
      double sum = double{linear[layer].data()[head * d * d + cell]} * power[count];
      for (int64_t j = 0; j < count; ++j) {
        sum += double{power[count - 1 - j]} * k[j * d + cell / d] * v[j * d + cell % d];
      }
      out[static_cast<size_t>(head * d * d + cell)] = static_cast<float>(sum);
    }
  }
  return out;
}

}  // namespace levin::engine
