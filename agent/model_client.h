// The seam between the loop and whatever produces tokens. Two users: the engine and a script of
// prepared replies (agent/script_model.h), which makes every path of the agent testable.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/drafter.h"
#include "engine/sampler_options.h"
#include "engine/tokenizer.h"

namespace levin::agent {

// Used by one thread at a time.
class ModelClient {
 public:
  virtual ~ModelClient() = default;

  virtual const engine::Tokenizer& tokenizer() const = 0;

  // Everything that was prefilled and sampled, in order. Only ever grows.
  virtual const std::vector<engine::TokenId>& token_log() const = 0;

  // Extends the log; computed before the next sample at the latest. Ends a reply in progress.
  virtual Result<void> append(std::span<const engine::TokenId> tokens) = 0;

  // Draws the next token and appends it to the log. A reply ends with the end marker, which is
  // sampled like any token. Errors: kLimit when the reply can't go on (the context is full, or the
  // script cuts it here): the reply is cut and its end marker was not sampled. Any other error ends
  // the run; when exhausted() is true then, its reason is `script_end`.
  virtual Result<engine::TokenId> sample(const engine::SampleOptions& options) = 0;

  // How much of the log the model has read already; the rest is prefilled with the next sample.
  virtual int64_t num_computed() const = 0;

  // Reads what is pending and remembers this place, so that rewind() to it is free. Errors: as
  // sample().
  virtual Result<void> mark() = 0;

  // Cuts the log back to `length` tokens.
  virtual Result<void> rewind(int64_t length) = 0;

  // Makes the log equal to `log`, keeping what both begin with.
  virtual Result<void> sync(std::span<const engine::TokenId> log) = 0;

  // Stores and restores log and state. Errors: kUnsupported for a model without a state; kIo; on
  // load also kNotFound, kCorrupt, and nothing changes.
  virtual Result<void> save_state(const std::string& path) = 0;
  virtual Result<void> load_state(const std::string& path) = 0;

  // Stores, and adds to a loaded state, the places of mark(): what rewind() needs to be free in
  // another process. A model without a state has none. Errors: as save_state() and load_state().
  virtual Result<void> save_marks(const std::string&) { return {}; }
  virtual Result<void> load_marks(const std::string&) { return {}; }

  // Of all samples so far: how much was guessed ahead, and how much of that came true.
  virtual engine::DraftStats draft_stats() const { return {}; }

  // One line for the user.
  virtual std::string description() const = 0;

  // A script has no replies left, and none is in progress.
  virtual bool exhausted() const { return false; }
};

}  // namespace levin::agent
