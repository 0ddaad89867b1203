#include "agent/debug_logits.h"

#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/commands.h"
#include "agent/wiring.h"
#include "base/file_io.h"
#include "engine/session.h"

namespace levin::agent {
namespace {

using engine::AttentionKind;
using engine::TokenId;
using nlohmann::json;

Result<std::vector<TokenId>> read_ids(const json& run, const std::string& name, const char* key) {
  std::vector<TokenId> ids;
  if (!run.contains(key)) return ids;
  const auto fail = [&] {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("run '{}': '{}' is {}, expected a list of token ids", name, key,
                             run[key].dump().substr(0, 60)));
  };
  if (!run[key].is_array()) return fail();
  for (const json& id : run[key]) {
    if (!id.is_number_integer() || id.get<double>() < 0 || id.get<double>() > INT32_MAX)
      return fail();
    ids.push_back(id.get<TokenId>());
  }
  return ids;
}

void add_states(const engine::Model& model, const engine::Session& session,
                const std::string& prefix, engine::SafeTensorsWriter* writer) {
  const engine::ModelConfig& config = model.config;
  for (size_t layer = 0; layer < config.attention_kinds.size(); ++layer) {
    if (config.attention_kinds[layer] != AttentionKind::kLightning) continue;
    writer->add(fmt::format("{}.layer{}", prefix, layer),
                session.state().linear_state(model, layer),
                {config.num_heads, config.head_dim, config.head_dim});
  }
}

Result<void> compute_run(const engine::Model& model, kernels::Device& device, const json& run,
                         engine::SessionOptions options, engine::SafeTensorsWriter* writer) {
  if (!run.is_object() || !run.contains("name") || !run["name"].is_string()) {
    return Error(ErrorCode::kInvalidArgument, "a run without a name: " + run.dump().substr(0, 60));
  }
  const std::string name = run["name"];
  TRY_ASSIGN(const std::vector<TokenId> prefill, read_ids(run, name, "prefill"));
  TRY_ASSIGN(const std::vector<TokenId> decode, read_ids(run, name, "decode"));
  // Whatever the model was trained for, the input decides how long it is.
  options.context_tokens_max = static_cast<int64_t>(prefill.size() + decode.size()) + 1;
  TRY_ASSIGN(engine::Session session, engine::Session::open(model, device, options));
  const int64_t vocab = model.config.vocab_size;
  std::vector<float> logits;
  TRY(session.append(prefill));
  TRY(session.all_logits(&logits));
  writer->add(name + ".prefill_logits", logits, {static_cast<int64_t>(prefill.size()), vocab});
  add_states(model, session, name + ".state_prefill", writer);
  logits.clear();
  for (const TokenId id : decode) {
    TRY(session.append(std::span<const TokenId>(&id, 1)));
    TRY(session.all_logits(&logits));
  }
  writer->add(name + ".decode_logits", logits, {static_cast<int64_t>(decode.size()), vocab});
  add_states(model, session, name + ".state_decode", writer);
  return {};
}

Result<void> run_command(const LogitsOptions& options) {
  TRY_ASSIGN(const kernels::CpuOptions cpu, cpu_options(options.num_threads, options.isa));
  TRY_ASSIGN(std::unique_ptr<kernels::Device> device, kernels::make_cpu_device(cpu));
  TRY_ASSIGN(const ComputeOptions compute, compute_options(options.precision, options.kv));
  engine::LoadOptions load;
  load.precision = compute.precision;
  load.parallel = &device->parallel();
  TRY_ASSIGN(std::unique_ptr<engine::Model> model, engine::load_model(options.model, load));
  TRY_ASSIGN(const std::string input, read_file(options.input));
  engine::SessionOptions session;
  session.prefill_chunk_tokens = options.chunk_tokens;
  session.kv_dtype = compute.kv_dtype;
  engine::SafeTensorsWriter writer;
  Result<void> computed = compute_logits(*model, *device, input, session, &writer);
  if (!computed) return std::move(computed).error().context(options.input);
  return writer.write(options.output);
}

}  // namespace

Result<void> compute_logits(const engine::Model& model, kernels::Device& device,
                            const std::string& input_text, const engine::SessionOptions& options,
                            engine::SafeTensorsWriter* writer) {
  const json input = json::parse(input_text, nullptr, /*allow_exceptions=*/false);
  if (!input.is_object() || !input.contains("runs") || !input["runs"].is_array()) {
    return Error(ErrorCode::kInvalidArgument, "expected a JSON object with a list \"runs\"");
  }
  for (const json& run : input["runs"]) TRY(compute_run(model, device, run, options, writer));
  return {};
}

int command_debug_logits(const LogitsOptions& options) {
  const Result<void> result = run_command(options);
  if (result) return 0;
  std::cerr << "levin debug logits: " << result.error().message() << std::endl;
  return 2;
}

}  // namespace levin::agent
