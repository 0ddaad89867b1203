#include "agent/tree_manifest.h"

#include <fmt/format.h>

#include <charconv>
#include <set>

namespace levin::agent {
namespace {

constexpr std::string_view kTitle = "levin checkpoint\n\n";
constexpr uint32_t kModeMax = 07777;

// Modes are told by class; git's +x separates the first two.
enum Class { kPlain, kRunnable, kFolders, kNumClasses };
constexpr std::array<std::string_view, kNumClasses> kClassNames = {"plain", "runnable", "folders"};

std::optional<Class> class_of(const TreeEntry& entry) {
  switch (entry.kind) {
    case TreeEntry::Kind::kFile:
      return (entry.mode & 0100U) != 0 ? kRunnable : kPlain;
    case TreeEntry::Kind::kFolder:
      return kFolders;
    default:
      return std::nullopt;
  }
}

// A path on one line: controls and % as %XX.
std::string escape(std::string_view path) {
  std::string out;
  for (const char character : path) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x20 || byte == 0x7F || byte == '%') {
      out += fmt::format("%{:02X}", byte);
    } else {
      out += character;
    }
  }
  return out;
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (size_t index = 0; index < text.size(); ++index) {
    if (text[index] != '%') {
      out += text[index];
      continue;
    }
    unsigned value = 0;
    const char* first = text.data() + index + 1;
    if (text.size() - index < 3 || std::from_chars(first, first + 2, value, 16).ptr != first + 2) {
      return std::nullopt;
    }
    out += static_cast<char>(value);
    index += 2;
  }
  return out;
}

std::optional<uint32_t> octal(std::string_view text) {
  uint32_t value = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value, 8);
  if (text.empty() || read.ec != std::errc() || read.ptr != end || value > kModeMax) {
    return std::nullopt;
  }
  return value;
}

std::array<uint32_t, kNumClasses> commonest_modes(const Manifest& manifest) {
  std::array<std::map<uint32_t, size_t>, kNumClasses> counts;
  for (const auto& [path, entry] : manifest) {
    if (const auto kind = class_of(entry)) ++counts[*kind][entry.mode];
  }
  std::array<uint32_t, kNumClasses> modes = {0644, 0755, 0755};
  for (int kind = 0; kind < kNumClasses; ++kind) {
    size_t most = 0;
    for (const auto& [mode, count] : counts[static_cast<size_t>(kind)]) {
      if (count <= most) continue;
      most = count;
      modes[static_cast<size_t>(kind)] = mode;
    }
  }
  return modes;
}

// Every folder above a path of the manifest exists, with a mode to be filled in.
void add_parents(Manifest* manifest, uint32_t mode) {
  std::set<std::string> folders;
  for (const auto& [path, entry] : *manifest) {
    for (size_t slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      folders.insert(path.substr(0, slash));
    }
  }
  for (const std::string& folder : folders) {
    manifest->try_emplace(folder, TreeEntry{TreeEntry::Kind::kFolder, mode, {}});
  }
}

bool is_safe(const std::string& path) {
  for (size_t start = 0; start <= path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    const std::string_view part = std::string_view(path).substr(start, end - start);
    if (part.empty() || part == "." || part == ".." || part.find('\0') != std::string::npos) {
      return false;
    }
    start = end + 1;
  }
  return true;
}

}  // namespace

std::string ObjectId::hex() const {
  std::string out;
  for (const unsigned char byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

std::optional<ObjectId> ObjectId::from_hex(std::string_view text) {
  ObjectId id;
  if (text.size() != 2 * id.bytes.size()) return std::nullopt;
  for (size_t index = 0; index < id.bytes.size(); ++index) {
    const char* first = text.data() + 2 * index;
    if (std::from_chars(first, first + 2, id.bytes[index], 16).ptr != first + 2) {
      return std::nullopt;
    }
  }
  return id;
}

std::string encode_modes(const Manifest& manifest) {
  const std::array<uint32_t, kNumClasses> modes = commonest_modes(manifest);
  std::string out(kTitle);
  for (size_t kind = 0; kind < kNumClasses; ++kind) {
    out += fmt::format("{} {:o}\n", kClassNames[kind], modes[kind]);
  }
  for (auto entry = manifest.begin(); entry != manifest.end(); ++entry) {
    const auto kind = class_of(entry->second);
    if (!kind) continue;
    const bool is_folder = *kind == kFolders;
    // Folders with something in them come back with it.
    const auto below = is_folder ? manifest.lower_bound(entry->first + "/") : manifest.end();
    const bool told =
        !is_folder || (below != manifest.end() && below->first.starts_with(entry->first + "/"));
    if (told && entry->second.mode == modes[*kind]) continue;
    out += fmt::format("{} {:o} {}\n", is_folder ? "folder" : "file", entry->second.mode,
                       escape(entry->first));
  }
  return out;
}

Result<void> decode_modes(std::string_view text, Manifest* manifest) {
  const auto corrupt = [](std::string_view line) {
    return Error(ErrorCode::kCorrupt,
                 "not a checkpoint: unexpected line \"" + std::string(line.substr(0, 80)) + "\"");
  };
  if (!text.starts_with(kTitle)) return corrupt(text.substr(0, text.find('\n')));
  text.remove_prefix(kTitle.size());
  uint32_t folder_mode = 0755;
  for (size_t number = 0; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t space = line.find(' ');
    const size_t second = std::min(line.find(' ', space + 1), line.size());
    if (space == std::string_view::npos) return corrupt(line);
    const auto mode = octal(line.substr(space + 1, second - space - 1));
    if (!mode) return corrupt(line);
    if (number < kNumClasses) {
      if (line.substr(0, space) != kClassNames[number] || second != line.size())
        return corrupt(line);
      if (number == kFolders) {
        folder_mode = *mode;
        add_parents(manifest, folder_mode);
      }
      for (auto& [path, entry] : *manifest) {
        const auto kind = class_of(entry);
        if (kind && static_cast<size_t>(*kind) == number) entry.mode = *mode;
      }
      continue;
    }
    const auto path = unescape(line.substr(std::min(second + 1, line.size())));
    if (!path || !is_safe(*path)) return corrupt(line);
    const bool is_folder = line.starts_with("folder ");
    if (is_folder) manifest->try_emplace(*path, TreeEntry{TreeEntry::Kind::kFolder, *mode, {}});
    const auto entry = manifest->find(*path);
    if (entry == manifest->end()) return corrupt(line);
    entry->second.mode = *mode;
  }
  add_parents(manifest, folder_mode);  // Of folders that hold nothing but folders.
  return {};
}

std::vector<std::string> changed_paths(const Manifest& now,
                                       const std::vector<const Manifest*>& expected,
                                       const Manifest* wanted) {
  const auto content_at = [](const Manifest& manifest,
                             const std::string& path) -> std::optional<TreeEntry> {
    const auto entry = manifest.find(path);
    if (entry == manifest.end() || !entry->second.is_content()) return std::nullopt;
    return entry->second;
  };
  std::set<std::string> paths;
  const auto collect = [&](const Manifest& manifest) {
    for (const auto& [path, entry] : manifest) {
      if (entry.is_content()) paths.insert(paths.end(), path);
    }
  };
  collect(now);
  for (const Manifest* one : expected) collect(*one);
  std::vector<std::string> changed;
  for (const std::string& path : paths) {
    const auto entry = content_at(now, path);
    bool known = wanted != nullptr && entry == content_at(*wanted, path);
    for (const Manifest* one : expected) known = known || entry == content_at(*one, path);
    if (!known) changed.push_back(path);
  }
  return changed;
}

}  // namespace levin::agent
