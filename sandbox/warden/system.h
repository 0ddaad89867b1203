// Thin names for system calls that the C library lacks, and errors that name the step.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace levin::sandbox {

// kIo with `step` and errno in words.
Error system_error(const std::string& step);

// openat2(2): O_PATH | O_CLOEXEC with `resolve` flags of <linux/openat2.h>.
UniqueFd open_path(int folder, const char* path, uint64_t resolve);

// open_tree(2) of the descriptor itself, cloned with all below it.
UniqueFd clone_tree(int fd);

// mount_setattr(2) on the mount of `fd`; with all below it when `recursive`.
bool set_mount_attributes(int fd, uint64_t set, bool recursive);

// move_mount(2) of a detached tree onto what `target` refers to.
bool attach(int tree, int target);

// Writes a short text to an existing file. False with errno on failure.
bool write_text_file(const char* path, const std::string& text);

}  // namespace levin::sandbox
