#include "tools/file_type.h"

namespace levin::tools {
namespace {

using namespace std::string_view_literals;

struct Mark {
  size_t at;
  std::string_view bytes;
  std::string_view type;
};

constexpr Mark kMarks[] = {
    {0, "\x89PNG\r\n\x1A\n"sv, "PNG image"},
    {0, "\xFF\xD8\xFF"sv, "JPEG image"},
    {0, "GIF8"sv, "GIF image"},
    {8, "WEBP"sv, "WebP image"},
    {8, "WAVE"sv, "WAV audio"},
    {0, "BM"sv, "BMP image"},
    {0,
     "\x7F"
     "ELF"sv,
     "ELF"},
    {0, "MZ"sv, "Windows program"},
    {0, "\xCF\xFA\xED\xFE"sv, "Mach-O"},
    {0, "\xCA\xFE\xBA\xBE"sv, "Java class"},
    {0, "\0asm"sv, "WebAssembly"},
    {0, "!<arch>\n"sv, "ar archive"},
    {0, "PK\x03\x04"sv, "zip archive"},
    {0, "\x1F\x8B"sv, "gzip"},
    {0, "BZh"sv, "bzip2"},
    {0,
     "\xFD"
     "7zXZ\0"sv,
     "xz"},
    {0, "\x28\xB5\x2F\xFD"sv, "zstd"},
    {0, "7z\xBC\xAF\x27\x1C"sv, "7z archive"},
    {257, "ustar"sv, "tar archive"},
    {0, "%PDF-"sv, "PDF"},
    {0, "SQLite format 3\0"sv, "SQLite database"},
    {0, "GGUF"sv, "GGUF model"},
    {0, "wOF2"sv, "WOFF2 font"},
    {0, "OggS"sv, "Ogg"},
    {4, "ftyp"sv, "MP4"},
    {0, "ID3"sv, "MP3 audio"},
    {0, "\xFF\xFE"sv, "UTF-16 text"},
    {0, "\xFE\xFF"sv, "UTF-16 text"},
};

}  // namespace

std::string_view binary_type(std::string_view content) {
  for (const Mark& mark : kMarks) {
    if (content.size() >= mark.at && content.substr(mark.at).starts_with(mark.bytes))
      return mark.type;
  }
  return "unknown type";
}

}  // namespace levin::tools
