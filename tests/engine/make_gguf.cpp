// Writes the GGUF files of tests/golden/gguf into a folder: make_gguf FOLDER. They are made again
// in the same bytes each time, so that only llama.cpp's results need to be kept.
#include <fmt/format.h>

#include <fstream>
#include <iostream>

#include "tests/engine/gguf_oracle_files.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_gguf FOLDER\n";
    return 2;
  }
  std::vector<std::string> names = levin::engine::oracle_names();
  for (const std::string& name : levin::engine::widened_names()) names.push_back(name);
  for (const std::string& name : names) {
    std::ofstream file(fmt::format("{}/{}.gguf", argv[1], name), std::ios::binary);
    file << levin::engine::oracle_file(name).bytes();
    if (!file) return 1;
  }
  return 0;
}
