// libFuzzer target for the parsers of the kernel's files. The first byte chooses the parser.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/unique_fd.hpp"
#include "collector/kernel/proc_pid_cmdline.hpp"
#include "collector/kernel/proc_pid_schedstat.hpp"
#include "collector/kernel/proc_pid_stat.hpp"
#include "collector/kernel/proc_pid_statm.hpp"
#include "collector/kernel/proc_pid_status.hpp"
#include "collector/kernel/sys_class_net.hpp"

namespace {

using namespace hypeman;

void require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void search_command_line(std::string_view text) {
  const UniqueFd file{::memfd_create("cmdline", MFD_CLOEXEC)};
  require(::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  static const collector::SocketSearch search{
      "/var/lib/hypeman/guests/abcdefghijklmnopqrstuvwx/ch.sock"};
  const auto found = search.read_proc_pid_cmdline(file.get());
  require(found.has_value());
  const bool is_named = text.find("/abcdefghijklmnopqrstuvwx/ch.sock") != std::string_view::npos;
  require(*found != collector::NamedSocket::of_this_vm || is_named);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view text{reinterpret_cast<const char*>(data) + 1, size - 1};
  switch (data[0]) {
    case 's':
      if (const auto stat = collector::parse_proc_pid_stat(text); stat) {
        require(text.find(')') != std::string_view::npos);
        require(collector::command_name(text).size() < text.size());
      }
      break;
    case 'm':
      static_cast<void>(collector::parse_proc_pid_statm(text));
      break;
    case 'u':
      static_cast<void>(collector::parse_proc_pid_status(text));
      break;
    case 'c':
      static_cast<void>(collector::parse_proc_pid_schedstat(text));
      break;
    case 'n':
      static_cast<void>(collector::parse_interface_counter(text));
      break;
    case 'l':
      search_command_line(text);
      break;
    default:
      break;
  }
  return 0;
}
