#include "agent/wiring.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "agent/engine_model.h"
#include "agent/paths.h"
#include "agent/script_model.h"
#include "base/file_io.h"
#include "engine/gguf_model.h"
#include "engine/gguf_tokenizer.h"
#include "sandbox/policy.h"

namespace levin::agent {
namespace {

constexpr std::string_view kScriptPrefix = "script:";

// FNV-1a over the files that give token ids their meaning.
Result<std::string> fingerprint_of(const std::string& folder) {
  if (engine::is_gguf_path(folder)) {
    TRY_ASSIGN(const engine::Gguf file, engine::Gguf::open(folder));
    return engine::gguf_token_fingerprint(file);
  }
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char* file : {"/config.json", "/tokenizer.json"}) {
    TRY_ASSIGN(const std::string text, read_file(folder + file));
    for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  }
  return fmt::format("{:016x}", hash);
}

Result<void> open_script(const ModelOptions& options, const std::string& embedded,
                         OpenedModel* opened) {
  TRY_ASSIGN(engine::Tokenizer tokenizer, engine::Tokenizer::load(embedded + "/tokenizer.json"));
  opened->tokenizer = std::make_unique<engine::Tokenizer>(std::move(tokenizer));
  ScriptOptions script;
  script.chunk_tokens = options.script_chunk_tokens;
  script.pace_ms = options.script_pace_ms;
  script.first_reply = options.script_first_reply;
  const std::string path = options.model.substr(kScriptPrefix.size());
  TRY_ASSIGN(opened->client, ScriptModel::create(path, *opened->tokenizer, script));
  opened->is_script = true;
  opened->name = options.model;
  return {};
}

Result<void> open_folder(const ModelOptions& options, const std::string& folder,
                         OpenedModel* opened) {
  if (!std::filesystem::is_directory(folder) && !engine::is_gguf_path(folder)) {
    return Error(
        ErrorCode::kNotFound,
        fmt::format("--model {}: no such folder (expected a folder with config.json, safetensors "
                    "and tokenizer.json, a GGUF file, or script:FILE)",
                    folder));
  }
  engine::EngineOptions engine_options;
  engine_options.model_folder = folder;
  engine_options.chat_template = options.chat_template;
  TRY_ASSIGN(engine_options.cpu, cpu_options(options.num_threads, options.isa));
  TRY_ASSIGN(const ModelCard card, load_model_card(folder));
  TRY_ASSIGN(
      const ComputeOptions compute,
      compute_options(options.precision.empty() ? card.precision : options.precision, options.kv));
  engine_options.precision = compute.precision;
  engine::SessionOptions session;
  session.kv_dtype = compute.kv_dtype;
  session.speculation =
      options.speculate ? engine::Speculation::kWherePays : engine::Speculation::kOff;
  TRY_ASSIGN(opened->engine, engine::Engine::open(engine_options));
  // Runs with one type of keys and values do not overwrite the prefixes of those with the other.
  opened->state_key = opened->engine->model().fingerprint +
                      (session.kv_dtype == kernels::DType::kBF16 ? "-kv-bf16" : "-kv-f32");
  TRY_ASSIGN(opened->client,
             EngineModel::create(*opened->engine, opened->engine->device().name(), session));
  return {};
}

}  // namespace

Result<kernels::CpuOptions> cpu_options(int num_threads, const std::string& isa) {
  kernels::CpuOptions options;
  options.num_threads = num_threads;
  if (isa.empty()) return options;
  for (const kernels::CpuIsa known : {kernels::CpuIsa::kReference, kernels::CpuIsa::kBaseline,
                                      kernels::CpuIsa::kAvx2, kernels::CpuIsa::kAvx512}) {
    if (isa == kernels::cpu_isa_name(known)) {
      options.isa = known;
      return options;
    }
  }
  return Error(ErrorCode::kInvalidArgument,
               "--isa " + isa + ": expected reference, baseline, avx2 or avx512");
}

Result<ComputeOptions> compute_options(const std::string& precision, const std::string& kv) {
  if (!precision.empty() && precision != "exact" && precision != "native") {
    return Error(ErrorCode::kInvalidArgument,
                 "--precision " + precision + ": expected exact or native");
  }
  if (!kv.empty() && kv != "f32" && kv != "bf16") {
    return Error(ErrorCode::kInvalidArgument, "--kv " + kv + ": expected f32 or bf16");
  }
  ComputeOptions options;
  const bool is_exact = precision == "exact";
  options.precision = is_exact ? engine::Precision::kExact : engine::Precision::kNative;
  const bool is_wide = kv.empty() ? is_exact : kv == "f32";
  options.kv_dtype = is_wide ? kernels::DType::kF32 : kernels::DType::kBF16;
  return options;
}

Result<OpenedModel> open_model(const ModelOptions& options) {
  TRY_ASSIGN(const std::string data, find_data_folder());
  const std::string embedded = data + "/models/" + kEmbeddedModel;
  OpenedModel opened;
  std::string folder = options.model.empty() ? embedded : options.model;
  if (options.model.rfind(kScriptPrefix, 0) == 0) {
    folder = embedded;
    TRY(open_script(options, embedded, &opened));
  } else {
    TRY(open_folder(options, folder, &opened));
    opened.is_embedded = options.model.empty();
    opened.name = opened.is_embedded ? kEmbeddedModel : options.model;
  }
  TRY_ASSIGN(opened.card, load_model_card(folder));
  TRY_ASSIGN(opened.profile, load_profile(data, options.profile.empty() ? opened.card.profile
                                                                        : options.profile));
  TRY_ASSIGN(opened.fingerprint, fingerprint_of(folder));
  return opened;
}

sandbox::Policy command_policy(const std::string& workspace, sandbox::Profile profile,
                               const std::vector<std::string>& protect) {
  sandbox::Policy policy;
  policy.profile = profile;
  policy.workspace = workspace;
  policy.protected_paths = sandbox::default_protected_paths(workspace);
  policy.protected_paths.insert(policy.protected_paths.end(), protect.begin(), protect.end());
  policy.environment = sandbox::default_environment(environ, profile);
  // Without a state folder there is nowhere to move things to: they are reported.
  const Result<std::string> state = state_folder();
  if (state) policy.quarantine_folder = *state + "/quarantine";
  return policy;
}

Result<sandbox::AuditLog> open_audit(const sandbox::Policy& policy, const CommandRules& rules,
                                     const std::string& session,
                                     const std::vector<std::string>& allow_net) {
  TRY_ASSIGN(const std::string state, state_folder());
  sandbox::AuditContext context;
  context.session = session;
  context.workspace = policy.workspace;
  context.profile = sandbox::profile_name(policy.profile);
  context.allow_net = allow_net;
  context.policy_hash = sandbox::policy_hash(policy);
  if (!rules.empty()) context.rules_hash = rules.hash();
  return sandbox::AuditLog::open(state + "/audit.jsonl", std::move(context));
}

Result<CommandRules> load_command_rules(const std::string& workspace) {
  TRY_ASSIGN(const std::string config, config_folder());
  return CommandRules::load(
      {config + "/" + kRulesFile, workspace + "/" + kProjectFolder + "/" + kRulesFile});
}

}  // namespace levin::agent
