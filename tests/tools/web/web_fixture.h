// A folder for an app and one browser for all tests of a program. Tests that need the browser skip,
// with its reason, where there is none or it can't be confined.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "tests/base/temporary_folder.h"
#include "tools/web_check.h"

namespace levin::tools {

class WebTest : public ::testing::Test {
 protected:
  static void TearDownTestSuite() { browser().reset(); }

  void put(const std::string& path, const std::string& content) {
    const std::filesystem::path full = std::filesystem::path(app()) / path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full, std::ios::binary) << content;
  }
  std::string app() const { return folder_.file("app"); }
  std::string report_folder() const { return folder_.file("report"); }

  static std::string text_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // The reason for a skip; empty when there is a browser.
  static std::string browser_problem() {
    if (browser()) return "";
    const Result<std::string> program = find_browser();
    if (!program) return program.error().message();
    Result<std::unique_ptr<WebBrowser>> started = WebBrowser::start();
    if (!started) return started.error().message();
    browser() = *std::move(started);
    return "";
  }

  static std::unique_ptr<WebBrowser>& browser() {
    static std::unique_ptr<WebBrowser> shared;
    return shared;
  }

  // Checks the app by a specification with these checks.
  WebReport check(const std::string& checks, const std::string& target = "") {
    const auto spec = parse_web_spec(R"({"name":"test","checks":)" + checks + "}", "test.json");
    EXPECT_TRUE(spec) << spec.error().message();
    if (!spec) return {};
    return check(*spec, target);
  }

  enum class Pictures { kKept, kNone };

  WebReport check(const WebSpec& spec, const std::string& target = "",
                  Pictures pictures = Pictures::kKept) {
    WebCheckOptions options;
    options.target = target.empty() ? app() : target;
    if (pictures == Pictures::kKept) options.report_folder = report_folder();
    Result<WebReport> report = check_web_app(*browser(), spec, options);
    EXPECT_TRUE(report) << report.error().message();
    return report ? *std::move(report) : WebReport{};
  }

 private:
  TemporaryFolder folder_;
};

#define NEEDS_BROWSER()                                                                     \
  if (const std::string problem = browser_problem(); !problem.empty()) GTEST_SKIP() << problem

}  // namespace levin::tools
