// The envelope `*** Begin Patch` ... `*** End Patch`.
#include <algorithm>

#include "tools/patch.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

using Kind = FileOperation::Kind;

constexpr std::string_view kAdd = "*** Add File:";
constexpr std::string_view kDelete = "*** Delete File:";
constexpr std::string_view kUpdate = "*** Update File:";
constexpr std::string_view kMove = "*** Move to:";
constexpr std::string_view kEndOfFile = "*** End of File";
constexpr std::string_view kEnd = "*** End Patch";

class EnvelopeReader {
 public:
  EnvelopeReader(const std::vector<std::string_view>& lines, size_t at)
      : lines_(lines), begin_(at), at_(at + 1) {}

  ParsedPatch read() {
    while (at_ < lines_.size() && result_.problem.empty()) {
      const std::string_view line = stripped(lines_[at_]);
      if (line == kEnd) {
        ++at_;
        break;
      }
      if (line.empty()) {
        ++at_;
      } else if (!file(line)) {
        break;
      }
    }
    if (result_.problem.empty() && result_.operations.empty()) refuse(begin_, "the patch is empty");
    result_.lines_read = at_ - begin_;
    return std::move(result_);
  }

 private:
  void refuse(size_t line, const std::string& what) {
    result_.problem = "line " + std::to_string(line + 1) + ": " + what;
  }

  static std::string_view without_return(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  // What follows `marker` in `line`; empty when it is another line.
  static std::string_view after(std::string_view line, std::string_view marker) {
    return line.starts_with(marker) ? stripped(line.substr(marker.size())) : std::string_view();
  }

  // A heredoc's end or a fence after a patch whose last marker is missing.
  bool ends_here(std::string_view line) const {
    const bool word = std::all_of(line.begin(), line.end(),
                                  [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; });
    return !result_.operations.empty() && (word || line.starts_with("```"));
  }

  // One file's part; false when the patch ends here instead.
  bool file(std::string_view line) {
    FileOperation operation;
    if (line.starts_with(kAdd)) {
      operation.kind = Kind::kAdd;
      operation.path = after(line, kAdd);
    } else if (line.starts_with(kDelete)) {
      operation.kind = Kind::kDelete;
      operation.path = after(line, kDelete);
    } else if (line.starts_with(kUpdate)) {
      operation.path = after(line, kUpdate);
    } else if (ends_here(line)) {
      return false;
    } else {
      refuse(at_, "expected *** Add File:, *** Delete File: or *** Update File:, found \"" +
                      shown_line(line) + '"');
      return false;
    }
    const size_t header = at_++;
    if (operation.path.empty()) {
      refuse(header, "the file has no name");
    } else if (operation.kind == Kind::kAdd) {
      read_content(operation);
    } else if (operation.kind == Kind::kUpdate) {
      read_hunks(operation, header);
    }
    result_.operations.push_back(std::move(operation));
    return true;
  }

  void read_content(FileOperation& operation) {
    while (at_ < lines_.size()) {
      const std::string_view line = without_return(lines_[at_]);
      if (!line.starts_with('+')) {
        // A blank line inside, its plus forgotten.
        const bool inside =
            line.empty() && at_ + 1 < lines_.size() && lines_[at_ + 1].starts_with('+');
        if (!inside) return;
        operation.content += '\n';
      } else {
        operation.content += std::string(line.substr(1)) + '\n';
      }
      ++at_;
    }
  }

  // The marker in column 0, or padded where no more lines of the file can follow.
  bool is_marker_line(std::string_view line) const {
    if (line.starts_with("*** ")) return true;
    if (!stripped(line).starts_with("*** End Patch")) return false;
    return std::all_of(lines_.begin() + static_cast<std::ptrdiff_t>(at_) + 1, lines_.end(),
                       [](std::string_view later) { return stripped(later).empty(); });
  }

  void read_hunks(FileOperation& operation, size_t header) {
    if (at_ < lines_.size() && stripped(lines_[at_]).starts_with(kMove)) {
      operation.move_to = after(stripped(lines_[at_]), kMove);
      if (operation.move_to.empty()) return refuse(at_, "the new file has no name");
      ++at_;
    }
    bool open = false;
    while (at_ < lines_.size()) {
      const std::string_view line = without_return(lines_[at_]);
      if (stripped(line) == kEndOfFile) {
        if (!open) return refuse(at_, "*** End of File without a hunk");
        operation.hunks.back().at_end = true;
        open = false;
      } else if (is_marker_line(line)) {
        break;
      } else if (line.starts_with("@@")) {
        if (!open || !operation.hunks.back().lines.empty()) operation.hunks.emplace_back();
        open = true;
        read_anchor(line, operation.hunks.back());
      } else if (line.empty() || line.front() == ' ' || line.front() == '+' ||
                 line.front() == '-') {
        if (line.empty() && ends_after_blank_lines()) break;
        if (!open) operation.hunks.emplace_back();
        open = true;
        operation.hunks.back().lines.push_back(
            {line.empty() ? ' ' : line.front(), std::string(line.substr(line.empty() ? 0 : 1))});
      } else if (open && ends_here_in_hunk(line)) {
        break;
      } else {
        return refuse(at_, "expected a line that begins with @@, a blank, + or -, found \"" +
                               shown_line(line) + '"');
      }
      ++at_;
    }
    check(operation, header);
  }

  static bool ends_here_in_hunk(std::string_view line) {
    return line.starts_with("```") || std::all_of(line.begin(), line.end(), [](char c) {
             return (c >= 'A' && c <= 'Z') || c == '_';
           });
  }

  // Empty lines before the next marker or the end are not the file's.
  bool ends_after_blank_lines() const {
    size_t next = at_;
    while (next < lines_.size() && stripped(lines_[next]).empty()) ++next;
    if (next == lines_.size()) return true;
    return lines_[next].starts_with("*** ") || ends_here_in_hunk(lines_[next]);
  }

  static void read_anchor(std::string_view line, PatchHunk& hunk) {
    std::string_view text = stripped(line.substr(2));
    if (text.empty() || text == "@@") return;
    // A unified diff's numbers are not a line of the file.
    if (text.starts_with('-') && text.find(" +") != std::string_view::npos &&
        text.find("@@") != std::string_view::npos) {
      return;
    }
    if (text.ends_with(" @@")) text.remove_suffix(3);
    hunk.anchors.emplace_back(text);
  }

  void check(const FileOperation& operation, size_t header) {
    for (const PatchHunk& hunk : operation.hunks) {
      if (!hunk.changes())
        return refuse(header, "a hunk of " + operation.path + " changes nothing");
    }
    if (operation.hunks.empty() && operation.move_to.empty()) {
      refuse(header, "no hunk for " + operation.path);
    }
  }

  const std::vector<std::string_view>& lines_;
  size_t begin_;
  size_t at_;
  ParsedPatch result_;
};

}  // namespace

ParsedPatch read_envelope(const std::vector<std::string_view>& lines, size_t at) {
  return EnvelopeReader(lines, at).read();
}

}  // namespace levin::tools
