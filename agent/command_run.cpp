// levin run, run --continue and resume: one request in one git repository, without questions.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "agent/agent.h"
#include "agent/attempts.h"
#include "agent/commands.h"
#include "agent/config.h"
#include "agent/git_workspace.h"
#include "agent/human_sink.h"
#include "agent/index_wiring.h"
#include "agent/network.h"
#include "agent/paths.h"
#include "agent/request.h"
#include "agent/session_checkpoints.h"
#include "agent/session_start.h"
#include "agent/terminal_filter.h"
#include "agent/wiring.h"
#include "base/file_io.h"
#include "tools/job_table.h"
#include "tools/workspace.h"

namespace levin::agent {
namespace {

using Clock = std::chrono::steady_clock;

// Everything that is open during a run, in the order of opening.
struct RunParts {
  std::string work_tree;
  Config config;
  std::string task;                          // Empty: go on with what was left.
  std::optional<Continuation> continuation;  // Absent for a new session.
  OpenedModel model;
  uint64_t seed = 0;
  std::unique_ptr<engine::PromptWriter> writer;
  std::unique_ptr<tools::Workspace> workspace;
  std::unique_ptr<sandbox::Sandbox> sandbox;
  CommandRules rules;
  std::unique_ptr<sandbox::AuditLog> audit;
  std::vector<sandbox::NetRule> network;
  std::optional<sandbox::Proxy> proxy;  // After what it borrows.
  std::string session_id;
  std::unique_ptr<SessionCheckpointer> checkpointer;
  std::string session_folder;
  std::unique_ptr<Transcript> transcript;
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

// Which session a continued run is about: the one named, else the newest of this folder.
Result<std::string> session_to_continue(const RunOptions& options, const std::string& work_tree) {
  if (!options.session_id.empty()) return options.session_id;
  TRY_ASSIGN(const std::vector<std::string> ids, find_sessions(work_tree));
  if (!ids.empty()) return ids.front();
  return Error(ErrorCode::kNotFound, "there is no session of " + work_tree + " to continue");
}

Result<void> open_continuation(const RunOptions& options, RunParts* parts,
                               ModelOptions* model_options) {
  TRY_ASSIGN(parts->session_id, session_to_continue(options, parts->work_tree));
  TRY_ASSIGN(parts->session_folder, session_folder(parts->session_id));
  const std::string path = parts->session_folder + "/" + std::string(Transcript::kFileName);
  TRY_ASSIGN(const SessionRecord session, read_session_record(path));
  if (session.workspace != parts->work_tree) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("session {} belongs to {}, this folder is in {}", parts->session_id,
                             session.workspace, parts->work_tree));
  }
  if (model_options->model.empty() && session.model != kEmbeddedModel) {
    model_options->model = session.model;
  }
  return {};
}

Result<void> read_session_log(RunParts* parts, ModelOptions* model_options) {
  const std::string path = parts->session_folder + "/" + std::string(Transcript::kFileName);
  TRY_ASSIGN(const TranscriptContent content, read_transcript(path));
  TRY_ASSIGN(parts->continuation, read_continuation(content, parts->writer->assistant_start()));
  model_options->script_first_reply = parts->continuation->replies_sampled;
  if (parts->continuation->session.fingerprint != parts->model.fingerprint) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("session {} was made with {} (tokens of {}), not with {} ({})",
                             parts->session_id, parts->continuation->session.model,
                             parts->continuation->session.fingerprint, parts->model.name,
                             parts->model.fingerprint));
  }
  return {};
}

Result<void> open_model_parts(const RunOptions& options, RunParts* parts) {
  ModelOptions model_options = options.model;
  if (options.is_continued) TRY(open_continuation(options, parts, &model_options));
  TRY_ASSIGN(parts->model, open_model(model_options));
  TRY_ASSIGN(engine::PromptWriter writer,
             engine::PromptWriter::create(parts->model.client->tokenizer()));
  parts->writer = std::make_unique<engine::PromptWriter>(std::move(writer));
  parts->seed = options.seed.value_or(std::random_device{}());
  if (!options.is_continued) {
    parts->session_id = new_session_id();
    TRY_ASSIGN(parts->session_folder, session_folder(parts->session_id));
    return {};
  }
  TRY(read_session_log(parts, &model_options));
  // Only now is it known where a script goes on.
  if (parts->model.is_script) {
    TRY_ASSIGN(parts->model, open_model(model_options));
  }
  TRY_ASSIGN(engine::PromptWriter again,
             engine::PromptWriter::create(parts->model.client->tokenizer()));
  *parts->writer = std::move(again);
  return {};
}

Result<RunParts> open_parts(const RunOptions& options) {
  RunParts parts;
  if (!options.is_continued || !options.task.empty()) {
    TRY_ASSIGN(parts.task, request_text(options.task, std::cin));
  }
  TRY_ASSIGN(parts.work_tree, find_work_tree(std::filesystem::current_path().string()));
  // Before the model: the warden starts while levin is small.
  TRY_ASSIGN(parts.network, net_rules(options.allow_net));
  TRY_ASSIGN(parts.config, load_config(parts.work_tree));
  sandbox::Policy policy = command_policy(parts.work_tree, options.sandbox, parts.config.protect);
  TRY(prepare_network(parts.network, &policy));
  TRY_ASSIGN(sandbox::Sandbox sandbox, sandbox::Sandbox::open(std::move(policy)));
  for (const std::string& weakening : sandbox.weakenings()) {
    std::cerr << "levin: " << weakening << "\n";
  }
  parts.sandbox = std::make_unique<sandbox::Sandbox>(std::move(sandbox));
  TRY(open_model_parts(options, &parts));
  TRY_ASSIGN(parts.rules, load_command_rules(parts.work_tree));
  TRY_ASSIGN(tools::Workspace workspace, tools::Workspace::open(parts.work_tree));
  parts.workspace = std::make_unique<tools::Workspace>(std::move(workspace));
  return parts;
}

Result<void> open_transcript(const RunOptions& options, RunParts* parts,
                             const std::atomic<bool>& interrupted) {
  if (parts->continuation) {
    const std::string path = parts->session_folder + "/" + std::string(Transcript::kFileName);
    TRY_ASSIGN(Transcript transcript, Transcript::reopen(path, parts->continuation->whole_bytes));
    parts->transcript = std::make_unique<Transcript>(std::move(transcript));
  } else {
    SessionRecord header;
    header.id = parts->session_id;
    header.version = LEVIN_VERSION;
    header.workspace = parts->work_tree;
    header.model = parts->model.name;
    header.fingerprint = parts->model.fingerprint;
    header.options = options_record(options, generate_options(options, *parts, interrupted));
    TRY_ASSIGN(Transcript transcript, Transcript::create(parts->session_folder, header));
    parts->transcript = std::make_unique<Transcript>(std::move(transcript));
  }
  TRY_ASSIGN(sandbox::AuditLog audit,
             open_audit(parts->sandbox->policy(), parts->rules, parts->session_id,
                        options.allow_net));
  parts->audit = std::make_unique<sandbox::AuditLog>(std::move(audit));
  TRY_ASSIGN(parts->proxy, open_proxy(parts->network, *parts->sandbox, parts->audit.get()));
  TRY_ASSIGN(CheckpointStore store,
             is_in_repository(parts->work_tree)
                 ? CheckpointStore::open(parts->work_tree, parts->session_folder)
                 : CheckpointStore::open_private(parts->work_tree, parts->session_folder));
  parts->checkpointer = std::make_unique<SessionCheckpointer>(std::move(store));
  TRY(make_directories(parts->session_folder + "/spill"));
  return parts->workspace->allow_reading(parts->session_folder + "/spill");
}

void introduce(const RunParts& parts) {
  if (!is_in_repository(parts.work_tree)) {
    std::cerr << "levin: no git repository here; the checkpoints go to a private one beside the "
                 "transcript\n";
  }
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

// What start_log() needs of the parts.
SessionStart session_start(const RunParts& parts) {
  return SessionStart{*parts.model.client,   *parts.writer,
                      *parts.transcript,     parts.model.profile,
                      parts.model.state_key, parts.session_folder + "/" + kStateFile,
                      parts.work_tree};
}

// Before the request is recorded, so that undo finds the files as they were before it.
Result<CheckpointRecord> first_checkpoint(RunParts& parts, int step) {
  Result<CheckpointRecord> saved = parts.checkpointer->save(step);
  if (!saved) {
    return std::move(saved).error().context("cannot save checkpoint @" + std::to_string(step));
  }
  TRY(parts.transcript->append(*saved));
  return saved;
}

// A user who chose how to sample, or goes on with a session, gets one attempt.
int64_t retries_of(const RunOptions& options, const RunParts& parts) {
  if (options.retries) return *options.retries;
  const bool is_default = !options.temperature && !options.top_p && options.top_k == 0 &&
                          options.min_p == 0 && !parts.continuation && !parts.model.is_script;
  return is_default ? parts.model.card.retries : 0;
}

Outcome run_agent(const RunOptions& options, RunParts& parts, EventSink& events,
                  const std::atomic<bool>& interrupted, Usage* usage) {
  const Clock::time_point start = Clock::now();
  tools::ToolContext tools{
      *parts.workspace, parts.sandbox.get(), {}, &interrupted, parts.session_folder + "/spill"};
  std::optional<tools::JobTable> jobs(std::in_place, *parts.sandbox, parts.audit.get());
  tools.audit = parts.audit.get();
  tools.index_database = index_options(parts.workspace->root(), interrupted).database;
  tools.checks_syntax = parts.model.profile.checks_syntax;
  tools.jobs = &*jobs;
  tools.refusal = [&parts](const std::string& command) {
    return denial_text(command, parts.rules.decide(command));
  };
  const tools::Registry registry = tools::make_registry();
  AgentOptions agent_options;
  agent_options.profile = parts.model.profile;
  agent_options.generate = generate_options(options, parts, interrupted);
  agent_options.steps_max = options.turns_max;
  agent_options.test_after_edits = options.test_after_edits || parts.config.test_after_edits;
  tools.test_command = parts.config.test_command;
  // The models of profile mini were trained on results without it.
  if (parts.model.profile.name != "mini") tools.content_id = short_content_id;
  if (parts.continuation) agent_options.first_step = parts.continuation->last_step + 1;
  // Named for where the log stands, which after a rewind is not the last step that was made.
  const Result<CheckpointRecord> saved =
      first_checkpoint(parts, parts.continuation ? parts.continuation->step : 0);
  if (!saved) return failure_of(saved.error());
  const SessionStart log_start = session_start(parts);
  const Result<int64_t> reused =
      parts.continuation ? continue_log(log_start, *parts.continuation, parts.task, events)
                         : start_log(log_start, parts.task, events);
  if (!reused) return failure_of(reused.error());
  agent_options.tokens_reused = *reused;
  agent_options.checkpointer = parts.checkpointer.get();
  Agent agent(*parts.model.client, *parts.writer, registry, tools, events, *parts.transcript,
              agent_options);
  const auto before = changed_files(parts.work_tree);
  const AttemptOptions attempts{retries_of(options, parts), parts.model.card.retry_temperature,
                                options.turns_max, parts.config.test_command, *saved};
  const Outcome outcome = run_attempts(
      {agent, *parts.model.client, *parts.transcript, *parts.checkpointer, registry, tools, events},
      attempts);
  jobs.reset();  // What they still write counts.
  *usage = agent.usage();
  usage->files_changed = count_changed(
      parts, before ? *before : std::map<std::string, std::string>{}, agent.changed_files());
  usage->wall_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
  return outcome;
}

// The state for the next run of this session; without it that run prefills its log.
void store_state(const RunParts& parts) {
  if (parts.model.is_script) return;
  const std::string file = parts.session_folder + "/" + kStateFile;
  Result<void> saved = parts.model.client->save_state(file);
  if (saved) saved = parts.model.client->save_marks(file + std::string(kMarksSuffix));
  if (!saved) std::cerr << "levin: state not stored: " << saved.error().message() << "\n";
}

void tell_left_out(const std::vector<std::string>& left_out) {
  if (left_out.empty()) return;
  std::cerr << "levin: " << left_out.size()
            << " paths are in no checkpoint and cannot be restored, the first of them "
            << printable(left_out.front()) << "\n";
}

std::unique_ptr<EventSink> make_sink(bool json) {
  if (json) return std::make_unique<JsonSink>(std::cout);
  HumanSinkOptions human;
  human.colour = isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  return std::make_unique<HumanSink>(std::cout, human);
}

// A refusal before there is a session. Who reads events gets the last one of them, too.
int usage_error(const RunOptions& options, const Error& error) {
  std::cerr << "levin run: " << error.message() << std::endl;
  if (options.json) make_sink(true)->on_event(RunFailed{"usage", error.message(), {}});
  return static_cast<int>(ExitCode::kUsage);
}

}  // namespace

int command_run(const RunOptions& options, const std::atomic<bool>& interrupted) {
  Result<RunParts> opened = open_parts(options);
  if (!opened) return usage_error(options, opened.error());
  RunParts& parts = *opened;
  const std::unique_ptr<EventSink> events = make_sink(options.json);
  Outcome outcome{ExitCode::kDone, "", ""};
  Usage usage;
  if (parts.continuation && parts.task.empty() &&
      (parts.continuation->end == LogEnd::kAnswered || parts.continuation->end == LogEnd::kEmpty)) {
    std::cerr << "levin: session " << parts.session_id << " is complete; nothing is left to do\n";
    events->on_event(ThreadStarted{parts.session_id});
    events->on_event(RunCompleted{usage});
    return 0;
  }
  Result<void> ready = open_transcript(options, &parts, interrupted);
  if (!ready) return usage_error(options, ready.error());
  introduce(parts);
  events->on_event(ThreadStarted{parts.session_id});
  events->on_event(TurnStarted{});
  outcome = run_agent(options, parts, *events, interrupted, &usage);
  const bool done = outcome.exit_code == ExitCode::kDone;
  Result<void> ended = parts.transcript->append(
      EndRecord{done, outcome.reason, static_cast<int>(outcome.exit_code)});
  if (!ended && done) outcome = {ExitCode::kFailed, "io", ended.error().message()};
  store_state(parts);
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
