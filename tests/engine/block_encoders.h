// Plain quantisers of the block types, for test files: no search for good scales.
#pragma once

#include <string>
#include <vector>

namespace levin::engine {

std::string encode_q4_0(const std::vector<float>& values);
std::string encode_q8_0(const std::vector<float>& values);
std::string encode_q4_k(const std::vector<float>& values);
std::string encode_q6_k(const std::vector<float>& values);

}  // namespace levin::engine
