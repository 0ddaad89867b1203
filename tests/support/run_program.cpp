#include "tests/support/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <sstream>

#include "base/unique_fd.h"

namespace levin::test {
namespace {

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Pipe make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

[[noreturn]] void become(const std::vector<std::string>& argv, const ProgramOptions& options,
                         const Pipe& in, const Pipe& out, const Pipe& err) {
  ::dup2(in.read_end.get(), STDIN_FILENO);
  ::dup2(out.write_end.get(), STDOUT_FILENO);
  ::dup2(err.write_end.get(), STDERR_FILENO);
  if (!options.folder.empty() && ::chdir(options.folder.c_str()) != 0) ::_exit(125);
  for (const auto& [name, value] : options.environment) {
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  std::vector<char*> pointers;
  for (const std::string& word : argv) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  ::execvp(pointers[0], pointers.data());
  ::_exit(127);
}

// Appends what is there; closes the end at end of file.
void drain(UniqueFd& fd, std::string& text) {
  char buffer[65536];
  const ssize_t count = ::read(fd.get(), buffer, sizeof buffer);
  if (count > 0) {
    text.append(buffer, static_cast<size_t>(count));
  } else {
    fd.reset();
  }
}

void feed(UniqueFd& fd, std::string_view& rest) {
  const ssize_t count = rest.empty() ? 0 : ::write(fd.get(), rest.data(), rest.size());
  if (count <= 0) {
    fd.reset();
  } else {
    rest.remove_prefix(static_cast<size_t>(count));
  }
}

}  // namespace

ProgramRun run_program(const std::vector<std::string>& argv, const ProgramOptions& options) {
  ProgramRun run;
  Pipe in = make_pipe();
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  const pid_t child = ::fork();
  if (child == 0) become(argv, options, in, out, err);
  if (child < 0) return run;
  in.read_end.reset();
  out.write_end.reset();
  err.write_end.reset();
  std::string_view rest = options.standard_input;
  bool signalled = options.signal_number == 0;
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(options.seconds_max);
  while (out.read_end || err.read_end) {
    if (std::chrono::steady_clock::now() > deadline) {
      run.timed_out = true;
      ::kill(child, SIGKILL);
      break;
    }
    pollfd fds[] = {{out.read_end.get(), POLLIN, 0},
                    {err.read_end.get(), POLLIN, 0},
                    {in.write_end.get(), POLLOUT, 0}};
    ::poll(fds, 3, 50);
    if (fds[0].revents != 0) drain(out.read_end, run.out);
    if (fds[1].revents != 0) drain(err.read_end, run.err);
    if (fds[2].revents != 0) feed(in.write_end, rest);
    if (!signalled && run.out.find(options.signal_after) != std::string::npos) {
      signalled = true;
      ::kill(child, options.signal_number);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!run.timed_out) {
    run.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return run;
}

bool has_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((folder + "/" + name).c_str(), X_OK) == 0) return true;
  }
  return false;
}

}  // namespace levin::test
