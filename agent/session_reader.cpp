#include "agent/session_reader.h"

#include <algorithm>

namespace levin::agent {

Result<void> SessionReader::read(const std::vector<Record>& records) {
  for (const Record& record : records) {
    std::visit([this](const auto& one) { see(one); }, record);
    if (!problem_.empty()) return Error(ErrorCode::kCorrupt, problem_);
  }
  return {};
}

const Moment* SessionReader::moment_of(const std::string& checkpoint) const {
  const auto found = moments_.find(checkpoint);
  return found == moments_.end() ? nullptr : &found->second;
}

void SessionReader::update_open() {
  if (!open_.empty()) moments_[open_] = now_;
}

void SessionReader::see(const TokensRecord& record) {
  now_.is_sampled = record.source == TokensRecord::Source::kSampled;
  if (now_.is_sampled) {
    open_.clear();
    now_.broken_from = tree_.length();
    ++now_.replies_sampled;
    now_.is_completed = false;
    now_.step = record.step;
  }
  last_step_ = std::max(last_step_, record.step);
  tree_.append(record.ids);
  now_.place = tree_.here();
  update_open();
}

void SessionReader::see(const CutRecord& record) {
  if (record.length > tree_.length()) {
    problem_ = "cuts the token log to " + std::to_string(record.length) + " of " +
               std::to_string(tree_.length()) + " tokens";
    return;
  }
  if (now_.is_sampled && record.length <= now_.broken_from) --now_.replies_sampled;
  tree_.cut(record.length);
  now_.place = tree_.here();
  now_.is_sampled = false;
  update_open();
}

void SessionReader::see(const CheckpointRecord& record) {
  last_checkpoint_ = record;
  at_checkpoint_ = now_;
  open_ = record.name;
  update_open();
}

void SessionReader::see(const MessageRecord& record) {
  if (record.role != MessageRecord::Role::kUser || !last_checkpoint_) return;
  requests_.push_back({*last_checkpoint_, at_checkpoint_});
  now_.request = requests_.size() - 1;
  update_open();
}

void SessionReader::see(const EndRecord& record) {
  now_.is_completed = record.completed;
  update_open();
}

void SessionReader::see(const RewindRecord& record) {
  open_.clear();
  if (record.done && record.length) go_back(record.name, *record.length);
}

// A request that leads to `target` may have been gone back behind: then the moment is the one
// before it.
Moment SessionReader::at_length(const Moment& target, size_t length) const {
  std::optional<size_t> request = target.request;
  while (request) {
    const Moment& before = requests_[*request].before;
    if (before.place.length == length) return before;
    request = before.request;
  }
  Moment cut = target;
  cut.is_sampled = false;
  return cut;
}

void SessionReader::go_back(const std::string& checkpoint, size_t length) {
  const Moment* const target = moment_of(checkpoint);
  if (target == nullptr || length > target->place.length) {
    problem_ = "goes back to " + std::to_string(length) + " tokens at @" + checkpoint +
               ", which has " + (target == nullptr ? "none" : std::to_string(target->place.length));
    return;
  }
  now_ = length == target->place.length ? *target : at_length(*target, length);
  tree_.go_to(now_.place);
  tree_.cut(length);
  now_.place = tree_.here();
}

}  // namespace levin::agent
