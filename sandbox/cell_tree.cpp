// A command of a cell: its init tells how it ends and passes signals on; closing our side of the
// control socket makes the warden kill the init, and the kernel everything else.
#include <signal.h>
#include <sys/socket.h>

#include "sandbox/tree.h"
#include "sandbox/wire.h"

namespace levin::sandbox {
namespace {

class CellTree final : public Tree {
 public:
  explicit CellTree(UniqueFd control) : control_(std::move(control)) {}

  int event_fd() const override { return control_.get(); }
  const TreeEnd& end() const override { return end_; }

  Result<bool> update() override {
    if (ended_) return true;
    TRY_ASSIGN(const Received received, receive_packet(control_.get(), MSG_DONTWAIT));
    if (received.ended) {
      // Killed on our word, the init cannot report; without it, somebody killed the warden.
      if (!killed_) {
        return Error(ErrorCode::kIo,
                     "the sandbox of this command died while it ran (the warden "
                     "was killed); the command died with it");
      }
      end_.wait_status = SIGKILL;
      ended_ = true;
      return true;
    }
    const Packet& packet = received.packet;
    if (packet.kind == Packet::Kind::kFailed) return Error(ErrorCode::kIo, packet.text);
    if (packet.kind != Packet::Kind::kEnded && packet.kind != Packet::Kind::kStopped) return false;
    if (packet.kind == Packet::Kind::kStopped) {
      end_.stop_cause = packet.number;
    } else {
      end_.wait_status = packet.number;
    }
    end_.cpu_us = packet.cpu_us;
    end_.peak_memory_bytes = packet.peak_memory_bytes;
    end_.written_bytes = packet.written_bytes;
    ended_ = true;
    return true;
  }

  void signal(int signal_number) override {
    if (signal_number == SIGKILL) {
      // The second word is for the warden, in case the init itself hangs.
      if (killed_) ::shutdown(control_.get(), SHUT_WR);
      killed_ = true;
    }
    Packet packet;
    packet.kind = Packet::Kind::kSignal;
    packet.number = signal_number;
    (void)send_packet(control_.get(), packet);
  }

 private:
  UniqueFd control_;
  bool killed_ = false;
  bool ended_ = false;
  TreeEnd end_;
};

}  // namespace

std::unique_ptr<Tree> make_cell_tree(UniqueFd control) {
  return std::make_unique<CellTree>(std::move(control));
}

}  // namespace levin::sandbox
