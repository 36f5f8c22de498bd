#include "fs/tree/tree.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include "base/decimal.hpp"
#include "collector/statistics/statistic.hpp"

namespace hypeman::fs {
namespace {

constexpr std::string_view by_name_directory = "by-name";
constexpr std::string_view vcpus_directory = "vcpus";

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
  return node.row == Row::host_file || node.row >= Row::first_file;
}

const HostFile& host_file(const Node& node) {
  return host_files()[node.index];
}

/// The number in the name of a directory in vcpus/.
std::optional<std::uint16_t> vcpu_number(std::string_view name) {
  const auto number = parse_decimal<std::uint16_t>(name);
  const bool is_usual = number && *number <= Node::max_index && std::to_string(*number) == name;
  return is_usual ? number : std::nullopt;
}

/// The sources that show whether a VM has a vCPU.
constexpr collector::Sources vcpu_sources =
    collector::Source::proc_stat | collector::Source::schedstat;

Node parent_of(const Node& directory) {
  switch (directory.row) {
    case Row::vcpus:
      return {.row = Row::instance, .key = directory.key};
    case Row::vcpu:
      return {.row = Row::vcpus, .key = directory.key};
    default:
      return {.row = Row::root};
  }
}

void add(std::string_view name, const Node& node, mode_t type, Listing& listing) {
  listing.add(name, NodeTable::number_of(node), type);
}

/// Measures and renders a file of a VM.
Result<Content> measure(const collector::FoundInstance& vm, InstanceFile file) {
  const auto sample = vm.instance->sample(vm.record, file.sources());
  Content content{.text = {}, .time = sample.time, .running = sample.running, .record = vm.record};
  return file.render(sample, content.text).map([&] { return std::move(content); });
}

// What an open file or directory takes without its content, with a reserve for the containers that
// hold it.
constexpr std::size_t open_file_size = 1024;

/// The text that a read at this offset continues; null behind the end. Nothing: the read starts a
/// new sample.
std::optional<std::shared_ptr<const std::string>> continued_text(OpenFile& file,
                                                                 std::size_t offset) {
  if (offset == 0) {
    return std::nullopt;
  }
  const std::lock_guard lock{file.mutex};
  if (file.text == nullptr && (file.end == 0 || offset < file.end)) {
    return std::nullopt;
  }
  return file.text;
}

std::shared_ptr<const Records> records_of(const std::vector<collector::FoundInstance>& instances) {
  auto records = std::make_shared<Records>();
  records->reserve(instances.size());
  for (const auto& one : instances) {
    records->push_back(one.record);
  }
  return records;
}

/// The instances that still exist of those whose records a stat(2) has seen, with those records.
std::vector<collector::FoundInstance> with_records(
    const std::vector<collector::FoundInstance>& instances, const Records& records) {
  std::vector<collector::FoundInstance> result;
  result.reserve(records.size());
  auto now = instances.begin();
  for (const auto& record : records) {
    now = std::find_if(now, instances.end(),
                       [&](const auto& one) { return one.record->id >= record->id; });
    if (now != instances.end() && now->record->id == record->id) {
      result.push_back({.instance = now->instance, .record = record});
    }
  }
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
  const auto file_in = [&](const std::vector<InstanceFile>& files) -> Result<Node> {
    const auto file = find_file(files, name);
    return file ? Result<Node>{file_node(directory.key, *file)} : failure(ENOENT);
  };
  switch (directory.row) {
    case Row::root:
      if (name == by_name_directory) {
        return Node{.row = Row::by_name};
      }
      for (std::uint16_t index = 0; index < host_file_count; ++index) {
        if (name == host_files()[index].name) {
          return Node{.row = Row::host_file, .index = index};
        }
      }
      return Node{.row = Row::instance, .key = std::string{name}};
    case Row::by_name:
      return Node{.row = Row::link, .key = std::string{name}};
    case Row::instance:
      if (name == vcpus_directory) {
        return Node{.row = Row::vcpus, .key = directory.key};
      }
      return file_in(InstanceFile::all());
    case Row::vcpus:
      if (const auto number = vcpu_number(name)) {
        return Node{.row = Row::vcpu, .key = directory.key, .index = *number};
      }
      return failure(ENOENT);
    case Row::vcpu:
      return file_in(InstanceFile::all_of_vcpu(directory.index));
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

bool Tree::look_up_may_wait(Inode directory, std::string_view name) const {
  return nodes_.find(directory) == Node{.row = Row::by_name} && instances_.needs_list(name);
}

bool Tree::attributes_may_wait(Inode inode) const {
  const auto found = nodes_.find(inode);
  const auto is_measured = [](const Node& node) {
    return is_file(node) || node.row == Row::vcpus || node.row == Row::vcpu;
  };
  return found && (is_measured(*found) || found->row == Row::link) && content_may_wait(inode);
}

bool Tree::content_may_wait(Inode inode) const {
  const auto found = nodes_.find(inode);
  if (!found) {
    return false;
  }
  switch (found->row) {
    case Row::root:
    case Row::by_name:
    case Row::host_file:
      return true;
    case Row::link:
      return instances_.needs_list(found->key);
    default:
      return instances_.sample_may_wait(found->key);
  }
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

Result<Attributes> Tree::attributes(Inode inode, Reader reader) {
  return node(inode).and_then([&](const Node& n) {
    if (const auto file = n.file()) {
      return file_attributes(n, *file, inode, reader);
    }
    switch (n.row) {
      case Row::host_file:
        return host_file_attributes(host_file(n), inode, reader);
      case Row::vcpus:
      case Row::vcpu:
        return exists(n).map([&] { return directory_attributes(inode); });
      default:
        return unmeasured_attributes(n, inode);
    }
  });
}

/// The modification time of a file is the time of its sample. The kernel drops the pages that
/// sendfile(2) has cached when it sees another one. The change time is always the time of the
/// mount, and so are the times of a directory: if they change, tar warns that the file has changed.
Attributes Tree::base_attributes(Inode inode, mode_t mode) const {
  Attributes attributes{};
  attributes.st_ino = inode;
  attributes.st_mode = mode;
  attributes.st_nlink = S_ISDIR(mode) ? 2 : 1;
  attributes.st_gid = access_.group;
  attributes.st_mtim = S_ISDIR(mode) ? mounted_at_ : now();
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
    case Row::vcpus:
    case Row::vcpu:
      return instances_.find(node.key).and_then(
          [&](const collector::FoundInstance& vm) -> Result<Attributes> {
            if (node.index >= collector::max_vcpus(*vm.record)) {
              return failure(ENOENT);
            }
            return directory_attributes(inode);
          });
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

Result<Attributes> Tree::file_attributes(const Node& node, InstanceFile file, Inode inode,
                                         Reader reader) {
  const auto vm = owner(node, file);
  if (!vm) {
    return tl::unexpected{vm.error()};
  }
  auto attributes = base_attributes(inode, S_IFREG | access_.file_mode);
  StatAnswer answer;
  if (const auto size = file.size_by_record(vm->record)) {
    answer.size = *size;
    answer.content.record = vm->record;
  } else if (auto content = measure(*vm, file)) {
    answer.size = content->text.size();
    attributes.st_mtim = to_timespec(content->time);
    attributes.st_atim = attributes.st_mtim;
    answer.content = *std::move(content);
  } else if (content.error() == std::errc::no_such_file_or_directory) {
    return tl::unexpected{content.error()};
  } else {
    return attributes;  // size 0; the read fails with the reason
  }
  set_size(attributes, answer.size);
  stat_cache_.keep(reader.thread, inode, std::move(answer));
  return attributes;
}

Result<Attributes> Tree::host_file_attributes(const HostFile& file, Inode inode, Reader reader) {
  return instances_.list(collector::Instances::several_threads)
      .map([&](const collector::InstanceList& instances) {
        auto attributes = base_attributes(inode, S_IFREG | access_.file_mode);
        const auto size = file.size(*instances);
        set_size(attributes, size);
        stat_cache_.keep(reader.thread, inode, {.size = size, .records = records_of(*instances)});
        return attributes;
      });
}

Result<void> Tree::exists(Inode inode) {
  return node(inode).and_then([&](const Node& n) { return exists(n); });
}

Result<void> Tree::exists(const Node& node) {
  const auto file = node.file();
  if (!file && node.row != Row::vcpus && node.row != Row::vcpu) {
    return unmeasured_attributes(node, NodeTable::number_of(node)).map([](const auto& /*is*/) {});
  }
  const auto vm = file ? owner(node, *file) : instances_.find(node.key);
  return vm.and_then([&](const collector::FoundInstance& found) -> Result<void> {
    const auto sample =
        found.instance->sample(found.record, file ? collector::presence_sources() : vcpu_sources);
    const auto is_this = [&](const collector::VcpuTimes& times) {
      return node.row == Row::vcpus || times.number == node.index;
    };
    if (!file && !sample.vcpus) {
      return tl::unexpected{sample.vcpus.error()};
    }
    const bool is =
        file ? file->is_in(sample)
             : sample.running && sample.vcpus && std::ranges::any_of(*sample.vcpus, is_this);
    return is ? Result<void>{} : failure(ENOENT);
  });
}

Result<std::string> Tree::read_link(Inode inode) {
  return node(inode).and_then([&](const Node& n) -> Result<std::string> {
    return n.row == Row::link ? link_target(n) : failure(EINVAL);
  });
}

Result<std::shared_ptr<OpenFile>> Tree::open(Inode inode, Reader reader) {
  auto opened = try_open(inode, reader);
  if (!opened) {
    own_metrics_.count_error(opened.error());
  }
  return opened;
}

Result<std::shared_ptr<OpenFile>> Tree::try_open(Inode inode, Reader reader) {
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
  return reader_memory_.take(reader.user, open_file_size).map([&](ReaderMemory::Share&& memory) {
    return std::make_shared<OpenFile>(*std::move(opened), inode, std::move(instance),
                                      std::move(memory));
  });
}

bool Tree::read_may_wait(OpenFile& file, std::size_t offset) const {
  return !continued_text(file, offset) && content_may_wait(file.inode);
}

Result<Slice> Tree::read(OpenFile& file, std::size_t offset, std::size_t size, Reader reader) {
  auto slice = try_read(file, offset, size, reader);
  slice ? own_metrics_.count_read() : own_metrics_.count_error(slice.error());
  return slice;
}

Result<Slice> Tree::try_read(OpenFile& file, std::size_t offset, std::size_t size, Reader reader) {
  const auto continued = continued_text(file, offset);
  if (continued && *continued == nullptr) {
    return Slice{};
  }
  auto text = continued ? Result<Text>{*continued} : read_new(file, reader);
  if (!text) {
    return tl::unexpected{text.error()};
  }
  const auto bytes = std::string_view{**text}.substr(std::min(offset, (*text)->size()), size);
  ReaderMemory::Share memory;
  const bool reaches_end = bytes.size() < size;
  if (!reaches_end && !continued) {
    auto taken = reader_memory_.take(reader.user, (*text)->capacity());
    if (!taken) {
      return tl::unexpected{taken.error()};
    }
    memory = *std::move(taken);
  }
  const std::lock_guard lock{file.mutex};
  if (continued && file.text != *continued) {
    // Another thread has started a new sample of the same open file in the meantime.
  } else if (reaches_end) {
    file.text = nullptr;
    file.text_memory = {};
    file.end = (*text)->size();
  } else if (!continued) {
    file.text = *text;
    file.text_memory = std::move(memory);
  }
  return Slice{.text = *std::move(text), .bytes = bytes};
}

Result<Tree::Text> Tree::read_new(const OpenFile& file, Reader reader) {
  const auto which = file.node.file();
  return which ? read_instance_file(file, *which, reader) : read_host_file(file, reader);
}

/// A read returns new content. The exception: a stat(2) has just returned another size to this
/// thread. Then the read returns the content of that stat(2), unless the new content is shorter and
/// shows another state of the VM.
Result<Tree::Text> Tree::read_instance_file(const OpenFile& file, InstanceFile which,
                                            Reader reader) {
  const auto record = file.instance->record();
  if (!record) {
    return tl::unexpected{record.error()};
  }
  auto content = measure({.instance = file.instance, .record = *record}, which);
  if (!content) {
    return tl::unexpected{content.error()};
  }
  if (auto told = stat_cache_.take(reader.thread, file.inode);
      told && told->size != content->text.size()) {
    const bool is_longer = content->text.size() > told->size;
    const bool is_same_state =
        told->content.record == content->record && told->content.running == content->running;
    if (!told->content.text.empty() && (is_longer || is_same_state)) {
      *content = std::move(told->content);
    } else if (is_longer) {
      // The size follows from the record that the stat(2) has seen.
      content = measure({.instance = file.instance, .record = told->content.record}, which);
    }
  }
  return std::move(content).map(
      [](Content&& made) { return std::make_shared<const std::string>(std::move(made.text)); });
}

/// All readers that wait for a sample of the host share the next one. It has the size that stat(2)
/// shows now. If a stat(2) has just shown another size to this thread, that size counts: a longer
/// text is not read to its end by readers that trust st_size.
Result<Tree::Text> Tree::read_host_file(const OpenFile& file, Reader reader) {
  const auto& which = host_file(file.node);
  const auto told = stat_cache_.take(reader.thread, file.inode);
  auto text = host_jobs_.at(file.node.index).run([&] {
    return instances_.list(collector::Instances::several_threads)
        .map([&](const collector::InstanceList& instances) {
          return host_text(which, *instances, which.size(*instances));
        });
  });
  if (!text || !told || (*text)->size() == told->size) {
    return text;
  }
  return instances_.list(collector::Instances::several_threads)
      .map([&](const collector::InstanceList& instances) {
        return host_text(which, with_records(*instances, *told->records), told->size);
      });
}

Tree::Text Tree::host_text(const HostFile& file,
                           const std::vector<collector::FoundInstance>& instances,
                           std::size_t size) const {
  const auto samples = collector::Instances::samples(instances, file.sources());
  return std::make_shared<const std::string>(file.text(samples, size, own_metrics_));
}

Result<std::shared_ptr<OpenDirectory>> Tree::open_directory(Inode inode, Reader reader) {
  return node(inode).and_then([&](const Node& n) -> Result<std::shared_ptr<OpenDirectory>> {
    if (is_file(n) || n.row == Row::link) {
      return failure(ENOTDIR);
    }
    if (const auto is = exists(n); !is) {
      return tl::unexpected{is.error()};
    }
    return reader_memory_.take(reader.user, open_file_size).map([&](ReaderMemory::Share&& memory) {
      return std::make_shared<OpenDirectory>(inode, std::move(memory));
    });
  });
}

Result<std::shared_ptr<const Listing>> Tree::list(OpenDirectory& directory, std::size_t first,
                                                  Reader reader) {
  if (first != 0) {
    const std::lock_guard lock{directory.mutex};
    if (directory.listing == nullptr) {
      return std::make_shared<const Listing>();
    }
    auto listing = directory.listing;
    if (first >= listing->size()) {
      directory.listing = nullptr;
      directory.listing_memory = {};
    }
    return listing;
  }
  auto made = node(directory.inode).and_then([&](const Node& n) { return new_listing(n); });
  if (!made) {
    return tl::unexpected{made.error()};
  }
  auto listing = std::make_shared<const Listing>(*std::move(made));
  return reader_memory_.take(reader.user, listing->memory()).map([&](ReaderMemory::Share&& memory) {
    const std::lock_guard lock{directory.mutex};
    directory.listing = listing;
    directory.listing_memory = std::move(memory);
    return std::move(listing);
  });
}

Result<Listing> Tree::new_listing(const Node& directory) {
  Listing listing;
  add(".", directory, S_IFDIR, listing);
  add("..", parent_of(directory), S_IFDIR, listing);
  switch (directory.row) {
    case Row::root:
      add(by_name_directory, Node{.row = Row::by_name}, S_IFDIR, listing);
      for (std::uint16_t index = 0; index < host_file_count; ++index) {
        add(host_files()[index].name, Node{.row = Row::host_file, .index = index}, S_IFREG,
            listing);
      }
      return instances_.list().map([&](const collector::InstanceList& instances) {
        for (const auto& [instance, record] : *instances) {
          add(record->id, Node{.row = Row::instance, .key = record->id}, S_IFDIR, listing);
        }
        return std::move(listing);
      });
    case Row::by_name:
      return instances_.names().map([&](const auto& names) {
        for (const auto& [name, id] : names->unique()) {
          add(name, Node{.row = Row::link, .key = name}, S_IFLNK, listing);
        }
        return std::move(listing);
      });
    case Row::instance:
      return instances_.find(directory.key).map([&](const collector::FoundInstance& found) {
        const auto sample = found.instance->sample(found.record, collector::presence_sources());
        for (const auto& file : InstanceFile::all()) {
          if (file.is_in(sample)) {
            add(file.name(), file_node(directory.key, file), S_IFREG, listing);
          }
        }
        if (sample.running && sample.vcpus && !sample.vcpus->empty()) {
          add(vcpus_directory, Node{.row = Row::vcpus, .key = directory.key}, S_IFDIR, listing);
        }
        return std::move(listing);
      });
    case Row::vcpus:
      return instances_.find(directory.key)
          .and_then([&](const collector::FoundInstance& found) {
            return found.instance->sample(found.record, vcpu_sources).vcpus;
          })
          .map([&](const std::vector<collector::VcpuTimes>& vcpus) {
            for (const auto& times : vcpus) {
              const Node node{.row = Row::vcpu,
                              .key = directory.key,
                              .index = static_cast<std::uint16_t>(times.number)};
              add(std::to_string(times.number), node, S_IFDIR, listing);
            }
            return std::move(listing);
          });
    case Row::vcpu:
      for (const auto& file : InstanceFile::all_of_vcpu(directory.index)) {
        add(file.name(), file_node(directory.key, file), S_IFREG, listing);
      }
      return listing;
    default:
      return failure(ENOTDIR);
  }
}

}  // namespace hypeman::fs
