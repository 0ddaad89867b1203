#include "engine/engine.h"

#include <fmt/format.h>

#include "engine/gguf_model.h"
#include "engine/gguf_tokenizer.h"
#include "engine/template_family.h"

namespace levin::engine {

Result<Tokenizer> open_tokenizer(const std::string& model, const std::string& chat_template) {
  if (!chat_template.empty()) TRY(parse_template_family(chat_template));
  if (!is_gguf_path(model)) return Tokenizer::load(model + "/tokenizer.json");
  TRY_ASSIGN(const Gguf file, Gguf::open(model));
  if (chat_template.empty()) TRY(gguf_template_family(file));
  return load_gguf_tokenizer(file);
}

Result<std::unique_ptr<Engine>> Engine::open(const EngineOptions& options) {
  TRY_ASSIGN(std::unique_ptr<kernels::Device> device, kernels::make_cpu_device(options.cpu));
  LoadOptions load;
  load.precision = options.precision;
  load.parallel = &device->parallel();
  TRY_ASSIGN(std::unique_ptr<Model> model, load_model(options.model_folder, load));
  TRY_ASSIGN(Tokenizer tokenizer, open_tokenizer(options.model_folder, options.chat_template));
  if (tokenizer.vocab_size() > model->config.vocab_size) {
    return Error(
        ErrorCode::kCorrupt,
        fmt::format("the tokenizer of {} has ids up to {}, the model's vocabulary has {}",
                    options.model_folder, tokenizer.vocab_size() - 1, model->config.vocab_size));
  }
  return std::unique_ptr<Engine>(
      new Engine(std::move(model), std::move(tokenizer), std::move(device)));
}

}  // namespace levin::engine
