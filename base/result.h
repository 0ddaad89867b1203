// Result<T>: a value or an Error. Operating errors (files, formats, limits) travel through it;
// programmer errors use CHECK (base/check.h). Not std::expected: nvcc's C++20 and clang 14 lack it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace levin {

enum class ErrorCode {
  kInvalidArgument,  // The caller's input (option, request, file content) is wrong.
  kNotFound,         // A file, tensor or name does not exist.
  kCorrupt,          // A file exists but breaks its format.
  kUnsupported,      // Understood, but this build or kernel cannot do it.
  kIo,               // The operating system refused (errno is in the message).
  kLimit,            // A named bound was reached.
  kInterrupted,      // The user asked to stop.
};

// What went wrong, in words for a stranger: what was being done, on what, expected, found.
class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // Prefixes what the caller was doing: "loading shard 3: <message>".
  Error context(std::string_view doing) && {
    return Error(code_, std::string(doing) + ": " + message_);
  }

 private:
  ErrorCode code_;
  std::string message_;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  // Implicit, so that a function returns a value or an Error as it is.
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  bool has_value() const { return state_.index() == 0; }

  T& operator*() & { return *std::get_if<0>(&state_); }
  const T& operator*() const& { return *std::get_if<0>(&state_); }
  T&& operator*() && { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }

  const Error& error() const& { return *std::get_if<1>(&state_); }
  Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  explicit operator bool() const { return !error_.has_value(); }
  bool has_value() const { return !error_.has_value(); }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

}  // namespace levin

#define LEVIN_CONCAT_(a, b) a##b
#define LEVIN_CONCAT(a, b) LEVIN_CONCAT_(a, b)

// Returns the error of a Result<void> (or of any Result whose value is not needed).
#define TRY(expr)                                                      \
  do {                                                                 \
    auto levin_try_result = (expr);                                    \
    if (!levin_try_result) return std::move(levin_try_result).error(); \
  } while (false)

// TRY_ASSIGN(auto file, open(path)); declares or assigns on success, returns the error otherwise.
#define TRY_ASSIGN(target, expr) TRY_ASSIGN_(LEVIN_CONCAT(levin_try_, __LINE__), target, expr)
#define TRY_ASSIGN_(name, target, expr)      \
  auto name = (expr);                        \
  if (!name) return std::move(name).error(); \
  target = *std::move(name)
