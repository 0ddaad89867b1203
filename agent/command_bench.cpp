// levin bench: speed at growing context, what a turn costs, and what the machine could do.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "agent/bench_limits.h"
#include "agent/bench_plot.h"
#include "agent/bench_run.h"
#include "agent/commands.h"
#include "agent/paths.h"
#include "agent/wiring.h"
#include "base/file_io.h"
#include "kernels/tiles.h"

namespace levin::agent {
namespace {

using nlohmann::ordered_json;

// "1,2" or "0,8k,1M" (k = 1024, M = 1024 k): ascending whole numbers.
Result<std::vector<int64_t>> parse_list(const std::string& option, const std::string& text,
                                        int64_t least) {
  std::vector<int64_t> values;
  const auto fail = [&](const std::string& part) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} {}: '{}' is no whole number from {} (k and M may follow), or the "
                             "list does not ascend",
                             option, text, part, least));
  };
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    std::string part = text.substr(begin, end - begin);
    begin = end + 1;
    const std::string whole = part;
    int64_t unit = 1;
    if (!part.empty() && (part.back() == 'k' || part.back() == 'K')) unit = 1024;
    if (!part.empty() && (part.back() == 'm' || part.back() == 'M')) unit = 1024 * 1024;
    if (unit > 1) part.pop_back();
    if (part.empty() || part.size() > 9 ||
        part.find_first_not_of("0123456789") != std::string::npos) {
      return fail(whole);
    }
    const int64_t value = std::stoll(part) * unit;
    if (value < least || (!values.empty() && value <= values.back())) return fail(whole);
    values.push_back(value);
  }
  return values;
}

ordered_json to_json(const BenchFigure& figure) {
  const auto rounded = [](double value) { return std::round(value * 100) / 100; };
  ordered_json row = {{"depth", figure.depth},
                      {"threads", figure.threads},
                      {"prefill_tps", rounded(figure.prefill_tps)},
                      {"prefill_median_tps", rounded(figure.prefill_median_tps)},
                      {"decode_tps", rounded(figure.decode_tps)},
                      {"decode_median_tps", rounded(figure.decode_median_tps)},
                      {"ttft_ms", rounded(figure.ttft_ms)},
                      {"kv_bytes", figure.kv_bytes},
                      {"state_bytes", figure.state_bytes},
                      {"rss_bytes", figure.rss_bytes}};
  if (figure.is_synthetic) row["context"] = "synthetic";
  return row;
}

// Bytes of weights that one decode step reads: all but the embedding and the idle experts.
uint64_t bytes_per_token(const engine::Model& model) {
  const auto bytes = [](const kernels::MatrixView& w) -> uint64_t {
    if (kernels::is_tiled(w.dtype)) return kernels::tiled_bytes(w.dtype, w.rows, w.cols);
    return static_cast<uint64_t>(w.rows * w.cols) * kernels::dtype_size(w.dtype);
  };
  uint64_t total = bytes(model.weights.lm_head);
  for (const engine::LayerWeights& layer : model.weights.layers) {
    if (layer.kind == engine::AttentionKind::kLightning) {
      total += bytes(layer.lightning.qkv) + bytes(layer.lightning.output_gate) +
               bytes(layer.lightning.out);
    } else {
      total += bytes(layer.softmax.q) + bytes(layer.softmax.k) + bytes(layer.softmax.v) +
               bytes(layer.softmax.out);
    }
    const engine::MlpWeights& expert = layer.moe.experts.front();
    total +=
        bytes(layer.moe.router) + static_cast<uint64_t>(model.config.num_experts_per_token) *
                                      (bytes(expert.gate) + bytes(expert.up) + bytes(expert.down));
    if (!layer.moe.has_shared) continue;
    const engine::MlpWeights& shared = layer.moe.shared;
    total +=
        bytes(layer.moe.shared_gate) + bytes(shared.gate) + bytes(shared.up) + bytes(shared.down);
  }
  return total;
}

class Bench {
 public:
  explicit Bench(const BenchOptions& options) : options_(options) {}

  Result<void> run() {
    TRY(prepare());
    for (const int64_t threads : threads_) TRY(measure(static_cast<int>(threads)));
    if (options_.json) {
      ordered_json all = ordered_json::array();
      for (const BenchFigure& figure : figures_) all.push_back(to_json(figure));
      std::cout << all.dump(2) << std::endl;
    } else {
      std::cout << fmt::format("peak memory {:.2f} GB\n",
                               static_cast<double>(peak_resident_bytes()) / 1e9);
    }
    if (options_.svg.empty()) return {};
    return write_file_atomic(options_.svg, plot_svg(figures_));
  }

 private:
  Result<void> prepare() {
    TRY_ASSIGN(sizes_.depths, parse_list("--depth", options_.depths, 0));
    const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    const std::string threads = !options_.threads.empty() ? options_.threads
                                : cores == 1              ? "1"
                                                          : fmt::format("1,{}", cores);
    TRY_ASSIGN(threads_, parse_list("--threads", threads, 1));
    sizes_.prefill_tokens = options_.prefill_tokens;
    sizes_.decode_tokens = options_.decode_tokens;
    sizes_.how = {options_.states_folder, options_.seconds_max, options_.fill == "synthetic"};
    if (sizes_.how.is_synthetic && !sizes_.how.states_folder.empty()) {
      return Error(ErrorCode::kInvalidArgument,
                   "--fill synthetic: a filled context is not kept; leave out --states");
    }
    for (const int64_t depth : sizes_.depths) {
      if (sizes_.how.is_synthetic) TRY(check_synthetic_depth(depth));
    }
    std::string folder = options_.model.model;
    if (folder.empty()) {
      TRY_ASSIGN(const std::string data, find_data_folder());
      folder = data + "/models/" + kEmbeddedModel;
    }
    TRY_ASSIGN(const ModelCard card, load_model_card(folder));
    TRY_ASSIGN(const ComputeOptions compute,
               compute_options(
                   options_.model.precision.empty() ? card.precision : options_.model.precision,
                   options_.model.kv));
    session_.kv_dtype = compute.kv_dtype;
    session_.context_tokens_max = int64_t{1} << 40;
    TRY_ASSIGN(std::unique_ptr<kernels::Device> device,
               open_device(static_cast<int>(threads_.back())));
    engine::LoadOptions load;
    load.precision = compute.precision;
    load.parallel = &device->parallel();
    const auto start = std::chrono::steady_clock::now();
    TRY_ASSIGN(model_, engine::load_model(folder, load));
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (!options_.json) {
      std::cout << fmt::format(
          "{}\nloaded in {:.2f} s, {:.2f} GB in memory, {:.2f} GB at most; {:.0f} "
          "MB of weights are read per token\n",
          folder, seconds.count(), static_cast<double>(resident_bytes()) / 1e9,
          static_cast<double>(peak_resident_bytes()) / 1e9,
          static_cast<double>(bytes_per_token(*model_)) / 1e6);
    }
    return {};
  }

  Result<std::unique_ptr<kernels::Device>> open_device(int threads) {
    TRY_ASSIGN(cpu_, cpu_options(threads, options_.model.isa));
    return kernels::make_cpu_device(cpu_);
  }

  Result<void> measure(int threads) {
    TRY_ASSIGN(const std::unique_ptr<kernels::Device> device, open_device(threads));
    MachineLimits limits;
    if (!options_.json) {
      limits = measure_limits(*device, cpu_.isa);
      print_limits(device->name(), limits);
    }
    TRY_ASSIGN(const std::vector<BenchFigure> figures,
               measure_depths(*model_, *device, session_, sizes_,
                              [&](const BenchFigure& figure) { print(figure, limits); }));
    figures_.insert(figures_.end(), figures.begin(), figures.end());
    if (figures.back().depth < sizes_.depths[figures.size() - 1]) {
      std::cerr << fmt::format(
          "levin bench: depth {} was not reached within {} seconds, only {}{}\n",
          sizes_.depths[figures.size() - 1], options_.seconds_max, figures.back().depth,
          sizes_.how.states_folder.empty() ? "" : "; the same command goes on from there");
    }
    if (options_.json) return {};
    const std::filesystem::path folder = std::filesystem::temp_directory_path();
    const std::string turn_folder = (folder / fmt::format("levin-bench-{}", getpid())).string();
    TRY(make_directories(turn_folder));
    const int64_t shared =
        options_.shared_tokens > 0 ? options_.shared_tokens : 4 * sizes_.prefill_tokens;
    const Result<TurnFigure> turn =
        measure_turn(*model_, *device, session_, shared, 200, turn_folder);
    std::filesystem::remove_all(turn_folder);
    if (!turn) return turn.error();
    print(*turn);
    TRY_ASSIGN(const StateFigure state, measure_state(*model_, *device, session_, shared));
    print(state);
    TRY_ASSIGN(const SpeculationFigure ahead,
               measure_speculation(*model_, *device, session_, sizes_.prefill_tokens));
    print(ahead);
    return {};
  }

  static void print_limits(const std::string& device, const MachineLimits& limits) {
    std::cout << fmt::format(
        "\n{}: memory read {:.1f} GB/s (4 KiB pages {:.1f}); float32 {:.0f}, bf16 {:.0f}, int8 "
        "{:.0f} "
        "GOP/s\n{:>9} {:>12} {:>10} {:>12} {:>10} {:>10} {:>9} {:>9}\n",
        device, limits.read_huge_gbps, limits.read_small_gbps, limits.float_gops, limits.bf16_gops,
        limits.int8_gops, "depth", "prefill t/s", "(median)", "decode t/s", "(median)", "of memory",
        "KV MB", "RSS GB");
  }

  void print(const BenchFigure& figure, const MachineLimits& limits) {
    if (figure.is_synthetic && !std::exchange(told_synthetic_, true)) {
      std::cerr << "levin bench: --fill synthetic: past the first 1,024 tokens the context is made "
                   "of copies, not read; as much memory is read per token\n";
    }
    if (options_.json) {
      std::cerr << fmt::format("depth {}, {} threads: prefill {:.1f}, decode {:.1f} tokens/s\n",
                               figure.depth, figure.threads, figure.prefill_tps, figure.decode_tps);
      return;
    }
    // What a decode step must read: weights, linear states and the whole KV cache.
    const double bytes =
        static_cast<double>(bytes_per_token(*model_) + figure.state_bytes + figure.kv_bytes);
    const double fraction = figure.decode_tps * bytes / 1e9 / limits.read_huge_gbps;
    std::cout << fmt::format(
        "{:>9} {:>12.1f} {:>10.1f} {:>12.1f} {:>10.1f} {:>9.0f}% {:>9.1f} {:>9.2f}\n", figure.depth,
        figure.prefill_tps, figure.prefill_median_tps, figure.decode_tps, figure.decode_median_tps,
        fraction * 100, static_cast<double>(figure.kv_bytes) / 1e6,
        static_cast<double>(figure.rss_bytes) / 1e9);
    std::cout.flush();
  }

  static void print(const TurnFigure& turn) {
    std::cout << fmt::format(
        "turn of {} tokens after {}: cold {:.1f} ms, warm {:.1f} ms (with nothing before them "
        "{:.1f}), from a file {:.1f} ms ({:.1f} MB, saved in {:.1f} ms); logits {}\n",
        turn.new_tokens, turn.shared_tokens, turn.cold_ms, turn.warm_ms, turn.alone_ms,
        turn.resumed_ms, static_cast<double>(turn.file_bytes) / 1e6, turn.save_ms,
        turn.equal ? "equal bit for bit" : "DIFFER");
  }

  static void print(const StateFigure& figure) {
    std::cout << fmt::format(
        "checkpoint of {:.1f} MB: taken in {:.2f} ms (the next token {:.2f} more), restored in "
        "{:.2f}; fork {:.2f} ms; computed again: {} tokens after a divergence there, {} after "
        "another conversation\n",
        static_cast<double>(figure.bytes) / 1e6, figure.take_ms, figure.next_ms, figure.restore_ms,
        figure.fork_ms, figure.again_diverged, figure.again_switched);
  }

  static void print(const SpeculationFigure& figure) {
    std::cout << fmt::format(
        "an edited copy of the context: {:.1f} tokens/s, read ahead {:.1f} ({:.2f}x; {} of {} "
        "drafted tokens kept, {} passes)\n",
        figure.plain_tps, figure.drafted_tps, figure.drafted_tps / figure.plain_tps,
        figure.drafts.accepted, figure.drafts.drafted, figure.drafts.passes);
  }

  const BenchOptions& options_;
  BenchSizes sizes_;
  std::vector<int64_t> threads_;
  engine::SessionOptions session_;
  kernels::CpuOptions cpu_;
  std::unique_ptr<engine::Model> model_;
  std::vector<BenchFigure> figures_;
  bool told_synthetic_ = false;
};

}  // namespace

int command_bench(const BenchOptions& options) {
  Bench bench(options);
  const Result<void> result = bench.run();
  if (result) return 0;
  std::cerr << "levin bench: " << result.error().message() << std::endl;
  return 2;
}

}  // namespace levin::agent
