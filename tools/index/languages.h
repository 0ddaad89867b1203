// The languages that the index understands: their grammars, and their queries, which are data in
// queries/*.scm.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

struct TSLanguage;

namespace levin::tools {

// References bind to definitions of the same family only: C++ calls C, but never Java.
enum class Family : uint8_t { kC, kPython, kJavaScript, kRust, kGo, kJava, kShell, kJson, kWeb };

struct Language {
  std::string_view name;
  Family family;
  const TSLanguage* (*grammar)();
  std::vector<std::string_view> queries;  // Used one after the other.
  // A language to read the text as when this grammar finds errors and that one finds none.
  std::string_view other = {};
};

// Every language, each at its own place: an index into it names a language.
std::span<const Language> all_languages();

// By its name; CHECKs that it exists.
const Language& language_named(std::string_view name);

// By the end of the file's name; null for all others.
const Language* language_of(std::string_view path);

}  // namespace levin::tools
