// Builds the command line of the program: one CLI11 subcommand per command.
#pragma once

#include <atomic>

namespace levin::agent {

// Parses and runs; returns the exit code. Usage errors are exit code 2.
int run_command_line(int argc, char** argv, const std::atomic<bool>& interrupted);

}  // namespace levin::agent
