// one_tool_agent MODEL_FOLDER SCRIPT REQUEST: the agent's loop with one tool of our own. The
// replies come from a script (docs/formats/script.md); an EngineModel in its place asks a real
// model.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include <nlohmann/json.hpp>

#include "agent/agent.h"
#include "agent/human_sink.h"
#include "agent/script_model.h"
#include "agent/session_start.h"
#include "tools/registry.h"
#include "tools/workspace.h"

namespace {

using levin::Result;
namespace agent = levin::agent;
namespace engine = levin::engine;
namespace tools = levin::tools;

// The tool. Every problem is text that a model can act on, with a code that never changes.
tools::ToolResult count_lines(const nlohmann::json& arguments, tools::ToolContext& context) {
  const auto path = arguments.find("path");
  if (path == arguments.end() || !path->is_string()) {
    return tools::failure("E_ARGS \"path\" is missing. Give the file, relative to the workspace.");
  }
  const auto file = context.workspace.load(path->get<std::string>());
  if (!file) return tools::failure("E_PATH " + file.error().message());
  const auto lines = std::count(file->content.begin(), file->content.end(), '\n');
  tools::ToolResult result;
  result.text = std::to_string(lines) + " lines";
  return result;
}

Result<agent::Outcome> run(const std::string& folder, const std::string& script,
                           const std::string& request, const std::string& session) {
  TRY_ASSIGN(const auto tokenizer, engine::Tokenizer::load(folder + "/tokenizer.json"));
  TRY_ASSIGN(const auto writer, engine::PromptWriter::create(tokenizer));
  TRY_ASSIGN(const auto model, agent::ScriptModel::create(script, tokenizer, {}));
  TRY_ASSIGN(auto workspace, tools::Workspace::open(std::filesystem::current_path().string()));
  TRY_ASSIGN(auto transcript, agent::Transcript::create(session, {}));

  const tools::Registry registry({{"count_lines", R"({"path": "a.txt"})", count_lines}});
  tools::ToolContext context{workspace, nullptr, {}, nullptr, ""};
  agent::AgentOptions options;
  options.profile.system_text = "You answer questions about files.";
  options.profile.tool_lines = {R"({"name": "count_lines", "description": "Count lines.", )"
                                R"("parameters": {"type": "object", "properties": )"
                                R"({"path": {"type": "string"}}, "required": ["path"]}})"};
  agent::HumanSink sink(std::cout, {});
  agent::Agent loop(*model, writer, registry, context, sink, transcript, options);
  // No stored states: the key is empty.
  TRY(agent::start_log({*model, writer, transcript, options.profile, "", "", ""}, request, sink));
  return loop.run();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: one_tool_agent MODEL_FOLDER SCRIPT REQUEST\n";
    return 2;
  }
  std::string session = (std::filesystem::temp_directory_path() / "levin-example-XXXXXX").string();
  if (::mkdtemp(session.data()) == nullptr) return 1;
  const auto outcome = run(argv[1], argv[2], argv[3], session + "/session");
  std::filesystem::remove_all(session);
  if (!outcome) std::cerr << "one_tool_agent: " << outcome.error().message() << '\n';
  return outcome ? static_cast<int>(outcome->exit_code) : 1;
}
