#include <algorithm>

#include <nlohmann/json.hpp>

#include "tools/web_report.h"

namespace levin::tools {
namespace {

constexpr size_t kTextEntriesMax = 3;  // Of each list in the text; the rest is in report.json.

void add_list(std::string& text, const char* title, const std::vector<std::string>& list) {
  if (list.empty()) return;
  text += std::string("\n") + title + ": ";
  for (size_t i = 0; i < list.size() && i < kTextEntriesMax; ++i) {
    text += (i == 0 ? "" : " | ") + list[i];
  }
  if (list.size() > kTextEntriesMax) {
    text += " | and " + std::to_string(list.size() - kTextEntriesMax) + " more";
  }
}

}  // namespace

size_t WebReport::num_failed() const {
  return static_cast<size_t>(
      std::ranges::count_if(outcomes, [](const WebOutcome& each) { return !each.passed; }));
}

nlohmann::ordered_json to_json(const WebReport& report) {
  nlohmann::ordered_json checks = nlohmann::ordered_json::array();
  for (const WebOutcome& outcome : report.outcomes) {
    checks.push_back({{"name", outcome.name},
                      {"passed", outcome.passed},
                      {"message", outcome.message},
                      {"screenshots", outcome.screenshots}});
  }
  return {{"spec", report.spec},
          {"entry", report.entry},
          {"passed", report.passed()},
          {"checks_passed", report.outcomes.size() - report.num_failed()},
          {"checks_failed", report.num_failed()},
          {"checks", checks},
          {"console_errors", report.console_errors},
          {"failed_requests", report.failed_requests},
          {"surprises", report.surprises},
          {"page", report.outline}};
}

std::string to_text(const WebReport& report) {
  const size_t total = report.outcomes.size();
  const size_t failed = report.num_failed();
  std::string text = failed == 0 ? "PASS " + std::to_string(total) + " of " + std::to_string(total)
                                 : "FAIL " + std::to_string(failed) + " of " + std::to_string(total);
  text += " checks (" + report.spec + ") of " + report.entry;
  for (const WebOutcome& outcome : report.outcomes) {
    if (!outcome.passed) text += "\nfailed: " + outcome.name + ": " + outcome.message;
  }
  add_list(text, "console", report.console_errors);
  add_list(text, "requests", report.failed_requests);
  add_list(text, "unasked", report.surprises);
  if (failed > 0 && !report.outline.empty()) text += "\npage: " + report.outline;
  return text;
}

}  // namespace levin::tools
