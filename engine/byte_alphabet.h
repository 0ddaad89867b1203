// The printable alphabet in which byte-level BPE files spell bytes: one character of U+0021..U+0143
// for each byte. Bytes that print well stand for themselves, the others are U+0100 upwards, in
// order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace levin::engine {

// The bytes that `symbols` (UTF-8) spells; nothing when a character is not of the alphabet.
std::optional<std::string> bytes_of_symbols(std::string_view symbols);

// The character, in UTF-8, that spells `byte`.
std::string symbol_of_byte(uint8_t byte);

}  // namespace levin::engine
