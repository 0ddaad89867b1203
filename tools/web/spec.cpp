#include <set>

#include "tools/web/verbs.h"
#include "tools/web_spec.h"

namespace levin::tools {
namespace {

using nlohmann::json;

constexpr size_t kChecksMax = 100;
constexpr size_t kStepsMax = 100;  // Of one check.
constexpr int kSideMax = 4096;

class SpecReader {
 public:
  explicit SpecReader(const std::string& file) : file_(file) {}

  Result<WebSpec> read(const std::string& text) {
    const json value = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!value.is_object()) return wrong("not a JSON object");
    TRY(only_keys(value, {"$schema", "name", "about", "checks"}));
    if (!value.contains("name") || !value["name"].is_string()) return wrong("no \"name\"");
    if (!value.contains("checks") || !value["checks"].is_array() || value["checks"].empty()) {
      return wrong("\"checks\" must be a list with at least one check");
    }
    if (value["checks"].size() > kChecksMax) return wrong("more than 100 checks");
    WebSpec spec;
    spec.name = value["name"].get<std::string>();
    if (value.contains("about") && value["about"].is_string()) spec.about = value["about"];
    std::set<std::string> names;
    for (const json& each : value["checks"]) {
      TRY_ASSIGN(WebCheck check, read_check(each));
      if (!names.insert(check.name).second) return wrong("two checks are named " + check.name);
      spec.checks.push_back(std::move(check));
    }
    return spec;
  }

 private:
  Error wrong(const std::string& what) const {
    return Error(ErrorCode::kCorrupt, file_ + ": " + where_ + what);
  }

  Result<void> only_keys(const json& value, const std::set<std::string>& known) const {
    for (const auto& [key, ignored] : value.items()) {
      if (!known.contains(key)) return wrong("unknown key \"" + key + "\"");
    }
    return {};
  }

  Result<WebCheck> read_check(const json& value) {
    where_ = "a check: ";
    if (!value.is_object()) return wrong("not an object");
    if (!value.contains("name") || !value["name"].is_string()) return wrong("no \"name\"");
    WebCheck check;
    check.name = value["name"].get<std::string>();
    where_ = "check \"" + check.name + "\": ";
    TRY(only_keys(value, {"name", "size", "seed", "keep", "do", "expect"}));
    if (value.contains("size")) {
      TRY(check_size(value["size"]));
      check.width = value["size"][0].get<int>();
      check.height = value["size"][1].get<int>();
    }
    if (value.contains("seed")) {
      if (!value["seed"].is_number_integer()) return wrong("\"seed\" must be a whole number");
      check.seed = value["seed"].get<int>();
    }
    if (value.contains("keep")) {
      if (!value["keep"].is_boolean()) return wrong("\"keep\" must be true or false");
      check.keep = value["keep"].get<bool>();
    }
    TRY_ASSIGN(check.actions, read_steps(value, "do", true));
    TRY_ASSIGN(check.expectations, read_steps(value, "expect", false));
    if (check.expectations.empty()) return wrong("it expects nothing");
    where_.clear();
    return check;
  }

  Result<void> check_size(const json& size) const {
    const bool fine = size.is_array() && size.size() == 2 && size[0].is_number_integer() &&
                      size[1].is_number_integer() && size[0] >= 1 && size[1] >= 1 &&
                      size[0] <= kSideMax && size[1] <= kSideMax;
    if (!fine) return wrong("a size is [width, height] in pixels, at most 4096");
    return {};
  }

  Result<std::vector<json>> read_steps(const json& check, const char* key, bool is_action) const {
    std::vector<json> steps;
    if (!check.contains(key)) return steps;
    const json& list = check[key];
    if (!list.is_array()) return wrong(std::string("\"") + key + "\" must be a list");
    if (list.size() > kStepsMax) return wrong("more than 100 steps");
    for (const json& step : list) {
      const web::VerbEntry* verb = is_action ? web::find_action(step) : web::find_expectation(step);
      if (verb == nullptr) {
        return wrong("can't read " + step.dump().substr(0, 120) + "; there are " +
                     (is_action ? web::action_names() : web::expectation_names()));
      }
      TRY(check_value(step, std::string(verb->name), is_action));
      steps.push_back(step);
    }
    return steps;
  }

  bool is_target(const json& value) const {
    return (value.is_string() && !value.get<std::string>().empty()) ||
           (value.is_object() && (value.contains("role") || value.contains("name")));
  }

  // The type of the verb's own value; what is wrong deeper shows when it runs.
  Result<void> check_value(const json& step, const std::string& verb, bool is_action) const {
    const json& value = step[verb];
    const auto refuse = [&](const std::string& wanted) -> Result<void> {
      return wrong("\"" + verb + "\" must be " + wanted + ", found " + value.dump().substr(0, 80));
    };
    static const std::set<std::string> kTargets = {"click", "text", "count"};
    static const std::set<std::string> kTexts = {"type", "key",  "js",       "canvas", "typing",
                                                 "maze", "send", "submit", "complete", "remove"};
    static const std::set<std::string> kFlags = {"no_console_errors", "no_failed_requests",
                                                 "no_surprises", "fits", "named", "complains"};
    if (kTargets.contains(verb) && !is_target(value)) return refuse("a target");
    if (kTexts.contains(verb) && !value.is_string()) return refuse("a text");
    if (kFlags.contains(verb) && value != json(true)) return refuse("true");
    if (verb == "wait" && (!value.is_number() || value < 0 || value > 3'600'000)) {
      return refuse("milliseconds, at most an hour");
    }
    if (verb == "reload" && !value.is_number_integer()) return refuse("a seed");
    if (verb == "resize") TRY(check_size(value));
    if ((verb == "changes" || verb == "stays") && !value.is_boolean() && !is_target(value)) {
      return refuse("a target or true");
    }
    if (is_action && step.contains("into") && !is_target(step["into"])) {
      return wrong("\"into\" must be a target");
    }
    for (const char* key : {"within_ms", "is", "min", "max", "times"}) {
      if (verb != "js" && step.contains(key) && !step[key].is_number()) {
        return wrong(std::string("\"") + key + "\" must be a number");
      }
    }
    if (step.contains("matches") && !step["matches"].is_string()) {
      return wrong("\"matches\" must be a regular expression");
    }
    if (step.contains("in") && !step["in"].is_array()) return wrong("\"in\" must be a list");
    return {};
  }

  std::string file_;
  std::string where_;
};

}  // namespace

Result<WebSpec> parse_web_spec(const std::string& text, const std::string& file) {
  return SpecReader(file).read(text);
}

}  // namespace levin::tools
