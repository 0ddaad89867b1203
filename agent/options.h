// The command line: what was asked for, parsed and checked, before anything is opened.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/policy.h"

namespace levin::agent {

struct ModelOptions {
  std::string model;    // Folder, "script:FILE", or empty for the embedded model.
  int num_threads = 0;  // 0: one per core.
  std::string isa;      // "", reference, baseline, avx2, avx512
  std::string precision;  // "", exact, native
  std::string kv;         // "", f32, bf16
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
  sandbox::Profile sandbox = sandbox::Profile::kWorkspace;
  std::vector<std::string> allow_net;  // HOST:PORT each; none: no network.
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

struct RewindOptions {
  std::string target;  // "id@step"; empty for undo.
  bool force = false;
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
