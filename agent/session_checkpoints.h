// The checkpoints of one session: saved during a run, found again in its transcript, gone back to.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/checkpoint.h"
#include "agent/checkpointer.h"
#include "agent/transcript.h"
#include "agent/tree_restore.h"

namespace levin::agent {

// Saves a checkpoint per step of a run.
class SessionCheckpointer : public Checkpointer {
 public:
  explicit SessionCheckpointer(CheckpointStore store) : store_(std::move(store)) {}

  Result<CheckpointRecord> save(int step) override;

  // Restores the files of `target`, an earlier one of this run; the last one saved holds them as
  // they are. Records it. What changed meanwhile is saved as saved-N. Errors: as rewind_session().
  Result<void> go_back(const CheckpointRecord& target, Transcript& transcript);

  // Of the last one: "path: reason" of files that could not be saved.
  const std::vector<std::string>& left_out() const { return left_out_; }

 private:
  CheckpointStore store_;
  std::optional<ObjectId> last_;
  std::vector<std::string> left_out_;
  int num_saved_ = 0;
};

// What a transcript says about checkpoints. Commits come from here and not from refs, which the
// model's commands could have changed.
struct CheckpointStory {
  std::vector<CheckpointRecord> checkpoints;  // In order; of equal names the last one counts.
  // What levin left in the work tree: one commit, or the two ends of a rewind that was cut short.
  std::vector<std::string> position;
  int num_saved = 0;  // Made by rewinds.

  const CheckpointRecord* find(const std::string& name) const;
  const CheckpointRecord* last_step() const;
};
CheckpointStory checkpoint_story(const std::vector<Record>& records);

// Where a rewind goes to: files, and how much of the conversation.
struct RewindTarget {
  CheckpointRecord checkpoint;
  // Of the log as it was at that checkpoint; absent: the conversation stays as it is.
  std::optional<size_t> log_length;
};

struct RewindOutcome {
  RewindTarget target;
  std::vector<std::string> lost;  // Not empty: refused, nothing was touched.
  std::string saved;              // Name of the checkpoint with the user's changes.
  RestoreReport report;
};

// Restores the work tree of session `id` to the checkpoint `name` and takes the conversation back
// to where the next reply would follow it; an empty name: to before the last request, which the
// conversation then does not hold. Changes since levin's last step are refused or, with `force`,
// saved first. `go_on` as in RestoreParts. Errors: kInvalidArgument for an unknown session or
// checkpoint; kNotFound when a checkpoint is gone; kIo, kInterrupted.
Result<RewindOutcome> rewind_session(const std::string& id, const std::string& name, bool force,
                                     const std::function<bool()>& go_on);

// Unified diff of what happened from checkpoint `from` to `to`; empty names: the first, the last
// step's. Errors: kInvalidArgument, kNotFound.
Result<std::string> diff_session(const std::string& id, const std::string& from,
                                 const std::string& to);

// Errors: kInvalidArgument, naming those that there are.
Result<CheckpointRecord> find_checkpoint(const CheckpointStory& story, const std::string& id,
                                         const std::string& name);

}  // namespace levin::agent
