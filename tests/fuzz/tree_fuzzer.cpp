// libFuzzer target for the tree, without a mount. Each line of the input is a request of the
// kernel: its first byte says which one, the rest is a path, an inode number or the size of a read.

#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/decimal.hpp"
#include "base/instance_names.hpp"
#include "collector/instances/instances.hpp"
#include "fs/tree/host_file.hpp"
#include "fs/tree/tree.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/collector/test_host.hpp"

namespace {

using namespace hypeman;
using fs::Inode;

constexpr Inode root = 1;
constexpr fs::Reader reader{.user = 1000, .thread = 1234};
constexpr std::string_view name_of_first = "web";

void require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

/// A running VM with two vCPUs and a TAP, and a stopped one.
class Host {
 public:
  Host() {
    const tests::FakeProcess process;
    proc_.write(process);
    proc_.write_thread(process.pid, {.tid = 4800, .name = "vcpu0"});
    proc_.write_thread(process.pid, {.tid = 4801, .name = "vcpu1"});
    sys_.write("hype-qilviffn", /*rx_bytes=*/111, /*tx_bytes=*/222);
    host_.data().write({.id = std::string{tests::first_id},
                        .name = std::string{name_of_first},
                        .network_enabled = true,
                        .pid = process.pid,
                        .start_time_ticks = process.start_time_ticks,
                        .boot_id = std::string{tests::FakeProc::boot_id}});
    host_.data().write({.id = std::string{tests::second_id}, .name = "db"});
  }

  [[nodiscard]] collector::Instances& instances() { return instances_; }

 private:
  tests::FakeProc proc_;
  tests::FakeSys sys_;
  tests::TestHost host_{proc_.path(), sys_.path()};
  collector::Instances instances_{host_.host()};
};

bool is_in_the_root(std::string_view name) {
  return name == "by-name" || name == tests::first_id || name == tests::second_id ||
         std::ranges::any_of(fs::host_files(), [&](const auto& file) { return file.name == name; });
}

/// What the kernel knows of a tree, and what it asks.
class Kernel {
 public:
  explicit Kernel(collector::Instances& instances) : tree_{instances, fs::Access{}} {}

  void request(char kind, std::string_view argument) {
    switch (kind) {
      case 'l':
        return look_up(argument);
      case 'i':
        inode_ = parse_decimal<Inode>(argument).value_or(inode_);
        return;
      case 'a':
        return stat();
      case 'x':
        static_cast<void>(tree_.exists(inode_));
        return;
      case 's':
        if (const auto target = tree_.read_link(inode_)) {
          require(target->starts_with("../") &&
                  is_instance_id(std::string_view{*target}.substr(3)));
        }
        return;
      case 'r':
        return read(parse_decimal<std::uint16_t>(argument).value_or(4096));
      case 'd':
        return list();
      default:
        return;
    }
  }

  /// The table has no entries when the kernel has forgotten all nodes.
  void forget_all() {
    for (const auto inode : looked_up_) {
      tree_.forget(inode, 1);
    }
    constexpr Inode of_vm = Inode{1} << 62U;
    for (const auto inode : looked_up_) {
      require(inode < of_vm || !tree_.attributes(inode, reader));
    }
  }

 private:
  void look_up(std::string_view path) {
    inode_ = root;
    while (!path.empty()) {
      const auto name = path.substr(0, path.find('/'));
      const auto found = tree_.look_up(inode_, name);
      require(!found || inode_ != root || is_in_the_root(name));
      if (!found) {
        return;
      }
      inode_ = found->st_ino;
      looked_up_.push_back(inode_);
      path.remove_prefix(std::min(name.size() + 1, path.size()));
    }
  }

  void stat() {
    if (const auto attributes = tree_.attributes(inode_, reader)) {
      require(attributes->st_ino == inode_);
      require(S_ISDIR(attributes->st_mode) || S_ISREG(attributes->st_mode) ||
              S_ISLNK(attributes->st_mode));
      require((attributes->st_mode & 0222U) == 0 || S_ISLNK(attributes->st_mode));
    }
  }

  void read(std::size_t size) {
    const auto opened = tree_.open(inode_, reader);
    if (!opened || size == 0) {
      return;
    }
    constexpr std::size_t longest = 1 << 20U;
    for (std::size_t offset = 0;;) {
      const auto slice = tree_.read(**opened, offset, size, reader);
      if (!slice) {
        return;
      }
      require(slice->bytes.size() <= size);
      offset += slice->bytes.size();
      require(offset < longest);
      if (slice->bytes.size() < size) {
        require(offset != 0);
        return;
      }
    }
  }

  void list() {
    const auto opened = tree_.open_directory(inode_, reader);
    if (!opened) {
      return;
    }
    const auto listing = tree_.list(**opened, 0, reader);
    for (std::size_t index = 0; listing && index < (*listing)->size(); ++index) {
      const auto entry = (*listing)->at(index);
      if (entry.name == "." || entry.name == "..") {
        continue;
      }
      const auto found = tree_.look_up(inode_, entry.name);
      require(found && found->st_ino == entry.inode && (found->st_mode & S_IFMT) == entry.type);
      looked_up_.push_back(entry.inode);
    }
  }

  fs::Tree tree_;
  Inode inode_ = root;
  std::vector<Inode> looked_up_;
};

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Host host;
  constexpr std::size_t max_requests = 64;
  Kernel kernel{host.instances()};
  std::string_view rest{reinterpret_cast<const char*>(data), size};
  for (std::size_t count = 0; count < max_requests && !rest.empty(); ++count) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (!line.empty()) {
      kernel.request(line.front(), line.substr(1));
    }
  }
  kernel.forget_all();
  return 0;
}
