#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {

class SilentFileSystem;

/// Stand-in processes whose command line cannot be read: each read of /proc/<pid>/cmdline hangs in
/// the kernel until release(). Each process holds the lock of its memory map while it waits for a
/// FUSE file system that does not answer. Needs root and /dev/fuse. The destructor calls release()
/// and ends the processes.
class HungProcesses {
 public:
  HungProcesses();
  HungProcesses(const HungProcesses&) = delete;
  HungProcesses& operator=(const HungProcesses&) = delete;
  HungProcesses(HungProcesses&&) = delete;
  HungProcesses& operator=(HungProcesses&&) = delete;
  ~HungProcesses();

  /// Starts a process with `socket_path` on its command line. It hangs when this returns.
  pid_t start(const std::string& socket_path);

  /// The file system answers from now on, and all processes can be read again.
  void release();

 private:
  TemporaryDirectory mountpoint_;
  std::unique_ptr<SilentFileSystem> file_system_;
  std::vector<ChildProcess> processes_;
};

}  // namespace hypeman::tests
