#include "tools/web/app_files.h"

#include <array>
#include <utility>

namespace levin::tools::web {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 25> kTypes = {{
    {".html", "text/html; charset=utf-8"},
    {".htm", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".txt", "text/plain; charset=utf-8"},
    {".md", "text/plain; charset=utf-8"},
    {".csv", "text/csv; charset=utf-8"},
    {".xml", "application/xml"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".woff", "font/woff"},
    {".woff2", "font/woff2"},
    {".mp3", "audio/mpeg"},
    {".wav", "audio/wav"},
    {".mp4", "video/mp4"},
    {".wasm", "application/wasm"},
}};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool has_hidden_part(std::string_view path) {
  return path.starts_with('.') || path.find("/.") != std::string_view::npos;
}

}  // namespace

std::string mime_type(std::string_view path) {
  const size_t dot = path.rfind('.');
  std::string ending(dot == std::string_view::npos ? "" : path.substr(dot));
  for (char& c : ending) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  for (const auto& [known, type] : kTypes) {
    if (ending == known) return std::string(type);
  }
  return "application/octet-stream";
}

std::string percent_decoded(std::string_view text, bool* ok) {
  std::string decoded;
  *ok = true;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      decoded += text[at];
      continue;
    }
    const int high = at + 1 < text.size() ? hex_digit(text[at + 1]) : -1;
    const int low = at + 2 < text.size() ? hex_digit(text[at + 2]) : -1;
    if (high < 0 || low < 0) {
      *ok = false;
      return "";
    }
    decoded += static_cast<char>(high * 16 + low);
    at += 2;
  }
  return decoded;
}

FileAnswer answer_file(const Workspace& folder, std::string_view path) {
  bool ok = false;
  std::string name = percent_decoded(path, &ok);
  // A NUL would cut the path short below.
  if (!ok || name.find('\0') != std::string::npos) return {404, "text/plain", "not found\n"};
  if (name.empty() || name.ends_with('/')) name += "index.html";
  if (name.starts_with('/') || has_hidden_part(name)) return {403, "text/plain", "refused\n"};
  Result<FileData> file = folder.load(name, kServedBytesMax);
  if (file) return {200, mime_type(name), std::move(file->content)};
  switch (file.error().code()) {
    case ErrorCode::kInvalidArgument:
      return {403, "text/plain", "refused\n"};
    case ErrorCode::kLimit:
      return {413, "text/plain", "too large\n"};
    default:
      return {404, "text/plain", "not found\n"};
  }
}

}  // namespace levin::tools::web
