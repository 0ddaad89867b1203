#include "sandbox/wire.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/file_io.h"

namespace levin::sandbox {
namespace {

constexpr int64_t kMemoryFileBytesMax = 64 << 20;  // argv and environment of exec fit many times.

Error io_error(const std::string& doing) {
  return Error(ErrorCode::kIo, doing + ": " + std::strerror(errno));
}

}  // namespace

void WireWriter::number(int64_t value) {
  char raw[sizeof(value)];
  std::memcpy(raw, &value, sizeof(value));
  bytes_.append(raw, sizeof(raw));
}

void WireWriter::text(std::string_view value) {
  number(static_cast<int64_t>(value.size()));
  bytes_.append(value);
}

void WireWriter::list(const std::vector<std::string>& values) {
  number(static_cast<int64_t>(values.size()));
  for (const std::string& value : values) text(value);
}

int64_t WireReader::number() {
  int64_t value = 0;
  if (!ok_ || bytes_.size() < sizeof(value)) {
    ok_ = false;
    return 0;
  }
  std::memcpy(&value, bytes_.data(), sizeof(value));
  bytes_.remove_prefix(sizeof(value));
  return value;
}

std::string WireReader::text() {
  const int64_t size = number();
  if (!ok_ || size < 0 || static_cast<size_t>(size) > bytes_.size()) {
    ok_ = false;
    return {};
  }
  std::string value(bytes_.substr(0, static_cast<size_t>(size)));
  bytes_.remove_prefix(static_cast<size_t>(size));
  return value;
}

std::vector<std::string> WireReader::list() {
  const int64_t count = number();
  std::vector<std::string> values;
  for (int64_t index = 0; ok_ && index < count; ++index) values.push_back(text());
  return values;
}

void Packet::set_text(std::string_view value) {
  const size_t size = std::min(value.size(), sizeof(text) - 1);
  std::memcpy(text, value.data(), size);
  text[size] = '\0';
}

Result<UniqueFd> memory_file(const std::string& name, std::string_view bytes) {
  UniqueFd file(::memfd_create(name.c_str(), MFD_CLOEXEC));
  if (!file) return io_error("memfd_create");
  TRY(write_all(file.get(), bytes, name));
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return io_error("lseek of a memory file");
  return file;
}

Result<std::string> memory_file_bytes(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return io_error("fstat of a memory file");
  if (status.st_size > kMemoryFileBytesMax) {
    return Error(ErrorCode::kLimit, "a request of " + std::to_string(status.st_size) + " bytes");
  }
  std::string bytes(static_cast<size_t>(status.st_size), '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count =
        ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return io_error("reading a memory file");
    done += static_cast<size_t>(count);
  }
  return bytes;
}

Result<void> send_packet(int socket, const Packet& packet, std::span<const int> fds) {
  CHECK(fds.size() <= kPacketFdsMax, fds.size());
  iovec part{const_cast<Packet*>(&packet), sizeof(packet)};
  alignas(cmsghdr) char control[CMSG_SPACE(kPacketFdsMax * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  while (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return io_error("sending to the warden");
  }
  return {};
}

Result<Received> receive_packet(int socket, int flags) {
  Received received;
  iovec part{&received.packet, sizeof(received.packet)};
  alignas(cmsghdr) char control[CMSG_SPACE(kPacketFdsMax * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t size = 0;
  while ((size = ::recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC)) < 0) {
    if (errno == EAGAIN) return received;
    if (errno == ECONNRESET) break;
    if (errno != EINTR) return io_error("hearing from the warden");
  }
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    std::vector<int> fds(count);
    std::memcpy(fds.data(), CMSG_DATA(header), count * sizeof(int));
    for (const int fd : fds) received.fds.emplace_back(fd);
  }
  if (size <= 0) {
    received.ended = true;
    received.packet = Packet{};
    return received;
  }
  if (static_cast<size_t>(size) != sizeof(Packet)) {
    return Error(ErrorCode::kCorrupt, "the warden sent " + std::to_string(size) + " bytes, not " +
                                          std::to_string(sizeof(Packet)));
  }
  received.packet.text[sizeof(received.packet.text) - 1] = '\0';
  return received;
}

Result<SocketPair> packet_sockets() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return io_error("socketpair");
  }
  return SocketPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace levin::sandbox
