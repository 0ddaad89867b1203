// A specification where none is given: what any web app must do, and what the nouns and verbs of the
// prompt lead one to expect. Only what nearly every honest app for such a prompt has is asked for.
#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <vector>

#include "tools/web_spec.h"

namespace levin::tools {
namespace {

using nlohmann::json;

constexpr size_t kQuotedMax = 5;
constexpr size_t kQuotedBytesMax = 60;
constexpr size_t kWordLettersMin = 4;

// A word of the prompt, and what an app for it has.
struct Hint {
  std::string_view words;  // Beginnings, separated by blanks.
  std::string_view check;
  std::string_view expectation;  // JSON.
};

constexpr std::array<Hint, 9> kHints = {{
    {"button click press", "has a button", R"({"count":{"role":"button"},"min":1})"},
    {"input field textbox enter form", "has a field", R"({"count":{"role":"textbox"},"min":1})"},
    {"canvas", "has a canvas", R"({"count":"canvas","min":1})"},
    {"draw game chart graph plot visuali", "has a picture",
     R"({"count":"canvas,svg,img,table,[class*=board],[class*=grid],[class*=cell]","min":1})"},
    {"table", "has a table", R"({"count":"table,[role=table],[role=grid]","min":1})"},
    {"link menu navigation", "has a link or a menu", R"({"count":"a[href],nav,[role=menu],button","min":1})"},
    {"slider range", "has a slider", R"({"count":{"role":"slider"},"min":1})"},
    {"clock", "moves with time", R"({"changes":true,"within_ms":61000})"},
    {"animat particle bounc rotat spin", "moves by itself", R"({"changes":true,"within_ms":3000})"},
}};

constexpr std::string_view kCommonWords =
    " about above after also animated animation application apps around background beautiful below both build "
    "browser button buttons canvas click code color colour create design each every file from generate good have "
    "html include into javascript make modern must nice nothing only page plain please program responsive "
    "screen script should show shows simple single small some style that their them then there this three "
    "ticks using user users want website what when where which with without work works write your ";

std::string lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return text;
}

// Texts between straight double quotes.
std::vector<std::string> quoted_texts(const std::string& prompt) {
  std::vector<std::string> texts;
  for (size_t at = prompt.find('"'); at != std::string::npos && texts.size() < kQuotedMax;) {
    const size_t end = prompt.find('"', at + 1);
    if (end == std::string::npos) break;
    if (end > at + 1 && end - at <= kQuotedBytesMax) texts.push_back(prompt.substr(at + 1, end - at - 1));
    at = prompt.find('"', end + 1);
  }
  return texts;
}

std::vector<std::string> words_of(const std::string& prompt) {
  std::vector<std::string> words(1);
  for (const char c : lower_case(prompt)) {
    if (c >= 'a' && c <= 'z') words.back() += c;
    else if (!words.back().empty()) words.emplace_back();
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

bool begins_with_one_of(const std::string& word, std::string_view beginnings) {
  while (!beginnings.empty()) {
    const size_t end = std::min(beginnings.find(' '), beginnings.size());
    if (word.starts_with(beginnings.substr(0, end))) return true;
    beginnings.remove_prefix(std::min(end + 1, beginnings.size()));
  }
  return false;
}

// The words that say what it is about, cut to their stems: "tasks" is looked for as "task".
std::vector<std::string> topic_stems(const std::vector<std::string>& words) {
  std::set<std::string> stems;
  for (const std::string& word : words) {
    if (word.size() < kWordLettersMin || kCommonWords.find(" " + word + " ") != std::string_view::npos) continue;
    stems.insert(word.substr(0, std::max(kWordLettersMin, word.size() - 2)));
  }
  return {stems.begin(), stems.end()};
}

std::string escaped(const std::string& text) {
  std::string pattern;
  for (const char c : text) {
    if (std::string_view("\\^$.|?*+()[]{}/").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

// The text of the page with its title and the names of its controls.
json words_expectation(const std::string& pattern) {
  return {{"js", "new RegExp(" + json(pattern).dump() +
                     ", 'i').test([document.title, document.body.innerText, "
                     "...Array.from(document.querySelectorAll('*'), e => [e.getAttribute('aria-label'), "
                     "e.getAttribute('placeholder'), e.id, e.getAttribute('class'), e.getAttribute('alt')].join(' '))].join(' '))"}};
}

class Deriver {
 public:
  WebSpec derive(const std::string& prompt) {
    spec_.name = "any app";
    spec_.about = "Loads without errors, reacts, fits two sizes, and is about what was asked for.";
    const std::vector<std::string> words = words_of(prompt);
    add("loads", {{{"wait", 1000}}}, quiet(), false);
    add("shows something", {},
        {{{"js", "document.body.innerText.trim().length > 0 || !!document.querySelector('canvas,svg,img')"}}});
    add("controls have names", {}, {{{"named", true}}});
    for (const std::string& text : quoted_texts(prompt)) {
      add("shows \"" + text + "\"", {}, {words_expectation(escaped(text))});
    }
    add_topic(words);
    for (const Hint& hint : kHints) {
      const bool asked = std::ranges::any_of(
          words, [&](const std::string& word) { return begins_with_one_of(word, hint.words); });
      if (asked) add(std::string(hint.check), {}, {json::parse(hint.expectation)});
    }
    add("controls react", {}, {{{"reacts", true}}}, false);
    add("fits 1280x800", {}, {{{"fits", true}}}, false);
    add("fits 360x640", {}, {{{"fits", true}}}, false);
    spec_.checks.back().width = 360;
    spec_.checks.back().height = 640;
    add("no errors in the end", {{{"wait", 2000}}}, quiet());
    spec_.checks.back().width = 360;
    spec_.checks.back().height = 640;
    return std::move(spec_);
  }

 private:
  static std::vector<json> quiet() {
    return {{{"no_console_errors", true}}, {{"no_failed_requests", true}}, {{"no_surprises", true}}};
  }

  void add(const std::string& name, std::vector<json> actions, std::vector<json> expectations, bool keep = true) {
    WebCheck check;
    check.name = name;
    check.keep = keep;
    check.actions = std::move(actions);
    check.expectations = std::move(expectations);
    spec_.checks.push_back(std::move(check));
  }

  // One word of it is enough: a page about something names it somewhere.
  void add_topic(const std::vector<std::string>& words) {
    const std::vector<std::string> stems = topic_stems(words);
    if (stems.empty()) return;
    std::string pattern;
    for (const std::string& stem : stems) pattern += (pattern.empty() ? "" : "|") + stem;
    add("is about what was asked for", {}, {words_expectation(pattern)});
  }

  WebSpec spec_;
};

}  // namespace

WebSpec derive_web_spec(const std::string& prompt) { return Deriver().derive(prompt); }

}  // namespace levin::tools
