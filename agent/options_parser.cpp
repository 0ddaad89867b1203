#include "agent/options_parser.h"

#include <CLI/CLI.hpp>

#include <fstream>
#include <functional>
#include <iostream>

#include "agent/commands.h"
#include "agent/debug_parse.h"
#include "agent/debug_text.h"

namespace levin::agent {
namespace {

const std::map<std::string, sandbox::Profile> kSandboxNames = {
    {"read-only", sandbox::Profile::kReadOnly},
    {"workspace", sandbox::Profile::kWorkspace},
    {"off", sandbox::Profile::kOff}};

// What the parsed command line does.
using Action = std::function<int()>;

// CLI::Range lets "nan" pass, since no comparison with it is true.
CLI::Validator real_range(double least, double most) {
  const std::string range = CLI::detail::to_string(least) + " to " + CLI::detail::to_string(most);
  return CLI::Validator(
      [=](const std::string& text) {
        double value = 0;
        const bool is_number = CLI::detail::lexical_cast(text, value);
        if (is_number && value >= least && value <= most) return std::string();
        return "expected a number from " + range + ", found " + text;
      },
      "FLOAT in [" + range + "]");
}

// CLI11 reads "-1" as the largest unsigned number.
std::string refuse_sign(const std::string& text) {
  return text.starts_with('-') ? "expected a whole number of 0 or more, found " + text : "";
}

// One of the names, which CLI11 then reads as the number behind it. CLI::CheckedTransformer would
// take those numbers from the user too ("--sandbox 3" is off) and shows them in its message.
template <typename T>
CLI::Validator one_of(const std::map<std::string, T>& names) {
  return CLI::Validator(
      [names](std::string& text) {
        std::string known;
        for (const auto& [name, value] : names) {
          if (name == text) {
            text = std::to_string(static_cast<int>(value));
            return std::string();
          }
          known += (known.empty() ? "" : ", ") + name;
        }
        return "expected one of " + known + ", found " + text;
      },
      "");
}

void add_sandbox_option(CLI::App& app, sandbox::Profile* profile) {
  app.add_option("--sandbox", *profile, "What commands may do: read-only, workspace or off")
      ->transform(one_of(kSandboxNames))
      ->option_text("read-only|workspace|off [workspace]");
}

void add_network_option(CLI::App& app, std::vector<std::string>* hosts) {
  app.add_option("--allow-net", *hosts,
                 "HOST:PORT that commands may reach, by a proxy (may be repeated) [none]")
      ->allow_extra_args(false);
}

void add_run_options(CLI::App* app, RunOptions& options) {
  app->add_option("--model", options.model.model,
                  "Model folder, GGUF file, or script:FILE [the embedded model]");
  app->add_option("--chat-template", options.model.chat_template,
                  "GGUF: m1, text-01 or vllm [recognised in the file]");
  app->add_option("--profile", options.model.profile,
                  "Prompt profile: core, or repo with the map [the model's]");
  app->add_flag("--json", options.json, "Events as JSON lines on stdout");
  app->add_option("--max-turns", options.turns_max, "Model replies at most")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000}))
      ->capture_default_str();
  app->add_option("--max-tokens", options.tokens_max, "Tokens per reply at most [the model's]")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 32));
  app->add_option("--think-budget", options.think_tokens_max,
                  "Reasoning tokens per reply, then it is closed")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 32));
  app->add_option("--seed", options.seed, "Seed of sampling [drawn]")->check(refuse_sign);
  app->add_option("--temperature", options.temperature, "0 is greedy [the model's]")
      ->check(real_range(0, 5));
  app->add_option("--top-p", options.top_p, "[the model's]")->check(real_range(0, 1));
  app->add_option("--top-k", options.top_k, "0: all")->check(CLI::Range(0, 1 << 24));
  app->add_option("--min-p", options.min_p, "Share of the best token's probability")
      ->check(real_range(0, 1));
  app->add_option("--stop", options.stop_strings, "End a reply at this text (may be repeated)")
      ->allow_extra_args(false);
  app->add_option("--threads", options.model.num_threads, "CPU threads [one per core]")
      ->check(CLI::Range(1, 1024));
  app->add_option(
         "--precision", options.model.precision,
         "exact (float32 activations and KV) or native [the model's levin.json, else native]")
      ->check(CLI::IsMember({"exact", "native"}));
  app->add_option("--kv", options.model.kv, "Type of cached keys and values [by precision]")
      ->check(CLI::IsMember({"f32", "bf16"}));
  app->add_option("--isa", options.model.isa,
                  "reference, baseline, avx2 or avx512 [the best here]");
  static const std::map<std::string, bool> kOnOff = {{"on", true}, {"off", false}};
  app->add_option("--speculate", options.model.speculate,
                  "Guess repetitions of the context ahead; the text is the same")
      ->transform(one_of(kOnOff))
      ->option_text("on|off [on]");
  app->add_option("--script-chunk", options.model.script_chunk_tokens, "script: tokens at once")
      ->check(CLI::Range(1, 1 << 20));
  app->add_option("--script-pace-ms", options.model.script_pace_ms,
                  "script: wait before each chunk")
      ->check(CLI::Range(0, 60'000));
  add_sandbox_option(*app, &options.sandbox);
}

// What only a task in a repository has: levin webapp tests by its specification, without network.
void add_task_options(CLI::App* app, RunOptions& options) {
  app->add_option("--retries", options.retries,
                  "Attempts after one with failing tests [the model's, with its own sampling]")
      ->check(CLI::Range(int64_t{0}, int64_t{100}));
  app->add_flag("--test-after-edits", options.test_after_edits,
                "Run the tests after edits and tell the model");
  add_network_option(*app, &options.allow_net);
}

void add_run(CLI::App& parent, RunOptions& options, Action& action,
             const std::atomic<bool>& interrupted) {
  CLI::App* app =
      parent.add_subcommand("run", "Work on one task in the git repository of this folder");
  CLI::Option* task =
      app->add_option("task", options.task, "What to do; - reads it from standard input");
  app->add_flag("--continue", options.is_continued,
                "Go on with the newest session of this folder; without a task, where it stopped");
  add_run_options(app, options);
  add_task_options(app, options);
  app->callback([&, task] {
    if (!options.is_continued && task->count() == 0) throw CLI::RequiredError("task");
    action = [&] { return command_run(options, interrupted); };
  });
}

void add_resume(CLI::App& parent, RunOptions& options, Action& action,
                const std::atomic<bool>& interrupted) {
  CLI::App* app = parent.add_subcommand("resume", "Go on with an earlier session");
  app->add_option("id", options.session_id, "Session [the newest of this folder]");
  app->add_option("task", options.task, "A further request; without it, where it stopped");
  add_run_options(app, options);
  add_task_options(app, options);
  app->callback([&] {
    options.is_continued = true;
    action = [&] { return command_run(options, interrupted); };
  });
}

void add_bench(CLI::App& parent, BenchOptions& options, Action& action) {
  CLI::App* app = parent.add_subcommand("bench", "Measure prefill and decode speed");
  app->add_option("--model", options.model.model, "Model folder or .gguf [the embedded model]");
  app->add_option("--threads", options.threads, "CPU threads, as 1,2 [one, and one per core]");
  app->add_option("--depth", options.depths, "Tokens of context before measuring, as 0,8k,1M [0]");
  app->add_option("--prefill", options.prefill_tokens, "Tokens prefilled per figure [512]")
      ->check(CLI::Range(1, 1 << 20));
  app->add_option("--decode", options.decode_tokens, "Tokens decoded per figure [64]")
      ->check(CLI::Range(1, 1 << 20));
  app->add_option("--shared", options.shared_tokens,
                  "Tokens before the turn that is measured [4 x --prefill]")
      ->check(CLI::Range(1, 1 << 20));
  app->add_option("--states", options.states_folder,
                  "Keep the states at each depth in this folder, and go on from those kept there");
  app->add_option("--seconds", options.seconds_max,
                  "Time to come from one depth to the next [no limit]")
      ->check(CLI::PositiveNumber);
  app->add_option("--fill", options.fill,
                  "read: the context is prefilled; synthetic: it is filled with copies of 1,024 "
                  "tokens, which tells the speed of decoding at once [read]")
      ->check(CLI::IsMember({"read", "synthetic"}));
  app->add_option("--precision", options.model.precision, "exact or native")
      ->check(CLI::IsMember({"exact", "native"}));
  app->add_option("--kv", options.model.kv, "f32 or bf16")->check(CLI::IsMember({"f32", "bf16"}));
  app->add_option("--isa", options.model.isa, "reference, baseline, avx2 or avx512");
  app->add_option("--svg", options.svg, "Also draw speed against context to this file");
  app->add_flag("--json", options.json, "As JSON");
  app->callback([&] { action = [&] { return command_bench(options); }; });
}

void add_random(CLI::App& model, RandomOptions& options, Action& action) {
  CLI::App* app = model.add_subcommand("random", "Write a checkpoint with random weights");
  app->add_option("--like", options.like, "m1-5b, tiny, long, or a config.json")->required();
  app->add_option("--type", options.type, "bf16, q8 or q4 [bf16]");
  app->add_option("--out", options.out, "Folder to write")->required();
  app->add_option("--seed", options.seed, "[0]");
  app->callback([&] { action = [&] { return command_model_random(options); }; });
}

void add_quantize(CLI::App& model, QuantizeOptions& options, Action& action) {
  CLI::App* app =
      model.add_subcommand("quantize", "Write a smaller copy, and measure what it cost");
  app->add_option("source", options.source, "Model folder or GGUF file")->required();
  app->add_option("destination", options.destination, "New folder")->required();
  app->add_option("--type", options.type, "q8, q4 or experts-int8")
      ->required()
      ->check(CLI::IsMember({"q8", "q4", "experts-int8"}));
  app->add_flag("--keep-lm-head", options.keep_lm_head, "lm_head stays as it is");
  app->add_option("--chat-template", options.chat_template,
                  "m1, text-01 or vllm, for a GGUF file whose own template is not known");
  app->add_option("--text", options.text, "Measure quality on this file [a text of its own]");
  app->add_option("--threads", options.num_threads, "CPU threads [one per core]")
      ->check(CLI::Range(1, 1024));
  app->callback([&] { action = [&] { return command_model_quantize(options); }; });
}

void add_model(CLI::App& parent, std::string& folder, bool& json, RandomOptions& random,
               QuantizeOptions& quantize, Action& action) {
  CLI::App* app = parent.add_subcommand("model", "Look at checkpoints, make smaller ones");
  add_random(*app, random, action);
  add_quantize(*app, quantize, action);
  app->require_subcommand(1);
  CLI::App* info = app->add_subcommand("info", "What a checkpoint holds");
  info->add_option("folder", folder, "Model folder or GGUF file")->required();
  info->add_flag("--json", json, "As JSON");
  info->callback([&] { action = [&] { return command_model_info(folder, json); }; });
}

void add_tool(CLI::App& parent, ToolOptions& options, Action& action,
              const std::atomic<bool>& interrupted) {
  CLI::App* app = parent.add_subcommand(
      "tool",
      "Run one tool: arguments as JSON on stdin, the text that a model would see on stdout");
  app->add_option("name", options.name, "bash, read, search, edit, write, map, apply-patch or test")
      ->required();
  app->add_option("--workspace", options.workspace, "Folder to work in")->capture_default_str();
  add_sandbox_option(*app, &options.sandbox);
  app->callback([&] { action = [&] { return command_tool(options, interrupted); }; });
}

void add_sandbox(CLI::App& parent, SandboxOptions& options, Action& action,
                 const std::atomic<bool>& interrupted) {
  static const std::map<std::string, sandbox::Profile> kProfiles = {
      {"read-only", sandbox::Profile::kReadOnly},
      {"workspace", sandbox::Profile::kWorkspace},
      {"full", sandbox::Profile::kOff}};
  CLI::App* app = parent.add_subcommand(
      "sandbox", "Run any command as a model's commands are run; ends with its exit code");
  app->add_option("--profile", options.profile, "What it may do; full: everything you may")
      ->transform(one_of(kProfiles))
      ->option_text("read-only|workspace|full [workspace]");
  app->add_option("--workspace", options.workspace, "Folder to work in")->capture_default_str();
  app->add_option("--allow-write", options.writable_folders, "A further folder to write in")
      ->allow_extra_args(false);
  app->add_option("--limit", options.limits,
                  "wall, cpu (seconds), memory, disk, file, tmp, output (bytes; k, m, g), "
                  "processes, files")
      ->option_text("NAME=VALUE ...")
      ->allow_extra_args(false);
  add_network_option(*app, &options.allow_net);
  app->add_flag("--pty", options.pty, "With a terminal of its own");
  app->add_flag("--debugging", options.debugging, "It may trace its own processes (gdb)");
  app->add_option("command", options.argv, "After --: the command and its arguments")->required();
  app->callback([&] { action = [&] { return command_sandbox(options, interrupted); }; });
}

void add_policy(CLI::App& parent, std::vector<std::string>& words, Action& action) {
  CLI::App* app = parent.add_subcommand("policy", "Rules about commands: allow, ask, deny");
  app->require_subcommand(1);
  CLI::App* check = app->add_subcommand(
      "check", "What the rules say about a command; alone: whether the files can be read");
  check->add_option("command", words, "After --: shell text as one argument, or a command's words");
  check->callback([&] { action = [&] { return command_policy_check(words); }; });
}

void add_webapp(CLI::App& parent, WebappCommand& options, Action& action,
                const std::atomic<bool>& interrupted) {
  CLI::App* app = parent.add_subcommand(
      "webapp", "Write a small web app, open it in headless Chromium, use it, repair it");
  app->add_option("prompt", options.run.task, "What to build; - reads it from standard input")
      ->required();
  app->add_option("--out", options.out, "Folder of the app")->required();
  app->add_option("--accept", options.accept,
                  "Specification: a shipped name or a file [by the prompt's words]");
  app->add_option("--report", options.report_folder,
                  "Folder for report.json and screenshots [OUT-report]");
  app->add_option("--max-rounds", options.rounds_max, "Times that the app is written and checked")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app->add_flag("--open", options.open, "Serve the app on this machine until Ctrl-C");
  add_run_options(app, options.run);
  app->callback([&] { action = [&] { return command_webapp(options, interrupted); }; });
}

void add_web_check(CLI::App& parent, WebCheckCommand& options, Action& action,
                   const std::atomic<bool>& interrupted) {
  CLI::App* app = parent.add_subcommand(
      "web-check", "Open a web app in headless Chromium, use it and tell what works");
  app->add_option("target", options.target, "Folder, page, or http://127.0.0.1:PORT/...")
      ->required();
  app->add_option("--accept", options.accept,
                  "Specification: a shipped name or a file [what any app must do]");
  app->add_option("--report", options.report_folder, "Folder for report.json and screenshots");
  app->add_flag("--json", options.json, "The report as JSON on stdout");
  app->callback([&] { action = [&] { return command_web_check(options, interrupted); }; });
}

void add_map(CLI::App& parent, MapOptions& options, Action& action,
             const std::atomic<bool>& interrupted) {
  CLI::App* app = parent.add_subcommand(
      "map", "What a repository defines, most needed files first, within a number of tokens");
  app->add_option("--workspace", options.workspace, "The repository's folder")
      ->capture_default_str();
  app->add_option("--focus", options.focus, "File or folder to draw the map from (may be repeated)")
      ->allow_extra_args(false);
  app->add_option("--tokens", options.tokens_max, "Tokens at most, estimated")
      ->check(CLI::Range(size_t{50}, size_t{100'000}))
      ->capture_default_str();
  app->add_flag("--json", options.json, "As JSON");
  app->callback([&] { action = [&] { return command_map(options, interrupted); }; });
}

// Of the commands that go back in a session, or look back.
struct SessionOptions {
  RewindOptions rewind;
  std::string range;
  bool json = false;
};

void add_sessions(CLI::App& parent, SessionOptions& options, Action& action,
                  const std::atomic<bool>& interrupted) {
  CLI::App* sessions = parent.add_subcommand("sessions", "List the sessions, newest first");
  sessions->add_flag("--json", options.json, "As a JSON array");
  sessions->callback([&] { action = [&] { return command_sessions(options.json); }; });
  const char* force = "Save changes made since levin's last step, then go back";
  CLI::App* rewind =
      parent.add_subcommand("rewind", "Restore the files of a session's folder as they once were");
  rewind->add_option("target", options.rewind.target, "ID@STEP; @0 is before the first step")
      ->required();
  rewind->add_flag("--force", options.rewind.force, force);
  rewind->callback([&] { action = [&] { return command_rewind(options.rewind, interrupted); }; });
  CLI::App* undo = parent.add_subcommand(
      "undo", "Restore the files as before the last request of this folder's newest session");
  undo->add_flag("--force", options.rewind.force, force);
  undo->callback([&] { action = [&] { return command_undo(options.rewind, interrupted); }; });
  CLI::App* diff = parent.add_subcommand("diff", "What a session changed, as a unified diff");
  diff->add_option("session", options.range, "ID, or ID@STEP..STEP")->required();
  diff->callback([&] { action = [&] { return command_diff(options.range); }; });
}

// State of the debug subcommands.
struct DebugOptions {
  LogitsOptions logits;
  std::string tokenizer;
  bool no_special = false;
  engine::ChatTemplate chat_template = engine::ChatTemplate::kM1;
  size_t chunk_bytes = 0;
};

void add_debug(CLI::App& parent, DebugOptions& options, Action& action) {
  CLI::App* app = parent.add_subcommand("debug", "Plumbing: parts of the program, JSON in and out");
  app->require_subcommand(1);
  CLI::App* logits = app->add_subcommand("logits", "Logits and linear states of given token ids");
  logits->add_option("--model", options.logits.model, "Model folder or GGUF file")->required();
  logits->add_option("--input", options.logits.input, "input.json with the runs")->required();
  logits->add_option("--out", options.logits.output, "safetensors file to write")->required();
  logits->add_option("--chunk", options.logits.chunk_tokens, "Tokens per prefill chunk")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str();
  logits->add_option("--threads", options.logits.num_threads, "CPU threads")
      ->check(CLI::Range(1, 1024));
  logits->add_option("--precision", options.logits.precision, "exact or native")
      ->check(CLI::IsMember({"exact", "native"}));
  logits->add_option("--kv", options.logits.kv, "f32 or bf16 [by precision]")
      ->check(CLI::IsMember({"f32", "bf16"}));
  logits->add_option("--isa", options.logits.isa, "reference, baseline, avx2 or avx512");
  logits->callback([&] { action = [&] { return command_debug_logits(options.logits); }; });

  CLI::App* tokenize =
      app->add_subcommand("tokenize", "A JSON string per line -> a list of ids per line");
  tokenize->add_option("--tokenizer", options.tokenizer, "tokenizer.json, or a GGUF file")
      ->required();
  tokenize->add_flag("--no-special", options.no_special,
                     "Special tokens in the text are plain text");
  tokenize->callback([&] {
    action = [&] {
      return debug_tokenize(options.tokenizer, options.no_special, std::cin, std::cout, std::cerr);
    };
  });
  CLI::App* detokenize =
      app->add_subcommand("detokenize", "A list of ids per line -> a JSON string per line");
  detokenize->add_option("--tokenizer", options.tokenizer, "tokenizer.json, or a GGUF file")
      ->required();
  detokenize->callback([&] {
    action = [&] { return debug_detokenize(options.tokenizer, std::cin, std::cout, std::cerr); };
  });

  static const std::map<std::string, engine::ChatTemplate> kTemplates = {
      {"m1", engine::ChatTemplate::kM1},
      {"vllm", engine::ChatTemplate::kVllm},
      {"levin", engine::ChatTemplate::kLevin}};
  CLI::App* render = app->add_subcommand("render", "A conversation as JSON on stdin -> text");
  render->add_option("--template", options.chat_template, "m1, vllm or levin")
      ->required()
      ->transform(one_of(kTemplates));
  render->callback([&] {
    action = [&] { return debug_render(options.chat_template, std::cin, std::cout, std::cerr); };
  });
  CLI::App* parse = app->add_subcommand("parse", "A model reply on stdin -> its parts as JSON");
  parse->add_option("--chunk", options.chunk_bytes, "Bytes fed at a time; 0: all")
      ->check(refuse_sign);
  parse->callback(
      [&] { action = [&] { return debug_parse(options.chunk_bytes, std::cin, std::cout); }; });
}

}  // namespace

int run_command_line(int argc, char** argv, const std::atomic<bool>& interrupted) {
  CLI::App app{"levin: a local coding agent that owns its engine", "levin"};
  app.set_version_flag("--version", std::string("levin ") + LEVIN_VERSION);
  app.require_subcommand(1);
  RunOptions run;
  ToolOptions tool;
  RandomOptions random;
  BenchOptions bench;
  MapOptions map;
  SessionOptions sessions;
  WebCheckCommand web_check;
  WebappCommand webapp;
  DebugOptions debug;
  QuantizeOptions quantize;
  std::string folder;
  bool json = false;
  Action action;
  add_run(app, run, action, interrupted);
  add_resume(app, run, action, interrupted);
  add_sessions(app, sessions, action, interrupted);
  add_model(app, folder, json, random, quantize, action);
  add_bench(app, bench, action);
  add_tool(app, tool, action, interrupted);
  std::vector<std::string> words;
  add_policy(app, words, action);
  add_webapp(app, webapp, action, interrupted);
  SandboxOptions box;
  add_sandbox(app, box, action, interrupted);
  add_web_check(app, web_check, action, interrupted);
  add_map(app, map, action, interrupted);
  add_debug(app, debug, action);
  app.add_subcommand("doctor",
                     "What this machine offers, with the reason where something is missing")
      ->callback([&] { action = [] { return command_doctor(); }; });
  // CLI11 would only say that a subcommand is required.
  const auto is_named = [&](const CLI::App* command) { return command->check_name(argv[1]); };
  if (argc > 1 && argv[1][0] != '-' && argv[1][0] != '\0' &&
      app.get_subcommands(is_named).empty()) {
    std::cerr << "levin: no command \"" << argv[1] << "\"; levin --help lists them" << std::endl;
    return 2;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return action();
}

}  // namespace levin::agent
