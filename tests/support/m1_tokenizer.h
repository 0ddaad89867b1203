// The tokenizer of MiniMax-M1 as far as it is known, made from the stored list of merges; what is
// assumed, and how sure it is, stands in tests/golden/tokenizer/README.md.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/byte_alphabet.h"

namespace levin::testing {

// The text of a tokenizer.json.
inline std::string reconstructed_m1_json() {
  const std::string golden = std::string(LEVIN_SOURCE_DIR) + "/tests/golden/tokenizer/";
  std::ifstream mini_file(golden + "mini_o200k/tokenizer.json");
  // Its split is M1's; vocabulary, merges and added tokens are replaced.
  nlohmann::json file = nlohmann::json::parse(mini_file);
  nlohmann::json vocab = nlohmann::json::object();
  nlohmann::json merges = nlohmann::json::array();
  int id = 0;
  for (const bool printable : {true, false}) {
    for (int byte = 0; byte < 256; ++byte) {
      const std::string symbol = engine::symbol_of_byte(static_cast<uint8_t>(byte));
      // Symbols from U+0100 on (lead byte C4 and up) stand for the bytes that do not print.
      const bool prints = static_cast<unsigned char>(symbol[0]) < 0xC4;
      if (prints == printable) vocab[symbol] = id++;
    }
  }
  std::ifstream merges_file(golden + "minimax_m1_merges.txt");
  std::string line;
  std::getline(merges_file, line);  // "#version".
  while (std::getline(merges_file, line)) {
    const size_t space = line.find(' ');
    vocab[line.substr(0, space) + line.substr(space + 1)] = id++;
    merges.push_back(line);
  }
  file["model"]["vocab"] = std::move(vocab);
  file["model"]["merges"] = std::move(merges);
  file["added_tokens"] = nlohmann::json::array();
  const auto add_special = [&file](int special_id, const char* content) {
    file["added_tokens"].push_back({{"id", special_id}, {"content", content}, {"special", true}});
  };
  add_special(200019, "<beginning_of_sentence>");
  add_special(200020, "<end_of_sentence>");
  add_special(200021, "<end_of_document>");
  add_special(200034, "<begin_of_document>");
  return file.dump();
}

}  // namespace levin::testing
