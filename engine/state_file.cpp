#include "engine/state_file.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/file_io.h"
#include "base/mapped_file.h"

namespace levin::engine {
namespace {

using nlohmann::json;

constexpr std::string_view kMagic = "LEVNSTAT";
constexpr uint32_t kVersion = 2;
constexpr size_t kFixedBytes = 16;  // Magic, version, header length.
constexpr size_t kChecksumBytes = 8;
constexpr uint32_t kHeaderBytesMax =
    4096;  // An honest one has 200; its JSON is walked recursively.

struct HashFreer {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};
using Hash = std::unique_ptr<XXH3_state_t, HashFreer>;

Hash new_hash() {
  Hash hash(XXH3_createState());
  XXH3_64bits_reset(hash.get());
  return hash;
}

// Writes parts to the file and the checksum over them.
class Writer {
 public:
  explicit Writer(AtomicFile& file) : file_(file), hash_(new_hash()) {}

  template <typename T>
  Result<void> array(const T* values, size_t count) {
    return bytes({reinterpret_cast<const char*>(values), count * sizeof(T)});
  }
  Result<void> bytes(std::string_view part) {
    XXH3_64bits_update(hash_.get(), part.data(), part.size());
    return file_.write(part);
  }
  Result<void> finish() {
    const uint64_t digest = XXH3_64bits_digest(hash_.get());
    TRY(file_.write({reinterpret_cast<const char*>(&digest), sizeof digest}));
    return file_.commit();
  }

 private:
  AtomicFile& file_;
  Hash hash_;
};

json layout_of(const Model& model, kernels::DType kv_dtype) {
  return {{"fingerprint", model.fingerprint},
          {"block", kernels::kLightningBlock},
          {"state_dtype", "F32"},
          {"kv_step", kernels::kKvStep},
          {"kv_dtype", kv_dtype == kernels::DType::kBF16 ? "BF16" : "F32"}};
}

size_t payload_bytes(const Model& model, kernels::DType kv_dtype, int64_t num_tokens,
                     bool has_logits) {
  const ModelConfig& config = model.config;
  const int64_t d = config.head_dim;
  const kernels::KvLayout layout{kv_dtype, config.num_kv_heads, d};
  const int64_t num_steps = (num_tokens + kernels::kKvStep - 1) / kernels::kKvStep;
  const auto kv_size = static_cast<int64_t>(kernels::dtype_size(kv_dtype));
  int64_t bytes = 4 * (has_logits ? config.vocab_size : 0);
  for (const AttentionKind kind : config.attention_kinds) {
    if (kind == AttentionKind::kLightning) {
      bytes += 4 * config.num_heads * d * (d + 2 * (num_tokens % kernels::kLightningBlock));
    } else {
      bytes += num_steps * layout.num_kv_heads * layout.step() * kv_size;
    }
  }
  return static_cast<size_t>(bytes) + static_cast<size_t>(num_tokens) * sizeof(TokenId);
}

// Calls f(pointer, bytes) for every stretch of memory of the state, in file order. Of a journal
// only the rows in use are visited, of a cache only the steps.
template <typename F>
Result<void> visit_state(const Model& model, const State& state, const F& f) {
  const ModelConfig& config = model.config;
  const int64_t d = config.head_dim;
  const int64_t used = state.num_tokens % kernels::kLightningBlock;
  for (size_t layer = 0; layer < config.attention_kinds.size(); ++layer) {
    if (config.attention_kinds[layer] == AttentionKind::kLightning) {
      TRY(f(reinterpret_cast<char*>(state.linear[layer].data()),
            state.linear[layer].size() * sizeof(float)));
      for (int64_t half = 0; half < 2 * config.num_heads; ++half) {
        TRY(f(reinterpret_cast<char*>(state.journal[layer].data() +
                                      half * kernels::kLightningBlock * d),
              static_cast<size_t>(used * d) * sizeof(float)));
      }
      continue;
    }
    const KvCache& cache = state.kv[layer];
    const auto step_bytes =
        static_cast<size_t>(cache.layout().step()) * kernels::dtype_size(cache.layout().dtype);
    for (int64_t head = 0; head < config.num_kv_heads; ++head) {
      for (int64_t first = 0; first < state.num_tokens; first += kernels::kKvStep) {
        TRY(f(cache.step(head, first), step_bytes));
      }
    }
  }
  return {};
}

Error corrupt(const std::string& path, const std::string& what) {
  return Error(ErrorCode::kCorrupt, path + ": " + what);
}

struct Header {
  int64_t num_tokens = 0;
  bool has_logits = false;
  std::string_view payload;
};

// The checksum is tested first: after it only honest files remain, and version or model decide.
Result<Header> read_header(const std::string& path, std::string_view file, const Model& model,
                           kernels::DType kv_dtype) {
  if (file.size() < kFixedBytes + kChecksumBytes || file.substr(0, 8) != kMagic) {
    return corrupt(path, "is not a levin state file");
  }
  uint32_t version = 0;
  uint32_t header_bytes = 0;
  std::memcpy(&version, file.data() + 8, 4);
  std::memcpy(&header_bytes, file.data() + 12, 4);
  if (version != kVersion) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("{}: version {} of the state format, this program reads {}", path,
                             version, kVersion));
  }
  uint64_t expected = 0;
  std::memcpy(&expected, file.data() + file.size() - kChecksumBytes, kChecksumBytes);
  if (XXH3_64bits(file.data(), file.size() - kChecksumBytes) != expected) {
    return corrupt(path, "its checksum does not match: the file is cut or damaged");
  }
  if (header_bytes > file.size() - kFixedBytes - kChecksumBytes)
    return corrupt(path, "its header is cut");
  if (header_bytes > kHeaderBytesMax) {
    return corrupt(path, fmt::format("its header has {} bytes, expected at most {}", header_bytes,
                                     kHeaderBytesMax));
  }
  const std::string_view text = file.substr(kFixedBytes, header_bytes);
  const json header = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object() || !header.contains("layout") || !header.contains("num_tokens") ||
      !header["num_tokens"].is_number_integer() || !header.contains("has_logits") ||
      !header["has_logits"].is_boolean()) {
    return corrupt(path, "its header lacks layout, num_tokens or has_logits");
  }
  if (header["layout"] != layout_of(model, kv_dtype)) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("{}: belongs to another model or layout: {}, expected {}", path,
                             header["layout"].dump(), layout_of(model, kv_dtype).dump()));
  }
  Header out;
  out.num_tokens = header["num_tokens"];
  out.has_logits = header["has_logits"];
  out.payload = file.substr(kFixedBytes + header_bytes,
                            file.size() - kFixedBytes - header_bytes - kChecksumBytes);
  if (out.num_tokens < 0 || out.num_tokens > static_cast<int64_t>(file.size()) ||
      out.payload.size() != payload_bytes(model, kv_dtype, out.num_tokens, out.has_logits)) {
    return corrupt(path,
                   fmt::format("holds {} bytes for {} tokens, which is not what its model needs",
                               out.payload.size(), out.num_tokens));
  }
  return out;
}

}  // namespace

Result<void> save_state(const std::string& path, const Model& model,
                        const std::vector<TokenId>& log, const State& state,
                        const std::vector<float>& logits) {
  CHECK(static_cast<int64_t>(log.size()) == state.num_tokens, log.size(), state.num_tokens);
  const json header = {{"layout", layout_of(model, state.kv_dtype())},
                       {"num_tokens", state.num_tokens},
                       {"has_logits", !logits.empty()}};
  const std::string text = header.dump();
  const auto header_bytes = static_cast<uint32_t>(text.size());
  TRY_ASSIGN(AtomicFile file, AtomicFile::create(path, 0600));
  Writer writer(file);
  TRY(writer.bytes(kMagic));
  TRY(writer.array(&kVersion, 1));
  TRY(writer.array(&header_bytes, 1));
  TRY(writer.bytes(text));
  TRY(writer.array(log.data(), log.size()));
  TRY(writer.array(logits.data(), logits.size()));
  TRY(visit_state(model, state, [&](const char* part, size_t bytes) {
    return writer.bytes({part, bytes});
  }));
  return writer.finish();
}

Result<SavedState> load_state(const std::string& path, const Model& model, kernels::Device& device,
                              kernels::DType kv_dtype) {
  TRY_ASSIGN(const MappedFile mapped, MappedFile::open(path));
  const std::string_view file(reinterpret_cast<const char*>(mapped.bytes().data()),
                              mapped.bytes().size());
  TRY_ASSIGN(const Header header, read_header(path, file, model, kv_dtype));
  SavedState saved;
  const char* at = header.payload.data();
  const auto take = [&](void* to, size_t bytes) {
    if (bytes > 0) std::memcpy(to, at, bytes);
    at += bytes;
  };
  saved.log.resize(static_cast<size_t>(header.num_tokens));
  take(saved.log.data(), saved.log.size() * sizeof(TokenId));
  for (const TokenId id : saved.log) {
    if (id < 0 || id >= model.config.vocab_size)
      return corrupt(path, fmt::format("holds token id {}", id));
  }
  if (header.has_logits) saved.logits.resize(static_cast<size_t>(model.config.vocab_size));
  take(saved.logits.data(), saved.logits.size() * sizeof(float));
  TRY_ASSIGN(saved.state, State::create(model.config, device, kv_dtype));
  saved.state.num_tokens = header.num_tokens;
  for (size_t layer = 0; layer < saved.state.kv.size(); ++layer) {
    if (model.config.attention_kinds[layer] == AttentionKind::kSoftmax && header.num_tokens > 0) {
      TRY(saved.state.kv[layer].reserve(0, header.num_tokens));
    }
  }
  TRY(visit_state(model, saved.state, [&](char* part, size_t bytes) -> Result<void> {
    take(part, bytes);
    return {};
  }));
  return saved;
}

}  // namespace levin::engine
