#include "sandbox/warden/cell.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "sandbox/warden/command_init.h"
#include "sandbox/warden/landlock.h"
#include "sandbox/warden/system.h"
#include "sandbox/warden/tree.h"
#include "sandbox/wire.h"

namespace levin::sandbox {
namespace {

constexpr int kListenBacklog = 64;

// A command whose init has not been reaped yet.
struct Running {
  pid_t init = 0;
  UniqueFd init_pidfd;
  UniqueFd control;  // Its other end closed means: end the command.
};

Packet packet_of(Packet::Kind kind, int number = 0, std::string_view text = {}) {
  Packet packet;
  packet.kind = kind;
  packet.number = number;
  packet.set_text(text);
  return packet;
}

Result<void> raise_loopback() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return system_error("network namespace: socket");
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", sizeof("lo"));
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) {
    return system_error("network namespace: raising lo");
  }
  return {};
}

// An unconnected socket of this network, or one that listens on 127.0.0.1:`port`.
Result<UniqueFd> make_socket(bool listening, uint16_t port) {
  UniqueFd made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!made) return system_error("socket");
  if (!listening) return made;
  const int yes = 1;
  ::setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return system_error("binding 127.0.0.1:" + std::to_string(port));
  }
  if (::listen(made.get(), kListenBacklog) != 0) return system_error("listen");
  return made;
}

class Cell {
 public:
  Cell(int socket, const CellPlan& plan) : socket_(socket), plan_(plan) {}

  Result<void> build();
  Result<void> serve();

 private:
  Result<void> tell_layer(const char* name, int number = 0) {
    return send_packet(socket_, packet_of(Packet::Kind::kLayer, number, name));
  }
  void handle(Received request);
  void hand_out_socket(Received& request);
  void start_command(Received& request);
  void end_finished(const std::vector<pollfd>& watched);

  int socket_;
  const CellPlan& plan_;
  CellContext context_;
  std::vector<Running> running_;
};

Result<void> Cell::build() {
  const mode_t mask = ::umask(0);
  TRY(build_tree(plan_));
  ::umask(mask);
  TRY(tell_layer("private root and /proc"));
  TRY(raise_loopback());
  if (::sethostname(plan_.host_name.data(), plan_.host_name.size()) != 0) {
    return system_error("sethostname");
  }
  if (!plan_.nested_namespaces) {
    if (!write_text_file("/proc/sys/user/max_user_namespaces", "0")) {
      return system_error("no nested user namespaces");
    }
    TRY(tell_layer("no nested user namespaces"));
  }
  TRY_ASSIGN(context_.landlock, make_landlock_rules(plan_.write_below));
  if (context_.landlock) TRY(tell_layer("landlock", landlock_version()));
  context_.seccomp_filter = plan_.seccomp_filter;
  context_.workspace = plan_.workspace;
  // A command's init must not be traced by anybody who is not as privileged as we are.
  ::prctl(PR_SET_DUMPABLE, 0);
  return send_packet(socket_, packet_of(Packet::Kind::kReady));
}

void Cell::hand_out_socket(Received& request) {
  if (request.fds.size() != 1) return;
  const bool listening = request.packet.kind == Packet::Kind::kListen;
  auto made = make_socket(listening, static_cast<uint16_t>(request.packet.number));
  if (!made) {
    (void)send_packet(request.fds[0].get(),
                      packet_of(Packet::Kind::kFailed, errno, made.error().message()));
    return;
  }
  const int fd = made->get();
  (void)send_packet(request.fds[0].get(), packet_of(Packet::Kind::kFds), {&fd, 1});
}

void Cell::start_command(Received& request) {
  constexpr size_t kPlanAndControl = 2;
  if (request.fds.size() < kPlanAndControl) return;
  UniqueFd control = std::move(request.fds[1]);
  const auto refuse = [&](const std::string& why) {
    (void)send_packet(control.get(), packet_of(Packet::Kind::kFailed, errno, why));
  };
  const auto bytes = memory_file_bytes(request.fds[0].get());
  if (!bytes) return refuse(bytes.error().message());
  const auto plan = decode_command_plan(*bytes);
  if (!plan) return refuse(plan.error().message());
  std::vector<UniqueFd> fds(std::make_move_iterator(request.fds.begin() + kPlanAndControl),
                            std::make_move_iterator(request.fds.end()));
  if (static_cast<int64_t>(fds.size()) != plan->fd_count + plan->cgroup_fd_count) {
    return refuse("a request with " + std::to_string(fds.size()) + " descriptors");
  }
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  const long init = ::syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (init < 0) return refuse(system_error("clone3").message());
  if (init == 0) {
    ::close(socket_);
    for (Running& other : running_) other.control.reset();
    run_command_init(context_, *plan, std::move(fds), std::move(control));
  }
  running_.push_back({static_cast<pid_t>(init), UniqueFd(pidfd), std::move(control)});
}

void Cell::handle(Received request) {
  switch (request.packet.kind) {
    case Packet::Kind::kCommand:
      return start_command(request);
    case Packet::Kind::kListen:
    case Packet::Kind::kSocket:
      return hand_out_socket(request);
    default:
      return;  // Nobody sends anything else here.
  }
}

// `watched` has two entries for each of running_, behind the first.
void Cell::end_finished(const std::vector<pollfd>& watched) {
  std::vector<Running> left;
  for (size_t index = 0; index < running_.size(); ++index) {
    Running& command = running_[index];
    const bool known = 2 * index + 2 < watched.size();
    const bool abandoned = known && watched[2 * index + 2].revents != 0;
    if (abandoned) ::kill(command.init, SIGKILL);  // The kernel takes all of its namespace along.
    if ((known && watched[2 * index + 1].revents != 0) || abandoned) {
      if (::waitpid(command.init, nullptr, abandoned ? 0 : WNOHANG) == command.init) continue;
    }
    left.push_back(std::move(command));
  }
  running_ = std::move(left);
}

Result<void> Cell::serve() {
  for (;;) {
    std::vector<pollfd> watched = {{socket_, POLLIN, 0}};
    for (const Running& command : running_) {
      watched.push_back({command.init_pidfd.get(), POLLIN, 0});
      watched.push_back({command.control.get(), POLLRDHUP, 0});
    }
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) {
      return system_error("poll");
    }
    end_finished(watched);
    if (watched[0].revents == 0) continue;
    auto request = receive_packet(socket_);
    // Our end is the end of every command: this is process 1 of all of them.
    if (!request || request->ended) return {};
    handle(std::move(*request));
  }
}

}  // namespace

Result<CellPlan> receive_cell_plan(int socket) {
  TRY_ASSIGN(const Received request, receive_packet(socket));
  if (request.packet.kind != Packet::Kind::kCell || request.fds.size() != 1) {
    return Error(ErrorCode::kCorrupt, "the first request was no cell");
  }
  TRY_ASSIGN(const std::string bytes, memory_file_bytes(request.fds[0].get()));
  return decode_cell_plan(bytes);
}

Result<void> serve_cell(int socket, const CellPlan& plan) {
  Cell cell(socket, plan);
  TRY(cell.build());
  // From here on there is no answer to give: requests carry their own sockets.
  (void)cell.serve();
  return {};
}

}  // namespace levin::sandbox
