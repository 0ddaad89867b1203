// A specification where none is given: what any web app must do, and that the words which the
// prompt puts in quotes are on the page.
#include <vector>

#include "tools/web_spec.h"

namespace levin::tools {
namespace {

using nlohmann::json;

constexpr size_t kQuotedMax = 5;
constexpr size_t kQuotedBytesMax = 60;

// Texts between straight or curly double quotes.
std::vector<std::string> quoted_texts(const std::string& prompt) {
  std::vector<std::string> texts;
  for (size_t at = prompt.find('"'); at != std::string::npos && texts.size() < kQuotedMax;) {
    const size_t end = prompt.find('"', at + 1);
    if (end == std::string::npos) break;
    if (end > at + 1 && end - at <= kQuotedBytesMax) {
      texts.push_back(prompt.substr(at + 1, end - at - 1));
    }
    at = prompt.find('"', end + 1);
  }
  return texts;
}

std::string escaped(const std::string& text) {
  std::string pattern;
  for (const char c : text) {
    if (std::string_view("\\^$.|?*+()[]{}/").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

WebCheck check(const std::string& name, std::vector<json> actions, std::vector<json> expectations) {
  WebCheck made;
  made.name = name;
  made.actions = std::move(actions);
  made.expectations = std::move(expectations);
  return made;
}

}  // namespace

WebSpec derive_web_spec(const std::string& prompt) {
  WebSpec spec;
  spec.name = "any app";
  spec.about = "Loads without errors, fits two sizes, its controls have names.";
  const std::vector<json> quiet = {{{"no_console_errors", true}},
                                   {{"no_failed_requests", true}},
                                   {{"no_surprises", true}}};
  spec.checks.push_back(check("loads", {{{"wait", 1000}}}, quiet));
  WebCheck shows = check("shows something", {}, {{{"js", "document.body.innerText.trim().length > 0 || !!document.querySelector('canvas,svg,img')"}}});
  shows.keep = true;
  spec.checks.push_back(shows);
  WebCheck named = check("controls have names", {}, {{{"named", true}}});
  named.keep = true;
  spec.checks.push_back(named);
  for (const std::string& text : quoted_texts(prompt)) {
    WebCheck says = check("shows \"" + text + "\"", {},
                          {{{"text", "title,body"}, {"matches", escaped(text)}}});
    says.keep = true;
    spec.checks.push_back(says);
  }
  WebCheck wide = check("fits 1280x800", {}, {{{"fits", true}}});
  wide.keep = true;
  spec.checks.push_back(wide);
  WebCheck small = check("fits 360x640", {}, {{{"fits", true}}});
  small.width = 360;
  small.height = 640;
  spec.checks.push_back(small);
  WebCheck last = check("no errors in the end", {{{"wait", 2000}}}, quiet);
  last.keep = true;
  last.width = 360;
  last.height = 640;
  spec.checks.push_back(last);
  return spec;
}

}  // namespace levin::tools
