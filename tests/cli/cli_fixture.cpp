#include "tests/cli/cli_fixture.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

namespace levin::cli {

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string call(const std::string& name, const Json& arguments) {
  return Json{{"name", name}, {"arguments", arguments}}.dump();
}

std::string block(const std::vector<std::string>& lines) {
  std::string text = "<tool_calls>\n";
  for (const std::string& line : lines) text += line + "\n";
  return text + "</tool_calls>";
}

fs::path data_folder() {
  return fs::path(LEVIN_PROGRAM).parent_path().parent_path() / "share/levin";
}

std::vector<Json> Told::of_type(const std::string& type) const {
  std::vector<Json> found;
  for (const Json& event : events) {
    if (event["type"] == type) found.push_back(event);
  }
  return found;
}

std::vector<Json> Told::items(const std::string& event_type, const std::string& item_type) const {
  std::vector<Json> found;
  for (const Json& event : of_type(event_type)) {
    if (item_type.empty() || event["item"]["type"] == item_type) found.push_back(event["item"]);
  }
  return found;
}

std::vector<std::string> Told::results() const {
  std::vector<std::string> texts;
  for (const Json& record : records) {
    if (record["type"] == "result") texts.push_back(record["text"]);
  }
  return texts;
}

std::vector<int> Told::token_log() const {
  std::vector<int> ids;
  for (const Json& record : records) {
    if (record["type"] != "tokens") continue;
    for (const Json& id : record["ids"]) ids.push_back(id);
  }
  return ids;
}

void CliTest::SetUp() {
  std::string pattern = (fs::temp_directory_path() / "levin-cli-XXXXXX").string();
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  root_ = fs::canonical(pattern);
  home_ = root_ / "home";
  repository_ = root_ / "repository";
  fs::create_directories(repository_);
}

void CliTest::TearDown() {
  std::error_code error;
  fs::remove_all(root_, error);
  EXPECT_FALSE(error) << root_ << ": " << error.message();
}

std::vector<std::pair<std::string, std::string>> CliTest::environment() const {
  return {{"LEVIN_HOME", home_.string()},
          {"GIT_CONFIG_GLOBAL", "/dev/null"},
          {"GIT_CONFIG_NOSYSTEM", "1"}};
}

void CliTest::make_repository(const std::map<std::string, std::string>& files) {
  for (const auto& [name, text] : files) write_text(repository_ / name, text);
  test::ProgramOptions options;
  options.folder = repository_.string();
  options.environment = environment();
  const test::ProgramRun git =
      test::run_program({"sh", "-c",
                         "git init -q . && git config user.name tester && "
                         "git config user.email tester@example.com && git add -A && "
                         "git commit -q --allow-empty -m start"},
                        options);
  ASSERT_EQ(git.exit_code, 0) << git.err;
}

void CliTest::make_repository_from(const fs::path& folder) {
  fs::copy(folder, repository_, fs::copy_options::recursive);
  make_repository({});
}

std::string CliTest::git_status() const {
  test::ProgramOptions options;
  options.folder = repository_.string();
  options.environment = environment();
  return test::run_program({"git", "status", "--porcelain"}, options).out;
}

test::ProgramRun CliTest::levin(const std::vector<std::string>& arguments,
                                test::ProgramOptions options) const {
  std::vector<std::string> argv = {LEVIN_PROGRAM};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  if (options.folder.empty()) options.folder = repository_.string();
  const auto ours = environment();
  options.environment.insert(options.environment.begin(), ours.begin(), ours.end());
  return test::run_program(argv, options);
}

Told CliTest::read_told(test::ProgramRun program, const fs::path& state) const {
  Told told;
  told.program = std::move(program);
  std::istringstream lines(told.program.out);
  for (std::string line; std::getline(lines, line);) {
    Json event = Json::parse(line, nullptr, false);
    EXPECT_TRUE(event.is_object()) << "stdout holds more than JSON: " << line;
    if (event.is_object()) told.events.push_back(std::move(event));
  }
  if (told.events.empty()) return told;
  told.transcript = state / "sessions" / told.events.front().value("id", "?") / "transcript.jsonl";
  std::ifstream file(told.transcript, std::ios::binary);
  for (std::string line; std::getline(file, line);) {
    Json record = Json::parse(line, nullptr, false);
    EXPECT_TRUE(record.is_object()) << told.transcript << ": " << line;
    if (record.is_object()) told.records.push_back(std::move(record));
  }
  return told;
}

Told CliTest::run(const std::vector<std::string>& arguments, test::ProgramOptions options) {
  std::vector<std::string> all = {"run", "--json"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  Told told = read_told(levin(all, std::move(options)), home_ / "state");
  check_contract(told);
  return told;
}

Told CliTest::run_script(const std::vector<std::string>& replies,
                         const std::vector<std::string>& arguments,
                         const test::ProgramOptions& options) {
  std::vector<std::string> all = {"--model", script(replies)};
  all.insert(all.end(), arguments.begin(), arguments.end());
  all.push_back("Please help.");
  return run(all, options);
}

std::string CliTest::script(const std::vector<std::string>& replies) const {
  std::vector<Json> lines;
  for (const std::string& reply : replies) lines.push_back({{"text", reply}});
  return script_lines(lines);
}

std::string CliTest::script_lines(const std::vector<Json>& lines) const {
  std::string text;
  for (const Json& line : lines) text += line.dump() + "\n";
  write_text(root_ / "script.jsonl", text);
  return "script:" + (root_ / "script.jsonl").string();
}

std::string CliTest::detokenize(const std::vector<int>& ids) const {
  test::ProgramOptions options;
  options.standard_input = Json(ids).dump() + "\n";
  const test::ProgramRun run =
      levin({"debug", "detokenize", "--tokenizer", (embedded_model() / "tokenizer.json").string()},
            options);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const Json text = Json::parse(run.out, nullptr, false);
  EXPECT_TRUE(text.is_string()) << run.out;
  return text.is_string() ? text.get<std::string>() : "";
}

namespace {

// Step numbers, item types and ids; figures of the `state` events are checked apart.
void check_items(const Told& told, int num_states) {
  const std::set<std::string> types = {"message", "reasoning", "command", "file_change", "tool"};
  std::set<std::string> completed;
  int step = 1;
  for (const Json& event : told.events) {
    if (!has(event["type"], "item.")) continue;
    ASSERT_TRUE(event.contains("step")) << event;
    EXPECT_GE(event["step"].get<int>(), step) << event;
    EXPECT_LE(event["step"].get<int>(), std::max(num_states, 1)) << event;
    step = event["step"];
    EXPECT_EQ(types.count(event["item"]["type"]), 1u) << event;
    const std::string id = event["item"]["id"];
    EXPECT_EQ(completed.count(id), 0u) << "after its end: " << event;
    if (event["type"] == "item.completed") completed.insert(id);
  }
}

// Each reply's figures against the ids in the transcript up to its own `state` record.
void check_states(const Told& told) {
  const std::vector<Json> states = told.of_type("state");
  size_t seen = 0;
  int64_t log = 0;
  int64_t before = 0;
  for (const Json& record : told.records) {
    if (record["type"] == "tokens") log += static_cast<int64_t>(record["ids"].size());
    if (record["type"] != "state") continue;
    ASSERT_LT(seen, states.size());
    const Json& state = states[seen++];
    EXPECT_EQ(state["step"], seen);
    // The first reply may find the stored state of the prefix, and of no more.
    if (seen == 1) before = state["reused"];
    EXPECT_EQ(state["reused"], before) << "prefilled twice: " << state;
    const int64_t sum = state["reused"].get<int64_t>() + state["prefilled"].get<int64_t>() +
                        state["generated"].get<int64_t>();
    EXPECT_EQ(sum, log) << state;
    EXPECT_EQ(record["prefilled"], state["prefilled"]);
    before = sum;
  }
  EXPECT_EQ(seen, states.size());
}

void check_usage(const Told& told) {
  const Json usage = told.last().value("usage", Json());
  ASSERT_TRUE(usage.is_object()) << told.program.out;
  std::map<std::string, int64_t> sums;
  for (const Json& state : told.of_type("state")) {
    for (const char* key : {"reused", "prefilled", "generated"}) sums[key] += state[key].get<int>();
  }
  for (const char* key : {"reused", "prefilled", "generated"}) EXPECT_EQ(usage[key], sums[key]);
  EXPECT_EQ(usage["steps"], told.of_type("state").size());
  for (const char* key : {"tool_calls", "files_changed", "wall_ms", "tokens_per_second",
                          "prefill_tokens_per_second"}) {
    EXPECT_TRUE(usage.contains(key)) << key;
  }
}

}  // namespace

void check_contract(const Told& told) {
  ASSERT_FALSE(told.events.empty()) << told.program.err;
  EXPECT_EQ(told.events.front()["type"], "thread.started");
  EXPECT_TRUE(told.events.front()["id"].is_string());
  EXPECT_EQ(told.of_type("thread.started").size(), 1u);
  const bool done = told.program.exit_code == 0;
  EXPECT_EQ(told.last()["type"], done ? "run.completed" : "run.failed");
  EXPECT_EQ(told.of_type("run.completed").size() + told.of_type("run.failed").size(), 1u);
  EXPECT_EQ(told.reason().empty(), done);
  check_items(told, static_cast<int>(told.of_type("state").size()));
  check_usage(told);
  if (told.reason() == "io") return;  // The transcript could not be written to its end.
  check_states(told);
  ASSERT_FALSE(told.records.empty()) << told.transcript;
  EXPECT_EQ(told.records.front()["type"], "session");
  EXPECT_EQ(told.records.front()["id"], told.events.front()["id"]);
  EXPECT_EQ(told.records.back()["type"], "end");
  EXPECT_EQ(told.records.back()["completed"], done);
  EXPECT_EQ(told.records.back()["exit_code"], told.program.exit_code);
}

}  // namespace levin::cli
