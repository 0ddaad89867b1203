// Our side of a warden: starts one, asks it for commands and sockets.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/cell_plan.h"

namespace levin::sandbox {

// A layer of the cell that stands, as the warden told.
struct CellLayer {
  std::string name;
  int version = 0;
};

class WardenClient {
 public:
  // Starts levin-warden (beside the running program) by posix_spawn and waits until its cell
  // stands; `layers` gets what stood, also when a later one failed. Errors: kNotFound without the
  // program; kUnsupported with the step that failed.
  static Result<std::unique_ptr<WardenClient>> start(const CellPlan& plan,
                                                     std::vector<CellLayer>* layers);

  WardenClient(const WardenClient&) = delete;
  WardenClient& operator=(const WardenClient&) = delete;
  ~WardenClient();  // Ends the cell and everything in it.

  struct Started {
    UniqueFd control;
    UniqueFd terminal;  // The master side, when the plan has a pty.
  };
  // `fds` as the plan counts them. Returns once the command runs. Errors: kIo with the step.
  Result<Started> start_command(const CommandPlan& plan, const std::vector<int>& fds) const;

  // A TCP socket of the cell's network. Errors: kIo.
  Result<UniqueFd> make_socket(bool listening, uint16_t port) const;

  pid_t pid() const { return pid_; }

 private:
  WardenClient(pid_t pid, UniqueFd socket) : pid_(pid), socket_(std::move(socket)) {}

  pid_t pid_;
  UniqueFd socket_;
};

}  // namespace levin::sandbox
