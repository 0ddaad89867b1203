#include "tools/index/languages.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "tools/index/query_texts.h"

extern "C" {
const TSLanguage* tree_sitter_bash();
const TSLanguage* tree_sitter_c();
const TSLanguage* tree_sitter_cpp();
const TSLanguage* tree_sitter_css();
const TSLanguage* tree_sitter_go();
const TSLanguage* tree_sitter_html();
const TSLanguage* tree_sitter_java();
const TSLanguage* tree_sitter_javascript();
const TSLanguage* tree_sitter_json();
const TSLanguage* tree_sitter_python();
const TSLanguage* tree_sitter_rust();
const TSLanguage* tree_sitter_tsx();
const TSLanguage* tree_sitter_typescript();
}

namespace levin::tools {
namespace {

const std::array<Language, 14>& languages() {
  static const std::array<Language, 14> kLanguages = {{
      {"bash", Family::kShell, tree_sitter_bash, {query_text("bash")}},
      {"c", Family::kC, tree_sitter_c, {query_text("c")}},
      {"cpp", Family::kC, tree_sitter_cpp, {query_text("cpp")}},
      {"css", Family::kWeb, tree_sitter_css, {query_text("css")}},
      {"go", Family::kGo, tree_sitter_go, {query_text("go")}},
      {"header", Family::kC, tree_sitter_cpp, {query_text("cpp")}, "c"},
      {"html", Family::kWeb, tree_sitter_html, {query_text("html")}},
      {"java", Family::kJava, tree_sitter_java, {query_text("java")}},
      {"javascript", Family::kJavaScript, tree_sitter_javascript, {query_text("javascript")}},
      {"json", Family::kJson, tree_sitter_json, {query_text("json")}},
      {"python", Family::kPython, tree_sitter_python, {query_text("python")}},
      {"rust", Family::kRust, tree_sitter_rust, {query_text("rust")}},
      {"tsx", Family::kJavaScript, tree_sitter_tsx, {query_text("typescript"), query_text("tsx")}},
      {"typescript", Family::kJavaScript, tree_sitter_typescript, {query_text("typescript")}},
  }};
  return kLanguages;
}

// A header may be C or C++: the grammar of C++ reads both, but for names such as `new` or `class`.
constexpr std::array<std::pair<std::string_view, std::string_view>, 34> kEndings = {{
    {"bash", "bash"},      {"c", "c"},        {"cc", "cpp"},         {"cjs", "javascript"},
    {"cpp", "cpp"},        {"css", "css"},    {"cts", "typescript"}, {"cu", "cpp"},
    {"cuh", "cpp"},        {"cxx", "cpp"},    {"go", "go"},          {"h", "header"},
    {"hh", "cpp"},         {"hpp", "cpp"},    {"htm", "html"},       {"html", "html"},
    {"hxx", "cpp"},        {"inl", "cpp"},    {"ipp", "cpp"},        {"java", "java"},
    {"js", "javascript"},  {"json", "json"},  {"jsx", "javascript"}, {"mjs", "javascript"},
    {"mts", "typescript"}, {"py", "python"},  {"pyi", "python"},     {"pyw", "python"},
    {"rs", "rust"},        {"sh", "bash"},    {"tpp", "cpp"},        {"ts", "typescript"},
    {"tsx", "tsx"},        {"xhtml", "html"},
}};

}  // namespace

std::span<const Language> all_languages() {
  return languages();
}

const Language& language_named(std::string_view name) {
  const auto found = std::find_if(languages().begin(), languages().end(),
                                  [&](const Language& each) { return each.name == name; });
  CHECK(found != languages().end(), name);
  return *found;
}

const Language* language_of(std::string_view path) {
  const size_t dot = path.rfind('.');
  if (dot == std::string_view::npos || dot + 1 == path.size()) return nullptr;
  const std::string_view ending = path.substr(dot + 1);
  for (const auto& [known, name] : kEndings) {
    if (known == ending) return &language_named(name);
  }
  return nullptr;
}

}  // namespace levin::tools
