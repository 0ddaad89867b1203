#include "engine/engine.h"

#include <fmt/format.h>

namespace levin::engine {

Result<std::unique_ptr<Engine>> Engine::open(const EngineOptions& options) {
  TRY_ASSIGN(std::unique_ptr<kernels::Device> device, kernels::make_cpu_device(options.cpu));
  LoadOptions load;
  load.precision = options.precision;
  load.parallel = &device->parallel();
  TRY_ASSIGN(std::unique_ptr<Model> model, load_model(options.model_folder, load));
  const std::string tokenizer_path = options.model_folder + "/tokenizer.json";
  TRY_ASSIGN(Tokenizer tokenizer, Tokenizer::load(tokenizer_path));
  if (tokenizer.vocab_size() > model->config.vocab_size) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("{} has ids up to {}, the model's vocabulary has {}", tokenizer_path,
                             tokenizer.vocab_size() - 1, model->config.vocab_size));
  }
  return std::unique_ptr<Engine>(
      new Engine(std::move(model), std::move(tokenizer), std::move(device)));
}

}  // namespace levin::engine
