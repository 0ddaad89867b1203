#define PCRE2_CODE_UNIT_WIDTH 8
#include "tools/regex.h"

#include <pcre2.h>

#include <algorithm>
#include <utility>

#include "base/utf8.h"

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

bool has_capital(std::string_view pattern, bool literal) {
  for (size_t at = 0; at < pattern.size(); ++at) {
    if (!literal && pattern[at] == '\\') {
      ++at;
      const bool property = at < pattern.size() && (pattern[at] == 'p' || pattern[at] == 'P');
      if (property && pattern.substr(at + 1).starts_with('{')) {
        at = std::min(pattern.find('}', at), pattern.size());
      }
    } else if (pattern[at] >= 'A' && pattern[at] <= 'Z') {
      return true;
    }
  }
  return false;
}

Result<Regex> Regex::compile(std::string_view pattern, bool literal) {
  const std::string valid = utf8_sanitize(pattern);
  // PCRE2_LITERAL admits few other options.
  uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
  options |= literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
  if (!has_capital(pattern, literal)) options |= PCRE2_CASELESS;
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

bool Regex::matches(std::string_view line) {
  const int count = pcre2_match(state_->code.get(), reinterpret_cast<PCRE2_SPTR>(line.data()),
                                line.size(), 0, 0, state_->data.get(), state_->context.get());
  if (count < 0 && count != PCRE2_ERROR_NOMATCH) gave_up_ = true;
  return count >= 0;
}

}  // namespace levin::tools
