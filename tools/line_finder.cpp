#include "tools/line_finder.h"

#include <algorithm>
#include <cstring>

namespace levin::tools {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kSigns = "\\^$.|?*+()[]{}";

bool is_plain(std::string_view pattern, bool literal) {
  return literal || pattern.find_first_of(kSigns) == std::string_view::npos;
}

// Whether letters are in it, as far as ASCII tells.
bool has_case(std::string_view pattern) {
  return std::any_of(pattern.begin(), pattern.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0x80) != 0 || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  });
}

// Whether a match within a line is also one within the whole text, at the same place. Not so for
// what asks for the ends of the text, looks around, or won't give back what it took (which could
// then be the next line): such patterns are told by their signs, rather too often than too seldom.
bool finds_in_text(std::string_view pattern) {
  for (size_t at = 0; at < pattern.size(); ++at) {
    const std::string_view rest = pattern.substr(at);
    if (rest.front() == '\\') {
      if (rest.size() > 1 && std::string_view("AzZGKX").find(rest[1]) != std::string_view::npos)
        return false;
      ++at;
      continue;
    }
    if (rest.starts_with("(*")) return false;
    if (rest.starts_with("(?") && !rest.starts_with("(?:") && !rest.starts_with("(?i)")) {
      return false;
    }
    if (rest.size() > 1 && rest[1] == '+' && std::string_view("+*?}").find(rest[0]) < 4) {
      return false;
    }
  }
  return true;
}

std::string_view line_from(std::string_view text, size_t begin, size_t* next) {
  const size_t end = std::min(text.find('\n', begin), text.size());
  *next = std::min(end + 1, text.size());
  std::string_view line = text.substr(begin, end - begin);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

Result<LineFinder> LineFinder::create(std::string_view pattern, bool literal) {
  TRY_ASSIGN(Regex line, Regex::compile(pattern, literal));
  const bool one_line = pattern.find_first_of("\r\n") == std::string_view::npos;
  const bool plain = is_plain(pattern, literal);
  std::optional<Regex> text;
  if (one_line && (plain || finds_in_text(pattern))) {
    TRY_ASSIGN(text, Regex::compile(pattern, literal, /*many_lines=*/true));
  }
  const bool exact = plain && one_line && (has_capital(pattern, true) || !has_case(pattern));
  return LineFinder(std::move(line), std::move(text), exact ? std::string(pattern) : "");
}

std::optional<size_t> LineFinder::candidate(std::string_view text, size_t start) {
  if (plain_.empty()) return text_->find(text, start);
  const void* const found =
      ::memmem(text.data() + start, text.size() - start, plain_.data(), plain_.size());
  if (found == nullptr) return std::nullopt;
  return static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

void LineFinder::find(std::string_view text,
                      const std::function<void(size_t, std::string_view)>& found) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  // A CR before a line's end is not part of the line, which the text as a whole does not know.
  const bool as_text = !plain_.empty() || text.find('\r') == std::string_view::npos;
  if (!text_ || !as_text) return find_one_by_one(text, 0, 1, found);
  size_t counted = 0;
  size_t number = 1;  // Of the line that begins at `counted`.
  const auto count_to = [&](size_t begin) {
    const std::string_view passed = text.substr(counted, begin - counted);
    number += static_cast<size_t>(std::count(passed.begin(), passed.end(), '\n'));
    counted = begin;
  };
  for (size_t start = 0; start < text.size();) {
    const std::optional<size_t> at = candidate(text, start);
    if (text_->gave_up()) {
      count_to(start);
      return find_one_by_one(text, start, number, found);
    }
    // At the end of the text it is in the last line, or after its break in none.
    if (!at || (*at == text.size() && text.back() == '\n')) return;
    const size_t before = *at == 0 ? std::string_view::npos : text.rfind('\n', *at - 1);
    count_to(before == std::string_view::npos ? 0 : before + 1);
    const std::string_view line = line_from(text, counted, &start);
    if (!plain_.empty() || line_.matches(line)) found(number, line);
  }
}

void LineFinder::find_one_by_one(std::string_view text, size_t start, size_t number,
                                 const std::function<void(size_t, std::string_view)>& found) {
  for (; start < text.size(); ++number) {
    const std::string_view line = line_from(text, start, &start);
    if (line_.matches(line)) found(number, line);
  }
}

}  // namespace levin::tools
