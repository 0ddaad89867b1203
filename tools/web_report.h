// How a check of a web app ended. The same app gives the same report, to the byte: times, ports and
// whatever else differs between runs stay out of it (they are in trace.jsonl).
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace levin::tools {

struct WebOutcome {
  std::string name;
  bool passed = false;
  std::string message;                   // Why not: what was expected and what was found.
  std::vector<std::string> screenshots;  // File names in the report folder.
};

struct WebReport {
  std::string spec;
  std::string entry;  // The page, relative to the folder; the URL where one was given.
  std::vector<WebOutcome> outcomes;
  std::vector<std::string> console_errors;
  std::vector<std::string> failed_requests;
  std::vector<std::string> surprises;
  std::string outline;  // Headings, controls and the first words of the page.

  size_t num_failed() const;
  bool passed() const { return num_failed() == 0; }
};

nlohmann::ordered_json to_json(const WebReport& report);

// For a model or a person: first line "PASS 9 of 9" or "FAIL 2 of 9", then what failed and why.
std::string to_text(const WebReport& report);

}  // namespace levin::tools
