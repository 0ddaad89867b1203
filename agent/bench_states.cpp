#include "agent/bench_states.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <optional>

#include "base/file_io.h"

namespace levin::agent {
namespace {

using engine::Session;
using Clock = std::chrono::steady_clock;

constexpr int64_t kPage = engine::KvCache::kPageTokens;
constexpr int64_t kStepTokens = 8192;  // Between two looks at the clock.
constexpr double kSaveSeconds = 60;
constexpr std::string_view kSuffix = ".state";

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

int64_t depth_of(const Session& session) {
  return static_cast<int64_t>(session.token_log().size());
}

// The kept states of one model and one type of cache: files named by both and by their tokens.
class StatesFolder {
 public:
  StatesFolder(std::string folder, const engine::Model& model, kernels::DType kv_dtype)
      : folder_(std::move(folder)) {
    const std::string& print = model.fingerprint;
    prefix_ =
        fmt::format("{:016x}-{}-", static_cast<uint64_t>(XXH3_64bits(print.data(), print.size())),
                    kv_dtype == kernels::DType::kBF16 ? "bf16" : "f32");
  }

  std::string path(int64_t tokens) const {
    return folder_ + "/" + prefix_ + std::to_string(tokens) + std::string(kSuffix);
  }

  // The deepest kept state with more than `above` and at most `depth` tokens.
  std::optional<int64_t> deepest(int64_t above, int64_t depth) const {
    std::optional<int64_t> best;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
      const std::string file = entry.path().filename().string();
      std::string_view name = file;
      if (!name.starts_with(prefix_) || !name.ends_with(kSuffix)) continue;
      name.remove_prefix(prefix_.size());
      name.remove_suffix(kSuffix.size());
      int64_t tokens = 0;
      const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), tokens);
      if (code != std::errc() || end != name.data() + name.size()) continue;
      if (tokens > above && tokens <= depth && tokens > best.value_or(0)) best = tokens;
    }
    return best;
  }

 private:
  std::string folder_;
  std::string prefix_;
};

// Takes the deepest state that can be used; one that cannot is told and passed over.
void take_kept(Session& session, const StatesFolder& states, int64_t depth) {
  for (int64_t limit = depth;;) {
    const std::optional<int64_t> tokens = states.deepest(depth_of(session), limit);
    if (!tokens) return;
    const Result<void> loaded = session.load(states.path(*tokens));
    if (loaded) return;
    std::cerr << "levin bench: state not used: " << loaded.error().message() << std::endl;
    limit = *tokens - 1;
  }
}

Result<void> read_on(Session& session, const engine::Model& model,
                     const engine::SessionOptions& options, int64_t depth,
                     const DepthOptions& how) {
  const bool keeps = !how.states_folder.empty();
  const StatesFolder states(how.states_folder, model, options.kv_dtype);
  if (keeps) {
    TRY(make_directories(how.states_folder));
    take_kept(session, states, depth);
  }
  const auto start = Clock::now();
  auto saved_at = start;
  std::string on_the_way;  // The last state that is kept only until the next one is.
  while (depth_of(session) < depth) {
    if (how.seconds_max > 0 && seconds_since(start) >= how.seconds_max) break;
    const int64_t count = std::min(kStepTokens, depth - depth_of(session));
    TRY(extend_by_bench_text(session, count, model.config.vocab_size));
    TRY(session.logits());
    const bool is_there = depth_of(session) == depth;
    if (!keeps || (!is_there && seconds_since(saved_at) < kSaveSeconds)) continue;
    const std::string path = states.path(depth_of(session));
    TRY(session.save(path));
    std::error_code ignored;
    if (!on_the_way.empty()) std::filesystem::remove(on_the_way, ignored);
    on_the_way = is_there ? "" : path;
    saved_at = Clock::now();
  }
  return {};
}

Result<void> fill(Session& session, const engine::Model& model, kernels::Device& device,
                  const engine::SessionOptions& options, int64_t depth) {
  TRY(check_synthetic_depth(depth));
  TRY_ASSIGN(Session first, Session::open(model, device, options));
  TRY(extend_by_bench_text(first, kPage, model.config.vocab_size));
  TRY(first.logits());
  engine::SavedState filled;
  filled.state = first.state().clone();
  for (size_t layer = 0; layer < filled.state.kv.size(); ++layer) {
    if (model.config.attention_kinds[layer] != engine::AttentionKind::kSoftmax) continue;
    engine::KvCache& cache = filled.state.kv[layer];
    TRY(cache.reserve(kPage, depth - kPage));
    const auto bytes = static_cast<size_t>(cache.layout().page_bytes());
    for (int64_t page = 1; page < depth / kPage; ++page) {
      device.copy(cache.pages()[page], cache.pages()[0], bytes);
    }
  }
  filled.state.num_tokens = depth;
  for (int64_t i = 0; i < depth; ++i) {
    filled.log.push_back(bench_token(i, model.config.vocab_size));
  }
  session.adopt(std::move(filled));
  return {};
}

}  // namespace

engine::TokenId bench_token(int64_t position, int64_t vocab) {
  uint64_t x = static_cast<uint64_t>(position) + 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return static_cast<engine::TokenId>((x ^ (x >> 31)) % static_cast<uint64_t>(vocab));
}

Result<void> extend_by_bench_text(Session& session, int64_t count, int64_t vocab) {
  std::vector<engine::TokenId> tokens;
  const int64_t first = depth_of(session);
  for (int64_t i = 0; i < count; ++i) tokens.push_back(bench_token(first + i, vocab));
  return session.append(tokens);
}

Result<void> check_synthetic_depth(int64_t depth) {
  if (depth % kPage == 0) return {};
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("--fill synthetic: depth {} is no multiple of {}", depth, kPage));
}

Result<void> grow_to(Session& session, const engine::Model& model, kernels::Device& device,
                     const engine::SessionOptions& options, int64_t depth,
                     const DepthOptions& how) {
  if (depth <= depth_of(session)) return {};
  if (how.is_synthetic) return fill(session, model, device, options, depth);
  return read_on(session, model, options, depth, how);
}

}  // namespace levin::agent
