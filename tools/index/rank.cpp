#include "tools/index/rank.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

namespace levin::tools {
namespace {

constexpr float kLackMax = 1e-3f;  // Of the average rank.

constexpr size_t kManyPart = 16;

float sound(float number) {
  return std::isfinite(number) && number >= 0 ? number : 0;
}

}  // namespace

// What apply() changes.
struct Ranks::Patch {
  std::vector<std::pair<uint32_t, NumberedLists>> files;
  std::vector<uint32_t> gone;
  std::vector<uint32_t> added;
  std::unordered_map<uint32_t, std::vector<uint32_t>> definers;  // By name.
  std::vector<uint32_t>
      users;  // Files whose shares move, because a name is defined now or no more.
};

Ranks::Ranks(PatchedGraph& graph)
    : graph_(graph),
      preference_(1.0f / static_cast<float>(std::max<size_t>(graph.file_count(), 1))),
      lack_max_(kLackMax * preference_) {
  grow();
}

void Ranks::grow() {
  ranks_.resize(graph_.file_count(), 0);
  lack_.resize(graph_.file_count(), 0);
  is_queued_.resize(graph_.file_count(), 0);
  attention_.resize(graph_.name_count());
  inflow_.resize(graph_.name_count());
}

void Ranks::start_from(std::span<const float> ranks) {
  for (size_t file = 0; file < std::min(ranks.size(), ranks_.size()); ++file) {
    ranks_[file] = sound(ranks[file]);
  }
}

void Ranks::restore(std::span<const float> ranks, std::span<const float> attention) {
  start_from(ranks);
  for (size_t name = 0; name < std::min(attention.size(), attention_.size()); ++name) {
    attention_[name] = sound(attention[name]);
  }
}

void Ranks::add_lack(uint32_t file, float amount) {
  if (file >= lack_.size()) return;
  lack_[file] += amount;
  if (std::abs(lack_[file]) <= lack_max_ || is_queued_[file] != 0) return;
  is_queued_[file] = 1;
  queue_.push_back(file);
}

void Ranks::give(uint32_t file, float amount) {
  graph_.visit_references(file, [&](uint32_t name, float share) {
    if (inflow_[name] == 0) touched_.push_back(name);
    inflow_[name] += amount * share;
  });
}

// Hands a name's part on to its definers.
void Ranks::share_out(uint32_t name, float amount) {
  const std::span<const uint32_t> definers = graph_.definers(name);
  const float part = kDamping * amount / static_cast<float>(definers.size());
  for (const uint32_t file : definers) add_lack(file, part);
}

// Numbers out of a list of all `count`: in their order where they are many, since memory is quicker
// that way than sorting them.
template <typename IsIn>
void put_in_order(std::vector<uint32_t>& numbers, size_t count, IsIn is_in) {
  if (numbers.size() < count / kManyPart) return;
  numbers.clear();
  for (uint32_t number = 0; number < count; ++number) {
    if (is_in(number)) numbers.push_back(number);
  }
}

void Ranks::settle() {
  for (int sweep = 0; sweep < kSweepsMax && !queue_.empty(); ++sweep) {
    std::vector<uint32_t> files;
    files.swap(queue_);
    put_in_order(files, is_queued_.size(), [&](uint32_t file) { return is_queued_[file] != 0; });
    for (const uint32_t file : files) {
      is_queued_[file] = 0;
      const float amount = lack_[file];
      if (std::abs(amount) <= lack_max_) continue;
      lack_[file] = 0;
      ranks_[file] += amount;
      give(file, amount);
    }
    std::vector<uint32_t> names;
    names.swap(touched_);
    put_in_order(names, inflow_.size(), [&](uint32_t name) { return inflow_[name] != 0; });
    for (const uint32_t name : names) {
      const float amount = inflow_[name];
      inflow_[name] = 0;
      attention_[name] += amount;
      share_out(name, amount);
    }
  }
}

void Ranks::settle_everywhere() {
  for (uint32_t file = 0; file < graph_.file_count(); ++file) {
    if (ranks_[file] != 0) give(file, ranks_[file]);
  }
  for (uint32_t file = 0; file < graph_.file_count(); ++file) {
    lack_[file] = (1 - kDamping) * preference_ - ranks_[file];
  }
  std::vector<uint32_t> names;
  names.swap(touched_);
  for (const uint32_t name : names) {
    attention_[name] += inflow_[name];
    share_out(name, std::exchange(inflow_[name], 0.0f));
  }
  for (uint32_t file = 0; file < graph_.file_count(); ++file) add_lack(file, 0);
  settle();
}

// Ranks are linear in the preference: what is spread is a part of what there is.
void Ranks::focus(const std::vector<uint32_t>& files, float share) {
  for (float& rank : ranks_) rank *= 1 - share;
  for (float& attention : attention_.all()) attention *= 1 - share;
  for (const uint32_t file : files) {
    add_lack(file, (1 - kDamping) * share / static_cast<float>(files.size()));
  }
  settle();
}

// Notes in `patch` where the file's names are defined from now on.
void Ranks::move_definers(uint32_t file, const NumberedLists& now, Patch& patch) const {
  const auto list_of = [&](uint32_t name) -> std::vector<uint32_t>& {
    const auto [entry, is_new] = patch.definers.try_emplace(name);
    if (is_new) {
      const std::span<const uint32_t> old = graph_.definers(name);
      entry->second.assign(old.begin(), old.end());
    }
    return entry->second;
  };
  std::vector<uint32_t> before(graph_.defined(file).begin(), graph_.defined(file).end());
  std::vector<uint32_t> after = now.defined;
  std::sort(before.begin(), before.end());
  std::sort(after.begin(), after.end());
  std::vector<uint32_t> names;
  std::set_difference(before.begin(), before.end(), after.begin(), after.end(),
                      std::back_inserter(names));
  for (const uint32_t name : names) {
    if (name < graph_.name_count()) std::erase(list_of(name), file);
  }
  names.clear();
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(),
                      std::back_inserter(names));
  for (const uint32_t name : names) list_of(name).push_back(file);
}

// Fills `patch`; false when too much is touched.
bool Ranks::collect(std::vector<FileChange>& changes, Patch& patch) {
  for (FileChange& change : changes) {
    if (change.file >= graph_.file_count()) patch.added.push_back(graph_.add_file());
    if (change.is_gone) patch.gone.push_back(change.file);
    patch.files.emplace_back(change.file, graph_.numbered(change.lists));
  }
  grow();
  for (const auto& [file, lists] : patch.files) move_definers(file, lists, patch);
  std::vector<uint8_t> turned(graph_.name_count(), 0);
  bool any = false;
  for (const auto& [name, definers] : patch.definers) {
    if (definers.empty() == graph_.definers(name).empty()) continue;
    if (name >= graph_.base().name_count()) continue;  // Nobody used it.
    turned[name] = 1;
    any = true;
  }
  std::vector<uint32_t> changed;
  for (const auto& [file, lists] : patch.files) changed.push_back(file);
  std::sort(changed.begin(), changed.end());
  if (any) patch.users = graph_.base_users(turned);
  std::erase_if(patch.users, [&](uint32_t file) {
    return std::binary_search(changed.begin(), changed.end(), file);
  });
  return patch.users.size() <= kUsersMax;
}

bool Ranks::apply(std::vector<FileChange> changes) {
  Patch patch;
  if (!collect(changes, patch)) return false;
  // Names whose parts move: those that changed files used or use, and whose definers change.
  std::vector<uint32_t> names;
  const auto note_names = [&](uint32_t file) {
    graph_.visit_references(file, [&](uint32_t name, float) { names.push_back(name); });
  };
  const auto for_each_file = [&](const auto& visit) {
    for (const auto& [file, lists] : patch.files) visit(file);
    for (const uint32_t file : patch.users) visit(file);
  };
  for_each_file([&](uint32_t file) { give(file, -ranks_[file]), note_names(file); });
  for (const auto& [file, lists] : patch.files) {
    names.insert(names.end(), lists.reference_names.begin(), lists.reference_names.end());
  }
  for (const auto& [name, definers] : patch.definers) names.push_back(name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  for (const uint32_t name : names) share_out(name, -attention_[name]);
  for (auto& [name, definers] : patch.definers) graph_.set_definers(name, std::move(definers));
  for (auto& [file, lists] : patch.files) graph_.set_lists(file, std::move(lists));
  for (const uint32_t file : patch.gone) ranks_[file] = 0;
  for_each_file([&](uint32_t file) { give(file, ranks_[file]); });
  for (const uint32_t name : touched_) {
    attention_[name] = std::max(attention_[name] + std::exchange(inflow_[name], 0.0f), 0.0f);
  }
  touched_.clear();
  for (const uint32_t name : names) {
    if (graph_.definers(name).empty()) attention_[name] = 0;
    share_out(name, attention_[name]);
  }
  for (const uint32_t file : patch.added) add_lack(file, (1 - kDamping) * preference_);
  for (const uint32_t file : patch.gone) lack_[file] = 0;
  settle();
  return true;
}

}  // namespace levin::tools
