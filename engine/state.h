// State: what a model remembers of the tokens it has read. Linear states are fixed in size; only
// the KV caches of softmax layers grow.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/kv_cache.h"
#include "engine/model.h"

namespace levin::engine {

// Floats that copies of a state share until one of them writes.
class SharedBuffer {
 public:
  SharedBuffer() = default;
  static Result<SharedBuffer> create(kernels::Device& device, size_t count,
                                     kernels::Fill fill = kernels::Fill::kZero);

  float* data() const { return buffer_ == nullptr ? nullptr : buffer_->data(); }
  size_t size() const { return buffer_ == nullptr ? 0 : buffer_->size(); }
  bool is_shared() const { return buffer_.use_count() > 1; }

 private:
  // Shared because snapshots, forks and their session read the same past; the last owner frees it.
  std::shared_ptr<kernels::DeviceBuffer> buffer_;
};

struct State {
  int64_t num_tokens = 0;
  // One entry a layer; those that its kind does not use stay empty. The linear state is that of the
  // start of the current block of kernels::kLightningBlock tokens; the journal holds the keys and
  // values of the tokens since then.
  std::vector<SharedBuffer> linear;   // [h, d (key), d (value)]
  std::vector<SharedBuffer> journal;  // [h, 2, kLightningBlock, d]
  std::vector<KvCache> kv;

  // kv_dtype: of the KV caches, kF32 or kBF16; linear states are always float32.
  static Result<State> create(const ModelConfig& config, kernels::Device& device,
                              kernels::DType kv_dtype);

  // Position of the first token of the current block.
  int64_t block_start() const { return num_tokens - num_tokens % kernels::kLightningBlock; }

  kernels::DType kv_dtype() const { return kv.front().layout().dtype; }
  size_t linear_bytes() const;  // Linear states and journals.
  size_t kv_bytes() const;

  // An independent copy; everything is shared until one side writes, so it costs next to nothing.
  State clone() const { return *this; }

  // Before `count` tokens are read: gives this state memory of its own where they will write. What
  // it holds is unchanged, also on errors: kLimit.
  Result<void> make_writable(kernels::Device& device, int64_t count);

  // Forgets the tokens from `position` on, block_start() <= position <= num_tokens: costs nothing,
  // since the journal still holds what is kept.
  void drop_to(int64_t position);

  // The linear state of a lightning layer after all num_tokens, [h, d, d]: the block's start
  // carried over its journal.
  std::vector<float> linear_state(const Model& model, size_t layer) const;
};

}  // namespace levin::engine
