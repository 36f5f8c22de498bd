#include "fs/tree/tree.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include "collector/statistics/prometheus_text.hpp"
#include "collector/statistics/statistic.hpp"

namespace hypeman::fs {
namespace {

constexpr std::string_view by_name_directory = "by-name";
constexpr std::string_view metrics_file = "metrics.prom";

// The size of a file in the reply to a look-up. Users never see it, because each stat(2) sends a
// new request. But sendfile(2) and splice(2) do not read beyond it, so it must be large enough.
constexpr std::size_t unmeasured_instance_file_size = 4096;
constexpr std::size_t unmeasured_host_file_size = std::size_t{1} << 30U;

timespec to_timespec(std::chrono::system_clock::time_point time) {
  const auto since_epoch = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  return {.tv_sec = seconds.count(),
          .tv_nsec = std::chrono::nanoseconds{since_epoch - seconds}.count()};
}

timespec now() {
  return to_timespec(std::chrono::system_clock::now());
}

void set_size(Attributes& attributes, std::size_t size) {
  constexpr std::size_t block = 512;  // the unit of st_blocks
  attributes.st_size = static_cast<off_t>(size);
  attributes.st_blocks = static_cast<blkcnt_t>((size + block - 1) / block);
}

bool is_file(const Node& node) {
  return node.row == Row::metrics || node.row >= Row::first_file;
}

DirectoryEntry entry(std::string name, const Node& node, mode_t type) {
  DirectoryEntry result{.name = std::move(name), .attributes = {}};
  result.attributes.st_ino = NodeTable::number_of(node);
  result.attributes.st_mode = type;
  return result;
}

}  // namespace

Tree::Tree(collector::Instances& instances, Access access)
    : instances_{instances}, access_{access}, mounted_at_{now()} {}

Result<Node> Tree::node(Inode inode) const {
  auto found = nodes_.find(inode);
  if (!found) {
    return failure(ENOENT);
  }
  return *std::move(found);
}

Result<Node> Tree::child(const Node& directory, std::string_view name) {
  switch (directory.row) {
    case Row::root:
      if (name == by_name_directory) {
        return Node{.row = Row::by_name};
      }
      if (name == metrics_file) {
        return Node{.row = Row::metrics};
      }
      return Node{.row = Row::instance, .key = std::string{name}};
    case Row::by_name:
      return Node{.row = Row::link, .key = std::string{name}};
    case Row::instance:
      if (const auto file = InstanceFile::named(name)) {
        return file_node(directory.key, *file);
      }
      return failure(ENOENT);
    default:
      return failure(ENOTDIR);
  }
}

Result<collector::FoundInstance> Tree::owner(const Node& node, InstanceFile file) {
  auto found = instances_.find(node.key);
  if (found && !file.is_in(*found->record)) {
    return failure(ENOENT);
  }
  return found;
}

Result<std::string> Tree::link_target(const Node& node) {
  return instances_.find_by_name(node.key).map(
      [](const auto& found) { return "../" + found.record->id; });
}

Result<Attributes> Tree::look_up(Inode directory, std::string_view name) {
  const auto found = node(directory).and_then([&](const Node& n) { return child(n, name); });
  if (!found) {
    return tl::unexpected{found.error()};
  }
  auto result = unmeasured_attributes(*found, NodeTable::number_of(*found));
  if (result) {
    // Only now, because a name that does not exist must not get an entry in the table.
    result->st_ino = nodes_.acquire(*found);
  }
  return result;
}

Result<Attributes> Tree::attributes(Inode inode, pid_t reader) {
  return node(inode).and_then([&](const Node& n) {
    return is_file(n) ? measured_attributes(n, inode, reader) : unmeasured_attributes(n, inode);
  });
}

/// The modification time of a file is the time of its sample. The change time is always the time of
/// the mount: if it changes, tar warns that the file has changed.
Attributes Tree::base_attributes(Inode inode, mode_t mode) const {
  Attributes attributes{};
  attributes.st_ino = inode;
  attributes.st_mode = mode;
  attributes.st_nlink = S_ISDIR(mode) ? 2 : 1;
  attributes.st_gid = access_.group;
  attributes.st_mtim = now();
  attributes.st_atim = attributes.st_mtim;
  attributes.st_ctim = mounted_at_;
  return attributes;
}

Attributes Tree::directory_attributes(Inode inode) const {
  const mode_t search =
      (access_.file_mode & 0444U) >> 2U;  // search permission like read permission
  return base_attributes(inode, S_IFDIR | access_.file_mode | search);
}

Result<Attributes> Tree::unmeasured_attributes(const Node& node, Inode inode) {
  switch (node.row) {
    case Row::root:
    case Row::by_name:
      return directory_attributes(inode);
    case Row::instance:
      return instances_.find(node.key).map(
          [&](const auto& /*exists*/) { return directory_attributes(inode); });
    case Row::link:
      return link_target(node).map([&](const std::string& target) {
        auto attributes = base_attributes(inode, S_IFLNK | 0777U);
        set_size(attributes, target.size());
        return attributes;
      });
    default:
      break;
  }
  auto attributes = base_attributes(inode, S_IFREG | access_.file_mode);
  if (const auto file = node.file()) {
    set_size(attributes, unmeasured_instance_file_size);
    return owner(node, *file).map([&](const auto& /*exists*/) { return attributes; });
  }
  set_size(attributes, unmeasured_host_file_size);
  return attributes;
}

Result<Attributes> Tree::measured_attributes(const Node& node, Inode inode, pid_t reader) {
  auto attributes = base_attributes(inode, S_IFREG | access_.file_mode);
  collector::FoundInstance vm;
  if (const auto file = node.file()) {
    auto found = owner(node, *file);
    if (!found) {
      return tl::unexpected{found.error()};
    }
    if (const auto size = file->size_by_record(found->record)) {
      set_size(attributes, *size);
      return attributes;
    }
    vm = *std::move(found);
  }
  Content content;
  if (const auto measured = measure(node, vm, content); !measured) {
    if (measured.error() == std::errc::no_such_file_or_directory) {
      return tl::unexpected{measured.error()};
    }
    return attributes;  // size 0; the read fails with the reason
  }
  set_size(attributes, content.text.size());
  attributes.st_mtim = to_timespec(content.time);
  attributes.st_atim = attributes.st_mtim;
  stat_cache_.keep(reader, inode, std::move(content));
  return attributes;
}

Result<void> Tree::measure(const Node& node, const collector::FoundInstance& vm, Content& content) {
  content.record = vm.record;
  if (const auto file = node.file()) {
    const auto sample = vm.instance->sample(vm.record, file->sources());
    content.time = sample.time;
    return file->is_in(sample) ? file->render(sample, content.text) : failure(ENOENT);
  }
  content.time = std::chrono::system_clock::now();
  return instances_.running_samples(collector::prometheus_sources())
      .map([&](const std::vector<collector::Sample>& samples) {
        content.text.clear();
        collector::append_prometheus_text(samples, content.text);
      });
}

Result<std::string> Tree::read_link(Inode inode) {
  return node(inode).and_then([&](const Node& n) -> Result<std::string> {
    return n.row == Row::link ? link_target(n) : failure(EINVAL);
  });
}

Result<std::shared_ptr<OpenFile>> Tree::open(Inode inode) {
  auto opened = node(inode);
  if (!opened) {
    return tl::unexpected{opened.error()};
  }
  if (!is_file(*opened)) {
    return failure(EISDIR);
  }
  std::shared_ptr<collector::Instance> instance;
  if (const auto file = opened->file()) {
    auto found = owner(*opened, *file);
    if (!found) {
      return tl::unexpected{found.error()};
    }
    instance = std::move(found->instance);
  }
  return std::make_shared<OpenFile>(*std::move(opened), inode, std::move(instance));
}

Result<Slice> Tree::read(OpenFile& file, std::size_t offset, std::size_t size, pid_t reader) {
  std::unique_lock lock{file.mutex};
  if (offset == 0 || !file.has_content) {
    const auto refreshed = refresh(file, reader);
    file.has_content = refreshed.has_value();
    if (!refreshed) {
      return tl::unexpected{refreshed.error()};
    }
  }
  const std::string_view text = file.content.text;
  return Slice{.lock = std::move(lock), .bytes = text.substr(std::min(offset, text.size()), size)};
}

Result<void> Tree::refresh(OpenFile& file, pid_t reader) {
  collector::FoundInstance vm{.instance = file.instance, .record = {}};
  if (vm.instance != nullptr) {
    auto record = vm.instance->record();
    if (!record) {
      return tl::unexpected{record.error()};
    }
    vm.record = *std::move(record);
  }
  if (auto measured = measure(file.node, vm, file.content); !measured) {
    return measured;
  }
  // A read returns new content. The exception: a stat(2) has just returned another size for the
  // same VM with the same record. Then the read returns the content of that stat(2).
  if (auto told = stat_cache_.take(reader, file.inode);
      told && told->text.size() != file.content.text.size() &&
      told->record == file.content.record) {
    file.content = *std::move(told);
  }
  return {};
}

Result<void> Tree::open_directory(Inode inode) {
  return node(inode).and_then([&](const Node& n) -> Result<void> {
    if (is_file(n) || n.row == Row::link) {
      return failure(ENOTDIR);
    }
    return unmeasured_attributes(n, inode).map([](const auto& /*exists*/) {});
  });
}

Result<std::vector<DirectoryEntry>> Tree::list(Inode inode) {
  const auto directory = node(inode);
  if (!directory) {
    return tl::unexpected{directory.error()};
  }
  std::vector<DirectoryEntry> entries;
  entries.push_back(entry(".", *directory, S_IFDIR));
  entries.push_back(entry("..", Node{.row = Row::root}, S_IFDIR));
  switch (directory->row) {
    case Row::root:
      entries.push_back(entry(std::string{by_name_directory}, Node{.row = Row::by_name}, S_IFDIR));
      entries.push_back(entry(std::string{metrics_file}, Node{.row = Row::metrics}, S_IFREG));
      return instances_.list().map([&](const auto& instances) {
        for (const auto& [instance, record] : instances) {
          entries.push_back(
              entry(record->id, Node{.row = Row::instance, .key = record->id}, S_IFDIR));
        }
        return std::move(entries);
      });
    case Row::by_name:
      return instances_.names().map([&](const auto& names) {
        for (const auto& [name, id] : names) {
          entries.push_back(entry(name, Node{.row = Row::link, .key = name}, S_IFLNK));
        }
        return std::move(entries);
      });
    case Row::instance:
      return instances_.find(directory->key).map([&](const collector::FoundInstance& found) {
        const auto sample = found.instance->sample(found.record, collector::presence_sources());
        for (std::size_t index = 0; index < InstanceFile::count(); ++index) {
          if (const InstanceFile file{index}; file.is_in(sample)) {
            entries.push_back(
                entry(std::string{file.name()}, file_node(directory->key, file), S_IFREG));
          }
        }
        return std::move(entries);
      });
    default:
      return failure(ENOTDIR);
  }
}

}  // namespace hypeman::fs
