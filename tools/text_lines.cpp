#include "tools/text_lines.h"

#include <algorithm>

#include "base/utf8.h"

namespace levin::tools {
namespace {

constexpr size_t kBinaryProbeBytes = 8000;

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

char32_t decode(std::string_view character) {
  const auto byte = [&](size_t index) { return static_cast<unsigned char>(character[index]); };
  if (character.size() == 1) return byte(0);
  char32_t value = byte(0) & (0x7FU >> character.size());
  for (size_t index = 1; index < character.size(); ++index) {
    value = (value << 6) | (byte(index) & 0x3FU);
  }
  return value;
}

// Bytes of the white space character that ends `text`; 0 when it ends with another one.
size_t space_at_end(std::string_view text) {
  for (size_t size = 1; size <= std::min<size_t>(3, text.size()); ++size) {
    const std::string_view tail = text.substr(text.size() - size);
    if (utf8_character_size(tail) == static_cast<int>(size))
      return is_space(decode(tail)) ? size : 0;
  }
  return 0;
}

}  // namespace

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

size_t line_number_at(std::string_view text, size_t size) {
  const std::string_view before = text.substr(0, size);
  return static_cast<size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
}

std::string shown_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  std::string text = utf8_sanitize(line);
  if (text.size() <= kLineBytesMax) return text;
  const size_t kept = utf8_valid_prefix(std::string_view(text).substr(0, kLineBytesMax));
  const size_t left_out = text.size() - kept;
  text.resize(kept);
  return text + "...+" + std::to_string(left_out);
}

std::string shown_name(std::string_view name) {
  const auto is_control = [](unsigned char byte) { return byte < 0x20 || byte == 0x7F; };
  // U+0080 to U+009F, which terminals may obey too, begin with 0xC2.
  const auto is_c1 = [&](size_t index) {
    return index + 1 < name.size() && name[index] == '\xC2' &&
           static_cast<unsigned char>(name[index + 1]) < 0xA0;
  };
  bool is_plain = utf8_is_valid(name) && !name.starts_with('"');
  for (size_t index = 0; index < name.size(); ++index) {
    is_plain &= !is_control(static_cast<unsigned char>(name[index])) && !is_c1(index);
  }
  if (is_plain) return std::string(name);
  std::string text = "\"";
  while (!name.empty()) {
    const int size = utf8_character_size(name);
    const auto byte = static_cast<unsigned char>(name[0]);
    const bool is_escaped = size <= 0 || is_control(byte) || is_c1(0);
    const size_t length = size <= 0 ? 1 : static_cast<size_t>(size);
    if (name[0] == '"' || name[0] == '\\') {
      text += '\\' + std::string(1, name[0]);
    } else if (name[0] == '\n') {
      text += "\\n";
    } else if (name[0] == '\t') {
      text += "\\t";
    } else if (is_escaped) {
      for (const char one : name.substr(0, length)) {
        const auto value = static_cast<unsigned char>(one);
        for (const int shift : {6, 3, 0}) {
          text += (shift == 6 ? "\\" : "") +
                  std::string(1, static_cast<char>('0' + (value >> shift & 7)));
        }
      }
    } else {
      text += name.substr(0, length);
    }
    name.remove_prefix(length);
  }
  return text + '"';
}

std::string numbered(const std::vector<std::string_view>& lines, size_t first_number) {
  std::string text;
  for (size_t index = 0; index < lines.size(); ++index) {
    if (index > 0) text += '\n';
    text += std::to_string(first_number + index) + '\t' + shown_line(lines[index]);
  }
  return text;
}

std::string_view stripped(std::string_view text) {
  while (!text.empty()) {
    const int size = utf8_character_size(text);
    if (size <= 0 || !is_space(decode(text.substr(0, static_cast<size_t>(size))))) break;
    text.remove_prefix(static_cast<size_t>(size));
  }
  while (const size_t size = space_at_end(text)) text.remove_suffix(size);
  return text;
}

std::u32string code_points(std::string_view text) {
  const std::string valid = utf8_sanitize(text);
  std::u32string result;
  for (std::string_view rest = valid; !rest.empty();) {
    const auto size = static_cast<size_t>(utf8_character_size(rest));
    result.push_back(decode(rest.substr(0, size)));
    rest.remove_prefix(size);
  }
  return result;
}

size_t edit_distance(std::u32string_view a, std::u32string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

bool looks_binary(std::string_view content) {
  return content.substr(0, kBinaryProbeBytes).find('\0') != std::string_view::npos;
}

}  // namespace levin::tools
