#include "engine/byte_alphabet.h"

#include <array>

namespace levin::engine {
namespace {

// 68 bytes do not stand for themselves, so the last character in use is U+0100 + 67.
constexpr int kAlphabetEnd = 0x100 + 68;

struct Alphabet {
  std::array<int16_t, kAlphabetEnd> byte_of{};  // By code point; -1 outside the alphabet.
  std::array<uint16_t, 256> code_point_of{};
};

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  for (int16_t& byte : alphabet.byte_of) byte = -1;
  uint16_t next = 0x100;
  for (uint16_t byte = 0; byte < 256; ++byte) {
    // Blanks, control characters and the soft hyphen (173) would be lost in a text file.
    const bool printable =
        (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 255 && byte != 173);
    const uint16_t code_point = printable ? byte : next++;
    alphabet.code_point_of[byte] = code_point;
    alphabet.byte_of[code_point] = static_cast<int16_t>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

std::optional<std::string> bytes_of_symbols(std::string_view symbols) {
  std::string bytes;
  for (size_t index = 0; index < symbols.size(); ++index) {
    const auto lead = static_cast<unsigned char>(symbols[index]);
    unsigned code_point = lead;
    if (lead >= 0x80) {  // Every character of the alphabet has one or two UTF-8 bytes.
      if (lead < 0xC2 || lead > 0xDF || index + 1 == symbols.size()) return std::nullopt;
      const auto low = static_cast<unsigned char>(symbols[++index]);
      if ((low & 0xC0) != 0x80) return std::nullopt;
      code_point = (lead & 0x1Fu) << 6 | (low & 0x3Fu);
    }
    if (code_point >= kAlphabetEnd || kAlphabet.byte_of[code_point] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(kAlphabet.byte_of[code_point]));
  }
  return bytes;
}

std::string symbol_of_byte(uint8_t byte) {
  const unsigned code_point = kAlphabet.code_point_of[byte];
  if (code_point < 0x80) return std::string(1, static_cast<char>(code_point));
  return {static_cast<char>(0xC0 | code_point >> 6), static_cast<char>(0x80 | (code_point & 0x3F))};
}

}  // namespace levin::engine
