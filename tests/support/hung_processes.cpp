#include "tests/support/hung_processes.hpp"

#include <sys/mount.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>

#include <fuse_lowlevel.h>

#include "tests/support/errors.hpp"
#include "tests/support/paths.hpp"

namespace hypeman::tests {

/// Every name is a file of one page. Nobody gets an answer to a write until release().
class SilentFileSystem {
 public:
  explicit SilentFileSystem(std::string mountpoint) : mountpoint_{std::move(mountpoint)} {
    std::array<std::string, 2> words{"silent", "-ofsname=silent"};
    std::array<char*, 2> argv{words[0].data(), words[1].data()};
    fuse_args arguments = FUSE_ARGS_INIT(static_cast<int>(argv.size()), argv.data());
    const fuse_lowlevel_ops operations{
        .init =
            [](void* /*self*/, fuse_conn_info* connection) {
              // Then the kernel also sends the times of a file when it writes the file back.
              // Kernels before 6.16 wait for nothing else.
              connection->want |= connection->capable & FUSE_CAP_WRITEBACK_CACHE;
            },
        .lookup = look_up,
        .getattr =
            [](fuse_req_t request, fuse_ino_t inode, fuse_file_info* /*file*/) {
              const auto attributes = attributes_of(inode);
              ::fuse_reply_attr(request, &attributes, forever);
            },
        .setattr =
            [](fuse_req_t request, fuse_ino_t inode, struct stat* /*wanted*/, int /*which*/,
               fuse_file_info* /*file*/) {
              self_of(request).answer_when_released(inode, [request, inode] {
                const auto attributes = attributes_of(inode);
                ::fuse_reply_attr(request, &attributes, forever);
              });
            },
        .open = [](fuse_req_t request, fuse_ino_t /*inode*/,
                   fuse_file_info* file) { ::fuse_reply_open(request, file); },
        .read =
            [](fuse_req_t request, fuse_ino_t /*inode*/, std::size_t size, off_t /*offset*/,
               fuse_file_info* /*file*/) {
              const std::string zeros(size, '\0');
              ::fuse_reply_buf(request, zeros.data(), zeros.size());
            },
        .write =
            [](fuse_req_t request, fuse_ino_t inode, const char* /*data*/, std::size_t size,
               off_t /*offset*/, fuse_file_info* /*file*/) {
              self_of(request).answer_when_released(
                  inode, [request, size] { ::fuse_reply_write(request, size); });
            },
    };
    session_ = ::fuse_session_new(&arguments, &operations, sizeof operations, this);
    ::fuse_opt_free_args(&arguments);
    if (session_ == nullptr || ::fuse_session_mount(session_, mountpoint_.c_str()) != 0) {
      throw errno_error("mount a FUSE file system at " + mountpoint_);
    }
    server_ = std::thread{[this] { ::fuse_session_loop(session_); }};
  }
  SilentFileSystem(const SilentFileSystem&) = delete;
  SilentFileSystem& operator=(const SilentFileSystem&) = delete;
  SilentFileSystem(SilentFileSystem&&) = delete;
  SilentFileSystem& operator=(SilentFileSystem&&) = delete;
  ~SilentFileSystem() {
    release();
    ::umount2(mountpoint_.c_str(), MNT_DETACH);  // ends the loop
    server_.join();
    ::fuse_session_unmount(session_);
    ::fuse_session_destroy(session_);
  }

  /// Returns when a process waits for an answer about the `count`th file that was looked up.
  void await_silence(std::size_t count) {
    std::unique_lock lock{mutex_};
    if (!silence_.wait_for(lock, std::chrono::seconds{10},
                           [&] { return unanswered_.contains(FUSE_ROOT_ID + count); })) {
      throw std::runtime_error{"no process waits for the FUSE file system"};
    }
  }

  void release() {
    const std::lock_guard lock{mutex_};
    released_ = true;
    for (const auto& answer : std::exchange(answers_, {})) {
      answer();
    }
  }

 private:
  static constexpr double forever = 86400;  // seconds

  static SilentFileSystem& self_of(fuse_req_t request) {
    return *static_cast<SilentFileSystem*>(::fuse_req_userdata(request));
  }

  static struct stat attributes_of(fuse_ino_t inode) {
    constexpr off_t page = 4096;
    struct stat attributes {};
    attributes.st_ino = inode;
    attributes.st_mode = inode == FUSE_ROOT_ID ? S_IFDIR | 0755U : S_IFREG | 0644U;
    attributes.st_nlink = 1;
    attributes.st_size = inode == FUSE_ROOT_ID ? 0 : page;
    return attributes;
  }

  static void look_up(fuse_req_t request, fuse_ino_t /*parent*/, const char* /*name*/) {
    fuse_entry_param entry{};
    entry.ino = ++self_of(request).last_inode_;
    entry.attr = attributes_of(entry.ino);
    entry.attr_timeout = forever;
    entry.entry_timeout = forever;
    ::fuse_reply_entry(request, &entry);
  }

  void answer_when_released(fuse_ino_t inode, std::function<void()> answer) {
    const std::lock_guard lock{mutex_};
    if (released_) {
      answer();
      return;
    }
    answers_.push_back(std::move(answer));
    unanswered_.insert(inode);
    silence_.notify_all();
  }

  const std::string mountpoint_;
  fuse_session* session_ = nullptr;
  fuse_ino_t last_inode_ = FUSE_ROOT_ID;
  std::mutex mutex_;
  std::condition_variable silence_;
  bool released_ = false;
  std::vector<std::function<void()>> answers_;
  std::set<fuse_ino_t> unanswered_;
  std::thread server_;
};

HungProcesses::HungProcesses()
    : file_system_{std::make_unique<SilentFileSystem>(mountpoint_.path())} {}

HungProcesses::~HungProcesses() {
  release();  // a process cannot end while it waits for the file system
}

pid_t HungProcesses::start(const std::string& socket_path) {
  const auto file = mountpoint_.path() / std::to_string(processes_.size());
  processes_.push_back(ChildProcess::spawn(
      {std::string{paths::stand_in}, "--lock-memory", file.string(), "--api-socket", socket_path}));
  file_system_->await_silence(processes_.size());
  return processes_.back().pid();
}

void HungProcesses::release() {
  file_system_->release();
}

}  // namespace hypeman::tests
