// What a typing test must do. Its parts are found by probe_typing.js; here are the keys and the sums.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <set>

#include "tools/web/verbs.h"

namespace levin::tools::web {
namespace {

constexpr const char* kRestart = R"({"role":"button","name":"restart|reset|again|new|retry|start over|next"})";
constexpr const char* kStart = R"({"role":"button","name":"^\\W*(start|begin|go)\\b"})";
constexpr double kRefreshMs = 1300;  // A display that follows a clock of one second may be so late.
constexpr double kRefreshStepMs = 100;
constexpr size_t kBurst = 5;
constexpr double kOverMs = 240'000;  // The longest test that is waited for.

// The numbers that a typing test shows. Each is a number, a text ("NaN", "--") or null.
struct Shown {
  Json wpm;
  Json accuracy;
  Json time;
  Json typed;
};

std::string words_of(const Json& value) {
  return value.is_null() ? "nothing" : value.is_string() ? value.get<std::string>() : value.dump();
}

class TypingTest {
 public:
  TypingTest(CheckContext& context, const Json& step) : page_(context.page), step_(step) {}

  Result<std::string> passage();
  Result<std::string> varies();
  Result<std::string> early_keys();
  Result<std::string> wpm();
  Result<std::string> accuracy();
  Result<std::string> marks();
  Result<std::string> backspace();
  Result<std::string> end();
  Result<std::string> restart();

 private:
  // Presses Start and clicks into the field where that is needed, reads the passage.
  Result<std::string> begin();
  Result<Shown> shown();
  Result<std::vector<std::string>> looks();
  Result<std::string> input_look();
  Result<void> keys(const std::string& text, double gap_ms);
  // Whether `display` shows, within the next moment, chars/5 per minute of the time since the first key.
  Result<std::string> wpm_is(size_t chars, double elapsed_ms);
  size_t length_for_wpm() const;
  Result<bool> rests(double ms);

  Page& page_;
  const Json& step_;
  std::string text_;
};

Result<std::string> TypingTest::begin() {
  TRY_ASSIGN(const Json has_start, page_.ask("probe.typing.hasStart()"));
  if (has_start == true) {
    TRY_ASSIGN(const std::string problem, page_.click(Json::parse(kStart)));
    if (!problem.empty()) return "pressing Start: " + problem;
    TRY(page_.advance(50));
  }
  TRY_ASSIGN(const Json found, page_.ask("probe.typing.passage()"));
  if (found.is_null()) return std::string("no passage to type: expected a text of at least 20 words");
  text_ = found.value("text", "");
  TRY_ASSIGN(const Json focused, page_.ask("probe.typing.isFocused()"));
  if (focused != true) {
    TRY_ASSIGN(const std::string problem, page_.click(Json{{"role", "textbox"}}));
    if (!problem.empty()) return "clicking into the field: " + problem;
  }
  return std::string();
}

Result<Shown> TypingTest::shown() {
  TRY_ASSIGN(const Json state, page_.ask("probe.typing.state()"));
  return Shown{state["wpm"], state["accuracy"], state["time"], state["typed"]};
}

Result<std::vector<std::string>> TypingTest::looks() {
  TRY_ASSIGN(const Json list, page_.ask("probe.typing.marks()"));
  return list.get<std::vector<std::string>>();
}

Result<std::string> TypingTest::input_look() {
  TRY_ASSIGN(const Json look, page_.ask("probe.typing.inputLook()"));
  return look.get<std::string>();
}

// One key every gap_ms, the first at once. Time passes for kBurst keys together, which saves half of
// the round trips; the last key comes exactly when it is due.
Result<void> TypingTest::keys(const std::string& text, double gap_ms) {
  double passed_ms = 0;
  for (size_t i = 0, number = 0; i < text.size(); ++number) {
    size_t length = 1;
    while (i + length < text.size() && (static_cast<unsigned char>(text[i + length]) & 0xc0) == 0x80) {
      ++length;
    }
    const double due_ms = gap_ms * static_cast<double>(number);
    const bool is_last = i + length == text.size();
    if (due_ms > passed_ms && (number % kBurst == 0 || is_last)) {
      TRY(page_.advance(due_ms - passed_ms));
      passed_ms = due_ms;
    }
    TRY(page_.key(text.substr(i, length)));
    i += length;
  }
  TRY(page_.advance(0));
  return {};
}

Result<std::string> TypingTest::passage() {
  TRY_ASSIGN(const std::string problem, begin());
  return problem;
}

Result<std::string> TypingTest::varies() {
  std::set<std::string> texts;
  const int seeds = step_.value("seeds", 5);
  for (int seed = 1; seed <= seeds; ++seed) {
    TRY(page_.load(seed));
    TRY_ASSIGN(const std::string problem, begin());
    if (!problem.empty()) return problem;
    texts.insert(text_);
  }
  if (texts.size() >= 2) return std::string();
  return "expected at least 2 different passages in " + std::to_string(seeds) +
         " loads, found the same one each time";
}

// Typed at once after loading, without a click.
Result<std::string> TypingTest::early_keys() {
  TRY_ASSIGN(const Json found, page_.ask("probe.typing.passage()"));
  TRY_ASSIGN(const std::vector<std::string> before, looks());
  TRY_ASSIGN(const Shown empty, shown());
  std::string typed = found.is_null() ? "the " : found.value("text", "").substr(0, 4);
  TRY(keys(typed, 0));
  TRY(page_.advance(100));
  TRY_ASSIGN(const std::vector<std::string> after, looks());
  TRY_ASSIGN(const Shown now, shown());
  if (before != after || now.typed != empty.typed) return std::string();
  return std::string("keys pressed right after loading are lost: nothing shows that they were typed");
}

// The longest beginning at whose end characters/5 and words differ most, so that one can't pass for
// the other.
size_t TypingTest::length_for_wpm() const {
  const size_t most = std::min<size_t>(text_.size() > 8 ? text_.size() - 5 : 1, 80);
  size_t best = most;
  double best_difference = -1;
  for (size_t length = most * 2 / 3; length <= most; ++length) {
    const std::string part = text_.substr(0, length);
    if (std::ranges::any_of(part, [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) continue;
    const auto words = static_cast<double>(std::ranges::count(part, ' '));
    const double units = static_cast<double>(length) / 5;
    // A word may be counted when it is begun or when it is done.
    const double difference = std::min(std::abs(words - units), std::abs(words + 1 - units));
    if (difference > best_difference) {
      best_difference = difference;
      best = length;
    }
  }
  return best;
}

Result<std::string> TypingTest::wpm_is(size_t chars, double elapsed_ms) {
  const double percent = step_.value("within_percent", 3.0);
  const double units = static_cast<double>(chars) / 5;
  Json last;
  for (double late = 0; late <= kRefreshMs; late += kRefreshStepMs) {
    TRY_ASSIGN(const Shown now, shown());
    last = now.wpm;
    if (last.is_number()) {
      // It may have been computed at any time since the last key.
      const double most = units / (elapsed_ms / 60'000);
      const double least = units / ((elapsed_ms + late) / 60'000);
      const double slack = std::max(0.5, most * percent / 100);
      if (last.get<double>() <= most + slack && last.get<double>() >= least - slack) return std::string();
    }
    TRY(page_.advance(kRefreshStepMs));
  }
  char wanted[32];
  std::snprintf(wanted, sizeof wanted, "%.1f", units / (elapsed_ms / 60'000));
  return "WPM after " + std::to_string(chars) + " right characters in " +
         std::to_string(static_cast<int>(elapsed_ms / 1000)) + " s: expected " + wanted + " +- " +
         Json(percent).dump() + " %, found " + words_of(last);
}

Result<std::string> TypingTest::wpm() {
  TRY_ASSIGN(const std::string problem, begin());
  if (!problem.empty()) return problem;
  // Reading before typing must not count.
  TRY(page_.advance(step_.value("idle_ms", 0.0)));
  TRY_ASSIGN(const Shown start, shown());
  double seconds = step_.value("seconds", 20.0);
  if (start.time.is_number() && start.time.get<double>() >= 5) {
    seconds = std::min(seconds, start.time.get<double>() * 0.6);
  }
  const size_t length = length_for_wpm();
  const double gap_ms = seconds * 1000 / static_cast<double>(length - 1);
  TRY(keys(text_.substr(0, 1), 0));
  TRY_ASSIGN(const Shown first, shown());
  if (first.wpm.is_null()) return std::string("no number for WPM is shown");
  if (first.wpm == "NaN" || first.wpm == "Infinity" || first.wpm == "undefined" || first.wpm == "∞") {
    return "WPM after the first key: expected a number, found " + words_of(first.wpm);
  }
  TRY(page_.advance(gap_ms));
  TRY(keys(text_.substr(1, length - 1), gap_ms));
  return wpm_is(length, seconds * 1000);
}

Result<std::string> TypingTest::accuracy() {
  TRY_ASSIGN(const std::string problem, begin());
  if (!problem.empty()) return problem;
  TRY(keys(text_.substr(0, 5), 200));
  TRY(page_.advance(1000));
  TRY_ASSIGN(const Shown right, shown());
  if (right.accuracy.is_null()) return std::string("no number for accuracy is shown");
  if (!right.accuracy.is_number() || right.accuracy.get<double>() != 100) {
    return "accuracy after 5 right characters: expected 100, found " + words_of(right.accuracy);
  }
  TRY(keys(text_[5] == 'x' ? "q" : "x", 0));
  TRY(page_.advance(1000));
  TRY_ASSIGN(const Shown wrong, shown());
  if (wrong.accuracy.is_number() && wrong.accuracy.get<double>() < 100 &&
      wrong.accuracy.get<double>() > 0) {
    return std::string();
  }
  return "accuracy after 5 right characters and a wrong one: expected less than 100, found " +
         words_of(wrong.accuracy);
}

// How many characters that are no blanks come before `at`: the place in looks().
size_t place_of(const std::string& text, size_t at) {
  return static_cast<size_t>(std::count_if(text.begin(), text.begin() + static_cast<long>(at), [](char c) {
    return c != ' ' && (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

// A place of a letter between letters, where a wrong key is typed.
size_t letter_after(const std::string& text, size_t from) {
  while (from + 2 < text.size() && (text[from] == ' ' || text[from - 1] == ' ')) ++from;
  return from;
}

Result<std::string> TypingTest::marks() {
  TRY_ASSIGN(const std::string problem, begin());
  if (!problem.empty()) return problem;
  const size_t at = letter_after(text_, 6);
  const size_t place = place_of(text_, at);
  TRY(keys(text_.substr(0, at), 150));
  TRY_ASSIGN(const std::vector<std::string> before, looks());
  TRY_ASSIGN(const std::string input_before, input_look());
  if (place + 3 >= before.size()) return std::string("the passage is not shown character by character");
  TRY(keys(text_[at] == 'x' ? "q" : "x", 0));
  TRY(page_.advance(100));
  TRY_ASSIGN(const std::vector<std::string> after, looks());
  TRY_ASSIGN(const std::string input_after, input_look());
  if (input_after != input_before) return std::string();  // The field itself turns red.
  if (after.size() != before.size()) return std::string("the passage changed while it was typed");
  const std::string& wrong = after[place];
  if (wrong == after[place - 1]) {
    return std::string("a wrong key is not marked: its character looks like a right one");
  }
  if (wrong == after[place + 3]) {
    return std::string("a wrong key is not marked: its character looks as if it was not typed yet");
  }
  return std::string();
}

Result<std::string> TypingTest::backspace() {
  TRY_ASSIGN(const std::string problem, begin());
  if (!problem.empty()) return problem;
  const size_t at = letter_after(text_, 10);
  const size_t place = place_of(text_, at);
  const double gap_ms = 250;
  TRY(keys(text_.substr(0, at), gap_ms));
  TRY(page_.advance(gap_ms));
  const std::string wrong = text_[at] == 'x' ? "q" : "x";
  TRY(keys(wrong, 0));
  TRY(page_.advance(gap_ms));
  TRY(page_.key("Backspace"));
  TRY(page_.advance(gap_ms));
  const size_t end = std::min(text_.size() - 5, at + 40);
  TRY(keys(text_.substr(at, end - at), gap_ms));
  TRY_ASSIGN(const std::vector<std::string> after, looks());
  if (place >= after.size() || place == 0) return std::string("the passage is not shown character by character");
  if (after[place] != after[place - 1]) {
    return std::string("after Backspace and the right key the character does not look like a right one");
  }
  const double elapsed_ms = gap_ms * static_cast<double>(end - 1 + 2);
  TRY_ASSIGN(const std::string speed, wpm_is(end, elapsed_ms));
  return speed.empty() ? speed : "with one mistake repaired by Backspace: " + speed;
}

// Whether the speed stays the same for that long.
Result<bool> TypingTest::rests(double ms) {
  TRY_ASSIGN(const Shown before, shown());
  TRY(page_.advance(ms));
  TRY_ASSIGN(const Shown after, shown());
  return before.wpm == after.wpm && before.time == after.time;
}

Result<std::string> TypingTest::end() {
  TRY_ASSIGN(const std::string problem, begin());
  if (!problem.empty()) return problem;
  TRY_ASSIGN(const Shown start, shown());
  double gap_ms = 100;
  if (start.time.is_number() && start.time.get<double>() >= 5) {
    // Done well before the time is over.
    gap_ms = std::min(gap_ms, start.time.get<double>() * 500 / static_cast<double>(text_.size()));
  }
  TRY(keys(text_, gap_ms));
  TRY(page_.advance(kRefreshMs));
  TRY_ASSIGN(const Json passage_now, page_.ask("probe.typing.passage()"));
  TRY_ASSIGN(Shown done, shown());
  const bool goes_on = passage_now.is_object() && passage_now.value("text", "") != text_ && done.wpm.is_number();
  if (goes_on) {
    // A test over time gave a new passage: it ends when the time is over.
    for (double waited = 0; waited < kOverMs; waited += 5000) {
      TRY_ASSIGN(const bool resting, rests(5000));
      if (resting) break;
    }
    TRY_ASSIGN(done, shown());
  }
  if (!done.wpm.is_number()) return "the result is not shown at the end: expected a WPM, found " + words_of(done.wpm);
  TRY_ASSIGN(const bool resting, rests(5000));
  if (resting) return std::string();
  TRY_ASSIGN(const Shown later, shown());
  if (done.wpm != later.wpm) {
    return "the result does not stay: WPM was " + words_of(done.wpm) + " at the end and " +
           words_of(later.wpm) + " 5 s later";
  }
  return "the time does not stop at the end: it was " + words_of(done.time) + " and is " +
         words_of(later.time) + " 5 s later";
}

Result<std::string> TypingTest::restart() {
  TRY_ASSIGN(const Shown fresh, shown());
  TRY_ASSIGN(const std::string problem, begin());
  if (!problem.empty()) return problem;
  TRY_ASSIGN(const Shown start, shown());
  TRY(keys(text_.substr(0, 12), 300));
  TRY(keys("zz", 100));
  TRY(page_.advance(2000));
  const Json button = Json::parse(kRestart);
  TRY_ASSIGN(const Json count, page_.ask("probe.count(" + button.dump() + ")"));
  if (count == 0) {
    TRY(keys(text_.substr(14), 50));  // Some only show it at the end.
    TRY(page_.advance(kRefreshMs));
  }
  TRY_ASSIGN(const std::string missed, page_.click(button));
  if (!missed.empty()) return "restart button: " + missed;
  TRY(page_.advance(100));
  TRY_ASSIGN(const Shown now, shown());
  const auto same = [&](const char* what, const Json& first, const Json& second, const Json& found) {
    if (found == first || found == second) return std::string();
    return std::string("after restart ") + what + " is " + words_of(found) + ", at the start it was " +
           words_of(second);
  };
  std::string differs = same("WPM", fresh.wpm, start.wpm, now.wpm);
  if (differs.empty()) differs = same("accuracy", fresh.accuracy, start.accuracy, now.accuracy);
  if (differs.empty()) differs = same("time", fresh.time, start.time, now.time);
  if (!differs.empty()) return differs;
  // And it stays so until the next key.
  TRY(page_.advance(3000));
  TRY_ASSIGN(const Shown later, shown());
  if (later.time != now.time || later.wpm != now.wpm) {
    return "after restart the clock runs before a key is pressed: time " + words_of(now.time) + " became " +
           words_of(later.time);
  }
  TRY_ASSIGN(const std::string again, begin());
  if (!again.empty()) return "after restart: " + again;
  TRY_ASSIGN(const std::vector<std::string> before, looks());
  TRY(keys(text_.substr(0, 3), 100));
  TRY_ASSIGN(const std::vector<std::string> after, looks());
  return std::string(before == after ? "after restart typing shows nothing" : "");
}

using Property = Result<std::string> (TypingTest::*)();

constexpr std::array<std::pair<std::string_view, Property>, 9> kProperties = {{
    {"passage", &TypingTest::passage},
    {"varies", &TypingTest::varies},
    {"early_keys", &TypingTest::early_keys},
    {"wpm", &TypingTest::wpm},
    {"accuracy", &TypingTest::accuracy},
    {"marks", &TypingTest::marks},
    {"backspace", &TypingTest::backspace},
    {"end", &TypingTest::end},
    {"restart", &TypingTest::restart},
}};

}  // namespace

Result<std::string> expect_typing(CheckContext& context, const Json& step) {
  const std::string wanted = step["typing"].get<std::string>();
  for (const auto& [name, property] : kProperties) {
    if (name != wanted) continue;
    TypingTest test(context, step);
    return (test.*property)();
  }
  return "the specification asks for an unknown property of typing tests: " + wanted;
}

}  // namespace levin::tools::web
