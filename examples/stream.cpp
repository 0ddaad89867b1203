// stream MODEL_FOLDER QUESTION: one chat turn, shown while it is generated. The chat markers are
// written as token ids by PromptWriter; StreamDecoder never gives out half a character.
#include <iostream>
#include <string>

#include "engine/chat_template.h"
#include "engine/engine.h"

namespace {

using levin::Result;
namespace engine = levin::engine;

constexpr int kTokensMax = 200;

Result<void> stream(const std::string& folder, const std::string& question) {
  engine::EngineOptions options;
  options.model_folder = folder;
  TRY_ASSIGN(const auto model, engine::Engine::open(options));
  TRY_ASSIGN(engine::Session session, model->open_session({}));
  TRY_ASSIGN(const auto writer, engine::PromptWriter::create(model->tokenizer()));

  TRY(session.append(writer.prefix("You answer in one sentence.", {})));
  TRY(session.append(writer.user_turn(question)));
  TRY(session.append(writer.assistant_start()));

  engine::SampleOptions sampling;
  sampling.temperature = 0;
  engine::StreamDecoder decoder(model->tokenizer());
  for (int count = 0; count < kTokensMax; ++count) {
    TRY_ASSIGN(const engine::TokenId token, session.sample(sampling));
    if (token == writer.end_of_sentence()) break;
    std::cout << decoder.push(token) << std::flush;
  }
  std::cout << decoder.finish() << std::endl;
  std::cerr << session.token_log().size() << " tokens in the session, " << session.num_computed()
            << " of them computed, each once\n";
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: stream MODEL_FOLDER QUESTION\n";
    return 2;
  }
  const Result<void> done = stream(argv[1], argv[2]);
  if (!done) std::cerr << "stream: " << done.error().message() << '\n';
  return done ? 0 : 1;
}
