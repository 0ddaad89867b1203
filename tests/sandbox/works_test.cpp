// What people do all day has to work inside: one test for each kind of tool, run where the tool is
// installed, skipped by name where it is not.
#include "tests/sandbox/as_user.h"
#include "tests/sandbox/sandbox_fixture.h"

namespace levin::sandbox {
namespace {

class WorksTest : public IsolationTest {
 protected:
  // With the caller's own home, where toolchains may lie; the workspace is the test's.
  Policy normal_policy() const {
    Policy result = policy(Profile::kWorkspace);
    result.environment = default_environment(environ, Profile::kWorkspace);
    result.limits.wall_ms = 240'000;  // Minutes, on a machine that has much else to do.
    return result;
  }
  // Whether all of these programs can be started inside.
  std::string missing(const std::string& programs) {
    return shell(normal_policy(),
                 "for p in " + programs + "; do command -v $p >/dev/null || echo $p; done")
        .output;
  }
  void expect_works(const std::string& line, const std::string& last_line) {
    const ExitReport report = shell(normal_policy(), "set -e\n" + line);
    EXPECT_EQ(report.ended_by, EndedBy::kExit);
    EXPECT_EQ(report.exit_code, 0) << report.output;
    EXPECT_TRUE(report.output.ends_with(last_line + "\n")) << report.output;
    EXPECT_TRUE(report.protected_changes.empty());
  }
};

#define NEEDS(programs)                                              \
  if (const std::string absent = missing(programs); !absent.empty()) \
  GTEST_SKIP() << "not installed here: " << absent

TEST_F(WorksTest, MakeWithAJobServer) {
  NEEDS("make cc");
  write_text(workspace_ / "Makefile",
             "all: a b c d\na b c d: x.c\n\tcc -o $@ x.c\nsub:\n\t+$(MAKE) -B a b\n");
  write_text(workspace_ / "x.c", "int main(void) { return 0; }\n");
  expect_works("make -j4 all; make -j4 sub; ./a && ./d && echo built", "built");
}

TEST_F(WorksTest, CmakeAndNinja) {
  NEEDS("cmake ninja cc ctest");
  write_text(workspace_ / "CMakeLists.txt",
             "cmake_minimum_required(VERSION 3.16)\nproject(p C)\nenable_testing()\n"
             "add_executable(p p.c)\nadd_test(NAME p COMMAND p)\n");
  write_text(workspace_ / "p.c", "int main(void) { return 0; }\n");
  expect_works(
      "cmake -G Ninja -S . -B build; cmake --build build -j2; ctest --test-dir build | "
      "grep '100% tests passed'; echo built",
      "built");
}

constexpr const char* kPythonTest =
    "import multiprocessing, unittest\n"
    "def square(n):\n  return n * n\n"
    "class T(unittest.TestCase):\n"
    "  def test_pool(self):\n"
    "    with multiprocessing.Pool(2) as pool:\n"
    "      self.assertEqual(pool.map(square, [1, 2, 3]), [1, 4, 9])\n"
    "  def test_semaphore(self):\n"  // sem_open(3) lives in /dev/shm.
    "    with multiprocessing.Semaphore(1), multiprocessing.Lock():\n      pass\n"
    "  def test_shared_memory(self):\n"
    "    from multiprocessing import shared_memory\n"
    "    m = shared_memory.SharedMemory(create=True, size=64)\n    m.close(); m.unlink()\n";

TEST_F(WorksTest, PythonUnittestWithProcesses) {
  NEEDS("python3");
  write_text(workspace_ / "test_it.py", kPythonTest);
  expect_works("python3 -m unittest -q 2>&1; echo passed", "passed");
}

TEST_F(WorksTest, PytestWithProcesses) {
  NEEDS("pytest");
  write_text(workspace_ / "test_it.py", kPythonTest);
  expect_works("pytest -q; echo passed", "passed");
}

TEST_F(WorksTest, PipIntoAVirtualEnvironment) {
  NEEDS("python3");
  if (shell(normal_policy(), "python3 -c 'import ensurepip'").exit_code != 0) {
    GTEST_SKIP() << "python3 here has no ensurepip (Debian: python3-venv)";
  }
  write_text(workspace_ / "wheel.py",
             "import zipfile\n"
             "z = zipfile.ZipFile('pkg-1-py3-none-any.whl', 'w')\n"
             "z.writestr('pkg.py', 'NAME = \"installed\"\\n')\n"
             "z.writestr('pkg-1.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: pkg\\n"
             "Version: 1\\n')\n"
             "z.writestr('pkg-1.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: t\\n"
             "Root-Is-Purelib: true\\nTag: py3-none-any\\n')\n"
             "z.writestr('pkg-1.dist-info/RECORD', '')\n"
             "z.close()\n");
  expect_works(
      "python3 wheel.py; python3 -m venv v; v/bin/pip install -q --no-index ./*.whl; cd "
      "/tmp; $OLDPWD/v/bin/python -c 'import pkg; print(pkg.NAME)'",
      "installed");
}

TEST_F(WorksTest, GitCommitBranchStashRebaseWorktree) {
  NEEDS("git");
  ASSERT_EQ(shell(policy(Profile::kOff),
                  "git init -q . && git config user.name T && git config user.email t@example.org "
                  "&& mkdir -p .git/hooks")
                .exit_code,
            0);
  expect_works(
      "git add -A; git commit -qm one; git branch side; echo 2 > file; git stash -q; git stash pop "
      "-q; git commit -qam two; git checkout -q side; echo s > s; git add s; git commit -qm three; "
      "git rebase -q -; git worktree add -q wt -b other; (cd wt; echo w > w; git add w; git commit "
      "-qm four); git worktree remove wt; git log --format=%s other | tr '\\n' ' '; echo",
      "four three two one ");
}

TEST_F(WorksTest, NodeServerAndClientOnLoopback) {
  NEEDS("node");
  write_text(workspace_ / "s.js",
             "const http = require('http');\n"
             "const s = http.createServer((q, r) => r.end('served'));\n"
             "s.listen(0, '127.0.0.1', () => http.get({port: s.address().port}, r => {\n"
             "  r.on('data', d => console.log(String(d))); r.on('end', () => s.close());\n"
             "}));\n");
  expect_works("node s.js", "served");
}

TEST_F(WorksTest, NpmOffline) {
  NEEDS("npm node");
  write_text(workspace_ / "dep/package.json", R"({"name": "dep", "version": "1.0.0"})");
  write_text(workspace_ / "dep/index.js", "module.exports = 'from dep';\n");
  write_text(workspace_ / "app/package.json",
             R"({"name": "app", "version": "1.0.0", "scripts": {"test": "node t.js"},
                 "dependencies": {"dep": "file:../dep-1.0.0.tgz"}})");
  write_text(workspace_ / "app/t.js", "console.log(require('dep'));\n");
  expect_works(
      "(cd dep; npm pack -s --pack-destination ..); cd app; npm install -s --offline; rm "
      "-rf node_modules; npm ci -s --offline; npm test -s",
      "from dep");
}

TEST_F(WorksTest, CargoOffline) {
  NEEDS("cargo cc");
  write_text(workspace_ / "Cargo.toml", "[package]\nname = \"c\"\nversion = \"0.1.0\"\n");
  write_text(workspace_ / "src/main.rs", "fn main() { println!(\"compiled\"); }\n");
  expect_works("cargo build --offline -q 2>&1; ./target/debug/c", "compiled");
}

TEST_F(WorksTest, GoTest) {
  NEEDS("go");
  write_text(workspace_ / "go.mod", "module m\n");
  write_text(workspace_ / "m_test.go",
             "package m\nimport \"testing\"\nfunc TestIt(t *testing.T) {}\n");
  expect_works("GOFLAGS=-mod=mod go test ./... && echo passed", "passed");
}

TEST_F(WorksTest, ATerminalOfItsOwn) {
  NEEDS("script tty");
  expect_works(
      "script -qec 'test -t 0 && test -t 1 && tty >/dev/null && echo is-a-tty' /dev/null "
      "| tr -d '\\r'",
      "is-a-tty");
}

TEST_F(WorksTest, VimInATerminal) {
  NEEDS("script vim");
  expect_works(
      "script -qec \"vim -u NONE -N -c 'normal ihello' -c wq f\" /dev/null >/dev/null "
      "</dev/null; cat f",
      "hello");
}

TEST_F(WorksTest, FileWatching) {
  NEEDS("python3");
  write_text(workspace_ / "watch.py",
             "import ctypes, os, struct, threading\n"
             "libc = ctypes.CDLL(None, use_errno=True)\n"
             "fd = libc.inotify_init1(0)\n"
             "assert fd >= 0 and libc.inotify_add_watch(fd, b'.', 0x100) > 0\n"
             "threading.Thread(target=lambda: open('new', 'w').close()).start()\n"
             "event = os.read(fd, 4096)\n"
             "print(event[16:].rstrip(b'\\0').decode())\n");
  expect_works("python3 watch.py", "new");
}

TEST_F(WorksTest, GdbUnderADebuggingPolicy) {
  NEEDS("gdb cc");
  write_text(workspace_ / "p.c", "int answer = 42;\nint main(void) {\n  return answer - 42;\n}\n");
  const std::string line =
      "cc -g -o p p.c && gdb -q -batch -ex 'break main' -ex run -ex 'print answer' ./p 2>&1";
  Policy how = normal_policy();
  how.debugging = true;
  const ExitReport debugged = shell(how, line);
  EXPECT_TRUE(has(debugged.output, "$1 = 42")) << debugged.output;
  EXPECT_TRUE(has(debugged.output, "Breakpoint 1, main")) << debugged.output;
  // Without it the program can be read, not traced.
  const ExitReport other = shell(normal_policy(), line);
  EXPECT_FALSE(has(other.output, "Breakpoint 1, main")) << other.output;
}

TEST_F(WorksTest, ChromiumHeadless) {
  NEEDS("chromium");
  write_text(workspace_ / "page.html",
             "<p id=p>x</p><script>p.textContent = 'made by ' + 'script'</script>");
  const ExitReport report =
      shell(normal_policy(),
            "chromium --headless --no-sandbox --disable-gpu --dump-dom file://$PWD/page.html "
            "2>err || tail -5 err");
  EXPECT_EQ(report.exit_code, 0) << report.output;
  EXPECT_TRUE(has(report.output, "<p id=\"p\">made by script</p>")) << report.output;
}

// Without the two that take longest and know no difference between users.
TEST(AsOrdinaryUser, AllOfThisWorks) {
  expect_all_pass_as_user("WorksTest.ChromiumHeadless:WorksTest.Pip*");
}

}  // namespace
}  // namespace levin::sandbox
