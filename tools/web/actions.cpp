#include <algorithm>
#include <array>
#include <sstream>

#include "tools/web/verbs.h"

namespace levin::tools::web {
namespace {

std::string problem_text(const std::string& doing, const Json& target, const std::string& problem) {
  return problem.empty() ? "" : doing + " " + target_words(target) + ": " + problem;
}

Result<std::string> do_click(CheckContext& context, const Json& step) {
  TRY_ASSIGN(const std::string problem, context.page.click(step["click"]));
  return problem_text("click", step["click"], problem);
}

Result<std::string> do_type(CheckContext& context, const Json& step) {
  if (step.contains("into")) {
    TRY_ASSIGN(const std::string problem, context.page.click(step["into"]));
    if (!problem.empty()) return problem_text("type into", step["into"], problem);
    if (step.value("clear", false)) {
      TRY(context.page.key("Control+a"));
      TRY(context.page.key("Delete"));
    }
  }
  TRY(context.page.type(step["type"].get<std::string>()));
  return std::string();
}

Result<std::string> do_key(CheckContext& context, const Json& step) {
  const int times = std::clamp(step.value("times", 1), 1, 1000);
  for (int i = 0; i < times; ++i) TRY(context.page.key(step["key"].get<std::string>()));
  TRY(context.page.advance(0));
  return std::string();
}

Result<std::string> do_wait(CheckContext& context, const Json& step) {
  TRY_ASSIGN(const Advanced advanced, context.page.advance(step["wait"].get<double>()));
  return std::string(advanced.busy ? "the page keeps itself busy without end" : "");
}

Result<std::string> do_resize(CheckContext& context, const Json& step) {
  TRY(context.page.resize_and_tell({step["resize"][0].get<int>(), step["resize"][1].get<int>()}));
  TRY(context.page.advance(100));
  return std::string();
}

Result<std::string> do_js(CheckContext& context, const Json& step) {
  const Result<Json> done = context.page.run(step["js"].get<std::string>());
  if (!done && context.page.is_broken()) return done.error();
  return done ? std::string() : "js: " + done.error().message();
}

Result<std::string> do_reload(CheckContext& context, const Json& step) {
  TRY(context.page.load(step["reload"].get<int>()));
  return std::string();
}

constexpr std::array<VerbEntry, 11> kActions = {{
    {"click", "", do_click},
    {"type", "into clear", do_type},
    {"key", "times", do_key},
    {"wait", "", do_wait},
    {"resize", "", do_resize},
    {"js", "", do_js},
    {"reload", "", do_reload},
    {"submit", "into", do_submit},
    {"send", "", do_send},
    {"complete", "", do_complete},
    {"remove", "", do_remove},
}};

bool has_word(std::string_view words, std::string_view word) {
  std::istringstream list{std::string(words)};
  for (std::string each; list >> each;) {
    if (each == word) return true;
  }
  return false;
}

}  // namespace

const VerbEntry* find_action(const Json& step) {
  if (!step.is_object()) return nullptr;
  for (const VerbEntry& entry : kActions) {
    if (!step.contains(entry.name)) continue;
    for (const auto& [key, value] : step.items()) {
      if (key != entry.name && !has_word(entry.other_keys, key)) return nullptr;
    }
    return &entry;
  }
  return nullptr;
}

std::string action_names() {
  std::string names;
  for (const VerbEntry& entry : kActions) names += (names.empty() ? "" : ", ") + std::string(entry.name);
  return names;
}

std::string target_words(const Json& target) {
  if (target.is_string()) return target.get<std::string>();
  std::string words = target.value("role", "element");
  if (target.contains("name")) words += " \"" + target.value("name", "") + "\"";
  if (target.contains("index")) words += " #" + target["index"].dump();
  return words;
}

}  // namespace levin::tools::web
