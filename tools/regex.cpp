#define PCRE2_CODE_UNIT_WIDTH 8
#include "tools/regex.h"

#include <pcre2.h>
#include <utf8proc.h>

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

constexpr uint32_t kMatchStepsMax = 1'000'000;
constexpr uint32_t kHeapKibMax = 16 * 1024;

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
struct FreeContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

}  // namespace

struct Regex::State {
  std::unique_ptr<pcre2_code, FreeCode> code;
  std::unique_ptr<pcre2_match_data, FreeData> data;
  std::unique_ptr<pcre2_match_context, FreeContext> context;
};

Regex::Regex(std::unique_ptr<State> state) : state_(std::move(state)) {}
Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

namespace {

bool is_capital(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_LU;
}

// The character of an escape \x41 or \x{41}, whose x is at `at`; 0 when it is another one.
char32_t hex_escape(std::u32string_view text, size_t at) {
  if (at >= text.size() || text[at] != U'x') return 0;
  const bool braced = at + 1 < text.size() && text[at + 1] == U'{';
  const std::u32string_view digits = text.substr(at + (braced ? 2 : 1), braced ? 6 : 2);
  char32_t value = 0;
  for (const char32_t digit : digits) {
    const char32_t small = digit | 0x20;
    if (digit >= U'0' && digit <= U'9') {
      value = value * 16 + (digit - U'0');
    } else if (small >= U'a' && small <= U'f') {
      value = value * 16 + (small - U'a' + 10);
    } else {
      break;
    }
  }
  return value <= 0x10FFFF ? value : 0;
}

}  // namespace

bool has_capital(std::string_view pattern, bool literal) {
  const std::u32string text = code_points(pattern);
  for (size_t at = 0; at < text.size(); ++at) {
    if (!literal && text[at] == U'\\') {
      ++at;
      if (is_capital(hex_escape(text, at))) return true;
      const bool property = at < text.size() && (text[at] == U'p' || text[at] == U'P');
      if (property && at + 1 < text.size() && text[at + 1] == U'{') {
        at = std::min(text.find(U'}', at), text.size());
      }
    } else if (!literal && text.compare(at, 3, U"(?P") == 0) {
      at += 2;  // The P of a named group is no text.
    } else if (is_capital(text[at])) {
      return true;
    }
  }
  return false;
}

Result<Regex> Regex::compile(std::string_view pattern, bool literal, bool many_lines) {
  const std::string valid = utf8_sanitize(pattern);
  // PCRE2_LITERAL admits few other options.
  uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
  options |= literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
  if (!has_capital(pattern, literal)) options |= PCRE2_CASELESS;
  if (many_lines && !literal) options |= PCRE2_MULTILINE;
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto state = std::make_unique<State>();
  state->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(valid.data()), valid.size(), options,
                                  &error, &offset, nullptr));
  if (!state->code) {
    PCRE2_UCHAR words[256];
    pcre2_get_error_message(error, words, sizeof words);
    return Error(ErrorCode::kInvalidArgument, std::string(reinterpret_cast<const char*>(words)) +
                                                  " at byte " + std::to_string(offset));
  }
  // Without the just-in-time compiler matching is slower, not different.
  pcre2_jit_compile(state->code.get(), PCRE2_JIT_COMPLETE);
  state->data.reset(pcre2_match_data_create_from_pattern(state->code.get(), nullptr));
  state->context.reset(pcre2_match_context_create(nullptr));
  if (!state->data || !state->context) return Error(ErrorCode::kLimit, "no memory for a pattern");
  pcre2_set_match_limit(state->context.get(), kMatchStepsMax);
  pcre2_set_heap_limit(state->context.get(), kHeapKibMax);
  return Regex(std::move(state));
}

std::optional<size_t> Regex::find(std::string_view text, size_t start) {
  const int count = pcre2_match(state_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
                                text.size(), start, 0, state_->data.get(), state_->context.get());
  if (count < 0 && count != PCRE2_ERROR_NOMATCH) gave_up_ = true;
  if (count < 0) return std::nullopt;
  return pcre2_get_ovector_pointer(state_->data.get())[0];
}

}  // namespace levin::tools
