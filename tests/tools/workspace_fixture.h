// A temporary workspace and the tools that need no sandbox.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tools/entries.h"
#include "tools/workspace.h"

namespace levin::tools {

class ToolTest : public ::testing::Test {
 protected:
  ToolTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "levin-tools-XXXXXX").string();
    base_ = ::mkdtemp(pattern.data());
    root_ = base_ + "/work";
    std::filesystem::create_directory(root_);
    workspace_.emplace(*Workspace::open(root_));
  }
  ~ToolTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(base_, ignored);
  }

  void put(const std::string& path, const std::string& content) {
    const std::filesystem::path full = std::filesystem::path(root_) / path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full, std::ios::binary) << content;
  }

  std::string get(const std::string& path) const {
    std::ifstream file(std::filesystem::path(root_) / path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  ToolResult call(const std::string& tool, const std::string& arguments) {
    ToolContext context{*workspace_, nullptr, nullptr, nullptr, ""};
    return registry_.call(tool, arguments, context);
  }

  std::string text(const std::string& tool, const std::string& arguments) {
    ToolResult result = call(tool, arguments);
    EXPECT_EQ(result.failed, result.text.starts_with("E_")) << result.text;
    return result.text;
  }

  std::string base_;
  std::string root_;
  std::optional<Workspace> workspace_;
  Registry registry_{{read_tool(), search_tool(), edit_tool(), write_tool()}};
};

}  // namespace levin::tools
