// The command line: what was asked for, parsed and checked, before anything is opened.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/policy.h"

namespace levin::agent {

struct ModelOptions {
  std::string model;          // Folder, GGUF file, "script:FILE", or empty for the embedded model.
  std::string chat_template;  // Of a GGUF file whose own is not known: m1, text-01 or vllm.
  std::string profile;        // Prompt profile; empty: the one that the model names.
  int num_threads = 0;        // 0: one per core.
  std::string isa;            // "", reference, baseline, avx2, avx512
  std::string precision;      // "", exact, native
  std::string kv;             // "", f32, bf16
  bool speculate = true;      // Draft from the context; changes the time, never the tokens.
  int script_chunk_tokens = 1;
  int script_pace_ms = 0;
  size_t script_first_reply = 0;  // Set by a continued run.
};

struct RunOptions {
  ModelOptions model;
  std::string task;  // "-": from standard input. Empty only when continued.
  bool is_continued = false;
  std::string session_id;  // Continued: which; empty: the newest of this folder.
  bool json = false;
  int64_t turns_max = 40;
  std::optional<int64_t> tokens_max;  // Per reply; absent: the model's.
  std::optional<int64_t> think_tokens_max;
  std::optional<uint64_t> seed;  // Absent: drawn, and told in the transcript.
  std::optional<double> temperature;
  std::optional<double> top_p;
  int top_k = 0;
  double min_p = 0;
  std::vector<std::string> stop_strings;
  std::optional<int64_t> retries;  // Absent: the model's, where its own sampling is used.
  bool test_after_edits = false;
  sandbox::Profile sandbox = sandbox::Profile::kWorkspace;
  std::vector<std::string> allow_net;  // HOST:PORT each; none: no network.
};

struct QuantizeOptions {
  std::string source;
  std::string destination;
  std::string type;  // q8, q4, experts-int8
  std::string text;  // File that quality is measured on; empty: a text of the program's own.
  std::string chat_template;  // Of a GGUF source; empty: as its own is recognised.
  bool keep_lm_head = false;
  int num_threads = 0;
};

struct LogitsOptions {
  std::string model;
  std::string input;
  std::string output;
  int64_t chunk_tokens = 256;
  int num_threads = 0;
  std::string isa;
  std::string precision = "exact";
  std::string kv;
};

struct WebCheckCommand {
  std::string target;         // Folder, page or URL on this machine.
  std::string accept;         // Name or file of a specification; empty: what any app must do.
  std::string report_folder;  // Empty: nothing is kept.
  bool json = false;
};

struct RandomOptions {
  std::string like;  // A named shape or the path of a config.json.
  std::string type = "bf16";
  std::string out;
  uint64_t seed = 0;
};

struct BenchOptions {
  ModelOptions model;
  std::string threads;       // "1,2"; empty: one, and one per core.
  std::string depths = "0";  // "0,8k,1M"
  int64_t prefill_tokens = 512;
  int64_t decode_tokens = 64;
  int64_t shared_tokens = 0;  // Before a turn; 0: four times prefill_tokens.
  std::string fill = "read";  // How a depth is reached: "read" or "synthetic".
  std::string states_folder;  // Of states at depths; empty: none are kept.
  double seconds_max = 0;     // To reach one depth; 0: no limit.
  bool json = false;
  std::string svg;  // Path of a plot; empty: none.
};

struct WebappCommand {
  RunOptions run;  // Model, sampling, limits; the task is the prompt.
  std::string out;
  std::string accept;         // Empty: by the prompt's words, else what any app must do.
  std::string report_folder;  // Empty: OUT-report.
  int rounds_max = 5;
  bool open = false;
};

struct RewindOptions {
  std::string target;  // "id@step"; empty for undo.
  bool force = false;
};

struct MapOptions {
  std::string workspace = ".";
  std::vector<std::string> focus;
  size_t tokens_max = 1000;
  bool json = false;
};

struct ToolOptions {
  std::string name;
  std::string workspace = ".";
  sandbox::Profile sandbox = sandbox::Profile::kWorkspace;
};

struct SandboxOptions {
  sandbox::Profile profile = sandbox::Profile::kWorkspace;
  std::string workspace = ".";
  std::vector<std::string> writable_folders;
  std::vector<std::string> limits;     // name=value
  std::vector<std::string> allow_net;  // HOST:PORT each
  bool pty = false;
  bool debugging = false;
  std::vector<std::string> argv;
};

}  // namespace levin::agent
