#include "engine/split_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/utf8.h"

namespace levin::engine {
namespace {

// Backtracking steps of one match. A run of n blanks takes about n of them, so this admits runs far
// longer than any file that is read whole, and ends a runaway pattern within a second or two.
constexpr uint32_t kMatchSteps = 50'000'000;
constexpr uint32_t kInterpreterHeapKib = 256 * 1024;

// The JIT starts on 32 KiB of the machine stack; the second try has this much.
constexpr size_t kJitStackBytes = size_t{16} << 20;

// White space as Unicode defines it, as the inside of a character class.
constexpr std::string_view kBlanks = "\\t-\\r\\x{20}\\x{85}\\p{Z}";

Error not_translatable(std::string_view what, std::string_view pattern) {
  return Error(ErrorCode::kUnsupported,
               fmt::format("regular expression '{}': {} is not supported", pattern, what));
}

// Spells out `\s`, and outside of classes `\S`. Errors: kUnsupported for what PCRE2 would read, but
// in another sense than Oniguruma.
Result<std::string> translate(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (size_t index = 0; index < pattern.size(); ++index) {
    const char character = pattern[index];
    const char next = index + 1 < pattern.size() ? pattern[index + 1] : '\0';
    if (character == '\\' && next != '\0') {
      ++index;
      if (next == 'h' || next == 'H') return not_translatable("\\h", pattern);
      if (next == 's') {
        out += in_class ? std::string(kBlanks) : fmt::format("[{}]", kBlanks);
      } else if (next == 'S' && !in_class) {
        out += fmt::format("[^{}]", kBlanks);
      } else {
        out += {character, next};
      }
      continue;
    }
    if (in_class && character == '&' && next == '&') return not_translatable("&&", pattern);
    if (in_class && character == '[') {
      const size_t end = next == ':' ? pattern.find(":]", index) : std::string_view::npos;
      if (end == std::string_view::npos) return not_translatable("a class in a class", pattern);
      out += pattern.substr(index, end + 2 - index);
      index = end + 1;
      continue;
    }
    if (character == '[') in_class = true;
    if (character == ']') in_class = false;
    out.push_back(character);
  }
  return out;
}

PCRE2_SPTR subject_of(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

}  // namespace

void SplitRegex::Free::operator()(pcre2_code* code) const {
  pcre2_code_free(code);
}
void SplitRegex::Free::operator()(pcre2_match_data* data) const {
  pcre2_match_data_free(data);
}
void SplitRegex::Free::operator()(pcre2_match_context* context) const {
  pcre2_match_context_free(context);
}
void SplitRegex::Free::operator()(pcre2_jit_stack* stack) const {
  pcre2_jit_stack_free(stack);
}

// What one call of split() needs; PCRE2 objects that matching writes to are never shared.
struct SplitRegex::Matcher {
  explicit Matcher(const SplitRegex& of) : regex_(of), data_(pcre2_match_data_create(1, nullptr)) {
    CHECK(data_ != nullptr);
  }

  enum class Found { kMatch, kNothing, kGaveUp };

  // Finds the next match at or after `from`.
  Found find(std::string_view text, size_t from, size_t& begin, size_t& end) {
    int count = try_find(text, from, 0);
    if (count == PCRE2_ERROR_JIT_STACKLIMIT) {
      use_large_stack();
      count = try_find(text, from, 0);
      if (count == PCRE2_ERROR_JIT_STACKLIMIT) count = try_find(text, from, PCRE2_NO_JIT);
    }
    if (count < 0) return count == PCRE2_ERROR_NOMATCH ? Found::kNothing : Found::kGaveUp;
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data_.get());
    begin = bounds[0];
    end = bounds[1];
    // `\K` in a lookahead can put the match before its own beginning.
    return begin >= from && end >= begin ? Found::kMatch : Found::kGaveUp;
  }

 private:
  int try_find(std::string_view text, size_t from, uint32_t options) {
    pcre2_match_context* context = own_context_ ? own_context_.get() : regex_.limits_.get();
    return pcre2_match(regex_.code_.get(), subject_of(text), text.size(), from,
                       options | PCRE2_NO_UTF_CHECK, data_.get(), context);
  }

  void use_large_stack() {
    if (own_context_) return;
    own_context_.reset(pcre2_match_context_copy(regex_.limits_.get()));
    stack_.reset(pcre2_jit_stack_create(kJitStackBytes / 16, kJitStackBytes, nullptr));
    if (own_context_ && stack_) pcre2_jit_stack_assign(own_context_.get(), nullptr, stack_.get());
  }

  const SplitRegex& regex_;
  std::unique_ptr<pcre2_match_data, Free> data_;
  std::unique_ptr<pcre2_jit_stack, Free> stack_;
  std::unique_ptr<pcre2_match_context, Free> own_context_;
};

Result<SplitRegex> SplitRegex::compile(std::string_view pattern) {
  TRY_ASSIGN(const std::string spelt, translate(pattern));
  SplitRegex regex;
  int error = 0;
  PCRE2_SIZE error_offset = 0;
  regex.code_.reset(pcre2_compile(subject_of(spelt), spelt.size(),
                                  PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error,
                                  &error_offset, nullptr));
  if (!regex.code_) {
    std::array<char, 256> message{};
    pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(message.data()), message.size());
    return Error(ErrorCode::kCorrupt,
                 fmt::format("regular expression '{}': {} at offset {} of '{}'", pattern,
                             message.data(), error_offset, spelt));
  }
  // Failing is fine: a system that forbids code at run time gets the slower interpreter.
  pcre2_jit_compile(regex.code_.get(), PCRE2_JIT_COMPLETE);
  regex.limits_.reset(pcre2_match_context_create(nullptr));
  CHECK(regex.limits_ != nullptr);
  pcre2_set_match_limit(regex.limits_.get(), kMatchSteps);
  pcre2_set_heap_limit(regex.limits_.get(), kInterpreterHeapKib);
  return regex;
}

void SplitRegex::split(std::string_view text, Gaps gaps,
                       std::vector<std::string_view>& pieces) const {
  Matcher matcher(*this);
  size_t done = 0;  // Everything before is in `pieces`, or dropped.
  size_t from = 0;
  auto found = Matcher::Found::kNothing;
  while (from < text.size()) {
    size_t begin = 0;
    size_t end = 0;
    found = matcher.find(text, from, begin, end);
    if (found != Matcher::Found::kMatch) break;
    if (begin > done && gaps == Gaps::kKeep) pieces.push_back(text.substr(done, begin - done));
    if (end > begin) pieces.push_back(text.substr(begin, end - begin));
    done = from = end;
    if (end == begin) {  // An empty match only cuts; the next search starts one character on.
      from += static_cast<size_t>(std::max(1, utf8_character_size(text.substr(end))));
    }
  }
  const bool gave_up = found == Matcher::Found::kGaveUp;
  if (done < text.size() && (gave_up || gaps == Gaps::kKeep)) pieces.push_back(text.substr(done));
}

}  // namespace levin::engine
