// levin webapp: from a prompt to an app that was opened and used.
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <random>

#include "agent/commands.h"
#include "agent/config.h"
#include "agent/git_workspace.h"
#include "agent/human_sink.h"
#include "agent/paths.h"
#include "agent/request.h"
#include "agent/session_checkpoints.h"
#include "agent/terminal_filter.h"
#include "agent/web_specs.h"
#include "agent/webapp.h"
#include "agent/wiring.h"
#include "base/file_io.h"
#include "tools/web_server.h"

namespace levin::agent {
namespace {

namespace fs = std::filesystem;
using SteadyClock = std::chrono::steady_clock;

// Everything that is open during a run, in the order of opening.
struct Parts {
  std::string request;
  std::string folder;
  std::string report_folder;
  tools::WebSpec spec;
  OpenedModel model;
  std::unique_ptr<engine::PromptWriter> writer;
  std::unique_ptr<tools::Workspace> workspace;
  std::unique_ptr<sandbox::Sandbox> sandbox;
  CommandRules rules;
  std::unique_ptr<sandbox::AuditLog> audit;
  std::string session_id;
  std::string session_folder;
  std::unique_ptr<Transcript> transcript;
  std::unique_ptr<SessionCheckpointer> checkpointer;
  std::unique_ptr<tools::WebBrowser> browser;  // Once it is needed.
};

// Words by which a prompt asks for one of the shipped kinds of app.
const std::pair<const char*, const char*> kKinds[] = {{"typing", "typing"},
                                                      {"maze", "maze"},
                                                      {"particle", "particles"},
                                                      {"to-do", "todo"},
                                                      {"todo", "todo"},
                                                      {"calculator", "calculator"},
                                                      {"form", "form"},
                                                      {"words per minute", "typing"},
                                                      {"how fast i type", "typing"}};

// The specification that was named, the shipped one of the kind that the prompt asks for, or what
// any app must do.
Result<tools::WebSpec> spec_for(const std::string& accept, const std::string& request) {
  if (!accept.empty()) return load_web_spec(accept);
  std::string lower = request;
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  for (const auto& [word, name] : kKinds) {
    const size_t at = lower.find(word);
    // "form" is no part of "perform" or "format".
    const bool is_word = at != std::string::npos &&
                         (at == 0 || std::isalpha(static_cast<unsigned char>(lower[at - 1])) == 0);
    const size_t end = at == std::string::npos ? at : at + std::string(word).size();
    const bool ends = is_word && (std::string_view(word) != "form" || end == lower.size() ||
                                  std::isalpha(static_cast<unsigned char>(lower[end])) == 0);
    if (ends) return load_web_spec(name);
  }
  return tools::derive_web_spec(request);
}

Result<void> open_folders(const WebappCommand& command, Parts* parts) {
  std::error_code error;
  TRY(make_directories(command.out, 0755));
  const fs::path real = fs::canonical(command.out, error);
  if (error) return Error(ErrorCode::kIo, "--out " + command.out + ": " + error.message());
  parts->folder = real.string();
  const fs::path report = command.report_folder.empty()
                              ? fs::path(parts->folder + "-report")
                              : fs::absolute(command.report_folder, error);
  parts->report_folder = report.lexically_normal().string();
  while (parts->report_folder.ends_with('/')) parts->report_folder.pop_back();
  if ((parts->report_folder + "/").starts_with(parts->folder + "/")) {
    return Error(
        ErrorCode::kInvalidArgument,
        "--report " + parts->report_folder + " lies in the app's folder; it must be elsewhere");
  }
  return make_directories(parts->report_folder, 0755);
}

Result<void> open_model_parts(const WebappCommand& command, Parts* parts) {
  TRY_ASSIGN(parts->model, open_model(command.run.model));
  // Strong models get the prompt for web apps; the embedded one knows only its own.
  if (parts->model.profile.name == "core") {
    TRY_ASSIGN(const std::string data, find_data_folder());
    TRY_ASSIGN(parts->model.profile, load_profile(data, "web"));
  }
  TRY_ASSIGN(engine::PromptWriter writer,
             engine::PromptWriter::create(parts->model.client->tokenizer()));
  parts->writer = std::make_unique<engine::PromptWriter>(std::move(writer));
  TRY_ASSIGN(tools::Workspace workspace, tools::Workspace::open(parts->folder));
  parts->workspace = std::make_unique<tools::Workspace>(std::move(workspace));
  TRY_ASSIGN(const Config config, load_config(parts->folder));
  TRY_ASSIGN(sandbox::Sandbox sandbox, sandbox::Sandbox::open(command_policy(
                                           parts->folder, command.run.sandbox, config.protect)));
  parts->sandbox = std::make_unique<sandbox::Sandbox>(std::move(sandbox));
  for (const std::string& weakening : parts->sandbox->weakenings()) {
    std::cerr << "levin: " << weakening << "\n";
  }
  TRY_ASSIGN(parts->rules, load_command_rules(parts->folder));
  return {};
}

GenerateOptions generate_options(const RunOptions& options, const ModelCard& card, uint64_t seed,
                                 const std::atomic<bool>& interrupted) {
  GenerateOptions generate;
  generate.sample.temperature = options.temperature.value_or(card.temperature);
  generate.sample.top_p = options.top_p.value_or(card.top_p);
  generate.sample.top_k = options.top_k;
  generate.sample.min_p = options.min_p;
  generate.sample.seed = seed;
  generate.tokens_max = options.tokens_max.value_or(card.max_tokens);
  generate.think_tokens_max = options.think_tokens_max.value_or(-1);
  generate.stop_strings = options.stop_strings;
  generate.interrupted = &interrupted;
  return generate;
}

Result<void> open_session(const GenerateOptions& generate, Parts* parts) {
  parts->session_id = new_session_id();
  TRY_ASSIGN(parts->session_folder, session_folder(parts->session_id));
  SessionRecord header;
  header.id = parts->session_id;
  header.version = LEVIN_VERSION;
  // Where levin undo, rewind and diff find the session: the repository, else the app's folder.
  TRY_ASSIGN(header.workspace, find_work_tree(parts->folder));
  header.model = parts->model.name;
  header.fingerprint = parts->model.fingerprint;
  header.options = {{"command", "webapp"},
                    {"temperature", generate.sample.temperature},
                    {"seed", generate.sample.seed}};
  TRY_ASSIGN(Transcript transcript, Transcript::create(parts->session_folder, header));
  parts->transcript = std::make_unique<Transcript>(std::move(transcript));
  TRY_ASSIGN(CheckpointStore store,
             is_in_repository(header.workspace)
                 ? CheckpointStore::open(header.workspace, parts->session_folder)
                 : CheckpointStore::open_private(header.workspace, parts->session_folder));
  parts->checkpointer = std::make_unique<SessionCheckpointer>(std::move(store));
  TRY_ASSIGN(sandbox::AuditLog audit,
             open_audit(parts->sandbox->policy(), parts->rules, parts->session_id));
  parts->audit = std::make_unique<sandbox::AuditLog>(std::move(audit));
  TRY(make_directories(parts->session_folder + "/spill"));
  return parts->workspace->allow_reading(parts->session_folder + "/spill");
}

Result<Parts> open_parts(const WebappCommand& command) {
  Parts parts;
  TRY_ASSIGN(parts.request, request_text(command.run.task, std::cin));
  TRY_ASSIGN(parts.spec, spec_for(command.accept, parts.request));
  TRY(open_folders(command, &parts));
  TRY(open_model_parts(command, &parts));
  return parts;
}

void introduce(const Parts& parts) {
  if (parts.model.is_embedded) {
    std::cerr
        << "levin: using the embedded " << parts.model.card.name
        << ", a small demonstration model that knows two pages: a typing test and a maze with "
           "A*; --model DIR uses a larger one\n";
  }
  const Result<std::string> browser = tools::find_browser();
  if (!browser)
    std::cerr << "levin: " << browser.error().message() << "; the app will not be checked\n";
  std::cerr << "levin: the app goes to " << printable(parts.folder) << ", checked by \""
            << parts.spec.name << "\"" << std::endl;
}

// Serves the app until the user ends it; where there is a desktop, in its browser.
void serve(const std::string& folder, const std::atomic<bool>& interrupted) {
  const Result<std::unique_ptr<tools::WebServer>> server = tools::WebServer::start(folder);
  const Result<std::string> entry = tools::find_web_entry(folder);
  if (!server || !entry) {
    std::cerr << "levin: " << (server ? entry.error() : server.error()).message() << std::endl;
    return;
  }
  std::string url = (*server)->url() + (*entry == "index.html" ? "" : *entry);
  std::cerr << "levin: open " << url << " (Ctrl-C ends)" << std::endl;
  pid_t pid = -1;
  if (std::getenv("DISPLAY") == nullptr && std::getenv("WAYLAND_DISPLAY") == nullptr) {
    std::cerr << "levin: no desktop here (neither DISPLAY nor WAYLAND_DISPLAY is set), so nothing "
                 "is opened"
              << std::endl;
  } else {
    char program[] = "xdg-open";
    char* argv[] = {program, url.data(), nullptr};
    const int problem = ::posix_spawnp(&pid, program, nullptr, nullptr, argv, environ);
    if (problem != 0) {
      pid = -1;
      std::cerr << "levin: xdg-open does not start (" << std::strerror(problem)
                << "); it is in the package xdg-utils" << std::endl;
    }
  }
  while (!interrupted.load()) {
    ::poll(nullptr, 0, 200);
    if (pid > 0 && ::waitpid(pid, nullptr, WNOHANG) != 0) pid = -1;
  }
}

std::unique_ptr<EventSink> make_sink(bool json) {
  if (json) return std::make_unique<JsonSink>(std::cout);
  HumanSinkOptions human;
  human.colour = isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  return std::make_unique<HumanSink>(std::cout, human);
}

Result<void> save_files(Parts& parts, int64_t step) {
  TRY_ASSIGN(const CheckpointRecord saved, parts.checkpointer->save(static_cast<int>(step)));
  return parts.transcript->append(saved);
}

Outcome run_rounds(const WebappCommand& command, Parts& parts, const GenerateOptions& generate,
                   EventSink& events, const std::atomic<bool>& interrupted, Usage* usage) {
  const SteadyClock::time_point start = SteadyClock::now();
  tools::ToolContext tools{
      *parts.workspace, parts.sandbox.get(), {}, &interrupted, parts.session_folder + "/spill"};
  tools.audit = parts.audit.get();
  tools.refusal = [&parts](const std::string& text) {
    return denial_text(text, parts.rules.decide(text));
  };
  tools.browser = [&parts]() -> Result<tools::WebBrowser*> {
    if (!parts.browser) {
      TRY_ASSIGN(parts.browser, tools::WebBrowser::start());
    }
    return parts.browser.get();
  };
  const tools::Registry registry = tools::make_registry();
  WebappOptions options;
  options.request = parts.request;
  options.folder = parts.folder;
  options.report_folder = parts.report_folder;
  options.spec = parts.spec;
  options.rounds_max = command.rounds_max;
  // A report is outside of what the embedded model knows.
  options.repair = parts.model.is_embedded ? Repair::kStartOver : Repair::kGoOn;
  options.retry_temperature = parts.model.card.retry_temperature;
  AgentOptions agent;
  agent.profile = parts.model.profile;
  agent.generate = generate;
  agent.steps_max = command.run.turns_max;
  agent.checkpointer = parts.checkpointer.get();
  const SessionStart session{*parts.model.client,   *parts.writer,
                             *parts.transcript,     parts.model.profile,
                             parts.model.state_key, parts.session_folder + "/" + kStateFile,
                             parts.folder};
  const Result<void> saved = save_files(parts, 0);
  if (!saved) return failure_of(saved.error());
  Webapp webapp({session, registry, tools, events, agent}, options);
  Outcome outcome = webapp.run();
  // What is left may be another round's than the last.
  const Result<void> left = save_files(parts, webapp.usage().steps);
  if (!left) outcome = failure_of(left.error());
  *usage = webapp.usage();
  usage->wall_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - start).count();
  return outcome;
}

int usage_error(const Error& error) {
  std::cerr << "levin webapp: " << error.message() << std::endl;
  return static_cast<int>(ExitCode::kUsage);
}

}  // namespace

int command_webapp(const WebappCommand& command, const std::atomic<bool>& interrupted) {
  Result<Parts> opened = open_parts(command);
  if (!opened) return usage_error(opened.error());
  Parts& parts = *opened;
  const uint64_t seed = command.run.seed.value_or(std::random_device{}());
  const GenerateOptions generate =
      generate_options(command.run, parts.model.card, seed, interrupted);
  const Result<void> session = open_session(generate, &parts);
  if (!session) return usage_error(session.error());
  introduce(parts);
  const std::unique_ptr<EventSink> events = make_sink(command.run.json);
  events->on_event(ThreadStarted{parts.session_id});
  events->on_event(TurnStarted{});
  Usage usage;
  Outcome outcome = run_rounds(command, parts, generate, *events, interrupted, &usage);
  const bool done = outcome.exit_code == ExitCode::kDone;
  const Result<void> ended = parts.transcript->append(
      EndRecord{done, outcome.reason, static_cast<int>(outcome.exit_code)});
  if (!ended && done) outcome = {ExitCode::kFailed, "io", ended.error().message()};
  if (outcome.exit_code == ExitCode::kDone) {
    events->on_event(RunCompleted{usage});
  } else {
    events->on_event(RunFailed{outcome.reason, outcome.message, usage});
  }
  std::cerr << "levin: report " << printable(parts.report_folder) << ", transcript "
            << parts.transcript->path() << std::endl;
  if (command.open && outcome.exit_code != ExitCode::kInterrupted) serve(parts.folder, interrupted);
  return static_cast<int>(outcome.exit_code);
}

}  // namespace levin::agent
