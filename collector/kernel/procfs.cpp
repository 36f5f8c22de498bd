#include "collector/kernel/procfs.hpp"

#include <unistd.h>

#include <array>
#include <cstdint>
#include <utility>

#include "base/file.hpp"

namespace hypeman::collector {
namespace {

std::string read_boot_id(int proc) {
  std::array<char, 64> buffer{};
  const auto text =
      open_kernel_file(proc, "sys/kernel/random/boot_id").and_then([&](const UniqueFd& fd) {
        return read_snapshot(fd.get(), buffer);
      });
  return std::string{text.value_or("").substr(0, text.value_or("").find('\n'))};
}

}  // namespace

Result<Procfs> Procfs::open(const std::string& path) {
  auto root = open_directory(path);
  if (!root) {
    return tl::unexpected{root.error()};
  }
  auto boot_id = read_boot_id(root->get());
  return Procfs{.root = *std::move(root),
                .boot_id = std::move(boot_id),
                .units = {.ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK)),
                          .page_size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))}};
}

}  // namespace hypeman::collector
