#include "collector/kernel/proc_pid_status.hpp"

#include <array>
#include <cstddef>
#include <optional>

#include "base/decimal.hpp"
#include "base/file.hpp"

namespace hypeman::collector {
namespace {

/// The lines up to "VmSwap:" have about 1 KiB, unless the process is in hundreds of groups.
using Buffer = std::array<char, 4096>;

/// The lines of the file, from top to bottom.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_{text} {}

  /// What follows "<name>:" in the next line of this name, without the newline. Nothing: there is
  /// no such line, or its end is cut off. The first line cannot be found. It shows the name of the
  /// process, in which the kernel escapes newlines, so no name can look like a line.
  std::optional<std::string_view> find(std::string_view label) {
    const auto at = rest_.find(label);
    if (at == std::string_view::npos) {
      return std::nullopt;
    }
    const auto value = rest_.substr(at + label.size());
    const auto end = value.find('\n');
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    rest_ = value.substr(end);
    return value.substr(0, end);
  }

 private:
  std::string_view rest_;
};

/// "   1234 kB" in bytes.
std::optional<std::uint64_t> parse_size(std::optional<std::string_view> text) {
  constexpr std::string_view unit = " kB";
  constexpr std::uint64_t bytes_per_unit = 1024;
  if (!text || !text->ends_with(unit)) {
    return std::nullopt;
  }
  text->remove_suffix(unit.size());
  const auto begin = text->find_first_not_of("\t ");
  const auto number = begin == std::string_view::npos
                          ? std::nullopt
                          : parse_decimal<std::uint64_t>(text->substr(begin));
  return number ? std::optional{*number * bytes_per_unit} : std::nullopt;
}

/// The first two of the users in "\t<real>\t<effective>\t<saved>\t<file system>".
bool parse_users(std::string_view text, ProcPidStatus& status) {
  const auto real_end = text.find('\t', 1);
  if (!text.starts_with('\t') || real_end == std::string_view::npos) {
    return false;
  }
  const auto effective_end = text.find('\t', real_end + 1);
  const auto real = parse_decimal<uid_t>(text.substr(1, real_end - 1));
  const auto effective =
      parse_decimal<uid_t>(text.substr(real_end + 1, effective_end - real_end - 1));
  status.real_user = real.value_or(0);
  status.effective_user = effective.value_or(0);
  return effective_end != std::string_view::npos && real && effective;
}

}  // namespace

Result<ProcPidStatus> parse_proc_pid_status(std::string_view text) {
  Lines lines{text};
  ProcPidStatus status;
  if (const auto users = lines.find("\nUid:"); !users || !parse_users(*users, status)) {
    return failure(EBADMSG);
  }
  const auto anon = lines.find("\nRssAnon:");
  if (!anon) {
    return status;
  }
  const auto file = parse_size(lines.find("\nRssFile:"));
  const auto shmem = parse_size(lines.find("\nRssShmem:"));
  const auto swap = parse_size(lines.find("\nVmSwap:"));
  const auto anon_size = parse_size(anon);
  if (!anon_size || !file || !shmem || !swap) {
    return failure(EBADMSG);
  }
  status.memory = {.rss_anon_bytes = *anon_size,
                   .rss_file_bytes = *file,
                   .rss_shmem_bytes = *shmem,
                   .swap_bytes = *swap};
  return status;
}

Result<ProcPidStatus> read_proc_pid_status(int fd) {
  Buffer buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): pread fills it
  return read_at(fd, buffer, 0).and_then(parse_proc_pid_status);
}

Result<ProcPidMemory> read_proc_pid_memory(int fd) {
  Buffer buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): pread fills it
  return read_at(fd, buffer, 0).and_then([&](std::string_view text) -> Result<ProcPidMemory> {
    const auto status = parse_proc_pid_status(text);
    if (status && status->memory) {
      return *status->memory;
    }
    if (text.size() == buffer.size()) {
      return failure(EOVERFLOW);
    }
    return status ? failure(ESRCH) : tl::unexpected{status.error()};
  });
}

}  // namespace hypeman::collector
