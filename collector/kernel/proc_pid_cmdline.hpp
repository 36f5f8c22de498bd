#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace hypeman::collector {

/// The socket that a command line names: none, the one of another VM, or the wanted one.
enum class NamedSocket : std::uint8_t { none, of_another_vm, of_this_vm };

/// Finds the path of a VM's socket in a command line. The arguments are separated by NUL, as in
/// /proc/<pid>/cmdline. The path must be a whole argument (`--api-socket PATH`) or a whole value in
/// an argument (`--api-socket=PATH`, `-chardev socket,id=qmp,path=PATH,server=on`).
///
/// If the path is <directory>/<instance ID>/<file>, then <directory>/<other ID>/<name>.sock is the
/// socket of another VM.
class SocketSearch {
 public:
  /// A longer command line does not belong to a hypervisor. Theirs have a few KiB.
  static constexpr std::size_t max_command_line_bytes = std::size_t{256} << 10;

  /// is_possible() must be true.
  explicit SocketSearch(std::string socket_path);

  /// Whether the path can be searched for: it is absolute, has no NUL and is not too long.
  [[nodiscard]] static bool is_possible(std::string_view socket_path);

  /// Reads a descriptor of /proc/<pid>/cmdline until it finds the path or the end. EFBIG: the
  /// command line is longer than max_command_line_bytes. This can hang in the kernel: it waits for
  /// the lock of the process's memory map, which the process can hold as long as it wants.
  [[nodiscard]] Result<NamedSocket> read_proc_pid_cmdline(int fd) const;

 private:
  [[nodiscard]] NamedSocket search(std::string_view text) const;
  [[nodiscard]] bool is_socket_of_another_vm(std::string_view path) const;

  std::string path_;
  std::string directory_;  ///< with a slash at its end; if the path has another form, the path
  std::string id_;         ///< if the path has another form, empty
};

}  // namespace hypeman::collector
