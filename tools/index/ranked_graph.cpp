#include "tools/index/ranked_graph.h"

#include <bit>
#include <numeric>
#include <unordered_map>

namespace levin::tools {
namespace {

FileLists lists_of(const FolderRecord& folder, const FileRecord& file, const FilePlace& place) {
  const auto part = [](const auto& list, size_t begin, size_t count) {
    const auto first = list.begin() + static_cast<ptrdiff_t>(begin);
    return std::vector(first, first + static_cast<ptrdiff_t>(count));
  };
  return {part(folder.defined, place.defined, file.defined_count),
          part(folder.reference_names, place.references, file.reference_count),
          part(folder.reference_weights, place.references, file.reference_count)};
}

uint64_t whole_key(uint64_t folder_key, uint64_t file_key) {
  return std::rotl(folder_key, 1) ^ file_key;
}

}  // namespace

// Compares a folder that was written since with files [begin, end) of the base.
void RankedGraph::compare(const FolderRecord& folder, uint32_t begin, uint32_t end,
                          std::vector<FileChange>& changes) {
  std::unordered_map<uint64_t, uint32_t> known;
  for (uint32_t file = begin; file < end; ++file) known.emplace(base_.file_key[file], file);
  FilePlace place;
  for (const FileRecord& file : folder.files) {
    const auto found = known.find(path_key(file.name));
    const bool is_known = found != known.end();
    numbers_.push_back(is_known ? found->second : next_number_++);
    if (!is_known || base_.lists_key[found->second] != lists_key(folder, file, place)) {
      changes.push_back({numbers_.back(), false, lists_of(folder, file, place)});
    }
    if (is_known) known.erase(found);
    place.pass(file);
  }
  for (const auto& [key, file] : known) changes.push_back({file, true, {}});
}

// False when too much changed.
Result<bool> RankedGraph::find_changes(IndexStore& store, IndexData& data,
                                       std::vector<FileChange>& changes) {
  std::unordered_map<uint64_t, uint32_t> folders;  // What the base has and was not seen yet.
  for (uint32_t folder = 0; folder < base_.folder_key.size(); ++folder) {
    folders.emplace(base_.folder_key[folder], folder);
  }
  size_t compared = 0;
  for (FolderRecord& folder : data.folders) {
    const auto found = folders.find(path_key(folder.path));
    uint32_t begin = 0;
    uint32_t end = 0;
    if (found != folders.end()) {
      begin = base_.folder_begin[found->second];
      end = base_.folder_begin[found->second + 1];
      folders.erase(found);
    }
    if (folder.generation <= mapped_->generation && end - begin == folder.files.size()) {
      numbers_.resize(numbers_.size() + folder.files.size());
      std::iota(numbers_.end() - static_cast<ptrdiff_t>(folder.files.size()), numbers_.end(),
                begin);
      continue;
    }
    compared += folder.files.size();
    if (compared > kComparedFilesMax) return false;
    if (!folder.has_lists) TRY(store.load_lists(folder));
    compare(folder, begin, end, changes);
    drop_lists(folder);
    if (changes.size() > kPatchedFilesMax) return false;
  }
  for (const auto& [key, folder] : folders) {
    for (uint32_t file = base_.folder_begin[folder]; file < base_.folder_begin[folder + 1];
         ++file) {
      changes.push_back({file, true, {}});
    }
    if (changes.size() > kPatchedFilesMax) return false;
  }
  return true;
}

// False when a new graph has to be made.
Result<bool> RankedGraph::patch(IndexStore& store, IndexData& data) {
  base_ = mapped_->graph;
  next_number_ = static_cast<uint32_t>(base_.file_count());
  std::vector<FileChange> changes;
  TRY_ASSIGN(const bool is_near, find_changes(store, data, changes));
  if (!is_near) return false;
  graph_.emplace(base_);
  ranks_.emplace(*graph_);
  ranks_->restore(base_.ranks, base_.attention);
  return changes.empty() || ranks_->apply(std::move(changes));
}

// The ranks of the mapped graph, by path. A start: it need not be right.
std::vector<float> RankedGraph::earlier_ranks(const std::vector<FolderRecord>& folders) const {
  std::vector<float> ranks;
  if (!mapped_) return ranks;
  const ReferenceGraph& old = mapped_->graph;
  std::unordered_map<uint64_t, float> known;
  for (uint32_t folder = 0; folder < old.folder_key.size(); ++folder) {
    for (uint32_t file = old.folder_begin[folder]; file < old.folder_begin[folder + 1]; ++file) {
      known.emplace(whole_key(old.folder_key[folder], old.file_key[file]), old.ranks[file]);
    }
  }
  for (const FolderRecord& folder : folders) {
    const uint64_t folder_key = path_key(folder.path);
    for (const FileRecord& file : folder.files) {
      const auto found = known.find(whole_key(folder_key, path_key(file.name)));
      ranks.push_back(found == known.end() ? 0 : found->second);
    }
  }
  return ranks;
}

Result<void> RankedGraph::build(IndexStore& store, IndexData& data) {
  TRY(store.load_all_lists(data.folders));
  lists_ = build_graph(data.folders);
  for (FolderRecord& folder : data.folders) drop_lists(folder);
  base_ = lists_.view();
  numbers_.resize(base_.file_count());
  std::iota(numbers_.begin(), numbers_.end(), 0);
  graph_.emplace(base_);
  ranks_.emplace(*graph_);
  ranks_->start_from(earlier_ranks(data.folders));
  ranks_->settle_everywhere();
  lists_.ranks = ranks_->ranks();
  const std::span<const float> attention = ranks_->attention().first(base_.defined_count());
  lists_.attention.assign(attention.begin(), attention.end());
  is_new_ = true;
  return {};
}

Result<std::unique_ptr<RankedGraph>> RankedGraph::make(IndexStore& store, IndexData& data,
                                                       const IndexOptions& options) {
  std::unique_ptr<RankedGraph> result(new RankedGraph());
  const bool is_kept = !options.database.empty() && data.report.files >= options.graph_kept_from;
  const std::string path = options.database + kGraphFileEnding;
  if (is_kept) result->mapped_ = open_graph(path, store.id(), store.generation());
  if (result->mapped_) {
    TRY_ASSIGN(const bool is_patched, result->patch(store, data));
    if (is_patched) return result;
    result->ranks_.reset();
    result->graph_.reset();
  }
  TRY(result->build(store, data));
  // What another process wrote meanwhile is not in it.
  if (is_kept && !store.is_shared()) {
    const Result<void> kept =
        write_graph(path, result->lists_.view(), store.id(), store.generation());
    if (!kept) data.report.note = "the graph was not kept: " + kept.error().message();
  }
  return result;
}

}  // namespace levin::tools
