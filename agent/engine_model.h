// The embedded engine as a ModelClient: one session of a loaded checkpoint.
#pragma once

#include <memory>

#include "agent/model_client.h"
#include "engine/engine.h"

namespace levin::agent {

// Of the marks on disk, for each session. An M1 has room for one; the embedded model for hundreds.
inline constexpr size_t kMarkBytesMax = size_t{512} << 20;

class EngineModel final : public ModelClient {
 public:
  // `engine` outlives the model. Errors: those of Engine::open_session().
  static Result<std::unique_ptr<EngineModel>> create(engine::Engine& engine,
                                                     std::string description,
                                                     const engine::SessionOptions& options);

  const engine::Tokenizer& tokenizer() const override { return engine_.tokenizer(); }
  const std::vector<engine::TokenId>& token_log() const override { return session_.token_log(); }
  Result<void> append(std::span<const engine::TokenId> tokens) override {
    return session_.append(tokens);
  }
  Result<engine::TokenId> sample(const engine::SampleOptions& options) override {
    return session_.sample(options);
  }
  int64_t num_computed() const override { return session_.num_computed(); }
  Result<void> mark() override { return session_.keep_anchor(); }
  Result<void> rewind(int64_t length) override { return session_.rewind(length); }
  Result<void> sync(std::span<const engine::TokenId> log) override {
    TRY(session_.sync(log));
    return {};
  }
  Result<void> save_state(const std::string& path) override { return session_.save(path); }
  Result<void> load_state(const std::string& path) override { return session_.load(path); }
  Result<void> save_marks(const std::string& path) override {
    return session_.save_anchors(path, kMarkBytesMax);
  }
  Result<void> load_marks(const std::string& path) override { return session_.load_anchors(path); }
  engine::DraftStats draft_stats() const override { return session_.draft_stats(); }
  std::string description() const override { return description_; }

 private:
  EngineModel(engine::Engine& engine, engine::Session session, std::string description)
      : engine_(engine), session_(std::move(session)), description_(std::move(description)) {}

  engine::Engine& engine_;
  engine::Session session_;
  std::string description_;
};

}  // namespace levin::agent
