// The program: installs the interrupt handler and runs the command line.
#include <csignal>
#include <exception>
#include <iostream>

#include "agent/options_parser.h"

namespace {

// Set once by Ctrl-C or SIGTERM, polled everywhere. A second Ctrl-C ends the process at once.
std::atomic<bool> interrupted{false};

void on_interrupt(int signal_number) {
  if (interrupted.exchange(true)) {
    std::signal(signal_number, SIG_DFL);
    std::raise(signal_number);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // A write beyond `ulimit -f` fails like one to a full disk.
  try {
    return levin::agent::run_command_line(argc, argv, interrupted);
  } catch (const std::exception& error) {
    std::cerr << "levin: " << error.what() << std::endl;
    return 1;
  }
}
