// No network, by every way there is to one; each beside what works on the command's own loopback.
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>

#include "tests/sandbox/as_user.h"
#include "tests/sandbox/sandbox_fixture.h"

namespace levin::sandbox {
namespace {

class NetworkTest : public IsolationTest {
 protected:
  void SetUp() override {
    IsolationTest::SetUp();
    if (IsSkipped()) return;
    if (shell("command -v python3").exit_code != 0) GTEST_SKIP() << "python3 is not installed";
  }
  // Runs Python with `errno`, `os`, `socket` and `struct`; an OSError is printed by its name.
  std::string python(const std::string& lines) {
    std::string indented = "  " + lines;
    for (size_t at = 0; (at = indented.find('\n', at)) != std::string::npos;) {
      indented.insert(at + 1, "  ");
      at += 3;
    }
    write_text(workspace_ / "probe.py",
               "import errno, os, socket, struct, threading\ntry:\n" + indented +
                   "\nexcept OSError as e:\n  print(errno.errorcode.get(e.errno, e.errno))\n");
    const ExitReport report = shell("python3 probe.py 2>&1");
    EXPECT_EQ(report.ended_by, EndedBy::kExit);
    return report.output;
  }
};

// 192.0.2.0/24 and 2001:db8::/32 are for documentation: nobody can be hurt by a leak.
TEST_F(NetworkTest, PublicAddressesAreUnreachableAtOnce) {
  EXPECT_EQ(python("s = socket.socket()\ns.settimeout(30)\ns.connect(('192.0.2.1', 80))"),
            "ENETUNREACH\n");
  EXPECT_EQ(python("s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                   "s.sendto(b'x', ('192.0.2.1', 53))"),
            "ENETUNREACH\n");
  const std::string six = python(
      "s = socket.socket(socket.AF_INET6)\ns.settimeout(30)\ns.connect(('2001:db8::1', 80))");
  EXPECT_TRUE(six == "ENETUNREACH\n" || six == "EAFNOSUPPORT\n" || six == "EADDRNOTAVAIL\n") << six;
  // The addresses of this machine are not there either.
  EXPECT_EQ(python("print(sorted(name for _, name in socket.if_nameindex()))"), "['lo']\n");
}

TEST_F(NetworkTest, LoopbackWorks) {
  EXPECT_EQ(python("s = socket.create_server(('127.0.0.1', 0))\n"
                   "c = socket.create_connection(s.getsockname())\n"
                   "a, _ = s.accept()\na.sendall(b'hi')\nprint(c.recv(9).decode())"),
            "hi\n");
  EXPECT_EQ(
      python("a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\na.bind(('127.0.0.1', 0))\n"
             "b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
             "b.sendto(b'hi', a.getsockname())\nprint(a.recv(9).decode())"),
      "hi\n");
}

TEST_F(NetworkTest, NamesAreNotLookedUp) {
  EXPECT_EQ(python("try:\n  print(socket.getaddrinfo('example.org', 80))\n"
                   "except socket.gaierror:\n  print('unknown')"),
            "unknown\n");
  EXPECT_EQ(python("print(socket.gethostbyname('localhost'))"), "127.0.0.1\n");
  // The machine's own resolver, where it listens on loopback, is not this loopback's.
  EXPECT_EQ(python("s = socket.socket()\ns.settimeout(30)\ns.connect(('127.0.0.53', 53))"),
            "ECONNREFUSED\n");
}

TEST_F(NetworkTest, RawSocketsAreRefused) {
  EXPECT_EQ(python("socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)\n"
                   "print('open')"),
            "EPERM\n");
  EXPECT_EQ(python("socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)\nprint('open')"),
            "EPERM\n");
  EXPECT_EQ(python("socket.socket(17, socket.SOCK_RAW)\nprint('open')"), "EPERM\n");
  EXPECT_EQ(python("socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nprint('open')"), "open\n");
}

TEST_F(NetworkTest, AddressesAndRoutesCannotBeAdded) {
  // RTM_NEWADDR of 192.0.2.7/24 on lo; the answer's number is the negative errno.
  const std::string ask =
      "s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)\n"
      "def ask(kind, body):\n"
      "  s.send(struct.pack('=IHHII', 16 + len(body), kind, 0x605, 1, 0) + body)\n"
      "  return -struct.unpack('=i', s.recv(4096)[16:20])[0]\n";
  EXPECT_EQ(
      python(ask + "body = struct.pack('=BBBBI', 2, 24, 0, 0, 1) + struct.pack('=HH', 8, 2) + "
                   "bytes([192, 0, 2, 7])\nprint(errno.errorcode[ask(20, body)])"),
      "EPERM\n");
  EXPECT_EQ(python(ask + "body = struct.pack('=BBBBBBBBI', 2, 0, 0, 0, 254, 3, 0, 1, 0) + "
                         "struct.pack('=HHI', 8, 4, 1)\nprint(errno.errorcode[ask(24, body)])"),
            "EPERM\n");
  EXPECT_EQ(python("s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)\n"
                   "s.send(struct.pack('=IHHIIB', 17, 18, 0x301, 1, 0, 0) + bytes(3))\n"
                   "print(len(s.recv(65536)) > 16)"),
            "True\n");
}

TEST_F(NetworkTest, SocketsOfTheMachineAreOutOfReach) {
  // An abstract socket of this process: visible to everyone in its network namespace.
  const std::string name = "levin-test-" + std::to_string(::getpid());
  const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  ASSERT_EQ(::bind(server, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(server, 4), 0);
  const std::string connect =
      "s = socket.socket(socket.AF_UNIX)\ns.connect('\\0" + name + "')\nprint('connected')";
  EXPECT_EQ(python(connect), "ECONNREFUSED\n");
  const ExitReport outside = shell(policy(Profile::kOff), "python3 probe.py 2>&1");
  EXPECT_EQ(outside.output, "connected\n");
  ::close(server);
}

TEST(AsOrdinaryUser, NoNetworkEither) {
  expect_all_pass_as_user();
}

}  // namespace
}  // namespace levin::sandbox
