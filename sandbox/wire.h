// How the library and the warden talk: length-prefixed values in a memory file, small packets on a
// SEQPACKET socket, descriptors beside them. Both ends are ours and of one version; the reader is
// still bounded, because a torn message must end in an error, not in a wild pointer.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace levin::sandbox {

class WireWriter {
 public:
  void number(int64_t value);
  void text(std::string_view value);
  void list(const std::vector<std::string>& values);
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Reads what WireWriter wrote, in the same order. Once something does not fit, all further reads
// give zero and ok() is false.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : bytes_(bytes) {}
  int64_t number();
  std::string text();
  std::vector<std::string> list();
  bool ok() const { return ok_; }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

// One packet. Plain data, copied as it is; both ends run on one machine.
struct Packet {
  enum class Kind : uint32_t {
    kNone,
    // To the warden.
    kCell,     // fds: the plan.
    kCommand,  // fds: plan, control socket, then the descriptors that the plan counts.
    kListen,   // number: port. fds: reply socket.
    kSocket,   // fds: reply socket.
    // To a command's init, on the control socket.
    kSignal,  // number: the signal.
    // From the warden or an init.
    kLayer,    // text: a layer of the cell that stands; number: its version, where it has one.
    kReady,    // The cell stands.
    kStarted,  // The command runs. fds: the terminal, when one was asked for.
    kEnded,    // Everything of the command is dead; number: wait status, usage filled in.
    kStopped,  // Like kEnded, by a limit; number: what was exceeded (StopCause).
    kFds,      // fds: what was asked for.
    kFailed,   // number: errno; text: the step.
  };
  Kind kind = Kind::kNone;
  int32_t number = 0;
  int64_t cpu_us = 0;
  int64_t peak_memory_bytes = 0;
  int64_t written_bytes = 0;
  char text[128] = {};

  void set_text(std::string_view value);
};

enum class StopCause : int32_t { kMemory = 1, kProcesses = 2, kProcessorTime = 3 };

inline constexpr size_t kPacketFdsMax = 32;

// A memory file that holds `bytes`, positioned at its start. Errors: kIo.
Result<UniqueFd> memory_file(const std::string& name, std::string_view bytes);

// Reads all of such a file, wherever it is positioned. Errors: kIo, kLimit.
Result<std::string> memory_file_bytes(int fd);

// Sends whole or not at all; never raises SIGPIPE. Errors: kIo (the other end is gone).
Result<void> send_packet(int socket, const Packet& packet, std::span<const int> fds = {});

struct Received {
  Packet packet;
  std::vector<UniqueFd> fds;
  bool ended = false;  // The other end was closed; the packet is empty.
};

// Waits for one packet, or with MSG_DONTWAIT in `flags` returns kNone when there is none.
// Descriptors come close-on-exec. Errors: kIo; kCorrupt for a packet of another size.
Result<Received> receive_packet(int socket, int flags = 0);

struct SocketPair {
  UniqueFd ours, theirs;
};
Result<SocketPair> packet_sockets();

}  // namespace levin::sandbox
