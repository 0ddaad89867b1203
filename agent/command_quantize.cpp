// levin model quantize SRC DST: a smaller copy of a checkpoint, and what it cost in quality.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>

#include "agent/commands.h"
#include "agent/wiring.h"
#include "base/file_io.h"
#include "engine/engine.h"
#include "engine/quantise_model.h"

namespace levin::agent {
namespace {

using engine::TokenId;

constexpr int64_t kChunkTokens = 64;  // Rows of logits of both models in memory.
constexpr size_t kTokensMax = 2048;   // Of the text that is compared.

// The text that quality is measured on unless --text names another: a request, prose, code, an
// error.
constexpr std::string_view kText = R"(user name=user
The test in tests/test_shop.py fails. Find the fault, repair it and run the tests again.
The total of an order is the sum of its lines, where a line costs its price times its quantity. An
order of more than ten items gets a discount of five percent, which is taken off before tax is added.

class Order:
    def __init__(self, lines, discount=0.05):
        self.lines = lines
        self.discount = discount

    def total(self, tax=0.19):
        items = sum(line.quantity for line in self.lines)
        amount = sum(line.price * line.quantity for line in self.lines)
        if items > 10:
            amount = amount * (1 - self.discount)
        return round(amount * (1 + tax), 2)

Traceback (most recent call last):
  File "tests/test_shop.py", line 14, in test_discount
    self.assertEqual(order.total(), 113.05)
AssertionError: 119.0 != 113.05

Reading the file shows that the comparison is right, so the fault must lie where the lines are read.
Changing one line is enough: quantities arrive as text and have to be turned into whole numbers first.
)";

struct Quality {
  double divergence = 0;  // Kullback-Leibler of the source against the copy, nats per token.
  double agreement = 0;   // Share of tokens whose best next token is the same.
  size_t tokens = 0;
};

std::vector<double> log_softmax(const float* logits, int64_t size) {
  const double top = *std::max_element(logits, logits + size);
  double sum = 0;
  for (int64_t i = 0; i < size; ++i) sum += std::exp(double{logits[i]} - top);
  std::vector<double> result(static_cast<size_t>(size));
  for (int64_t i = 0; i < size; ++i) {
    result[static_cast<size_t>(i)] = double{logits[i]} - top - std::log(sum);
  }
  return result;
}

void compare_row(const float* source, const float* copy, int64_t size, Quality* quality) {
  const std::vector<double> p = log_softmax(source, size);
  const std::vector<double> q = log_softmax(copy, size);
  for (size_t i = 0; i < p.size(); ++i) quality->divergence += std::exp(p[i]) * (p[i] - q[i]);
  const auto best = [size](const float* row) { return std::max_element(row, row + size) - row; };
  quality->agreement += best(source) == best(copy) ? 1 : 0;
  ++quality->tokens;
}

Result<std::unique_ptr<engine::Engine>> open_engine(const std::string& folder,
                                                    engine::Precision precision,
                                                    const std::string& chat_template,
                                                    const kernels::CpuOptions& cpu) {
  engine::EngineOptions options;
  options.chat_template = chat_template;
  options.model_folder = folder;
  options.cpu = cpu;
  options.precision = precision;
  return engine::Engine::open(options);
}

// Both models read the text side by side, a chunk at a time.
Result<Quality> measure(const QuantizeOptions& options, const std::string& text,
                        const kernels::CpuOptions& cpu) {
  TRY_ASSIGN(const auto source,
             open_engine(options.source, engine::Precision::kExact, options.chat_template, cpu));
  TRY_ASSIGN(const auto copy,
             open_engine(options.destination, engine::Precision::kNative, "", cpu));
  std::vector<TokenId> ids = source->tokenizer().encode(text, engine::SpecialTokens::kAsText);
  ids.resize(std::min(ids.size(), kTokensMax));
  if (ids.empty()) return Error(ErrorCode::kInvalidArgument, "the text holds no tokens");
  engine::SessionOptions session;
  session.context_tokens_max = static_cast<int64_t>(ids.size()) + 1;
  TRY_ASSIGN(engine::Session left, source->open_session(session));
  TRY_ASSIGN(engine::Session right, copy->open_session(session));
  const int64_t vocab = source->model().config.vocab_size;
  Quality quality;
  const std::span<const TokenId> all(ids);
  for (size_t at = 0; at < ids.size(); at += kChunkTokens) {
    const auto chunk = all.subspan(at, std::min<size_t>(kChunkTokens, ids.size() - at));
    std::vector<float> rows[2];
    TRY(left.append(chunk));
    TRY(left.all_logits(&rows[0]));
    TRY(right.append(chunk));
    TRY(right.all_logits(&rows[1]));
    for (size_t i = 0; i < chunk.size(); ++i) {
      const size_t row = i * static_cast<size_t>(vocab);
      compare_row(rows[0].data() + row, rows[1].data() + row, vocab, &quality);
    }
  }
  quality.divergence /= static_cast<double>(quality.tokens);
  quality.agreement /= static_cast<double>(quality.tokens);
  return quality;
}

Result<void> quantize(const QuantizeOptions& options) {
  TRY_ASSIGN(const kernels::CpuOptions cpu, cpu_options(options.num_threads, ""));
  std::string text(kText);
  if (!options.text.empty()) {
    TRY_ASSIGN(text, read_file(options.text, 16 << 20));
  }
  // Before hours of work: a tokenizer or chat template that is not known.
  TRY(engine::open_tokenizer(options.source, options.chat_template));
  engine::QuantiseReport report;
  {
    TRY_ASSIGN(const std::unique_ptr<kernels::Device> device, kernels::make_cpu_device(cpu));
    engine::QuantiseOptions engine_options;
    engine_options.source = options.source;
    engine_options.destination = options.destination;
    engine_options.keep_lm_head = options.keep_lm_head;
    engine_options.parallel = &device->parallel();
    engine_options.type = options.type == "q8"   ? engine::QuantType::kQ8
                          : options.type == "q4" ? engine::QuantType::kQ4
                                                 : engine::QuantType::kExpertsInt8;
    TRY_ASSIGN(report, engine::quantise_model(engine_options));
  }
  std::cout << fmt::format("{}: {} tensors as {}, {} kept; {:.1f} MB -> {:.1f} MB\n",
                           options.destination, report.num_quantised, options.type, report.num_kept,
                           static_cast<double>(report.bytes_before) / 1e6,
                           static_cast<double>(report.bytes_after) / 1e6);
  if (!report.no_tiles.empty()) {
    std::cout << fmt::format(
        "{} of those kept because their columns are no multiple of 32, '{}' first\n",
        report.no_tiles.size(), report.no_tiles.front());
  }
  const Result<Quality> quality = measure(options, text, cpu);
  if (!quality && quality.error().code() == ErrorCode::kLimit) {
    // The copy is there and right; only memory for the comparison is not.
    std::cout << "not compared with the source: " << quality.error().message() << "\n";
    return {};
  }
  if (!quality) return quality.error();
  std::cout << fmt::format(
      "against the source over {} tokens: KL divergence {:.5f} nats per token, same best token "
      "{:.1f} %\n",
      quality->tokens, quality->divergence, 100 * quality->agreement);
  return {};
}

}  // namespace

int command_model_quantize(const QuantizeOptions& options) {
  const Result<void> done = quantize(options);
  if (done) return 0;
  std::cerr << "levin model quantize: " << done.error().message() << std::endl;
  return 2;
}

}  // namespace levin::agent
