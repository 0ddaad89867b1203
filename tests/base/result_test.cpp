// Result, Error and the TRY macros.
#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace levin {
namespace {

Result<int> parse_digit(char c) {
  if (c < '0' || c > '9') return Error(ErrorCode::kInvalidArgument, std::string("no digit: ") + c);
  return c - '0';
}

Result<void> require_even(int value, int* calls) {
  ++*calls;
  if (value % 2 != 0) return Error(ErrorCode::kLimit, "odd");
  return {};
}

Result<int> sum_of_even_digits(const std::string& text, int* calls) {
  int sum = 0;
  for (const char c : text) {
    TRY_ASSIGN(const int digit, parse_digit(c));
    TRY(require_even(digit, calls));
    sum += digit;
  }
  return sum;
}

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> good = parse_digit('7');
  ASSERT_TRUE(good);
  EXPECT_TRUE(good.has_value());
  EXPECT_EQ(*good, 7);
  const Result<int> bad = parse_digit('x');
  ASSERT_FALSE(bad);
  EXPECT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(bad.error().message(), "no digit: x");
}

TEST(Result, OfVoid) {
  int calls = 0;
  EXPECT_TRUE(require_even(2, &calls));
  const Result<void> bad = require_even(3, &calls);
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().message(), "odd");
}

TEST(Result, TryReturnsTheFirstErrorAndStops) {
  int calls = 0;
  const Result<int> good = sum_of_even_digits("246", &calls);
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 12);
  EXPECT_EQ(calls, 3);
  calls = 0;
  EXPECT_EQ(sum_of_even_digits("2x4", &calls).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(calls, 1);
  calls = 0;
  EXPECT_EQ(sum_of_even_digits("234", &calls).error().code(), ErrorCode::kLimit);
  EXPECT_EQ(calls, 2);
}

TEST(Result, TryEvaluatesItsExpressionOnce) {
  int evaluations = 0;
  const auto counted = [&]() -> Result<int> {
    ++evaluations;
    return evaluations;
  };
  const auto use = [&]() -> Result<int> {
    TRY(counted());
    TRY_ASSIGN(const int value, counted());
    int assigned = 0;
    TRY_ASSIGN(assigned, counted());  // Onto a variable that exists.
    return value * 10 + assigned;
  };
  EXPECT_EQ(*use(), 23);
  EXPECT_EQ(evaluations, 3);
}

TEST(Result, TryWorksAsTheOnlyStatementOfAnIf) {
  int calls = 0;
  const auto use = [&](bool check) -> Result<void> {
    if (check)
      TRY(require_even(1, &calls));
    else
      TRY(require_even(2, &calls));
    return {};
  };
  EXPECT_FALSE(use(true));
  EXPECT_TRUE(use(false));
}

TEST(Result, MovesValuesThatCannotBeCopied) {
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(5); };
  const auto pass = [&]() -> Result<std::unique_ptr<int>> {
    TRY_ASSIGN(std::unique_ptr<int> value, make());
    *value += 1;
    return value;
  };
  Result<std::unique_ptr<int>> result = pass();
  ASSERT_TRUE(result);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 6);
}

TEST(Result, AnErrorPassesBetweenResultTypes) {
  const auto outer = []() -> Result<std::string> {
    TRY_ASSIGN(const int digit, parse_digit('?'));
    return std::to_string(digit);
  };
  EXPECT_EQ(outer().error().message(), "no digit: ?");
}

TEST(Error, ContextGoesInFrontAndKeepsTheCode) {
  const Error error =
      Error(ErrorCode::kCorrupt, "bad magic").context("shard 3").context("loading m");
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_EQ(error.message(), "loading m: shard 3: bad magic");
}

}  // namespace
}  // namespace levin
