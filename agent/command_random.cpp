// levin model random: a checkpoint with random weights.
#include <fmt/format.h>

#include <iostream>

#include "agent/commands.h"
#include "base/file_io.h"
#include "engine/random_model.h"

namespace levin::agent {
namespace {

Result<uint64_t> write(const RandomOptions& options) {
  engine::RandomModelOptions random;
  random.config_text = engine::random_model_shape(options.like);
  random.config_name = options.like;
  if (random.config_text.empty()) {
    Result<std::string> text = read_file(options.like, 16 << 20);
    if (!text) {
      return std::move(text).error().context(fmt::format(
          "--like {}: expected m1-5b, tiny, long, or the path of a config.json", options.like));
    }
    random.config_text = *std::move(text);
  }
  TRY_ASSIGN(random.type, engine::random_model_type(options.type));
  random.folder = options.out;
  random.seed = options.seed;
  return engine::write_random_model(random);
}

}  // namespace

int command_model_random(const RandomOptions& options) {
  const Result<uint64_t> written = write(options);
  if (!written) {
    std::cerr << "levin model random: " << written.error().message() << std::endl;
    return 2;
  }
  std::cout << fmt::format("wrote {}: {:.2f} GB of {} weights\n", options.out,
                           static_cast<double>(*written) / 1e9, options.type);
  return 0;
}

}  // namespace levin::agent
