#include "engine/anchor_file.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "base/file_io.h"
#include "base/mapped_file.h"

namespace levin::engine {
namespace {

constexpr std::string_view kMagic = "LEVNANCH";
constexpr uint32_t kVersion = 1;
constexpr size_t kChecksumBytes = 8;

void put(std::string& out, const void* bytes, size_t size) {
  out.append(static_cast<const char*>(bytes), size);
}

template <typename T>
void put_value(std::string& out, T value) {
  put(out, &value, sizeof value);
}

// Whose linear states these are: the layers above a softmax layer depend on how it keeps its rows.
std::string owner_of(const Model& model, kernels::DType kv_dtype) {
  return model.fingerprint + (kv_dtype == kernels::DType::kBF16 ? "-kv-bf16" : "");
}

uint64_t hash_of(std::span<const TokenId> tokens) {
  return XXH3_64bits(tokens.data(), tokens.size_bytes());
}

// Calls f(pointer, floats) for the linear states and the rows of journals in use, in file order.
template <typename F>
void visit_linear(const Model& model, const State& state, int64_t num_tokens, const F& f) {
  const ModelConfig& config = model.config;
  const int64_t d = config.head_dim;
  const int64_t used = num_tokens % kernels::kLightningBlock;
  for (size_t layer = 0; layer < config.attention_kinds.size(); ++layer) {
    if (config.attention_kinds[layer] != AttentionKind::kLightning) continue;
    f(state.linear[layer].data(), state.linear[layer].size());
    for (int64_t half = 0; half < 2 * config.num_heads; ++half) {
      f(state.journal[layer].data() + half * kernels::kLightningBlock * d,
        static_cast<size_t>(used * d));
    }
  }
}

size_t payload_bytes(const Model& model, const State& state, int64_t num_tokens, bool has_logits) {
  size_t floats = has_logits ? static_cast<size_t>(model.config.vocab_size) : 0;
  visit_linear(model, state, num_tokens, [&](const float*, size_t count) { floats += count; });
  return floats * sizeof(float);
}

// Leaves out the anchor that the others make up for best, until the rest fits.
void thin(std::vector<const Anchors::Anchor*>& kept, const Model& model, size_t bytes_max) {
  const auto bytes = [&] {
    size_t total = 0;
    for (const Anchors::Anchor* one : kept) {
      total += payload_bytes(model, one->state, one->state.num_tokens, !one->logits.empty());
    }
    return total;
  };
  while (!kept.empty() && bytes() > bytes_max) {
    size_t least = 0;
    int64_t least_gap = -1;
    for (size_t index = 0; index < kept.size(); ++index) {
      const int64_t before = index == 0 ? 0 : kept[index - 1]->state.num_tokens;
      // The last one is as good as the state file.
      const int64_t after = kept[std::min(index + 1, kept.size() - 1)]->state.num_tokens;
      if (least_gap >= 0 && after - before >= least_gap) continue;
      least_gap = after - before;
      least = index;
    }
    kept.erase(kept.begin() + static_cast<std::ptrdiff_t>(least));
  }
}

// Takes values off the front of a file's bytes; `failed` once there are too few.
struct Input {
  std::string_view rest;
  bool failed = false;

  void take(void* to, size_t size) {
    failed = failed || size > rest.size();
    if (failed || size == 0) return;
    std::memcpy(to, rest.data(), size);
    rest.remove_prefix(size);
  }
  template <typename T>
  T value() {
    T out{};
    take(&out, sizeof out);
    return out;
  }
};

Result<Input> open_file(const std::string& path, std::string_view file, const std::string& owner) {
  const auto corrupt = [&](const char* what) {
    return Error(ErrorCode::kCorrupt, path + ": " + what);
  };
  if (file.size() < kMagic.size() + kChecksumBytes || !file.starts_with(kMagic)) {
    return corrupt("is not a levin anchor file");
  }
  uint64_t expected = 0;
  std::memcpy(&expected, file.data() + file.size() - kChecksumBytes, kChecksumBytes);
  file.remove_suffix(kChecksumBytes);
  if (XXH3_64bits(file.data(), file.size()) != expected) {
    return corrupt("its checksum does not match: the file is cut or damaged");
  }
  Input input{file.substr(kMagic.size())};
  const auto version = input.value<uint32_t>();
  const auto block = input.value<uint32_t>();
  const bool has_size = input.value<uint32_t>() == owner.size();
  std::string found(has_size ? owner.size() : 0, '\0');
  input.take(found.data(), found.size());
  if (version != kVersion || block != kernels::kLightningBlock || found != owner) {
    return Error(ErrorCode::kUnsupported, path + ": belongs to another version, model or layout");
  }
  return input;
}

}  // namespace

Result<void> save_anchors(const std::string& path, const Model& model,
                          const std::vector<TokenId>& log, std::span<const Anchors::Anchor> anchors,
                          size_t bytes_max) {
  std::vector<const Anchors::Anchor*> kept;
  for (const Anchors::Anchor& one : anchors) {
    if (one.state.num_tokens <= static_cast<int64_t>(log.size())) kept.push_back(&one);
  }
  std::sort(kept.begin(), kept.end(), [](const Anchors::Anchor* a, const Anchors::Anchor* b) {
    return a->state.num_tokens < b->state.num_tokens;
  });
  thin(kept, model, bytes_max);
  std::string out(kMagic);
  put_value(out, kVersion);
  put_value(out, static_cast<uint32_t>(kernels::kLightningBlock));
  const std::string owner =
      owner_of(model, kept.empty() ? kernels::DType::kF32 : kept.front()->state.kv_dtype());
  put_value(out, static_cast<uint32_t>(owner.size()));
  out += owner;
  put_value(out, static_cast<uint64_t>(kept.size()));
  for (const Anchors::Anchor* one : kept) {
    const int64_t position = one->state.num_tokens;
    put_value(out, position);
    put_value(out, hash_of(std::span(log).first(static_cast<size_t>(position))));
    put_value(out, static_cast<uint32_t>(one->logits.size()));
    put(out, one->logits.data(), one->logits.size() * sizeof(float));
    visit_linear(model, one->state, position, [&](const float* values, size_t count) {
      put(out, values, count * sizeof(float));
    });
  }
  put_value(out, XXH3_64bits(out.data(), out.size()));
  return write_file_atomic(path, out, 0600);
}

Result<void> load_anchors(const std::string& path, const Model& model, kernels::Device& device,
                          const std::vector<TokenId>& log, const State& state, Anchors* anchors) {
  TRY_ASSIGN(const MappedFile mapped, MappedFile::open(path));
  const std::string_view file(reinterpret_cast<const char*>(mapped.bytes().data()),
                              mapped.bytes().size());
  TRY_ASSIGN(Input input, open_file(path, file, owner_of(model, state.kv_dtype())));
  const auto count = input.value<uint64_t>();
  const Error damaged(ErrorCode::kCorrupt, path + ": holds other sizes than its model has");
  for (uint64_t index = 0; index < count && !input.failed; ++index) {
    const auto position = input.value<int64_t>();
    const auto hash = input.value<uint64_t>();
    const auto num_logits = input.value<uint32_t>();
    if (input.failed || position < 0 ||
        (num_logits != 0 && num_logits != static_cast<uint32_t>(model.config.vocab_size))) {
      return damaged;
    }
    const size_t bytes = payload_bytes(model, state, position, num_logits != 0);
    if (bytes > input.rest.size()) return damaged;
    Input payload{input.rest.substr(0, bytes)};
    input.rest.remove_prefix(bytes);
    // Of another branch, or beyond the KV rows that there are.
    if (position > state.num_tokens || position > static_cast<int64_t>(log.size()) ||
        hash != hash_of(std::span(log).first(static_cast<size_t>(position)))) {
      continue;
    }
    State copy = state.clone();
    TRY(copy.make_writable(device, kernels::kLightningBlock));  // A whole block: all of it.
    std::vector<float> logits(num_logits);
    payload.take(logits.data(), logits.size() * sizeof(float));
    visit_linear(model, copy, position, [&](float* values, size_t floats) {
      payload.take(values, floats * sizeof(float));
    });
    copy.num_tokens = position;
    for (KvCache& cache : copy.kv) cache.truncate(position);
    anchors->add(std::move(copy), std::move(logits), /*pinned=*/false);
  }
  return input.failed ? Result<void>(damaged) : Result<void>();
}

}  // namespace levin::engine
