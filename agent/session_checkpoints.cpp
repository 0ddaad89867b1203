#include "agent/session_checkpoints.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include "agent/paths.h"
#include "agent/session_list.h"
#include "agent/session_reader.h"
#include "base/unique_fd.h"

namespace levin::agent {
namespace {

constexpr std::string_view kSavedPrefix = "saved-";

struct StoryReader {
  CheckpointStory& story;

  void operator()(const CheckpointRecord& record) {
    story.checkpoints.push_back(record);
    story.position = {record.commit};
    if (record.name.starts_with(kSavedPrefix)) ++story.num_saved;
  }
  void operator()(const RewindRecord& record) {
    if (record.done) story.position.clear();
    story.position.push_back(record.commit);
  }
  template <typename Other>
  void operator()(const Other&) {}
};

Result<ObjectId> commit_id(const std::string& text) {
  const auto id = ObjectId::from_hex(text);
  if (id) return *id;
  return Error(ErrorCode::kCorrupt, "the transcript names a checkpoint \"" + text + "\"");
}

Result<CheckpointStore> open_store(const std::string& id, const std::string& workspace) {
  TRY_ASSIGN(const std::string folder, session_folder(id));
  std::error_code error;
  if (std::filesystem::is_directory(folder + "/checkpoints.git", error)) {
    return CheckpointStore::open_private(workspace, folder);
  }
  return CheckpointStore::open(workspace, folder);
}

// The ignore rules that were in force at a checkpoint, as far as they lie in its tree.
Result<tools::IgnoreRules> rules_of(const CheckpointStore& store, const Manifest& manifest) {
  constexpr std::string_view kName = ".gitignore";
  std::vector<std::string> paths;
  for (const auto& [path, entry] : manifest) {
    const bool is_rules = path == kName || path.ends_with("/.gitignore");
    if (is_rules && entry.kind == TreeEntry::Kind::kFile) paths.push_back(path);
  }
  // The last rule that matches decides: those of deeper folders come later.
  const auto depth = [](const std::string& path) {
    return std::count(path.begin(), path.end(), '/');
  };
  std::stable_sort(paths.begin(), paths.end(),
                   [&](const std::string& a, const std::string& b) { return depth(a) < depth(b); });
  tools::IgnoreRules rules = store.base_rules();
  for (const std::string& path : paths) {
    TRY_ASSIGN(const std::string text, store.content(manifest.at(path).id));
    const size_t folder_size = path.size() - kName.size();
    rules.add(text, path.substr(0, folder_size == 0 ? 0 : folder_size - 1));
  }
  return rules;
}

// All that will be written can be: nothing is touched before that is known.
Result<void> check_contents(const CheckpointStore& store, const Manifest& now,
                            const Manifest& target) {
  for (const auto& [path, entry] : target) {
    const auto is = now.find(path);
    if (!entry.is_content() || (is != now.end() && is->second.id == entry.id)) continue;
    if (!store.has(entry.id)) {
      return Error(ErrorCode::kNotFound, "the content of " + path + " at the checkpoint (" +
                                             entry.id.hex() +
                                             ") is not in the repository any more");
    }
  }
  return {};
}

// One rewind, from the locked transcript to the report.
class Rewind {
 public:
  // Borrows store and transcript.
  Rewind(CheckpointStore& store, Transcript& transcript, CheckpointStory story)
      : store_(store), transcript_(transcript), story_(std::move(story)) {}

  Result<RewindOutcome> run(const RewindTarget& target, bool force,
                            const std::function<bool()>& go_on) {
    RewindOutcome outcome;
    outcome.target = target;
    const auto& [step, name, commit] = target.checkpoint;
    TRY_ASSIGN(const ObjectId target_id, commit_id(commit));
    TRY_ASSIGN(const Manifest wanted, store_.load(target_id));
    TRY(load_position());
    TRY_ASSIGN(const Snapshot now, store_.read(&last_));
    std::vector<const Manifest*> expected;
    for (const Manifest& one : position_) expected.push_back(&one);
    outcome.lost = changed_paths(now.manifest, expected, &wanted);
    if (!outcome.lost.empty() && !force) return outcome;
    TRY(check_contents(store_, now.manifest, wanted));
    if (!outcome.lost.empty()) {
      TRY(save_changes(now, &outcome));
    }
    TRY(transcript_.append(RewindRecord{name, commit, false}));
    TRY(restore(now, wanted, !outcome.saved.empty(), go_on, &outcome));
    if (outcome.report.left_alone.empty()) {
      TRY(transcript_.append(RewindRecord{name, commit, true, target.log_length}));
    }
    return outcome;
  }

 private:
  Result<void> load_position() {
    for (const std::string& commit : story_.position) {
      TRY_ASSIGN(const ObjectId id, commit_id(commit));
      TRY_ASSIGN(Manifest manifest, store_.load(id));
      if (position_.empty()) last_ = id;
      position_.push_back(std::move(manifest));
    }
    return {};
  }

  Result<void> save_changes(const Snapshot& now, RewindOutcome* outcome) {
    outcome->saved = std::string(kSavedPrefix) + std::to_string(story_.num_saved + 1);
    TRY_ASSIGN(const ObjectId id, store_.save(now, &last_, outcome->saved));
    outcome->lost.clear();
    const CheckpointRecord* step = story_.last_step();
    return transcript_.append(
        CheckpointRecord{step == nullptr ? 0 : step->step, outcome->saved, id.hex()});
  }

  Result<void> restore(const Snapshot& now, const Manifest& wanted, bool saved,
                       const std::function<bool()>& go_on, RewindOutcome* outcome) {
    const UniqueFd root(::open(store_.work_tree().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) {
      return Error(ErrorCode::kIo,
                   "cannot open " + store_.work_tree() + ": " + std::strerror(errno));
    }
    for (const std::string& folder : now.leftovers) remove_leftover(root.get(), folder);
    // Folders that the user made stay, unless what is in them was saved.
    std::set<std::string> removable;
    const auto add_folders = [&](const Manifest& manifest) {
      for (const auto& [path, entry] : manifest) {
        if (entry.kind == TreeEntry::Kind::kFolder) removable.insert(path);
      }
    };
    for (const Manifest& one : position_) add_folders(one);
    if (saved) add_folders(now.manifest);
    TRY_ASSIGN(const tools::IgnoreRules rules, rules_of(store_, wanted));
    RestoreParts parts;
    parts.root = root.get();
    parts.now = &now.manifest;
    parts.target = &wanted;
    parts.removable_folders = &removable;
    parts.rules = &rules;
    parts.content = [&](const ObjectId& id) { return store_.content(id); };
    parts.go_on = go_on;
    TRY_ASSIGN(outcome->report, restore_tree(parts));
    // The record that says it is done must not reach the disk before the files.
    if (::syncfs(root.get()) != 0) {
      return Error(ErrorCode::kIo,
                   std::string("cannot flush the restored files: ") + std::strerror(errno));
    }
    return {};
  }

  CheckpointStore& store_;
  Transcript& transcript_;
  CheckpointStory story_;
  std::vector<Manifest> position_;
  ObjectId last_;
};

Result<RewindTarget> find_target(const TranscriptContent& content, const CheckpointStory& story,
                                 const std::string& id, const std::string& name) {
  SessionReader reader;
  TRY(reader.read(content.records));
  if (name.empty()) {
    const Request* const request = reader.last_request();
    if (request != nullptr) return RewindTarget{request->checkpoint, request->before.place.length};
    return Error(ErrorCode::kInvalidArgument,
                 "session " + id +
                     (story.checkpoints.empty() ? " has no checkpoints"
                                                : " is back before its first request already"));
  }
  TRY_ASSIGN(const CheckpointRecord checkpoint, find_checkpoint(story, id, name));
  const Moment* const moment = reader.moment_of(name);
  return RewindTarget{checkpoint, moment == nullptr ? 0 : moment->place.length};
}

}  // namespace

Result<CheckpointRecord> SessionCheckpointer::save(int step) {
  const ObjectId* last = last_ ? &*last_ : nullptr;
  TRY_ASSIGN(Snapshot snapshot, store_.read(last));
  const std::string name = std::to_string(step);
  left_out_ = snapshot.left_out;
  TRY_ASSIGN(last_, store_.save(std::move(snapshot), last, name));
  return CheckpointRecord{step, name, last_->hex()};
}

Result<void> SessionCheckpointer::go_back(const CheckpointRecord& target, Transcript& transcript) {
  CheckpointStory story;
  if (last_) story.position = {last_->hex()};
  story.num_saved = num_saved_;
  TRY_ASSIGN(
      const RewindOutcome outcome,
      Rewind(store_, transcript, std::move(story)).run({target, std::nullopt}, /*force=*/true, {}));
  if (!outcome.saved.empty()) ++num_saved_;
  if (outcome.report.left_alone.empty()) return {};
  return Error(ErrorCode::kIo, "could not restore " + outcome.report.left_alone.front());
}

const CheckpointRecord* CheckpointStory::find(const std::string& name) const {
  const auto found = std::find_if(checkpoints.rbegin(), checkpoints.rend(),
                                  [&](const CheckpointRecord& one) { return one.name == name; });
  return found == checkpoints.rend() ? nullptr : &*found;
}

const CheckpointRecord* CheckpointStory::last_step() const {
  const auto found =
      std::find_if(checkpoints.rbegin(), checkpoints.rend(),
                   [](const CheckpointRecord& one) { return !one.name.starts_with(kSavedPrefix); });
  return found == checkpoints.rend() ? nullptr : &*found;
}

CheckpointStory checkpoint_story(const std::vector<Record>& records) {
  CheckpointStory story;
  for (const Record& record : records) std::visit(StoryReader{story}, record);
  return story;
}

Result<CheckpointRecord> find_checkpoint(const CheckpointStory& story, const std::string& id,
                                         const std::string& name) {
  if (const CheckpointRecord* found = story.find(name)) return *found;
  std::string known;
  for (const CheckpointRecord& one : story.checkpoints) {
    if (story.find(one.name) == &one) known += " @" + one.name;
  }
  return Error(ErrorCode::kInvalidArgument,
               "session " + id + " has no checkpoint @" + name +
                   (known.empty() ? "; it has none at all" : "; it has" + known));
}

Result<RewindOutcome> rewind_session(const std::string& id, const std::string& name, bool force,
                                     const std::function<bool()>& go_on) {
  TRY_ASSIGN(const TranscriptContent content, read_session(id));
  TRY_ASSIGN(const std::string folder, session_folder(id));
  CheckpointStory story = checkpoint_story(content.records);
  TRY_ASSIGN(const RewindTarget target, find_target(content, story, id, name));
  TRY_ASSIGN(
      Transcript transcript,
      Transcript::reopen(folder + "/" + std::string(Transcript::kFileName), content.whole_bytes));
  TRY_ASSIGN(CheckpointStore store, open_store(id, header_of(content).workspace));
  return Rewind(store, transcript, std::move(story)).run(target, force, go_on);
}

Result<std::string> diff_session(const std::string& id, const std::string& from,
                                 const std::string& to) {
  TRY_ASSIGN(const TranscriptContent content, read_session(id));
  const CheckpointStory story = checkpoint_story(content.records);
  const CheckpointRecord* last = story.last_step();
  if (last == nullptr) {
    return Error(ErrorCode::kInvalidArgument, "session " + id + " has no checkpoints");
  }
  TRY_ASSIGN(const CheckpointRecord first,
             find_checkpoint(story, id, from.empty() ? story.checkpoints.front().name : from));
  TRY_ASSIGN(const CheckpointRecord second,
             find_checkpoint(story, id, to.empty() ? last->name : to));
  TRY_ASSIGN(const CheckpointStore store, open_store(id, header_of(content).workspace));
  TRY_ASSIGN(const ObjectId first_id, commit_id(first.commit));
  TRY_ASSIGN(const ObjectId second_id, commit_id(second.commit));
  return store.diff(first_id, second_id);
}

}  // namespace levin::agent
