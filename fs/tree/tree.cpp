#include "fs/tree/tree.hpp"

#include <chrono>
#include <ctime>
#include <utility>

#include "collector/statistics/prometheus_text.hpp"

namespace hypeman::fs {
namespace {

// A look-up tells attributes too, but its caller has not asked for them.
constexpr pid_t nobody = 0;

constexpr std::string_view by_name_directory = "by-name";
constexpr std::string_view metrics_file = "metrics.prom";

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

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
  return std::visit(
      Overloaded{
          [&](const RootNode& /*root*/) -> Result<Node> {
            if (name == by_name_directory) {
              return ByNameNode{};
            }
            if (name == metrics_file) {
              return MetricsNode{};
            }
            return InstanceNode{std::string{name}};
          },
          [&](const ByNameNode& /*by_name*/) -> Result<Node> {
            return LinkNode{std::string{name}};
          },
          [&](const InstanceNode& instance) -> Result<Node> {
            if (const auto file = InstanceFile::named(name)) {
              return FileNode{.id = instance.id, .file = *file};
            }
            return failure(ENOENT);
          },
          [](const auto& /*no directory*/) -> Result<Node> { return failure(ENOTDIR); },
      },
      directory);
}

Result<Attributes> Tree::look_up(Inode directory, std::string_view name) {
  const auto found = node(directory).and_then([&](const Node& n) { return child(n, name); });
  if (!found) {
    return tl::unexpected{found.error()};
  }
  auto result = attributes(*found, NodeTable::number_of(*found), nobody);
  if (result) {
    // Only now: a name that leads nowhere must leave nothing behind.
    result->st_ino = nodes_.acquire(*found);
  }
  return result;
}

Result<Attributes> Tree::attributes(Inode inode, pid_t reader) {
  return node(inode).and_then([&](const Node& n) { return attributes(n, inode, reader); });
}

Result<Attributes> Tree::attributes(const Node& node, Inode inode, pid_t reader) {
  return std::visit(Overloaded{
                        [&](const InstanceNode& instance) -> Result<Attributes> {
                          return instances_.find(instance.id).map([&](const auto& /*exists*/) {
                            return directory_attributes(inode);
                          });
                        },
                        [&](const FileNode& file) {
                          return source_of(file).and_then([&](const ContentSource& source) {
                            return file_attributes(source, inode, reader);
                          });
                        },
                        [&](const MetricsNode& /*metrics*/) {
                          return file_attributes(metrics_source(), inode, reader);
                        },
                        [&](const LinkNode& link) { return link_attributes(link, inode); },
                        [&](const auto& /*root or by-name*/) -> Result<Attributes> {
                          return directory_attributes(inode);
                        },
                    },
                    node);
}

/// Times: a file's content is as new as its sample, while nothing but a new mount changes what the
/// file is. (tar takes a changing ctime for a file that is being written to.)
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
  // Where there is r, there is x.
  const mode_t search = (access_.file_mode & 0444U) >> 2U;
  return base_attributes(inode, S_IFDIR | access_.file_mode | search);
}

Result<Attributes> Tree::file_attributes(const ContentSource& source, Inode inode, pid_t reader) {
  auto attributes = base_attributes(inode, S_IFREG | access_.file_mode);
  Content content;
  if (const auto measured = source(content); !measured) {
    if (measured.error() == std::errc::no_such_file_or_directory) {
      return tl::unexpected{measured.error()};
    }
    return attributes;  // empty; the read will tell why
  }
  set_size(attributes, content.text.size());
  attributes.st_mtim = to_timespec(content.time);
  attributes.st_atim = attributes.st_mtim;
  recent_.remember(reader, inode, std::move(content));
  return attributes;
}

Result<ContentSource> Tree::source_of(const FileNode& file) {
  return instances_.find(file.id).and_then(
      [&](collector::FoundInstance&& found) -> Result<ContentSource> {
        if (!file.file.exists(*found.metadata)) {
          return failure(ENOENT);
        }
        return [instance = std::move(found.instance), file = file.file](Content& content) {
          return instance->sample().and_then([&](const collector::Sample& sample) -> Result<void> {
            content.time = sample.time;
            content.metadata = sample.metadata;
            if (!file.exists(*sample.metadata)) {
              return failure(ENOENT);
            }
            return file.render(sample, content.text);
          });
        };
      });
}

ContentSource Tree::metrics_source() {
  return [this](Content& content) {
    content.time = std::chrono::system_clock::now();
    return instances_.running_samples().map([&](const std::vector<collector::Sample>& samples) {
      content.text.clear();
      collector::append_prometheus_text(samples, content.text);
    });
  };
}

Result<Attributes> Tree::link_attributes(const LinkNode& node, Inode inode) {
  return target_of(node).map([&](const std::string& target) {
    auto attributes = base_attributes(inode, S_IFLNK | 0777U);
    set_size(attributes, target.size());
    return attributes;
  });
}

Result<std::string> Tree::target_of(const LinkNode& link) {
  return instances_.find_by_name(link.name).map(
      [](const auto& found) { return "../" + found.metadata->id; });
}

Result<std::string> Tree::read_link(Inode inode) {
  return node(inode).and_then([&](const Node& n) -> Result<std::string> {
    const auto* const link = std::get_if<LinkNode>(&n);
    return link == nullptr ? failure(EINVAL) : target_of(*link);
  });
}

Result<std::unique_ptr<OpenFile>> Tree::open(Inode inode) {
  const auto source = node(inode).and_then([&](const Node& n) {
    return std::visit(
        Overloaded{
            [&](const FileNode& file) { return source_of(file); },
            [&](const MetricsNode& /*metrics*/) -> Result<ContentSource> {
              return metrics_source();
            },
            [](const auto& /*no file*/) -> Result<ContentSource> { return failure(EISDIR); },
        },
        n);
  });
  if (!source) {
    return tl::unexpected{source.error()};
  }
  return std::make_unique<OpenFile>(*source, inode, recent_);
}

Result<void> Tree::open_directory(Inode inode) {
  return node(inode).and_then([&](const Node& n) -> Result<void> {
    return attributes(n, inode, nobody).and_then([](const Attributes& found) -> Result<void> {
      return S_ISDIR(found.st_mode) ? Result<void>{} : failure(ENOTDIR);
    });
  });
}

Result<std::vector<DirectoryEntry>> Tree::list(Inode inode) {
  const auto directory = node(inode);
  if (!directory) {
    return tl::unexpected{directory.error()};
  }
  std::vector<DirectoryEntry> entries;
  entries.push_back(entry(".", *directory, S_IFDIR));
  entries.push_back(entry("..", RootNode{}, S_IFDIR));

  const auto listed = std::visit(
      Overloaded{
          [&](const RootNode& /*root*/) -> Result<void> {
            entries.push_back(entry(std::string{by_name_directory}, ByNameNode{}, S_IFDIR));
            entries.push_back(entry(std::string{metrics_file}, MetricsNode{}, S_IFREG));
            return instances_.list().map([&](const auto& instances) {
              for (const auto& [instance, metadata] : instances) {
                entries.push_back(entry(metadata->id, InstanceNode{metadata->id}, S_IFDIR));
              }
            });
          },
          [&](const ByNameNode& /*by_name*/) -> Result<void> {
            return instances_.names().map([&](const auto& names) {
              for (const auto& [name, id] : names) {
                entries.push_back(entry(name, LinkNode{name}, S_IFLNK));
              }
            });
          },
          [&](const InstanceNode& node) -> Result<void> {
            return instances_.find(node.id).map([&](const auto& found) {
              for (std::size_t index = 0; index < InstanceFile::count; ++index) {
                if (const InstanceFile file{index}; file.exists(*found.metadata)) {
                  entries.push_back(entry(std::string{file.name()},
                                          FileNode{.id = node.id, .file = file}, S_IFREG));
                }
              }
            });
          },
          [](const auto& /*no directory*/) -> Result<void> { return failure(ENOTDIR); },
      },
      *directory);
  if (!listed) {
    return tl::unexpected{listed.error()};
  }
  return entries;
}

}  // namespace hypeman::fs
