#include "engine/normalizer.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "engine/tokenizer_json.h"

namespace levin::engine {
namespace {

constexpr int kCombiningRunMax = 1024;

bool is_ascii(char character) {
  return static_cast<unsigned char>(character) < 0x80;
}

// Where a part that begins at `from` with a non-ASCII character ends: before the next ASCII
// character (which composes with nothing before it), or inside an absurd run of combining marks.
size_t part_end(std::string_view text, size_t from) {
  int combining_run = 0;
  size_t end = from;
  while (end < text.size() && !is_ascii(text[end]) && combining_run < kCombiningRunMax) {
    utf8proc_int32_t code_point = 0;
    const auto size =
        utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + end),
                         static_cast<utf8proc_ssize_t>(text.size() - end), &code_point);
    CHECK(size > 0, size);
    const bool combining = utf8proc_get_property(code_point)->combining_class != 0;
    combining_run = combining ? combining_run + 1 : 0;
    end += static_cast<size_t>(size);
  }
  return end;
}

void append_nfc(std::string_view part, std::string& out) {
  utf8proc_uint8_t* composed = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(part.data()),
                   static_cast<utf8proc_ssize_t>(part.size()), &composed,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  CHECK(size >= 0, utf8proc_errmsg(size));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(composed, &std::free);
  out.append(reinterpret_cast<const char*>(composed), static_cast<size_t>(size));
}

Result<Normalizer> parse_at_depth(const nlohmann::json& description, int depth) {
  if (description.is_null()) return Normalizer::kNone;
  TRY_ASSIGN(const std::string_view type, component_type(description, "normalizer"));
  if (type == "NFC") return Normalizer::kNfc;
  if (type != "Sequence") return unknown_component("normalizer", type, "null, NFC, Sequence");
  TRY_ASSIGN(const nlohmann::json* parts, sequence_parts(description, "normalizers", depth));
  Normalizer all = Normalizer::kNone;
  for (const nlohmann::json& part : *parts) {
    TRY_ASSIGN(const Normalizer one, parse_at_depth(part, depth + 1));
    if (one == Normalizer::kNfc) all = one;
  }
  return all;
}

}  // namespace

Result<Normalizer> parse_normalizer(const nlohmann::json& description) {
  return parse_at_depth(description, 0);
}

std::string to_nfc(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  size_t position = 0;
  while (position < text.size()) {
    size_t ascii_end = position;
    while (ascii_end < text.size() && is_ascii(text[ascii_end])) ++ascii_end;
    if (ascii_end == text.size()) {
      out.append(text.substr(position));
      break;
    }
    // The last ASCII character may take an accent from what follows.
    const size_t part_begin = ascii_end > position ? ascii_end - 1 : position;
    out.append(text.substr(position, part_begin - position));
    position = part_end(text, ascii_end);
    append_nfc(text.substr(part_begin, position - part_begin), out);
  }
  return out;
}

}  // namespace levin::engine
