// levin run "task": one request in one git repository, without questions.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>

#include "agent/agent.h"
#include "agent/commands.h"
#include "agent/git_workspace.h"
#include "agent/human_sink.h"
#include "agent/paths.h"
#include "agent/request.h"
#include "agent/session_checkpoints.h"
#include "agent/terminal_filter.h"
#include "agent/wiring.h"
#include "base/file_io.h"
#include "tools/workspace.h"

namespace levin::agent {
namespace {

using Clock = std::chrono::steady_clock;

// Everything that is open during a run, in the order of opening.
struct RunParts {
  std::string work_tree;
  std::string session_id;
  std::string task;
  OpenedModel model;
  uint64_t seed = 0;
  std::unique_ptr<engine::PromptWriter> writer;
  std::unique_ptr<tools::Workspace> workspace;
  std::unique_ptr<sandbox::Sandbox> sandbox;
  std::unique_ptr<Transcript> transcript;
  std::unique_ptr<SessionCheckpointer> checkpointer;
  std::string session_folder;
};

nlohmann::ordered_json options_record(const RunOptions& options, const GenerateOptions& generate) {
  return {{"temperature", generate.sample.temperature},
          {"top_p", generate.sample.top_p},
          {"top_k", generate.sample.top_k},
          {"min_p", generate.sample.min_p},
          {"seed", generate.sample.seed},
          {"max_tokens", generate.tokens_max},
          {"max_turns", options.turns_max}};
}

GenerateOptions generate_options(const RunOptions& options, const RunParts& parts,
                                 const std::atomic<bool>& interrupted) {
  GenerateOptions generate;
  const ModelCard& card = parts.model.card;
  generate.sample.temperature = options.temperature.value_or(card.temperature);
  generate.sample.top_p = options.top_p.value_or(card.top_p);
  generate.sample.top_k = options.top_k;
  generate.sample.min_p = options.min_p;
  generate.sample.seed = parts.seed;
  generate.tokens_max = options.tokens_max.value_or(card.max_tokens);
  generate.think_tokens_max = options.think_tokens_max.value_or(-1);
  generate.stop_strings = options.stop_strings;
  generate.interrupted = &interrupted;
  return generate;
}

Result<void> open_model_parts(const RunOptions& options, RunParts* parts) {
  TRY_ASSIGN(parts->model, open_model(options.model));
  TRY_ASSIGN(engine::PromptWriter writer,
             engine::PromptWriter::create(parts->model.client->tokenizer()));
  parts->writer = std::make_unique<engine::PromptWriter>(std::move(writer));
  parts->seed = options.seed.value_or(std::random_device{}());
  return {};
}

Result<void> open_workspace_parts(const RunOptions& options, RunParts* parts) {
  TRY_ASSIGN(tools::Workspace workspace, tools::Workspace::open(parts->work_tree));
  parts->workspace = std::make_unique<tools::Workspace>(std::move(workspace));
  TRY_ASSIGN(sandbox::Sandbox sandbox,
             sandbox::Sandbox::open(command_policy(parts->work_tree, options.sandbox)));
  parts->sandbox = std::make_unique<sandbox::Sandbox>(std::move(sandbox));
  parts->session_id = new_session_id();
  TRY_ASSIGN(parts->session_folder, session_folder(parts->session_id));
  return {};
}

Result<RunParts> open_parts(const RunOptions& options) {
  RunParts parts;
  TRY_ASSIGN(parts.task, request_text(options.task, std::cin));
  TRY_ASSIGN(parts.work_tree, find_work_tree(std::filesystem::current_path().string()));
  TRY(open_model_parts(options, &parts));
  TRY(open_workspace_parts(options, &parts));
  return parts;
}

void introduce(const RunParts& parts) {
  const ModelCard& card = parts.model.card;
  if (parts.model.is_script) {
    std::cerr << "levin: replaying " << parts.model.name << " (a script, not a model)\n";
  } else if (parts.model.is_embedded) {
    std::cerr << "levin: using the embedded " << card.name
              << ", a small demonstration model that repairs simple one-line faults in Python; "
                 "--model DIR uses a larger one\n";
  } else {
    std::cerr << "levin: " << parts.model.name << " on " << parts.model.client->description()
              << "\n";
  }
}

// Paths that differ from the index and HEAD otherwise than before, plus those that tools wrote.
int count_changed(const RunParts& parts, const std::map<std::string, std::string>& before,
                  std::set<std::string> changed) {
  const auto after = changed_files(parts.work_tree);
  if (after) {
    for (const auto& [path, hash] : *after) {
      const auto was = before.find(path);
      if (was == before.end() || was->second != hash) changed.insert(path);
    }
    for (const auto& [path, hash] : before) {
      if (after->find(path) == after->end()) changed.insert(path);
    }
  }
  return static_cast<int>(changed.size());
}

Outcome run_agent(const RunOptions& options, RunParts& parts, EventSink& events,
                  const std::atomic<bool>& interrupted, Usage* usage) {
  const Clock::time_point start = Clock::now();
  tools::ToolContext tools{
      *parts.workspace, parts.sandbox.get(), {}, &interrupted, parts.session_folder + "/spill"};
  const tools::Registry registry = tools::make_registry();
  AgentOptions agent_options;
  agent_options.profile = parts.model.profile;
  agent_options.generate = generate_options(options, parts, interrupted);
  agent_options.steps_max = options.turns_max;
  agent_options.checkpointer = parts.checkpointer.get();
  Agent agent(*parts.model.client, *parts.writer, registry, tools, events, *parts.transcript,
              agent_options);
  const auto before = changed_files(parts.work_tree);
  Result<std::string> text = first_user_text(parts.model.profile, parts.work_tree, parts.task);
  Outcome outcome =
      text ? agent.run(*text) : Outcome{ExitCode::kFailed, "error", text.error().message()};
  *usage = agent.usage();
  usage->files_changed = count_changed(
      parts, before ? *before : std::map<std::string, std::string>{}, agent.changed_files());
  usage->wall_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
  return outcome;
}

Result<void> open_transcript(const RunOptions& options, RunParts* parts,
                             const std::atomic<bool>& interrupted) {
  SessionRecord header;
  header.id = parts->session_id;
  header.version = LEVIN_VERSION;
  header.workspace = parts->work_tree;
  header.model = parts->model.name;
  header.fingerprint = parts->model.fingerprint;
  header.options = options_record(options, generate_options(options, *parts, interrupted));
  TRY_ASSIGN(Transcript transcript, Transcript::create(parts->session_folder, header));
  parts->transcript = std::make_unique<Transcript>(std::move(transcript));
  TRY_ASSIGN(CheckpointStore store, CheckpointStore::open(parts->work_tree, parts->session_folder));
  parts->checkpointer = std::make_unique<SessionCheckpointer>(std::move(store));
  TRY(make_directories(parts->session_folder + "/spill"));
  return parts->workspace->allow_reading(parts->session_folder + "/spill");
}

void tell_left_out(const std::vector<std::string>& left_out) {
  if (left_out.empty()) return;
  std::cerr << "levin: " << left_out.size()
            << " paths are in no checkpoint and cannot be restored, the first of them "
            << printable(left_out.front()) << "\n";
}

int usage_error(const Error& error) {
  std::cerr << "levin run: " << error.message() << std::endl;
  return static_cast<int>(ExitCode::kUsage);
}

}  // namespace

int command_run(const RunOptions& options, const std::atomic<bool>& interrupted) {
  Result<RunParts> opened = open_parts(options);
  if (!opened) return usage_error(opened.error());
  RunParts& parts = *opened;
  Result<void> ready = open_transcript(options, &parts, interrupted);
  if (!ready) return usage_error(ready.error());
  introduce(parts);
  std::unique_ptr<EventSink> events;
  if (options.json) {
    events = std::make_unique<JsonSink>(std::cout);
  } else {
    HumanSinkOptions human;
    human.colour = isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
    events = std::make_unique<HumanSink>(std::cout, human);
  }
  events->on_event(ThreadStarted{parts.session_id});
  events->on_event(TurnStarted{});
  Usage usage;
  Outcome outcome = run_agent(options, parts, *events, interrupted, &usage);
  const bool done = outcome.exit_code == ExitCode::kDone;
  Result<void> ended = parts.transcript->append(
      EndRecord{done, outcome.reason, static_cast<int>(outcome.exit_code)});
  if (!ended && done) outcome = {ExitCode::kFailed, "io", ended.error().message()};
  if (outcome.exit_code == ExitCode::kDone) {
    events->on_event(RunCompleted{usage});
  } else {
    events->on_event(RunFailed{outcome.reason, outcome.message, usage});
  }
  tell_left_out(parts.checkpointer->left_out());
  std::cerr << "levin: transcript " << parts.transcript->path() << std::endl;
  return static_cast<int>(outcome.exit_code);
}

}  // namespace levin::agent
