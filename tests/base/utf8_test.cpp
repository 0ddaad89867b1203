// UTF-8 by known answers (those of Python's bytes.decode with errors="replace"), every two-byte
// lead and every cut of hostile strings.
#include "base/utf8.h"

#include <gtest/gtest.h>

#include <vector>

namespace levin {
namespace {

using namespace std::string_literals;

#define BAD "\xEF\xBF\xBD"

struct Known {
  std::string bytes;
  size_t valid_prefix;
  std::string sanitized;
};

const std::vector<Known>& known_answers() {
  static const std::vector<Known> all = {
      {"", 0, ""},
      {"abc", 3, "abc"},
      {"a\0b"s, 3, "a\0b"s},
      {"\xE2\x82\xAC", 3, "\xE2\x82\xAC"},
      {"\xF0\x9F\x98\x80", 4, "\xF0\x9F\x98\x80"},
      {"\xEF\xBF\xBF", 3, "\xEF\xBF\xBF"},
      {"\xEE\x80\x80\xDF\xBF\xC2\x80", 7, "\xEE\x80\x80\xDF\xBF\xC2\x80"},
      {"\xF4\x8F\xBF\xBF", 4, "\xF4\x8F\xBF\xBF"},
      {"\x80", 0, BAD},
      {"\xFF\xFE", 0, BAD BAD},
      {"\xC0\xAF", 0, BAD BAD},  // Overlong '/'.
      {"\xE0\x80\xAF", 0, BAD BAD BAD},
      {"\xE0\x9F\xBF", 0, BAD BAD BAD},
      {"\xF0\x80\x80\xAF", 0, BAD BAD BAD BAD},
      {"\xED\xA0\x80", 0, BAD BAD BAD},  // A surrogate.
      {"\xED\xBF\xBF", 0, BAD BAD BAD},
      {"\xF4\x90\x80\x80", 0, BAD BAD BAD BAD},  // Above U+10FFFF.
      {"\xF5\x80\x80\x80", 0, BAD BAD BAD BAD},
      {"\xF8\x88\x80\x80\x80", 0, BAD BAD BAD BAD BAD},
      {"\xF0\x9F\x98", 0, BAD},  // A cut is one broken part.
      {"\xF0\x9F", 0, BAD},
      {"\xF0", 0, BAD},
      {"\xF0\x9F\x98x", 0, BAD "x"},
      {"\xC3(", 0, BAD "("},
      {"a\xE2\x82", 1, "a" BAD},
      {"\xE2\x82\xE2\x82\xAC", 0, BAD "\xE2\x82\xAC"},
      {"\xF0\x9F\x98\xF0\x9F\x98\x80", 0, BAD "\xF0\x9F\x98\x80"},
      {"\xF1\x80\x80\xE1\x80\xC2"
       "b\x80"
       "c\x80\xBF"
       "d",
       0, BAD BAD BAD "b" BAD "c" BAD BAD "d"},
  };
  return all;
}

TEST(Utf8, KnownAnswers) {
  for (const Known& known : known_answers()) {
    const std::string name = testing::PrintToString(known.bytes);
    EXPECT_EQ(utf8_valid_prefix(known.bytes), known.valid_prefix) << name;
    EXPECT_EQ(utf8_sanitize(known.bytes), known.sanitized) << name;
    EXPECT_EQ(utf8_is_valid(known.bytes), known.bytes == known.sanitized) << name;
  }
}

// The definition by code points: what a decoder that knows no table would say.
bool is_character(const std::string& bytes) {
  if (bytes.size() == 1) return static_cast<unsigned char>(bytes[0]) < 0x80;
  const auto at = [&](size_t i) { return uint32_t{static_cast<unsigned char>(bytes[i])}; };
  const uint32_t lead_bits = bytes.size() == 2 ? 0x1F : bytes.size() == 3 ? 0x0F : 0x07;
  if ((at(0) & ~lead_bits & 0xFF) != ((~lead_bits << 1) & 0xFF)) return false;
  uint32_t point = at(0) & lead_bits;
  for (size_t i = 1; i < bytes.size(); ++i) {
    if ((at(i) & 0xC0) != 0x80) return false;
    point = point << 6 | (at(i) & 0x3F);
  }
  const uint32_t least = bytes.size() == 2 ? 0x80 : bytes.size() == 3 ? 0x800 : 0x10000;
  return point >= least && point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
}

TEST(Utf8, EveryLeadAndSecondByte) {
  for (int lead = 0; lead < 256; ++lead) {
    for (int second = 0; second < 256; ++second) {
      std::string bytes = {static_cast<char>(lead), static_cast<char>(second), '\x80', '\xBF'};
      int expected = 0;
      for (size_t size = 1; size <= 4; ++size) {
        if (is_character(bytes.substr(0, size))) expected = static_cast<int>(size);
      }
      ASSERT_EQ(utf8_character_size(bytes), expected) << lead << ' ' << second;
    }
  }
}

TEST(Utf8, ACutCharacterIsToldFromABrokenOne) {
  const std::string whole[] = {"\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xF0\x90\x80\x80",
                               "\xF4\x8F\xBF\xBF"};
  for (const std::string& bytes : whole) {
    for (size_t cut = 1; cut < bytes.size(); ++cut) {
      EXPECT_EQ(utf8_character_size(bytes.substr(0, cut)), -static_cast<int>(cut));
    }
    EXPECT_EQ(utf8_character_size(bytes), static_cast<int>(bytes.size()));
  }
  EXPECT_EQ(utf8_character_size("\xE0\x80"), 0);
  EXPECT_EQ(utf8_character_size(""), 0);
}

// A stream that holds back an unfinished character says the same as the whole string at once,
// wherever it is cut.
TEST(Utf8, SanitizingInTwoPiecesGivesTheSame) {
  for (const Known& first : known_answers()) {
    for (const Known& second : known_answers()) {
      const std::string bytes = first.bytes + second.bytes;
      const std::string whole = utf8_sanitize(bytes);
      EXPECT_TRUE(utf8_is_valid(whole));
      EXPECT_EQ(utf8_sanitize(whole), whole);
      for (size_t cut = 0; cut <= bytes.size(); ++cut) {
        std::string head = bytes.substr(0, cut);
        std::string held;
        for (size_t size = 1; size <= 3 && size <= head.size(); ++size) {
          const std::string tail = head.substr(head.size() - size);
          if (utf8_character_size(tail) == -static_cast<int>(size)) held = tail;
        }
        head.resize(head.size() - held.size());
        ASSERT_EQ(utf8_sanitize(head) + utf8_sanitize(held + bytes.substr(cut)), whole)
            << testing::PrintToString(bytes) << " cut at " << cut;
        EXPECT_TRUE(utf8_is_valid(utf8_sanitize(bytes.substr(0, cut))));
      }
    }
  }
}

}  // namespace
}  // namespace levin
