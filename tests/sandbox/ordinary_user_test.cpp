// Everything again as an ordinary user, where the suite runs as root: a copy of this program and
// of the warden is started under another uid.
#include "tests/sandbox/sandbox_fixture.h"

namespace levin::sandbox {
namespace {

constexpr const char* kUser = "12345";  // Needs no entry in /etc/passwd.

class OrdinaryUserTest : public SandboxTest, public testing::WithParamInterface<const char*> {};

TEST_P(OrdinaryUserTest, TheSuiteHolds) {
  if (::getuid() != 0) GTEST_SKIP() << "this run is an ordinary user's already";
  if (!fs::exists("/usr/bin/setpriv")) GTEST_SKIP() << "needs /usr/bin/setpriv";
  const fs::path self = fs::canonical("/proc/self/exe");
  for (const fs::path& program : {self, self.parent_path() / "levin-warden"}) {
    fs::copy_file(program, root_ / program.filename());
  }
  fs::permissions(root_, fs::perms::all & ~fs::perms::group_write & ~fs::perms::others_write);
  Policy off = policy(Profile::kOff);
  off.limits.wall_ms = 280'000;
  off.limits.output_tail_bytes = 1 << 20;
  const ExitReport report = run(
      off,
      {.argv = {"/usr/bin/setpriv", "--reuid", kUser, "--regid", kUser, "--clear-groups",
                (root_ / self.filename()).string(), std::string("--gtest_filter=") + GetParam()}});
  EXPECT_EQ(report.exit_code, 0) << report.output;
  EXPECT_TRUE(has(report.output, "[  PASSED  ]")) << report.output;
  EXPECT_FALSE(has(report.output, "no sandbox on this machine")) << report.output;
}

INSTANTIATE_TEST_SUITE_P(Parts, OrdinaryUserTest,
                         testing::Values("IsolationTest.*:GitTest.*:QuarantineTest.*:AbuseTest.*",
                                         "*ProcessTest.*:LimitsTest.*:CellTest.*"),
                         [](const auto& param) {
                           return std::string(param.index == 0 ? "Isolation" : "Processes");
                         });

}  // namespace
}  // namespace levin::sandbox
