// The audit log: what a record says, and that the file stays the user's own.
#include "sandbox/audit.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/file_io.h"
#include "tests/base/temporary_folder.h"

namespace levin::sandbox {
namespace {

using Json = nlohmann::json;

std::vector<Json> records(const std::string& path) {
  std::vector<Json> all;
  const auto text = read_file(path);
  EXPECT_TRUE(text);
  std::istringstream lines(text ? *text : "");
  for (std::string line; std::getline(lines, line);) {
    all.push_back(Json::parse(line, nullptr, false));
    EXPECT_TRUE(all.back().is_object()) << line;
  }
  return all;
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0);
  return status.st_mode & 07777;
}

AuditContext context() {
  return {"s-1", "/w", "workspace", "00000000000000aa", {}, ""};
}

TEST(AuditTest, ACommandIsOneLine) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/state/audit.jsonl";
  auto log = AuditLog::open(path, context());
  ASSERT_TRUE(log) << log.error().message();
  EXPECT_EQ(mode_of(path), 0600u);
  EXPECT_EQ(mode_of(folder.path() + "/state"), 0700u);
  ExitReport report;
  report.exit_code = 3;
  report.wall_ms = 12;
  report.output_bytes = 7;
  report.protected_changes = {".git/config"};
  report.quarantined = {{".envrc", "/q/1/.envrc"}};
  AuditCommand command;
  command.argv = {"bash", "-c", "echo \xff\n'x'"};
  command.report = &report;
  ASSERT_TRUE(log->append(command));
  report.ended_by = EndedBy::kTimeout;
  ASSERT_TRUE(log->append(command));
  command.report = nullptr;
  command.refusal = "E_DENIED x";
  ASSERT_TRUE(log->append(command));
  const auto all = records(path);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0]["type"], "command");
  EXPECT_EQ(all[0]["session"], "s-1");
  EXPECT_EQ(all[0]["argv"], Json({"bash", "-c", "echo \xEF\xBF\xBD\n'x'"}));
  EXPECT_EQ(all[0]["policy"], "00000000000000aa");
  EXPECT_EQ(all[0]["ended_by"], "exit");
  EXPECT_EQ(all[0]["exit"], 3);
  EXPECT_EQ(all[0]["duration_ms"], 12);
  EXPECT_EQ(all[0]["output_bytes"], 7);
  EXPECT_EQ(all[0]["limits"], Json::array());
  EXPECT_EQ(all[0]["protected_changes"], Json({".git/config"}));
  EXPECT_EQ(all[0]["quarantined"], Json::parse(R"([{"path":".envrc","place":"/q/1/.envrc"}])"));
  EXPECT_EQ(all[0]["time"].get<std::string>().size(),
            std::string("2026-11-24T10:15:00.123Z").size());
  EXPECT_EQ(all[1]["limits"], Json({"time"}));
  EXPECT_TRUE(all[1]["exit"].is_null());
  EXPECT_EQ(all[2]["ended_by"], "refused");
  EXPECT_EQ(all[2]["reason"], "E_DENIED x");
}

TEST(AuditTest, RequestsAreOwnLinesAndNamedByTheNextCommand) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/audit.jsonl";
  auto log = AuditLog::open(path, context());
  ASSERT_TRUE(log);
  ProxyEvent event;
  event.protocol = "connect";
  event.host = "bad.test";
  event.port = 443;
  event.reason = "no rule";
  ASSERT_TRUE(log->append(event));
  event.host = "good.test";
  event.allowed = true;
  ASSERT_TRUE(log->append(event));
  const ExitReport report;
  AuditCommand command;
  command.argv = {"true"};
  command.report = &report;
  ASSERT_TRUE(log->append(command));
  ASSERT_TRUE(log->append(command));
  const auto all = records(path);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0]["type"], "network");
  EXPECT_EQ(all[0]["allowed"], false);
  EXPECT_EQ(all[0]["reason"], "no rule");
  EXPECT_EQ(all[1]["host"], "good.test");
  EXPECT_EQ(all[2]["requests"], 2);
  EXPECT_EQ(all[2]["refused_hosts"], Json({"bad.test:443"}));
  EXPECT_FALSE(all[3].contains("requests"));
}

TEST(AuditTest, ItIsAppendedToAndClosedToOthers) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/audit.jsonl";
  ASSERT_TRUE(write_file_atomic(path, "{}\n", 0644));
  const auto log = AuditLog::open(path, context());
  ASSERT_TRUE(log);
  EXPECT_EQ(mode_of(path), 0600u);
  EXPECT_EQ(records(path).size(), 1u);
}

TEST(AuditTest, OnlyARegularFileIsWritten) {
  const TemporaryFolder folder;
  const std::string target = folder.path() + "/target";
  ASSERT_TRUE(write_file_atomic(target, ""));
  ASSERT_EQ(::symlink(target.c_str(), (folder.path() + "/link").c_str()), 0);
  ASSERT_EQ(::mkfifo((folder.path() + "/pipe").c_str(), 0600), 0);
  EXPECT_FALSE(AuditLog::open(folder.path() + "/link", context()));
  EXPECT_FALSE(AuditLog::open(folder.path() + "/pipe", context()));
  EXPECT_FALSE(AuditLog::open(target + "/audit.jsonl", context()));
  EXPECT_TRUE(AuditLog::open(target, context()));
}

TEST(AuditTest, ManyWritersLeaveWholeLines) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/audit.jsonl";
  const auto write = [&](int thread) {
    auto log = AuditLog::open(path, context());
    ASSERT_TRUE(log);
    AuditCommand command;
    command.argv = {std::string(10'000, static_cast<char>('a' + thread))};
    for (int count = 0; count < 50; ++count) ASSERT_TRUE(log->append(command));
  };
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) threads.emplace_back(write, thread);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(records(path).size(), 200u);
}

TEST(AuditTest, ALongCommandIsCutAndSaysSo) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/audit.jsonl";
  auto log = AuditLog::open(path, context());
  ASSERT_TRUE(log);
  AuditCommand command;
  command.argv = {"x", std::string(kAuditArgvBytesMax * 2, 'y'), "z"};
  ASSERT_TRUE(log->append(command));
  const auto all = records(path);
  EXPECT_EQ(all[0]["argv_cut"], true);
  EXPECT_LE(all[0].dump().size(), kAuditArgvBytesMax + 1000);
}

TEST(AuditTest, EqualPoliciesHaveEqualHashes) {
  Policy policy;
  policy.workspace = "/w";
  policy.environment = {{"A", "1"}};
  const std::string hash = policy_hash(policy);
  EXPECT_EQ(hash.size(), 16u);
  Policy other = policy;
  other.environment[0].second = "2";
  EXPECT_EQ(policy_hash(other), hash);  // Values may be secret.
  other.environment[0].first = "B";
  EXPECT_NE(policy_hash(other), hash);
  other = policy;
  other.profile = Profile::kOff;
  EXPECT_NE(policy_hash(other), hash);
  other = policy;
  other.limits.processes_max = 7;
  EXPECT_NE(policy_hash(other), hash);
}

}  // namespace
}  // namespace levin::sandbox
