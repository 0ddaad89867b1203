// clone(CLONE_VM | CLONE_VFORK): the child borrows the init's memory until it execs, so it may only
// make system calls on what was prepared for it; and the init learns for free whether exec worked.
#include "sandbox/warden/command_exec.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "sandbox/warden/system.h"

namespace levin::sandbox {
namespace {

constexpr size_t kStackBytes = 64 * 1024;
constexpr int kParkedFdMin = 128;  // Above every wanted number.

struct ChildPlan {
  const std::vector<char*>* programs = nullptr;
  char* const* argv = nullptr;
  char* const* environment = nullptr;
  char** shell_argv = nullptr;  // Of /bin/sh for a script without "#!"; [1] is set by the child.
  const char* working_folder = nullptr;
  const std::vector<int>* fds = nullptr;
  int landlock = -1;
  sock_fprog filter{};
  bool pty = false;
  int niceness = 0;
  rlimit core{}, file_size{}, open_files{}, processes{}, cpu{};
  bool limit_cpu = false;
  // Written by the child; it shares our memory.
  const char* failed_step = nullptr;
  int failed_errno = 0;
  bool exec_failed = false;
  int exec_errno = 0;
};

rlimit capped(int resource, int64_t value) {
  rlimit current{};
  if (::getrlimit(resource, &current) != 0) current.rlim_max = RLIM_INFINITY;
  const auto wanted = std::min(static_cast<rlim_t>(value), current.rlim_max);
  return {wanted, wanted};
}

// Two passes: a descriptor that is still needed must not be overwritten by an earlier one.
bool place_fds(const std::vector<int>& fds) {
  int parked[kParkedFdMin];
  const int count = static_cast<int>(fds.size());
  for (int index = 0; index < count; ++index) {
    parked[index] = ::fcntl(fds[static_cast<size_t>(index)], F_DUPFD, kParkedFdMin);
    if (parked[index] < 0) return false;
  }
  for (int index = 0; index < count; ++index) {
    if (::dup2(parked[index], index) < 0) return false;
  }
  return true;
}

// Tries each candidate as a shell does: the first that exists decides, except that one without
// permission does not hide a later one.
void execute(ChildPlan& plan) {
  plan.exec_errno = ENOENT;
  for (char* program : *plan.programs) {
    if (program == nullptr) break;
    ::execve(program, plan.argv, plan.environment);
    if (errno == ENOEXEC) {
      plan.shell_argv[1] = program;
      ::execve("/bin/sh", plan.shell_argv, plan.environment);
    }
    if (errno == ENOENT || errno == ENOTDIR) continue;
    plan.exec_errno = errno;
    if (errno != EACCES) break;
  }
}

bool set_limits(const ChildPlan& plan) {
  return ::setrlimit(RLIMIT_CORE, &plan.core) == 0 &&
         ::setrlimit(RLIMIT_FSIZE, &plan.file_size) == 0 &&
         ::setrlimit(RLIMIT_NOFILE, &plan.open_files) == 0 &&
         ::setrlimit(RLIMIT_NPROC, &plan.processes) == 0 &&
         (!plan.limit_cpu || ::setrlimit(RLIMIT_CPU, &plan.cpu) == 0);
}

// Handlers become defaults by exec, but ignored signals stay ignored: a command must see SIGPIPE.
void reset_signals() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

int child_main(void* argument) {
  auto& plan = *static_cast<ChildPlan*>(argument);
  const auto fail = [&plan](const char* step) {
    plan.failed_step = step;
    plan.failed_errno = errno;
    ::_exit(127);
  };
  if (::setsid() < 0) fail("setsid");
  // Before its descriptor is overwritten by one of the command's.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("no_new_privs");
  if (plan.landlock >= 0 && ::syscall(SYS_landlock_restrict_self, plan.landlock, 0U) != 0) {
    fail("landlock_restrict_self");
  }
  if (!place_fds(*plan.fds)) fail("dup2");
  if (plan.pty && ::ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0) fail("taking the terminal");
  if (::chdir(plan.working_folder) != 0) fail("entering the working folder");
  ::setpriority(PRIO_PROCESS, 0, plan.niceness);
  if (!set_limits(plan)) fail("setrlimit");
  const auto first = static_cast<unsigned>(plan.fds->size());
  if (::syscall(SYS_close_range, first, UINT_MAX, 0U) != 0) fail("close_range");
  if (!drop_privileges()) fail("dropping capabilities");
  reset_signals();
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0U, &plan.filter) != 0) fail("seccomp");
  execute(plan);
  plan.exec_failed = true;
  ::_exit(127);
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> list;
  for (const std::string& word : words) list.push_back(const_cast<char*>(word.c_str()));
  list.push_back(nullptr);
  return list;
}

}  // namespace

bool drop_privileges() {
  for (int capability = 0; capability <= 63; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
      if (errno == EINVAL) break;  // Beyond the last one that this kernel knows.
      return false;
    }
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return ::syscall(SYS_capset, &header, none) == 0;
}

Result<ExecOutcome> start_command(const CellContext& context, const CommandPlan& plan,
                                  const std::vector<int>& fds) {
  const std::vector<char*> argv = pointers(plan.argv);
  const std::vector<char*> environment = pointers(plan.environment);
  const std::vector<char*> programs = pointers(plan.programs);
  std::string shell = "/bin/sh";
  std::vector<char*> shell_argv = {shell.data(), nullptr};
  shell_argv.insert(shell_argv.end(), argv.begin() + 1, argv.end());
  ChildPlan child;
  child.programs = &programs;
  child.argv = argv.data();
  child.environment = environment.data();
  child.shell_argv = shell_argv.data();
  child.working_folder = plan.working_folder.c_str();
  child.fds = &fds;
  child.landlock = context.landlock.get();
  child.filter.len =
      static_cast<unsigned short>(context.seccomp_filter.size() / sizeof(sock_filter));
  child.filter.filter =
      reinterpret_cast<sock_filter*>(const_cast<char*>(context.seccomp_filter.data()));
  child.pty = plan.pty;
  child.niceness = static_cast<int>(plan.niceness);
  child.file_size = capped(RLIMIT_FSIZE, plan.file_size_bytes_max);
  child.open_files = capped(RLIMIT_NOFILE, plan.open_files_max);
  child.processes = capped(RLIMIT_NPROC, plan.processes_max);
  // The kernel's own limit counts whole ticks and may strike long before that much has run, so it
  // only stands behind the init, which counts what really ran.
  const auto seconds = static_cast<rlim_t>((plan.cpu_ms_max + 999) / 1000);
  child.limit_cpu = plan.cpu_ms_max > 0;
  child.cpu = {2 * seconds + 1, 2 * seconds + 2};
  void* stack = ::mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return system_error("stack of a command");
  const pid_t pid = ::clone(child_main, static_cast<char*>(stack) + kStackBytes,
                            CLONE_VM | CLONE_VFORK | SIGCHLD, &child);
  if (pid < 0) return system_error("clone");
  if (child.failed_step != nullptr) {
    errno = child.failed_errno;
    return system_error(child.failed_step);
  }
  return ExecOutcome{pid, child.exec_failed ? child.exec_errno : 0};
}

}  // namespace levin::sandbox
