// Engine: a loaded checkpoint, its tokenizer and the device it runs on. Sessions are opened from
// it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/model.h"
#include "engine/session.h"
#include "engine/tokenizer.h"
#include "kernels/device.h"

namespace levin::engine {

struct EngineOptions {
  std::string model_folder;   // Or a GGUF file.
  std::string chat_template;  // "": as the GGUF file's own is recognised; else m1, text-01 or vllm.
  kernels::CpuOptions cpu;
  Precision precision = Precision::kExact;
};

// The tokenizer of a model folder, or of a GGUF file whose chat template is known or named.
Result<Tokenizer> open_tokenizer(const std::string& model, const std::string& chat_template);

class Engine {
 public:
  // Opens config.json, the safetensors and tokenizer.json of the folder, or a GGUF file with all of
  // that. Errors: those of load_model(), Tokenizer::load() and load_gguf_tokenizer(); kCorrupt when
  // the tokenizer has ids that the model lacks; kUnsupported for a chat template that is not known.
  static Result<std::unique_ptr<Engine>> open(const EngineOptions& options);

  const Model& model() const { return *model_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  kernels::Device& device() { return *device_; }

  Result<Session> open_session(const SessionOptions& options) {
    return Session::open(*model_, *device_, options);
  }

 private:
  Engine(std::unique_ptr<Model> model, Tokenizer tokenizer, std::unique_ptr<kernels::Device> device)
      : model_(std::move(model)), tokenizer_(std::move(tokenizer)), device_(std::move(device)) {}

  std::unique_ptr<Model> model_;
  Tokenizer tokenizer_;
  std::unique_ptr<kernels::Device> device_;
};

}  // namespace levin::engine
