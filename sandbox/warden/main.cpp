// levin-warden: the small process that owns a cell. Started with an empty environment and one
// socket before levin grows; everything that is cloned later is cloned from here.
// Two processes: the outer one owns nothing and waits; the inner one is process 1 of the cell, so
// that the kernel ends every command with it, whatever happens.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "sandbox/warden/cell.h"
#include "sandbox/warden/system.h"
#include "sandbox/wire.h"

namespace {

using levin::Error;
using levin::ErrorCode;
using levin::Result;
using levin::UniqueFd;
using namespace levin::sandbox;  // NOLINT: a main file.

constexpr int kSocket = 3;  // warden_client.cpp puts it there.

Packet layer(const char* name) {
  Packet packet;
  packet.kind = Packet::Kind::kLayer;
  packet.set_text(name);
  return packet;
}

// One id only, mapped to itself: whoever runs us stays who they are.
Result<void> enter_user_namespace() {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  if (::unshare(CLONE_NEWUSER) != 0) return system_error("user namespace");
  // The kernel wants group lists frozen before an ordinary user may map a group.
  if (!write_text_file("/proc/self/setgroups", "deny")) return system_error("setgroups");
  const auto map = [](unsigned id) {
    return std::to_string(id) + " " + std::to_string(id) + " 1\n";
  };
  if (!write_text_file("/proc/self/gid_map", map(group))) return system_error("gid_map");
  if (!write_text_file("/proc/self/uid_map", map(user))) return system_error("uid_map");
  return send_packet(kSocket, layer("user namespace"));
}

Result<void> enter_namespaces() {
  TRY(enter_user_namespace());
  struct Step {
    int flag;
    const char* name;
  };
  for (const Step& step :
       {Step{CLONE_NEWNS, "mount namespace"}, Step{CLONE_NEWPID, "pid namespace"},
        Step{CLONE_NEWNET, "network namespace"},
        Step{CLONE_NEWIPC | CLONE_NEWUTS, "ipc and uts namespaces"}}) {
    if (::unshare(step.flag) != 0) return system_error(step.name);
    TRY(send_packet(kSocket, layer(step.name)));
  }
  return {};
}

int fail(const Error& error) {
  Packet packet;
  packet.kind = Packet::Kind::kFailed;
  packet.number = errno;
  packet.set_text(error.message());
  (void)send_packet(kSocket, packet);
  return 1;
}

// The other end closes its socket, process 1 of the cell ends, and so do we.
int wait_for(pid_t inner) {
  ::syscall(SYS_close_range, 0U, UINT_MAX, 0U);
  int status = 0;
  while (::waitpid(inner, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace

int main() {
  ::syscall(SYS_close_range, unsigned{kSocket} + 1, UINT_MAX, 0U);
  ::prctl(PR_SET_NAME, "levin-warden");
  const auto plan = receive_cell_plan(kSocket);
  if (!plan) return fail(plan.error());
  const auto entered = enter_namespaces();
  if (!entered) return fail(entered.error());
  const pid_t inner = ::fork();
  if (inner < 0) return fail(system_error("fork"));
  if (inner > 0) return wait_for(inner);
  // The outer process is single-threaded, so its death as a thread is its death.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto served = serve_cell(kSocket, *plan);
  return served ? 0 : fail(served.error());
}
