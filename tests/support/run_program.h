// Runs a program in a test and collects what it says. Bounded: ended by its id at the time limit.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace levin::test {

struct ProgramRun {
  int exit_code =
      -1;  // 128 + n for a death by signal n; -1 when it could not be started or timed out.
  std::string out;
  std::string err;
  bool timed_out = false;
};

struct ProgramOptions {
  std::string folder;  // Working folder; empty: ours.
  std::string standard_input;
  std::vector<std::pair<std::string, std::string>> environment;  // Added to ours.
  int seconds_max = 60;
  // Signal to send once `out` holds this text (0: none).
  int signal_number = 0;
  std::string signal_after;
};

// argv[0] is looked up in PATH.
ProgramRun run_program(const std::vector<std::string>& argv, const ProgramOptions& options = {});

// Whether a program of this name is in PATH.
bool has_program(const std::string& name);

}  // namespace levin::test
