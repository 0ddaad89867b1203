#include "sandbox/output_buffer.h"

#include <gtest/gtest.h>

#include <string>

namespace levin::sandbox {
namespace {

std::string pattern(size_t size) {
  std::string text;
  for (size_t index = 0; index < size; ++index) text += static_cast<char>('a' + index % 26);
  return text;
}

TEST(OutputBuffer, KeepsEverythingUpToBothCaps) {
  OutputBuffer buffer(4, 6);
  buffer.append("0123456789");
  EXPECT_EQ(buffer.kept().bytes, "0123456789");
  EXPECT_EQ(buffer.kept().cut_at, 0U);
}

TEST(OutputBuffer, OneByteMoreDropsTheOldestOfTheTail) {
  OutputBuffer buffer(4, 6);
  buffer.append("0123456789A");
  EXPECT_EQ(buffer.kept().bytes, "012356789A");
  EXPECT_EQ(buffer.kept().cut_at, 4U);
  EXPECT_EQ(buffer.total_bytes(), 11U);
}

TEST(OutputBuffer, SplitsOfTheSameBytesGiveTheSameResult) {
  for (size_t total : {0U, 1U, 9U, 10U, 11U, 16U, 17U, 40U, 101U}) {
    const std::string text = pattern(total);
    OutputBuffer whole(4, 6);
    whole.append(text);
    const std::string expected = total <= 10 ? text : text.substr(0, 4) + text.substr(total - 6);
    EXPECT_EQ(whole.kept().bytes, expected) << total;
    for (size_t step : {1U, 2U, 3U, 5U, 7U, 12U, 13U}) {
      OutputBuffer parts(4, 6);
      for (size_t at = 0; at < total; at += step) parts.append(text.substr(at, step));
      EXPECT_EQ(parts.kept().bytes, expected) << total << " by " << step;
      EXPECT_EQ(parts.total_bytes(), total);
    }
  }
}

TEST(OutputBuffer, WorksWithoutHeadOrTail) {
  OutputBuffer no_tail(3, 0);
  no_tail.append("abcdef");
  EXPECT_EQ(no_tail.kept().bytes, "abc");
  EXPECT_EQ(no_tail.kept().cut_at, 3U);
  OutputBuffer no_head(0, 3);
  no_head.append("abcdef");
  EXPECT_EQ(no_head.kept().bytes, "def");
}

}  // namespace
}  // namespace levin::sandbox
