#include "sandbox/warden_client.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "sandbox/wire.h"

namespace levin::sandbox {
namespace {

constexpr int kWardenSocket = 3;  // warden/main.cpp finds it there.
constexpr const char* kWardenName = "levin-warden";

// Beside the program itself; never looked up in PATH, where a command could have planted one.
std::string warden_path() {
  char path[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof(path) - 1);
  if (size <= 0) return "";
  std::string program(path, static_cast<size_t>(size));
  return program.substr(0, program.rfind('/') + 1) + kWardenName;
}

Result<pid_t> spawn_warden(const std::string& path, int socket) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, socket, kWardenSocket);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  // A session of its own: Ctrl-C at the terminal is for levin, which then ends commands politely.
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  std::string name = kWardenName;
  char* const argv[] = {name.data(), nullptr};
  // Empty: whatever a launcher has in its environment can be read inside.
  char* const environment[] = {nullptr};
  pid_t pid = 0;
  const int status = ::posix_spawn(&pid, path.c_str(), &actions, &attributes, argv, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (status == 0) return pid;
  return Error(status == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
               "starting " + path + ": " + std::strerror(status));
}

}  // namespace

Result<std::unique_ptr<WardenClient>> WardenClient::start(const CellPlan& plan,
                                                          std::vector<CellLayer>* layers) {
  TRY_ASSIGN(SocketPair sockets, packet_sockets());
  TRY_ASSIGN(const pid_t pid, spawn_warden(warden_path(), sockets.theirs.get()));
  sockets.theirs.reset();
  std::unique_ptr<WardenClient> client(new WardenClient(pid, std::move(sockets.ours)));
  TRY_ASSIGN(const UniqueFd file, memory_file("cell plan", encode(plan)));
  const int fd = file.get();
  Packet request;
  request.kind = Packet::Kind::kCell;
  TRY(send_packet(client->socket_.get(), request, {&fd, 1}));
  for (;;) {
    TRY_ASSIGN(const Received answer, receive_packet(client->socket_.get()));
    if (answer.ended) {
      return Error(ErrorCode::kUnsupported, "the warden ended while it built the cell");
    }
    switch (answer.packet.kind) {
      case Packet::Kind::kLayer:
        if (layers != nullptr) layers->push_back({answer.packet.text, answer.packet.number});
        break;
      case Packet::Kind::kReady:
        return client;
      default:
        return Error(ErrorCode::kUnsupported, answer.packet.text);
    }
  }
}

WardenClient::~WardenClient() {
  socket_.reset();
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<WardenClient::Started> WardenClient::start_command(const CommandPlan& plan,
                                                          const std::vector<int>& fds) const {
  TRY_ASSIGN(SocketPair sockets, packet_sockets());
  TRY_ASSIGN(const UniqueFd file, memory_file("command plan", encode(plan)));
  std::vector<int> sent = {file.get(), sockets.theirs.get()};
  sent.insert(sent.end(), fds.begin(), fds.end());
  if (sent.size() > kPacketFdsMax) {
    return Error(ErrorCode::kInvalidArgument,
                 "a command with " + std::to_string(fds.size()) + " descriptors");
  }
  Packet request;
  request.kind = Packet::Kind::kCommand;
  TRY(send_packet(socket_.get(), request, sent));
  sockets.theirs.reset();
  TRY_ASSIGN(Received answer, receive_packet(sockets.ours.get()));
  if (answer.ended) return Error(ErrorCode::kIo, "the warden died; no command can be started");
  if (answer.packet.kind != Packet::Kind::kStarted) {
    return Error(ErrorCode::kIo, std::string("starting a command: ") + answer.packet.text);
  }
  Started started{std::move(sockets.ours), {}};
  if (!answer.fds.empty()) started.terminal = std::move(answer.fds[0]);
  return started;
}

Result<UniqueFd> WardenClient::make_socket(bool listening, uint16_t port) const {
  TRY_ASSIGN(SocketPair sockets, packet_sockets());
  Packet request;
  request.kind = listening ? Packet::Kind::kListen : Packet::Kind::kSocket;
  request.number = port;
  const int theirs = sockets.theirs.get();
  TRY(send_packet(socket_.get(), request, {&theirs, 1}));
  sockets.theirs.reset();
  TRY_ASSIGN(Received answer, receive_packet(sockets.ours.get()));
  if (answer.packet.kind != Packet::Kind::kFds || answer.fds.size() != 1) {
    return Error(ErrorCode::kIo, answer.ended ? "the warden died" : answer.packet.text);
  }
  return std::move(answer.fds[0]);
}

}  // namespace levin::sandbox
