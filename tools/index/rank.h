// Personalised PageRank over the reference graph.
#pragma once

#include <vector>

#include "tools/index/lazy_floats.h"
#include "tools/index/patched_graph.h"

namespace levin::tools {

inline constexpr float kDamping = 0.85f;  // Share of a file's rank that goes on to what it uses.
inline constexpr int kSweepsMax = 100;
inline constexpr uint32_t kUsersMax = 3'000;  // Files whose shares a change may move.

// A file that is not as the graph has it. One past the last file: a new one.
struct FileChange {
  uint32_t file = 0;
  bool is_gone = false;
  FileLists lists;
};

// Ranks of files: the fixed point of rank = (1 - kDamping) * preference + kDamping * (what others
// give), found by pushing what is missing until no file lacks a thousandth of the average. So a
// start near the fixed point costs little, and the result depends on the start by less than that.
// Not scaled: files without references keep what they would give.
class Ranks {
 public:
  // Nothing has a rank. `graph` has to outlive it.
  explicit Ranks(PatchedGraph& graph);

  // Takes `ranks` [files] for a start. Numbers that are no ranks count as zero.
  void start_from(std::span<const float> ranks);
  // As start_from(), with the attention [defined names] that these ranks give. Then ranks are
  // settled as they were before.
  void restore(std::span<const float> ranks, std::span<const float> attention);

  // Lets attention begin everywhere in equal parts, by start_from() or from nothing; settles it.
  void settle_everywhere();
  // Draws nine tenths (`share`) of all attention that begins to some files. Settled before.
  void focus(const std::vector<uint32_t>& files, float share);
  // Brings the graph up to date with changed files. Settled before and after. False when so many
  // files are touched that a new graph costs less: then this object and the graph are of no use.
  bool apply(std::vector<FileChange> changes);

  const std::vector<float>& ranks() const { return ranks_; }  // [files]
  const LazyFloats& attention() const { return attention_; }  // [names], from their users.

 private:
  struct Patch;

  void add_lack(uint32_t file, float amount);
  void give(uint32_t file, float amount);  // To the names it uses.
  void share_out(uint32_t name, float amount);
  void settle();
  void grow();
  bool collect(std::vector<FileChange>& changes, Patch& patch);
  void move_definers(uint32_t file, const NumberedLists& now, Patch& patch) const;

  PatchedGraph& graph_;
  float preference_;  // Of each file, while nothing is in focus.
  float lack_max_;
  std::vector<float> ranks_;
  LazyFloats attention_;
  std::vector<float> lack_;        // [files]
  LazyFloats inflow_;              // [names]: not yet in attention_.
  std::vector<uint32_t> touched_;  // Names with an inflow.
  std::vector<uint8_t> is_queued_;
  std::vector<uint32_t> queue_;  // Files that may lack too much.
};

}  // namespace levin::tools
