#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace hypeman::collector {

/// Whether an argument of a command line (arguments separated by NUL, as in /proc/<pid>/cmdline)
/// names `path`: the argument itself (`--api-socket PATH`), or a whole value within it
/// (`--api-socket=PATH`, `-chardev socket,id=qmp,path=PATH,server=on`).
[[nodiscard]] bool command_line_names(std::string_view command_line, std::string_view path);

/// Reads a descriptor of /proc/<pid>/cmdline. EFBIG: the text is longer than 4 MiB.
[[nodiscard]] Result<std::string> read_proc_pid_cmdline(int fd);

}  // namespace hypeman::collector
