#include <array>
#include <cmath>
#include <sstream>

#include "tools/web/verbs.h"

namespace levin::tools::web {
namespace {

constexpr size_t kShownBytesMax = 160;
constexpr double kSampleMs = 100;  // Between two looks at a page that should change.

std::string shown(std::string text) {
  if (text.size() > kShownBytesMax) text = text.substr(0, kShownBytesMax) + "...";
  return '"' + text + '"';
}

std::string first_of(const std::vector<std::string>& list) {
  std::string text = list.front();
  if (list.size() > 1) text += " (and " + std::to_string(list.size() - 1) + " more)";
  return text;
}

Result<std::string> expect_text(CheckContext& context, const Json& step) {
  const std::string pattern = step.value("matches", "");
  TRY_ASSIGN(const Json text, context.page.ask("probe.text(" + step["text"].dump() + ")"));
  const bool wanted = !step.value("not", false);
  if (text.is_null()) {
    if (!wanted) return std::string();
    return "expected " + target_words(step["text"]) + " with /" + pattern + "/, found no such element";
  }
  TRY_ASSIGN(const Json found,
             context.page.ask("new RegExp(" + Json(pattern).dump() + ", 'i').test(" + text.dump() + ")"));
  if (found == wanted) return std::string();
  return "expected " + target_words(step["text"]) + (wanted ? " to match /" : " not to match /") +
         pattern + "/, found " + shown(text.get<std::string>());
}

Result<std::string> expect_count(CheckContext& context, const Json& step) {
  TRY_ASSIGN(const Json found, context.page.ask("probe.count(" + step["count"].dump() + ")"));
  const int count = found.get<int>();
  const int least = step.value("is", step.value("min", 0));
  const int most = step.value("is", step.value("max", 1 << 30));
  if (count >= least && count <= most) return std::string();
  const std::string wanted = step.contains("is")    ? std::to_string(least)
                             : step.contains("min") ? "at least " + std::to_string(least)
                                                    : "at most " + std::to_string(most);
  return "expected " + wanted + " of " + target_words(step["count"]) + ", found " + std::to_string(count);
}

Result<std::string> expect_js(CheckContext& context, const Json& step) {
  const std::string expression = step["js"].get<std::string>();
  const Result<Json> value = context.page.run(expression);
  if (!value) {
    if (context.page.is_broken()) return value.error();
    return expression + ": " + value.error().message();
  }
  if (step.contains("in")) {
    for (const Json& allowed : step["in"]) {
      if (*value == allowed) return std::string();
    }
    return "expected " + expression + " in " + step["in"].dump() + ", found " + shown(value->dump());
  }
  const Json wanted = step.value("is", Json(true));
  if (*value == wanted) return std::string();
  return "expected " + expression + " to be " + wanted.dump() + ", found " + shown(value->dump());
}

Result<std::string> expect_no_console_errors(CheckContext& context, const Json&) {
  const auto& errors = context.page.log().console_errors;
  return errors.empty() ? std::string() : "console: " + first_of(errors);
}

Result<std::string> expect_no_failed_requests(CheckContext& context, const Json&) {
  const auto& failed = context.page.log().failed_requests;
  return failed.empty() ? std::string() : "requests: " + first_of(failed);
}

Result<std::string> expect_no_surprises(CheckContext& context, const Json&) {
  const auto& surprises = context.page.log().surprises;
  return surprises.empty() ? std::string() : first_of(surprises);
}

Json snapshot_target(const Json& step, const char* verb) {
  return step[verb].is_boolean() ? Json() : step[verb];
}

// At once or within `within_ms`, compared with before the check's actions.
Result<std::string> expect_changes(CheckContext& context, const Json& step) {
  const Json target = snapshot_target(step, "changes");
  std::string before = context.before;
  const double limit = step.value("within_ms", 0.0);
  const std::string look = "probe.snapshot(" + target.dump() + ")";
  if (!target.is_null() || context.check.actions.empty()) {
    TRY_ASSIGN(const Json now, context.page.ask(look));
    before = now.dump();
  }
  for (double waited = 0;; waited += kSampleMs) {
    TRY_ASSIGN(const Json now, context.page.ask(look));
    if (now.dump() != before) return std::string();
    if (waited >= limit) break;
    TRY(context.page.advance(std::min(kSampleMs, limit - waited)));
  }
  return (target.is_null() ? std::string("the page") : target_words(target)) +
         " was expected to change" +
         (limit > 0 ? " within " + std::to_string(static_cast<int>(limit)) + " ms" : "") +
         ", but it stayed as it was";
}

Result<std::string> expect_stays(CheckContext& context, const Json& step) {
  const Json target = snapshot_target(step, "stays");
  const std::string look = "probe.snapshot(" + target.dump() + ")";
  TRY_ASSIGN(const Json before, context.page.ask(look));
  TRY(context.page.advance(step.value("within_ms", 1000.0)));
  TRY_ASSIGN(const Json after, context.page.ask(look));
  if (before == after) return std::string();
  return (target.is_null() ? std::string("the page") : target_words(target)) +
         " was expected to stay as it is, but it changed";
}

Result<Json> drawn_in(CheckContext& context, const Json& target) {
  TRY_ASSIGN(Json picture, context.page.ask("probe.drawn(" + target.dump() + ")"));
  if (!picture.is_object() || !picture.contains("clip") || picture["clip"].is_null()) return picture;
  TRY_ASSIGN(const std::string shot, context.page.screenshot(picture["clip"]));
  return context.page.ask("probe.drawnIn(\"" + shot + "\")");
}

Result<std::string> expect_canvas(CheckContext& context, const Json& step) {
  const std::string wanted = step["canvas"].get<std::string>();
  const Json target = step.value("target", Json("canvas"));
  const double limit = step.value("within_ms", 1000.0);
  TRY_ASSIGN(Json picture, drawn_in(context, target));
  if (picture.is_null()) return "expected a canvas (" + target_words(target) + "), found none";
  if (wanted == "nonblank") {
    for (double waited = 0; waited <= limit && picture.value("blank", true); waited += kSampleMs) {
      TRY(context.page.advance(kSampleMs));
      TRY_ASSIGN(picture, drawn_in(context, target));
    }
    return std::string(picture.value("blank", true) ? "the canvas stayed blank" : "");
  }
  int changes = 0;
  const int samples = std::max(1, static_cast<int>(limit / kSampleMs));
  int last_changes = 0;  // In the last third.
  for (int i = 0; i < samples; ++i) {
    TRY(context.page.advance(kSampleMs));
    TRY_ASSIGN(Json next, drawn_in(context, target));
    const bool changed = !next.is_null() && next["hash"] != picture["hash"];
    changes += changed ? 1 : 0;
    if (i >= samples * 2 / 3) last_changes += changed ? 1 : 0;
    picture = std::move(next);
  }
  if (wanted == "animating") {
    // Most looks must show something new: one jump is no animation.
    if (changes * 2 >= samples) return std::string();
    return "the canvas was expected to move, but it changed in " + std::to_string(changes) + " of " +
           std::to_string(samples) + " looks";
  }
  return std::string(last_changes == 0 ? "" : "the canvas was expected to come to rest, but it still moves");
}

Result<std::string> expect_fits(CheckContext& context, const Json&) {
  TRY_ASSIGN(const Json width, context.page.ask("document.documentElement.scrollWidth"));
  // A scroll bar's worth of rounding.
  if (width.get<int>() <= context.page.size().width + 1) return std::string();
  return "the page is " + width.dump() + " pixels wide in a view of " +
         std::to_string(context.page.size().width);
}

Result<std::string> expect_named(CheckContext& context, const Json&) {
  TRY_ASSIGN(const Json unnamed, context.page.ask("probe.unnamed()"));
  if (unnamed.empty()) return std::string();
  return "a control has no accessible name: " + unnamed[0].get<std::string>();
}

constexpr std::array<VerbEntry, 15> kExpectations = {{
    {"text", "matches not", expect_text},
    {"count", "is min max", expect_count},
    {"js", "is in", expect_js},
    {"no_console_errors", "", expect_no_console_errors},
    {"no_failed_requests", "", expect_no_failed_requests},
    {"no_surprises", "", expect_no_surprises},
    {"changes", "within_ms", expect_changes},
    {"stays", "within_ms", expect_stays},
    {"canvas", "target within_ms", expect_canvas},
    {"fits", "", expect_fits},
    {"named", "", expect_named},
    {"complains", "", expect_complains},
    {"reacts", "", expect_reacts},
    {"typing", "seeds seconds idle_ms within_percent", expect_typing},
    {"maze", "other_seed frames_min gap_max_ms task_max_ms seeds fewer_min after_ms", expect_maze},
}};

bool has_word(std::string_view words, std::string_view word) {
  std::istringstream list{std::string(words)};
  for (std::string each; list >> each;) {
    if (each == word) return true;
  }
  return false;
}

}  // namespace

const VerbEntry* find_expectation(const Json& step) {
  if (!step.is_object()) return nullptr;
  for (const VerbEntry& entry : kExpectations) {
    if (!step.contains(entry.name)) continue;
    for (const auto& [key, value] : step.items()) {
      if (key != entry.name && !has_word(entry.other_keys, key)) return nullptr;
    }
    return &entry;
  }
  return nullptr;
}

std::string expectation_names() {
  std::string names;
  for (const VerbEntry& entry : kExpectations) {
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  return names;
}

}  // namespace levin::tools::web
