// Which system calls a command may make. Built once per cell by libseccomp and handed to the warden
// as bytes, so that the warden needs no library.
#pragma once

#include <string>

#include "base/result.h"

namespace levin::sandbox {

struct SeccompOptions {
  bool debugging = false;          // ptrace and process_vm_* are allowed.
  bool nested_namespaces = false;  // clone and unshare of namespaces are allowed.
};

// struct sock_filter[] as bytes. Foreign ABIs (i386, x32) kill the process; clone3 is unknown
// (ENOSYS, so that the C library falls back to clone, whose flags can be looked at); the rest of
// what is forbidden gives EPERM. Errors: kUnsupported when libseccomp cannot build it.
Result<std::string> build_seccomp_filter(const SeccompOptions& options);

}  // namespace levin::sandbox
