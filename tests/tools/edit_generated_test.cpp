// Edits of generated files in five languages: each is made from a known place of the file by one of
// the slips that the matching ladder forgives, or by one that it must not. What the file has to be
// afterwards follows from how the case was made, never from the matcher.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tools/edit_apply.h"

namespace levin::tools {
namespace {

struct Language {
  const char* path;
  const char* unit;  // Of indentation.
  const char* head;  // Of a block; # is its number.
  std::vector<const char*> lines;
  const char* foot;
};

const std::vector<Language>& languages() {
  static const std::vector<Language> kLanguages = {
      {"a.cpp",
       "  ",
       "int f#(int x) {",
       {"int y# = g(x, #);", "log(\"step #\", y#);", "y# += x * #;"},
       "}"},
      {"a.py",
       "    ",
       "def f#(x):",
       {"y# = g(x, #)", "log(\"step #\", y#)", "y# += x * #"},
       "# end f#"},
      {"a.js",
       "  ",
       "function f#(x) {",
       {"const y# = g(x, #);", "log('step #', y#);", "total += y# * #;"},
       "}"},
      {"a.go",
       "\t",
       "func f#(x int) int {",
       {"y# := g(x, #)", "log(\"step #\", y#)", "y# += x * #"},
       "}"},
      {"a.html",
       "  ",
       "<div id=\"d#\">",
       {"<a href=\"p#.html\">page #</a>", "<p class=\"c#\">text # here</p>", "<b>bold #</b>"},
       "</div>"},
  };
  return kLanguages;
}

std::string numbered(const std::string& pattern, int number) {
  std::string text;
  for (const char c : pattern) text += c == '#' ? std::to_string(number) : std::string(1, c);
  return text;
}

using Lines = std::vector<std::string>;

std::string joined(const Lines& lines, const std::string& end = "\n") {
  std::string text;
  for (size_t index = 0; index < lines.size(); ++index) {
    text += (index == 0 ? "" : end) + lines[index];
  }
  return text;
}

class Generator {
 public:
  Generator(const Language& language, uint32_t seed) : language_(language), engine_(seed) {}

  struct Case {
    std::string kind, file, old_text, new_text;
    std::string after;  // Equal to `file`: to be refused.
    std::string error;
  };

  // Lines [first, first + count) of the file are asked for and get a new middle.
  Case make() {
    const int blocks = 3 + below(4);
    Lines file;
    for (int block = 0; block < blocks; ++block) {
      const int number = 100 + block * 37 + below(30);
      file.push_back(numbered(language_.head, number));
      for (const char* line : language_.lines) {
        file.push_back(language_.unit + numbered(line, number));
      }
      file.push_back(numbered(language_.foot, number));
      file.emplace_back();
    }
    const size_t per_block = language_.lines.size() + 3;
    const size_t first =
        static_cast<size_t>(below(blocks)) * per_block + 1 + static_cast<size_t>(below(2));
    const size_t count = 1 + static_cast<size_t>(below(2));
    Lines old_lines(file.begin() + static_cast<ptrdiff_t>(first),
                    file.begin() + static_cast<ptrdiff_t>(first + count));
    Lines new_lines = old_lines;
    new_lines.push_back(language_.unit + numbered(language_.lines[0], 900 + below(99)));
    Lines after = file;
    after.erase(after.begin() + static_cast<ptrdiff_t>(first),
                after.begin() + static_cast<ptrdiff_t>(first + count));
    after.insert(after.begin() + static_cast<ptrdiff_t>(first), new_lines.begin(), new_lines.end());
    return slip(file, first, old_lines, new_lines, after);
  }

 private:
  int below(int count) { return static_cast<int>(engine_() % static_cast<uint32_t>(count)); }

  static Lines without_indent(const Lines& lines) {
    Lines bare;
    for (const std::string& line : lines)
      bare.push_back(line.substr(line.find_first_not_of(" \t")));
    return bare;
  }

  static std::string replaced(std::string text, const std::string& from, const std::string& to) {
    for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
      text.replace(at, from.size(), to);
    }
    return text;
  }

  Case slip(const Lines& file, size_t first, const Lines& old_lines, const Lines& new_lines,
            const Lines& after) {
    Case made{"", joined(file), joined(old_lines), joined(new_lines), joined(after), ""};
    switch (below(14)) {
      case 0:
        made.kind = "exact";
        break;
      case 1:
        made.kind = "CRLF in the file";
        made.file = joined(file, "\r\n");
        made.after = joined(after, "\r\n");
        break;
      case 2:
        made.kind = "trailing space in old";
        made.old_text = joined(old_lines, "  \n") + "  ";
        break;
      case 3:
        made.kind = "blank lines around";
        made.old_text = "\n" + made.old_text + "\n\n";
        made.new_text = "\n" + made.new_text + "\n\n";
        break;
      case 4:
        made.kind = "line numbers";
        made.old_text = with_numbers(old_lines, first);
        made.new_text = with_numbers(new_lines, first);
        break;
      case 5:
        made.kind = "odd spaces";
        made.old_text = replaced(made.old_text, " ", "\xC2\xA0");
        break;
      case 6:
        made.kind = "over-escaped";
        made.old_text = replaced(replaced(made.old_text, "\"", "\\\""), "\n", "\\n");
        made.new_text = replaced(replaced(made.new_text, "\"", "\\\""), "\n", "\\n");
        if (made.old_text == joined(old_lines)) {
          made.kind = "exact";
          made.new_text = joined(new_lines);
        }
        break;
      case 7:
        made.kind = "no indentation";
        made.old_text = joined(without_indent(old_lines));
        made.new_text = joined(without_indent(new_lines));
        break;
      case 8:
        made.kind = "runs of blanks";
        made.old_text = replaced(made.old_text, " x", "  x");
        break;
      default:
        return miss(std::move(made), file, old_lines);
    }
    return made;
  }

  // Near misses: nothing may be written.
  Case miss(Case made, const Lines& file, const Lines& old_lines) {
    made.after = made.file;
    made.error = "E_NO_MATCH";
    const size_t at = old_lines[0].find_first_of("0123456789");
    switch (below(5)) {
      case 0:
        made.kind = "a typo in a number";
        made.old_text[at] = made.old_text[at] == '9' ? '7' : '9';
        break;
      case 1:
        made.kind = "a letter too many";
        made.old_text.insert(at, "q");
        break;
      case 2:
        made.kind = "several matches";
        made.file = joined(file) + "\n" + joined(file);
        made.after = made.file;
        made.error = "E_MANY";
        break;
      case 3:
        made.kind = "invented text";
        made.old_text = language_.unit + numbered("frobnicate(widget#)", below(900));
        made.new_text = file[0];  // Occurs once: no reason to say that it is done.
        break;
      default:
        made.kind = "already applied";
        made.new_text = made.old_text;
        made.new_text.insert(at, "k");
        made.file = replaced(made.file, made.old_text, made.new_text);
        made.after = made.file;
        made.error = "E_DONE";
        break;
    }
    return made;
  }

  static std::string with_numbers(const Lines& lines, size_t first) {
    Lines shown;
    for (size_t index = 0; index < lines.size(); ++index) {
      shown.push_back(std::to_string(first + 1 + index) + "\t" + lines[index]);
    }
    return joined(shown);
  }

  const Language& language_;
  std::mt19937 engine_;
};

TEST(GeneratedEdits, AreAppliedAsMeantOrNotAtAll) {
  constexpr int kCasesPerLanguage = 300;
  std::map<std::string, int> kinds;
  for (size_t number = 0; number < languages().size(); ++number) {
    const Language& language = languages()[number];
    Generator generator(language, static_cast<uint32_t>(number + 11));
    for (int index = 0; index < kCasesPerLanguage; ++index) {
      const Generator::Case made = generator.make();
      ++kinds[made.kind];
      const EditOutcome outcome =
          apply_edits(made.file, {Edit{made.old_text, made.new_text}}, language.path);
      EXPECT_EQ(outcome.after.value_or(made.file), made.after);
      EXPECT_EQ(outcome.after.has_value(), made.error.empty());
      EXPECT_TRUE(outcome.text.starts_with(made.error.empty() ? "ok: " : made.error + ' '));
      ASSERT_FALSE(::testing::Test::HasFailure())  // One is enough to look at.
          << made.kind << ", case " << index << " of " << language.path
          << "\nold: " << made.old_text << "\nnew: " << made.new_text << "\n"
          << outcome.text;
    }
  }
  EXPECT_EQ(kinds.size(), 14u);
}

}  // namespace
}  // namespace levin::tools
