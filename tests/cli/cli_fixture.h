// Runs the built program in a scratch home and a scratch git repository, and reads back all that it
// leaves: events, exit code and transcript. Every run with --json is held to the event contract
// (docs/formats/events.md) whatever else a test asks of it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/support/run_program.h"

namespace levin::cli {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string read_text(const fs::path& path);
void write_text(const fs::path& path, const std::string& text);
inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// One call as a model writes it, and a block of them.
std::string call(const std::string& name, const Json& arguments);
std::string block(const std::vector<std::string>& lines);
inline std::string bash(const std::string& command) {
  return call("bash", {{"command", command}});
}

// Where the build put the prompts and the embedded model.
fs::path data_folder();
inline fs::path embedded_model() {
  return data_folder() / "models/levin-tiny";
}

// One `levin run --json` and what it left.
struct Told {
  test::ProgramRun program;
  std::vector<Json> events;
  std::vector<Json> records;  // Of the transcript.
  fs::path transcript;

  // Items of events of that type, in order; `item_type` empty: of all items.
  std::vector<Json> items(const std::string& event_type, const std::string& item_type = "") const;
  // Texts of the `result` records: what the model was told, in order.
  std::vector<std::string> results() const;
  // All token ids in order: the token log.
  std::vector<int> token_log() const;
  std::vector<Json> of_type(const std::string& type) const;  // Events.
  Json last() const { return events.empty() ? Json() : events.back(); }
  std::string reason() const { return last().value("reason", ""); }
};

class CliTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Makes the repository with these files committed.
  void make_repository(const std::map<std::string, std::string>& files);
  // Makes it from a folder's files.
  void make_repository_from(const fs::path& folder);

  // The program as it is, in the repository.
  test::ProgramRun levin(const std::vector<std::string>& arguments,
                         test::ProgramOptions options = {}) const;
  // `levin run --json` with these arguments; checks the contract and reads the transcript.
  Told run(const std::vector<std::string>& arguments, test::ProgramOptions options = {});
  // The same with a script of replies and a task.
  Told run_script(const std::vector<std::string>& replies,
                  const std::vector<std::string>& arguments = {},
                  const test::ProgramOptions& options = {});
  // Reads events and the transcript that they name. `state`: the state folder.
  Told read_told(test::ProgramRun program, const fs::path& state) const;

  // A script file with one reply per line; returns the value of --model.
  std::string script(const std::vector<std::string>& replies) const;
  std::string script_lines(const std::vector<Json>& lines) const;

  // Text of token ids, by `levin debug detokenize`.
  std::string detokenize(const std::vector<int>& ids) const;

  // `git status --porcelain` of the repository.
  std::string git_status() const;
  std::vector<std::pair<std::string, std::string>> environment() const;

  fs::path root_, home_, repository_;
};

// CHECKs of the contract that hold for every run.
void check_contract(const Told& told);

}  // namespace levin::cli
