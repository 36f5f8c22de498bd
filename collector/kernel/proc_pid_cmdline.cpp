#include "collector/kernel/proc_pid_cmdline.hpp"

#include <cstddef>

#include "base/file.hpp"

namespace hypeman::collector {

bool command_line_names(std::string_view command_line, std::string_view path) {
  if (path.empty()) {
    return false;
  }
  for (auto at = command_line.find(path); at != std::string_view::npos;
       at = command_line.find(path, at + 1)) {
    const auto end = at + path.size();
    const bool starts_value =
        at == 0 || command_line[at - 1] == '\0' || command_line[at - 1] == '=';
    const bool ends_value =
        end == command_line.size() || command_line[end] == '\0' || command_line[end] == ',';
    if (starts_value && ends_value) {
      return true;
    }
  }
  return false;
}

Result<std::string> read_proc_pid_cmdline(int fd) {
  constexpr std::size_t limit = std::size_t{4} << 20;  // twice the kernel's default for argv
  return read_whole(fd, limit);
}

}  // namespace hypeman::collector
