// constant_file MOUNTPOINT CONTENT_FILE THREADS|io_uring: a FUSE file system of one file,
// `instance/stats.json`, whose content never changes. It has the same mount options, timeouts, open
// flags, kind of reply and transport as hypeman-statsfs, but measures nothing. So a read of it
// costs what FUSE itself costs. Ends on SIGTERM or SIGINT.
#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <fuse_lowlevel.h>

#include "base/unique_fd.hpp"
#include "fs/daemon/mount.hpp"
#include "fs/ring/message.hpp"
#include "fs/ring/rings.hpp"

namespace {

using namespace hypeman;
using namespace hypeman::fs;

// Directory `n` has inode 2n + 2. The file in it has the next number.
constexpr fuse_ino_t first_directory = 2;

bool is_file(fuse_ino_t inode) {
  return inode != FUSE_ROOT_ID && inode % 2 != 0;
}

constexpr double entry_timeout = 86400.0;  // seconds, as in hypeman-statsfs
constexpr double attribute_timeout = 0.0;  // likewise

using Attributes = struct stat;

struct DestroySession {
  void operator()(fuse_session* session) const { ::fuse_session_destroy(session); }
};
using Session = std::unique_ptr<fuse_session, DestroySession>;

/// The threads of the rings keep it until they end.
struct Server {
  std::string content;
  std::unique_ptr<Rings> rings;  // null: requests come through /dev/fuse
  bool accepts_rings = false;    // while FUSE_INIT is answered
  Session session;
};

const std::string& content_of(fuse_req_t request) {
  return static_cast<const Server*>(fuse_req_userdata(request))->content;
}

Attributes attributes_of(fuse_req_t request, fuse_ino_t inode) {
  Attributes attributes{};
  attributes.st_ino = inode;
  if (is_file(inode)) {
    attributes.st_mode = S_IFREG | 0444;
    attributes.st_nlink = 1;
    attributes.st_size = static_cast<off_t>(content_of(request).size());
  } else {
    attributes.st_mode = S_IFDIR | 0555;
    attributes.st_nlink = 2;
  }
  return attributes;
}

void look_up(fuse_req_t request, fuse_ino_t parent, const char* name) {
  const std::string_view wanted{name};
  fuse_entry_param entry{};
  fuse_ino_t number = 0;
  if (parent != FUSE_ROOT_ID && wanted == "stats.json") {
    entry.ino = parent + 1;
  } else if (std::from_chars(wanted.begin(), wanted.end(), number).ptr == wanted.end()) {
    entry.ino = first_directory + 2 * number;
  } else {
    fuse_reply_err(request, ENOENT);
    return;
  }
  entry.attr = attributes_of(request, entry.ino);
  entry.attr_timeout = attribute_timeout;
  entry.entry_timeout = entry_timeout;
  fuse_reply_entry(request, &entry);
}

void get_attributes(fuse_req_t request, fuse_ino_t inode, fuse_file_info* /*file*/) {
  const auto attributes = attributes_of(request, inode);
  fuse_reply_attr(request, &attributes, attribute_timeout);
}

void open(fuse_req_t request, fuse_ino_t /*inode*/, fuse_file_info* file) {
  file->direct_io = 1;
  file->noflush = 1;
  fuse_reply_open(request, file);
}

void read(fuse_req_t request, fuse_ino_t /*inode*/, std::size_t size, off_t offset,
          fuse_file_info* /*file*/) {
  const std::string_view content = content_of(request);
  const auto bytes =
      content.substr(std::min(static_cast<std::size_t>(offset), content.size()), size);
  fuse_reply_buf(request, bytes.data(), bytes.size());
}

void release(fuse_req_t request, fuse_ino_t /*inode*/, fuse_file_info* /*file*/) {
  fuse_reply_err(request, 0);
}

fuse_lowlevel_ops operations() {
  fuse_lowlevel_ops all{};
  all.lookup = look_up;
  all.getattr = get_attributes;
  all.open = open;
  all.read = read;
  all.release = release;
  return all;
}

ssize_t read_request(int device, void* buffer, std::size_t size, void* /*server*/) {
  return ::read(device, buffer, size);
}

ssize_t send_reply(int device, iovec* parts, int count, void* user_data) {
  const auto& server = *static_cast<Server*>(user_data);
  const std::span reply{parts, static_cast<std::size_t>(count)};
  fuse_out_header header{};
  std::memcpy(&header, reply.front().iov_base, sizeof header);
  if (server.rings == nullptr || !server.rings->owns(header.unique)) {
    if (server.accepts_rings) {
      static_cast<void>(accept_rings(reply, server.rings->payload_size()));
    }
    return ::writev(device, parts, count);
  }
  return server.rings->answer(header.unique, reply) ? static_cast<ssize_t>(header.len) : -1;
}

/// Mounts at `mountpoint`, with the options of hypeman-statsfs.
UniqueFd mounted_device(const char* mountpoint) {
  auto mount = Mount::create(
      {.source = "constant_file", .mountpoint = mountpoint, .default_permissions = false});
  if (!mount) {
    throw std::runtime_error{mount.error().message};
  }
  return mount->release_device();
}

void connect(Server& server, UniqueFd device, const fuse_lowlevel_ops& all) {
  fuse_args arguments FUSE_ARGS_INIT(0, nullptr);
  ::fuse_opt_add_arg(&arguments, "constant_file");
  server.session.reset(::fuse_session_new(&arguments, &all, sizeof all, &server));
  ::fuse_opt_free_args(&arguments);
  const fuse_custom_io io{.writev = send_reply, .read = read_request};
  if (server.session == nullptr ||
      ::fuse_session_custom_io(server.session.get(), &io, device.get()) != 0) {
    throw std::runtime_error{"cannot start a FUSE session"};
  }
  static_cast<void>(device.release());  // the session closes it
}

/// Answers requests from /dev/fuse until the connection ends, or one request.
void work(fuse_session* session, bool once = false) {
  fuse_buf buffer{};
  int received = 0;
  do {
    received = ::fuse_session_receive_buf(session, &buffer);
    if (received > 0) {
      ::fuse_session_process_buf(session, &buffer);
    }
  } while (received == -EINTR || (received > 0 && !once));
  // NOLINTNEXTLINE(*-no-malloc,*-owning-memory): libfuse allocates it, for us to free
  ::free(buffer.mem);
}

/// Answers FUSE_INIT, so that all other requests come through the rings.
void start_rings(const std::shared_ptr<Server>& server) {
  // The owner keeps the callbacks, so the callbacks must not keep the owner.
  const auto handle = [&server = *server](std::span<std::byte> message) {
    const fuse_buf buffer{.size = message.size(), .flags = {}, .mem = message.data()};
    ::fuse_session_process_buf(server.session.get(), &buffer);
  };
  std::signal(SIGUSR1, [](int /*signal*/) {});
  if (!server->rings->start(server, {.handle = handle, .failed = [](int) {}}, SIGUSR1)) {
    throw std::runtime_error{"cannot start the threads of the rings"};
  }
  server->accepts_rings = true;
  work(server->session.get(), /*once=*/true);
  server->accepts_rings = false;
  if (!server->rings->register_with_kernel()) {
    throw std::runtime_error{"the kernel does not accept the rings"};
  }
}

/// `transport` is the number of threads that read /dev/fuse, or "io_uring".
void serve(const char* mountpoint, const char* content_file, const std::string& transport) {
  std::ifstream file{content_file, std::ios::binary};
  const auto server = std::make_shared<Server>();
  server->content.assign(std::istreambuf_iterator<char>{file}, {});

  sigset_t ending;
  ::sigemptyset(&ending);
  ::sigaddset(&ending, SIGINT);
  ::sigaddset(&ending, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);

  const auto all = operations();
  const bool with_rings = transport == "io_uring";
  const auto threads = with_rings ? 1 : std::stoul(transport);
  auto device = mounted_device(mountpoint);
  if (with_rings) {
    auto rings = make_rings(device.get());
    if (!rings) {
      throw std::runtime_error{rings.error()};
    }
    server->rings = *std::move(rings);
  }
  connect(*server, std::move(device), all);
  if (with_rings) {
    start_rings(server);
  }
  for (unsigned long count = 0; count < threads; ++count) {
    std::thread{[server] { work(server->session.get()); }}.detach();
  }
  int signal = 0;
  ::sigwait(&ending, &signal);
  ::umount2(mountpoint, MNT_DETACH);
  ::_exit(EXIT_SUCCESS);  // the threads still use the session
}

}  // namespace

int main(int argc, char* argv[]) {
  const std::span arguments{argv, static_cast<std::size_t>(argc)};
  if (arguments.size() != 4) {
    std::cerr << "usage: constant_file MOUNTPOINT CONTENT_FILE THREADS|io_uring\n";
    return EXIT_FAILURE;
  }
  try {
    serve(arguments[1], arguments[2], arguments[3]);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "constant_file: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
