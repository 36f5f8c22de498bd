// constant_file MOUNTPOINT CONTENT_FILE THREADS: a FUSE file system of one file,
// `instance/stats.json`, whose content never changes. It has the same mount options, timeouts, open
// flags, kind of reply and loop as hypeman-statsfs, but measures nothing. So a read of it costs
// what FUSE itself costs. Ends on SIGTERM or SIGINT.
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fuse_lowlevel.h>

namespace {

// Directory `n` has inode 2n + 2. The file in it has the next number.
constexpr fuse_ino_t first_directory = 2;

bool is_file(fuse_ino_t inode) {
  return inode != FUSE_ROOT_ID && inode % 2 != 0;
}

constexpr double entry_timeout = 86400.0;  // seconds, as in hypeman-statsfs
constexpr double attribute_timeout = 0.0;  // likewise

using Attributes = struct stat;

const std::string& content_of(fuse_req_t request) {
  return *static_cast<const std::string*>(fuse_req_userdata(request));
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

struct DestroySession {
  void operator()(fuse_session* session) const { ::fuse_session_destroy(session); }
};
using Session = std::unique_ptr<fuse_session, DestroySession>;

Session mounted_session(const fuse_lowlevel_ops& all, std::string& content,
                        const char* mountpoint) {
  fuse_args arguments FUSE_ARGS_INIT(0, nullptr);
  ::fuse_opt_add_arg(&arguments, "constant_file");
  ::fuse_opt_add_arg(&arguments, "-oro,nosuid,nodev,noexec,noatime,allow_other");
  Session session{::fuse_session_new(&arguments, &all, sizeof all, &content)};
  ::fuse_opt_free_args(&arguments);
  if (session == nullptr || ::fuse_session_mount(session.get(), mountpoint) != 0) {
    throw std::runtime_error{"cannot mount"};
  }
  return session;
}

/// Returns when the connection ends.
void work(fuse_session* session) {
  fuse_buf buffer{};
  for (;;) {
    const int received = ::fuse_session_receive_buf(session, &buffer);
    if (received == -EINTR) {
      continue;
    }
    if (received <= 0) {
      break;
    }
    ::fuse_session_process_buf(session, &buffer);
  }
  // NOLINTNEXTLINE(*-no-malloc,*-owning-memory): libfuse allocates it, for us to free
  ::free(buffer.mem);
}

void serve(const char* mountpoint, const char* content_file, unsigned threads) {
  std::ifstream file{content_file, std::ios::binary};
  std::string content{std::istreambuf_iterator<char>{file}, {}};

  sigset_t ending;
  ::sigemptyset(&ending);
  ::sigaddset(&ending, SIGINT);
  ::sigaddset(&ending, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);

  const auto all = operations();
  const auto session = mounted_session(all, content, mountpoint);
  std::vector<std::jthread> workers;
  for (unsigned count = 0; count < threads; ++count) {
    workers.emplace_back([&session] { work(session.get()); });
  }
  int signal = 0;
  ::sigwait(&ending, &signal);
  ::fuse_session_unmount(session.get());
}

}  // namespace

int main(int argc, char* argv[]) {
  const std::span arguments{argv, static_cast<std::size_t>(argc)};
  if (arguments.size() != 4) {
    std::cerr << "usage: constant_file MOUNTPOINT CONTENT_FILE THREADS\n";
    return EXIT_FAILURE;
  }
  try {
    serve(arguments[1], arguments[2], static_cast<unsigned>(std::stoul(arguments[3])));
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "constant_file: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
