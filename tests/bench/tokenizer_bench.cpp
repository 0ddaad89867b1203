// tokenizer_bench FILE [TOKENIZER_JSON]: how fast text is encoded, as CSV. Without a
// tokenizer.json, the reconstructed tokenizer of MiniMax-M1.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>

#include "base/file_io.h"
#include "engine/tokenizer.h"
#include "tests/support/m1_tokenizer.h"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: tokenizer_bench FILE [TOKENIZER_JSON]\n";
    return 2;
  }
  const auto text = levin::read_file(argv[1]);
  const auto json = argc > 2 ? levin::read_file(argv[2])
                             : levin::Result<std::string>(levin::testing::reconstructed_m1_json());
  if (!text || !json) {
    std::cerr << (text ? json.error() : text.error()).message() << '\n';
    return 1;
  }
  const auto load_start = Clock::now();
  const auto tokenizer = levin::engine::Tokenizer::from_json(*json);
  if (!tokenizer) {
    std::cerr << tokenizer.error().message() << '\n';
    return 1;
  }
  std::cout << "load_ms," << 1e3 * seconds_since(load_start) << '\n';

  constexpr int kRuns = 7;
  double best = 1e9;
  size_t tokens = 0;
  for (int run = 0; run < kRuns; ++run) {
    const auto start = Clock::now();
    tokens = tokenizer->encode(*text, levin::engine::SpecialTokens::kAsText).size();
    best = std::min(best, seconds_since(start));
  }
  std::cout << "bytes," << text->size() << "\ntokens," << tokens << "\nencode_mb_per_second,"
            << static_cast<double>(text->size()) / 1e6 / best << '\n';
  return 0;
}
