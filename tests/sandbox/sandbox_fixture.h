// A scratch home and workspace, and short ways to run a shell line under a policy. Every check of
// something impossible prints a marker first, so that a command that never started cannot pass.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "sandbox/sandbox.h"

namespace levin::sandbox {

namespace fs = std::filesystem;

inline void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

// As far as it can be read: a process may end while its file in /proc is looked at.
inline std::string read_text(const fs::path& path) {
  const std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Whether a process whose command line holds `marker` runs on this machine.
inline bool is_running(const std::string& marker) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    if (entry.path().filename() == std::to_string(::getpid())) continue;
    if (has(read_text(entry.path() / "cmdline"), marker)) return true;
  }
  return false;
}

class SandboxTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "levin-sandbox-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = fs::canonical(pattern);
    home_ = root_ / "home";
    workspace_ = root_ / "home/code/project";
    fs::create_directories(workspace_);
    write_text(home_ / ".ssh/id_test", "private-key-bytes");
    write_text(home_ / "code/sibling/file", "sibling");
    write_text(workspace_ / "file", "original");
  }

  void TearDown() override {
    std::error_code error;
    fs::remove_all(root_, error);
  }

  Policy policy(Profile profile) const {
    std::string home = "HOME=" + home_.string();
    std::string path = "PATH=/usr/local/bin:/usr/bin:/bin";
    std::string token = "API_TOKEN=environment-secret";
    char* variables[] = {home.data(), path.data(), token.data(), nullptr};
    Policy result;
    result.profile = profile;
    result.workspace = workspace_.string();
    result.protected_paths = default_protected_paths(result.workspace);
    result.environment = default_environment(variables, profile);
    result.limits.grace_ms = 200;
    result.limits.wall_ms = 20'000;
    return result;
  }

  ExitReport run(const Policy& how, const Command& command,
                 const std::atomic<bool>* interrupted = nullptr) {
    const auto sandbox = Sandbox::open(how);
    if (!sandbox) {
      ADD_FAILURE() << sandbox.error().message();
      return {};
    }
    const auto report = sandbox->run(command, nullptr, interrupted);
    if (!report) {
      ADD_FAILURE() << report.error().message();
      return {};
    }
    return *report;
  }

  // Runs a line of bash. The output begins with "started\n", checked and removed.
  ExitReport shell(const Policy& how, const std::string& line) {
    ExitReport report = run(how, {{"bash", "-c", "echo started\n" + line}, "", ""});
    const std::string marker = "started\n";
    EXPECT_TRUE(report.output.starts_with(marker)) << report.output;
    if (report.output.starts_with(marker)) report.output.erase(0, marker.size());
    return report;
  }
  ExitReport shell(const std::string& line) { return shell(policy(Profile::kWorkspace), line); }

  fs::path root_, home_, workspace_;
};

// The name of the first layer that is missing here and why; "" when all are there.
inline std::string missing_layer() {
  for (const Layer& layer : probe()) {
    if (!layer.available && layer.required) return layer.name + ": " + layer.detail;
  }
  return "";
}

// Tests that need the kernel's isolation.
class IsolationTest : public SandboxTest {
 protected:
  void SetUp() override {
    // The child of the test that switches isolation off must not skip.
    const bool nested = std::getenv("LEVIN_TEST_NESTED") != nullptr;
    static const std::string kMissing = nested ? "" : missing_layer();
    if (!kMissing.empty()) GTEST_SKIP() << "no sandbox on this machine: " << kMissing;
    SandboxTest::SetUp();
  }
};

}  // namespace levin::sandbox
