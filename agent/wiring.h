// Turns options into opened parts: shared by the commands.
#pragma once

#include <memory>
#include <string>

#include "agent/command_rules.h"
#include "agent/model_card.h"
#include "agent/model_client.h"
#include "agent/options.h"
#include "agent/profile.h"
#include "base/result.h"
#include "engine/engine.h"
#include "kernels/device.h"
#include "sandbox/audit.h"
#include "sandbox/policy.h"

namespace levin::agent {

// Errors: kInvalidArgument for an unknown instruction set, naming those known.
Result<kernels::CpuOptions> cpu_options(int num_threads, const std::string& isa);

// How a model is computed: what the user asked for, else what its card says, else native.
struct ComputeOptions {
  engine::Precision precision = engine::Precision::kExact;
  kernels::DType kv_dtype = kernels::DType::kF32;
};
// Errors: kInvalidArgument naming the option, what was expected and what was found.
Result<ComputeOptions> compute_options(const std::string& precision, const std::string& kv);

constexpr const char* kEmbeddedModel = "levin-tiny";

// A model ready to talk, with what it needs to live.
struct OpenedModel {
  std::unique_ptr<engine::Engine> engine;        // Null for a script.
  std::unique_ptr<engine::Tokenizer> tokenizer;  // Of a script: the embedded model's.
  std::unique_ptr<ModelClient> client;
  ModelCard card;
  Profile profile;
  bool is_embedded = false;
  bool is_script = false;
  std::string name;         // As the user named it, or the embedded model's name.
  std::string state_key;    // Of the weights: whose stored states may be used. Empty for a script.
  std::string fingerprint;  // Of the tokenizer and config: whose ids the transcript holds.
};

// Opens the embedded model, a folder, or a script. Errors: those of the parts, naming the model.
Result<OpenedModel> open_model(const ModelOptions& options);

// The policy of commands in `workspace`, with this process's environment cleaned. `protect`: further
// protected paths (Config::protect).
sandbox::Policy command_policy(const std::string& workspace, sandbox::Profile profile,
                               const std::vector<std::string>& protect);

// The audit log of this user, for one session. Errors: AuditLog::open(), state_folder().
Result<sandbox::AuditLog> open_audit(const sandbox::Policy& policy, const CommandRules& rules,
                                     const std::string& session,
                                     const std::vector<std::string>& allow_net = {});

// The user's rules about commands, then those of the workspace. Errors: CommandRules::load().
Result<CommandRules> load_command_rules(const std::string& workspace);

}  // namespace levin::agent
