#include "engine/state.h"

#include "base/check.h"

namespace levin::engine {
namespace {

size_t bytes_of(const std::vector<SharedBuffer>& buffers) {
  size_t bytes = 0;
  for (const SharedBuffer& buffer : buffers) bytes += buffer.size() * sizeof(float);
  return bytes;
}

}  // namespace

Result<SharedBuffer> SharedBuffer::create(kernels::Device& device, size_t count,
                                          kernels::Fill fill) {
  TRY_ASSIGN(kernels::DeviceBuffer memory, kernels::DeviceBuffer::create(device, count, fill));
  SharedBuffer buffer;
  buffer.buffer_ = std::make_shared<kernels::DeviceBuffer>(std::move(memory));  // See buffer_.
  return buffer;
}

Result<State> State::create(const ModelConfig& config, kernels::Device& device,
                            kernels::DType kv_dtype) {
  State state;
  const auto linear_floats =
      static_cast<size_t>(config.num_heads * config.head_dim * config.head_dim);
  const auto journal_floats =
      static_cast<size_t>(config.num_heads * 2 * kernels::kLightningBlock * config.head_dim);
  for (const AttentionKind kind : config.attention_kinds) {
    SharedBuffer linear;
    SharedBuffer journal;
    if (kind == AttentionKind::kLightning) {
      TRY_ASSIGN(linear, SharedBuffer::create(device, linear_floats));
      TRY_ASSIGN(journal, SharedBuffer::create(device, journal_floats));
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

Result<void> State::make_writable(kernels::Device& device, int64_t count) {
  const int64_t used = num_tokens - block_start();
  const bool fills_block = used + count >= kernels::kLightningBlock;
  for (size_t layer = 0; layer < linear.size(); ++layer) {
    if (fills_block && linear[layer].is_shared()) {
      TRY_ASSIGN(SharedBuffer own,
                 SharedBuffer::create(device, linear[layer].size(), kernels::Fill::kNone));
      device.copy(own.data(), linear[layer].data(), own.size() * sizeof(float));
      linear[layer] = std::move(own);
    }
    if (!journal[layer].is_shared()) continue;
    TRY_ASSIGN(SharedBuffer own, SharedBuffer::create(device, journal[layer].size()));
    // Only the rows in use: the keys of a head, then its values.
    const int64_t d = kv[layer].layout().head_dim;
    const auto half = static_cast<size_t>(kernels::kLightningBlock * d);
    for (size_t at = 0; at < own.size(); at += half) {
      device.copy(own.data() + at, journal[layer].data() + at,
                  static_cast<size_t>(used * d) * sizeof(float));
    }
    journal[layer] = std::move(own);
  }
  return {};
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
