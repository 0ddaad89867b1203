// UTF-8 by hand (RFC 3629): where a valid character ends, and how to make any bytes valid.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace levin {

// Length in bytes of the valid character at the start of `bytes`; 0 when the first byte can never
// begin one or the sequence is broken; -n when the n bytes there are a correct beginning that is
// cut.
inline int utf8_character_size(std::string_view bytes) {
  if (bytes.empty()) return 0;
  const auto byte = [&](size_t index) { return static_cast<unsigned char>(bytes[index]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const int size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  for (int index = 1; index < size; ++index) {
    if (static_cast<size_t>(index) >= bytes.size()) return -index;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if (index == 1) {  // Overlong forms, surrogates and code points above U+10FFFF are not UTF-8.
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    }
    if (byte(static_cast<size_t>(index)) < low || byte(static_cast<size_t>(index)) > high) return 0;
  }
  return size;
}

// Length of the longest prefix that is whole, valid characters.
inline size_t utf8_valid_prefix(std::string_view bytes) {
  size_t position = 0;
  while (position < bytes.size()) {
    const int size = utf8_character_size(bytes.substr(position));
    if (size <= 0) break;
    position += static_cast<size_t>(size);
  }
  return position;
}

inline bool utf8_is_valid(std::string_view bytes) {
  return utf8_valid_prefix(bytes) == bytes.size();
}

// Copies `bytes`; each maximal broken part becomes U+FFFD (as browsers and Python's "replace" do).
inline std::string utf8_sanitize(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const int size = utf8_character_size(bytes);
    if (size > 0) {
      out.append(bytes.substr(0, static_cast<size_t>(size)));
      bytes.remove_prefix(static_cast<size_t>(size));
      continue;
    }
    // A broken sequence is replaced up to its first byte that could not continue it.
    size_t broken = size < 0 ? static_cast<size_t>(-size) : 1;
    while (size == 0 && broken < bytes.size() && utf8_character_size(bytes.substr(0, broken)) < 0 &&
           utf8_character_size(bytes.substr(0, broken + 1)) < 0) {
      ++broken;
    }
    out += "\xEF\xBF\xBD";
    bytes.remove_prefix(broken);
  }
  return out;
}

}  // namespace levin
