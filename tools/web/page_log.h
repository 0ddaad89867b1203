// What a page did besides what it was asked, in words without anything that differs from run to run
// (port, token, time).
#pragma once

#include <string>
#include <vector>

namespace levin::tools::web {

inline constexpr size_t kLogEntriesMax = 50;  // Of each kind; more are only counted.

struct PageLog {
  std::vector<std::string> console_errors;   // Uncaught exceptions, console.error, refused by policy.
  std::vector<std::string> failed_requests;  // Answers of 400 and more; everything from elsewhere.
  // "dialog", "download", "navigation", "popup", "crash", "hang", "flood", then what it was.
  std::vector<std::string> surprises;

  void add(std::vector<std::string>& list, std::string text) {
    if (list.size() < kLogEntriesMax) list.push_back(std::move(text));
  }
};

}  // namespace levin::tools::web
