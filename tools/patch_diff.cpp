// Unified diffs, as git writes them and plain ones.
#include <algorithm>
#include <charconv>

#include "tools/patch.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

using Kind = FileOperation::Kind;

// git quotes names with odd bytes as C strings do.
std::string unquoted(std::string_view name) {
  if (name.size() < 2 || name.front() != '"' || name.back() != '"') return std::string(name);
  name = name.substr(1, name.size() - 2);
  std::string result;
  for (size_t at = 0; at < name.size(); ++at) {
    if (name[at] != '\\' || at + 1 == name.size()) {
      result += name[at];
      continue;
    }
    const char c = name[++at];
    if (c >= '0' && c <= '3' && at + 2 < name.size()) {
      int value = 0;
      std::from_chars(name.data() + at, name.data() + at + 3, value, 8);
      result += static_cast<char>(value);
      at += 2;
    } else {
      result += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
    }
  }
  return result;
}

std::string name_in_header(std::string_view line, size_t prefix) {
  line.remove_prefix(prefix);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return unquoted(stripped(line.substr(0, line.find('\t'))));
}

struct Range {
  size_t line = 0;
  size_t count = 1;
  bool known = false;
};

Range read_range(std::string_view text, char sign) {
  Range range;
  if (!text.starts_with(sign)) return range;
  const char* const end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data() + 1, end, range.line);
  range.known = error == std::errc();
  if (range.known && rest != end && *rest == ',') std::from_chars(rest + 1, end, range.count);
  return range;
}

class DiffReader {
 public:
  DiffReader(const std::vector<std::string_view>& lines, size_t at)
      : lines_(lines), begin_(at), at_(at) {}

  ParsedPatch read() {
    while (at_ < lines_.size() && result_.problem.empty()) {
      if (patch_form_at(lines_, at_) != PatchForm::kDiff) break;
      file();
    }
    result_.lines_read = at_ - begin_;
    return std::move(result_);
  }

 private:
  void refuse(size_t line, const std::string& what) {
    result_.problem = "line " + std::to_string(line + 1) + ": " + what;
  }

  bool is_next(std::string_view start) const {
    return at_ < lines_.size() && lines_[at_].starts_with(start);
  }

  void file() {
    const size_t header = at_;
    old_name_.clear();
    new_name_.clear();
    operation_ = {};
    operation_.form = FileOperation::Form::kDiff;
    bool git = false;
    std::string from;
    if (is_next("diff --git ")) {
      git = true;
      git_names(lines_[at_++]);
      git_headers(from);
    }
    if (is_next("--- ") && at_ + 1 < lines_.size() && lines_[at_ + 1].starts_with("+++ ")) {
      old_name_ = name_in_header(lines_[at_], 4);
      new_name_ = name_in_header(lines_[at_ + 1], 4);
      at_ += 2;
    }
    while (result_.problem.empty() && is_next("@@")) hunk();
    if (!result_.problem.empty()) return;
    name(git, from);
    if (operation_.path.empty()) return refuse(header, "the diff names no file");
    finish(header);
  }

  // `diff --git a/x b/x`: the two names are equal but for their prefix, unless a header says more.
  void git_names(std::string_view line) {
    line.remove_prefix(std::string_view("diff --git ").size());
    if (line.ends_with('\r')) line.remove_suffix(1);
    const size_t middle = line.find(" b/");
    const size_t quoted = line.find("\" \"");
    if (quoted != std::string_view::npos) {
      old_name_ = unquoted(line.substr(0, quoted + 1));
      new_name_ = unquoted(line.substr(quoted + 2));
    } else if (line.size() % 2 == 1 && line[line.size() / 2] == ' ') {
      old_name_ = line.substr(0, line.size() / 2);
      new_name_ = line.substr(line.size() / 2 + 1);
    } else if (middle != std::string_view::npos) {
      old_name_ = line.substr(0, middle);
      new_name_ = line.substr(middle + 1);
    }
  }

  void git_headers(std::string& from) {
    for (; at_ < lines_.size(); ++at_) {
      const std::string_view line = lines_[at_];
      if (line.starts_with("new file mode")) {
        operation_.kind = Kind::kAdd;
        operation_.executable = stripped(line).ends_with("755");
      } else if (line.starts_with("deleted file mode")) {
        operation_.kind = Kind::kDelete;
      } else if (line.starts_with("new mode")) {
        operation_.executable = stripped(line).ends_with("755");
      } else if (line.starts_with("rename from ")) {
        from = name_in_header(line, 12);
      } else if (line.starts_with("rename to ")) {
        operation_.move_to = name_in_header(line, 10);
      } else if (line.starts_with("copy from") || line.starts_with("GIT binary patch") ||
                 line.starts_with("Binary files")) {
        return refuse(at_, "copies and binary files cannot be patched");
      } else if (!line.starts_with("index ") && !line.starts_with("old mode") &&
                 !line.starts_with("similarity ") && !line.starts_with("dissimilarity ")) {
        return;
      }
    }
  }

  void name(bool git, const std::string& from) {
    if (old_name_ == "/dev/null") operation_.kind = Kind::kAdd;
    if (new_name_ == "/dev/null") operation_.kind = Kind::kDelete;
    const bool prefixed = (old_name_.starts_with("a/") || old_name_ == "/dev/null") &&
                          (new_name_.starts_with("b/") || new_name_ == "/dev/null");
    if (git || prefixed) {
      if (old_name_.starts_with("a/")) old_name_.erase(0, 2);
      if (new_name_.starts_with("b/")) new_name_.erase(0, 2);
    }
    operation_.path = operation_.kind == Kind::kDelete ? old_name_ : new_name_;
    if (operation_.kind == Kind::kUpdate && old_name_ != new_name_) {
      operation_.other_path = old_name_;
    }
    if (!operation_.move_to.empty()) {
      operation_.path = from.empty() ? old_name_ : from;
      operation_.other_path.clear();
    }
  }

  void hunk() {
    std::string_view head = lines_[at_];
    PatchHunk hunk;
    // Lines that are still to come by its own account; a wrong account only makes the end less
    // certain.
    Range old_range;
    Range new_range;
    const size_t minus = head.find('-');
    const size_t plus = head.find(" +");
    if (minus != std::string_view::npos && plus != std::string_view::npos) {
      old_range = read_range(head.substr(minus, plus - minus), '-');
      new_range = read_range(head.substr(plus + 1), '+');
    }
    if (old_range.known) hunk.line = old_range.line;
    size_t old_count = 0;
    size_t new_count = 0;
    for (++at_; at_ < lines_.size(); ++at_) {
      std::string_view line = lines_[at_];
      if (line.starts_with('\\')) {
        no_newline(hunk);
        continue;
      }
      const bool complete = old_range.known && new_range.known && old_count >= old_range.count &&
                            new_count >= new_range.count;
      if (ends_at(line, complete)) break;
      if (hunk.lines.empty() && line.ends_with('\r') && line.size() == 1) line = {};
      const char kind = line.empty() ? ' ' : line.front();
      hunk.lines.push_back({kind, std::string(line.substr(line.empty() ? 0 : 1))});
      if (kind != '+') ++old_count;
      if (kind != '-') ++new_count;
    }
    if (!hunk.changes()) return refuse(at_ - 1, "a hunk changes nothing");
    operation_.hunks.push_back(std::move(hunk));
  }

  bool ends_at(std::string_view line, bool complete) const {
    if (line.starts_with("@@") || line.starts_with("diff --git ")) return true;
    const bool next_file =
        line.starts_with("--- ") && at_ + 1 < lines_.size() && lines_[at_ + 1].starts_with("+++ ");
    if (next_file && complete) return true;
    if (next_file && at_ + 2 < lines_.size() && lines_[at_ + 2].starts_with("@@")) return true;
    if (complete && (stripped(line) == "--" || line.empty())) return true;
    if (line.empty() || line == "\r") return !more_follows();
    return line.front() != ' ' && line.front() != '+' && line.front() != '-';
  }

  // Whether an empty line is one of the file whose blank got lost: more of the hunk follows.
  bool more_follows() const {
    size_t next = at_;
    while (next < lines_.size() && stripped(lines_[next]).empty()) ++next;
    if (next == lines_.size()) return false;
    const char c = lines_[next].front();
    return (c == ' ' || c == '+' || c == '-') && patch_form_at(lines_, next) == PatchForm::kNone;
  }

  static void no_newline(PatchHunk& hunk) {
    if (hunk.lines.empty()) return;
    const char kind = hunk.lines.back().kind;
    if (kind != '+') hunk.old_lacks_newline = true;
    if (kind != '-') hunk.new_lacks_newline = true;
  }

  void finish(size_t header) {
    if (operation_.kind == Kind::kAdd) {
      for (const PatchHunk& hunk : operation_.hunks) {
        if (!hunk.old_text().empty())
          return refuse(header, "a new file has no lines to compare with");
        operation_.content += hunk.new_text();
        if (hunk.new_lacks_newline) operation_.content.pop_back();
      }
      operation_.hunks.clear();
    } else if (operation_.kind == Kind::kUpdate && operation_.hunks.empty() &&
               operation_.move_to.empty() && !operation_.executable) {
      return refuse(header, "no hunk for " + operation_.path);
    }
    result_.operations.push_back(std::move(operation_));
  }

  const std::vector<std::string_view>& lines_;
  size_t begin_;
  size_t at_;
  std::string old_name_;
  std::string new_name_;
  FileOperation operation_;
  ParsedPatch result_;
};

}  // namespace

ParsedPatch read_diff(const std::vector<std::string_view>& lines, size_t at) {
  return DiffReader(lines, at).read();
}

}  // namespace levin::tools
