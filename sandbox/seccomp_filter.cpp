#include "sandbox/seccomp_filter.h"

#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <memory>

#include "sandbox/wire.h"

namespace levin::sandbox {
namespace {

constexpr uint64_t kLow32 = 0xffffffff;  // The kernel looks at these bits alone.

// By name, because the headers of the build machine may lack the newest; unknown ones are passed.
constexpr const char* kForbidden[] = {
    // Mounts and roots.
    "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsconfig",
    "fsmount", "fspick", "mount_setattr", "open_tree_attr", "setns",
    // Other processes.
    "pidfd_getfd", "kcmp", "process_madvise",
    // Large interfaces that ordinary programs do without.
    "io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd", "bpf",
    "perf_event_open", "fanotify_init", "lookup_dcookie",
    // Keys are not bound to a namespace.
    "add_key", "request_key", "keyctl",
    // The machine.
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
    "create_module", "query_module", "get_kernel_syms", "reboot", "swapon", "swapoff",
    "open_by_handle_at", "quotactl", "quotactl_fd", "acct", "syslog", "settimeofday",
    "clock_settime", "clock_adjtime", "adjtimex", "stime", "iopl", "ioperm", "nfsservctl",
    "vhangup", "_sysctl", "uselib", "ustat", "sysfs", "set_mempolicy_home_node", "move_pages",
    "migrate_pages", "vm86", "vm86old", "modify_ldt"};

constexpr const char* kTracing[] = {"ptrace", "process_vm_readv", "process_vm_writev"};

constexpr uint64_t kNamespaceFlags[] = {CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,   CLONE_NEWUSER,
                                        CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP};

class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_ALLOW), ::seccomp_release) {}
  bool valid() const { return context_ != nullptr && failed_ == 0; }
  int failed() const { return failed_; }

  void set(scmp_filter_attr attribute, uint32_t value) {
    note(::seccomp_attr_set(context_.get(), attribute, value));
  }
  void deny(const char* name, uint32_t action = SCMP_ACT_ERRNO(EPERM)) {
    const int number = ::seccomp_syscall_resolve_name(name);
    // Negative numbers are calls of other architectures.
    if (number >= 0) note(::seccomp_rule_add(context_.get(), action, number, 0));
  }
  void deny_if(const char* name, std::initializer_list<scmp_arg_cmp> conditions) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number < 0) return;
    note(::seccomp_rule_add_array(context_.get(), SCMP_ACT_ERRNO(EPERM), number,
                                  static_cast<unsigned>(conditions.size()), conditions.begin()));
  }
  Result<std::string> bytes() const;

 private:
  void note(int status) {
    if (status != 0 && failed_ == 0) failed_ = -status;
  }
  std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
  int failed_ = 0;
};

Result<std::string> Filter::bytes() const {
  const auto error = [](int number) {
    return Error(ErrorCode::kUnsupported,
                 std::string("seccomp: libseccomp: ") + std::strerror(number));
  };
  if (!valid()) return error(failed_ == 0 ? ENOMEM : failed_);
  TRY_ASSIGN(const UniqueFd file, memory_file("seccomp filter", ""));
  const int status = ::seccomp_export_bpf(context_.get(), file.get());
  if (status != 0) return error(-status);
  return memory_file_bytes(file.get());
}

// Only local, IPv4, IPv6 and routing sockets. Values are compared in 64 bits, the kernel takes 32:
// whatever is set above makes the number too large and is refused.
void deny_sockets(Filter& filter) {
  for (const char* name : {"socket", "socketpair"}) {
    for (uint64_t family = 0; family <= AF_NETLINK; ++family) {
      const bool allowed =
          family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK;
      if (!allowed) filter.deny_if(name, {SCMP_A0(SCMP_CMP_EQ, family)});
    }
    filter.deny_if(name, {SCMP_A0(SCMP_CMP_GT, AF_NETLINK)});
    filter.deny_if(name, {SCMP_A0(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2(SCMP_CMP_NE, NETLINK_ROUTE)});
  }
}

void deny_terminal_tricks(Filter& filter) {
  constexpr uint64_t kLinux = 0x541c;  // TIOCLINUX
  for (const uint64_t request : {uint64_t{TIOCSTI}, kLinux, uint64_t{TIOCSETD}}) {
    filter.deny_if("ioctl", {SCMP_A1(SCMP_CMP_MASKED_EQ, kLow32, request)});
  }
}

// Allowed are 0, 8 (PER_LINUX32) and 0xffffffff (a question). A rule may look at an argument once,
// so "none of the three" is spelled by pairs: of the 31 bits without bit 3, taken as a ring, every
// other value has a set bit followed by a clear one; or they are all set and bit 3 is not.
void deny_personality(Filter& filter) {
  constexpr uint64_t kBit3 = 8;
  const auto next = [](int bit) { return (bit + 1) % 32 == 3 ? 4 : (bit + 1) % 32; };
  for (int bit = 0; bit < 32; ++bit) {
    if (bit == 3) continue;
    const uint64_t set = uint64_t{1} << bit;
    const uint64_t clear = uint64_t{1} << next(bit);
    filter.deny_if("personality", {SCMP_A0(SCMP_CMP_MASKED_EQ, set | clear, set)});
  }
  filter.deny_if("personality", {SCMP_A0(SCMP_CMP_MASKED_EQ, kLow32, kLow32 & ~kBit3)});
}

}  // namespace

Result<std::string> build_seccomp_filter(const SeccompOptions& options) {
  Filter filter;
  if (!filter.valid()) return Error(ErrorCode::kUnsupported, "seccomp: libseccomp has no memory");
  filter.set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  filter.set(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // A tree of comparisons, not a list.
  for (const char* name : kForbidden) filter.deny(name);
  if (!options.debugging) {
    for (const char* name : kTracing) filter.deny(name);
  }
  filter.deny("clone3", SCMP_ACT_ERRNO(ENOSYS));
  if (!options.nested_namespaces) {
    filter.deny("unshare");
    for (const uint64_t flag : kNamespaceFlags) {
      filter.deny_if("clone", {SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag)});
    }
  }
  deny_sockets(filter);
  deny_terminal_tricks(filter);
  deny_personality(filter);
  return filter.bytes();
}

}  // namespace levin::sandbox
