// op_times MODEL [THREADS [TOKENS_PER_PASS [PASSES]]]: where the time of a forward pass goes, op by
// op, as CSV. One token a pass is decoding, more is the check of a draft, 512 a prefill. The
// session is taken back between passes, so that the depth stays the same.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "engine/session.h"
#include "kernels/device.h"

namespace {

using namespace levin;
using namespace levin::kernels;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct OpTime {
  const char* name;
  int64_t calls = 0;
  double seconds = 0;
};
std::vector<OpTime> op_times;
Ops plain_ops;
Ops timed_ops;

// Replaces one entry of the table by a function that calls it and notes the time.
template <auto kMember, typename Function>
struct Timed;
template <auto kMember, typename... Arguments>
struct Timed<kMember, void (*Ops::*)(Arguments...)> {
  static inline size_t index = 0;
  static void call(Arguments... arguments) {
    const Clock::time_point start = Clock::now();
    (plain_ops.*kMember)(arguments...);
    op_times[index].seconds += seconds_since(start);
    op_times[index].calls += 1;
  }
  static void install(const char* name) {
    index = op_times.size();
    op_times.push_back({name});
    timed_ops.*kMember = call;
  }
};
template <auto kMember>
void install(const char* name) {
  Timed<kMember, decltype(kMember)>::install(name);
}

void install_all(const Ops& ops) {
  plain_ops = timed_ops = ops;
  install<&Ops::embed>("embed");
  install<&Ops::rms_norm>("rms_norm");
  install<&Ops::matmul>("matmul");
  install<&Ops::quantize_rows>("quantize_rows");
  install<&Ops::round_rows>("round_rows");
  install<&Ops::tile_matmul>("tile_matmul");
  install<&Ops::silu_multiply>("silu_multiply");
  install<&Ops::gated_norm>("gated_norm");
  install<&Ops::scaled_sum>("scaled_sum");
  install<&Ops::rotary>("rotary");
  install<&Ops::lightning_attention>("lightning_attention");
  install<&Ops::kv_write>("kv_write");
  install<&Ops::attention>("attention");
  install<&Ops::route>("route");
  install<&Ops::combine_rows>("combine_rows");
}

class TimedDevice final : public Device {
 public:
  explicit TimedDevice(std::unique_ptr<Device> of) : of_(std::move(of)) { install_all(of_->ops()); }
  const Ops& ops() const override { return timed_ops; }
  const Parallel& parallel() const override { return of_->parallel(); }
  std::string name() const override { return of_->name(); }
  Result<void*> allocate(size_t bytes, kernels::Fill fill) override {
    return of_->allocate(bytes, fill);
  }
  void release(void* memory) override { of_->release(memory); }
  void copy(void* to, const void* from, size_t bytes) override { of_->copy(to, from, bytes); }
  void copy_to_host(void* host, const void* device, size_t bytes) override {
    of_->copy_to_host(host, device, bytes);
  }

 private:
  std::unique_ptr<Device> of_;
};

// A pass of `count` tokens by `passes` times, each after a few tokens of the same block.
Result<void> measure(engine::Session& session, int64_t vocab, int64_t count, int64_t passes) {
  uint32_t random = 1;
  const auto text = [&](int64_t length) {
    std::vector<engine::TokenId> tokens(static_cast<size_t>(length));
    for (engine::TokenId& token : tokens) {
      random = random * 1664525 + 1013904223;
      token = static_cast<engine::TokenId>((random >> 8) % static_cast<uint32_t>(vocab));
    }
    return tokens;
  };
  TRY(session.append(text(128)));
  TRY(session.logits());
  std::vector<double> seconds;
  for (int64_t pass = 0; pass < passes + 3; ++pass) {
    if (pass == 3) {  // The first ones warm up.
      for (OpTime& op : op_times) op = {op.name};
      seconds.clear();
    }
    const auto before = static_cast<int64_t>(session.token_log().size());
    TRY(session.append(text(count)));
    const Clock::time_point start = Clock::now();
    TRY(session.logits());
    seconds.push_back(seconds_since(start));
    if (count > 1) TRY(session.rewind(before));
  }
  std::sort(seconds.begin(), seconds.end());
  double all = 0;
  for (const double one : seconds) all += one;
  std::printf("pass of %lld tokens,best %.3f ms,median %.3f ms\n", static_cast<long long>(count),
              seconds.front() * 1e3, seconds[seconds.size() / 2] * 1e3);
  std::puts("op,calls a pass,us a pass,share");
  std::sort(op_times.begin(), op_times.end(),
            [](const OpTime& a, const OpTime& b) { return a.seconds > b.seconds; });
  for (const OpTime& op : op_times) {
    if (op.calls == 0) continue;
    std::printf("%s,%.1f,%.1f,%.1f %%\n", op.name,
                static_cast<double>(op.calls) / static_cast<double>(passes),
                op.seconds / static_cast<double>(passes) * 1e6, op.seconds / all * 100);
  }
  return {};
}

Result<void> run(const std::string& folder, int threads, int64_t count, int64_t passes) {
  TRY_ASSIGN(std::unique_ptr<Device> cpu, make_cpu_device({threads, best_cpu_isa()}));
  TimedDevice device(std::move(cpu));
  engine::LoadOptions load;
  load.precision = engine::Precision::kNative;
  load.dequantises = false;
  load.parallel = &device.parallel();
  TRY_ASSIGN(const std::unique_ptr<engine::Model> model, engine::load_model(folder, load));
  engine::SessionOptions options;
  options.kv_dtype = DType::kBF16;
  TRY_ASSIGN(engine::Session session, engine::Session::open(*model, device, options));
  return measure(session, model->config.vocab_size, count, passes);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: op_times MODEL [THREADS [TOKENS_PER_PASS [PASSES]]]\n", stderr);
    return 2;
  }
  const auto number = [&](int index, int64_t otherwise) {
    return argc > index ? std::max<int64_t>(1, std::atoll(argv[index])) : otherwise;
  };
  const Result<void> result =
      run(argv[1], static_cast<int>(number(2, 1)), number(3, 1), number(4, 64));
  if (result) return 0;
  std::fprintf(stderr, "op_times: %s\n", result.error().message().c_str());
  return 1;
}
