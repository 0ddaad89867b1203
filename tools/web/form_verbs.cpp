// Actions that look for their controls themselves: sending forms, adding to lists and taking away.
#include "tools/web/verbs.h"

namespace levin::tools::web {
namespace {

constexpr const char* kAddButton =
    R"({"role":"button","name":"^\\W*(add|create|save|submit|new|insert|ok|go|enter)\\b|^\\s*[+➕]\\s*$"})";

Result<std::string> click_found(CheckContext& context, const Json& target, const std::string& what) {
  if (!target.is_string()) return "found no " + what;
  TRY_ASSIGN(const std::string problem, context.page.click(target));
  return problem.empty() ? problem : what + ": " + problem;
}

// By keys; a date is set, since its field is different in every language.
Result<std::string> fill_field(CheckContext& context, const Json& field, const std::string& value) {
  const Json target = field["target"];
  if (field.value("kind", "") == "date") {
    TRY(context.page.run("(() => { const f = document.querySelector(" + target.dump() + "); f.value = " +
                         Json(value).dump() + "; f.dispatchEvent(new Event('input', {bubbles: true})); "
                         "f.dispatchEvent(new Event('change', {bubbles: true})); })()"));
    return std::string();
  }
  TRY_ASSIGN(const std::string problem, context.page.click(target));
  if (!problem.empty()) return "a field of the form: " + problem;
  TRY(context.page.key("Control+a"));
  TRY(context.page.key("Delete"));
  TRY(context.page.type(value));
  return std::string();
}

Result<std::string> make_choices(CheckContext& context) {
  TRY_ASSIGN(const Json choices, context.page.ask("probe.form.choices()"));
  for (const Json& choice : choices) {
    if (choice.value("select", false)) {
      TRY(context.page.run("(() => { const s = document.querySelector(" + choice["target"].dump() +
                           "); s.selectedIndex = s.options.length - 1; "
                           "s.dispatchEvent(new Event('change', {bubbles: true})); })()"));
      continue;
    }
    TRY_ASSIGN(const std::string problem, context.page.click(choice["target"]));
    if (!problem.empty()) return "a choice of the form: " + problem;
  }
  return std::string();
}

}  // namespace

// {"submit": text, "into": target}: types, then Enter; where that sends nothing, the button to add.
Result<std::string> do_submit(CheckContext& context, const Json& step) {
  Page& page = context.page;
  const Json field = step.value("into", Json{{"role", "textbox"}, {"index", 0}});
  const std::string text = step["submit"].get<std::string>();
  TRY_ASSIGN(const std::string problem, page.click(field));
  if (!problem.empty()) return "type into " + target_words(field) + ": " + problem;
  TRY(page.type(text));
  TRY(page.key("Enter"));
  TRY(page.advance(50));
  TRY_ASSIGN(const Json left, page.ask("(probe.first(" + field.dump() + ") || {}).value"));
  if (!left.is_string() || left.get<std::string>().find(text) == std::string::npos) return std::string();
  const Json button = Json::parse(kAddButton);
  TRY_ASSIGN(const Json count, page.ask("probe.count(" + button.dump() + ")"));
  if (count == 0) return std::string();
  TRY_ASSIGN(const std::string missed, page.click(button));
  return missed.empty() ? missed : "the button to add: " + missed;
}

// {"send": "valid" | "bad email" | "empty"}
Result<std::string> do_send(CheckContext& context, const Json& step) {
  const std::string how = step["send"].get<std::string>();
  if (how != "empty") {
    TRY_ASSIGN(const Json fields, context.page.ask("probe.form.fields()"));
    for (const Json& field : fields) {
      const bool spoil = how == "bad email" && field.value("kind", "") == "email";
      TRY_ASSIGN(const std::string problem,
                 fill_field(context, field, spoil ? "not-an-address" : field.value("value", "")));
      if (!problem.empty()) return problem;
    }
    TRY_ASSIGN(const std::string problem, make_choices(context));
    if (!problem.empty()) return problem;
  }
  TRY_ASSIGN(const Json button, context.page.ask("probe.form.sendButton()"));
  TRY_ASSIGN(const std::string problem, click_found(context, button, "button that sends the form"));
  // A button that can't be pressed refuses as well as a message does.
  const bool is_refused = how != "valid" && problem.find("disabled") != std::string::npos;
  return is_refused ? std::string() : problem;
}

Result<std::string> do_complete(CheckContext& context, const Json& step) {
  const std::string text = step["complete"].get<std::string>();
  TRY_ASSIGN(const Json control, context.page.ask("probe.form.completeControl(" + Json(text).dump() + ")"));
  return click_found(context, control, "control that completes \"" + text + "\"");
}

Result<std::string> do_remove(CheckContext& context, const Json& step) {
  const std::string text = step["remove"].get<std::string>();
  // Some show the button only under the mouse.
  TRY(context.page.hover(Json{{"name", text}}));
  TRY_ASSIGN(const Json control, context.page.ask("probe.form.removeControl(" + Json(text).dump() + ")"));
  return click_found(context, control, "control that removes \"" + text + "\"");
}

Result<std::string> expect_complains(CheckContext& context, const Json&) {
  TRY_ASSIGN(const Json complains, context.page.ask("probe.form.complains()"));
  TRY_ASSIGN(const Json button, context.page.ask("probe.form.sendButton()"));
  if (complains == true) return std::string();
  if (button.is_string()) {
    TRY_ASSIGN(const Json off, context.page.ask("!!(probe.first(" + button.dump() + ") || {}).disabled"));
    if (off == true) return std::string();
  }
  return std::string("nothing says that a value is missing or wrong");
}

}  // namespace levin::tools::web
