#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace hypeman::collector {

/// Whether a command line contains `path`. The arguments are separated by NUL, as in
/// /proc/<pid>/cmdline. The path must be a whole argument (`--api-socket PATH`) or a whole value in
/// an argument (`--api-socket=PATH`, `-chardev socket,id=qmp,path=PATH,server=on`).
[[nodiscard]] bool command_line_names(std::string_view command_line, std::string_view path);

/// Reads a descriptor of /proc/<pid>/cmdline. EFBIG: the text is longer than 4 MiB.
[[nodiscard]] Result<std::string> read_proc_pid_cmdline(int fd);

}  // namespace hypeman::collector
