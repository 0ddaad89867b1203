#include "agent/engine_model.h"

namespace levin::agent {

Result<std::unique_ptr<EngineModel>> EngineModel::create(engine::Engine& engine,
                                                         std::string description,
                                                         const engine::SessionOptions& options) {
  TRY_ASSIGN(engine::Session session, engine.open_session(options));
  return std::unique_ptr<EngineModel>(
      new EngineModel(engine, std::move(session), std::move(description)));
}

}  // namespace levin::agent
