#include "tools/patch_apply.h"

#include <sys/stat.h>

#include <deque>

#include "tools/file_errors.h"
#include "tools/patch_hunks.h"
#include "tools/text_lines.h"
#include "tools/workspace.h"

namespace levin::tools {
namespace {

using Kind = FileOperation::Kind;
using Form = FileOperation::Form;

// A file before the patch and after it, as far as the operations went.
struct FileState {
  std::string path;  // As the patch names it.
  std::string real_path;
  std::optional<std::string> before;
  std::optional<std::string> now;
  std::optional<mode_t> mode;  // Permission bits to set; absent: as they are.
  mode_t old_mode = 0;
};

class PatchPlan {
 public:
  explicit PatchPlan(Workspace& workspace) : workspace_(workspace) {}

  PatchOutcome run(const std::vector<FileOperation>& operations) {
    for (size_t index = 0; index < operations.size(); ++index) {
      const FileOperation& operation = operations[index];
      std::string text;
      if (!plan(operation, text)) return refused(operations, index, text);
      outcome_.files.push_back({operation.path, std::move(text)});
    }
    for (FileState& file : files_) {
      if (std::string problem = write(file); !problem.empty()) {
        problem += take_back(file);
        return refused(operations, index_of(operations, file.path), problem);
      }
    }
    for (const FileState& file : files_) note(file);
    return std::move(outcome_);
  }

 private:
  PatchOutcome refused(const std::vector<FileOperation>& operations, size_t failed,
                       const std::string& text) {
    outcome_ = {};
    outcome_.failed = true;
    const std::string rest = operations.size() > 1 ? "\nNothing of the patch was applied." : "";
    for (size_t index = 0; index < operations.size(); ++index) {
      outcome_.files.push_back(
          {operations[index].path, index == failed ? text + rest
                                                   : "E_PATCH " + operations[index].path +
                                                         ": not applied, since " +
                                                         operations[failed].path + " failed."});
    }
    return std::move(outcome_);
  }

  static size_t index_of(const std::vector<FileOperation>& operations, const std::string& path) {
    for (size_t index = 0; index < operations.size(); ++index) {
      if (operations[index].path == path || operations[index].move_to == path) return index;
    }
    return 0;
  }

  // The file's state, loaded at its first use. Null with `text` set when it cannot be used.
  FileState* state(const std::string& path, std::string& text) {
    if (Result<Place> writable = workspace_.check_writable(path);
        !writable && writable.error().code() != ErrorCode::kNotFound) {
      text = file_failure(workspace_, path, writable.error()).text;
      return nullptr;
    }
    Result<Place> place = workspace_.find(path);
    const std::string key = place ? place->path : path;
    for (FileState& known : files_) {
      if (known.real_path == key) return &known;
    }
    FileState fresh;
    fresh.path = path;
    fresh.real_path = key;
    if (place && place->exists()) {
      Result<FileData> file = workspace_.load(path);
      if (!file) {
        text = file_failure(workspace_, path, file.error()).text;
        return nullptr;
      }
      text = stale_text(workspace_, path, file->real_path, file->content);
      if (!text.empty()) return nullptr;
      fresh.old_mode = place->status.st_mode & 07777;
      fresh.before = file->content;
      fresh.now = std::move(file->content);
    }
    files_.push_back(std::move(fresh));
    return &files_.back();
  }

  std::string missing(const std::string& path) {
    return file_failure(workspace_, path, Error(ErrorCode::kNotFound, "no " + path)).text;
  }

  bool plan(const FileOperation& operation, std::string& text) {
    std::string path = operation.path;
    FileState* file = state(path, text);
    if (file == nullptr) return false;
    if (operation.kind == Kind::kAdd) return plan_add(operation, *file, text);
    const bool fills = operation.form == Form::kBlocks && operation.edits.size() == 1 &&
                       operation.edits[0].old_text.empty();
    if (!file->now && !operation.other_path.empty()) {
      path = operation.other_path;
      file = state(path, text);
      if (file == nullptr) return false;
    }
    if (fills && (!file->now || file->now->empty())) {
      file->now = operation.edits[0].new_text;
      text = wrote(*file, path);
      return true;
    }
    if (!file->now) {
      text = missing(path);
      return false;
    }
    if (operation.kind == Kind::kDelete) return plan_delete(operation, *file, text);
    return plan_update(operation, *file, text);
  }

  static std::string wrote(const FileState& file, const std::string& path) {
    return "wrote " + path + " (" + std::to_string(lines_of(*file.now).size()) + " lines)";
  }

  bool plan_add(const FileOperation& operation, FileState& file, std::string& text) {
    if (file.now && *file.now == operation.content) {
      text = done_text(*file.now, 0);
      return false;
    }
    if (file.now && operation.form == Form::kDiff && !file.now->empty()) {
      text = "E_PATH " + operation.path + " exists already; the patch makes it new.";
      return false;
    }
    file.now = operation.content;
    if (operation.executable) file.mode = *operation.executable ? 0755 : 0644;
    text = wrote(file, operation.path);
    return true;
  }

  bool plan_delete(const FileOperation& operation, FileState& file, std::string& text) {
    if (!operation.hunks.empty()) {
      const EditOutcome outcome = apply_hunks(*file.now, operation, operation.path);
      if (!outcome.after) {
        text = outcome.text;
        return false;
      }
      if (!outcome.after->empty()) {
        text = "E_NO_MATCH " + operation.path +
               ": the file holds more than the patch deletes; use *** Delete File or bash.";
        return false;
      }
    }
    file.now.reset();
    text = "deleted " + operation.path;
    return true;
  }

  bool plan_update(const FileOperation& operation, FileState& file, std::string& text) {
    const std::string& path = operation.path;
    std::string after = *file.now;
    if (!operation.edits.empty() || !operation.hunks.empty()) {
      EditOutcome outcome = operation.form == Form::kBlocks
                                ? apply_edits(after, operation.edits, path)
                                : apply_hunks(after, operation, path);
      text = std::move(outcome.text);
      if (!outcome.after) return false;
      after = *std::move(outcome.after);
    } else {
      text = "ok: mode of " + path;
    }
    const mode_t mode = file.mode.value_or(file.old_mode);
    const mode_t new_mode = !operation.executable   ? mode
                            : *operation.executable ? mode | 0111
                                                    : mode & ~static_cast<mode_t>(0111);
    if (operation.move_to.empty() || operation.move_to == path) {
      if (new_mode != mode) file.mode = new_mode;
      file.now = std::move(after);
      return true;
    }
    std::string problem;
    FileState* const target = state(operation.move_to, problem);
    if (target == nullptr) {
      text = problem;
      return false;
    }
    if (target->now && operation.form == Form::kDiff) {
      text = "E_PATH " + operation.move_to + " exists already; the patch moves a file there.";
      return false;
    }
    target->now = std::move(after);
    target->mode = new_mode;
    if (target != &file) file.now.reset();
    text =
        "moved " + path + " to " + operation.move_to + (operation.hunks.empty() ? "" : "\n" + text);
    return true;
  }

  static bool unchanged(const FileState& file) {
    return file.before == file.now && (!file.mode || *file.mode == file.old_mode);
  }

  // Brings one file to `to`, when it still is `from`. Empty, or the E_ text.
  std::string put(const FileState& file, const std::optional<std::string>& from,
                  const std::optional<std::string>& to, std::optional<mode_t> mode) {
    const std::string* const expected = from ? &*from : nullptr;
    const Result<Stored> stored = to ? workspace_.store(file.path, *to, expected, mode)
                                     : workspace_.remove(file.path, *expected);
    if (!stored) return file_failure(workspace_, file.path, stored.error()).text;
    if (*stored == Stored::kWritten) return "";
    return "E_STALE " + file.path + " changed while it was edited; file unchanged. Read it again.";
  }

  std::string write(FileState& file) {
    return unchanged(file) ? "" : put(file, file.before, file.now, file.mode);
  }

  // Undoes the writes before `failed`; names what could not be undone.
  std::string take_back(const FileState& failed) {
    std::string text;
    for (FileState& file : files_) {
      if (&file == &failed) break;
      if (unchanged(file)) continue;
      if (!put(file, file.now, file.before,
               file.before ? std::optional(file.old_mode) : std::nullopt)
               .empty()) {
        text += "\n" + file.path + " was changed and could not be taken back.";
      }
    }
    return text;
  }

  void note(const FileState& file) {
    if (unchanged(file)) return;
    const Result<Place> place = workspace_.find(file.path);
    const std::string path = place ? place->path : file.path;
    if (file.now) workspace_.note_seen(path, *file.now);
    FileChange change{path, file.before.value_or(""), file.now.value_or(""), !file.before};
    change.deleted = !file.now;
    outcome_.changes.push_back(std::move(change));
  }

  Workspace& workspace_;
  std::deque<FileState> files_;  // A file's state keeps its place.
  PatchOutcome outcome_;
};

}  // namespace

std::string PatchOutcome::text() const {
  std::string all;
  // What failed comes first: a call's text begins with its code.
  for (const bool first : {true, false}) {
    for (const PatchedFile& file : files) {
      const bool is_cause = file.text.starts_with("E_") && !file.text.starts_with("E_PATCH");
      if ((failed && is_cause) != first || (failed && !first)) continue;
      all += (all.empty() ? "" : "\n") + file.text;
    }
  }
  return all;
}

PatchOutcome apply_operations(const std::vector<FileOperation>& operations, Workspace& workspace) {
  return PatchPlan(workspace).run(operations);
}

}  // namespace levin::tools
