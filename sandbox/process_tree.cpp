#include "sandbox/process_tree.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "base/file_io.h"

namespace levin::sandbox {
namespace {

constexpr size_t kStatBytesMax = 64 * 1024;

std::optional<ProcessEntry> read_entry(pid_t pid) {
  auto content = read_file("/proc/" + std::to_string(pid) + "/stat", kStatBytesMax);
  if (!content) return std::nullopt;
  // proc(5): the name in brackets may hold anything, so the fields are counted from the last one.
  const size_t after_name = content->rfind(") ");
  if (after_name == std::string::npos) return std::nullopt;
  ProcessEntry entry;
  entry.pid = pid;
  int group = 0;
  const int count =
      std::sscanf(content->c_str() + after_name + 2,
                  "%c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
                  "%*d %*d %llu",
                  &entry.state, &entry.parent, &group, &entry.session, &entry.start_time);
  constexpr int kFieldsWanted = 5;
  return count == kFieldsWanted ? std::optional(entry) : std::nullopt;
}

void for_each_pid(const std::function<void(pid_t)>& visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc"), ::closedir);
  if (!folder) return;
  while (const dirent* item = ::readdir(folder.get())) {
    pid_t pid = 0;
    const char* end = item->d_name + std::strlen(item->d_name);
    const auto parsed = std::from_chars(item->d_name, end, pid);
    if (parsed.ec == std::errc() && parsed.ptr == end) visit(pid);
  }
}

}  // namespace

std::vector<ProcessEntry> tree_of(pid_t root, pid_t session) {
  std::vector<ProcessEntry> all;
  for_each_pid([&](pid_t pid) {
    if (const auto entry = read_entry(pid)) all.push_back(*entry);
  });
  std::unordered_set<pid_t> members = {root};
  // A child may be listed before its parent: repeat until a round finds nothing new. Each round
  // adds at least one of finitely many.
  for (bool grown = true; grown;) {
    grown = false;
    for (const ProcessEntry& entry : all) {
      const bool belongs =
          members.contains(entry.parent) || (session != 0 && entry.session == session);
      if (belongs && members.insert(entry.pid).second) grown = true;
    }
  }
  std::erase_if(all, [&](const ProcessEntry& entry) {
    return !members.contains(entry.pid) || entry.pid == root || entry.state == 'Z' ||
           entry.state == 'X';
  });
  return all;
}

std::vector<ProcessEntry> still_alive(const std::vector<ProcessEntry>& processes) {
  std::vector<ProcessEntry> alive;
  for (const ProcessEntry& process : processes) {
    const auto now = read_entry(process.pid);
    if (!now || now->start_time != process.start_time) continue;
    if (now->state != 'Z' && now->state != 'X') alive.push_back(*now);
  }
  return alive;
}

UniqueFd open_pidfd(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
}

void signal_pidfd(const UniqueFd& pidfd, int signal_number) {
  // The process may be gone already: nothing to do then.
  if (pidfd) ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal_number, nullptr, 0U);
}

void signal_processes(const std::vector<ProcessEntry>& processes, int signal_number) {
  for (const ProcessEntry& process : processes) {
    const UniqueFd pidfd = open_pidfd(process.pid);
    // The number was read a moment ago. Holding the descriptor, make sure it is still that process.
    const auto now = read_entry(process.pid);
    if (now && now->start_time == process.start_time) signal_pidfd(pidfd, signal_number);
  }
}

long user_task_count() {
  long count = 0;
  const uid_t user = ::getuid();
  for_each_pid([&](pid_t pid) {
    struct stat status {};
    const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
    // A folder has two links of its own and one per folder in it: here, one per thread.
    if (::stat(tasks.c_str(), &status) == 0 && status.st_uid == user) {
      count += static_cast<long>(status.st_nlink) - 2;
    }
  });
  return count;
}

}  // namespace levin::sandbox
