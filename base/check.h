// CHECK: programmer errors (a broken invariant, a wrong shape passed to an op). Always on: prints
// the condition, the values given and the place, then aborts. Bad input from outside is never a
// CHECK.
#pragma once

#include <cstdlib>
#include <iostream>

namespace levin::detail {

template <typename... Values>
[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               const Values&... values) {
  std::cerr << file << ':' << line << ": CHECK failed: " << condition;
  ((std::cerr << ' ' << values), ...);
  std::cerr << std::endl;
  std::abort();
}

}  // namespace levin::detail

#define CHECK(condition, ...)                                                                   \
  do {                                                                                          \
    if (!(condition)) [[unlikely]]                                                              \
      ::levin::detail::check_failed(__FILE__, __LINE__, #condition __VA_OPT__(, ) __VA_ARGS__); \
  } while (false)

#ifdef NDEBUG
#define DCHECK(condition, ...) \
  do {                         \
  } while (false)
#else
#define DCHECK(condition, ...) CHECK(condition __VA_OPT__(, ) __VA_ARGS__)
#endif
