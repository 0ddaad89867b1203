// test: runs the workspace's own tests and says in short how they went.
#include "tools/test_command.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "tools/arguments.h"
#include "tools/entries.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

std::string content_of(const Workspace& workspace, const char* path) {
  constexpr size_t kBytesMax = 1 << 20;
  const Result<FileData> file = workspace.load(path, kBytesMax);
  return file ? file->content : "";
}

bool has_line_start(std::string_view text, std::string_view start) {
  const std::vector<std::string_view> lines = lines_of(text);
  return std::any_of(lines.begin(), lines.end(),
                     [&](std::string_view line) { return line.starts_with(start); });
}

bool has_test_script(const std::string& package) {
  const auto value = nlohmann::json::parse(package, nullptr, false);
  if (!value.is_object() || !value.contains("scripts") || !value["scripts"].is_object())
    return false;
  const auto& scripts = value["scripts"];
  // What npm init writes is no test.
  return scripts.contains("test") && scripts["test"].is_string() &&
         scripts["test"].get<std::string>().find("no test specified") == std::string::npos;
}

std::string cmake_command(const Workspace& workspace) {
  const auto presets =
      nlohmann::json::parse(content_of(workspace, "CMakePresets.json"), nullptr, false);
  if (presets.is_object() && presets.contains("testPresets") && presets["testPresets"].is_array()) {
    for (const auto& preset : presets["testPresets"]) {
      if (preset.is_object() && preset.value("hidden", false)) continue;
      if (!preset.is_object() || !preset.contains("name") || !preset["name"].is_string()) continue;
      const std::string name = preset["name"];
      if (name.find_first_not_of(
              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
          std::string::npos) {
        return "ctest --preset " + name;
      }
    }
  }
  return "ctest --test-dir build --output-on-failure";
}

// Whether a Python project has tests, and what runs them.
std::string python_command(const Workspace& workspace) {
  const bool pytest = !content_of(workspace, "pytest.ini").empty() ||
                      !content_of(workspace, "conftest.py").empty() ||
                      content_of(workspace, "pyproject.toml").find("pytest") != std::string::npos ||
                      content_of(workspace, "setup.cfg").find("[tool:pytest]") != std::string::npos;
  if (pytest) return "python3 -m pytest -q";
  for (const char* folder : {"tests", "test", "."}) {
    const Result<Place> place = workspace.find(folder);
    if (!place || !place->is_folder()) continue;
    const auto entries = workspace.list_folder(*place);
    if (!entries) continue;
    for (const FolderEntry& entry : *entries) {
      if (!entry.name.starts_with("test") || !entry.name.ends_with(".py")) continue;
      const std::string where(folder);
      return "python3 -m unittest" + (where == "." ? "" : " discover -s " + where);
    }
  }
  return "";
}

bool tells_of_failure(std::string_view line) {
  constexpr std::array<std::string_view, 12> kMarks = {
      "FAILED",      "FAIL:",   "ERROR:",    "--- FAIL", "not ok ", "AssertionError",
      "panicked at", "Failure", "***Failed", "✗",        "✕",       "error:"};
  return std::any_of(kMarks.begin(), kMarks.end(), [&](std::string_view mark) {
    return line.find(mark) != std::string_view::npos;
  });
}

bool counts(std::string_view line) {
  constexpr std::array<std::string_view, 8> kMarks = {
      " passed", " failed", "Ran ", "tests passed", "Tests:", "test result:", "# pass", "# fail"};
  if (line.find_first_of("0123456789") == std::string_view::npos) return false;
  return std::any_of(kMarks.begin(), kMarks.end(), [&](std::string_view mark) {
    return line.find(mark) != std::string_view::npos;
  });
}

ToolResult run_test(const nlohmann::json& value, ToolContext& context) {
  Arguments arguments("test", kTestExample, value);
  std::string command = arguments.text_or("command", "");
  const int64_t timeout_s = arguments.whole_number_or("timeout_s", 600, 1);
  if (arguments.failed()) return failure(arguments.problem());
  if (command.empty()) command = context.test_command;
  if (command.empty()) command = find_test_command(context.workspace);
  if (command.empty()) {
    return failure("E_ARGS test: no test command found; give \"command\", or use bash.");
  }
  ToolResult result =
      bash_tool().run(nlohmann::json{{"command", command}, {"timeout_s", timeout_s}}, context);
  if (!result.is_command) return result;
  const size_t line = std::min(result.text.find('\n'), result.text.size());
  const std::string first = result.text.substr(0, line) + " (" + command + ')';
  const std::string output = result.text.substr(std::min(line + 1, result.text.size()));
  const std::string summary = test_summary(output);
  // Failures need their context; a good run needs its counts alone.
  if (result.exit_code == 0) {
    result.text = first + (summary.empty() ? "" : '\n' + summary);
  } else {
    result.text = first + (summary.empty() ? "" : '\n' + summary + "\n---") +
                  (output.empty() ? "" : '\n' + output);
  }
  return result;
}

}  // namespace

std::string find_test_command(const Workspace& workspace) {
  for (const char* name : {"GNUmakefile", "Makefile", "makefile"}) {
    const std::string makefile = content_of(workspace, name);
    if (has_line_start(makefile, "test:")) return "make test";
    if (has_line_start(makefile, "check:")) return "make check";
  }
  if (has_test_script(content_of(workspace, "package.json"))) return "npm test --silent";
  if (!content_of(workspace, "Cargo.toml").empty()) return "cargo test --quiet";
  if (!content_of(workspace, "go.mod").empty()) return "go test ./...";
  if (!content_of(workspace, "CMakeLists.txt").empty()) return cmake_command(workspace);
  return python_command(workspace);
}

std::string test_summary(std::string_view output) {
  std::string failures;
  std::string totals;
  size_t shown = 0;
  size_t left_out = 0;
  for (const std::string_view line : lines_of(output)) {
    if (counts(line)) {
      totals += (totals.empty() ? "" : "\n") + shown_line(line);
    } else if (tells_of_failure(line)) {
      if (++shown > kFailureLinesMax) {
        ++left_out;
      } else {
        failures += (failures.empty() ? "" : "\n") + shown_line(line);
      }
    }
  }
  if (left_out > 0) failures += "\n... " + std::to_string(left_out) + " more lines of failures ...";
  if (failures.empty() || totals.empty()) return failures + totals;
  return failures + '\n' + totals;
}

ToolEntry test_tool() {
  return {"test", std::string(kTestExample), run_test};
}

}  // namespace levin::tools
