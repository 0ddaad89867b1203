// generate MODEL_FOLDER PROMPT [TOKENS]: loads a checkpoint and lets it continue a text, greedily.
// The prompt is ours, so chat markers in it count; text of other people is encoded kAsText.
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace {

using levin::Result;
namespace engine = levin::engine;

Result<std::string> generate(const std::string& folder, const std::string& prompt, int tokens_max) {
  engine::EngineOptions options;
  options.model_folder = folder;
  TRY_ASSIGN(const auto model, engine::Engine::open(options));
  TRY_ASSIGN(engine::Session session, model->open_session({}));

  const engine::Tokenizer& tokenizer = model->tokenizer();
  TRY(session.append(tokenizer.encode(prompt, engine::SpecialTokens::kRecognise)));

  engine::SampleOptions sampling;
  sampling.temperature = 0;
  std::vector<engine::TokenId> reply;
  while (static_cast<int>(reply.size()) < tokens_max) {
    TRY_ASSIGN(const engine::TokenId token, session.sample(sampling));
    if (tokenizer.is_special(token)) break;  // The end of a turn or of the document.
    reply.push_back(token);
  }
  return tokenizer.decode(reply);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argv[2][0] == '\0') {
    std::cerr << "usage: generate MODEL_FOLDER PROMPT [TOKENS]\n";
    return 2;
  }
  const Result<std::string> text = generate(argv[1], argv[2], argc > 3 ? std::atoi(argv[3]) : 32);
  if (!text) {
    std::cerr << "generate: " << text.error().message() << '\n';
    return 1;
  }
  std::cout << argv[2] << *text << std::endl;
  return 0;
}
