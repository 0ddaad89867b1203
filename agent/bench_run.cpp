#include "agent/bench_run.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace levin::agent {
namespace {

using engine::Session;
using engine::TokenId;
using Clock = std::chrono::steady_clock;

constexpr int kRepeats = 3;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

uint64_t status_bytes(const char* key) {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    if (word != key) continue;
    uint64_t kilobytes = 0;
    status >> kilobytes;
    return kilobytes * 1024;
  }
  return 0;
}

// Decodes in `session`, one token after the other; seconds of each.
Result<std::vector<double>> decode(Session& session, int64_t count, int64_t vocab) {
  std::vector<double> seconds;
  for (int64_t i = 0; i < count; ++i) {
    TRY(extend_by_bench_text(session, 1, vocab));
    const auto start = Clock::now();
    TRY(session.logits());
    seconds.push_back(seconds_since(start));
  }
  return seconds;
}

// The best mean over a run of a quarter of the tokens: one token alone may be luck.
double best_mean(const std::vector<double>& seconds) {
  const size_t window = std::max<size_t>(1, seconds.size() / 4);
  double best = 1e300;
  for (size_t first = 0; first + window <= seconds.size(); first += window) {
    double sum = 0;
    for (size_t i = first; i < first + window; ++i) sum += seconds[i];
    best = std::min(best, sum / static_cast<double>(window));
  }
  return best;
}

Result<BenchFigure> measure_at(const Session& session, const engine::Model& model,
                               const BenchSizes& sizes) {
  const int64_t vocab = model.config.vocab_size;
  BenchFigure figure;
  figure.depth = static_cast<int64_t>(session.token_log().size());
  std::vector<double> prefill_seconds;
  std::vector<double> decode_seconds;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    TRY_ASSIGN(Session fork, session.fork());
    TRY(extend_by_bench_text(fork, sizes.prefill_tokens, vocab));
    const auto start = Clock::now();
    TRY(fork.logits());
    prefill_seconds.push_back(seconds_since(start));
    TRY_ASSIGN(const std::vector<double> seconds, decode(fork, sizes.decode_tokens, vocab));
    decode_seconds.insert(decode_seconds.end(), seconds.begin(), seconds.end());
    figure.kv_bytes = fork.state().kv_bytes();
    figure.state_bytes = fork.state().linear_bytes();
  }
  const auto tokens = static_cast<double>(sizes.prefill_tokens);
  const double best = *std::min_element(prefill_seconds.begin(), prefill_seconds.end());
  figure.prefill_tps = tokens / best;
  figure.prefill_median_tps = tokens / median(prefill_seconds);
  figure.decode_tps = 1 / best_mean(decode_seconds);
  figure.decode_median_tps = 1 / median(decode_seconds);
  figure.ttft_ms = median(prefill_seconds) * 1e3;
  figure.rss_bytes = resident_bytes();
  return figure;
}

bool same_bits(std::span<const float> a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

}  // namespace

uint64_t resident_bytes() {
  return status_bytes("VmRSS:");
}
uint64_t peak_resident_bytes() {
  return status_bytes("VmHWM:");
}

Result<std::vector<BenchFigure>> measure_depths(
    const engine::Model& model, kernels::Device& device, const engine::SessionOptions& options,
    const BenchSizes& sizes, const std::function<void(const BenchFigure&)>& on_figure) {
  TRY_ASSIGN(Session session, Session::open(model, device, options));
  std::vector<BenchFigure> figures;
  for (const int64_t depth : sizes.depths) {
    TRY(grow_to(session, model, device, options, depth, sizes.how));
    TRY_ASSIGN(BenchFigure figure, measure_at(session, model, sizes));
    figure.threads = device.parallel().num_workers;
    figure.is_synthetic = sizes.how.is_synthetic && depth > 0;
    on_figure(figure);
    figures.push_back(figure);
    if (figure.depth < depth) break;  // The time was up.
  }
  return figures;
}

Result<TurnFigure> measure_turn(const engine::Model& model, kernels::Device& device,
                                const engine::SessionOptions& options, int64_t shared_tokens,
                                int64_t new_tokens, const std::string& folder) {
  const int64_t vocab = model.config.vocab_size;
  TurnFigure figure;
  figure.shared_tokens = shared_tokens;
  figure.new_tokens = new_tokens;
  const std::string path = folder + "/turn.state";
  const auto timed_turn = [&](Session& session, Clock::time_point start,
                              int64_t count) -> Result<double> {
    TRY(extend_by_bench_text(session, count, vocab));
    TRY(session.logits());
    return seconds_since(start) * 1e3;
  };
  {
    TRY_ASSIGN(Session alone, Session::open(model, device, options));
    TRY_ASSIGN(figure.alone_ms, timed_turn(alone, Clock::now(), new_tokens));
  }
  TRY_ASSIGN(Session cold, Session::open(model, device, options));
  TRY_ASSIGN(figure.cold_ms, timed_turn(cold, Clock::now(), shared_tokens + new_tokens));
  TRY_ASSIGN(const std::span<const float> cold_logits, cold.logits());
  const std::vector<float> expected(cold_logits.begin(), cold_logits.end());

  TRY_ASSIGN(Session warm, Session::open(model, device, options));
  TRY(extend_by_bench_text(warm, shared_tokens, vocab));
  TRY(warm.logits());
  auto start = Clock::now();
  TRY(warm.save(path));
  figure.save_ms = seconds_since(start) * 1e3;
  figure.file_bytes = std::filesystem::file_size(path);
  TRY_ASSIGN(figure.warm_ms, timed_turn(warm, Clock::now(), new_tokens));
  TRY_ASSIGN(const std::span<const float> warm_logits, warm.logits());

  start = Clock::now();
  TRY_ASSIGN(Session resumed, Session::open(model, device, options));
  TRY(resumed.load(path));
  TRY_ASSIGN(figure.resumed_ms, timed_turn(resumed, start, new_tokens));
  TRY_ASSIGN(const std::span<const float> resumed_logits, resumed.logits());
  figure.equal = same_bits(warm_logits, expected) && same_bits(resumed_logits, expected);
  std::filesystem::remove(path);
  return figure;
}

namespace {

// Milliseconds that f takes.
template <typename F>
Result<double> timed(const F& f) {
  const auto start = Clock::now();
  TRY(f());
  return seconds_since(start) * 1e3;
}

// A checkpoint at each of several places: what taking one costs, and the token after it.
Result<void> take_checkpoints(Session& session, int64_t vocab, StateFigure* figure) {
  constexpr int kCheckpoints = 9;
  std::vector<double> take, next, plain;
  const auto one_token = [&]() -> Result<void> {
    TRY(extend_by_bench_text(session, 1, vocab));
    TRY(session.logits());
    return {};
  };
  for (int i = 0; i < kCheckpoints; ++i) {
    TRY_ASSIGN(const double take_ms, timed([&] { return session.keep_anchor(false); }));
    TRY_ASSIGN(const double next_ms, timed(one_token));
    TRY_ASSIGN(const double plain_ms, timed(one_token));
    take.push_back(take_ms);
    next.push_back(next_ms);
    plain.push_back(plain_ms);
  }
  figure->take_ms = median(take);
  figure->next_ms = std::max(0.0, median(next) - median(plain));
  return {};
}

}  // namespace

Result<StateFigure> measure_state(const engine::Model& model, kernels::Device& device,
                                  const engine::SessionOptions& options, int64_t shared_tokens) {
  constexpr int kRounds = 5;
  constexpr int64_t kBeyond = 300;
  const int64_t vocab = model.config.vocab_size;
  StateFigure figure;
  TRY_ASSIGN(Session session, Session::open(model, device, options));
  TRY(extend_by_bench_text(session, shared_tokens, vocab));
  TRY(session.logits());
  TRY(take_checkpoints(session, vocab, &figure));
  figure.bytes = session.state().linear_bytes();
  TRY(session.keep_anchor(false));
  const auto place = static_cast<int64_t>(session.token_log().size());
  std::vector<double> restore, fork;
  for (int round = 0; round < kRounds; ++round) {
    TRY(extend_by_bench_text(session, kBeyond, vocab));
    TRY(session.logits());
    TRY_ASSIGN(const double fork_ms, timed([&]() -> Result<void> {
                 TRY(session.fork());
                 return {};
               }));
    fork.push_back(fork_ms);
    TRY_ASSIGN(const double restore_ms, timed([&] { return session.rewind(place); }));
    restore.push_back(restore_ms);
  }
  figure.restore_ms = median(restore);
  figure.fork_ms = median(fork);

  TRY(extend_by_bench_text(session, kBeyond, vocab));
  TRY(session.logits());
  std::vector<TokenId> talk = session.token_log();
  talk.resize(static_cast<size_t>(place));
  for (int64_t i = 0; i < kBeyond; ++i) talk.push_back(bench_token(2'000'000 + i, vocab));
  TRY_ASSIGN(const int64_t kept, session.sync(talk));
  figure.again_diverged = place - kept;
  TRY(session.logits());
  std::vector<TokenId> other;
  for (int64_t i = 0; i < kBeyond; ++i) other.push_back(bench_token(3'000'000 + i, vocab));
  TRY(session.sync(other));
  TRY(session.logits());
  TRY_ASSIGN(const int64_t back, session.sync(talk));
  figure.again_switched = static_cast<int64_t>(talk.size()) - back;
  return figure;
}

namespace {

// The reply is the file with every kEditEvery-th token changed.
std::vector<TokenId> edited(const std::vector<TokenId>& file, int64_t vocab) {
  constexpr size_t kEditEvery = 32;
  std::vector<TokenId> reply = file;
  for (size_t i = kEditEvery / 2; i < reply.size(); i += kEditEvery) {
    reply[i] = bench_token(static_cast<int64_t>(1'000'000 + i), vocab);
  }
  return reply;
}

// Reads `reply` after what is in the session, as sample() would if it drew these tokens. Seconds.
Result<double> replay(Session& session, const std::vector<TokenId>& reply, engine::Speculation mode,
                      engine::DraftStats* stats) {
  engine::Drafter drafter;
  std::vector<float> rows;
  const auto start = Clock::now();
  TRY(session.append(std::span(reply).first(1)));
  for (size_t done = 1; done < reply.size();) {
    const auto total = static_cast<int64_t>(session.token_log().size());
    const int64_t place = (total - 1) % kernels::kLightningBlock;
    const int64_t limit =
        std::min(kernels::kLightningBlock - 2 - place, static_cast<int64_t>(reply.size() - done));
    const auto draft = drafter.propose(session.token_log(), std::max<int64_t>(limit, 0), mode);
    const std::vector<TokenId> guesses(draft.begin(), draft.end());
    const auto pass = Clock::now();
    rows.clear();
    TRY(session.append(guesses));
    TRY(session.all_logits(&rows));
    drafter.measured(static_cast<int64_t>(guesses.size()) + 1, seconds_since(pass));
    size_t right = 0;
    while (right < guesses.size() && guesses[right] == reply[done + right]) ++right;
    for (size_t i = 0; i <= right && done + i < reply.size(); ++i) drafter.observe(reply[done + i]);
    TRY(session.rewind(total + static_cast<int64_t>(right)));
    if (!guesses.empty()) stats->passes += 1;
    stats->drafted += static_cast<int64_t>(guesses.size());
    stats->accepted += static_cast<int64_t>(right);
    done += right;
    if (done == reply.size()) break;
    TRY(session.append(std::span(reply).subspan(done++, 1)));
  }
  return seconds_since(start);
}

}  // namespace

Result<SpeculationFigure> measure_speculation(const engine::Model& model, kernels::Device& device,
                                              const engine::SessionOptions& options,
                                              int64_t file_tokens) {
  const int64_t vocab = model.config.vocab_size;
  SpeculationFigure figure;
  TRY_ASSIGN(Session session, Session::open(model, device, options));
  TRY(extend_by_bench_text(session, file_tokens, vocab));
  TRY(session.logits());
  const std::vector<TokenId> reply = edited(session.token_log(), vocab);
  const auto tokens = static_cast<double>(reply.size() - 1);
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    engine::DraftStats ignored;
    TRY_ASSIGN(Session plain, session.fork());
    TRY_ASSIGN(const double plain_seconds,
               replay(plain, reply, engine::Speculation::kOff, &ignored));
    figure.plain_tps = std::max(figure.plain_tps, tokens / plain_seconds);
    engine::DraftStats stats;
    TRY_ASSIGN(Session ahead, session.fork());
    TRY_ASSIGN(const double seconds, replay(ahead, reply, engine::Speculation::kWherePays, &stats));
    if (tokens / seconds > figure.drafted_tps) {
      figure.drafted_tps = tokens / seconds;
      figure.drafts = stats;
    }
  }
  return figure;
}

}  // namespace levin::agent
